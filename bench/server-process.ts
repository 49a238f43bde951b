// Starting and stopping the measured servers, each on its own port and data folder.
import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { existsSync, mkdirSync, openSync, readFileSync, writeFileSync } from 'node:fs';
import { get } from 'node:http';
import { createServer } from 'node:net';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { treePids } from './process-tree.ts';
import { projectRoot } from './project-paths.ts';
import { ensurePythonEnvironment } from './python-environment.ts';

export type ServerKind = 'countersign' | 'bare' | 'mlflow-leanest' | 'mlflow-default' | 'mlflow-basic-auth';

export type RunningServer = {
  readonly kind: ServerKind;
  readonly port: number;
  readonly pid: number;
  /** From spawning the process to the first 200 of /health. */
  readonly startMs: number;
  readonly stop: () => Promise<void>;
};

type Launch = { readonly command: string; readonly args: readonly string[]; readonly environment: Readonly<Record<string, string>> };

const startLimitMs = 300_000;
const stopLimitMs = 15_000;
const logTailCharacters = 600;

function mlflowLaunch(port: number, dataDir: string, isLeanest: boolean): Launch {
  const database = `sqlite:///${join(dataDir, 'mlflow.db')}`;
  const args = ['server', '--host', '127.0.0.1', '--port', String(port), '--backend-store-uri', database];
  args.push('--artifacts-destination', join(dataDir, 'artifacts'));
  if (isLeanest) args.push('--workers', '1');
  const environment: Record<string, string> = { MLFLOW_DISABLE_TELEMETRY: 'true', DO_NOT_TRACK: 'true' };
  if (isLeanest) environment.MLFLOW_SERVER_ENABLE_JOB_EXECUTION = 'false';
  const programs = ensurePythonEnvironment();
  // mlflow starts its workers by name, so its own programs must come first on the path.
  environment.PATH = `${programs}:${process.env.PATH ?? ''}`;
  return { command: join(programs, 'mlflow'), args, environment };
}

function withBasicAuth({ command, args, environment }: Launch, dataDir: string): Launch {
  const settings = join(dataDir, 'basic_auth.ini');
  writeFileSync(
    settings,
    `[mlflow]\ndefault_permission = READ\ndatabase_uri = sqlite:///${join(dataDir, 'auth.db')}\nadmin_username = admin\n`,
  );
  return {
    command,
    args: [...args, '--app-name', 'basic-auth'],
    environment: {
      ...environment,
      MLFLOW_AUTH_CONFIG_PATH: settings,
      MLFLOW_AUTH_ADMIN_USERNAME: 'admin',
      MLFLOW_AUTH_ADMIN_PASSWORD: 'bench-password-0',
      MLFLOW_FLASK_SERVER_SECRET_KEY: 'only of this run',
    },
  };
}

function launchOf(kind: ServerKind, port: number, dataDir: string): Launch {
  switch (kind) {
    case 'countersign':
      return {
        command: 'sh',
        args: [countersignProgram, 'server', '--port', String(port), '--data-dir', dataDir],
        environment: {},
      };
    case 'bare':
      return { command: process.execPath, args: [join(projectRoot, 'bench/bare.ts'), String(port), dataDir], environment: {} };
    case 'mlflow-leanest':
      return mlflowLaunch(port, dataDir, true);
    case 'mlflow-default':
      return mlflowLaunch(port, dataDir, false);
    case 'mlflow-basic-auth':
      return withBasicAuth(mlflowLaunch(port, dataDir, true), dataDir);
  }
}

let countersignProgram = '';

/** Chooses what is started as Countersign and lets it build first, so that no build is timed. Throws with the reason when it can't be started. */
export function prepareProgram(kind: ServerKind, program: string): void {
  if (kind !== 'countersign') return;
  if (!existsSync(program)) throw new Error(`${program} does not exist`);
  countersignProgram = program;
  execFileSync('sh', [program, '--version'], { stdio: ['ignore', 'ignore', 'inherit'] });
}

/** One that nobody listens on. */
export function freePort(): Promise<number> {
  return new Promise((resolve, reject) => {
    const probe = createServer();
    probe.once('error', reject);
    probe.listen(0, '127.0.0.1', () => {
      const address = probe.address();
      const port = typeof address === 'object' && address !== null ? address.port : 0;
      probe.close(() => resolve(port));
    });
  });
}

function isHealthy(port: number): Promise<boolean> {
  return new Promise((resolve) => {
    const request = get({ host: '127.0.0.1', port, path: '/health', agent: false, timeout: 5_000 }, (response) => {
      response.resume();
      resolve(response.statusCode === 200);
    });
    request.once('timeout', () => request.destroy());
    request.once('error', () => resolve(false));
  });
}

function lastWords(logFile: string): string {
  return readFileSync(logFile, 'utf8').slice(-logTailCharacters).trim();
}

async function waitUntilHealthy(child: ChildProcess, port: number, logFile: string): Promise<void> {
  const deadline = performance.now() + startLimitMs;
  while (performance.now() < deadline) {
    if (await isHealthy(port)) return;
    if (child.exitCode !== null) throw new Error(`the server ended with code ${child.exitCode}: ${lastWords(logFile)}`);
    await sleep(5);
  }
  throw new Error(`no answer on /health within ${startLimitMs / 1000} s: ${lastWords(logFile)}`);
}

function signalAll(pids: readonly number[], signal: NodeJS.Signals): void {
  for (const pid of pids) {
    try {
      process.kill(pid, signal);
    } catch {
      // already gone
    }
  }
}

function isAlive(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

async function stopTree(rootPid: number): Promise<void> {
  const pids = treePids(rootPid); // taken first: orphans of a dead root can't be found afterwards
  signalAll(pids, 'SIGTERM');
  const deadline = performance.now() + stopLimitMs;
  while (performance.now() < deadline && pids.some(isAlive)) await sleep(50);
  signalAll(pids.filter(isAlive), 'SIGKILL');
}

const running = new Set<number>();
process.once('exit', () => {
  for (const pid of running) signalAll(treePids(pid), 'SIGKILL');
});
for (const signal of ['SIGINT', 'SIGTERM'] as const) process.once(signal, () => process.exit(130));

/** Starts a server and returns once it answers; its output goes to `<dataDir>.log`. Throws if it doesn't come up. */
export async function startServer(kind: ServerKind, dataDir: string, moreArgs: readonly string[] = []): Promise<RunningServer> {
  mkdirSync(dataDir, { recursive: true });
  const port = await freePort();
  const launched = launchOf(kind, port, dataDir);
  const launch = { ...launched, args: [...launched.args, ...moreArgs] };
  const logFile = `${dataDir}.log`;
  const log = openSync(logFile, 'a');
  const startedAt = performance.now();
  const child = spawn(launch.command, launch.args, { env: { ...process.env, ...launch.environment }, stdio: ['ignore', log, log] });
  const pid = child.pid;
  if (pid === undefined) throw new Error(`${launch.command} could not be started`);
  running.add(pid);
  const stop = async (): Promise<void> => {
    await stopTree(pid);
    running.delete(pid);
  };
  try {
    await waitUntilHealthy(child, port, logFile);
  } catch (error) {
    await stop();
    throw error;
  }
  return { kind, port, pid, startMs: performance.now() - startedAt, stop };
}
