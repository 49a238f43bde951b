import { createHash } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { counts } from '../../../../../test/counts.ts';
import {
  consistencyRanges,
  EMPTY_ROOT,
  frontierBytes,
  GrowingTree,
  inclusionRanges,
  joinPeaks,
  type LeafRange,
  peaksOf,
  provesConsistency,
  provesInclusion,
  readFrontier,
  type TreeNode,
} from './merkle-rules.ts';

function sha256(...parts: (Uint8Array | string)[]): Buffer {
  const digest = createHash('sha256');
  for (const part of parts) digest.update(part);
  return digest.digest();
}

const ZERO = Buffer.of(0);
const ONE = Buffer.of(1);

function split(n: number): number {
  return 2 ** Math.ceil(Math.log2(n) - 1);
}

/** RFC 6962 §2.1, word for word. */
function naiveRoot(entries: readonly Buffer[]): Buffer {
  if (entries.length === 0) return sha256('');
  if (entries.length === 1) return sha256(ZERO, entries[0] ?? ZERO);
  const k = split(entries.length);
  return sha256(ONE, naiveRoot(entries.slice(0, k)), naiveRoot(entries.slice(k)));
}

/** §2.1.1. */
function naivePath(m: number, entries: readonly Buffer[]): Buffer[] {
  if (entries.length === 1) return [];
  const k = split(entries.length);
  return m < k
    ? [...naivePath(m, entries.slice(0, k)), naiveRoot(entries.slice(k))]
    : [...naivePath(m - k, entries.slice(k)), naiveRoot(entries.slice(0, k))];
}

/** §2.1.2. */
function naiveSubproof(m: number, entries: readonly Buffer[], isWhole: boolean): Buffer[] {
  if (m === entries.length) return isWhole ? [] : [naiveRoot(entries)];
  const k = split(entries.length);
  return m <= k
    ? [...naiveSubproof(m, entries.slice(0, k), isWhole), naiveRoot(entries.slice(k))]
    : [...naiveSubproof(m - k, entries.slice(k), false), naiveRoot(entries.slice(0, k))];
}

function entriesOf(size: number, salt = ''): Buffer[] {
  return Array.from({ length: size }, (_none, at) => sha256(`${salt}${at}`));
}

interface Grown {
  readonly tree: GrowingTree;
  rootOf(range: LeafRange): Buffer;
}

function grow(entries: readonly Buffer[]): Grown {
  const tree = new GrowingTree();
  const nodes = new Map<string, Buffer>();
  const key = ({ level, position }: TreeNode): string => `${level} ${position}`;
  for (const entry of entries) tree.append(entry, (node, hash) => nodes.set(key(node), hash));
  return { tree, rootOf: (range) => joinPeaks(peaksOf(range).map((node) => nodes.get(key(node)) ?? ZERO)) };
}

const size = fc.integer({ min: 1, max: 130 });

describe('the Merkle tree', () => {
  it('has the root of RFC 6962, also when it is grown on from a frontier', () => {
    expect(new GrowingTree().root().equals(EMPTY_ROOT)).toBe(true);
    fc.assert(
      fc.property(fc.nat(130), fc.nat(130), (before, more) => {
        const entries = entriesOf(before + more);
        const first = new GrowingTree();
        for (const entry of entries.slice(0, before)) first.append(entry);
        const second = new GrowingTree(readFrontier(before, frontierBytes(first.frontier)));
        for (const entry of entries.slice(before)) second.append(entry);
        return second.size === entries.length && second.root().equals(naiveRoot(entries));
      }),
      { numRuns: counts.propertyRuns },
    );
  });

  it('proves what is in it by the path of RFC 6962, and nothing else', () => {
    fc.assert(
      fc.property(size, fc.nat(), fc.nat(), (n, which, other) => {
        const index = which % n;
        const entries = entriesOf(n);
        const { tree, rootOf } = grow(entries);
        const proof = inclusionRanges(index, n).map(rootOf);
        expect(proof).toEqual(naivePath(index, entries));
        const at = { size: n, root: tree.root() };
        const entry = entries[index] ?? ZERO;
        expect(provesInclusion(entry, index, at, proof)).toBe(true);
        expect(provesInclusion(sha256('other'), index, at, proof)).toBe(false);
        if (other % n !== index) expect(provesInclusion(entry, other % n, at, proof)).toBe(false);
        expect(provesInclusion(entry, index, { size: n, root: sha256('root') }, proof)).toBe(false);
        expect(provesInclusion(entry, index, at, [...proof, sha256('more')])).toBe(false);
        if (proof.length > 0) expect(provesInclusion(entry, index, at, proof.slice(1))).toBe(false);
      }),
      { numRuns: counts.propertyRuns },
    );
  });

  it('proves that it goes on from an older one by the proof of RFC 6962, and no other', () => {
    fc.assert(
      fc.property(size, fc.nat(), (n, which) => {
        const m = 1 + (which % n);
        const entries = entriesOf(n);
        const { tree, rootOf } = grow(entries);
        const proof = consistencyRanges(m, n).map(rootOf);
        expect(proof).toEqual(naiveSubproof(m, entries, true));
        const older = { size: m, root: naiveRoot(entries.slice(0, m)) };
        const newer = { size: n, root: tree.root() };
        expect(provesConsistency(older, newer, proof)).toBe(true);
        const forged = { size: m, root: naiveRoot(entriesOf(m, 'forged')) };
        expect(provesConsistency(forged, newer, proof)).toBe(false);
        expect(provesConsistency(older, { size: n, root: sha256('root') }, proof)).toBe(false);
        expect(provesConsistency(older, newer, [...proof, sha256('more')])).toBe(false);
        if (proof.length > 0) expect(provesConsistency(older, newer, proof.slice(1))).toBe(false);
        expect(provesConsistency(newer, older, proof)).toBe(m === n);
      }),
      { numRuns: counts.propertyRuns },
    );
  });

  it('an empty tree is the beginning of every other', () => {
    expect(provesConsistency({ size: 0, root: EMPTY_ROOT }, { size: 3, root: naiveRoot(entriesOf(3)) }, [])).toBe(true);
    expect(provesConsistency({ size: 0, root: sha256('root') }, { size: 3, root: naiveRoot(entriesOf(3)) }, [])).toBe(false);
  });

  it('takes no frontier of another size', () => {
    expect(() => readFrontier(3, Buffer.alloc(32))).toThrow(TypeError);
    expect(() => new GrowingTree({ size: 3, peaks: [Buffer.alloc(32)] })).toThrow(TypeError);
  });
});
