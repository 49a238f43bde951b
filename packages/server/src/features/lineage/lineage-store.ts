/** Reads across the tables of tracking and registry: each statement goes along one edge of the graph, and says along which index. */
import { idList, idsOf, type Queries } from '../../platform/db/database.ts';

export interface VersionRow {
  readonly id: number;
  readonly modelId: number;
  readonly model: string;
  readonly version: number;
  readonly source: string;
  readonly runId: string;
  readonly loggedModelId: string | null;
  readonly originVersionId: number | null;
  readonly lineage: string;
  readonly sealState: string;
  readonly digest: string | null;
  readonly stage: string;
  readonly createdAt: number;
  readonly deletedAt: number | null;
}

export interface RunRow {
  readonly pk: number;
  readonly runId: string;
  readonly experimentId: number;
  readonly name: string;
  readonly status: string;
  readonly startTime: number | bigint | null;
  readonly endTime: number | bigint | null;
}

export interface LoggedModelRow {
  readonly modelId: string;
  readonly experimentId: number;
  readonly name: string;
  readonly modelType: string | null;
  readonly sourceRunId: string | null;
  readonly createdAt: number;
}

export interface DatasetRow {
  readonly id: number;
  readonly experimentId: number;
  readonly name: string;
  readonly digest: string;
  readonly sourceType: string;
  readonly source: string;
}

/** A list of texts that is bound as one value, see `textList`. */
function textsOf(db: Queries): string {
  return db.dialect === 'sqlite' ? 'SELECT value FROM json_each(?)' : 'SELECT jsonb_array_elements_text(?::jsonb)';
}

const textList = (texts: readonly string[]): string => JSON.stringify(texts);

const VERSIONS =
  'SELECT v.id, v.model_id AS "modelId", m.name AS model, v.version, v.source, v.run_id AS "runId", v.logged_model_id AS "loggedModelId", ' +
  'v.origin_version_id AS "originVersionId", v.lineage, v.seal_state AS "sealState", t.digest, v.stage, v.created_at AS "createdAt", ' +
  'v.deleted_at AS "deletedAt" FROM model_versions v JOIN registered_models m ON m.id = v.model_id LEFT JOIN trees t ON t.id = v.tree_id';

/** Deleted ones too. Along the key. */
export function listVersions(db: Queries, workspaceId: number, ids: readonly number[]): Promise<VersionRow[]> {
  return db.all(`${VERSIONS} WHERE v.id IN (${idsOf(db)}) AND v.workspace_id = ? ORDER BY v.id LIMIT 1000`, idList(db, ids), workspaceId);
}

/** Along model_versions_by_run. */
export function listVersionsOfRuns(db: Queries, workspaceId: number, runIds: readonly string[], limit: number): Promise<VersionRow[]> {
  return db.all(
    `${VERSIONS} WHERE v.run_id IN (${textsOf(db)}) AND v.deleted_at IS NULL AND v.workspace_id = ? ORDER BY v.id LIMIT ?`,
    textList(runIds),
    workspaceId,
    limit,
  );
}

/** Along model_versions_by_logged_model. */
export function listVersionsOfLoggedModels(db: Queries, workspaceId: number, ids: readonly string[], limit: number): Promise<VersionRow[]> {
  return db.all(
    `${VERSIONS} WHERE v.logged_model_id IN (${textsOf(db)}) AND v.deleted_at IS NULL AND v.workspace_id = ? ORDER BY v.id LIMIT ?`,
    textList(ids),
    workspaceId,
    limit,
  );
}

/** Along model_versions_by_origin. */
export function listCopies(db: Queries, workspaceId: number, ids: readonly number[], limit: number): Promise<VersionRow[]> {
  return db.all(
    `${VERSIONS} WHERE v.origin_version_id IN (${idsOf(db)}) AND v.deleted_at IS NULL AND v.workspace_id = ? ORDER BY v.id LIMIT ?`,
    idList(db, ids),
    workspaceId,
    limit,
  );
}

const RUNS =
  'SELECT r.pk, r.run_id AS "runId", r.experiment_id AS "experimentId", r.name, r.status, r.start_time AS "startTime", r.end_time AS "endTime" ' +
  'FROM runs r JOIN experiments e ON e.id = r.experiment_id';

/** Along the unique key of run_id. */
export function listRuns(db: Queries, workspaceId: number, runIds: readonly string[]): Promise<RunRow[]> {
  return db.all(
    `${RUNS} WHERE r.run_id IN (${textsOf(db)}) AND e.workspace_id = ? ORDER BY r.pk LIMIT 1000`,
    textList(runIds),
    workspaceId,
  );
}

/** With the dataset that each read, along run_datasets_by_dataset. */
export function listRunsOfDatasets(
  db: Queries,
  workspaceId: number,
  datasetIds: readonly number[],
  limit: number,
): Promise<(RunRow & { readonly datasetId: number })[]> {
  const from = RUNS.replace('SELECT ', 'SELECT d.dataset_id AS "datasetId", ').replace(
    'FROM runs r',
    'FROM run_datasets d JOIN runs r ON r.pk = d.run_pk',
  );
  return db.all(
    `${from} WHERE d.dataset_id IN (${idsOf(db)}) AND e.workspace_id = ? ORDER BY r.pk LIMIT ?`,
    idList(db, datasetIds),
    workspaceId,
    limit,
  );
}

/** Runs that read a logged model, along run_model_inputs_by_model. */
export function listRunsOfInputs(
  db: Queries,
  workspaceId: number,
  modelIds: readonly string[],
  limit: number,
): Promise<(RunRow & { readonly modelId: string })[]> {
  const from = RUNS.replace('SELECT ', 'SELECT i.model_id AS "modelId", ').replace(
    'FROM runs r',
    'FROM run_model_inputs i JOIN runs r ON r.pk = i.run_pk',
  );
  return db.all(
    `${from} WHERE i.model_id IN (${textsOf(db)}) AND e.workspace_id = ? ORDER BY r.pk LIMIT ?`,
    textList(modelIds),
    workspaceId,
    limit,
  );
}

/** Tags that say which code ran, along the key. */
export function listRunTags(
  db: Queries,
  runPks: readonly number[],
  keys: readonly string[],
): Promise<{ readonly runPk: number; readonly key: string; readonly value: string }[]> {
  return db.all(
    `SELECT run_pk AS "runPk", key, value FROM run_tags WHERE run_pk IN (${idsOf(db)}) AND key IN (${textsOf(db)}) ORDER BY run_pk, key LIMIT 10000`,
    idList(db, runPks),
    textList(keys),
  );
}

const DATASETS = 's.id, s.experiment_id AS "experimentId", s.name, s.digest, s.source_type AS "sourceType", s.source';

/** Along the key of run_datasets. */
export function listDatasetsOfRuns(
  db: Queries,
  runPks: readonly number[],
  limit: number,
): Promise<(DatasetRow & { readonly runPk: number })[]> {
  return db.all(
    `SELECT ${DATASETS}, d.run_pk AS "runPk" FROM run_datasets d JOIN datasets s ON s.id = d.dataset_id WHERE d.run_pk IN (${idsOf(db)}) ` +
      'ORDER BY d.run_pk, d.position, s.id LIMIT ?',
    idList(db, runPks),
    limit,
  );
}

/** Along datasets_of_digest. */
export function listDatasetsByDigest(db: Queries, workspaceId: number, digest: string, limit: number): Promise<DatasetRow[]> {
  return db.all(
    `SELECT ${DATASETS} FROM datasets s JOIN experiments e ON e.id = s.experiment_id WHERE s.digest = ? AND e.workspace_id = ? ORDER BY s.id LIMIT ?`,
    digest,
    workspaceId,
    limit,
  );
}

const LOGGED_MODELS =
  'SELECT l.model_id AS "modelId", l.experiment_id AS "experimentId", l.name, l.model_type AS "modelType", l.source_run_id AS "sourceRunId", ' +
  'l.created_at AS "createdAt" FROM logged_models l JOIN experiments e ON e.id = l.experiment_id';

/** Along the unique key of model_id. */
export function listLoggedModels(db: Queries, workspaceId: number, ids: readonly string[]): Promise<LoggedModelRow[]> {
  return db.all(
    `${LOGGED_MODELS} WHERE l.model_id IN (${textsOf(db)}) AND e.workspace_id = ? ORDER BY l.pk LIMIT 1000`,
    textList(ids),
    workspaceId,
  );
}

/** Along logged_models_by_run. */
export function listLoggedModelsOfRuns(
  db: Queries,
  workspaceId: number,
  runIds: readonly string[],
  limit: number,
): Promise<LoggedModelRow[]> {
  return db.all(
    `${LOGGED_MODELS} WHERE l.source_run_id IN (${textsOf(db)}) AND e.workspace_id = ? ORDER BY l.pk LIMIT ?`,
    textList(runIds),
    workspaceId,
    limit,
  );
}

/** Which logged models these runs read, along the key of run_model_inputs. */
export function listInputsOfRuns(
  db: Queries,
  runPks: readonly number[],
  limit: number,
): Promise<{ readonly runPk: number; readonly modelId: string }[]> {
  return db.all(
    `SELECT run_pk AS "runPk", model_id AS "modelId" FROM run_model_inputs WHERE run_pk IN (${idsOf(db)}) ORDER BY run_pk, model_id LIMIT ?`,
    idList(db, runPks),
    limit,
  );
}
