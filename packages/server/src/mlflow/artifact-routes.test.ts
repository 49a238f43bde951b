import { randomBytes } from 'node:crypto';
import { mkdirSync, mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { type AddressInfo, connect } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { notFound } from '@countersign/contract/problem.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openContext, openGate } from '../../../../test/support/context.ts';
import * as artifacts from '../features/artifacts/artifacts.ts';
import { FileRoots } from '../platform/blobs/file-roots.ts';
import { LocalBlobStore } from '../platform/blobs/local-blob-store.ts';
import type { Ctx } from '../platform/context.ts';
import { createHttpServer } from '../platform/http/server.ts';
import { artifactRoutes } from './artifact-routes.ts';

const folder = mkdtempSync(join(tmpdir(), 'artifact-routes-'));
const blobFolder = join(folder, 'blobs');
const damages: string[] = [];
const uris: Record<string, string> = {
  run: 'mlflow-artifacts:/1/run/artifacts',
  local: `file://${folder}/outside/run`,
  secret: 'file:///etc',
  cloud: 's3://bucket/run',
};
let ctx: Ctx;
let base: string;
let port: number;
let sealedId = 0;
let close: () => void;

const uriOf = async (_ctx: Ctx, id: string): Promise<string> => {
  const uri = uris[id];
  if (uri === undefined) throw notFound(`Run with id=${id} not found`);
  return uri;
};

beforeAll(async () => {
  ctx = await openContext({ blobs: new LocalBlobStore(blobFolder) });
  mkdirSync(join(folder, 'outside', 'run', 'dir'), { recursive: true });
  writeFileSync(join(folder, 'outside', 'run', 'dir', 'a.txt'), 'outside');
  const routes = artifactRoutes(
    openGate(() => ctx),
    {
      getRunArtifactUri: uriOf,
      getLoggedModelArtifactUri: uriOf,
      findSealedTree: async (_ctx, versionId) => (versionId === 7 ? { treeId: sealedId } : undefined),
      getDownloadLocation: async () => 'mlflow-artifacts:/model-versions/7',
      reportDamage: async (_ctx, versionId, path) => {
        damages.push(`${versionId}/${path}`);
      },
      fileRoots: new FileRoots([join(folder, 'outside')]),
    },
  );
  const server = createHttpServer({
    routes,
    guards: [],
    fallback: () => ({ status: 404, body: '{}' }),
    onError: (error) => expect.fail(String(error)),
  });
  await new Promise<void>((resume) => server.listen(0, '127.0.0.1', resume));
  port = (server.address() as AddressInfo).port; // a TCP server's
  base = `http://127.0.0.1:${port}`;
  close = () => server.close().closeAllConnections();
});
afterAll(() => {
  close();
  rmSync(folder, { recursive: true });
}, 60_000);

const PROXY = '/api/2.0/mlflow-artifacts/artifacts';
const put = (path: string, body: string | Buffer<ArrayBuffer>): Promise<Response> =>
  fetch(`${base}${PROXY}/${path}`, { method: 'PUT', body });
const get = (path: string, headers: Record<string, string> = {}): Promise<Response> => fetch(base + path, { headers });

/** A request whose path no client library touches. */
function raw(text: string | Buffer, end = false): Promise<string> {
  return new Promise((resolve, reject) => {
    const socket = connect(port, '127.0.0.1');
    let answer = '';
    socket.on('data', (piece) => {
      answer += piece.toString('latin1');
    });
    socket.on('close', () => resolve(answer)).on('error', reject);
    socket.write(text);
    if (end) socket.end();
  });
}

describe('the proxy', () => {
  test.each([0, 5, 65_536, 3_000_000])('%i bytes put come back, under both prefixes', async (size) => {
    const body = randomBytes(size);
    const stored = await put(`1/run/artifacts/dir/${size}.bin`, body);
    expect([stored.status, await stored.text()]).toEqual([200, '']);
    for (const prefix of ['/api', '/ajax-api']) {
      const answer = await get(`${prefix}/2.0/mlflow-artifacts/artifacts/1/run/artifacts/dir/${size}.bin`);
      expect(answer.status).toBe(200);
      expect(answer.headers.get('content-length')).toBe(String(size));
      expect(Buffer.from(await answer.arrayBuffer()).equals(body)).toBe(true);
    }
  });

  test('an unread file is asked for again by its ETag and sent in parts', async () => {
    await put('2/a.txt', 'hello world');
    const path = `${PROXY}/2/a.txt`;
    const first = await get(path);
    const etag = first.headers.get('etag') ?? '';
    await first.text();
    expect((await get(path, { 'if-none-match': etag })).status).toBe(304);
    const part = await get(path, { range: 'bytes=6-' });
    expect([part.status, part.headers.get('content-range'), await part.text()]).toEqual([206, 'bytes 6-10/11', 'world']);
    const behind = await get(path, { range: 'bytes=11-' });
    expect([behind.status, behind.headers.get('content-range')]).toEqual([416, 'bytes */11']);
    await behind.text();
    const head = await fetch(base + path, { method: 'HEAD' });
    expect([head.status, head.headers.get('content-length'), await head.text()]).toEqual([200, '11', '']);
  });

  test('a page that was uploaded never runs in a browser', async () => {
    await put('3/page.html', '<script>1</script>');
    const answer = await get(`${PROXY}/3/page.html`);
    expect(answer.headers.get('content-type')).toBe('text/plain');
    expect(answer.headers.get('x-content-type-options')).toBe('nosniff');
    expect(answer.headers.get('content-security-policy')).toContain('sandbox');
    expect(answer.headers.get('content-disposition')).toBe('attachment; filename=page.html');
    await answer.text();
  });

  test('listing gives names of one level, sizes only where there are bytes', async () => {
    await put('4/b/c.txt', 'x');
    await put('4/empty', '');
    await put('4/a', 'xy');
    const list = async (path: string): Promise<unknown> => (await get(`${PROXY}?path=${path}`)).json();
    expect(await list('4')).toEqual({
      files: [
        { path: 'a', is_dir: false, file_size: 2 },
        { path: 'b', is_dir: true },
        { path: 'empty', is_dir: false },
      ],
    });
    expect(await list('4/b')).toEqual({ files: [{ path: 'c.txt', is_dir: false, file_size: 1 }] });
    expect(await list('4/a')).toEqual({});
    expect(await list('4/none')).toEqual({});
    const root = (await list('')) as { files: { path: string }[] };
    expect(root.files.map((file) => file.path)).toContain('4');
  });

  test('what is absent is 404, a directory 400, and deleting is idempotent', async () => {
    await put('5/d/f', 'x');
    expect(await (await get(`${PROXY}/5/none`)).json()).toMatchObject({
      error_code: 'RESOURCE_DOES_NOT_EXIST',
      message: "No such artifact: '5/none'",
    });
    expect((await get(`${PROXY}/5/d`)).status).toBe(400);
    for (let i = 0; i < 2; i++) {
      const deleted = await fetch(`${base}${PROXY}/5/d`, { method: 'DELETE' });
      expect([deleted.status, await deleted.json()]).toEqual([200, {}]);
    }
    expect((await get(`${PROXY}/5/d/f`)).status).toBe(404);
  });

  test.each(['../x', '%2e%2e/x', '%252e%252e%252fx', '/etc/passwd', 'a%5Cb', 'a%23b', 'a%00b', 'file:///x', 'C:/x', 'a/../../x'])(
    '%s is refused by every method, without an effect',
    async (path) => {
      for (const method of ['PUT', 'GET', 'DELETE']) {
        const answer = await raw(`${method} ${PROXY}/${path} HTTP/1.1\r\nHost: x\r\nContent-Length: 2\r\nConnection: close\r\n\r\nhi`);
        expect(answer).toMatch(/^HTTP\/1.1 400 /);
        expect(answer).toContain('Invalid path');
      }
      const list = await raw(`GET ${PROXY}?path=${path} HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n`);
      expect(list).toMatch(/^HTTP\/1.1 400 /);
    },
  );

  test('a large upload that is refused is told so, not cut off', async () => {
    await put('6/file', 'x');
    const answer = await put('6/file/below', randomBytes(5_000_000));
    expect(answer.status).toBe(400);
    expect(await answer.json()).toMatchObject({ error_code: 'INVALID_PARAMETER_VALUE' });
  });

  test('an upload that is cut off stores nothing', async () => {
    const body = Buffer.concat([
      Buffer.from(`PUT ${PROXY}/7/cut HTTP/1.1\r\nHost: x\r\nContent-Length: 5000000\r\n\r\n`),
      randomBytes(2_500_000),
    ]);
    await raw(body, true);
    expect((await get(`${PROXY}/7/cut`)).status).toBe(404);
    await expect.poll(() => readdirSync(join(blobFolder, 'tmp'))).toEqual([]);
  });

  test.each([
    ['POST', 'mpu/create/a', 'Multipart upload is not supported for the current artifact repository'],
    ['POST', 'mpu/complete/a', 'Multipart upload is not supported for the current artifact repository'],
    ['POST', 'mpu/abort/a', 'Multipart upload is not supported for the current artifact repository'],
    ['GET', 'presigned/a', 'Multipart download is not supported for the current artifact repository'],
  ])('%s %s is 501 with the words that clients know', async (method, path, message) => {
    const body = method === 'POST' ? { body: '{"path":"a"}', headers: { 'content-type': 'application/json' } } : {};
    const answer = await fetch(`${base}/api/2.0/mlflow-artifacts/${path}`, { method, ...body });
    expect([answer.status, await answer.json()]).toEqual([501, { error_code: 'NOT_IMPLEMENTED', message }]);
  });
});

describe("a run's files", () => {
  test('are listed with paths from the run, read, and uploaded from the browser', async () => {
    await put('1/run/artifacts/m/MLmodel', 'flavors');
    const list = await (await get('/api/2.0/mlflow/artifacts/list?run_id=run&path=m')).json();
    expect(list).toEqual({ root_uri: uris.run, files: [{ path: 'm/MLmodel', is_dir: false, file_size: 7 }] });
    expect(await (await get('/get-artifact?run_uuid=run&path=m/MLmodel')).text()).toBe('flavors');
    const upload = await fetch(`${base}/ajax-api/2.0/mlflow/upload-artifact?run_uuid=run&path=up/a.txt`, { method: 'POST', body: 'hi' });
    expect([upload.status, await upload.text()]).toEqual([200, '']);
    expect(await (await get('/get-artifact?run_id=run&path=up/a.txt')).text()).toBe('hi');
    expect(await (await get('/ajax-api/2.0/mlflow/logged-models/run/artifacts/files?artifact_file_path=m/MLmodel')).text()).toBe('flavors');
    expect(await (await get('/ajax-api/2.0/mlflow/logged-models/run/artifacts/directories?artifact_directory_path=m')).json()).toEqual(
      list,
    );
  });

  test('in a folder that the operator named are read there, others are refused', async () => {
    const list = await (await get('/api/2.0/mlflow/artifacts/list?run_id=local&path=dir')).json();
    expect(list).toMatchObject({ files: [{ path: 'dir/a.txt', is_dir: false, file_size: 7 }] });
    expect(await (await get('/get-artifact?run_id=local&path=dir/a.txt')).text()).toBe('outside');
    const upload = await fetch(`${base}/ajax-api/2.0/mlflow/upload-artifact?run_uuid=local&path=up/b.txt`, { method: 'POST', body: 'hi' });
    expect(upload.status).toBe(200);
    expect(readFileSync(join(folder, 'outside', 'run', 'up', 'b.txt'), 'utf8')).toBe('hi');
    for (const id of ['secret', 'cloud']) {
      const refused = await fetch(`${base}/ajax-api/2.0/mlflow/upload-artifact?run_uuid=${id}&path=b.txt`, { method: 'POST', body: 'hi' });
      expect(refused.status).toBe(400);
      expect((await get(`/get-artifact?run_id=${id}&path=passwd`)).status).toBe(400);
      expect((await get(`/api/2.0/mlflow/artifacts/list?run_id=${id}`)).status).toBe(400);
    }
  });

  test('are asked for with a path and an existing run', async () => {
    expect((await get('/get-artifact?run_id=run')).status).toBe(400);
    expect((await get('/get-artifact?path=x')).status).toBe(400);
    expect((await get('/get-artifact?run_id=none&path=x')).status).toBe(404);
    expect((await get('/api/2.0/mlflow/artifacts/list?run_id=run&path=../x')).status).toBe(400);
    for (const [query, message] of [
      ['', 'Request must specify run_uuid.'],
      ['?run_uuid=run', 'Request must specify path.'],
      ['?run_uuid=run&path=../x', 'Invalid path'],
      ['?run_uuid=run&path=x', 'Request must specify data.'],
    ]) {
      const answer = await fetch(`${base}/ajax-api/2.0/mlflow/upload-artifact${query}`, { method: 'POST' });
      expect(answer.status).toBe(400);
      expect(((await answer.json()) as { message: string }).message).toContain(message);
    }
    const large = await fetch(`${base}/ajax-api/2.0/mlflow/upload-artifact?run_uuid=run&path=x`, {
      method: 'POST',
      body: Buffer.alloc(10 * 2 ** 20 + 1),
    });
    expect(await large.json()).toMatchObject({
      error_code: 'INVALID_PARAMETER_VALUE',
      message: 'Artifact size is too large. Max size is 10MB.',
    });
  });

  test.each(['upload', 'download'])('have no presigned %s behind the proxy', async (what) => {
    const answer = await fetch(`${base}/api/2.0/mlflow/artifacts/presigned-${what}-url`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: '{"run_id":"run","path":"a"}',
    });
    expect([answer.status, await answer.json()]).toMatchObject([400, { error_code: 'INVALID_PARAMETER_VALUE' }]);
  });
});

describe('a sealed version', () => {
  beforeAll(async () => {
    await put('8/m/MLmodel', 'sealed');
    await put('8/m/data/w.bin', Buffer.alloc(2_500_000, 3));
    const tree = await ctx.db.write((tx) => artifacts.sealTree({ ...ctx, tx }, '8/m'));
    sealedId = tree?.id ?? 0;
    await put('8/m/MLmodel', 'changed');
  });

  test('is listed and read as it was sealed', async () => {
    expect(await (await get(`${PROXY}?path=model-versions/7`)).json()).toEqual({
      files: [
        { path: 'MLmodel', is_dir: false, file_size: 6 },
        { path: 'data', is_dir: true },
      ],
    });
    expect(await (await get(`${PROXY}?path=model-versions/7/data`)).json()).toEqual({
      files: [{ path: 'w.bin', is_dir: false, file_size: 2_500_000 }],
    });
    expect(await (await get(`${PROXY}/model-versions/7/MLmodel`)).text()).toBe('sealed');
    expect(await (await get('/model-versions/get-artifact?name=M&version=1&path=MLmodel')).text()).toBe('sealed');
    expect((await (await get(`${PROXY}/model-versions/7/data/w.bin`)).arrayBuffer()).byteLength).toBe(2_500_000);
    expect((await get(`${PROXY}/model-versions/8/MLmodel`)).status).toBe(404);
    expect((await get(`${PROXY}/model-versions/7/data`)).status).toBe(400);
  });

  test('takes no write and no delete', async () => {
    expect((await put('model-versions/7/MLmodel', 'x')).status).toBe(400);
    expect((await put('model-versions/x', 'x')).status).toBe(400);
    for (const path of ['model-versions', 'model-versions/7', 'model-versions/7/MLmodel']) {
      expect((await fetch(`${base}${PROXY}/${path}`, { method: 'DELETE' })).status).toBe(400);
    }
  });

  test('with damaged bytes is cut short, and told', async () => {
    for (const path of ['MLmodel', 'data/w.bin']) {
      const answer = await fetch(`${base}${PROXY}/model-versions/7/${path}`, { method: 'HEAD' });
      const sha256 = (answer.headers.get('etag') ?? '').replaceAll('"', '');
      const stored = join(blobFolder, 'server', sha256.slice(0, 2), sha256);
      const bytes = readFileSync(stored);
      bytes.writeUInt8(bytes.readUInt8(bytes.length - 1) ^ 1, bytes.length - 1);
      writeFileSync(stored, bytes);
      const damaged = await get(`${PROXY}/model-versions/7/${path}`);
      expect(damaged.status).toBe(200);
      await expect(damaged.arrayBuffer()).rejects.toThrow();
    }
    expect(damages).toEqual(['7/MLmodel', '7/data/w.bin']);
  });
});
