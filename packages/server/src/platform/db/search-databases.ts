/** For tests of searches: an empty database of each dialect. */
import { migrations } from '../../migrations/migrations.ts';
import type { Database, Dialect, Queries, SqlValue } from './database.ts';
import { migrate } from './migrate.ts';
import { SqliteDatabase } from './sqlite.ts';

export interface SearchDatabase {
  readonly dialect: Dialect;
  readonly open: () => Promise<Database>;
}

/** PostgreSQL where `COUNTERSIGN_TEST_DATABASE_URL` names a database, which is emptied. */
export function searchDatabases(): SearchDatabase[] {
  const url = process.env.COUNTERSIGN_TEST_DATABASE_URL;
  const sqlite: SearchDatabase = { dialect: 'sqlite', open: () => migrated(new SqliteDatabase(':memory:')) };
  return url === undefined ? [sqlite] : [sqlite, { dialect: 'postgres', open: () => openPostgres(url) }];
}

async function openPostgres(url: string): Promise<Database> {
  const { PostgresDatabase } = await import('./postgres.ts');
  const db = new PostgresDatabase(url);
  await db.write(async (tx) => {
    await tx.run('DROP SCHEMA public CASCADE');
    await tx.run('CREATE SCHEMA public');
  });
  return migrated(db);
}

async function migrated(db: Database): Promise<Database> {
  await migrate(db, migrations, () => {});
  return db;
}

/** SQLite's queries, and the plans' steps that read a whole table or index: there should be none. */
export function withScans(db: Database): { readonly queries: Queries; readonly scans: string[] } {
  const scans: string[] = [];
  const explain = async (sql: string, values: readonly SqlValue[]): Promise<void> => {
    const steps = await db.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`, ...values);
    // Lists given as JSON, results of bounded subqueries, the trigram index and the few names that wait for it (p) may be read as a whole.
    for (const { detail } of steps) {
      if (/^SCAN (?!json_each|p$|driver|driven|bounded|\(|.*VIRTUAL TABLE INDEX)/.test(detail) && detail !== 'SCAN CONSTANT ROW')
        scans.push(`${detail}: ${sql}`);
    }
  };
  const queries: Queries = {
    dialect: db.dialect,
    one: async (sql, ...values) => {
      await explain(sql, values);
      return db.one(sql, ...values);
    },
    all: async (sql, ...values) => {
      await explain(sql, values);
      return db.all(sql, ...values);
    },
    run: () => Promise.reject(new TypeError('a search changes nothing')),
  };
  return { queries, scans };
}
