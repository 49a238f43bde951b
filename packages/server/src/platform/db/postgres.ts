/** PostgreSQL by pg: a pool that reads, one connection per process that gathers writes. */
import { Socket } from 'node:net';
import { Problem } from '@countersign/contract/problem.ts';
import pg from 'pg';
import type { CommitHook, Database, Queries, SqlValue, Tx } from './database.ts';
import { Gatherer, type WriteConnection } from './gatherer.ts';
import { type Client, StatementBunches } from './statement-bunches.ts';

const READERS_MAX = 8;
const INT8 = 20;

/** Integers are numbers while exact, else bigints; the same as the SQLite adapter gives. */
const types: pg.CustomTypesConfig = {
  getTypeParser: ((oid: number, format?: 'text' | 'binary') => {
    if (oid === INT8) return readInt8;
    return pg.types.getTypeParser(oid, format as 'text');
  }) as pg.CustomTypesConfig['getTypeParser'],
};

function readInt8(text: string): number | bigint {
  const value = Number(text);
  return Number.isSafeInteger(value) ? value : BigInt(text);
}

interface Prepared {
  readonly name?: string;
  readonly text: string;
}
/** Composed searches have many shapes: past this many, statements are sent without a name and not kept by the server. */
const PREPARED_MAX = 1000;
const prepared = new Map<string, Prepared>();

/** `?` becomes `$n`, once per statement; each is prepared under a name on the connections that meet it. */
function prepare(sql: string): Prepared {
  let statement = prepared.get(sql);
  if (statement === undefined) {
    let n = 0;
    const text = sql.replace(/\?/g, () => `$${++n}`);
    if (prepared.size >= PREPARED_MAX) return { text };
    statement = { name: `s${prepared.size}`, text };
    prepared.set(sql, statement);
  }
  return statement;
}

class PostgresQueries implements Queries {
  readonly dialect = 'postgres';
  readonly #client: Client;

  constructor(client: Client) {
    this.#client = client;
  }

  async one<Row>(sql: string, ...values: SqlValue[]): Promise<Row | undefined> {
    return (await this.all<Row>(sql, ...values))[0];
  }
  async all<Row>(sql: string, ...values: SqlValue[]): Promise<Row[]> {
    return (await this.#query(sql, values)).rows as Row[]; // shape is the query's
  }
  async run(sql: string, ...values: SqlValue[]): Promise<number> {
    return (await this.#query(sql, values)).rowCount ?? 0;
  }
  #query(sql: string, values: SqlValue[]): Promise<pg.QueryResult> {
    return this.#client.query({
      ...prepare(sql),
      values: values.map((value) => (typeof value === 'bigint' ? String(value) : value)),
      types,
    });
  }
}

export class PostgresDatabase implements Database {
  readonly dialect = 'postgres';
  readonly #pool: pg.Pool;
  readonly #writerPool: pg.Pool;
  readonly #reader: PostgresQueries;
  readonly #gatherer: Gatherer;

  constructor(url: string) {
    this.#pool = pool(url, READERS_MAX);
    this.#writerPool = pool(url, 1, true);
    this.#reader = new PostgresQueries(this.#pool);
    this.#gatherer = new Gatherer(connectionOf(this.#writerPool));
  }

  one<Row>(sql: string, ...values: SqlValue[]): Promise<Row | undefined> {
    return this.#reader.one<Row>(sql, ...values);
  }
  all<Row>(sql: string, ...values: SqlValue[]): Promise<Row[]> {
    return this.#reader.all<Row>(sql, ...values);
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
    await Promise.all([this.#pool.end(), this.#writerPool.end()]);
  }
}

/** Statements of one turn of the event loop go out together: a system call costs as much as a statement. */
class GatheringSocket extends Socket {
  #isCorked = false;

  override write(chunk: string | Uint8Array, done?: (error?: Error | null) => void): boolean;
  override write(chunk: string | Uint8Array, encoding?: BufferEncoding, done?: (error?: Error | null) => void): boolean;
  override write(chunk: string | Uint8Array, ...how: unknown[]): boolean {
    if (!this.#isCorked) {
      this.#isCorked = true;
      this.cork();
      process.nextTick(() => {
        this.#isCorked = false;
        this.uncork();
      });
    }
    return super.write(chunk, ...(how as [BufferEncoding?])); // as it came
  }
}

/** `isPipelined`: a statement goes out before the answers to those before it are in, which takes a third of the time that waiting for each does. */
function pool(url: string, max: number, isPipelined = false): pg.Pool {
  const made = new pg.Pool({
    connectionString: url,
    max,
    idleTimeoutMillis: 0,
    application_name: 'countersign',
    pipeline: isPipelined,
    stream: () => new GatheringSocket(),
  });
  // A connection that breaks while idle is replaced at the next query; without a listener it would end the process.
  made.on('error', () => {});
  return made;
}

/** One session for all statements of a batch: a statement must never land on another connection than its BEGIN. */
function connectionOf(writers: pg.Pool): WriteConnection {
  let session: pg.PoolClient | undefined;
  const bunches = new StatementBunches(async (config) => {
    if (session === undefined) throw new TypeError('a statement of a transaction came outside of it');
    return session.query(config);
  });
  return {
    queries: new PostgresQueries(bunches),
    exec: async (sql) => {
      bunches.flush();
      if (sql === 'BEGIN') session = await writers.connect();
      if (session === undefined) return;
      const ends = sql === 'COMMIT' || sql === 'ROLLBACK';
      try {
        await session.query(sql);
        if (ends) session.release();
      } catch (error) {
        if (ends) session.release(true);
        throw error;
      } finally {
        if (ends) session = undefined;
      }
    },
    // 40001 serialization_failure, 40P01 deadlock_detected (postgresql.org/docs/current/errcodes-appendix.html). Also 23503
    // foreign_key_violation and 23505 unique_violation: another process committed what a closure had looked for, and sees it when it looks again.
    isConflict: (error) => ['40001', '40P01', '23503', '23505'].includes((error as { code?: string }).code ?? ''),
    explain,
    isPipelined: true,
  };
}

/** 53100 disk_full; 54000 program_limit_exceeded: a value is larger than an entry of its index may be. */
function explain(error: unknown): unknown {
  switch ((error as { code?: string }).code) {
    case '53100':
      return new Problem('STORAGE_FULL', "The database server's disk is full; nothing was changed. Free some space and send this again.", {
        cause: error,
      });
    case '54000':
      return new Problem(
        'INVALID_PARAMETER_VALUE',
        'A name or id in the request is too long to be stored; nothing was changed. Shorten it.',
        {
          cause: error,
        },
      );
    default:
      return error;
  }
}
