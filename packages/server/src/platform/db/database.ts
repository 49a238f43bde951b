/**
 * What the rest of the server knows of a database. Two adapters: SQLite (one process, default) and PostgreSQL (several replicas).
 * SQL is written once, with `?` placeholders; where the dialects differ, `dialect` decides in the store.
 */
export type Dialect = 'sqlite' | 'postgres';
export type SqlValue = string | number | bigint | Uint8Array | null | undefined;

export interface Queries {
  readonly dialect: Dialect;
  /** The first row, or undefined. Integers are numbers while exact, else bigints. */
  one<Row>(sql: string, ...values: SqlValue[]): Promise<Row | undefined>;
  all<Row>(sql: string, ...values: SqlValue[]): Promise<Row[]>;
  /** Runs a statement that returns no rows; answers how many rows it changed. */
  run(sql: string, ...values: SqlValue[]): Promise<number>;
}

/** A transaction. Closures await nothing but the database while they hold one. */
export interface Tx extends Queries {
  /** One for all closures that commit, or are undone, together: what one of them locks is locked for all. */
  readonly batch: object;
  /** Hands an item to the commit hook; forgotten if this closure fails. */
  defer(item: unknown): void;
}

/** A closure needs what isn't in the database: `prepare` fetches it, outside of any transaction, and the closure runs again. */
export class Unprepared extends Error {
  readonly prepare: () => Promise<void>;

  constructor(prepare: () => Promise<void>) {
    super('a closure needs what was not fetched before its transaction');
    this.prepare = prepare;
  }
}

/**
 * Called once per commit with what the batch's closures deferred, in order, as the last thing before COMMIT.
 * Its answer is called after the commit succeeded.
 */
export type CommitHook = (tx: Queries, items: readonly unknown[]) => Promise<() => void>;

export interface Database extends Queries {
  /**
   * Runs a closure in a transaction and resolves after the commit is durable. Concurrent closures share one commit, run one
   * after another; a closure that throws is undone alone. It may run twice (after a deadlock, or beside one that failed), so it changes nothing
   * outside `tx`. `lane`: closures that name different ones touch nothing in common that either changes; their statements may take turns.
   */
  write<T>(work: (tx: Tx) => Promise<T>, lane?: string): Promise<T>;
  setCommitHook(hook: CommitHook): void;
  close(): Promise<void>;
}

/** The rows of a list of ids that is bound as one value, see `idList`. */
export function idsOf(db: Pick<Queries, 'dialect'>): string {
  return db.dialect === 'sqlite' ? 'SELECT value FROM json_each(?)' : 'SELECT unnest(?::bigint[])';
}

/** A list of ids as one bound value. */
export function idList(db: Pick<Queries, 'dialect'>, ids: readonly number[]): string {
  return db.dialect === 'sqlite' ? `[${ids.join(',')}]` : `{${ids.join(',')}}`;
}
