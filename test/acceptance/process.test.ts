/** The server as an operator meets it: starts, refusals to start, settings, guards, the stop. A process each, asked over HTTP. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, request } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';

/** The sources, or what was built of them. */
const COMMAND = process.env.COUNTERSIGN_COMMAND ?? resolve(import.meta.dirname, '../../packages/cli/src/main.ts');
const READY_MS = 30_000;

let folder: string;
let children: ChildProcess[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-process-'));
});

afterEach(async () => {
  for (const child of children) {
    if (child.exitCode !== null || child.signalCode !== null) continue;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }
  children = [];
  rmSync(folder, { recursive: true, force: true });
});

interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

interface Running {
  readonly child: ChildProcess;
  readonly url: string;
  readonly port: number;
  log(): string;
}

function start(
  args: readonly string[],
  env: Record<string, string> = {},
): { child: ChildProcess; output: { stdout: string; stderr: string } } {
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', COMMAND, ...args], {
    cwd: folder,
    env: { PATH: process.env.PATH, HOME: folder, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  children.push(child);
  const output = { stdout: '', stderr: '' };
  child.stdout?.on('data', (piece) => {
    output.stdout += piece;
  });
  child.stderr?.on('data', (piece) => {
    output.stderr += piece;
  });
  return { child, output };
}

async function run(args: readonly string[], env: Record<string, string> = {}): Promise<Ended> {
  const { child, output } = start(args, env);
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...output };
}

/** Any free port, unless the arguments name one. */
async function serve(args: readonly string[] = [], env: Record<string, string> = {}): Promise<Running> {
  const { child, output } = start(['server', '--port', '0', '--data-dir', 'data', ...args], env);
  const until = Date.now() + READY_MS;
  for (;;) {
    const ready = /"url":"(http:\/\/[^"]+:(\d+)[^"]*)"/.exec(output.stderr);
    if (ready?.[1]) return { child, url: ready[1], port: Number(ready[2]), log: () => output.stderr };
    if (child.exitCode !== null || Date.now() > until) throw new Error(`the server did not start: ${output.stderr}`);
    await new Promise((resume) => setTimeout(resume, 20));
  }
}

interface Answer {
  readonly status: number;
  readonly headers: NodeJS.Dict<string | string[]>;
  readonly body: string;
}

/** With any headers, which fetch doesn't allow. */
function ask(server: Running, method: string, path: string, headers: Record<string, string> = {}, body = ''): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const length = body === '' ? {} : { 'content-length': String(Buffer.byteLength(body)) };
    const asked = request(
      { host: '127.0.0.1', port: server.port, method, path, headers: { ...headers, ...length }, agent: false },
      (response) => {
        let text = '';
        response.on('data', (piece) => {
          text += piece;
        });
        response.on('end', () => resolve({ status: response.statusCode ?? 0, headers: response.headers, body: text }));
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });
}

async function stop(server: Running, signal: NodeJS.Signals = 'SIGTERM'): Promise<number | null> {
  const exited = once(server.child, 'exit');
  server.child.kill(signal);
  const [code] = (await exited) as [number | null];
  return code;
}

describe('starting', { timeout: 60_000 }, () => {
  it('serves after it says so, and keeps what was written over a stop', async () => {
    const first = await serve();
    expect((await ask(first, 'GET', '/health')).body).toBe('OK');
    const created = await ask(
      first,
      'POST',
      '/api/2.0/mlflow/registered-models/create',
      { 'content-type': 'application/json' },
      '{"name":"M"}',
    );
    expect(created.status).toBe(200);
    expect(await stop(first)).toBe(0);
    const second = await serve();
    expect((await ask(second, 'GET', '/api/2.0/mlflow/registered-models/get?name=M')).status).toBe(200);
    expect(await stop(second, 'SIGINT')).toBe(0);
  });

  it('refuses a data folder that another process has, by its name; a kill leaves it free', async () => {
    const first = await serve();
    const second = await run(['server', '--port', '0', '--data-dir', 'data']);
    expect(second.code).toBe(5);
    expect(second.stderr).toContain(join(folder, 'data'));
    expect(second.stderr).toContain('in use by another Countersign process');
    await stop(first, 'SIGKILL');
    expect(await stop(await serve())).toBe(0);
  });

  it('refuses one database file for two data folders', async () => {
    await serve(['--database-url', 'sqlite:///shared.db']);
    const second = await run(['server', '--port', '0', '--data-dir', 'other', '--database-url', 'sqlite:///shared.db']);
    expect(second).toMatchObject({ code: 5, stderr: expect.stringContaining('in use') });
  });

  it('refuses the blob folder of another database, whose bytes it would free', async () => {
    expect(await stop(await serve(['--blob-store', 'blobs']))).toBe(0);
    const other = await run(['server', '--port', '0', '--data-dir', 'other', '--blob-store', 'blobs']);
    expect(other).toMatchObject({ code: 5, stderr: expect.stringContaining('belongs to another database') });
    expect(await stop(await serve(['--blob-store', 'blobs']))).toBe(0);
  });

  it('refuses a taken port with a sentence', async () => {
    const other = createServer().listen(0, '127.0.0.1');
    await once(other, 'listening');
    const { port } = other.address() as AddressInfo; // it listens on TCP
    const refused = await run(['server', '--port', String(port), '--data-dir', 'data']);
    other.close();
    expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining(`Port ${port} on 127.0.0.1 is taken`) });
  });

  it("refuses MLflow's database and leaves its bytes as they were", async () => {
    const file = join(folder, 'mlflow.db');
    const foreign = new DatabaseSync(file);
    foreign.exec('CREATE TABLE alembic_version (version_num TEXT)');
    foreign.close();
    const before = readFileSync(file);
    const refused = await run(['server', '--port', '0', '--data-dir', 'data', '--backend-store-uri', 'sqlite:///mlflow.db']);
    expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining('belongs to MLflow') });
    expect(readFileSync(file).equals(before)).toBe(true);
    expect(readdirSync(folder).filter((name) => name.startsWith('mlflow.db-'))).toEqual([]);
  });

  it('refuses a file that is no database', async () => {
    writeFileSync(join(folder, 'text.db'), 'This is not a database, whatever its name may say about it.'.repeat(50));
    const refused = await run(['server', '--port', '0', '--database-url', 'sqlite:///text.db']);
    expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining("can't be opened") });
  });

  it('refuses a PostgreSQL that is not there, without its password', async () => {
    const refused = await run(['server', '--port', '0', '--database-url', 'postgresql://me:secret@127.0.0.1:1/db']);
    expect(refused).toMatchObject({ code: 7, stderr: expect.stringContaining("postgresql://me@127.0.0.1:1/db can't be reached") });
    expect(refused.stderr).not.toContain('secret');
  });

  it("takes MLflow's flags and variables, and says which are ignored", async () => {
    const server = await serve(['--workers', '4', '--gunicorn-opts', '--timeout 60', '--expose-prometheus', './metrics'], {
      MLFLOW_SERVER_ALLOWED_HOSTS: 'registry.example',
      MLFLOW_DEFAULT_ARTIFACT_ROOT: './roots',
    });
    for (const flag of ['--workers', '--gunicorn-opts', '--expose-prometheus']) expect(server.log()).toContain(`${flag} is ignored: `);
    expect((await ask(server, 'GET', '/', { host: 'registry.example' })).status).toBe(200);
    expect((await ask(server, 'GET', '/', { host: '127.0.0.1' })).status).toBe(403);
    const experiment = await ask(server, 'GET', '/api/2.0/mlflow/experiments/get?experiment_id=0', { host: 'registry.example' });
    expect(JSON.parse(experiment.body).experiment.artifact_location).toBe(join(folder, 'roots/0'));
  });

  it('reads countersign.yaml, which variables and flags outweigh', async () => {
    writeFileSync(join(folder, 'countersign.yaml'), 'static-prefix: /file\nx-frame-options: DENY\nallowed-hosts: [a.example, b.example]\n');
    const server = await serve([], { COUNTERSIGN_STATIC_PREFIX: '/variable' });
    const answer = await ask(server, 'GET', '/variable/', { host: 'b.example' });
    expect(answer).toMatchObject({ status: 200, headers: { 'x-frame-options': 'DENY' } });
    expect((await ask(server, 'GET', '/file/', { host: 'b.example' })).status).toBe(404);
  });

  it('refuses to be reached from other machines, as long as there are no accounts', async () => {
    const refused = await run(['server', '--host', '0.0.0.0', '--data-dir', 'data']);
    expect(refused).toMatchObject({ code: 5, stderr: expect.stringContaining('no accounts yet') });
    expect(refused.stderr).toContain(`countersign user create NAME --admin --data-dir ${join(folder, 'data')}`);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('stopping', { timeout: 60_000 }, () => {
  it('lets a running upload end, and takes no new connection', async () => {
    const server = await serve();
    const upload = request({ host: '127.0.0.1', port: server.port, method: 'PUT', path: '/api/2.0/mlflow-artifacts/artifacts/0/a/b.bin' });
    const answered = once(upload, 'response');
    upload.write('the first half, ');
    await ask(server, 'GET', '/health');
    const exited = once(server.child, 'exit');
    server.child.kill('SIGTERM');
    await expect.poll(() => server.log()).toContain('stopping (SIGTERM)');
    await expect(ask(server, 'GET', '/health')).rejects.toThrow();
    upload.end('the second half');
    const [response] = await answered;
    expect(response.statusCode).toBe(200);
    expect(response.headers.connection).toBe('close');
    response.resume();
    expect((await exited)[0]).toBe(0);
    const again = await serve();
    expect((await ask(again, 'GET', '/api/2.0/mlflow-artifacts/artifacts/0/a/b.bin')).body).toBe('the first half, the second half');
  });

  it('ends at once at the second signal', async () => {
    const server = await serve();
    const upload = request({ host: '127.0.0.1', port: server.port, method: 'PUT', path: '/api/2.0/mlflow-artifacts/artifacts/0/a/c.bin' });
    upload.on('error', () => {});
    upload.write('never finished');
    await ask(server, 'GET', '/health');
    server.child.kill('SIGTERM');
    await expect.poll(() => server.log()).toContain('stopping (SIGTERM)');
    expect(await stop(server)).toBe(1);
  });
});

describe('a running server', { timeout: 60_000 }, () => {
  it('guards Host, Origin and proxies, and answers unknown paths with sentences', async () => {
    const server = await serve(['--cors-allowed-origins', 'https://app.example']);
    const create = (headers: Record<string, string>): Promise<Answer> =>
      ask(server, 'POST', '/api/2.0/mlflow/experiments/search', { 'content-type': 'application/json', ...headers }, '{"max_results":1}');

    expect(await ask(server, 'GET', '/', { host: 'evil.example' })).toMatchObject({
      status: 403,
      body: 'Invalid Host header - possible DNS rebinding attack detected',
    });
    expect((await ask(server, 'GET', '/', { host: '10.evil.example' })).status).toBe(403);
    expect((await ask(server, 'GET', '/health', { host: 'evil.example' })).status).toBe(200);
    expect((await ask(server, 'GET', '/', { host: '192.168.1.7:5000' })).status).toBe(200);

    expect(await create({ origin: 'https://evil.example' })).toMatchObject({ status: 403, body: 'Cross-origin request blocked' });
    expect((await create({ origin: 'http://localhost:3000' })).headers['access-control-allow-origin']).toBe('http://localhost:3000');
    expect((await create({ origin: 'https://app.example' })).status).toBe(200);
    expect((await create({})).headers['access-control-allow-origin']).toBeUndefined();
    const preflight = await ask(server, 'OPTIONS', '/api/2.0/mlflow/experiments/search', {
      origin: 'https://app.example',
      'access-control-request-method': 'POST',
      'access-control-request-headers': 'content-type',
    });
    expect(preflight).toMatchObject({ status: 204, body: '', headers: { 'access-control-allow-headers': 'content-type' } });

    for (const name of ['via', 'forwarded', 'x-forwarded-for', 'x-forwarded-anything']) {
      const refused = await create({ [name]: '1.1 proxy' });
      expect(refused.status).toBe(403);
      expect(JSON.parse(refused.body)).toMatchObject({ error_code: 'PERMISSION_DENIED', message: expect.stringContaining(`'${name}'`) });
    }

    const traces = await ask(server, 'POST', '/api/3.0/mlflow/traces/search', {}, '{}');
    expect(traces.status).toBe(404);
    expect(JSON.parse(traces.body)).toMatchObject({ error_code: 'ENDPOINT_NOT_FOUND', message: expect.stringContaining('out of scope') });
    expect(await ask(server, 'GET', '/api/2.0/mlflow/experiments/create')).toMatchObject({ status: 405, headers: { allow: 'POST' } });
    expect((await ask(server, 'GET', '/api/2.0/mlflow/experiments/get?experiment_id=0', { 'x-mlflow-workspace': 'team' })).status).toBe(
      404,
    );
    expect((await ask(server, 'GET', '/health', { 'x-request-id': 'abc-1' })).headers['x-request-id']).toBe('abc-1');
    expect((await ask(server, 'GET', '/health', { 'x-request-id': 'a b' })).headers['x-request-id']).not.toBe('a b');
  });

  it('counts requests by route, and logs them when debugging, without their queries', async () => {
    const server = await serve(['--log-level', 'debug']);
    await ask(server, 'GET', '/api/2.0/mlflow/experiments/get?experiment_id=0&token=hidden');
    await ask(server, 'GET', '/nowhere/1');
    await ask(server, 'GET', '/nowhere/2');
    const { body } = await ask(server, 'GET', '/metrics');
    expect(body).toContain('countersign_http_requests_total{method="GET",route="/api/2.0/mlflow/experiments/get",status="2xx"} 1');
    expect(body).toContain('countersign_http_requests_total{method="other",route="unmatched",status="4xx"} 2');
    expect(body).toMatch(/countersign_http_request_duration_seconds_bucket\{.*le="\+Inf"\} 1/);
    const line = server
      .log()
      .split('\n')
      .find((each) => each.includes('experiments/get'));
    expect(JSON.parse(line ?? '{}')).toMatchObject({ msg: 'request', status: 200, path: '/api/2.0/mlflow/experiments/get' });
    expect(server.log()).not.toContain('hidden');
  });

  it('serves files only, or all but files, as asked', async () => {
    const files = await serve(['--artifacts-only']);
    expect((await ask(files, 'GET', '/api/2.0/mlflow-artifacts/artifacts?path=')).status).toBe(200);
    expect(await ask(files, 'GET', '/api/2.0/mlflow/experiments/get?experiment_id=0')).toMatchObject({
      status: 404,
      body: expect.stringContaining('--artifacts-only'),
    });
    expect(await stop(files)).toBe(0);
    const rest = await serve(['--no-serve-artifacts']);
    expect((await ask(rest, 'GET', '/api/2.0/mlflow-artifacts/artifacts?path=')).status).toBe(404);
    expect((await ask(rest, 'GET', '/api/2.0/mlflow/experiments/get?experiment_id=0')).status).toBe(200);
  });
});

describe('commands', { timeout: 60_000 }, () => {
  it('purges a deleted model after the name was said twice, with and without a running server', async () => {
    const server = await serve();
    const json = { 'content-type': 'application/json' };
    for (const name of ['A', 'B']) {
      await ask(server, 'POST', '/api/2.0/mlflow/registered-models/create', json, JSON.stringify({ name }));
      await ask(server, 'DELETE', '/api/2.0/mlflow/registered-models/delete', json, JSON.stringify({ name }));
    }
    expect(await run(['model', 'purge', 'A', '--data-dir', 'data', '--confirm', 'A'])).toMatchObject({
      code: 5,
      stderr: expect.stringContaining('--server'),
    });
    expect(await run(['model', 'purge', 'A', '--server', server.url, '--confirm', 'B'])).toMatchObject({ code: 2 });
    expect(await run(['model', 'purge', 'A', '--server', server.url, '--confirm', 'A', '--json'])).toMatchObject({
      code: 0,
      stdout: expect.stringMatching(/^\{"purged":\{"id":\d+,"name":"A"\}\}\n$/),
    });
    await stop(server);
    expect(await run(['model', 'purge', 'B', '--data-dir', 'data'])).toMatchObject({
      code: 2,
      stderr: expect.stringContaining("--confirm 'B'"),
    });
    expect(await run(['model', 'purge', 'B', '--data-dir', 'data', '--confirm', 'B'])).toMatchObject({ code: 0 });
    expect(await run(['model', 'purge', 'B', '--data-dir', 'data', '--confirm', 'B'])).toMatchObject({ code: 4 });
  });

  it('frees the bytes of a deleted file', async () => {
    const server = await serve();
    await ask(server, 'PUT', '/api/2.0/mlflow-artifacts/artifacts/0/a/b.bin', {}, 'some bytes');
    await ask(server, 'DELETE', '/api/2.0/mlflow-artifacts/artifacts/0/a/b.bin');
    await stop(server);
    const freed = await run(['gc', '--data-dir', 'data', '--grace-hours', '0', '--json']);
    expect(freed.code).toBe(0);
    expect(JSON.parse(freed.stdout)).toMatchObject({ marked: 1, removed: 1 });
  });

  it('upgrades the database, once', async () => {
    expect(await run(['db', 'upgrade', '--data-dir', 'data'])).toMatchObject({ code: 0, stdout: expect.stringContaining('Migrated: ') });
    expect(await run(['db', 'upgrade', '--data-dir', 'data'])).toMatchObject({ code: 0, stdout: 'The database is up to date.\n' });
  });

  it.each([
    [['--help'], 0, 'Commands:'],
    [['server', '--help'], 0, '--data-dir'],
    [['server', '-h'], 0, '--data-dir'],
    [['db', 'upgrade', '--help'], 0, 'Examples:'],
    [['model', 'purge', '--help'], 0, 'Examples:'],
    [['gc', '--help'], 0, 'Examples:'],
    [['--version'], 0, 'countersign '],
    [['serve'], 2, "Did you mean 'countersign server'?"],
    [['purge', 'model', 'X'], 2, "Did you mean 'countersign model purge'?"],
    [['server', '--prot', '1'], 2, 'Did you mean --port?'],
    [['server', '--port', 'x'], 2, '--port must be a whole number'],
    [['server', '--app-name', 'basic-auth'], 5, 'demands accounts'],
    [['server', '--app-name', 'other'], 2, 'must be basic-auth'],
    [['server', '--backend-store-uri', './mlruns'], 2, 'names a folder'],
    [['server', '--artifacts-destination', 's3://bucket'], 2, 'not there yet'],
    [['model', 'purge', 'A', '--server', 'http://127.0.0.1:1', '--confirm', 'A'], 7, 'No server answers'],
    [['gc', '--data-dir', 'absent'], 4, 'no database'],
  ])('%j exits with %i', async (args, code, text) => {
    const ended = await run(args);
    expect(ended.code).toBe(code);
    expect(ended.stdout + ended.stderr).toContain(text);
    expect(ended.stdout + ended.stderr).not.toContain('    at ');
    expect(readdirSync(folder)).toEqual([]);
  });
});
