/** Starts the product as users do: its command, as a process, asked over HTTP. */
import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

const COMMAND = resolve(import.meta.dirname, '../../packages/cli/dist/main.js');
const READY_MS = 60_000;

export interface RunningServer {
  readonly url: string;
  readonly dataDir: string;
  readonly pid: number;
  log(): string;
  /** SIGTERM, and its exit code. */
  stop(): Promise<number | null>;
  kill9(): Promise<void>;
}

export interface ServerOptions {
  readonly args?: readonly string[];
  readonly env?: Readonly<Record<string, string>>;
  /** Kept by the caller; a temporary one, removed at `stop`, where it is left out. */
  readonly dataDir?: string;
  readonly databaseUrl?: string | undefined;
}

export async function startServer(options: ServerOptions = {}): Promise<RunningServer> {
  const dataDir = options.dataDir ?? mkdtempSync(join(tmpdir(), 'countersign-test-'));
  const args = [
    'server',
    '--port',
    '0',
    '--data-dir',
    dataDir,
    ...(options.databaseUrl ? ['--database-url', options.databaseUrl] : []),
    ...(options.args ?? []),
  ];
  const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', COMMAND, ...args], {
    env: { PATH: process.env.PATH, HOME: process.env.HOME, ...options.env },
    stdio: ['ignore', 'ignore', 'pipe'],
  });
  let log = '';
  child.stderr?.on('data', (piece) => {
    log += piece;
  });
  const url = await waitUntilReady(child, () => log);
  const end = async (signal: NodeJS.Signals): Promise<number | null> => {
    if (child.exitCode === null && child.signalCode === null) {
      const exited = once(child, 'exit');
      child.kill(signal);
      await exited;
    }
    if (options.dataDir === undefined && signal === 'SIGTERM') rmSync(dataDir, { recursive: true, force: true });
    return child.exitCode;
  };
  return { url, dataDir, pid: child.pid ?? 0, log: () => log, stop: () => end('SIGTERM'), kill9: async () => void (await end('SIGKILL')) };
}

async function waitUntilReady(child: ChildProcess, log: () => string): Promise<string> {
  const until = Date.now() + READY_MS;
  for (;;) {
    const ready = /"url":"(http:\/\/[^"]+)"/.exec(log());
    if (ready?.[1]) return ready[1].replace(/\/$/, '');
    if (child.exitCode !== null || Date.now() > until) throw new Error(`the server did not start: ${log()}`);
    await new Promise((resume) => setTimeout(resume, 10));
  }
}

export interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: black-box tests look into whatever came back
  readonly body: any;
  readonly headers: Headers;
}

export interface Address {
  readonly url: string;
  /** Of whoever asks, where there are accounts. */
  readonly token?: string | undefined;
}

function authorization({ token }: Address): Readonly<Record<string, string>> {
  return token === undefined ? {} : { authorization: `Bearer ${token}` };
}

/** One call; the body is read as JSON where it is. */
export async function call(server: Address, method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(`${server.url}${path}`, {
    method,
    headers: { ...authorization(server), ...(body === undefined ? {} : { 'content-type': 'application/json' }) },
    ...(body === undefined ? {} : { body: JSON.stringify(body) }),
  });
  const text = await response.text();
  let parsed: unknown = text;
  try {
    parsed = text === '' ? undefined : JSON.parse(text);
  } catch {
    // Plain text.
  }
  return { status: response.status, body: parsed, headers: response.headers };
}

/** A call of MLflow's API; throws unless the answer is 200. */
// biome-ignore lint/suspicious/noExplicitAny: black-box tests look into whatever came back
export async function mlflow(server: Address, method: string, path: string, body?: unknown): Promise<any> {
  const answer = await call(server, method, `/api/2.0/mlflow/${path}`, body);
  if (answer.status !== 200) throw new Error(`${method} ${path} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  return answer.body;
}

const ARTIFACTS = '/api/2.0/mlflow-artifacts/artifacts';

export async function upload(server: Address, path: string, bytes: Uint8Array<ArrayBuffer>): Promise<Response> {
  return fetch(`${server.url}${ARTIFACTS}/${path}`, { method: 'PUT', body: bytes, headers: authorization(server) });
}

export async function download(server: Address, path: string, headers: Readonly<Record<string, string>> = {}): Promise<Response> {
  return fetch(`${server.url}${ARTIFACTS}/${path}`, { headers: { ...authorization(server), ...headers } });
}
