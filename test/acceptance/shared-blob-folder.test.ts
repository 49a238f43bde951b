import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { AS_LOCAL } from '@countersign/server/features/access/access.ts';
import * as artifacts from '@countersign/server/features/artifacts/artifacts.ts';
import { migrations } from '@countersign/server/migrations/migrations.ts';
import { LocalBlobStore } from '@countersign/server/platform/blobs/local-blob-store.ts';
import { type Ctx, systemClock } from '@countersign/server/platform/context.ts';
import { migrate } from '@countersign/server/platform/db/migrate.ts';
import { PostgresDatabase } from '@countersign/server/platform/db/postgres.ts';
import { createSearches, SEARCH_TIMEOUT_MS } from '@countersign/server/platform/db/search-runner.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type PostgresCluster, startPostgres } from '../support/postgres.ts';

const folder = mkdtempSync(join(tmpdir(), 'shared-blob-folder-'));
const databases: PostgresDatabase[] = [];
let cluster: PostgresCluster;
let url: string;

beforeAll(async () => {
  cluster = await startPostgres();
  url = await cluster.createDatabase();
}, 120_000);
afterAll(async () => {
  for (const db of databases) await db.close();
  await cluster.stop();
  rmSync(folder, { recursive: true });
}, 60_000);

/** Each has connections and a store of its own, as a process would. */
async function replica(): Promise<Ctx> {
  const db = new PostgresDatabase(url);
  databases.push(db);
  await migrate(db, migrations, () => {});
  return {
    db,
    tx: undefined,
    blobs: new LocalBlobStore(folder),
    searches: createSearches({ db, file: undefined, timeoutMs: SEARCH_TIMEOUT_MS }),
    clock: systemClock,
    ...AS_LOCAL,
    artifactRoot: 'mlflow-artifacts:/',
  };
}

const put = (ctx: Ctx, path: string, text: string): Promise<void> => artifacts.put(ctx, path, Readable.from([Buffer.from(text)]));
const seal = (ctx: Ctx, path: string) => ctx.db.write((tx) => artifacts.sealTree({ ...ctx, tx }, path));
const collect = (ctx: Ctx, graceMs: number) => artifacts.collectGarbage(ctx, { graceMs });

const ROUNDS = 25;
/** Far longer than a round takes between an upload's bytes and its commit. */
const GRACE_MS = 500;

test('two replicas put, seal, remove and collect the same bytes, and none is lost', async () => {
  const [one, two] = [await replica(), await replica()];
  for (let round = 0; round < ROUNDS; round++) {
    await Promise.all([
      put(one, 'f/1', 'same'),
      put(two, 'f/2', 'same'),
      put(two, 'r/f', 'sealed'),
      collect(one, GRACE_MS),
      collect(two, GRACE_MS),
      artifacts.collectOrphans(one, undefined, GRACE_MS),
    ]);
    for (const [ctx, path] of [[one, 'f/2'] as const, [two, 'f/1'] as const]) {
      const file = await artifacts.find(ctx, path);
      expect(file && (await artifacts.readWhole(ctx, file)).toString()).toBe('same');
    }
    const [first, second] = await Promise.all([seal(one, 'r'), seal(two, 'r'), collect(one, GRACE_MS)]);
    expect(second).toEqual(first);
    await Promise.all([artifacts.remove(one, 'f'), artifacts.remove(two, 'r'), collect(two, GRACE_MS)]);
  }
}, 60_000);
