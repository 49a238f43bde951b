/** Runs as rows: one statement reads a whole run, its lists as JSON that the database builds. */
import type { Int64 } from '@countersign/contract/mlflow/message.ts';
import { idList, idsOf, type Queries } from '../../platform/db/database.ts';
import { jsonRows } from '../../platform/db/json-rows.ts';
import { parseExact } from '../../platform/http/json.ts';

export type RunStatus = 'RUNNING' | 'SCHEDULED' | 'FINISHED' | 'FAILED' | 'KILLED';
export type Lifecycle = 'active' | 'deleted';

export interface KeyValue {
  readonly key: string;
  readonly value: string;
}

/** `'NaN'` where the value is not a number: JSON has no number for it. */
export interface MetricPoint {
  readonly key: string;
  readonly value: number | 'NaN';
  readonly timestamp: Int64;
  readonly step: Int64;
}

export interface RunDataset {
  readonly name: string;
  readonly digest: string;
  readonly source_type: string;
  readonly source: string;
  readonly schema: string | null;
  readonly profile: string | null;
  readonly tags: readonly KeyValue[];
}

export interface RunInfo {
  readonly pk: number;
  readonly runId: string;
  readonly experimentId: number;
  readonly name: string;
  readonly userId: string;
  readonly status: RunStatus;
  readonly startTime: Int64 | null;
  readonly endTime: Int64 | null;
  readonly artifactUri: string;
  readonly lifecycle: Lifecycle;
  readonly writtenBy: number;
  /** The authenticated principal; `userId` is what the client claims. */
  readonly createdBy: number;
}

export interface Run {
  readonly info: RunInfo;
  /** The latest point of each key, by key. */
  readonly metrics: readonly MetricPoint[];
  readonly params: readonly KeyValue[];
  readonly tags: readonly KeyValue[];
  readonly datasets: readonly RunDataset[];
  readonly modelInputs: readonly { readonly model_id: string }[];
  readonly modelOutputs: readonly { readonly model_id: string; readonly step: Int64 }[];
}

/** A run whose lists are JSON text as the database built it: of `Run`'s members, `[]` where there are none. */
export interface RunText {
  readonly info: RunInfo;
  readonly metrics: string;
  readonly params: string;
  readonly tags: string;
  readonly datasets: string;
  readonly modelInputs: string;
  readonly modelOutputs: string;
}

interface InfoRow {
  readonly pk: number;
  readonly run_id: string;
  readonly experiment_id: number;
  readonly name: string;
  readonly user_id: string;
  readonly status: RunStatus;
  readonly start_time: Int64 | null;
  readonly end_time: Int64 | null;
  readonly artifact_uri: string;
  readonly lifecycle: Lifecycle;
  readonly written_by: number;
  readonly created_by: number;
}

interface RunRow extends InfoRow {
  readonly metrics: string;
  readonly params: string;
  readonly tags: string;
  readonly datasets: string;
  readonly model_inputs: string;
  readonly model_outputs: string;
}

const INFO =
  'r.pk, r.run_id, r.experiment_id, r.name, r.user_id, r.status, r.start_time, r.end_time, r.artifact_uri, r.lifecycle, r.written_by, r.created_by';
const IN_WORKSPACE = 'FROM runs r JOIN experiments e ON e.id = r.experiment_id WHERE r.run_id = ? AND e.workspace_id = ?';

function fromInfoRow(row: InfoRow): RunInfo {
  return {
    pk: row.pk,
    runId: row.run_id,
    experimentId: row.experiment_id,
    name: row.name,
    userId: row.user_id,
    status: row.status,
    startTime: row.start_time,
    endTime: row.end_time,
    artifactUri: row.artifact_uri,
    lifecycle: row.lifecycle,
    writtenBy: row.written_by,
    createdBy: row.created_by,
  };
}

function fromRow(row: RunRow): RunText {
  return {
    info: fromInfoRow(row),
    metrics: row.metrics,
    params: row.params,
    tags: row.tags,
    datasets: row.datasets,
    modelInputs: row.model_inputs,
    modelOutputs: row.model_outputs,
  };
}

/** The run with its lists read. */
export function readRun(text: RunText): Run {
  return {
    info: text.info,
    metrics: readRows(text.metrics),
    params: readRows(text.params),
    tags: readRows(text.tags),
    datasets: readDatasets(text.datasets),
    modelInputs: readRows(text.modelInputs),
    modelOutputs: readRows(text.modelOutputs),
  };
}

export function readDatasets(text: RunText['datasets']): readonly RunDataset[] {
  return readRows(text);
}

/** The shape is the query's. Steps may pass 2^53. */
function readRows<Row>(text: string): readonly Row[] {
  return text === '[]' ? [] : (parseExact(text) as Row[]);
}

const columnsFor = new Map<string, string>();

function columns(dialect: Queries['dialect']): string {
  let sql = columnsFor.get(dialect);
  if (sql === undefined) {
    const sqlite = dialect === 'sqlite';
    const keyValue = { key: 'key', value: 'value' };
    const value = sqlite
      ? "CASE is_nan WHEN 1 THEN 'NaN' ELSE value END"
      : "CASE is_nan WHEN 1 THEN to_json('NaN'::text) ELSE to_json(value) END";
    const tags = jsonRows(dialect, keyValue, 'run_dataset_tags WHERE run_pk = d.run_pk AND dataset_id = d.dataset_id', 'key');
    const datasets = jsonRows(
      dialect,
      {
        name: 's.name',
        digest: 's.digest',
        source_type: 's.source_type',
        source: 's.source',
        schema: 's.schema',
        profile: 's.profile',
        tags: sqlite ? `json(${tags})` : `(${tags})::json`,
      },
      'run_datasets d JOIN datasets s ON s.id = d.dataset_id WHERE d.run_pk = r.pk',
      'd.position, d.dataset_id',
    );
    sql = [
      INFO,
      `${jsonRows(dialect, { key: 'key', value, timestamp: 'timestamp', step: 'step' }, 'latest_metrics WHERE run_pk = r.pk', 'key')} AS metrics`,
      `${jsonRows(dialect, keyValue, 'params WHERE run_pk = r.pk', 'key')} AS params`,
      `${jsonRows(dialect, keyValue, 'run_tags WHERE run_pk = r.pk', 'key')} AS tags`,
      `${datasets} AS datasets`,
      `${jsonRows(dialect, { model_id: 'model_id' }, 'run_model_inputs WHERE run_pk = r.pk', 'model_id')} AS model_inputs`,
      `${jsonRows(dialect, { model_id: 'model_id', step: 'step' }, 'run_model_outputs WHERE run_pk = r.pk', 'id')} AS model_outputs`,
    ].join(', ');
    columnsFor.set(dialect, sql);
  }
  return sql;
}

export async function findInfo(db: Queries, workspaceId: number, runId: string): Promise<RunInfo | undefined> {
  const row = await db.one<InfoRow>(`SELECT ${INFO} ${IN_WORKSPACE}`, runId, workspaceId);
  return row && fromInfoRow(row);
}

export async function findRun(db: Queries, workspaceId: number, runId: string): Promise<RunText | undefined> {
  const row = await db.one<RunRow>(`SELECT ${columns(db.dialect)} ${IN_WORKSPACE}`, runId, workspaceId);
  return row && fromRow(row);
}

/** In the order of `pks`; those that don't exist are left out. */
export async function listByPk(db: Queries, pks: readonly number[]): Promise<RunText[]> {
  if (pks.length === 0) return [];
  const rows = await db.all<RunRow>(`SELECT ${columns(db.dialect)} FROM runs r WHERE r.pk IN (${idsOf(db)})`, idList(db, pks));
  const byPk = new Map(rows.map((row) => [row.pk, fromRow(row)]));
  return pks.flatMap((pk) => byPk.get(pk) ?? []);
}
