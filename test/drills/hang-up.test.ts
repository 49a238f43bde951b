/** Clients that leave in the middle of a download or an upload. */
import { readdirSync } from 'node:fs';
import { connect, type Socket } from 'node:net';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { createModel, downloadRoot, makeModelRun, native, noise, put, register, sha256 } from '../acceptance/logged-files.ts';
import { counts } from '../counts.ts';
import { call, download, mlflow, type RunningServer, startServer } from '../support/server.ts';
import { halfWritten, storedBlobs, temporaryFiles } from './blob-folder.ts';

const FILE_BYTES = 12 << 20;
const SETTLED_MS = 15_000;
const AT_ONCE = 10;
const canCountDescriptors = process.platform === 'linux';

describe(`${counts.hangUps} clients that leave`, { timeout: 300_000 }, () => {
  const bytes = noise(FILE_BYTES);
  let server: RunningServer;
  let plain: string;
  let sealed: string;

  beforeAll(async () => {
    server = await startServer();
    const run = await makeModelRun(server, { 'model.pkl': bytes });
    await createModel(server, 'left');
    await register(server, 'left', run);
    plain = `${run.root}/model/model.pkl`;
    sealed = `${await downloadRoot(server, 'left', 1)}/model.pkl`;
    await whole(plain);
  });
  afterAll(async () => {
    await server?.stop();
  });

  async function whole(path: string): Promise<void> {
    const answer = await download(server, path);
    expect(sha256(new Uint8Array(await answer.arrayBuffer()))).toBe(sha256(bytes));
  }

  function open(head: string): Socket {
    const { hostname, port } = new URL(server.url);
    const socket = connect(Number(port), hostname);
    socket.on('error', () => {});
    socket.write(`${head}\r\nHost: ${hostname}:${port}\r\n`);
    return socket;
  }

  /** Leaves after some bytes of the answer; without reading any where `read` is false. */
  function leaveDownload(path: string, read: boolean): Promise<void> {
    return new Promise((resolve) => {
      const socket = open(`GET /api/2.0/mlflow-artifacts/artifacts/${path} HTTP/1.1`);
      socket.write('\r\n');
      if (!read) socket.pause();
      else socket.once('data', () => socket.destroy());
      setTimeout(() => socket.destroy(), read ? 5000 : 100);
      socket.once('close', () => resolve());
    });
  }

  /** Leaves after a part of what it announced; `abrupt` is a reset, else its half is closed in good order. */
  function leaveUpload(path: string, abrupt: boolean): Promise<void> {
    return new Promise((resolve) => {
      const socket = open(`PUT /api/2.0/mlflow-artifacts/artifacts/${path} HTTP/1.1`);
      socket.write(`Content-Length: ${FILE_BYTES}\r\n\r\n`);
      socket.resume();
      socket.write(bytes.subarray(0, FILE_BYTES / 3), () => (abrupt ? socket.resetAndDestroy() : socket.end()));
      socket.once('close', () => resolve());
    });
  }

  function leaveJson(): Promise<void> {
    return new Promise((resolve) => {
      const socket = open('POST /api/2.0/mlflow/registered-models/create HTTP/1.1');
      socket.write('Content-Type: application/json\r\nContent-Length: 1000\r\n\r\n{"name":"half', () => socket.destroy());
      socket.once('close', () => resolve());
    });
  }

  const descriptors = (): number => readdirSync(`/proc/${server.pid}/fd`).length;

  test('cost nothing but their own requests: no descriptor, no temporary file, no half file, nobody else waits', async () => {
    const before = canCountDescriptors ? descriptors() : 0;
    const blobs = storedBlobs(server.dataDir);
    let isOver = false;
    const others = (async () => {
      let answered = 0;
      for (; !isOver; answered++) {
        expect((await mlflow(server, 'GET', 'model-versions/get?name=left&version=1')).model_version.status).toBe('READY');
        await put(server, `others/${answered % 5}.txt`, 'others go on');
      }
      return answered;
    })();
    for (let n = 0; n < counts.hangUps; n += AT_ONCE) {
      await Promise.all(
        Array.from({ length: AT_ONCE }, (_each, i) => {
          const ways = [
            () => leaveDownload(plain, true),
            () => leaveDownload(sealed, true),
            () => leaveDownload(i % 2 ? plain : sealed, false),
            () => leaveUpload(`left/${n + i}.bin`, true),
            () => leaveUpload(`left/${n + i}.bin`, false),
            leaveJson,
          ];
          return ways[(n + i) % ways.length]?.();
        }),
      );
    }
    isOver = true;
    expect(await others).toBeGreaterThan(0);

    await expect.poll(() => temporaryFiles(server.dataDir), { timeout: SETTLED_MS }).toEqual([]);
    // Connections of this process' own fetch are among them, so a few may come and go.
    if (canCountDescriptors) await expect.poll(descriptors, { timeout: SETTLED_MS }).toBeLessThanOrEqual(before + 4);
    expect((await call(server, 'GET', '/api/2.0/mlflow-artifacts/artifacts?path=left')).body).toEqual({});
    expect((await call(server, 'GET', '/api/2.0/mlflow/registered-models/search')).body.registered_models).toHaveLength(1);
    expect(storedBlobs(server.dataDir).length).toBe(blobs.length + 1);
    expect(halfWritten(server.dataDir)).toEqual([]);
    expect((await native(server, 'GET', 'models/left/versions/1')).damaged_at).toBeNull();
    await whole(plain);
    await whole(sealed);
    expect(server.log()).not.toMatch(/"level":(50|60|"error"|"fatal")/);
  });
});
