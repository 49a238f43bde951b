/**
 * Who runs a search, and for how long. What is cheap is answered at once: from a selective clause's index, or from the first candidates in
 * order. All else runs off the main thread (a statement of node:sqlite can't be interrupted) and stops at the operator's limit.
 */
import { Worker } from 'node:worker_threads';
import { invalid } from '@countersign/contract/problem.ts';
import sql from 'sql-template-tag';
import type { Queries, SqlValue } from './database.ts';
import type { Driver, FoundRow, SearchPlan } from './search-plan.ts';
import { CHUNK_CANDIDATES, SearchScan } from './search-scan.ts';
import { boundLimit, listed } from './search-sql.ts';

export interface Searches {
  /** The rows after the plan's cursor, at most `limit`. Throws INVALID_PARAMETER_VALUE at the operator's time limit. */
  find(plan: SearchPlan): Promise<FoundRow[]>;
  close(): Promise<void>;
}

export interface SearchesOptions {
  readonly db: Queries;
  /** The SQLite file for the worker to read; undefined where searches can't block the thread (PostgreSQL), or in memory. */
  readonly file: string | undefined;
  readonly timeoutMs: number;
}

export const SEARCH_TIMEOUT_MS = 60_000;
/** Enough for most filters; then as many as a driver must save to be worth looking for. */
const FIRST_CHUNK = 100;
const SECOND_CHUNK = 1000;
const CHUNK = 2500;
const CHUNK_OFF_THREAD = 10_000;
/** Candidates looked at on the main thread. */
const CANDIDATES_MAX = 10_000;
/** A driver with so few rows is taken without a look at the order's index. */
const SMALL_DRIVER = 200;

export function createSearches(options: SearchesOptions): Searches {
  const { db, file, timeoutMs } = options;
  const worker = file === undefined ? undefined : new SearchWorker(file, timeoutMs);
  return {
    find: async (plan) => {
      const quick = await findQuickly(db, plan);
      if (quick !== undefined) return quick;
      return worker === undefined ? findThoroughly(db, plan, timeoutMs) : worker.find(plan);
    },
    close: async () => worker?.close(),
  };
}

/** Undefined where the answer would take more than the main thread may spend. */
export async function findQuickly(db: Queries, plan: SearchPlan): Promise<FoundRow[] | undefined> {
  const narrow = plan.drivers.filter((driver) => driver.isNarrow);
  const small = await readSmallDriver(db, narrow);
  if (small !== undefined) return new SearchScan(db, plan).drive(small);
  const scan = new SearchScan(db, plan);
  const first = Math.min(CANDIDATES_MAX, Math.max(FIRST_CHUNK, 2 * (plan.offset + plan.limit)));
  const second = Math.max(SECOND_CHUNK, first);
  const early = 2 * (first + CHUNK_CANDIDATES);
  // After so many candidates a driver is looked for that has at most so many rows, unless the end seems so near.
  const looks = [
    { after: early, most: second, near: Number.POSITIVE_INFINITY },
    { after: early + second + CHUNK_CANDIDATES, most: CANDIDATES_MAX, near: CHUNK },
    { after: early + second + CHUNK, most: CANDIDATES_MAX, near: 0 },
  ];
  let size = first;
  let spent = 0;
  const chunks = scan.chunks(() => size);
  for (;;) {
    const chunk = await chunks.next();
    if (chunk.done) return scan.rows;
    spent += chunk.value;
    if (spent > first + CHUNK_CANDIDATES) size = looks.length === 0 ? CHUNK : second;
    const look = looks[0];
    if (look !== undefined && spent > look.after) {
      looks.shift();
      if (scan.remaining(spent) >= look.near) {
        const driver = await findDriver(db, plan.drivers, look.most);
        if (driver !== undefined) return new SearchScan(db, plan).drive(driver);
        if (look.most === CANDIDATES_MAX) looks.length = 0;
      }
    }
    if (spent > CANDIDATES_MAX + CHUNK) return undefined;
    if (looks.length < 2) await nextTurn();
  }
}

/** To the end, in turns, until the time is over. */
export async function findThoroughly(db: Queries, plan: SearchPlan, timeoutMs: number): Promise<FoundRow[]> {
  const deadline = performance.now() + timeoutMs;
  const scan = new SearchScan(db, plan);
  for await (const _candidates of scan.chunks(() => CHUNK_OFF_THREAD)) {
    await nextTurn();
    if (performance.now() > deadline) throw tooSlow(plan, timeoutMs);
  }
  return scan.rows;
}

function tooSlow(plan: SearchPlan, timeoutMs: number): Error {
  const clauses = plan.clauses.map((clause) => `'${clause}'`).join(', ');
  const advice =
    plan.clauses.length === 0
      ? 'Leave out order_by, or add a clause to the filter that few of them match.'
      : `No clause of the filter is selective enough to start from; narrow ${clauses}: compare by '=' with a rarer value or a longer text, or search fewer of them at once.`;
  return invalid(`The search for ${plan.what} was stopped after ${timeoutMs / 1000} s. ${advice}`);
}

/** The driver with the fewest rows, if that is at most `most`. Looks at `most` index entries of each. */
async function findDriver(db: Queries, drivers: readonly Driver[], most: number): Promise<Driver | undefined> {
  let best: { driver: Driver; count: number } | undefined;
  for (const driver of drivers) {
    const limit = best?.count ?? most + 1;
    const query = sql`SELECT COUNT(*) AS count FROM (SELECT pk FROM (${driver.rows}) driver LIMIT ${boundLimit(limit)}) bounded`;
    const row = await db.one<{ count: number }>(query.sql, ...(query.values as SqlValue[])); // composed from SqlValues only
    if (row !== undefined && row.count < limit) best = { driver, count: row.count };
    if (best?.count === 0) break;
  }
  return best?.driver;
}

/** As `findDriver`, and its rows are read already: finding them may be most of the work. */
async function readSmallDriver(db: Queries, drivers: readonly Driver[]): Promise<Driver | undefined> {
  const pks = db.dialect === 'sqlite' ? sql`json_group_array(pk)` : sql`CAST(json_agg(pk) AS text)`;
  let best: { pks: string; count: number } | undefined;
  for (const driver of drivers) {
    const limit = best?.count ?? SMALL_DRIVER + 1;
    const query = sql`SELECT COUNT(*) AS count, ${pks} AS pks FROM (SELECT pk FROM (${driver.rows}) driver LIMIT ${boundLimit(limit)}) bounded`;
    const row = await db.one<{ count: number; pks: string | null }>(query.sql, ...(query.values as SqlValue[])); // composed from SqlValues only
    if (row !== undefined && row.count < limit) best = { pks: row.pks ?? '[]', count: row.count };
    if (best?.count === 0) break;
  }
  if (best === undefined) return undefined;
  return { rows: listed(db.dialect, best.pks), isNarrow: true };
}

function nextTurn(): Promise<void> {
  return new Promise((resume) => setImmediate(resume));
}

/** The answer of `search.worker.ts` to the question of that number. */
export type WorkerReply = { readonly id: number } & (
  | { readonly rows: FoundRow[] }
  | { readonly problem: string }
  | { readonly failure: unknown }
);
export interface WorkerQuestion {
  readonly id: number;
  readonly plan: SearchPlan;
}
export interface WorkerSetup {
  readonly file: string;
  readonly timeoutMs: number;
}

interface Waiting {
  readonly resolve: (rows: FoundRow[]) => void;
  readonly reject: (error: unknown) => void;
}

/** One thread, started at the first search that needs it; it takes turns between the searches it has. */
class SearchWorker {
  readonly #setup: WorkerSetup;
  readonly #waiting = new Map<number, Waiting>();
  #worker: Worker | undefined;
  #lastId = 0;

  constructor(file: string, timeoutMs: number) {
    this.#setup = { file, timeoutMs };
  }

  find(plan: SearchPlan): Promise<FoundRow[]> {
    this.#worker ??= this.#start();
    const id = ++this.#lastId;
    const question: WorkerQuestion = { id, plan };
    this.#worker.postMessage(question);
    return new Promise((resolve, reject) => this.#waiting.set(id, { resolve, reject }));
  }

  async close(): Promise<void> {
    await this.#worker?.terminate();
  }

  #start(): Worker {
    // Where the build puts workers, and where they lie in the sources.
    const file = import.meta.url.endsWith('.ts') ? './search.worker.ts' : './workers/search.worker.js';
    const worker = new Worker(new URL(file, import.meta.url), { workerData: this.#setup });
    worker.on('message', (reply: WorkerReply) => this.#answer(reply));
    worker.on('error', (error) => this.#fail(error));
    worker.on('exit', () => this.#fail(new Error('the search thread ended')));
    // Last: a listener for messages takes hold of the process again.
    worker.unref();
    return worker;
  }

  #answer(reply: WorkerReply): void {
    const waiting = this.#waiting.get(reply.id);
    this.#waiting.delete(reply.id);
    if ('rows' in reply) waiting?.resolve(reply.rows);
    else waiting?.reject('problem' in reply ? invalid(reply.problem) : reply.failure);
  }

  #fail(error: unknown): void {
    this.#worker = undefined;
    for (const waiting of this.#waiting.values()) waiting.reject(error);
    this.#waiting.clear();
  }
}
