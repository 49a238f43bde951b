import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterAll, describe, expect, it } from 'vitest';
import { type MasterKeys, openMasterKeys } from '../secrets/master-keys.ts';
import { open, seal } from '../secrets/sealing.ts';
import { blobStoreConformance } from './blob-store.conformance.ts';
import { type BlobName, CHUNK_BYTES } from './blob-store.ts';
import { SEALED_CHUNK_BYTES } from './chunk-cipher.ts';
import { DOMAIN_KEY_OWNER } from './domain-keys.ts';
import { EncryptedBlobStore } from './encrypted-blob-store.ts';
import { LocalBlobStore } from './local-blob-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'encrypted-blob-store-'));
afterAll(() => rmSync(folder, { recursive: true }));
let count = 0;

const keysOf = (file: string): MasterKeys =>
  openMasterKeys({ file: join(folder, file), fromEnvironment: undefined, command: undefined }, randomBytes);

function makeStore(): { store: EncryptedBlobStore; root: string } {
  const root = join(folder, String(++count));
  return { store: new EncryptedBlobStore(new LocalBlobStore(root), keysOf('master.key'), randomBytes), root };
}

blobStoreConformance('a store with keys, in clear,', async () => makeStore().store);
blobStoreConformance(
  'a store with keys, encrypted,',
  async () => makeStore().store,
  (store) => store.newDomainKey(),
);

const DOMAIN = 'workspace-1';
const { store, root } = makeStore();
const domainKey = store.newDomainKey();
const fileOf = (blob: BlobName): string => {
  const id = blob.encryption?.fileId ?? '';
  return join(root, DOMAIN, id.slice(0, 2), id);
};
async function put(bytes: Buffer): Promise<BlobName> {
  return { domain: DOMAIN, ...(await store.put(DOMAIN, Readable.from([bytes]), domainKey)) };
}

describe('encrypted bytes', () => {
  it('are not in the file, nor is their digest in its name, and equal ones are another file each time', async () => {
    const bytes = Buffer.from('the same words again and again '.repeat(1000));
    const [one, two] = [await put(bytes), await put(bytes)];
    expect(one.sha256).toBe(two.sha256);
    expect(fileOf(one)).not.toBe(fileOf(two));
    const stored = readFileSync(fileOf(one));
    expect(stored.includes('words')).toBe(false);
    expect(stored.subarray(0, bytes.length).equals(readFileSync(fileOf(two)).subarray(0, bytes.length))).toBe(false);
  });

  it('give any range', async () => {
    const bytes = randomBytes(3 * CHUNK_BYTES + 77);
    const blob = await put(bytes);
    const edges = [0, 1, CHUNK_BYTES - 1, CHUNK_BYTES, CHUNK_BYTES + 1, 2 * CHUNK_BYTES, bytes.length - 1];
    const positions = fc.oneof(fc.constantFrom(...edges), fc.nat({ max: bytes.length - 1 }));
    await fc.assert(
      fc.asyncProperty(positions, positions, async (a, b) => {
        const range = { start: Math.min(a, b), end: Math.max(a, b) };
        expect((await buffer(store.read(blob, range))).equals(bytes.subarray(range.start, range.end + 1))).toBe(true);
      }),
      { numRuns: 40 },
    );
  });

  it('that were cut, lengthened by another chunk, put in another order or exchanged with another blob are refused', async () => {
    const [blob, other] = [await put(randomBytes(3 * CHUNK_BYTES)), await put(randomBytes(3 * CHUNK_BYTES))];
    const [original, foreign] = [readFileSync(fileOf(blob)), readFileSync(fileOf(other))];
    const chunk = (file: Buffer, n: number): Buffer => file.subarray(n * SEALED_CHUNK_BYTES, (n + 1) * SEALED_CHUNK_BYTES);
    const order = fc.array(fc.nat({ max: 5 }), { minLength: 0, maxLength: 3 });
    await fc.assert(
      fc.asyncProperty(order, async (picked) => {
        fc.pre(picked.join() !== '0,1,2');
        writeFileSync(fileOf(blob), Buffer.concat(picked.map((n) => (n < 3 ? chunk(original, n) : chunk(foreign, n - 3)))));
        await expect(buffer(store.read(blob))).rejects.toThrow('changed or cut');
      }),
      { numRuns: 40 },
    );
    writeFileSync(fileOf(blob), original);
    // A shorter file whose row says so: its last chunk was not sealed as one.
    await expect(buffer(store.read({ ...blob, sizeBytes: 2 * CHUNK_BYTES }))).rejects.toThrow('changed or cut');
    writeFileSync(fileOf(blob), foreign);
    await expect(buffer(store.read(blob))).rejects.toThrow('changed or cut');
  });

  it('of nothing at all are as protected', async () => {
    const blob = await put(Buffer.alloc(0));
    expect(await store.readWhole(blob)).toEqual(Buffer.alloc(0));
    writeFileSync(fileOf(blob), '');
    await expect(store.readWhole(blob)).rejects.toThrow('changed or cut');
  });

  it('with any bit changed are refused, small or large', async () => {
    await fc.assert(
      fc.asyncProperty(fc.constantFrom(1, 1000, CHUNK_BYTES + 5), fc.nat(), async (size, where) => {
        const blob = await put(randomBytes(size));
        const stored = readFileSync(fileOf(blob));
        stored[where % stored.length] = (stored[where % stored.length] ?? 0) ^ 1;
        writeFileSync(fileOf(blob), stored);
        await expect(store.readWhole(blob)).rejects.toThrow('changed or cut');
        await expect(buffer(store.read(blob))).rejects.toThrow('changed or cut');
      }),
      { numRuns: 20 },
    );
  });

  it('open with the keys of their own blob, domain and master only', async () => {
    const [blob, other] = [await put(randomBytes(100)), await put(randomBytes(100))];
    if (!blob.encryption || !other.encryption) throw new Error('both are encrypted');
    const swapped = { ...blob, encryption: { ...blob.encryption, wrappedKey: other.encryption.wrappedKey } };
    await expect(store.readWhole(swapped)).rejects.toThrow('changed or cut');
    const foreignDomain = { ...blob, encryption: { ...blob.encryption, domainKey: store.newDomainKey() } };
    await expect(store.readWhole(foreignDomain)).rejects.toThrow('changed or cut');
    const stranger = new EncryptedBlobStore(new LocalBlobStore(root), keysOf('other.key'), randomBytes);
    await expect(stranger.readWhole(blob)).rejects.toThrow(/master key [0-9a-f]{16} is not in the file/);
  });

  it('are read after the master key was rotated, by who was there before and by who comes after', async () => {
    const blob = await put(randomBytes(100));
    const [old, current] = [keysOf('master.key').current(), await keysOf('master.key').add()];
    const plain = open(domainKey.wrapped, old, DOMAIN_KEY_OWNER) ?? Buffer.alloc(0);
    const wrapped = seal(plain, current, DOMAIN_KEY_OWNER, randomBytes);
    const after = new EncryptedBlobStore(new LocalBlobStore(root), keysOf('master.key'), randomBytes);
    const rewrapped = { ...blob, encryption: blob.encryption && { ...blob.encryption, domainKey: { ...domainKey, wrapped } } };
    const bytes = await store.readWhole(blob);
    expect((await after.readWhole(rewrapped)).equals(bytes)).toBe(true);
    expect((await store.readWhole(rewrapped)).equals(bytes)).toBe(true);
  });
});
