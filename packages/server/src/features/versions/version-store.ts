import type { Stage } from '@countersign/contract/stages.ts';
import { idList, idsOf, type Queries } from '../../platform/db/database.ts';
import { foldedColumn } from '../../platform/db/fold.ts';
import { jsonRows, readJsonRows } from '../../platform/db/json-rows.ts';
import type { Tag } from '../models/models.ts';

export type SealState = 'unsealed' | 'sealing' | 'sealed' | 'failed';
/** `verified`: uploaded under the run and logged model that it names. `claimed`: the client named them, and nothing shows it. */
export type Lineage = 'verified' | 'claimed' | 'none';

export interface ModelVersion {
  readonly id: number;
  readonly modelId: number;
  readonly name: string;
  readonly version: number;
  readonly description: string | null;
  readonly source: string;
  readonly storageLocation: string;
  readonly runId: string;
  readonly runLink: string;
  readonly loggedModelId: string | null;
  readonly stage: Stage;
  readonly isPrompt: boolean;
  readonly lineage: Lineage;
  readonly sealState: SealState;
  readonly sealReason: string | null;
  readonly treeId: number | null;
  readonly damagedAt: number | null;
  /** The version that it was copied from, which may have been deleted or purged since. */
  readonly originVersionId: number | null;
  /** The principal that registered it. */
  readonly registeredBy: number;
  /** The principal that last changed its description or tags, or else registered it. */
  readonly editedBy: number;
  /** The principal that changed it last. */
  readonly writtenBy: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly deletedAt: number | null;
  readonly tags: readonly Tag[];
  readonly aliases: readonly string[];
}

/** What a change of a version's tags or aliases asks first. */
export type VersionIdentity = Pick<ModelVersion, 'id' | 'modelId' | 'name' | 'version' | 'isPrompt' | 'treeId' | 'editedBy'>;

type VersionRow = Omit<ModelVersion, 'tags' | 'aliases' | 'isPrompt'> & {
  readonly tags: string;
  readonly aliases: string;
  readonly isPrompt: number;
};

const COLUMNS = `v.id, v.model_id AS "modelId", m.name, v.version, v.description, v.source, v.storage_location AS "storageLocation", v.run_id AS "runId",
  v.run_link AS "runLink", v.logged_model_id AS "loggedModelId", v.stage, v.is_prompt AS "isPrompt", v.lineage, v.seal_state AS "sealState",
  v.seal_reason AS "sealReason", v.tree_id AS "treeId", v.damaged_at AS "damagedAt",
  v.origin_version_id AS "originVersionId", v.registered_by AS "registeredBy", v.edited_by AS "editedBy", v.written_by AS "writtenBy", v.created_at AS "createdAt", v.updated_at AS "updatedAt",
  v.deleted_at AS "deletedAt"`;

const selectFor = new Map<string, string>();

/** The columns of a version with its tags and aliases; `m` and `v` are the model and the version. */
function select(db: Queries, from: string): string {
  const key = `${db.dialect} ${from}`;
  let sql = selectFor.get(key);
  if (sql === undefined) {
    const tags = jsonRows(db.dialect, { key: 'key', value: 'value' }, 'model_version_tags WHERE version_id = v.id', 'key');
    const aliases = jsonRows(db.dialect, { alias: 'alias' }, 'model_aliases WHERE version_id = v.id', 'alias');
    sql = `SELECT ${COLUMNS}, ${tags} AS tags, ${aliases} AS aliases FROM ${from}`;
    selectFor.set(key, sql);
  }
  return sql;
}

function fromRow(row: VersionRow): ModelVersion {
  return {
    ...row,
    isPrompt: row.isPrompt === 1,
    tags: readJsonRows<Tag>(row.tags),
    aliases: row.aliases === '[]' ? NO_ALIASES : readJsonRows<{ alias: string }>(row.aliases).map((each) => each.alias),
  };
}

const NO_ALIASES: readonly string[] = [];
const BY_NAME =
  'registered_models m JOIN model_versions v ON v.model_id = m.id WHERE m.workspace_id = ? AND m.name = ? AND m.deleted_at IS NULL';

export async function find(db: Queries, workspaceId: number, name: string, version: number): Promise<ModelVersion | undefined> {
  const row = await db.one<VersionRow>(select(db, `${BY_NAME} AND v.version = ? AND v.deleted_at IS NULL`), workspaceId, name, version);
  return row && fromRow(row);
}

export async function findIdentity(db: Queries, workspaceId: number, name: string, version: number): Promise<VersionIdentity | undefined> {
  const row = await db.one<Omit<VersionIdentity, 'isPrompt'> & { isPrompt: number }>(
    `SELECT v.id, v.model_id AS "modelId", m.name, v.version, v.is_prompt AS "isPrompt", v.tree_id AS "treeId", v.edited_by AS "editedBy" FROM ${BY_NAME} AND v.version = ? AND v.deleted_at IS NULL`,
    workspaceId,
    name,
    version,
  );
  return row && { ...row, isPrompt: row.isPrompt === 1 };
}

export async function findById(db: Queries, workspaceId: number, id: number): Promise<ModelVersion | undefined> {
  const from = 'model_versions v JOIN registered_models m ON m.id = v.model_id WHERE v.id = ? AND v.workspace_id = ?';
  const row = await db.one<VersionRow>(select(db, from), id, workspaceId);
  return row && fromRow(row);
}

/** In the order of the ids. */
export async function listByIds(db: Queries, ids: readonly number[]): Promise<ModelVersion[]> {
  if (ids.length === 0) return [];
  const rows = await db.all<VersionRow>(
    select(db, `model_versions v JOIN registered_models m ON m.id = v.model_id WHERE v.id IN (${idsOf(db)})`),
    idList(db, ids),
  );
  const byId = new Map(rows.map((row) => [row.id, fromRow(row)]));
  return ids.flatMap((id) => byId.get(id) ?? []);
}

export async function findByAlias(db: Queries, workspaceId: number, name: string, alias: string): Promise<ModelVersion | undefined> {
  const from =
    'registered_models m JOIN model_aliases a ON a.model_id = m.id JOIN model_versions v ON v.id = a.version_id ' +
    'WHERE m.workspace_id = ? AND m.name = ? AND m.deleted_at IS NULL AND a.alias = ? AND v.deleted_at IS NULL';
  const row = await db.one<VersionRow>(select(db, from), workspaceId, name, alias);
  return row && fromRow(row);
}

export async function findNewest(db: Queries, workspaceId: number, name: string): Promise<ModelVersion | undefined> {
  const row = await db.one<VersionRow>(
    select(db, `${BY_NAME} AND v.deleted_at IS NULL ORDER BY v.version DESC LIMIT 1`),
    workspaceId,
    name,
  );
  return row && fromRow(row);
}

/** The newest version of each of the stages that each model has, by model and number; asked of an index once per model and stage. */
export async function listLatest(db: Queries, modelIds: readonly number[], stages: readonly Stage[]): Promise<ModelVersion[]> {
  const lists =
    db.dialect === 'sqlite'
      ? 'json_each(?) w CROSS JOIN json_each(?) s'
      : 'unnest(?::bigint[]) AS w (value) CROSS JOIN unnest(?::text[]) AS s (value)';
  const from =
    `${lists} JOIN model_versions v ON v.id = (SELECT id FROM model_versions ` +
    'WHERE model_id = w.value AND stage = s.value AND deleted_at IS NULL ORDER BY version DESC LIMIT 1) ' +
    'JOIN registered_models m ON m.id = v.model_id ORDER BY v.model_id, v.version';
  return (await db.all<VersionRow>(select(db, from), idList(db, modelIds), nameList(db, stages))).map(fromRow);
}

/** As one bound value. Names of stages hold nothing that either form would read as its own. */
function nameList(db: Queries, stages: readonly Stage[]): string {
  const names = stages.map((stage) => JSON.stringify(stage)).join(',');
  return db.dialect === 'sqlite' ? `[${names}]` : `{${names}}`;
}

const STAGE_PAGE = 1000;

/** Every version that is in a stage now, oldest first; read by pages. */
export async function listInStage(db: Queries, modelId: number, stage: Stage): Promise<ModelVersion[]> {
  const from =
    'registered_models m JOIN model_versions v ON v.model_id = m.id WHERE m.id = ? AND v.stage = ? AND v.deleted_at IS NULL ' +
    `AND v.version > ? ORDER BY v.version LIMIT ${STAGE_PAGE}`;
  const found: ModelVersion[] = [];
  for (;;) {
    const page = await db.all<VersionRow>(select(db, from), modelId, stage, found.at(-1)?.version ?? 0);
    found.push(...page.map(fromRow));
    if (page.length < STAGE_PAGE) return found;
  }
}

export interface Standing {
  readonly name: string;
  readonly version: number;
}

/** Of all models of a workspace, by name and number; asked of the index by stage once per model. */
export function listStanding(db: Queries, workspaceId: number, stage: Stage, limit: number): Promise<Standing[]> {
  return db.all(
    'SELECT m.name, v.version FROM registered_models m JOIN model_versions v ON v.model_id = m.id AND v.stage = ? AND v.deleted_at IS NULL ' +
      'WHERE m.workspace_id = ? AND m.deleted_at IS NULL ORDER BY m.name, v.version LIMIT ?',
    stage,
    workspaceId,
    limit,
  );
}

/** Newest first, those below a number. */
export async function listOfModel(db: Queries, modelId: number, belowVersion: number, limit: number): Promise<ModelVersion[]> {
  const from =
    'registered_models m JOIN model_versions v ON v.model_id = m.id WHERE m.id = ? AND v.version < ? AND v.deleted_at IS NULL ' +
    'ORDER BY v.version DESC LIMIT ?';
  return (await db.all<VersionRow>(select(db, from), modelId, belowVersion, limit)).map(fromRow);
}

/** Along model_versions_by_origin. */
export async function listCopyIds(db: Queries, originIds: readonly number[], limit: number): Promise<number[]> {
  const rows = await db.all<{ id: number }>(
    `SELECT id FROM model_versions WHERE origin_version_id IN (${idsOf(db)}) AND deleted_at IS NULL ORDER BY id LIMIT ?`,
    idList(db, originIds),
    limit,
  );
  return rows.map(({ id }) => id);
}

export interface NewVersionRow {
  readonly modelId: number;
  readonly workspaceId: number;
  readonly version: number;
  readonly description: string | null;
  readonly source: string;
  readonly storageLocation: string;
  readonly runId: string;
  readonly runLink: string;
  readonly loggedModelId: string | null;
  readonly isPrompt: boolean;
  readonly lineage: Lineage;
  readonly sealState: SealState;
  readonly sealReason: string | null;
  readonly treeId: number | null;
  readonly originVersionId: number | null;
  readonly at: number;
  readonly by: number;
}

export async function insert(tx: Queries, row: NewVersionRow): Promise<number> {
  const made = await tx.one<{ id: number }>(
    `INSERT INTO model_versions (model_id, workspace_id, version, description, source, storage_location, run_id, run_link, logged_model_id, stage, is_prompt,
       lineage, seal_state, seal_reason, tree_id, origin_version_id, created_at, updated_at, registered_by, edited_by, written_by)
     VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, 'None', ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id`,
    row.modelId,
    row.workspaceId,
    row.version,
    row.description,
    row.source,
    row.storageLocation,
    row.runId,
    row.runLink,
    row.loggedModelId,
    row.isPrompt ? 1 : 0,
    row.lineage,
    row.sealState,
    row.sealReason,
    row.treeId,
    row.originVersionId,
    row.at,
    row.at,
    row.by,
    row.by,
    row.by,
  );
  if (!made) throw new Error('an insert of a version answered no id');
  return made.id;
}

export async function setDescription(tx: Queries, id: number, description: string | null, at: number, by: number): Promise<void> {
  await tx.run(
    'UPDATE model_versions SET description = ?, updated_at = ?, edited_by = ?, written_by = ? WHERE id = ?',
    description,
    at,
    by,
    by,
    id,
  );
}

export async function setStage(tx: Queries, id: number, stage: Stage, at: number, by: number): Promise<void> {
  await tx.run('UPDATE model_versions SET stage = ?, updated_at = ?, written_by = ? WHERE id = ?', stage, at, by, id);
}

export async function setSeal(tx: Queries, id: number, state: SealState, reason: string | null, treeId: number | null): Promise<void> {
  await tx.run('UPDATE model_versions SET seal_state = ?, seal_reason = ?, tree_id = ? WHERE id = ?', state, reason, treeId, id);
}

export async function setDamaged(tx: Queries, id: number, at: number): Promise<boolean> {
  return (await tx.run('UPDATE model_versions SET damaged_at = ? WHERE id = ? AND damaged_at IS NULL', at, id)) > 0;
}

export async function touchAll(tx: Queries, modelId: number, at: number): Promise<void> {
  await tx.run('UPDATE model_versions SET updated_at = ? WHERE model_id = ? AND deleted_at IS NULL', at, modelId);
}

export async function markDeleted(tx: Queries, id: number, at: number, by: number): Promise<void> {
  await tx.run("UPDATE model_versions SET deleted_at = ?, deleted_by = ?, stage = 'None' WHERE id = ?", at, by, id);
}

/** Answers how many there were. */
export function markAllDeleted(tx: Queries, modelId: number, at: number, by: number): Promise<number> {
  return tx.run(
    "UPDATE model_versions SET deleted_at = ?, deleted_by = ?, stage = 'None' WHERE model_id = ? AND deleted_at IS NULL",
    at,
    by,
    modelId,
  );
}

/** Those that went with the model, not those that were deleted before it. */
export async function markRestoredWith(tx: Queries, modelId: number, deletedAt: number): Promise<number> {
  return tx.run('UPDATE model_versions SET deleted_at = NULL, deleted_by = NULL WHERE model_id = ? AND deleted_at = ?', modelId, deletedAt);
}

export async function markRestored(tx: Queries, id: number, at: number, by: number): Promise<void> {
  await tx.run('UPDATE model_versions SET deleted_at = NULL, deleted_by = NULL, updated_at = ?, written_by = ? WHERE id = ?', at, by, id);
}

/** Of each of the model's sealed versions, deleted ones too: one tree may be there several times. */
export async function listTrees(db: Queries, modelId: number): Promise<number[]> {
  const rows = await db.all<{ tree_id: number }>(
    'SELECT tree_id FROM model_versions WHERE model_id = ? AND tree_id IS NOT NULL ORDER BY id LIMIT 1000000',
    modelId,
  );
  return rows.map((row) => row.tree_id);
}

export async function moveAll(tx: Queries, workspaceId: number, toId: number): Promise<void> {
  await tx.run('UPDATE model_versions SET workspace_id = ? WHERE workspace_id = ?', toId, workspaceId);
}

export async function eraseAll(tx: Queries, modelId: number): Promise<void> {
  await tx.run('DELETE FROM model_version_tags WHERE version_id IN (SELECT id FROM model_versions WHERE model_id = ?)', modelId);
  await tx.run('DELETE FROM model_aliases WHERE model_id = ?', modelId);
  await tx.run(
    'INSERT INTO purged_versions (id, model_id, version, registered_by, origin_version_id) ' +
      'SELECT id, model_id, version, registered_by, origin_version_id FROM model_versions WHERE model_id = ?',
    modelId,
  );
  await tx.run('DELETE FROM model_versions WHERE model_id = ?', modelId);
}

/** What is known of a version that was purged. */
export type PurgedVersion = Pick<ModelVersion, 'modelId' | 'version' | 'registeredBy' | 'originVersionId'>;

export function findPurged(db: Queries, id: number): Promise<PurgedVersion | undefined> {
  return db.one(
    'SELECT model_id AS "modelId", version, registered_by AS "registeredBy", origin_version_id AS "originVersionId" FROM purged_versions WHERE id = ?',
    id,
  );
}

const DELETED_PAGE = 1000;

export async function findDeleted(db: Queries, modelId: number, version: number): Promise<ModelVersion | undefined> {
  const from =
    'registered_models m JOIN model_versions v ON v.model_id = m.id WHERE m.id = ? AND v.version = ? AND v.deleted_at IS NOT NULL';
  const row = await db.one<VersionRow>(select(db, from), modelId, version);
  return row && fromRow(row);
}

export async function listDeleted(db: Queries, modelId: number): Promise<ModelVersion[]> {
  const from = `registered_models m JOIN model_versions v ON v.model_id = m.id WHERE m.id = ? AND v.deleted_at IS NOT NULL ORDER BY v.version LIMIT ${DELETED_PAGE}`;
  return (await db.all<VersionRow>(select(db, from), modelId)).map(fromRow);
}

export async function listWaitingForLoggedModel(db: Queries, loggedModelId: string): Promise<ModelVersion[]> {
  const from =
    "model_versions v JOIN registered_models m ON m.id = v.model_id WHERE v.logged_model_id = ? AND v.seal_state IN ('unsealed', 'sealing') AND v.deleted_at IS NULL ORDER BY v.id LIMIT 1000";
  return (await db.all<VersionRow>(select(db, from), loggedModelId)).map(fromRow);
}

export async function upsertTag(tx: Queries, id: number, key: string, value: string, by: number): Promise<void> {
  await tx.run(
    'INSERT INTO model_version_tags (version_id, key, value, folded, written_by) VALUES (?, ?, ?, ?, ?) ' +
      'ON CONFLICT (version_id, key) DO UPDATE SET value = excluded.value, folded = excluded.folded, written_by = excluded.written_by',
    id,
    key,
    value,
    foldedColumn(value),
    by,
  );
}

export async function removeTag(tx: Queries, id: number, key: string): Promise<boolean> {
  return (await tx.run('DELETE FROM model_version_tags WHERE version_id = ? AND key = ?', id, key)) > 0;
}

/** Who changed its tags. */
export async function setEditor(tx: Queries, id: number, by: number): Promise<void> {
  await tx.run('UPDATE model_versions SET edited_by = ? WHERE id = ? AND edited_by <> ?', by, id, by);
}

/** Which of these trees a version, deleted or not, is sealed over. */
export async function listReferredTrees(db: Queries, treeIds: readonly number[]): Promise<number[]> {
  const rows = await db.all<{ tree_id: number }>(
    `SELECT DISTINCT tree_id FROM model_versions WHERE tree_id IN (${idsOf(db)})`,
    idList(db, treeIds),
  );
  return rows.map((row) => row.tree_id);
}
