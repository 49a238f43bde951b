/** Everything that is written on runs. Many rows are one statement where a round trip costs (PostgreSQL), and a loop where it doesn't. */
import type { Int64 } from '@countersign/contract/mlflow/message.ts';
import type { Queries } from '../../platform/db/database.ts';
import { foldedColumn } from '../../platform/db/fold.ts';
import type { NewDataset } from './run-rules.ts';
import type { KeyValue, Lifecycle, RunStatus } from './run-store.ts';

export interface NewRunRow {
  readonly runId: string;
  readonly experimentId: number;
  readonly name: string;
  readonly userId: string;
  readonly status: RunStatus;
  readonly startTime: Int64;
  readonly artifactUri: string;
  readonly by: number;
}

export async function insert(tx: Queries, run: NewRunRow): Promise<number> {
  const row = await tx.one<{ pk: number }>(
    'INSERT INTO runs (run_id, experiment_id, name, user_id, status, start_time, artifact_uri, lifecycle, written_by, created_by) ' +
      "VALUES (?, ?, ?, ?, ?, ?, ?, 'active', ?, ?) RETURNING pk",
    run.runId,
    run.experimentId,
    run.name,
    run.userId,
    run.status,
    run.startTime,
    run.artifactUri,
    run.by,
    run.by,
  );
  if (row === undefined) throw new TypeError('the database gave no key for a new run');
  return row.pk;
}

export async function setInfo(
  tx: Queries,
  pk: number,
  change: { status: RunStatus; endTime: Int64 | null; name: string; by: number },
): Promise<void> {
  await tx.run(
    'UPDATE runs SET status = ?, end_time = ?, name = ?, written_by = ? WHERE pk = ?',
    change.status,
    change.endTime,
    change.name,
    change.by,
    pk,
  );
}

export async function setLifecycle(tx: Queries, pk: number, lifecycle: Lifecycle, deletedAt: number | null, by: number): Promise<void> {
  await tx.run('UPDATE runs SET lifecycle = ?, deleted_at = ?, written_by = ? WHERE pk = ?', lifecycle, deletedAt, by, pk);
}

const INSERT_TAG = 'INSERT INTO run_tags (run_pk, key, value, folded, written_by)';
const REPLACE_TAG =
  'ON CONFLICT (run_pk, key) DO UPDATE SET value = excluded.value, folded = excluded.folded, written_by = excluded.written_by';
const POSTGRES_ROWS =
  'SELECT ?::bigint, key, value, folded, ?::bigint FROM json_to_recordset(?::json) AS t (key text, value text, folded text)';

/** Last write wins; `tags` holds each key once. */
export async function putTags(tx: Queries, pk: number, tags: readonly KeyValue[], by: number): Promise<void> {
  if (tags.length === 0) return;
  if (tx.dialect === 'postgres') {
    await tx.run(`${INSERT_TAG} ${POSTGRES_ROWS} ${REPLACE_TAG}`, pk, by, rowsOf(tags));
    return;
  }
  for (const { key, value } of tags) {
    await tx.run(`${INSERT_TAG} VALUES (?, ?, ?, ?, ?) ${REPLACE_TAG}`, pk, key, value, foldedColumn(value), by);
  }
}

/** Whether there was one. */
export async function deleteTag(tx: Queries, pk: number, key: string): Promise<boolean> {
  return (await tx.run('DELETE FROM run_tags WHERE run_pk = ? AND key = ?', pk, key)) > 0;
}

export async function findTag(tx: Queries, pk: number, key: string): Promise<string | undefined> {
  return (await tx.one<{ value: string }>('SELECT value FROM run_tags WHERE run_pk = ? AND key = ?', pk, key))?.value;
}

const INSERT_PARAM = 'INSERT INTO params (run_pk, key, value, folded, written_by)';

/** Adds those whose keys are new; answers the stored ones of which a key was there before. */
export async function addParams(tx: Queries, pk: number, params: readonly KeyValue[], by: number): Promise<KeyValue[]> {
  if (params.length === 0) return [];
  if (tx.dialect === 'postgres') {
    const added = await tx.run(`${INSERT_PARAM} ${POSTGRES_ROWS} ON CONFLICT DO NOTHING`, pk, by, rowsOf(params));
    if (added === params.length) return [];
    return tx.all<KeyValue>(
      'SELECT key, value FROM params WHERE run_pk = ? AND key IN (SELECT json_array_elements_text(?::json))',
      pk,
      JSON.stringify(params.map((param) => param.key)),
    );
  }
  const held: KeyValue[] = [];
  for (const { key, value } of params) {
    if ((await tx.run(`${INSERT_PARAM} VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING`, pk, key, value, foldedColumn(value), by)) > 0)
      continue;
    const found = await tx.one<KeyValue>('SELECT key, value FROM params WHERE run_pk = ? AND key = ?', pk, key);
    if (found) held.push(found);
  }
  return held;
}

function rowsOf(pairs: readonly KeyValue[]): string {
  return JSON.stringify(pairs.map(({ key, value }) => ({ key, value, folded: foldedColumn(value) })));
}

/** The dataset's id in its experiment: that of the first with this name and digest. */
export async function ensureDataset(tx: Queries, experimentId: number, dataset: NewDataset, by: number): Promise<number> {
  const find = 'SELECT id FROM datasets WHERE experiment_id = ? AND name = ? AND digest = ?';
  const known = await tx.one<{ id: number }>(find, experimentId, dataset.name, dataset.digest);
  if (known) return known.id;
  const made = await tx.one<{ id: number }>(
    'INSERT INTO datasets (experiment_id, name, digest, source_type, source, schema, profile, written_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ' +
      'ON CONFLICT DO NOTHING RETURNING id',
    experimentId,
    dataset.name,
    dataset.digest,
    dataset.sourceType,
    dataset.source,
    dataset.schema ?? null,
    dataset.profile ?? null,
    by,
  );
  // Another process made it in between.
  const id = made ?? (await tx.one<{ id: number }>(find, experimentId, dataset.name, dataset.digest));
  if (id === undefined) throw new TypeError('a dataset vanished while it was logged');
  return id.id;
}

/** False where the run has it already: its tags stay as they are. */
export async function linkDataset(tx: Queries, pk: number, datasetId: number, tags: readonly KeyValue[], by: number): Promise<boolean> {
  const linked = await tx.run(
    'INSERT INTO run_datasets (run_pk, dataset_id, position, written_by) ' +
      'SELECT ?, ?, count(*), ? FROM run_datasets WHERE run_pk = ? ON CONFLICT DO NOTHING',
    pk,
    datasetId,
    by,
    pk,
  );
  if (linked === 0) return false;
  for (const { key, value } of tags) {
    await tx.run(
      'INSERT INTO run_dataset_tags (run_pk, dataset_id, key, value, folded) VALUES (?, ?, ?, ?, ?)',
      pk,
      datasetId,
      key,
      value,
      foldedColumn(value),
    );
  }
  return true;
}

export async function addModelInput(tx: Queries, pk: number, modelId: string, by: number): Promise<void> {
  await tx.run('INSERT INTO run_model_inputs (run_pk, model_id, written_by) VALUES (?, ?, ?) ON CONFLICT DO NOTHING', pk, modelId, by);
}

export async function addModelOutput(tx: Queries, pk: number, modelId: string, step: Int64, by: number): Promise<void> {
  await tx.run('INSERT INTO run_model_outputs (run_pk, model_id, step, written_by) VALUES (?, ?, ?, ?)', pk, modelId, step, by);
}
