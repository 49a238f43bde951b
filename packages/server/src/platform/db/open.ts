/** Opens the database that the configuration names, and says in a sentence why it can't. */
import { existsSync } from 'node:fs';
import { DatabaseSync } from 'node:sqlite';
import { Problem } from '@countersign/contract/problem.ts';
import type { DatabasePlace } from '../config/locations.ts';
import type { Database } from './database.ts';
import { ForeignDatabase } from './migrate.ts';
import { SqliteDatabase } from './sqlite.ts';

/** INVALID_STATE for a database that is MLflow's, not one at all, or can't be reached. Nothing is changed in it. */
export async function openDatabase(place: DatabasePlace): Promise<Database> {
  if (place.kind === 'postgres') return openPostgres(place.url);
  if (existsSync(place.file)) lookBeforeOpening(place.file);
  try {
    return new SqliteDatabase(place.file);
  } catch (error) {
    throw cannotOpen(place.file, error);
  }
}

/** Read-only: opening for writing would turn on the write-ahead log in a file that isn't ours. */
function lookBeforeOpening(file: string): void {
  let found: unknown;
  try {
    const connection = new DatabaseSync(file, { readOnly: true });
    try {
      found = connection.prepare("SELECT 1 FROM sqlite_master WHERE name = 'alembic_version'").get();
    } finally {
      connection.close();
    }
  } catch (error) {
    throw cannotOpen(file, error);
  }
  if (found) {
    throw new ForeignDatabase(
      `The database ${file} belongs to MLflow (it has a table 'alembic_version'). Give Countersign a database of its own; nothing was changed.`,
    );
  }
}

function cannotOpen(file: string, error: unknown): Problem {
  return new Problem('INVALID_STATE', `The database ${file} can't be opened: ${(error as Error).message}.`, { cause: error });
}

/** The driver is loaded only where it is used. */
async function openPostgres(url: string): Promise<Database> {
  const { PostgresDatabase } = await import('./postgres.ts');
  const db = new PostgresDatabase(url);
  try {
    await db.one('SELECT 1 AS one');
    return db;
  } catch (error) {
    await db.close().catch(() => {});
    // Node gathers the refusals of all addresses of a host in one error without a message.
    const reasons = error instanceof AggregateError ? error.errors : [error];
    const reason = reasons.map((each) => (each as Error).message).join('; ');
    throw new Problem('TEMPORARILY_UNAVAILABLE', `The PostgreSQL database at ${withoutPassword(url)} can't be reached: ${reason}.`, {
      cause: error,
    });
  }
}

/** For messages and logs. */
export function withoutPassword(url: string): string {
  try {
    const parsed = new URL(url);
    return `${parsed.protocol}//${parsed.username ? `${parsed.username}@` : ''}${parsed.host}${parsed.pathname}`;
  } catch {
    return 'the given URL';
  }
}
