import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, renameSync, rmSync, utimesSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, expect, test } from 'vitest';
import { blobStoreConformance } from './blob-store.conformance.ts';
import { LocalBlobStore } from './local-blob-store.ts';

const folder = mkdtempSync(join(tmpdir(), 'local-blob-store-'));
afterAll(() => rmSync(folder, { recursive: true }));
let count = 0;
const newRoot = (): string => join(folder, String(++count));

blobStoreConformance('a local folder', async () => new LocalBlobStore(newRoot()));

test('a sweep removes what a crash left, and nothing young', async () => {
  const root = newRoot();
  const store = new LocalBlobStore(root);
  mkdirSync(join(root, 'tmp'), { recursive: true });
  writeFileSync(join(root, 'tmp', 'upload.old'), 'half');
  writeFileSync(join(root, 'tmp', 'upload.young'), 'half');
  utimesSync(join(root, 'tmp', 'upload.old'), 1, 1);
  expect(await store.sweep(60_000)).toBe(1);
  expect(readdirSync(join(root, 'tmp'))).toEqual(['upload.young']);
});

test('a blob that a crash left aside in the middle of a removal comes back', async () => {
  const root = newRoot();
  const store = new LocalBlobStore(root);
  const blob = { domain: 'server', ...(await store.put('server', Readable.from([randomBytes(10)]))) };
  renameSync(join(root, 'server', blob.sha256.slice(0, 2), blob.sha256), join(root, 'tmp', `removed.server.${blob.sha256}`));
  expect(await store.has(blob)).toBe(false);
  expect(await store.sweep(-1000)).toBe(1);
  expect(await store.has(blob)).toBe(true);
});

test('a blob whose file was cut is written anew by the next upload of its bytes', async () => {
  const root = newRoot();
  const store = new LocalBlobStore(root);
  const bytes = randomBytes(1000);
  const blob = { domain: 'server', ...(await store.put('server', Readable.from([bytes]))) };
  writeFileSync(join(root, 'server', blob.sha256.slice(0, 2), blob.sha256), 'cut');
  await store.put('server', Readable.from([bytes]));
  expect((await store.readWhole(blob)).equals(bytes)).toBe(true);
});

test('a blob whose bytes were found changed is written anew by the next upload of them, small or large', async () => {
  for (const size of [1000, (1 << 20) + 1]) {
    const root = newRoot();
    const store = new LocalBlobStore(root);
    const bytes = randomBytes(size);
    const blob = { domain: 'server', ...(await store.put('server', Readable.from([bytes]))) };
    const file = join(root, 'server', blob.sha256.slice(0, 2), blob.sha256);
    writeFileSync(file, randomBytes(size));
    await store.distrust(blob);
    await store.put('server', Readable.from([bytes]));
    expect(readFileSync(file).equals(bytes)).toBe(true);
    await store.distrust({ ...blob, sha256: '0'.repeat(64) });
  }
});
