/** Proofs from what is kept of the tree: roots of large subtrees, and the hashes of the events below them. */
import { invalid, notFound } from '@countersign/contract/problem.ts';
import { type Ctx, reading } from '../../platform/context.ts';
import type { Queries } from '../../platform/db/database.ts';
import * as events from '../events/events.ts';
import type { SignedCheckpoint } from './checkpoint-rules.ts';
import * as store from './checkpoint-store.ts';
import { serverIdOf, shown } from './kept-checkpoints.ts';
import {
  consistencyRanges,
  EMPTY_ROOT,
  GrowingTree,
  inclusionRanges,
  joinPeaks,
  type LeafRange,
  leafHash,
  nodeHash,
  peaksOf,
  type TreeNode,
} from './merkle-rules.ts';

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
  const nodes = new NodeReader(reading(ctx), size);
  const proofs = new Map<number, readonly Buffer[]>();
  for (const seq of seqs) {
    const roots: Buffer[] = [];
    for (const range of inclusionRanges(seq - 1, size)) {
      const peaks: Uint8Array[] = [];
      for (const node of peaksOf(range)) peaks.push(await nodes.rootOf(node));
      roots.push(joinPeaks(peaks));
    }
    proofs.set(seq, roots);
  }
  return proofs;
}

const BLOCK = 2 ** STORED_LEVEL;

/** Remembers roots, and builds what is below the stored ones by whole blocks of events. */
class NodeReader {
  readonly #db: Queries;
  readonly #size: number;
  readonly #roots = new Map<string, Uint8Array>();
  /** By where a block begins: the roots of its perfect subtrees, by level and by place in the block. */
  readonly #blocks = new Map<number, readonly (readonly Uint8Array[])[]>();

  constructor(db: Queries, size: number) {
    this.#db = db;
    this.#size = size;
  }

  async rootOf(node: TreeNode): Promise<Uint8Array> {
    if (node.level < STORED_LEVEL) return this.#inBlock(node);
    const key = `${node.level} ${node.position}`;
    const root = this.#roots.get(key) ?? (await rootOf(this.#db, node));
    this.#roots.set(key, root);
    return root;
  }

  async #inBlock({ level, position }: TreeNode): Promise<Uint8Array> {
    const first = position * 2 ** level;
    const start = first - (first % BLOCK);
    const levels = this.#blocks.get(start) ?? (await this.#readBlock(start));
    const root = levels[level]?.[(first - start) / 2 ** level];
    if (root === undefined) throw new TypeError(`events of a block at ${start} are missing`);
    return root;
  }

  /** The incomplete one at the end is in every proof; of the others the one that the next proof is in. */
  async #readBlock(start: number): Promise<readonly (readonly Uint8Array[])[]> {
    const leaves: Buffer[] = [];
    const end = Math.min(start + BLOCK, this.#size);
    for await (const hash of events.listHashes(this.#db, start, end)) leaves.push(leafHash(hash));
    const levels = levelsOf(leaves);
    for (const known of this.#blocks.keys()) if (known + BLOCK <= this.#size) this.#blocks.delete(known);
    this.#blocks.set(start, levels);
    return levels;
  }
}

function levelsOf(leaves: readonly Uint8Array[]): readonly (readonly Uint8Array[])[] {
  const levels: Uint8Array[][] = [[...leaves]];
  for (let below = levels[0] ?? []; below.length > 1; ) {
    const above: Uint8Array[] = [];
    for (let at = 0; at + 1 < below.length; at += 2) above.push(nodeHash(below[at] ?? EMPTY_ROOT, below[at + 1] ?? EMPTY_ROOT));
    levels.push(above);
    below = above;
  }
  return levels;
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
