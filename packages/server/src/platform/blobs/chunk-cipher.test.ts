import { createSecretKey, randomBytes } from 'node:crypto';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { CHUNK_BYTES } from './blob-store.ts';
import { type ChunkPlace, lastChunkOf, openChunk, openChunkInto, sealChunk, sealedSizeOf } from './chunk-cipher.ts';

const place = fc.record({
  fileId: fc.uint8Array({ minLength: 16, maxLength: 16 }).map((bytes) => Buffer.from(bytes).toString('hex')),
  number: fc.nat({ max: 0xffff_ffff }),
  isLast: fc.boolean(),
});
const plain = fc.uint8Array({ maxLength: 200 });
const key = fc.uint8Array({ minLength: 32, maxLength: 32 }).map((bytes) => createSecretKey(bytes));
const isSame = (a: ChunkPlace, b: ChunkPlace): boolean => a.fileId === b.fileId && a.number === b.number && a.isLast === b.isLast;

describe('an encrypted chunk', () => {
  it('opens in its place, and in no other', () => {
    fc.assert(
      fc.property(key, place, place, plain, (k, sealedAt, openedAt, bytes) => {
        const sealed = Buffer.concat(sealChunk(k, sealedAt, bytes));
        expect(openChunk(k, sealedAt, sealed)?.equals(bytes)).toBe(true);
        for (const other of [openedAt, { ...sealedAt, isLast: !sealedAt.isLast }, { ...sealedAt, number: (sealedAt.number ^ 1) >>> 0 }])
          if (!isSame(sealedAt, other)) expect(openChunk(k, other, sealed)).toBeUndefined();
      }),
    );
  });

  it('opens under its key alone, and with no bit changed or missing', () => {
    fc.assert(
      fc.property(key, key, place, plain, fc.nat(), fc.nat({ max: 7 }), (k, otherKey, at, bytes, where, bit) => {
        const sealed = Buffer.concat(sealChunk(k, at, bytes));
        if (!k.equals(otherKey)) expect(openChunk(otherKey, at, sealed)).toBeUndefined();
        const changed = Buffer.from(sealed);
        const i = where % changed.length;
        changed[i] = (changed[i] ?? 0) ^ (1 << bit);
        expect(openChunk(k, at, changed)).toBeUndefined();
        expect(openChunk(k, at, sealed.subarray(0, i))).toBeUndefined();
        const into = Buffer.alloc(200);
        expect(openChunkInto(k, at, changed, into)).toBeUndefined();
        expect(openChunkInto(k, at, sealed, into)).toBe(bytes.length);
        expect(into.subarray(0, bytes.length).equals(bytes)).toBe(true);
      }),
    );
  });

  it('is as long as the file says', () => {
    expect([0, 1, CHUNK_BYTES, CHUNK_BYTES + 1, 5 * CHUNK_BYTES].map(lastChunkOf)).toEqual([0, 0, 0, 1, 4]);
    expect([0, 1, CHUNK_BYTES, CHUNK_BYTES + 1].map(sealedSizeOf)).toEqual([16, 17, CHUNK_BYTES + 16, CHUNK_BYTES + 33]);
    expect(
      Buffer.concat(sealChunk(createSecretKey(randomBytes(32)), { fileId: '00', number: 0, isLast: true }, randomBytes(100))).length,
    ).toBe(116);
  });
});
