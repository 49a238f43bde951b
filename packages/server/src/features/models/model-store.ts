import sql from 'sql-template-tag';
import { idList, idsOf, type Queries, type SqlValue } from '../../platform/db/database.ts';
import { foldedColumn } from '../../platform/db/fold.ts';
import { jsonRows, readJsonRows } from '../../platform/db/json-rows.ts';
import { allOf } from '../../platform/db/search-plan.ts';
import type { SearchScope } from '../../platform/db/search-scope.ts';

export interface Tag {
  readonly key: string;
  readonly value: string;
}

export interface RegisteredModel {
  readonly id: number;
  readonly name: string;
  readonly description: string | null;
  readonly isPrompt: boolean;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly deletedAt: number | null;
  readonly tags: readonly Tag[];
}

/** What a change of a model or of its versions asks first. */
export type ModelIdentity = Pick<RegisteredModel, 'id' | 'name' | 'isPrompt'>;

interface ModelRow {
  readonly id: number;
  readonly name: string;
  readonly description: string | null;
  readonly is_prompt: number;
  readonly created_at: number;
  readonly updated_at: number;
  readonly deleted_at: number | null;
  readonly tags: string;
}

const sqlFor = new Map<string, string>();

function select(db: Queries, where: string): string {
  const key = `${db.dialect} ${where}`;
  let sql = sqlFor.get(key);
  if (sql === undefined) {
    const tags = jsonRows(db.dialect, { key: 'key', value: 'value' }, 'registered_model_tags WHERE model_id = m.id', 'key');
    sql = `SELECT m.id, m.name, m.description, m.is_prompt, m.created_at, m.updated_at, m.deleted_at, ${tags} AS tags FROM registered_models m WHERE ${where}`;
    sqlFor.set(key, sql);
  }
  return sql;
}

function fromRow(row: ModelRow): RegisteredModel {
  return {
    id: row.id,
    name: row.name,
    description: row.description,
    isPrompt: row.is_prompt === 1,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    deletedAt: row.deleted_at,
    tags: readJsonRows<Tag>(row.tags),
  };
}

export async function findByName(db: Queries, workspaceId: number, name: string): Promise<RegisteredModel | undefined> {
  const row = await db.one<ModelRow>(select(db, 'm.workspace_id = ? AND m.name = ? AND m.deleted_at IS NULL'), workspaceId, name);
  return row && fromRow(row);
}

export async function findIdentity(db: Queries, workspaceId: number, name: string): Promise<ModelIdentity | undefined> {
  const row = await db.one<Pick<ModelRow, 'id' | 'name' | 'is_prompt'>>(
    'SELECT id, name, is_prompt FROM registered_models WHERE workspace_id = ? AND name = ? AND deleted_at IS NULL',
    workspaceId,
    name,
  );
  return row && { id: row.id, name: row.name, isPrompt: row.is_prompt === 1 };
}

export async function findById(db: Queries, workspaceId: number, id: number): Promise<RegisteredModel | undefined> {
  const row = await db.one<ModelRow>(select(db, 'm.id = ? AND m.workspace_id = ?'), id, workspaceId);
  return row && fromRow(row);
}

/** In the order of the ids. */
export async function listByIds(db: Queries, ids: readonly number[]): Promise<RegisteredModel[]> {
  if (ids.length === 0) return [];
  const rows = await db.all<ModelRow>(select(db, `m.id IN (${idsOf(db)})`), idList(db, ids));
  const byId = new Map(rows.map((row) => [row.id, fromRow(row)]));
  return ids.flatMap((id) => byId.get(id) ?? []);
}

export async function countActive(db: Queries, workspaceId: number): Promise<number> {
  const row = await db.one<{ n: number }>(
    'SELECT count(*) AS n FROM registered_models WHERE workspace_id = ? AND deleted_at IS NULL',
    workspaceId,
  );
  return row?.n ?? 0;
}

/** By id. */
export async function listActive(db: Queries, workspaceId: number, page: { afterId: number; limit: number }): Promise<RegisteredModel[]> {
  const rows = await db.all<ModelRow>(
    select(db, 'm.workspace_id = ? AND m.deleted_at IS NULL AND m.id > ? ORDER BY m.id LIMIT ?'),
    workspaceId,
    page.afterId,
    page.limit,
  );
  return rows.map(fromRow);
}

const NAMES_SHOWN = 20;

export async function listNamesInBoth(db: Queries, workspaceId: number, otherId: number): Promise<string[]> {
  const rows = await db.all<{ name: string }>(
    'SELECT a.name FROM registered_models a JOIN registered_models b ON b.name = a.name AND b.deleted_at IS NULL ' +
      `WHERE a.workspace_id = ? AND a.deleted_at IS NULL AND b.workspace_id = ? ORDER BY a.name LIMIT ${NAMES_SHOWN}`,
    workspaceId,
    otherId,
  );
  return rows.map((row) => row.name);
}

export async function moveAll(tx: Queries, workspaceId: number, toId: number, by: number): Promise<void> {
  await tx.run('UPDATE registered_models SET workspace_id = ?, written_by = ? WHERE workspace_id = ?', toId, by, workspaceId);
}

const DELETED_PAGE = 1000;

/** Deleted models that were not purged, newest id last within a name. */
export async function listDeleted(
  db: Queries,
  workspaceId: number,
  name: string | undefined,
  scope: SearchScope | undefined,
): Promise<RegisteredModel[]> {
  const where = allOf([
    sql`m.workspace_id = ${workspaceId} AND m.deleted_at IS NOT NULL`,
    ...(name === undefined ? [] : [sql`m.name = ${name}`]),
    ...(scope === undefined ? [] : [scope.includes(sql`m.id`, sql`m.name`)]),
  ]);
  const rows = await db.all<ModelRow>(
    select(db, `${where.sql} ORDER BY m.name, m.id LIMIT ${DELETED_PAGE}`),
    ...(where.values as SqlValue[]), // composed from SqlValues only
  );
  return rows.map(fromRow);
}

/** Undefined where the name is taken. */
export async function insert(
  tx: Queries,
  model: { workspaceId: number; name: string; description: string | null; isPrompt: boolean; at: number; by: number },
): Promise<number | undefined> {
  const row = await tx.one<{ id: number }>(
    'INSERT INTO registered_models (workspace_id, name, name_folded, description, is_prompt, created_at, updated_at, written_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?) ' +
      'ON CONFLICT DO NOTHING RETURNING id',
    model.workspaceId,
    model.name,
    foldedColumn(model.name),
    model.description,
    model.isPrompt ? 1 : 0,
    model.at,
    model.at,
    model.by,
  );
  return row?.id;
}

export async function setDescription(tx: Queries, id: number, description: string | null, at: number, by: number): Promise<void> {
  await tx.run('UPDATE registered_models SET description = ?, updated_at = ?, written_by = ? WHERE id = ?', description, at, by, id);
}

export async function setName(tx: Queries, id: number, name: string, at: number, by: number): Promise<void> {
  await tx.run(
    'UPDATE registered_models SET name = ?, name_folded = ?, updated_at = ?, written_by = ? WHERE id = ?',
    name,
    foldedColumn(name),
    at,
    by,
    id,
  );
}

/**
 * Until the commit nobody else changes the model, or what stands in its stages and aliases. SQLite has one writer; on PostgreSQL a replica
 * that waited here sees what the other committed.
 */
export async function lockByName(tx: Queries, workspaceId: number, name: string): Promise<void> {
  if (tx.dialect === 'sqlite') return;
  await tx.all(
    'SELECT id FROM registered_models WHERE workspace_id = ? AND name = ? AND deleted_at IS NULL FOR NO KEY UPDATE',
    workspaceId,
    name,
  );
}

/** The same for a model that may be deleted. */
export async function lockById(tx: Queries, workspaceId: number, id: number): Promise<void> {
  if (tx.dialect === 'sqlite') return;
  await tx.all('SELECT id FROM registered_models WHERE id = ? AND workspace_id = ? FOR UPDATE', id, workspaceId);
}

export async function touch(tx: Queries, id: number, at: number): Promise<void> {
  await tx.run('UPDATE registered_models SET updated_at = ? WHERE id = ?', at, id);
}

export async function setPrompt(tx: Queries, id: number, isPrompt: boolean): Promise<void> {
  await tx.run('UPDATE registered_models SET is_prompt = ? WHERE id = ?', isPrompt ? 1 : 0, id);
}

/** The next number of the model; one caller at a time, since the row is locked by the update. */
export async function takeNextVersion(tx: Queries, id: number, at: number): Promise<number> {
  const row = await tx.one<{ last_version: number }>(
    'UPDATE registered_models SET last_version = last_version + 1, updated_at = ? WHERE id = ? RETURNING last_version',
    at,
    id,
  );
  if (!row) throw new Error(`registered model ${id} vanished inside a transaction`);
  return row.last_version;
}

export async function markDeleted(tx: Queries, id: number, at: number, by: number): Promise<void> {
  await tx.run('UPDATE registered_models SET deleted_at = ?, deleted_by = ? WHERE id = ?', at, by, id);
}

export async function markRestored(tx: Queries, id: number, name: string, at: number, by: number): Promise<void> {
  await tx.run(
    'UPDATE registered_models SET deleted_at = NULL, deleted_by = NULL, name = ?, name_folded = ?, updated_at = ?, written_by = ? WHERE id = ?',
    name,
    foldedColumn(name),
    at,
    by,
    id,
  );
}

export async function erase(tx: Queries, id: number): Promise<void> {
  await tx.run('DELETE FROM registered_model_tags WHERE model_id = ?', id);
  await tx.run('DELETE FROM registered_models WHERE id = ?', id);
}

export async function upsertTag(tx: Queries, id: number, key: string, value: string, by: number): Promise<void> {
  await tx.run(
    'INSERT INTO registered_model_tags (model_id, key, value, folded, written_by) VALUES (?, ?, ?, ?, ?) ' +
      'ON CONFLICT (model_id, key) DO UPDATE SET value = excluded.value, folded = excluded.folded, written_by = excluded.written_by',
    id,
    key,
    value,
    foldedColumn(value),
    by,
  );
}

export async function removeTag(tx: Queries, id: number, key: string): Promise<boolean> {
  return (await tx.run('DELETE FROM registered_model_tags WHERE model_id = ? AND key = ?', id, key)) > 0;
}
