/** Group commit: the closures of a tick share one transaction, so that many callers share one fsync (or one round trip to the chain's head). */
import { Problem } from '@countersign/contract/problem.ts';
import { type CommitHook, type Queries, type SqlValue, type Tx, Unprepared } from './database.ts';

/** The one connection that writes. */
export interface WriteConnection {
  readonly queries: Queries;
  exec(sql: string): Promise<void>;
  /** True where the batch was the victim of a conflict with another process and may be tried again. */
  isConflict(error: unknown): boolean;
  /** Turns a driver's error into a Problem where a caller can do something about it. */
  explain(error: unknown): unknown;
  /** Whether statements go out before the answers to those before them are in: then closures of different lanes save each other round trips. */
  readonly isPipelined: boolean;
}

interface Job {
  /** Undefined: nothing else runs beside it. */
  readonly lane: string | undefined;
  readonly work: (tx: Tx) => Promise<unknown>;
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

/** More closures than this wait for the next commit, so that reads are served in between. */
const BATCH_MAX = 256;
const CONFLICT_RETRIES_MAX = 8;

export class Gatherer {
  #queue: Job[] = [];
  #running: Promise<void> | undefined;
  #hook: CommitHook = async () => () => {};
  readonly #connection: WriteConnection;

  constructor(connection: WriteConnection) {
    this.#connection = connection;
  }

  setCommitHook(hook: CommitHook): void {
    this.#hook = hook;
  }

  write<T>(work: (tx: Tx) => Promise<T>, lane?: string): Promise<T> {
    return new Promise<T>((resolve, reject) => {
      this.#queue.push({ lane, work, resolve: resolve as (value: unknown) => void, reject });
      this.#running ??= this.#drain();
    });
  }

  /** Resolves when nothing is queued or running any more. */
  async idle(): Promise<void> {
    while (this.#running) await this.#running;
  }

  async #drain(): Promise<void> {
    while (this.#queue.length > 0) {
      await new Promise((resume) => setImmediate(resume));
      await this.#commit(this.#queue.splice(0, BATCH_MAX), 0);
    }
    this.#running = undefined;
  }

  /**
   * `isolated`: each closure has a savepoint of its own, and runs alone. A batch begins without them, for they cost a tenth of a small write and
   * most closures that fail have written nothing yet; where one has, the batch is undone and run again with them.
   */
  async #commit(jobs: readonly Job[], attempt: number, isolated = false): Promise<void> {
    const { queries } = this.#connection;
    let attempts: readonly Attempt[];
    try {
      await this.#connection.exec('BEGIN');
      attempts = isolated ? await this.#runIsolated(jobs) : await this.#runTogether(jobs);
      const deferred = attempts.flatMap((each) => each.deferred);
      const committed = deferred.length > 0 ? await this.#hook(queries, deferred) : undefined;
      await this.#connection.exec('COMMIT');
      committed?.();
    } catch (error) {
      await this.#connection.exec('ROLLBACK').catch(() => {});
      if (error instanceof NeedsIsolation && jobs.length > 1) return this.#commit(jobs, attempt, true);
      if (this.#connection.isConflict(error) && attempt < CONFLICT_RETRIES_MAX) {
        // Each closure alone now: the one in conflict must not hold the others' locks again.
        for (const job of jobs) await this.#commit([job], attempt + 1);
        return;
      }
      const reason = this.#connection.explain(error instanceof NeedsIsolation ? error.cause : error);
      for (const job of jobs) job.reject(reason);
      return;
    }
    for (const { answer } of attempts) answer();
  }

  /** Those of each lane one after another, the lanes at the same time; then those that have none, each alone. In the order in which they ran. */
  async #runTogether(jobs: readonly Job[]): Promise<readonly Attempt[]> {
    const batch = {};
    const inTurn = async (own: readonly Job[]): Promise<readonly Attempt[]> => {
      const attempts: Attempt[] = [];
      for (const job of own) attempts.push(await this.#attempt(job, batch));
      return attempts;
    };
    const lanes = Map.groupBy(jobs, ({ lane }) => (this.#connection.isPipelined ? lane : undefined));
    const alone = lanes.get(undefined) ?? [];
    lanes.delete(undefined);
    // By name, so that two processes take their first locks in one order.
    const sorted = [...lanes].sort(([one], [other]) => (String(one) < String(other) ? -1 : 1)).map(([, own]) => own);
    // All have ended before the transaction does, whatever became of one: nothing of them may reach the next.
    const ended = await Promise.allSettled(sorted.map(inTurn));
    const errors = ended.flatMap((each) => (each.status === 'rejected' ? [each.reason] : []));
    if (errors.length > 0) throw errors.find((each) => this.#connection.isConflict(each)) ?? errors[0];
    // What runs last may change what the others went by, and is told last, too.
    return [...ended.flatMap((each) => (each.status === 'fulfilled' ? each.value : [])), ...(await inTurn(alone))];
  }

  async #attempt(job: Job, batch: object): Promise<Attempt> {
    const tx = new GatheredTx(this.#connection.queries, batch);
    try {
      const value = await job.work(tx);
      return { deferred: tx.deferred, answer: () => job.resolve(value) };
    } catch (error) {
      if (this.#connection.isConflict(error)) throw error;
      // Another error may be the database's own, after which PostgreSQL goes on with nothing in this transaction.
      if (tx.hasWritten || !(error instanceof Problem || error instanceof Unprepared))
        throw new NeedsIsolation('a closure wrote and failed', { cause: error });
      return { deferred: [], answer: () => job.reject(error) };
    } finally {
      tx.end();
    }
  }

  async #runIsolated(jobs: readonly Job[]): Promise<readonly Attempt[]> {
    const attempts: Attempt[] = [];
    // A batch of its own each: what is undone to its savepoint gives its locks back, so none may count on another's.
    for (const job of jobs) attempts.push(await this.#attemptIsolated(job, {}));
    return attempts;
  }

  async #attemptIsolated(job: Job, batch: object): Promise<Attempt> {
    const tx = new GatheredTx(this.#connection.queries, batch);
    await this.#connection.exec('SAVEPOINT closure');
    try {
      const value = await job.work(tx);
      await this.#connection.exec('RELEASE closure');
      return { deferred: tx.deferred, answer: () => job.resolve(value) };
    } catch (error) {
      if (this.#connection.isConflict(error)) throw error;
      try {
        await this.#connection.exec('ROLLBACK TO closure');
        await this.#connection.exec('RELEASE closure');
      } catch {
        // The database gave up the whole transaction (SQLite does on a full disk): why is in the first error.
        throw error;
      }
      const reason = this.#connection.explain(error);
      return { deferred: [], answer: () => job.reject(reason) };
    } finally {
      tx.end();
    }
  }
}

/** How a closure ended: what it leaves for the commit hook, and what is said to its caller after the commit. */
interface Attempt {
  readonly deferred: readonly unknown[];
  readonly answer: () => void;
}

/** What a closure wrote before it failed can be undone only together with the others' work. */
class NeedsIsolation extends Error {}

class GatheredTx implements Tx {
  readonly deferred: unknown[] = [];
  hasWritten = false;
  readonly dialect: Queries['dialect'];
  readonly batch: object;
  readonly #queries: Queries;
  #isOver = false;

  constructor(queries: Queries, batch: object) {
    this.#queries = queries;
    this.batch = batch;
    this.dialect = queries.dialect;
  }

  /** What a closure left running when it failed must not reach another's transaction. */
  end(): void {
    this.#isOver = true;
  }

  one<Row>(sql: string, ...values: SqlValue[]): Promise<Row | undefined> {
    this.#note(sql);
    return this.#queries.one<Row>(sql, ...values);
  }
  all<Row>(sql: string, ...values: SqlValue[]): Promise<Row[]> {
    this.#note(sql);
    return this.#queries.all<Row>(sql, ...values);
  }
  run(sql: string, ...values: SqlValue[]): Promise<number> {
    this.#refuseLate();
    this.hasWritten = true;
    return this.#queries.run(sql, ...values);
  }
  defer(item: unknown): void {
    this.deferred.push(item);
  }

  /** A query that doesn't begin with SELECT may write and return rows. */
  #note(sql: string): void {
    this.#refuseLate();
    if (!sql.startsWith('SELECT')) this.hasWritten = true;
  }

  #refuseLate(): void {
    if (this.#isOver) throw new TypeError('a statement of a transaction came after its closure had ended');
  }
}
