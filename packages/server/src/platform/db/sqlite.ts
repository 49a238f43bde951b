/** SQLite by node:sqlite: one writing and one reading connection, WAL, an fsync before every answer. */
import { DatabaseSync, type StatementSync } from 'node:sqlite';
import { Problem } from '@countersign/contract/problem.ts';
import type { CommitHook, Database, Queries, SqlValue, Tx } from './database.ts';
import { Gatherer, type WriteConnection } from './gatherer.ts';

const STATEMENTS_MAX = 500;
const BUSY_TIMEOUT_MS = 10_000;

const PRAGMAS = [
  `PRAGMA busy_timeout = ${BUSY_TIMEOUT_MS}`,
  'PRAGMA journal_mode = WAL',
  'PRAGMA synchronous = FULL',
  'PRAGMA foreign_keys = ON',
  'PRAGMA temp_store = MEMORY',
  // LIKE compares as MLflow's does; ILIKE compares folded columns.
  'PRAGMA case_sensitive_like = ON',
  'PRAGMA cache_size = -16000',
  // Mapped pages count as resident memory.
  'PRAGMA mmap_size = 67108864',
  // Pages that change again and again are written back once: 32 MB of log, which a restart reads in well under a second.
  'PRAGMA wal_autocheckpoint = 8000',
].join(';');

export class SqliteQueries implements Queries {
  readonly dialect = 'sqlite';
  readonly connection: DatabaseSync;
  readonly #statements = new Map<string, Prepared>();

  constructor(connection: DatabaseSync) {
    this.connection = connection;
  }

  async one<Row>(sql: string, ...values: SqlValue[]): Promise<Row | undefined> {
    const { statement, toRow } = this.#prepare(sql);
    try {
      const cells = statement.get(...(values as Bound)) as unknown as Cells | undefined; // arrays, by setReturnArrays
      return cells === undefined ? undefined : (toRow(cells) as Row); // shape is the query's
    } catch (error) {
      if (!isOutOfRange(error)) throw error;
      return this.#exactly<Row>(sql, values)[0];
    }
  }

  async all<Row>(sql: string, ...values: SqlValue[]): Promise<Row[]> {
    const { statement, toRow } = this.#prepare(sql);
    try {
      const rows = statement.all(...(values as Bound)) as unknown as Cells[]; // arrays, by setReturnArrays
      return rows.map((cells) => toRow(cells) as Row); // shape is the query's
    } catch (error) {
      if (!isOutOfRange(error)) throw error;
      return this.#exactly<Row>(sql, values);
    }
  }

  async run(sql: string, ...values: SqlValue[]): Promise<number> {
    return Number(this.#prepare(sql).statement.run(...(values as Bound)).changes);
  }

  /** The slow way, for rows that hold an integer beyond 2^53: read all as bigint, then narrow what fits. */
  #exactly<Row>(sql: string, values: SqlValue[]): Row[] {
    const statement = this.connection.prepare(sql);
    statement.setReadBigInts(true);
    const rows = statement.all(...(values as Bound));
    for (const row of rows) {
      for (const [key, value] of Object.entries(row)) {
        if (typeof value === 'bigint' && Number.isSafeInteger(Number(value))) row[key] = Number(value);
      }
    }
    return rows as Row[]; // shape is the query's
  }

  #prepare(sql: string): Prepared {
    let prepared = this.#statements.get(sql);
    if (prepared === undefined) {
      const statement = this.connection.prepare(sql);
      statement.setReturnArrays(true);
      prepared = { statement, toRow: rowMaker(statement.columns().map((column) => column.name)) };
      if (this.#statements.size >= STATEMENTS_MAX) {
        const oldest = this.#statements.keys().next().value;
        if (oldest !== undefined) this.#statements.delete(oldest);
      }
      this.#statements.set(sql, prepared);
    }
    return prepared;
  }
}

interface Prepared {
  readonly statement: StatementSync;
  readonly toRow: (cells: Cells) => unknown;
}

type Cells = readonly unknown[];
/** What node:sqlite says it binds; undefined doesn't come, see SqlValue. */
type Bound = (string | number | null)[];

/**
 * node:sqlite's own row objects are dictionaries without prototype, slow to make and to copy. A function that is written for the statement's
 * columns makes objects of one shape, in a fifth of the time that filling them by name takes. Names come from our own SQL, and are quoted.
 */
function rowMaker(names: readonly string[]): (cells: Cells) => unknown {
  const members = names.map((name, i) => `${JSON.stringify(name)}: cells[${i}]`).join(', ');
  return new Function('cells', `return { ${members} };`) as (cells: Cells) => unknown; // what the text says
}

export class SqliteDatabase implements Database {
  readonly dialect = 'sqlite';
  readonly #reader: SqliteQueries;
  readonly #writer: SqliteQueries;
  readonly #gatherer: Gatherer;
  readonly one: Queries['one'];
  readonly all: Queries['all'];

  constructor(file: string) {
    this.#writer = new SqliteQueries(open(file));
    // An in-memory database has one connection only; closures await nothing else, so a reader can't come between.
    this.#reader = file === ':memory:' ? this.#writer : new SqliteQueries(open(file));
    this.#gatherer = new Gatherer(connectionOf(this.#writer));
    this.one = this.#reader.one.bind(this.#reader);
    this.all = this.#reader.all.bind(this.#reader);
  }

  run(): Promise<number> {
    throw new TypeError('changes go through write()');
  }
  write<T>(work: (tx: Tx) => Promise<T>, lane?: string): Promise<T> {
    return this.#gatherer.write(work, lane);
  }
  setCommitHook(hook: CommitHook): void {
    this.#gatherer.setCommitHook(hook);
  }
  async close(): Promise<void> {
    await this.#gatherer.idle();
    if (this.#reader !== this.#writer) this.#reader.connection.close();
    this.#writer.connection.close();
  }
}

export function open(file: string): DatabaseSync {
  const connection = new DatabaseSync(file, { timeout: BUSY_TIMEOUT_MS });
  connection.exec(PRAGMAS);
  return connection;
}

function connectionOf(queries: SqliteQueries): WriteConnection {
  return {
    queries,
    exec: async (sql) => {
      if (sql === 'BEGIN' || sql === 'COMMIT' || sql.endsWith(' closure')) await queries.run(sql);
      else queries.connection.exec(sql);
    },
    isConflict: () => false,
    explain: explainSqlite,
    isPipelined: false,
  };
}

/** SQLite's result codes (sqlite.org/rescode.html): 13 SQLITE_FULL; 10 SQLITE_IOERR, which is what a full disk gives while the log grows. */
function explainSqlite(error: unknown): unknown {
  const code = (error as { errcode?: number }).errcode ?? 0; // node:sqlite sets errcode on its errors
  if ((code & 0xff) === 13 || (code & 0xff) === 10) {
    return new Problem(
      'STORAGE_FULL',
      'The disk that holds the database is full or fails to write; nothing was changed. Free some space and send this again.',
      {
        cause: error,
      },
    );
  }
  return error;
}

function isOutOfRange(error: unknown): boolean {
  return (error as { code?: string }).code === 'ERR_OUT_OF_RANGE'; // Node's error code for an integer beyond 2^53
}
