/** The Merkle tree of RFC 6962 §2.1: grown leaf by leaf, its roots, and proofs of inclusion and consistency. Pure. */
import { hash } from 'node:crypto';

export const HASH_BYTES = 32;

/** MTH({}). */
export const EMPTY_ROOT = hash('sha256', '', 'buffer');

const leaf = Buffer.alloc(1 + HASH_BYTES);
const pair = Buffer.alloc(1 + 2 * HASH_BYTES, 1);

/** SHA-256(0x00 ‖ entry). Entries here are hashes of events, 32 bytes. */
export function leafHash(entry: Uint8Array): Buffer {
  leaf.set(entry, 1);
  return Buffer.from(hash('sha256', leaf, 'hex'), 'hex');
}

/** SHA-256(0x01 ‖ left ‖ right). */
export function nodeHash(left: Uint8Array, right: Uint8Array): Buffer {
  pair.set(left, 1);
  pair.set(right, 1 + HASH_BYTES);
  return Buffer.from(hash('sha256', pair, 'hex'), 'hex');
}

/** The root of the perfect subtree over leaves [position · 2^level, (position + 1) · 2^level). */
export interface TreeNode {
  readonly level: number;
  readonly position: number;
}

/** All that is needed of a tree to grow it: the roots of the perfect subtrees that it consists of, the largest first. */
export interface Frontier {
  readonly size: number;
  readonly peaks: readonly Uint8Array[];
}

export class GrowingTree {
  #size: number;
  readonly #peaks: Uint8Array[];

  constructor(from: Frontier = { size: 0, peaks: [] }) {
    if (from.peaks.length !== peaksOf({ start: 0, end: from.size }).length) throw new TypeError(`not the frontier of ${from.size} leaves`);
    this.#size = from.size;
    this.#peaks = [...from.peaks];
  }

  get size(): number {
    return this.#size;
  }

  get frontier(): Frontier {
    return { size: this.#size, peaks: [...this.#peaks] };
  }

  /** `onNode` hears of each perfect subtree that the entry completes, the leaf first. */
  append(entry: Uint8Array, onNode?: (node: TreeNode, hash: Buffer) => void): void {
    let node = leafHash(entry);
    let position = this.#size;
    for (let level = 0; ; level += 1) {
      onNode?.({ level, position }, node);
      if (position % 2 === 0) break;
      node = nodeHash(this.#peaks.pop() ?? EMPTY_ROOT, node);
      position = (position - 1) / 2;
    }
    this.#peaks.push(node);
    this.#size += 1;
  }

  root(): Buffer {
    return joinPeaks(this.#peaks);
  }
}

/** One after another, 32 bytes each. */
export function frontierBytes({ peaks }: Frontier): Buffer {
  return Buffer.concat(peaks);
}

/** Throws TypeError for bytes that are no frontier of that size. */
export function readFrontier(size: number, bytes: Uint8Array): Frontier {
  const count = peaksOf({ start: 0, end: size }).length;
  if (bytes.length !== count * HASH_BYTES) throw new TypeError(`not the frontier of ${size} leaves`);
  return { size, peaks: Array.from({ length: count }, (_none, at) => bytes.subarray(at * HASH_BYTES, (at + 1) * HASH_BYTES)) };
}

/** Leaves [start, end) that a tree is split into by halving, so that `start` is a multiple of what it is made of. */
export interface LeafRange {
  readonly start: number;
  readonly end: number;
}

/** Perfect subtrees, the largest first: the digits of the length in base two. */
export function peaksOf({ start, end }: LeafRange): TreeNode[] {
  const nodes: TreeNode[] = [];
  let at = start;
  for (let level = 52; level >= 0; level -= 1) {
    const width = 2 ** level;
    if (end - at < width) continue;
    nodes.push({ level, position: at / width });
    at += width;
  }
  return nodes;
}

/** MTH of what the subtrees are the peaks of. */
export function joinPeaks(peaks: readonly Uint8Array[]): Buffer {
  const last = peaks.at(-1);
  if (last === undefined) return Buffer.from(EMPTY_ROOT);
  return Buffer.from(peaks.slice(0, -1).reduceRight((right, left) => nodeHash(left, right), last));
}

/** The largest power of two below n, for n > 1. */
function splitOf(n: number): number {
  let k = 1;
  while (k * 2 < n) k *= 2;
  return k;
}

/** The subtrees whose roots are PATH(index, D[size]), in its order. */
export function inclusionRanges(index: number, size: number): LeafRange[] {
  const ranges: LeafRange[] = [];
  let [start, end] = [0, size];
  while (end - start > 1) {
    const middle = start + splitOf(end - start);
    if (index < middle) {
      ranges.push({ start: middle, end });
      end = middle;
    } else {
      ranges.push({ start, end: middle });
      start = middle;
    }
  }
  return ranges.reverse();
}

/** The subtrees whose roots are PROOF(older, D[newer]), in its order; none where the sizes are equal or the older tree is empty. */
export function consistencyRanges(older: number, newer: number): LeafRange[] {
  if (older === 0 || older === newer) return [];
  const ranges: LeafRange[] = [];
  let [start, end] = [0, newer];
  // D[start:end] is entirely in the older tree as soon as `older` is its end.
  while (older !== end) {
    const middle = start + splitOf(end - start);
    if (older <= middle) {
      ranges.push({ start: middle, end });
      end = middle;
    } else {
      ranges.push({ start, end: middle });
      start = middle;
    }
  }
  // Whoever verifies has the older root already where it is this subtree's.
  if (start > 0) ranges.push({ start, end });
  return ranges.reverse();
}

/** Whether the entry is the one at `index` (from 0) of the tree of that size and root (RFC 9162 §2.1.3.2). */
export function provesInclusion(
  entry: Uint8Array,
  index: number,
  tree: { readonly size: number; readonly root: Uint8Array },
  proof: readonly Uint8Array[],
): boolean {
  if (index >= tree.size) return false;
  let [at, last] = [index, tree.size - 1];
  let root = leafHash(entry);
  for (const each of proof) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      root = nodeHash(each, root);
      while (at % 2 === 0 && at !== 0) [at, last] = [half(at), half(last)];
    } else {
      root = nodeHash(root, each);
    }
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && root.equals(tree.root);
}

/** Whether the older tree is the beginning of the newer one (RFC 9162 §2.1.4.2). */
export function provesConsistency(
  older: { readonly size: number; readonly root: Uint8Array },
  newer: { readonly size: number; readonly root: Uint8Array },
  proof: readonly Uint8Array[],
): boolean {
  if (older.size > newer.size) return false;
  if (older.size === 0) return proof.length === 0 && EMPTY_ROOT.equals(older.root);
  if (older.size === newer.size) return proof.length === 0 && Buffer.from(older.root).equals(newer.root);
  let [at, last] = [older.size - 1, newer.size - 1];
  while (at % 2 === 1) [at, last] = [half(at), half(last)];
  const path = at === 0 ? [older.root, ...proof] : [...proof];
  const [first, ...rest] = path;
  if (first === undefined || proof.length === 0) return false;
  let [olderRoot, newerRoot]: Uint8Array[] = [first, first];
  for (const each of rest) {
    if (last === 0) return false;
    if (at % 2 === 1 || at === last) {
      olderRoot = nodeHash(each, olderRoot ?? each);
      newerRoot = nodeHash(each, newerRoot ?? each);
      while (at % 2 === 0 && at !== 0) [at, last] = [half(at), half(last)];
    } else {
      newerRoot = nodeHash(newerRoot ?? each, each);
    }
    [at, last] = [half(at), half(last)];
  }
  return last === 0 && Buffer.from(olderRoot ?? first).equals(older.root) && Buffer.from(newerRoot ?? first).equals(newer.root);
}

function half(n: number): number {
  return Math.floor(n / 2);
}
