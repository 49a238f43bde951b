/** Work on the data that no request asks for: freeing bytes in the background, and commands that run without a server. */

import { existsSync } from 'node:fs';
import { notFound } from '@countersign/contract/problem.ts';
import { AS_LOCAL } from './features/access/access.ts';
import * as artifacts from './features/artifacts/artifacts.ts';
import * as candidates from './features/candidates/candidates.ts';
import * as versions from './features/versions/versions.ts';
import { openGround } from './ground.ts';
import type { ServerConfig } from './platform/config/server-config.ts';
import { type Ctx, systemClock } from './platform/context.ts';
import { createSearches, SEARCH_TIMEOUT_MS } from './platform/db/search-runner.ts';
import type { MasterKeys } from './platform/secrets/master-keys.ts';

/** Longer than any upload takes from its last byte to its commit, and than clocks of several hosts differ. */
export const GRACE_MS = 24 * 3_600_000;

export interface Freed extends artifacts.Collected {
  /** Temporary files of uploads that a crash cut off. */
  readonly swept: number;
}

/** Trees of versions, and of what may become one. */
async function referredTrees(ctx: Ctx, treeIds: readonly number[]): Promise<number[]> {
  return [...(await versions.listReferredTrees(ctx, treeIds)), ...(await candidates.listReferredTrees(ctx, treeIds))];
}

/** One pass: marks what nothing refers to, and frees what was marked longer than the grace time ago. Safe beside requests. */
export async function freeBytes(ctx: Ctx, graceMs: number): Promise<Freed> {
  const swept = await ctx.blobs.sweep(graceMs);
  const collected = await artifacts.collectGarbage(ctx, { graceMs, referredTrees });
  let cursor: string | undefined;
  do cursor = await artifacts.collectOrphans(ctx, cursor, graceMs);
  while (cursor !== undefined);
  return { ...collected, swept };
}

export type DataPlace = Pick<ServerConfig, 'dataDir' | 'database' | 'blobDir' | 'masterKeys' | 'artifactRoot'>;

/** Runs work on the data while no server has it. RESOURCE_CONFLICT where one does, RESOURCE_DOES_NOT_EXIST without data; see `openGround`. */
export async function withData<T>(
  place: DataPlace,
  progress: (sentence: string) => void,
  work: (ctx: Ctx, masterKeys: MasterKeys) => Promise<T>,
): Promise<T> {
  if (place.database.kind === 'sqlite' && !existsSync(place.database.file)) {
    throw notFound(`There is no database at ${place.database.file}. Name the data folder with --data-dir.`);
  }
  const ground = await openGround(place, progress);
  try {
    const ctx: Ctx = {
      db: ground.db,
      tx: undefined,
      blobs: ground.blobs,
      searches: createSearches({ db: ground.db, file: undefined, timeoutMs: SEARCH_TIMEOUT_MS }),
      clock: systemClock,
      ...AS_LOCAL,
      artifactRoot: place.artifactRoot,
    };
    return await work(ctx, ground.masterKeys);
  } finally {
    await ground.close();
  }
}
