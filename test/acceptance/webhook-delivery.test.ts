import { mkdtempSync, rmSync } from 'node:fs';
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { AS_LOCAL } from '@countersign/server/features/access/access.ts';
import { openChain } from '@countersign/server/features/events/events.ts';
import * as models from '@countersign/server/features/models/models.ts';
import * as webhooks from '@countersign/server/features/webhooks/webhooks.ts';
import { migrations } from '@countersign/server/migrations/migrations.ts';
import { LocalBlobStore } from '@countersign/server/platform/blobs/local-blob-store.ts';
import { type Ctx, systemClock } from '@countersign/server/platform/context.ts';
import { migrate } from '@countersign/server/platform/db/migrate.ts';
import { PostgresDatabase } from '@countersign/server/platform/db/postgres.ts';
import { createSearches, SEARCH_TIMEOUT_MS } from '@countersign/server/platform/db/search-runner.ts';
import { afterEach, beforeEach, expect, test, vi } from 'vitest';
import { secretBox } from '../support/master-keys.ts';
import { startPostgres } from '../support/postgres.ts';
import { mlflow, startServer } from '../support/server.ts';

let folder: string;
let receiver: Server;
let url: string;
let calls: { id: string; name: string }[];
let status: number;

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'webhook-delivery-'));
  [calls, status] = [[], 200];
  receiver = createServer(async (req, res) => {
    const pieces: Buffer[] = [];
    for await (const piece of req) pieces.push(piece as Buffer);
    calls.push({ id: String(req.headers['x-mlflow-delivery-id']), name: JSON.parse(Buffer.concat(pieces).toString()).data.name });
    res.writeHead(status).end();
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/`;
});

afterEach(() => {
  receiver.closeAllConnections();
  receiver.close();
  rmSync(folder, { recursive: true, force: true });
});

const EVENTS = [{ entity: 'REGISTERED_MODEL', action: 'CREATED' }];
const ENV = { MLFLOW_WEBHOOK_ALLOWED_SCHEMES: 'http', MLFLOW_WEBHOOK_ALLOW_PRIVATE_IPS: 'true', MLFLOW_WEBHOOK_REQUEST_MAX_RETRIES: '20' };
const wait = { timeout: 20_000, interval: 20 };

/** Each name once, in the order in which it was first told. */
const told = (): string[] => [...new Set(calls.map(({ name }) => name))];

test('a server killed while a receiver was down tells everything after its next start, in order', async () => {
  const first = await startServer({ dataDir: folder, env: ENV });
  await mlflow(first, 'POST', 'webhooks', { name: 'hook', url, events: EVENTS, secret: 's' });
  status = 503;
  const names = ['a', 'b', 'c', 'd'];
  for (const name of names) await mlflow(first, 'POST', 'registered-models/create', { name });
  await vi.waitFor(() => expect(calls.length).toBeGreaterThan(0), wait);
  await first.kill9();
  status = 200;
  const second = await startServer({ dataDir: folder, env: ENV });
  await vi.waitFor(() => expect(told()).toEqual(names), wait);
  expect(new Set(calls.map(({ id }) => id)).size).toBe(names.length);
  await second.stop();
});

const MODELS = 40;

test('of two replicas on PostgreSQL one tells each event, and the other goes on where one was killed', async () => {
  const cluster = await startPostgres();
  const database = await cluster.createDatabase();
  const box = secretBox(join(folder, 'master.key'));
  const means = { secrets: box, urls: { schemes: ['http'], allowPrivate: true }, timeoutMs: 1000, retriesMax: 3 };
  const reporting = { onError: () => {}, onFailure: () => {}, pollMs: 5 };
  const replica = async (): Promise<Ctx> => {
    const db = new PostgresDatabase(database);
    await migrate(db, migrations, () => {});
    await openChain(db, systemClock);
    const principal = { id: 0, kind: 'local', name: 'local' } as const;
    return {
      db,
      tx: undefined,
      blobs: new LocalBlobStore(folder),
      searches: createSearches({ db, file: undefined, timeoutMs: SEARCH_TIMEOUT_MS }),
      clock: systemClock,
      ...AS_LOCAL,
      principal,
      artifactRoot: 'mlflow-artifacts:/',
    };
  };
  const [one, two] = [await replica(), await replica()];
  await webhooks.create(one, means, { name: 'hook', url, events: EVENTS });
  const jobs = [await webhooks.startDelivering(one, means, reporting), await webhooks.startDelivering(two, means, reporting)];
  const names: string[] = [];
  for (let i = 0; i < MODELS; i++) {
    names.push(`model-${i}`);
    await models.create(i % 2 === 0 ? one : two, { name: `model-${i}`, tags: [] });
  }
  await vi.waitFor(() => expect(calls.length).toBeGreaterThanOrEqual(MODELS), wait);
  expect(calls.map(({ name }) => name)).toEqual(names);
  // A replica that died in the middle of a call leaves its lease behind.
  await vi.waitFor(async () => expect(await one.db.one('SELECT 1 FROM webhooks WHERE lease_owner IS NOT NULL')).toBeUndefined(), wait);
  await one.db.write((tx) => tx.run('UPDATE webhooks SET lease_owner = ?, lease_until = ?', 'killed', Date.now() + 1500));
  await models.create(one, { name: 'later', tags: [] });
  await new Promise((resolve) => setTimeout(resolve, 500));
  expect(told()).not.toContain('later');
  await vi.waitFor(() => expect(told()).toContain('later'), wait);
  for (const job of jobs) await job.stop();
  await Promise.all([one.db.close(), two.db.close()]);
  await cluster.stop();
});
