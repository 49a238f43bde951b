/** What every adapter of the blob port must do; each adapter's test runs it over a store of its own. */
import { createHash, hash, randomBytes } from 'node:crypto';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { describe, expect, test } from 'vitest';
import { type BlobName, type BlobStore, CHUNK_BYTES, type DomainKey } from './blob-store.ts';

const DOMAIN = 'server';
/** An hour ahead: whatever was put is older than that. */
const ALL_OLDER = (): number => Date.now() + 3_600_000;

function pieces(bytes: Buffer, size: number): Readable {
  const parts: Buffer[] = [];
  for (let i = 0; i < bytes.length; i += size) parts.push(bytes.subarray(i, i + size));
  return Readable.from(parts);
}

/** `keyOf` answers what to encrypt under. */
export function blobStoreConformance(
  name: string,
  make: () => Promise<BlobStore>,
  keyOf: (store: BlobStore) => DomainKey | undefined = () => undefined,
): void {
  describe(`${name} as a blob store`, () => {
    const sizes = [0, 1, 65_536, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 3 * CHUNK_BYTES, 3 * CHUNK_BYTES + 77];
    test.each(sizes)('%i bytes come back as they were, with their digests', async (size) => {
      const store = await make();
      const bytes = randomBytes(size);
      const stored = await store.put(DOMAIN, pieces(bytes, 60_001), keyOf(store));
      expect(stored.sha256).toBe(hash('sha256', bytes));
      expect(stored.sizeBytes).toBe(size);
      const digests: Buffer[] = [];
      for (let i = 0; i < size; i += CHUNK_BYTES)
        digests.push(
          createHash('sha256')
            .update(bytes.subarray(i, i + CHUNK_BYTES))
            .digest(),
        );
      expect(Buffer.from(stored.chunkDigests).equals(Buffer.concat(digests))).toBe(true);
      const blob = { domain: DOMAIN, ...stored };
      expect((await store.readWhole(blob)).equals(bytes)).toBe(true);
      if (size > 0) expect((await buffer(store.read(blob))).equals(bytes)).toBe(true);
    });

    test('a range gives its bytes, both ends included', async () => {
      const store = await make();
      const bytes = randomBytes(2 * CHUNK_BYTES);
      const blob = { domain: DOMAIN, ...(await store.put(DOMAIN, Readable.from([bytes]), keyOf(store))) };
      const part = await buffer(store.read(blob, { start: CHUNK_BYTES - 5, end: CHUNK_BYTES + 5 }));
      expect(part.equals(bytes.subarray(CHUNK_BYTES - 5, CHUNK_BYTES + 6))).toBe(true);
    });

    test('equal bytes put at once in clear are one blob in each domain', async () => {
      const store = await make();
      const bytes = randomBytes(CHUNK_BYTES + 9);
      const all = await Promise.all([1, 2, 3, 4].map(() => store.put(DOMAIN, pieces(bytes, 9999))));
      await store.put('other', pieces(bytes, 9999));
      expect(new Set(all.map((one) => one.sha256)).size).toBe(1);
      expect((await listAll(store, DOMAIN)).length).toBe(1);
      expect((await listAll(store, 'other')).length).toBe(1);
    });

    test.each([1000, 2 * CHUNK_BYTES])('a source that fails after %i bytes leaves nothing', async (size) => {
      const store = await make();
      async function* cut(): AsyncGenerator<Buffer> {
        yield randomBytes(size);
        throw new Error('aborted');
      }
      await expect(store.put(DOMAIN, Readable.from(cut()), keyOf(store))).rejects.toMatchObject({ code: 'INVALID_PARAMETER_VALUE' });
      expect(await listAll(store, DOMAIN)).toEqual([]);
      expect(await store.sweep(-1000)).toBe(0);
    });

    test('a blob is removed once it is older, and not before', async () => {
      const store = await make();
      const blob = { domain: DOMAIN, ...(await store.put(DOMAIN, Readable.from([randomBytes(100)]), keyOf(store))) };
      expect(await store.remove(blob, Date.now() - 60_000)).toBe(false);
      expect(await store.has(blob)).toBe(true);
      expect(await store.remove(blob, ALL_OLDER())).toBe(true);
      expect([await store.has(blob), await listAll(store, DOMAIN)]).toEqual([false, []]);
    });

    test('a blob that was found changed is not relied on', async () => {
      const store = await make();
      const blob = { domain: DOMAIN, ...(await store.put(DOMAIN, Readable.from([randomBytes(100)]), keyOf(store))) };
      await store.distrust(blob);
      expect(await store.has(blob)).toBe(false);
    });

    test('what is absent fails to read, and is gone already for remove', async () => {
      const store = await make();
      const blob: BlobName = { domain: DOMAIN, sha256: hash('sha256', 'nothing'), sizeBytes: 7 };
      await expect(store.readWhole(blob)).rejects.toThrow();
      await expect(buffer(store.read(blob))).rejects.toThrow();
      expect(await store.has(blob)).toBe(false);
      expect(await store.remove(blob, ALL_OLDER())).toBe(true);
    });

    test('a blob in clear that was put again since is not removed, an older one is', async () => {
      const store = await make();
      const bytes = randomBytes(100);
      const blob = { domain: DOMAIN, ...(await store.put(DOMAIN, Readable.from([bytes]))) };
      const between = Date.now();
      await new Promise((resume) => setTimeout(resume, 20));
      await store.put(DOMAIN, Readable.from([bytes]));
      expect(await store.remove(blob, between)).toBe(false);
      expect(await store.has(blob)).toBe(true);
      expect(await store.remove(blob, ALL_OLDER())).toBe(true);
      expect(await store.has(blob)).toBe(false);
    });
  });
}

async function listAll(store: BlobStore, domain: string): Promise<string[]> {
  const found: string[] = [];
  let cursor: string | undefined;
  do {
    const page = await store.list(domain, cursor);
    found.push(...page.blobs.map((blob) => blob.sha256));
    cursor = page.next;
  } while (cursor !== undefined);
  return found;
}
