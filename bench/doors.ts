// The server's own doors, without a server: for accounts and whatever else no route is timed for.
import { join } from 'node:path';
import * as access from '../packages/server/src/features/access/access.ts';
import { openGround } from '../packages/server/src/ground.ts';
import { type Ctx, systemClock } from '../packages/server/src/platform/context.ts';
import { createSearches } from '../packages/server/src/platform/db/search-runner.ts';

/** As the local administrator, on a data folder that no server has open. `databaseUrl`: of PostgreSQL; SQLite in the folder without it. */
export async function atDoors<T>(folder: string, databaseUrl: string | undefined, work: (ctx: Ctx) => Promise<T>): Promise<T> {
  const ground = await openGround(
    {
      dataDir: folder,
      database:
        databaseUrl === undefined ? { kind: 'sqlite', file: join(folder, 'countersign.db') } : { kind: 'postgres', url: databaseUrl },
      blobDir: join(folder, 'blobs'),
      masterKeys: { file: join(folder, 'master.key'), fromEnvironment: undefined, command: undefined },
    },
    () => {},
  );
  try {
    return await work({
      db: ground.db,
      tx: undefined,
      blobs: ground.blobs,
      searches: createSearches({ db: ground.db, file: undefined, timeoutMs: 60_000 }),
      clock: systemClock,
      ...access.AS_LOCAL,
      artifactRoot: 'mlflow-artifacts:/',
    });
  } finally {
    await ground.close();
  }
}
