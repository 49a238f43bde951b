/**
 * Frees what nothing refers to: trees without a version, then blobs without a path or tree. A blob is marked dying in one transaction,
 * waits a grace time, loses its file, then its row. Several processes may collect at once, each step holds when another did it before.
 */
import type { Ctx, TxCtx } from '../../platform/context.ts';
import * as store from './artifact-gc-store.ts';
import { domainOf, SERVER_DOMAIN, workspaceOf } from './artifact-rules.ts';

export interface CollectOptions {
  /** How long a blob stays dying; longer than any upload takes between its bytes and its commit, and than clocks of several hosts differ. */
  readonly graceMs: number;
  /** Which of these trees somebody refers to, asked inside the transaction that deletes the others. Without it no tree is collected. */
  readonly referredTrees?: (ctx: TxCtx, treeIds: readonly number[]) => Promise<readonly number[]>;
}

export interface Collected {
  readonly trees: number;
  readonly marked: number;
  readonly removed: number;
}

/** One pass over everything, in small transactions. Safe beside uploads, seals and other collections. */
export async function collectGarbage(ctx: Ctx, options: CollectOptions): Promise<Collected> {
  const trees = options.referredTrees ? await collectTrees(ctx, options.graceMs, options.referredTrees) : 0;
  const marked = await markBlobs(ctx);
  const removed = await removeDying(ctx, options.graceMs);
  return { trees, marked, removed };
}

async function collectTrees(ctx: Ctx, graceMs: number, referredTrees: NonNullable<CollectOptions['referredTrees']>): Promise<number> {
  const createdBefore = ctx.clock.now() - graceMs;
  let collected = 0;
  let after = 0;
  for (;;) {
    const ids = await store.pageOfTrees(ctx.db, after, createdBefore);
    const last = ids.at(-1);
    if (last === undefined) return collected;
    after = last;
    collected += await ctx.db.write(async (tx) => {
      await store.lockTrees(tx, ids);
      const referred = new Set(await referredTrees({ ...ctx, tx }, ids));
      const loose = ids.filter((id) => !referred.has(id));
      if (loose.length > 0) await store.deleteTrees(tx, loose);
      return loose.length;
    });
  }
}

async function markBlobs(ctx: Ctx): Promise<number> {
  let marked = 0;
  let after = 0;
  for (;;) {
    const ids = await store.pageOfBlobs(ctx.db, after);
    const [first, last] = [ids[0], ids.at(-1)];
    if (first === undefined || last === undefined) return marked;
    after = last;
    const loose = await store.unreferredBlobs(ctx.db, first, last);
    if (loose.length > 0) marked += await ctx.db.write((tx) => store.markDying(tx, loose, ctx.clock.now()));
  }
}

async function removeDying(ctx: Ctx, graceMs: number): Promise<number> {
  await ctx.db.write((tx) => store.reviveReferred(tx));
  let removed = 0;
  const markedBefore = ctx.clock.now() - graceMs;
  for (;;) {
    const dying = await store.listDying(ctx.db, markedBefore);
    let progress = 0;
    for (const row of dying) {
      // The name of its file is all that matters here.
      const blob = { domain: row.domain, sha256: row.file_id ?? row.sha256, sizeBytes: row.size };
      // An upload of the same bytes renewed the file: its commit, which revives the row, comes at any moment.
      if (!(await ctx.blobs.remove(blob, markedBefore))) continue;
      progress += await ctx.db.write((tx) => store.deleteDying(tx, row.id));
    }
    removed += progress;
    if (dying.length < store.GC_PAGE || progress === 0) return removed;
  }
}

const ORPHANS_PAGE = 500;

/**
 * Removes stored bytes that no row knows, left by a crash or a refusal between storing and commit. One page of one key domain; answers where
 * to go on.
 */
export async function collectOrphans(ctx: Ctx, cursor: string | undefined, graceMs: number): Promise<string | undefined> {
  const putBefore = ctx.clock.now() - graceMs;
  const [domain = SERVER_DOMAIN, place] = cursor?.split('/') ?? [];
  const page = await ctx.blobs.list(domain, place || undefined);
  const old = page.blobs.filter((blob) => blob.putAt < putBefore);
  const column = domain === SERVER_DOMAIN ? 'sha256' : 'file_id';
  for (let i = 0; i < old.length; i += ORPHANS_PAGE) {
    const some = old.slice(i, i + ORPHANS_PAGE);
    const known = await store.knownFiles(
      ctx.db,
      domain,
      column,
      some.map((blob) => blob.sha256),
    );
    for (const blob of some) if (!known.has(blob.sha256)) await ctx.blobs.remove({ domain, ...blob }, putBefore);
  }
  if (page.next !== undefined) return `${domain}/${page.next}`;
  const next = await store.nextEncrypting(ctx.db, workspaceOf(domain) ?? -1);
  return next === undefined ? undefined : `${domainOf(next)}/`;
}
