/** Black-box suites run on both databases, through the same code. */
import { afterAll, beforeAll, describe } from 'vitest';
import { type PostgresCluster, startPostgres } from './postgres.ts';

/** Calls the suite once for each database; `databaseUrl` answers a fresh one, or undefined for SQLite. */
export function onBothDatabases(title: string, suite: (databaseUrl: () => Promise<string | undefined>) => void): void {
  describe(`${title}, on SQLite`, () => suite(async () => undefined));
  describe(`${title}, on PostgreSQL`, () => {
    let cluster: PostgresCluster | undefined;
    beforeAll(async () => {
      cluster = await startPostgres();
    }, 120_000);
    afterAll(async () => {
      await cluster?.stop();
    });
    suite(async () => cluster?.createDatabase());
  });
}
