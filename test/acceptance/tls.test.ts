/** TLS as an operator meets it: the start and its refusals, a renewal under load, SIGHUP, the stop. A process, asked over https. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, renameSync, rmSync, writeFileSync } from 'node:fs';
import { Agent, request } from 'node:https';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { connect } from 'node:tls';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type CertificateAndKey, createCertificate } from '../support/self-signed-certificate.ts';

/** The sources, or what was built of them. */
const COMMAND = process.env.COUNTERSIGN_COMMAND ?? resolve(import.meta.dirname, '../../packages/cli/src/main.ts');
const READY_MS = 30_000;
const FLAGS = ['--tls-certificate', 'tls.crt', '--tls-key', 'tls.key'];

let folder: string;
let child: ChildProcess | undefined;
let log = '';

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-tls-'));
});
afterEach(async () => {
  if (child && child.exitCode === null && child.signalCode === null) {
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  }
  rmSync(folder, { recursive: true, force: true });
});

function start(flags: readonly string[] = FLAGS): ChildProcess {
  log = '';
  child = spawn(
    process.execPath,
    ['--disable-warning=ExperimentalWarning', COMMAND, 'server', '--port', '0', '--data-dir', 'data', ...flags],
    { cwd: folder, env: { PATH: process.env.PATH, HOME: folder }, stdio: ['ignore', 'ignore', 'pipe'] },
  );
  child.stderr?.on('data', (piece) => {
    log += piece;
  });
  return child;
}

async function serve(): Promise<{ port: number; process: ChildProcess }> {
  const started = start();
  await expect.poll(() => started.exitCode !== null || log.includes('"url"'), { timeout: READY_MS }).toBe(true);
  const [, port] = /"url":"https:\/\/127\.0\.0\.1:(\d+)"/.exec(log) ?? [];
  if (port === undefined) throw new Error(`the server did not start: ${log}`);
  return { port: Number(port), process: started };
}

/** The key first: for a moment the two don't belong together. */
function replace(pair: CertificateAndKey): void {
  for (const [name, text] of [['tls.key', pair.key] as const, ['tls.crt', pair.certificate] as const]) {
    writeFileSync(join(folder, `${name}.new`), text);
    renameSync(join(folder, `${name}.new`), join(folder, name));
  }
}

interface Answer {
  readonly status: number | undefined;
  // biome-ignore lint/suspicious/noExplicitAny: black-box tests look into whatever came back
  readonly body: any;
  readonly headers: NodeJS.Dict<string | string[]>;
}

/** One call as the clients of MLflow make it. */
function call(port: number, agent: Agent, method: string, path: string, body?: unknown): Promise<Answer> {
  return new Promise((resolve, reject) => {
    const headers = body === undefined ? {} : { 'content-type': 'application/json' };
    const asked = request({ host: 'localhost', port, method, path: `/api/2.0/mlflow/${path}`, headers, agent }, (answer) => {
      let text = '';
      answer.on('data', (piece) => {
        text += piece;
      });
      answer.on('end', () => resolve({ status: answer.statusCode, body: JSON.parse(text), headers: answer.headers }));
    });
    asked.on('error', reject);
    asked.end(body === undefined ? undefined : JSON.stringify(body));
  });
}

/** What a new connection meets, as PEM. */
async function shownCertificate(port: number): Promise<string> {
  const socket = connect({ host: 'localhost', port, rejectUnauthorized: false });
  await once(socket, 'secureConnect');
  const pem = socket.getPeerX509Certificate()?.toString().trim() ?? '';
  socket.destroy();
  return pem;
}

describe('TLS', { timeout: 60_000 }, () => {
  it('serves clients that trust the certificate, and says https in its log', async () => {
    const pair = createCertificate();
    replace(pair);
    const { port, process: server } = await serve();
    const agent = new Agent({ keepAlive: true, ca: pair.certificate });
    const created = await call(port, agent, 'POST', 'registered-models/create', { name: 'iris' });
    expect(created).toMatchObject({ status: 200, headers: { 'strict-transport-security': 'max-age=31536000' } });
    const found = await call(port, agent, 'GET', 'registered-models/get?name=iris');
    expect(found.body.registered_model.name).toBe('iris');
    const exited = once(server, 'exit');
    server.kill('SIGTERM');
    expect(await exited).toEqual([0, null]);
    agent.destroy();
  });

  it('does not start with what gives no TLS', async () => {
    const refusal = async (flags: readonly string[]): Promise<string> => {
      const [code] = await once(start(flags), 'close');
      expect(code).not.toBe(0);
      return log;
    };
    expect(await refusal(FLAGS)).toMatch(/can't be read \(ENOENT\)/);
    expect(await refusal(FLAGS.slice(0, 2))).toMatch(/alone gives no TLS/);
    replace({ certificate: createCertificate().certificate, key: createCertificate().key });
    expect(await refusal(FLAGS)).toMatch(/does not belong to the first certificate/);
  });

  it('warns of a certificate that is no longer valid', async () => {
    replace(createCertificate({ validFrom: new Date('2020-01-01T00:00:00Z'), validUntil: new Date('2021-01-01T00:00:00Z') }));
    await serve();
    expect(log).toContain('has not been valid since 2021-01-01');
  });

  it('renews the certificate while requests run, and none of them fails', async () => {
    const first = createCertificate();
    const second = createCertificate();
    replace(first);
    const { port, process: server } = await serve();
    const ca = [first.certificate, second.certificate];
    const kept = new Agent({ keepAlive: true, ca });
    let isOver = false;
    const busy = [kept, new Agent({ keepAlive: false, ca })].map(async (agent) => {
      let answered = 0;
      for (; !isOver; answered++) expect((await call(port, agent, 'POST', 'runs/search', { experiment_ids: ['0'] })).status).toBe(200);
      return answered;
    });
    expect(await shownCertificate(port)).toBe(first.certificate.trim());
    replace(second);
    await expect.poll(() => shownCertificate(port), { timeout: 20_000, interval: 200 }).toBe(second.certificate.trim());
    replace(first);
    server.kill('SIGHUP');
    await expect.poll(() => shownCertificate(port), { timeout: 3000 }).toBe(first.certificate.trim());
    isOver = true;
    for (const answered of await Promise.all(busy)) expect(answered).toBeGreaterThan(10);
    kept.destroy();
  });

  it('keeps the old certificate when the new one is broken, and says what to do', async () => {
    const pair = createCertificate();
    replace(pair);
    const { port, process: server } = await serve();
    writeFileSync(join(folder, 'tls.key'), createCertificate().key);
    server.kill('SIGHUP');
    await expect.poll(() => log).toContain('does not belong to the first certificate');
    expect(log).toContain('The server goes on with the certificate that is valid until');
    expect(await shownCertificate(port)).toBe(pair.certificate.trim());
    replace(pair);
    server.kill('SIGHUP');
    await expect.poll(() => log).toContain('the TLS files are the same as before');
    expect(server.exitCode).toBeNull();
  });
});
