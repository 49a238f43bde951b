import type { Int64 } from '@countersign/contract/mlflow/message.ts';
import type { Dialect, Queries, SqlValue } from '../../platform/db/database.ts';
import { manyRows, runManyRows } from '../../platform/db/many-rows.ts';
import type { StoredPoint } from './metric-rules.ts';

/** Which run, where its points are filed, and who writes. */
export interface PointOwner {
  readonly runPk: number;
  readonly experimentId: number;
  /** The run's start, an `orderedTime`: runs with the same value are searched newest first. */
  readonly started: number;
  readonly by: number;
}

const LATEST_COLUMNS = 'latest_metrics (run_pk, key, experiment_id, value, is_nan, timestamp, step, written_by, started)';
const KEEP_GREATEST =
  'ON CONFLICT (run_pk, key) DO UPDATE SET value = excluded.value, is_nan = excluded.is_nan, timestamp = excluded.timestamp, ' +
  'step = excluded.step, written_by = excluded.written_by ' +
  'WHERE (excluded.step, excluded.timestamp, excluded.value) > (latest_metrics.step, latest_metrics.timestamp, latest_metrics.value)';

const ROWS_PER_STATEMENT = 20;
const POINT_ROWS = manyRows(
  7,
  ROWS_PER_STATEMENT,
  (values) => `INSERT INTO metrics (run_pk, key, timestamp, step, value, is_nan, written_by) VALUES ${values} ON CONFLICT DO NOTHING`,
);
const LATEST_ROWS = manyRows(9, ROWS_PER_STATEMENT, (values) => `INSERT INTO ${LATEST_COLUMNS} VALUES ${values} ${KEEP_GREATEST}`);

const POSTGRES_INSERT =
  'WITH points AS (SELECT * FROM json_to_recordset(?::json) AS p (key text, "timestamp" bigint, step bigint, value double precision, "isNan" bigint)), ' +
  'stored AS (INSERT INTO metrics (run_pk, key, timestamp, step, value, is_nan, written_by) ' +
  'SELECT ?::bigint, key, "timestamp", step, value, "isNan", ?::bigint FROM points ON CONFLICT DO NOTHING) ' +
  `INSERT INTO ${LATEST_COLUMNS} SELECT DISTINCT ON (key) ?::bigint, key, ?::bigint, value, "isNan", "timestamp", step, ?::bigint, ?::bigint ` +
  `FROM points ORDER BY key, step DESC, "timestamp" DESC, value DESC ${KEEP_GREATEST}`;

/** Exact duplicates are dropped. `latest` holds the greatest of each key among `points`. */
export async function insertPoints(
  tx: Queries,
  owner: PointOwner,
  points: readonly StoredPoint[],
  latest: readonly StoredPoint[],
): Promise<void> {
  const { runPk, experimentId, started, by } = owner;
  if (tx.dialect === 'postgres') {
    // One round trip instead of one for each point.
    await tx.run(POSTGRES_INSERT, JSON.stringify(points), runPk, by, runPk, experimentId, by, started);
    return;
  }
  const cells: SqlValue[] = [];
  for (const { key, timestamp, step, value, isNan } of points) cells.push(runPk, key, timestamp, step, value, isNan, by);
  await runManyRows(tx, POINT_ROWS, cells);
  const latestCells: SqlValue[] = [];
  for (const { key, timestamp, step, value, isNan } of latest)
    latestCells.push(runPk, key, experimentId, value, isNan, timestamp, step, by, started);
  await runManyRows(tx, LATEST_ROWS, latestCells);
}

/** One point as wire JSON. The database builds it: it writes doubles that read back exactly, and no row becomes an object on the way. */
function pointJson(dialect: Dialect, withRun: boolean): string {
  const run = withRun ? ", 'run_id', run_id" : '';
  return dialect === 'sqlite'
    ? `json_object('key', key, 'value', CASE is_nan WHEN 1 THEN 'NaN' ELSE value END, 'timestamp', timestamp, 'step', step${run})`
    : `json_build_object('key', key, 'value', CASE is_nan WHEN 1 THEN to_json('NaN'::text) ELSE to_json(value) END, 'timestamp', timestamp, 'step', step${run})`;
}

/** SQLite hands the rows of a limited subquery to the aggregate in the subquery's order; asking for it again would sort twice. */
function arrayOf(dialect: Dialect, element: string, orderBy: string): string {
  return dialect === 'sqlite' ? `json_group_array(${element})` : `coalesce(json_agg(${element} ORDER BY ${orderBy}), '[]')::text`;
}

const RUN_PK = '(SELECT r.pk FROM runs r JOIN experiments e ON e.id = r.experiment_id WHERE r.run_id = ? AND e.workspace_id = ?)';
const HISTORY_ORDER = 'timestamp, step, value, is_nan';

/** A JSON list of at most `limit` points by time, and how many it holds. */
export async function historyJson(
  db: Queries,
  query: { workspaceId: number; runId: string; key: string; offset: number; limit: number },
): Promise<{ json: string; count: number }> {
  const element = pointJson(db.dialect, false);
  const row = await db.one<{ json: string; count: number }>(
    `SELECT ${arrayOf(db.dialect, element, HISTORY_ORDER)} AS json, count(*) AS count FROM (SELECT key, timestamp, step, value, is_nan FROM metrics ` +
      `WHERE run_pk = ${RUN_PK} AND key = ? ORDER BY ${HISTORY_ORDER} LIMIT ? OFFSET ?) AS page`,
    query.runId,
    query.workspaceId,
    query.key,
    query.limit,
    query.offset,
  );
  return row ?? { json: '[]', count: 0 };
}

/** A JSON list of the points of several runs, by run id and time. */
export async function bulkJson(
  db: Queries,
  query: { workspaceId: number; runIds: readonly string[]; key: string; limit: number },
): Promise<string> {
  const row = await db.one<{ json: string }>(
    `SELECT ${arrayOf(db.dialect, pointJson(db.dialect, true), `run_id, ${HISTORY_ORDER}`)} AS json FROM (` +
      `SELECT r.run_id, m.key, m.timestamp, m.step, m.value, m.is_nan FROM runs r JOIN experiments e ON e.id = r.experiment_id AND e.workspace_id = ? ` +
      `JOIN metrics m ON m.run_pk = r.pk AND m.key = ? WHERE r.run_id IN (${textList(db.dialect)}) ` +
      'ORDER BY r.run_id, m.timestamp, m.step, m.value, m.is_nan LIMIT ?) AS page',
    query.workspaceId,
    query.key,
    JSON.stringify(query.runIds),
    query.limit,
  );
  return row?.json ?? '[]';
}

export interface StepRange {
  readonly workspaceId: number;
  readonly runIds: readonly string[];
  readonly key: string;
  /** Inclusive. */
  readonly start: Int64;
  readonly end: Int64;
}

function inRange(dialect: Dialect): string {
  return (
    'FROM runs r JOIN experiments e ON e.id = r.experiment_id AND e.workspace_id = ? JOIN metrics m ON m.run_pk = r.pk AND m.key = ? ' +
    `WHERE r.run_id IN (${textList(dialect)})`
  );
}

/** The distinct steps of all runs together, ascending. */
export async function listSteps(db: Queries, range: StepRange): Promise<Int64[]> {
  const rows = await db.all<{ step: Int64 }>(
    `SELECT DISTINCT m.step ${inRange(db.dialect)} AND m.step BETWEEN ? AND ? ORDER BY m.step`,
    range.workspaceId,
    range.key,
    JSON.stringify(range.runIds),
    range.start,
    range.end,
  );
  return rows.map((row) => row.step);
}

/** Each run's first and last step, over its whole history. */
export async function listBounds(db: Queries, range: StepRange): Promise<Int64[]> {
  const rows = await db.all<{ first: Int64; last: Int64 }>(
    `SELECT min(m.step) AS first, max(m.step) AS last ${inRange(db.dialect)} GROUP BY r.pk`,
    range.workspaceId,
    range.key,
    JSON.stringify(range.runIds),
  );
  return rows.flatMap((row) => [row.first, row.last]);
}

/** A JSON list of one run's points at the given steps, by step. */
export async function atStepsJson(
  db: Queries,
  query: { workspaceId: number; runId: string; key: string; steps: readonly Int64[]; limit: number },
): Promise<string> {
  const steps = db.dialect === 'sqlite' ? 'SELECT value FROM json_each(?)' : 'SELECT value::bigint FROM json_array_elements_text(?::json)';
  const row = await db.one<{ json: string }>(
    `SELECT ${arrayOf(db.dialect, pointJson(db.dialect, true), 'step, timestamp, value, is_nan')} AS json FROM (` +
      `SELECT ? AS run_id, key, timestamp, step, value, is_nan FROM metrics WHERE run_pk = ${RUN_PK} AND key = ? AND step IN (${steps}) ` +
      'ORDER BY step, timestamp, value, is_nan LIMIT ?) AS page',
    query.runId,
    query.runId,
    query.workspaceId,
    query.key,
    JSON.stringify(query.steps),
    query.limit,
  );
  return row?.json ?? '[]';
}

function textList(dialect: Dialect): string {
  return dialect === 'sqlite' ? 'SELECT value FROM json_each(?)' : 'SELECT json_array_elements_text(?::json)';
}
