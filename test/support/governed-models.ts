/** Models with bytes and numbers for drills of governance: on either database, with a clock that the test holds. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import * as artifacts from '@countersign/server/features/artifacts/artifacts.ts';
import * as requests from '@countersign/server/features/requests/requests.ts';
import * as runs from '@countersign/server/features/runs/runs.ts';
import type { ModelVersion } from '@countersign/server/features/versions/versions.ts';
import { LocalBlobStore } from '@countersign/server/platform/blobs/local-blob-store.ts';
import { type Ctx, systemClock } from '@countersign/server/platform/context.ts';
import type { Database } from '@countersign/server/platform/db/database.ts';
import { openContext } from './context.ts';

export interface GovernedModels {
  readonly ctx: Ctx;
  /** Another replica on the same database and blobs. */
  replica(db: Database): Promise<Ctx>;
  /** Moves the clock. */
  wait(ms: number): void;
  now(): number;
  /** Uploads a model under a run of somebody's, with its accuracy; answers the run. */
  logRun(by: Ctx, options?: { readonly accuracy?: number; readonly text?: string }): Promise<string>;
  close(): Promise<void>;
}

const START = Date.UTC(2026, 4, 6, 10);

export async function openGovernedModels(db?: Database): Promise<GovernedModels> {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-governed-'));
  let now = START;
  const parts = { blobs: new LocalBlobStore(join(folder, 'blobs')), clock: { ...systemClock, now: () => now++ } };
  const ctx = await openContext(db === undefined ? parts : { ...parts, db });
  return {
    ctx,
    replica: (otherDb) => openContext({ ...parts, db: otherDb }),
    wait: (ms) => {
      now += ms;
    },
    now: () => now,
    logRun: async (by, { accuracy = 0.95, text = 'flavors: {}' } = {}) => {
      const run = await runs.create(by, { experimentId: 0, name: 'r', userId: '', startTime: 0, tags: [] });
      const { artifactUri, runId } = run.info;
      const path = `${artifactUri.replace('mlflow-artifacts:/', '')}/model/MLmodel`;
      await artifacts.put(by, path, Readable.from([Buffer.from(text)]));
      await logAccuracy(by, runId, accuracy);
      return runId;
    },
    close: async () => {
      await ctx.db.close();
      rmSync(folder, { recursive: true, force: true });
    },
  };
}

export async function logAccuracy(by: Ctx, runId: string, value: number): Promise<void> {
  await runs.logMetric(by, runId, { key: 'accuracy', value, timestamp: 1, step: 0 } as Parameters<typeof runs.logMetric>[2]); // on no dataset
}

/** From a run, or as a copy: `models:/name/1`. */
export function registerFrom(
  by: Ctx,
  name: string,
  source: string,
  tags: readonly { readonly key: string; readonly value: string }[] = [],
): Promise<ModelVersion> {
  const runId = /^runs:\/([^/]+)\//.exec(source)?.[1] ?? '';
  return requests.registerVersion(by, { name, source, runId, loggedModelId: undefined, runLink: '', description: undefined, tags });
}

/** The same person at another replica. */
export function at(replica: Ctx, person: Ctx): Ctx {
  const { db, searches, blobs } = replica;
  return { ...person, db, searches, blobs };
}
