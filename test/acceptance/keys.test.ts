/** Keys as an operator looks after them: by the command, on a data folder and beside running servers. */
import { execFile } from 'node:child_process';
import { randomBytes } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeEach, expect, test } from 'vitest';
import { onBothDatabases } from '../support/databases.ts';
import { call, mlflow, type RunningServer, startServer, upload } from '../support/server.ts';

const COMMAND = resolve(import.meta.dirname, '../../packages/cli/dist/main.js');
const folder = mkdtempSync(join(tmpdir(), 'keys-'));
afterAll(() => rmSync(folder, { recursive: true, force: true }));

interface Ended {
  readonly code: number;
  readonly stdout: string;
  readonly stderr: string;
}

function run(args: readonly string[]): Promise<Ended> {
  return new Promise((done) => {
    const env = { PATH: process.env.PATH, HOME: process.env.HOME };
    execFile(process.execPath, ['--disable-warning=ExperimentalWarning', COMMAND, ...args], { env }, (error, stdout, stderr) => {
      done({ code: typeof error?.code === 'number' ? error.code : error ? 1 : 0, stdout, stderr });
    });
  });
}

const FILE = '0/encrypted/weights.bin';
const bytes = randomBytes(1_500_000);

onBothDatabases('keys', (databaseUrl) => {
  let dataDir: string;
  let url: string | undefined;
  const isShared = (): boolean => url !== undefined;
  const place = (): string[] => ['--data-dir', dataDir, ...(url === undefined ? [] : ['--database-url', url])];
  const start = (): Promise<RunningServer> =>
    startServer({ dataDir, databaseUrl: url, args: ['--webhook-allow-private-ips', '--blob-store', join(dataDir, 'blobs')] });
  const keys = (...args: string[]): Promise<Ended> => run(['keys', ...args, ...place(), '--blob-store', join(dataDir, 'blobs'), '--json']);
  const download = async (server: RunningServer): Promise<Buffer> =>
    Buffer.from(await (await fetch(`${server.url}/api/2.0/mlflow-artifacts/artifacts/${FILE}`)).arrayBuffer());

  beforeEach(async () => {
    dataDir = mkdtempSync(join(folder, 'data-'));
    url = await databaseUrl();
  });

  test('a rotation moves everything, and then the old key can be taken away', async () => {
    let server = await start();
    expect((await call(server, 'PATCH', '/api/v1/settings', { encrypt_artifacts: true })).status).toBe(200);
    expect((await upload(server, FILE, bytes)).status).toBe(200);
    const events = [{ entity: 'REGISTERED_MODEL', action: 'CREATED' }];
    const { webhook } = await mlflow(server, 'POST', 'webhooks', { name: 'w', url: 'https://127.0.0.1:1/', events, secret: 'a secret' });
    if (!isShared()) {
      expect((await keys('list')).code).toBe(5);
      await server.stop();
    }
    const keyFile = join(dataDir, 'master.key');
    const before = readFileSync(keyFile, 'utf8').trim();

    const rotated = await keys('rotate');
    expect(rotated).toMatchObject({ code: 0 });
    expect(JSON.parse(rotated.stdout)).toMatchObject({ new: true, secrets: 1, workspace_keys: 1, unreadable: 0 });
    const [newest = '', old = ''] = readFileSync(keyFile, 'utf8').split('\n');
    expect(old).toBe(before);
    for (const secret of [newest, old]) expect(rotated.stdout + rotated.stderr).not.toContain(secret);

    // Whoever runs beside it goes on, and seals under the new key.
    if (isShared()) {
      expect((await download(server)).equals(bytes)).toBe(true);
      await mlflow(server, 'PATCH', `webhooks/${webhook.webhook_id}`, { secret: 'another' });
    }
    const list = JSON.parse((await keys('list')).stdout);
    expect(list.master_keys).toMatchObject([
      { current: true, present: true, secrets: 1, workspace_keys: 1 },
      { current: false, present: true, secrets: 0, workspace_keys: 0 },
    ]);
    expect(list.workspace_keys).toMatchObject([{ workspace: 'default', current: true, blobs: 1 }]);

    if (isShared()) await server.stop();
    writeFileSync(keyFile, `${newest}\n`);
    server = await start();
    expect((await download(server)).equals(bytes)).toBe(true);
    const tested = await mlflow(server, 'POST', `webhooks/${webhook.webhook_id}/test`, {});
    expect(JSON.stringify(tested)).not.toContain('master key');
    await server.stop();
  });

  test('without its master key a server says so, and serves all that is not encrypted', async () => {
    let server = await start();
    expect((await upload(server, '0/clear.txt', Buffer.from('clear'))).status).toBe(200);
    await call(server, 'PATCH', '/api/v1/settings', { encrypt_artifacts: true });
    await upload(server, FILE, Buffer.from('encrypted'));
    await server.stop();
    writeFileSync(join(dataDir, 'master.key'), `${randomBytes(32).toString('base64')}\n`);
    server = await start();
    expect((await call(server, 'GET', '/api/2.0/mlflow-artifacts/artifacts/0/clear.txt')).body).toBe('clear');
    const refused = await call(server, 'GET', `/api/2.0/mlflow-artifacts/artifacts/${FILE}`);
    expect([refused.status, refused.body.error_code]).toEqual([400, 'INVALID_STATE']);
    expect(refused.body.message).toMatch(/master key [0-9a-f]{16} is not in/);
    await server.stop();
  });
});

test.each([
  [['keys', '--help'], 0, 'rotate'],
  [['keys', 'rotate', '--help'], 0, 'Examples:'],
  [['keys', 'list', '--help'], 0, 'Examples:'],
  [['keys', 'list', '--data-dir', 'absent'], 4, 'no database'],
])('%j exits with %i', async (args, code, text) => {
  const ended = await run(args);
  expect(ended.code).toBe(code);
  expect(ended.stdout + ended.stderr).toContain(text);
});
