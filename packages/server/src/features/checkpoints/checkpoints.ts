/**
 * Signed checkpoints over the record: made in the background and on demand, kept, and proved by. Whoever keeps one elsewhere can show later that
 * the record was cut or rewritten behind it. What a checkpoint is to the byte: checkpoint-rules.ts.
 */
import { invalid, notFound } from '@countersign/contract/problem.ts';
import { type Ctx, reading, transaction } from '../../platform/context.ts';
import type { Queries } from '../../platform/db/database.ts';
import { type BackgroundJob, startJob } from '../../platform/jobs/background-job.ts';
import * as events from '../events/events.ts';
import { CheckpointAudit } from './checkpoint-audit-rules.ts';
import {
  type CheckpointKey,
  checkpointLine,
  checkpointText,
  digestOf,
  NO_CHECKPOINT,
  type SignedCheckpoint,
  signText,
} from './checkpoint-rules.ts';
import { chooseNextKey, chooseSigner, type KeyFacts, type Signer, type SignerMeans } from './checkpoint-signer.ts';
import * as store from './checkpoint-store.ts';
import {
  consistencyRanges,
  frontierBytes,
  GrowingTree,
  inclusionRanges,
  joinPeaks,
  type LeafRange,
  peaksOf,
  readFrontier,
  type TreeNode,
} from './merkle-rules.ts';

export { CheckpointAudit } from './checkpoint-audit-rules.ts';
export {
  type Checkpoint,
  type CheckpointKey,
  checkpointLine,
  checkpointNote,
  keyIdOf,
  readCheckpoint,
  type SignedCheckpoint,
  verifierKey,
} from './checkpoint-rules.ts';
export type { SignerMeans } from './checkpoint-signer.ts';
export { SECRETS } from './checkpoint-store.ts';
export { provesConsistency, provesInclusion, readFrontier } from './merkle-rules.ts';

/** A checkpoint is due after so many events, or so long after the one before where something happened. */
export const EVERY_EVENTS = 1000;
export const EVERY_MS = 60_000;
const LOOK_EVERY_MS = 2000;
/** After a failure that only an operator can end. */
const REST_MS = 60_000;
const ATTEMPTS_MAX = 5;
/** Below it, roots of subtrees are computed from the events' hashes: 256 of them at most. */
const STORED_LEVEL = 8;

export interface Checkpoints {
  /** The newest that this process knows of, as one line: from memory. */
  readonly newestLine: () => string | undefined;
  /** One over all events that there are now: the newest, or a new one. Undefined where there is none. INVALID_STATE without its key. */
  make(ctx: Ctx): Promise<SignedCheckpoint | undefined>;
  /** One that is due is made; what another replica made is noticed. */
  look(ctx: Ctx): Promise<void>;
  /** A new key signs from now on. `isLost`: the old one can't vouch for it. INVALID_STATE where it would have to. */
  rotateKey(ctx: Ctx, isLost: boolean): Promise<CheckpointKey>;
}

export function openCheckpoints(means: SignerMeans): Checkpoints {
  return new Checkpointer(means);
}

/** In the background, until it is stopped. Several replicas share the work. */
export function startCheckpointing(ctx: Ctx, checkpoints: Checkpoints, onError: (error: unknown) => void): BackgroundJob {
  let restUntil = 0;
  const run = async (): Promise<void> => {
    if (ctx.clock.now() < restUntil) return;
    try {
      await checkpoints.look(ctx);
    } catch (error) {
      restUntil = ctx.clock.now() + REST_MS;
      throw error;
    }
  };
  return startJob({ firstAfterMs: LOOK_EVERY_MS, everyMs: LOOK_EVERY_MS, run, onError });
}

class Checkpointer implements Checkpoints {
  readonly #means: SignerMeans;
  #newest: { readonly size: number; readonly line: string } | undefined;
  #waitingSince: number | undefined;
  #making: Promise<SignedCheckpoint | undefined> | undefined;

  constructor(means: SignerMeans) {
    this.#means = means;
  }

  readonly newestLine = (): string | undefined => this.#newest?.line;

  async make(ctx: Ctx): Promise<SignedCheckpoint | undefined> {
    // One that was begun before may not be over what the caller has just written.
    await this.#making?.catch(() => {});
    this.#making ??= this.#make(ctx).finally(() => {
      this.#making = undefined;
    });
    return this.#making;
  }

  async look(ctx: Ctx): Promise<void> {
    const [newest, end] = [await findNewest(ctx), await events.findEnd(ctx.db)];
    if (newest !== undefined) this.#know(newest);
    const waiting = end.seq - (newest?.size ?? 0);
    if (waiting <= 0) {
      this.#waitingSince = undefined;
      return;
    }
    const now = ctx.clock.now();
    this.#waitingSince ??= now;
    const since = newest === undefined ? this.#waitingSince : newest.time;
    if (waiting >= EVERY_EVENTS || now - since >= EVERY_MS) await this.make(ctx);
  }

  async rotateKey(ctx: Ctx, isLost: boolean): Promise<CheckpointKey> {
    const facts = await keyFacts(ctx);
    const next = chooseNextKey(this.#means, facts, isLost);
    if (await addKey(ctx, next)) return next;
    throw invalid('Somebody else has replaced the key at the same time. Look at the keys, and try again if it is still needed.');
  }

  async #make(ctx: Ctx): Promise<SignedCheckpoint | undefined> {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt += 1) {
      const made = await this.#attempt(ctx);
      if (made === 'again') continue;
      if (made !== undefined) this.#know(made);
      return made;
    }
    throw new Error(`${ATTEMPTS_MAX} checkpoints were overtaken by those of other processes`);
  }

  async #attempt(ctx: Ctx): Promise<SignedCheckpoint | undefined | 'again'> {
    const before = await store.findNewest(ctx.db);
    const { serverId, seq } = await events.findEnd(ctx.db);
    if (before !== undefined && before.size >= seq) return shown(before, serverId);
    if (seq === 0) return undefined;
    const signer = await this.#signer(ctx);
    if (signer === undefined) return 'again';
    const { tree, nodes } = await growTo(ctx.db, before, seq);
    if (tree.size !== seq) throw new Error(`the record has ${tree.size} events, and its end is ${seq}: see countersign audit verify`);
    const unsigned = {
      serverId,
      size: seq,
      root: tree.root(),
      time: Math.max(ctx.clock.now(), before?.time ?? 0),
      previous: before === undefined ? NO_CHECKPOINT : digestOf({ ...before, serverId }),
    };
    const checkpoint = { ...unsigned, keyId: signer.keyId, signature: signText(checkpointText(unsigned), signer.privateKey) };
    const isKept = await transaction(ctx, async ({ tx }) => {
      if ((await store.lockKey(tx, signer.number)) !== signer.number) return false;
      if (!(await store.insert(tx, { ...checkpoint, frontier: frontierBytes(tree.frontier) }))) return false;
      await store.insertNodes(tx, nodes);
      return true;
    });
    return isKept ? checkpoint : 'again';
  }

  /** Undefined: a key was written, by this process or another. */
  async #signer(ctx: Ctx): Promise<Signer | undefined> {
    const chosen = chooseSigner(this.#means, await keyFacts(ctx));
    if (!('next' in chosen)) return chosen;
    await addKey(ctx, chosen.next);
    return undefined;
  }

  #know(checkpoint: SignedCheckpoint): void {
    if (this.#newest === undefined || this.#newest.size < checkpoint.size)
      this.#newest = { size: checkpoint.size, line: checkpointLine(checkpoint) };
  }
}

async function keyFacts(ctx: Ctx): Promise<KeyFacts> {
  const { serverId } = await events.findEnd(ctx.db);
  return { serverId, keys: await store.listKeys(ctx.db), clock: ctx.clock };
}

/** False where another one is there by now. The first is no event: nobody changed anything. */
function addKey(ctx: Ctx, key: store.KeyRow): Promise<boolean> {
  return transaction(ctx, async (inner) => {
    if (key.number > 1 && (await store.lockKey(inner.tx, key.number - 1)) !== key.number - 1) return false;
    if (!(await store.insertKey(inner.tx, key, inner.principal.id))) return false;
    if (key.number === 1) return true;
    await store.forgetPrivateKey(inner.tx, key.number - 1);
    const data = { number: key.number, public_key: key.publicKey.toString('base64'), signed_by: key.signedBy };
    events.record(inner, { type: 'checkpoint-key.rotated', data });
    return true;
  });
}

/** From the frontier of the one before, so that only new events are hashed. */
async function growTo(
  db: Queries,
  before: store.CheckpointRow | undefined,
  seq: number,
): Promise<{ tree: GrowingTree; nodes: readonly store.NodeRow[] }> {
  const tree = new GrowingTree(before && readFrontier(before.size, before.frontier));
  const nodes: store.NodeRow[] = [];
  const keep = ({ level, position }: TreeNode, hash: Buffer): void => {
    if (level >= STORED_LEVEL) nodes.push({ level, position, hash });
  };
  for await (const hash of events.listHashes(db, tree.size, seq)) tree.append(hash, keep);
  return { tree, nodes };
}

function shown({ frontier: _ofTheStore, ...row }: store.CheckpointRow, serverId: string): SignedCheckpoint {
  return { ...row, serverId };
}

async function serverIdOf(ctx: Ctx): Promise<string> {
  return (await events.findEnd(reading(ctx))).serverId;
}

/** Undefined before the first. */
export async function findNewest(ctx: Ctx): Promise<SignedCheckpoint | undefined> {
  const row = await store.findNewest(reading(ctx));
  return row && shown(row, await serverIdOf(ctx));
}

/** A checkpoint with the frontier of its tree: all that is needed to go on from it. */
export interface KeptCheckpoint extends SignedCheckpoint {
  readonly frontier: Uint8Array;
}

export interface CheckpointQuery {
  readonly afterSize: number | undefined;
  readonly newestFirst: boolean;
  readonly limit: number;
}

export async function list(ctx: Ctx, query: CheckpointQuery): Promise<KeptCheckpoint[]> {
  const serverId = await serverIdOf(ctx);
  return (await store.list(reading(ctx), query)).map((row) => ({ ...row, serverId }));
}

/** Oldest first. */
export async function listKeys(ctx: Ctx): Promise<{ readonly serverId: string; readonly keys: readonly CheckpointKey[] }> {
  const keys = await store.listKeys(reading(ctx));
  return { serverId: await serverIdOf(ctx), keys: keys.map(({ sealed: _private, ...key }) => key) };
}

async function get(ctx: Ctx, size: number | undefined): Promise<SignedCheckpoint> {
  const row = size === undefined ? await store.findNewest(reading(ctx)) : await store.find(reading(ctx), size);
  if (row) return shown(row, await serverIdOf(ctx));
  throw notFound(
    size === undefined
      ? 'There is no checkpoint yet. POST /api/v1/checkpoints makes one.'
      : `There is no checkpoint over ${size} events. GET /api/v1/checkpoints lists them.`,
  );
}

export interface Proof {
  readonly hashes: readonly Buffer[];
}

/** That an event is in the tree of a checkpoint, the newest where no size is given. RESOURCE_DOES_NOT_EXIST. */
export async function proveInclusion(
  ctx: Ctx,
  seq: number,
  size?: number,
): Promise<Proof & { readonly event: events.RecordedEvent; readonly checkpoint: SignedCheckpoint }> {
  const checkpoint = await get(ctx, size);
  const event = await events.find(reading(ctx), seq);
  if (event === undefined) throw notFound(`There is no event ${seq}.`);
  if (seq > checkpoint.size) throw invalid(`Event ${seq} came after the checkpoint over ${checkpoint.size} events. Name a later one.`);
  return { event, checkpoint, hashes: await rootsOf(ctx, inclusionRanges(seq - 1, checkpoint.size)) };
}

/** That the record at the newer checkpoint goes on from what it was at the older. RESOURCE_DOES_NOT_EXIST, INVALID_PARAMETER_VALUE. */
export async function proveConsistency(
  ctx: Ctx,
  olderSize: number,
  newerSize?: number,
): Promise<Proof & { readonly older: SignedCheckpoint; readonly newer: SignedCheckpoint }> {
  const [older, newer] = [await get(ctx, olderSize), await get(ctx, newerSize)];
  if (older.size > newer.size) throw invalid(`The checkpoint over ${older.size} events is the newer one of the two.`);
  return { older, newer, hashes: await rootsOf(ctx, consistencyRanges(older.size, newer.size)) };
}

async function rootsOf(ctx: Ctx, ranges: readonly LeafRange[]): Promise<Buffer[]> {
  const roots: Buffer[] = [];
  for (const range of ranges) {
    const peaks: Uint8Array[] = [];
    for (const node of peaksOf(range)) peaks.push(await rootOf(reading(ctx), node));
    roots.push(joinPeaks(peaks));
  }
  return roots;
}

async function rootOf(db: Queries, node: TreeNode): Promise<Uint8Array> {
  const found = node.level < STORED_LEVEL ? undefined : await store.findNode(db, node);
  if (found !== undefined) return found;
  const width = 2 ** node.level;
  const tree = new GrowingTree();
  for await (const hash of events.listHashes(db, node.position * width, (node.position + 1) * width)) tree.append(hash);
  return tree.root();
}

export interface RecordVerdict extends events.ChainVerdict {
  /** How many were held against the events. */
  readonly checkpoints: number;
  /** The first that is wrong: over how many events, and why. */
  readonly firstBadCheckpoint?: { readonly size: number; readonly reason: string };
}

/** Recomputes every hash, and holds every checkpoint and every key against them. */
export async function verifyRecord(ctx: Ctx): Promise<RecordVerdict> {
  const db = reading(ctx);
  const { serverId } = await events.findEnd(db);
  const newest = await store.findNewest(db);
  const audit = new CheckpointAudit({ serverId });
  let bad: { size: number; reason: string } | undefined;
  let count = 0;
  for (const key of await store.listKeys(db)) {
    const reason = audit.takeKey(key);
    if (reason !== undefined) bad ??= { size: newest?.size ?? 0, reason: `checkpoint key ${key.number} ${reason}` };
  }
  const take = async (stretch: readonly events.VerifiedEvent[]): Promise<void> => {
    const [first, last] = [stretch[0], stretch.at(-1)];
    if (bad !== undefined || first === undefined || last === undefined) return;
    // Later ones may be signed by a key that wasn't there when the keys were read.
    const untilSize = Math.min(last.seq, newest?.size ?? 0);
    const due = await store.list(db, { afterSize: first.seq - 1, untilSize, newestFirst: false, limit: stretch.length });
    let next = 0;
    for (const { seq, hash } of stretch) {
      audit.takeEvent(hash);
      const row = due[next];
      if (row?.size !== seq) continue;
      next += 1;
      const reason =
        audit.takeCheckpoint({ ...row, serverId }) ??
        (frontierBytes(audit.frontier).equals(row.frontier) ? undefined : 'is kept with the frontier of another tree');
      if (reason !== undefined) {
        bad = { size: row.size, reason };
        return;
      }
      count += 1;
    }
  };
  const chain = await events.verifyChain(db, take);
  if (chain.ok && bad === undefined && newest !== undefined && newest.size > chain.events)
    bad = { size: newest.size, reason: `is over ${newest.size} events, and there are ${chain.events}: the record was cut off` };
  return { ...chain, ok: chain.ok && bad === undefined, checkpoints: count, ...(bad === undefined ? {} : { firstBadCheckpoint: bad }) };
}
