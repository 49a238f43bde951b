/** What stands before any request is served, and under commands that work without a server: the folder's lock, the database, the blobs. */
import { mkdirSync } from 'node:fs';
import { basename, dirname } from 'node:path';
import { Problem } from '@countersign/contract/problem.ts';
import { openChain } from './features/events/events.ts';
import { migrations } from './migrations/migrations.ts';
import { EncryptedBlobStore } from './platform/blobs/encrypted-blob-store.ts';
import { claimFolder } from './platform/blobs/folder-owner.ts';
import { LocalBlobStore } from './platform/blobs/local-blob-store.ts';
import type { ServerConfig } from './platform/config/server-config.ts';
import { systemClock } from './platform/context.ts';
import { type FolderLock, lockFolder } from './platform/db/data-folder-lock.ts';
import type { Database } from './platform/db/database.ts';
import { ForeignDatabase, migrate } from './platform/db/migrate.ts';
import { openDatabase } from './platform/db/open.ts';
import { type MasterKeys, openMasterKeys } from './platform/secrets/master-keys.ts';

export interface Ground {
  readonly db: Database;
  readonly blobs: EncryptedBlobStore;
  /** Not read yet. */
  readonly masterKeys: MasterKeys;
  /** Waits for writes that are under way. */
  close(): Promise<void>;
}

type Place = Pick<ServerConfig, 'dataDir' | 'database'>;
type BlobPlace = Place & Pick<ServerConfig, 'blobDir' | 'masterKeys'>;
type Progress = (sentence: string) => void;

/**
 * RESOURCE_CONFLICT where another process has the folder; INVALID_STATE for a database that is MLflow's or can't be opened, and for a blob
 * folder of another database; TEMPORARILY_UNAVAILABLE for a database that can't be reached. `progress` hears of long steps.
 */
export async function openGround(place: BlobPlace, progress: Progress): Promise<Ground> {
  const { db, close } = await openMigrated(place, progress);
  try {
    claimFolder(place.blobDir, await openChain(db, systemClock));
    const { randomBytes } = systemClock;
    const masterKeys = openMasterKeys(place.masterKeys, randomBytes);
    return { db, blobs: new EncryptedBlobStore(new LocalBlobStore(place.blobDir), masterKeys, randomBytes), masterKeys, close };
  } catch (error) {
    await close();
    throw error;
  }
}

/** Brings the database up to date and answers the names of the migrations that ran. Refusals as in `openGround`. */
export async function upgradeDatabase(place: Place, progress: Progress): Promise<readonly string[]> {
  const { migrated, close } = await openMigrated(place, progress);
  await close();
  return migrated;
}

interface Migrated {
  readonly db: Database;
  readonly migrated: readonly string[];
  readonly close: () => Promise<void>;
}

async function openMigrated(place: Place, progress: Progress): Promise<Migrated> {
  const locks = lock(place);
  let db: Database | undefined;
  const close = async (): Promise<void> => {
    await db?.close();
    for (const each of locks) each.release();
  };
  try {
    db = await openDatabase(place.database);
    return { db, migrated: await migrate(db, migrations, progress), close };
  } catch (error) {
    await close().catch(() => {});
    throw error instanceof ForeignDatabase ? new Problem('INVALID_STATE', error.message, { cause: error }) : error;
  }
}

/** With SQLite one process owns the data; with PostgreSQL several may share a folder. A database file elsewhere has a lock of its own. */
function lock({ dataDir, database }: Place): FolderLock[] {
  if (database.kind === 'postgres') return [];
  makeFolder(dataDir);
  const folder = dirname(database.file);
  const locks = [lockFolder(dataDir)];
  if (folder === dataDir) return locks;
  makeFolder(folder);
  try {
    locks.push(lockFolder(folder, `${basename(database.file)}.lock`));
  } catch (error) {
    locks[0]?.release();
    throw error;
  }
  return locks;
}

/** For its owner alone: other users of the machine would read in it whatever is granted to them. One that is there stays as it is. */
function makeFolder(folder: string): void {
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
  } catch (error) {
    throw new Problem('INVALID_STATE', `The folder ${folder} can't be made: ${(error as Error).message}.`, { cause: error });
  }
}
