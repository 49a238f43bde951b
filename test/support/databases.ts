/** Black-box suites run on both databases, through the same code. */
import { afterAll, describe } from 'vitest';
import { startPostgres } from './postgres.ts';

/** Calls the suite once for each database; `databaseUrl` answers a fresh one, or undefined for SQLite. */
export function onBothDatabases(title: string, suite: (databaseUrl: () => Promise<string | undefined>) => void): void {
  describe(`${title}, on SQLite`, () => suite(async () => undefined));
  describe(`${title}, on PostgreSQL`, () => {
    const postgres = startPostgres();
    afterAll(async () => {
      await (await postgres).stop();
    });
    suite(async () => (await postgres).createDatabase());
  });
}
