/** A byte of a sealed file changes on the disk. */
import { closeSync, openSync, readSync, unlinkSync, writeSync } from 'node:fs';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { createModel, downloadRoot, downloadText, makeModelRun, native, noise, register, sha256 } from '../acceptance/logged-files.ts';
import { download, mlflow, type RunningServer, startServer } from '../support/server.ts';
import { storedBlobs } from './blob-folder.ts';

const CHUNK_BYTES = 1 << 20;
const large = noise(5 * CHUNK_BYTES + 17);
const FLIPPED_AT = 3 * CHUNK_BYTES + 5;

let server: RunningServer;

beforeAll(async () => {
  server = await startServer();
  await createModel(server, 'M');
  const files = { 'large.bin': large, 'small.txt': 'a small file', 'gone.txt': 'a file that vanishes' };
  await register(server, 'M', await makeModelRun(server, files));
  await register(server, 'M', await makeModelRun(server, { 'small.txt': 'another small file' }));
  for (const path of ['small.txt', 'gone.txt'])
    await register(server, 'M', await makeModelRun(server, { [path]: files[path as keyof typeof files] })); // one of its keys
});
afterAll(async () => {
  await server?.stop();
});

function storedAt(bytes: Uint8Array): string {
  const found = storedBlobs(server.dataDir).find(({ path }) => path.endsWith(sha256(bytes)));
  if (!found) throw new Error('the bytes are not stored');
  return found.path;
}

function flip(path: string, at: number): void {
  const file = openSync(path, 'r+');
  const byte = Buffer.alloc(1);
  readSync(file, byte, 0, 1, at);
  byte.writeUInt8(byte.readUInt8() ^ 1);
  writeSync(file, byte, 0, 1, at);
  closeSync(file);
}

async function damaged(): Promise<number[]> {
  const { versions } = await native(server, 'GET', 'models/M/versions');
  return versions
    .filter((each: { damaged_at: number | null }) => each.damaged_at !== null)
    .map((each: { version: number }) => each.version)
    .sort();
}

async function damageEvents(): Promise<number[]> {
  const { events } = await native(server, 'GET', 'models/M/events?order=oldest');
  return events
    .filter((each: { type: string }) => each.type === 'model-version.damaged')
    .map((each: { data: { number: number } }) => each.data.number);
}

/** Bytes that a client gets before its download breaks. */
async function brokenDownload(path: string): Promise<Uint8Array> {
  const answer = await download(server, path);
  expect(answer.status).toBe(200);
  const pieces: Uint8Array[] = [];
  const read = async (): Promise<void> => {
    for await (const piece of answer.body ?? []) pieces.push(piece);
  };
  await expect(read()).rejects.toThrow();
  return Buffer.concat(pieces);
}

test('the download is cut short before the wrong chunk, the version shows damaged, and it is told once', async () => {
  const root = await downloadRoot(server, 'M', 1);
  flip(storedAt(large), FLIPPED_AT);
  expect(await damaged()).toEqual([]);

  const got = await brokenDownload(`${root}/large.bin`);
  expect(got.length).toBeLessThanOrEqual(3 * CHUNK_BYTES);
  expect(Buffer.compare(got, large.subarray(0, got.length))).toBe(0);
  expect(await damaged()).toEqual([1]);
  await brokenDownload(`${root}/large.bin`);
  expect(await damageEvents()).toEqual([1]);

  const right = await download(server, `${root}/large.bin`, { range: `bytes=0-${CHUNK_BYTES - 1}` });
  expect(right.status).toBe(206);
  expect(sha256(new Uint8Array(await right.arrayBuffer()))).toBe(sha256(large.subarray(0, CHUNK_BYTES)));
  const wrong = await download(server, `${root}/large.bin`, { range: `bytes=${FLIPPED_AT - 2}-${FLIPPED_AT + 2}` });
  await expect(wrong.arrayBuffer()).rejects.toThrow();
});

test('other files of the version, and other versions, are read as before', async () => {
  expect(await downloadText(server, `${await downloadRoot(server, 'M', 1)}/small.txt`)).toBe('a small file');
  expect(await downloadText(server, `${await downloadRoot(server, 'M', 2)}/small.txt`)).toBe('another small file');
  expect(await damaged()).toEqual([1]);
});

test('small files, and files that are gone, are told of by the version through which they are read', async () => {
  flip(storedAt(Buffer.from('a small file')), 0);
  expect(await brokenDownload(`${await downloadRoot(server, 'M', 3)}/small.txt`)).toHaveLength(0);
  unlinkSync(storedAt(Buffer.from('a file that vanishes')));
  expect(await brokenDownload(`${await downloadRoot(server, 'M', 4)}/gone.txt`)).toHaveLength(0);
  expect(await damaged()).toEqual([1, 3, 4]);
  expect(await damageEvents()).toEqual([1, 3, 4]);
  expect(await native(server, 'GET', 'events/verification')).toMatchObject({ ok: true });
  expect((await mlflow(server, 'GET', 'model-versions/get?name=M&version=2')).model_version.status).toBe('READY');
});
