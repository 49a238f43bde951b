/** A context for tests of rooms: an in-memory database with the real schema, a blob folder, a clock that moves by itself. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import * as artifacts from '@countersign/server/features/artifacts/artifacts.ts';
import { openChain } from '@countersign/server/features/events/events.ts';
import * as experiments from '@countersign/server/features/experiments/experiments.ts';
import { migrations } from '@countersign/server/migrations/migrations.ts';
import { LocalBlobStore } from '@countersign/server/platform/blobs/local-blob-store.ts';
import { type Clock, type Ctx, systemClock } from '@countersign/server/platform/context.ts';
import { migrate } from '@countersign/server/platform/db/migrate.ts';
import { SqliteDatabase } from '@countersign/server/platform/db/sqlite.ts';

export interface TestContext {
  readonly ctx: Ctx;
  upload(path: string, text: string): Promise<void>;
  close(): Promise<void>;
}

export async function openTestContext(): Promise<TestContext> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-room-'));
  let now = 1_700_000_000_000;
  const clock: Clock = { ...systemClock, now: () => now++ };
  const db = new SqliteDatabase(':memory:');
  await migrate(db, migrations, () => {});
  await openChain(db, clock);
  const ctx: Ctx = {
    db,
    tx: undefined,
    blobs: new LocalBlobStore(join(folder, 'blobs')),
    clock,
    principal: { id: 0, kind: 'local', name: 'local' },
    workspace: { id: 0, name: 'default' },
    artifactRoot: 'mlflow-artifacts:/',
  };
  await experiments.ensureDefaultExperiment(ctx, ctx.artifactRoot);
  return {
    ctx,
    upload: (path, text) => artifacts.put(ctx, path, Readable.from([Buffer.from(text)])),
    close: async () => {
      await db.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}
