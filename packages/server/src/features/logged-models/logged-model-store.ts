/** Logged models as rows: one statement reads a whole model, its lists as JSON that the database builds. */
import type { Int64 } from '@countersign/contract/mlflow/message.ts';
import { idList, idsOf, type Queries, type SqlValue } from '../../platform/db/database.ts';
import { foldedColumn } from '../../platform/db/fold.ts';
import { jsonRows } from '../../platform/db/json-rows.ts';
import { parseExact } from '../../platform/http/json.ts';

export interface KeyValue {
  readonly key: string;
  readonly value: string;
}

/** `'NaN'` where the value is not a number: JSON has no number for it. */
export interface LoggedModelMetric {
  readonly key: string;
  readonly value: number | 'NaN';
  readonly timestamp: Int64;
  readonly step: Int64;
  readonly run_id: string;
  readonly dataset_name: string | null;
  readonly dataset_digest: string | null;
}

/** Upstream's numbers: 1 pending, 2 ready, 3 upload failed. */
export type LoggedModelStatus = 0 | 1 | 2 | 3;

export interface LoggedModel {
  readonly pk: number;
  readonly modelId: string;
  readonly experimentId: number;
  readonly name: string;
  readonly artifactUri: string;
  readonly status: LoggedModelStatus;
  /** Empty where the client gave none; so is `sourceRunId`. */
  readonly modelType: string;
  readonly sourceRunId: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly lifecycle: 'active' | 'deleted';
  readonly writtenBy: number;
  /** The authenticated principal. */
  readonly createdBy: number;
  readonly tags: readonly KeyValue[];
  readonly params: readonly KeyValue[];
  /** All logged points, by key, time and step. */
  readonly metrics: readonly LoggedModelMetric[];
}

interface Row {
  readonly pk: number;
  readonly model_id: string;
  readonly experiment_id: number;
  readonly name: string;
  readonly artifact_uri: string;
  readonly status: LoggedModelStatus;
  readonly model_type: string | null;
  readonly source_run_id: string | null;
  readonly created_at: number;
  readonly updated_at: number;
  readonly lifecycle: 'active' | 'deleted';
  readonly written_by: number;
  readonly created_by: number;
  readonly tags: string;
  readonly params: string;
  readonly metrics: string;
}

const selectFor = new Map<string, string>();

function select(dialect: Queries['dialect']): string {
  let sql = selectFor.get(dialect);
  if (sql === undefined) {
    const pair = { key: 'key', value: 'value' };
    const value =
      dialect === 'sqlite'
        ? "CASE is_nan WHEN 1 THEN 'NaN' ELSE value END"
        : "CASE is_nan WHEN 1 THEN to_json('NaN'::text) ELSE to_json(value) END";
    const point = {
      key: 'key',
      value,
      timestamp: 'timestamp',
      step: 'step',
      run_id: 'run_id',
      dataset_name: 'dataset_name',
      dataset_digest: 'dataset_digest',
    };
    sql =
      'SELECT m.pk, m.model_id, m.experiment_id, m.name, m.artifact_uri, m.status, m.model_type, m.source_run_id, m.created_at, m.updated_at, ' +
      'm.lifecycle, m.written_by, m.created_by, ' +
      `${jsonRows(dialect, pair, 'logged_model_tags WHERE model_pk = m.pk', 'key')} AS tags, ` +
      `${jsonRows(dialect, pair, 'logged_model_params WHERE model_pk = m.pk', 'key')} AS params, ` +
      `${jsonRows(dialect, point, 'logged_model_metrics WHERE model_pk = m.pk', 'key, timestamp, step, run_id')} AS metrics ` +
      'FROM logged_models m';
    selectFor.set(dialect, sql);
  }
  return sql;
}

function fromRow(row: Row): LoggedModel {
  return {
    pk: row.pk,
    modelId: row.model_id,
    experimentId: row.experiment_id,
    name: row.name,
    artifactUri: row.artifact_uri,
    status: row.status,
    modelType: row.model_type ?? '',
    sourceRunId: row.source_run_id ?? '',
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    lifecycle: row.lifecycle,
    writtenBy: row.written_by,
    createdBy: row.created_by,
    tags: readRows(row.tags),
    params: readRows(row.params),
    metrics: readRows(row.metrics),
  };
}

/** The shape is the query's. Only a long whole number needs the slow, exact reading. */
function readRows<T>(text: string): readonly T[] {
  if (text === '[]') return [];
  return (/:\s?-?\d{16,}[,}]/.test(text) ? parseExact(text) : JSON.parse(text)) as T[];
}

export async function findById(db: Queries, workspaceId: number, modelId: string): Promise<LoggedModel | undefined> {
  const row = await db.one<Row>(
    `${select(db.dialect)} JOIN experiments e ON e.id = m.experiment_id WHERE m.model_id = ? AND e.workspace_id = ?`,
    modelId,
    workspaceId,
  );
  return row && fromRow(row);
}

/** In the order of `pks`; those that don't exist are left out. */
export async function listByPk(db: Queries, pks: readonly number[]): Promise<LoggedModel[]> {
  if (pks.length === 0) return [];
  const rows = await db.all<Row>(`${select(db.dialect)} WHERE m.pk IN (${idsOf(db)})`, idList(db, pks));
  const byPk = new Map(rows.map((row) => [row.pk, fromRow(row)]));
  return pks.flatMap((pk) => byPk.get(pk) ?? []);
}

export interface Head {
  readonly pk: number;
  readonly experimentId: number;
  readonly sourceRunId: string | null;
  readonly artifactUri: string;
  readonly status: LoggedModelStatus;
  readonly lifecycle: 'active' | 'deleted';
  /** The authenticated principal. */
  readonly createdBy: number;
}

/** Without its lists. */
export async function findHead(db: Queries, workspaceId: number, modelId: string): Promise<Head | undefined> {
  const row = await db.one<Pick<Row, 'pk' | 'experiment_id' | 'source_run_id' | 'artifact_uri' | 'status' | 'lifecycle' | 'created_by'>>(
    'SELECT m.pk, m.experiment_id, m.source_run_id, m.artifact_uri, m.status, m.lifecycle, m.created_by FROM logged_models m JOIN experiments e ON e.id = m.experiment_id ' +
      'WHERE m.model_id = ? AND e.workspace_id = ?',
    modelId,
    workspaceId,
  );
  return (
    row && {
      pk: row.pk,
      experimentId: row.experiment_id,
      sourceRunId: row.source_run_id,
      artifactUri: row.artifact_uri,
      status: row.status,
      lifecycle: row.lifecycle,
      createdBy: row.created_by,
    }
  );
}

export interface FinalFacts {
  readonly params: readonly KeyValue[];
  /** Of each key and dataset the point with the greatest (step, timestamp, value), by key. */
  readonly metrics: readonly Pick<LoggedModelMetric, 'key' | 'value' | 'dataset_name' | 'dataset_digest'>[];
}

const FINAL_MAX = 10_000;

/** Both lists along their tables' keys, which begin with the model. */
export async function findFinal(db: Queries, workspaceId: number, modelId: string): Promise<FinalFacts | undefined> {
  const head = await findHead(db, workspaceId, modelId);
  if (head === undefined) return undefined;
  const params = await db.all<KeyValue>(
    `SELECT key, value FROM logged_model_params WHERE model_pk = ? ORDER BY key LIMIT ${FINAL_MAX}`,
    head.pk,
  );
  const points = await db.all<{ key: string; value: number; is_nan: number; dataset_name: string | null; dataset_digest: string | null }>(
    `SELECT key, value, is_nan, dataset_name, dataset_digest FROM (
       SELECT key, value, is_nan, dataset_name, dataset_digest, row_number() OVER (
         PARTITION BY key, dataset_name, dataset_digest ORDER BY step DESC, timestamp DESC, value DESC, is_nan DESC) AS place
       FROM logged_model_metrics WHERE model_pk = ?) AS ranked
     WHERE place = 1 ORDER BY key, dataset_name, dataset_digest LIMIT ${FINAL_MAX}`,
    head.pk,
  );
  return { params, metrics: points.map(({ is_nan, ...point }) => ({ ...point, value: is_nan === 1 ? 'NaN' : point.value })) };
}

export interface NewRow {
  readonly modelId: string;
  readonly experimentId: number;
  readonly name: string;
  readonly artifactUri: string;
  readonly status: LoggedModelStatus;
  readonly modelType: string;
  readonly sourceRunId: string;
  readonly at: number;
  readonly by: number;
}

export async function insert(tx: Queries, model: NewRow): Promise<number> {
  const row = await tx.one<{ pk: number }>(
    'INSERT INTO logged_models (model_id, experiment_id, name, name_folded, artifact_uri, status, model_type, source_run_id, created_at, ' +
      "updated_at, lifecycle, written_by, created_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'active', ?, ?) RETURNING pk",
    model.modelId,
    model.experimentId,
    model.name,
    foldedColumn(model.name),
    model.artifactUri,
    model.status,
    model.modelType,
    model.sourceRunId,
    model.at,
    model.at,
    model.by,
    model.by,
  );
  if (row === undefined) throw new TypeError('INSERT … RETURNING gave no row');
  return row.pk;
}

export async function setStatus(tx: Queries, pk: number, status: LoggedModelStatus, at: number, by: number): Promise<void> {
  await tx.run('UPDATE logged_models SET status = ?, updated_at = ?, written_by = ? WHERE pk = ?', status, at, by, pk);
}

export async function setLifecycle(tx: Queries, pk: number, lifecycle: 'active' | 'deleted', at: number, by: number): Promise<void> {
  await tx.run('UPDATE logged_models SET lifecycle = ?, updated_at = ?, written_by = ? WHERE pk = ?', lifecycle, at, by, pk);
}

export async function findTag(db: Queries, pk: number, key: string): Promise<string | undefined> {
  return (await db.one<{ value: string }>('SELECT value FROM logged_model_tags WHERE model_pk = ? AND key = ?', pk, key))?.value;
}

/** Last write wins; `pairs` hold no key twice. */
export async function putTags(tx: Queries, pk: number, pairs: readonly KeyValue[], by: number): Promise<void> {
  await insertPairs(
    tx,
    'logged_model_tags',
    ' ON CONFLICT (model_pk, key) DO UPDATE SET value = excluded.value, folded = excluded.folded, written_by = excluded.written_by',
    pk,
    pairs,
    by,
  );
}

/** Whether there was one. */
export async function deleteTag(tx: Queries, pk: number, key: string): Promise<boolean> {
  return (await tx.run('DELETE FROM logged_model_tags WHERE model_pk = ? AND key = ?', pk, key)) > 0;
}

/** How many were new: a param that is there stays as it is. */
export function insertParams(tx: Queries, pk: number, pairs: readonly KeyValue[], by: number): Promise<number> {
  return insertPairs(tx, 'logged_model_params', ' ON CONFLICT DO NOTHING', pk, pairs, by);
}

const ROWS_PER_STATEMENT = 100;

async function insertPairs(
  tx: Queries,
  table: 'logged_model_tags' | 'logged_model_params',
  conflict: string,
  pk: number,
  pairs: readonly KeyValue[],
  by: number,
): Promise<number> {
  let inserted = 0;
  for (let i = 0; i < pairs.length; i += ROWS_PER_STATEMENT) {
    const part = pairs.slice(i, i + ROWS_PER_STATEMENT);
    inserted += await tx.run(
      `INSERT INTO ${table} (model_pk, key, value, folded, written_by) VALUES ${part.map(() => '(?, ?, ?, ?, ?)').join(', ')}${conflict}`,
      ...part.flatMap((pair): SqlValue[] => [pk, pair.key, pair.value, foldedColumn(pair.value), by]),
    );
  }
  return inserted;
}

export interface MetricRow {
  readonly key: string;
  readonly timestamp: Int64;
  readonly step: Int64;
  readonly runId: string;
  readonly value: number;
  readonly isNan: 0 | 1;
  readonly datasetName: string | null;
  readonly datasetDigest: string | null;
}

/** A point that is there already stays as it is: clients log the same again. */
export async function insertMetrics(tx: Queries, pk: number, rows: readonly MetricRow[], by: number): Promise<void> {
  for (let i = 0; i < rows.length; i += ROWS_PER_STATEMENT) {
    const part = rows.slice(i, i + ROWS_PER_STATEMENT);
    await tx.run(
      'INSERT INTO logged_model_metrics (model_pk, key, timestamp, step, run_id, value, is_nan, dataset_name, dataset_digest, written_by) ' +
        `VALUES ${part.map(() => '(?, ?, ?, ?, ?, ?, ?, ?, ?, ?)').join(', ')} ON CONFLICT DO NOTHING`,
      ...part.flatMap((row): SqlValue[] => [
        pk,
        row.key,
        row.timestamp,
        row.step,
        row.runId,
        row.value,
        row.isNan,
        row.datasetName,
        row.datasetDigest,
        by,
      ]),
    );
  }
}
