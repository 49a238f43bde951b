/** Proofs from what is kept of the tree: roots of large subtrees, and the hashes of the events below them. */
import { invalid, notFound } from '@countersign/contract/problem.ts';
import { type Ctx, reading } from '../../platform/context.ts';
import type { Queries } from '../../platform/db/database.ts';
import * as events from '../events/events.ts';
import type { SignedCheckpoint } from './checkpoint-rules.ts';
import * as store from './checkpoint-store.ts';
import { serverIdOf, shown } from './kept-checkpoints.ts';
import { consistencyRanges, GrowingTree, inclusionRanges, joinPeaks, type LeafRange, peaksOf, type TreeNode } from './merkle-rules.ts';

/** Below it, roots of subtrees are computed from the events' hashes: 256 of them at most. */
export const STORED_LEVEL = 8;

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

/** That events are in the tree of a checkpoint of that size, by seq; what several proofs share is read once. No seq may be larger than the size. */
export async function proveInclusions(ctx: Ctx, seqs: readonly number[], size: number): Promise<ReadonlyMap<number, readonly Buffer[]>> {
  const known = new Map<string, Buffer>();
  const proofs = new Map<number, readonly Buffer[]>();
  for (const seq of seqs) {
    const roots: Buffer[] = [];
    for (const range of inclusionRanges(seq - 1, size)) {
      const key = `${range.start} ${range.end}`;
      const root = known.get(key) ?? (await rootsOf(ctx, [range]))[0];
      if (root === undefined) throw new TypeError('one range has one root');
      known.set(key, root);
      roots.push(root);
    }
    proofs.set(seq, roots);
  }
  return proofs;
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
