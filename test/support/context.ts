/** Contexts for tests of rooms: the real schema, real bytes, a clock that the test holds. */

import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { AS_LOCAL } from '@countersign/server/features/access/access.ts';
import * as artifacts from '@countersign/server/features/artifacts/artifacts.ts';
import { openChain } from '@countersign/server/features/events/events.ts';
import * as experiments from '@countersign/server/features/experiments/experiments.ts';
import type { Gate } from '@countersign/server/gate/gate.ts';
import { migrations } from '@countersign/server/migrations/migrations.ts';
import type { BlobStore } from '@countersign/server/platform/blobs/blob-store.ts';
import { LocalBlobStore } from '@countersign/server/platform/blobs/local-blob-store.ts';
import { type Clock, type Ctx, systemClock } from '@countersign/server/platform/context.ts';
import type { Database } from '@countersign/server/platform/db/database.ts';
import { migrate } from '@countersign/server/platform/db/migrate.ts';
import { createSearches, SEARCH_TIMEOUT_MS } from '@countersign/server/platform/db/search-runner.ts';
import { SqliteDatabase } from '@countersign/server/platform/db/sqlite.ts';

export interface ContextParts {
  readonly db?: Database;
  readonly blobs?: BlobStore;
  readonly clock?: Clock;
}

/** The real schema in memory, or in the database that is given; without blobs of its own, for what touches no byte. */
export async function openContext(parts: ContextParts = {}): Promise<Ctx> {
  const db = parts.db ?? new SqliteDatabase(':memory:');
  const clock = parts.clock ?? systemClock;
  await migrate(db, migrations, () => {});
  await openChain(db, clock);
  const ctx: Ctx = {
    db,
    tx: undefined,
    blobs: parts.blobs ?? ({} as BlobStore), // a test that touches bytes gives them
    searches: createSearches({ db, file: undefined, timeoutMs: SEARCH_TIMEOUT_MS }),
    clock,
    ...AS_LOCAL,
    artifactRoot: 'mlflow-artifacts:/',
  };
  await experiments.ensureDefaultExperiment(ctx, ctx.artifactRoot);
  return ctx;
}

export interface TestContext {
  readonly ctx: Ctx;
  upload(path: string, text: string): Promise<void>;
  close(): Promise<void>;
}

/** With a blob folder and a clock that moves by itself. */
export async function openTestContext(): Promise<TestContext> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-room-'));
  let now = 1_700_000_000_000;
  const ctx = await openContext({ blobs: new LocalBlobStore(join(folder, 'blobs')), clock: { ...systemClock, now: () => now++ } });
  return {
    ctx,
    upload: (path, text) => artifacts.put(ctx, path, Readable.from([Buffer.from(text)])),
    close: async () => {
      await ctx.db.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

/** A gate that lets everybody through with one context, for tests of what is behind it. */
export function openGate(contextOf: () => Ctx): Gate {
  return { admit: async () => contextOf(), authorize: () => undefined, isPassword: async () => true };
}
