import { idList, idsOf, type Queries } from '../../platform/db/database.ts';

export interface AliasRow {
  readonly modelId: number;
  readonly alias: string;
  readonly version: number;
  readonly versionId: number;
}

const COLUMNS = 'a.model_id AS "modelId", a.alias, v.version, v.id AS "versionId"';
const ALIASES_MAX = 10_000;

/** By model and alias. */
export function listOfModels(db: Queries, modelIds: readonly number[]): Promise<AliasRow[]> {
  return db.all(
    `SELECT ${COLUMNS} FROM model_aliases a JOIN model_versions v ON v.id = a.version_id WHERE a.model_id IN (${idsOf(db)}) ` +
      `ORDER BY a.model_id, a.alias LIMIT ${ALIASES_MAX}`,
    idList(db, modelIds),
  );
}

/** Of all models of a workspace, in any case, by name of the model; the key by model is asked once per model. */
export function listNamed(
  db: Queries,
  workspaceId: number,
  alias: string,
  limit: number,
): Promise<{ readonly name: string; readonly alias: string }[]> {
  return db.all(
    'SELECT m.name, a.alias FROM registered_models m JOIN model_aliases a ON a.model_id = m.id ' +
      'WHERE m.workspace_id = ? AND m.deleted_at IS NULL AND lower(a.alias) = lower(?) ORDER BY m.name, a.alias LIMIT ?',
    workspaceId,
    alias,
    limit,
  );
}

export function find(db: Queries, modelId: number, alias: string): Promise<AliasRow | undefined> {
  return db.one(
    `SELECT ${COLUMNS} FROM model_aliases a JOIN model_versions v ON v.id = a.version_id WHERE a.model_id = ? AND a.alias = ?`,
    modelId,
    alias,
  );
}

export function listOfVersion(db: Queries, versionId: number): Promise<{ alias: string }[]> {
  return db.all(`SELECT alias FROM model_aliases WHERE version_id = ? ORDER BY alias LIMIT ${ALIASES_MAX}`, versionId);
}

export async function upsert(tx: Queries, modelId: number, alias: string, versionId: number, by: number): Promise<void> {
  await tx.run(
    'INSERT INTO model_aliases (model_id, alias, version_id, written_by) VALUES (?, ?, ?, ?) ' +
      'ON CONFLICT (model_id, alias) DO UPDATE SET version_id = excluded.version_id, written_by = excluded.written_by',
    modelId,
    alias,
    versionId,
    by,
  );
}

export async function remove(tx: Queries, modelId: number, alias: string): Promise<boolean> {
  return (await tx.run('DELETE FROM model_aliases WHERE model_id = ? AND alias = ?', modelId, alias)) > 0;
}
