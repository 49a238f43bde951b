/** For tests of searches: an empty database of each dialect. */
import { migrations } from '../../migrations/migrations.ts';
import type { Database, Dialect } from './database.ts';
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
