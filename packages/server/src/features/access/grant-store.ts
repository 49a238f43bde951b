import type { GrantLevel } from '@countersign/contract/levels.ts';
import { idList, idsOf, type Queries } from '../../platform/db/database.ts';

export type SubjectKind = 'principal' | 'group';

export interface Grant {
  readonly id: number;
  /** -1: in every workspace. */
  readonly workspaceId: number;
  readonly subjectKind: SubjectKind;
  readonly subjectId: number;
  /** `experiment`, `registered-model`, `workspace`, or a type that MLflow knows and this server only keeps. */
  readonly kind: string;
  /** -1 where it isn't about one object. */
  readonly objectId: number;
  /** Of names; '' with `objectId` -1: every object. */
  readonly prefix: string;
  readonly level: GrantLevel;
  readonly createdAt: number;
}

interface GrantRow {
  readonly id: number;
  readonly workspace_id: number;
  readonly subject_kind: SubjectKind;
  readonly subject_id: number;
  readonly kind: string;
  readonly object_id: number;
  readonly prefix: string;
  readonly level: GrantLevel;
  readonly created_at: number;
}

const COLUMNS = 'g.id, g.workspace_id, g.subject_kind, g.subject_id, g.kind, g.object_id, g.prefix, g.level, g.created_at';

function fromRow(row: GrantRow): Grant {
  return {
    id: row.id,
    workspaceId: row.workspace_id,
    subjectKind: row.subject_kind,
    subjectId: row.subject_id,
    kind: row.kind,
    objectId: row.object_id,
    prefix: row.prefix,
    level: row.level,
    createdAt: row.created_at,
  };
}

export interface GrantKey {
  readonly workspaceId: number;
  readonly subjectKind: SubjectKind;
  readonly subjectId: number;
  readonly kind: string;
  readonly objectId: number;
  readonly prefix: string;
}

const KEY = 'subject_kind = ? AND subject_id = ? AND workspace_id = ? AND kind = ? AND object_id = ? AND prefix = ?';

function valuesOf(key: GrantKey): [string, number, number, string, number, string] {
  return [key.subjectKind, key.subjectId, key.workspaceId, key.kind, key.objectId, key.prefix];
}

export async function find(db: Queries, key: GrantKey): Promise<Grant | undefined> {
  const row = await db.one<GrantRow>(`SELECT ${COLUMNS} FROM grants g WHERE ${KEY}`, ...valuesOf(key));
  return row && fromRow(row);
}

export async function findById(db: Queries, id: number): Promise<Grant | undefined> {
  const row = await db.one<GrantRow>(`SELECT ${COLUMNS} FROM grants g WHERE g.id = ?`, id);
  return row && fromRow(row);
}

/** Sets the level of a grant, which is made where there is none. Answers its id. */
export async function upsert(tx: Queries, key: GrantKey, level: GrantLevel, at: number, by: number): Promise<number> {
  const row = await tx.one<{ id: number }>(
    'INSERT INTO grants (subject_kind, subject_id, workspace_id, kind, object_id, prefix, level, created_at, written_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ' +
      'ON CONFLICT (subject_kind, subject_id, workspace_id, kind, object_id, prefix) DO UPDATE SET level = excluded.level, written_by = excluded.written_by RETURNING id',
    ...valuesOf(key),
    level,
    at,
    by,
  );
  if (row === undefined) throw new TypeError('INSERT … RETURNING answered no row');
  return row.id;
}

/** Undefined where there is one already. */
export async function insert(tx: Queries, key: GrantKey, level: GrantLevel, at: number, by: number): Promise<number | undefined> {
  const row = await tx.one<{ id: number }>(
    'INSERT INTO grants (subject_kind, subject_id, workspace_id, kind, object_id, prefix, level, created_at, written_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ' +
      'ON CONFLICT (subject_kind, subject_id, workspace_id, kind, object_id, prefix) DO NOTHING RETURNING id',
    ...valuesOf(key),
    level,
    at,
    by,
  );
  return row?.id;
}

export async function remove(tx: Queries, id: number): Promise<void> {
  await tx.run('DELETE FROM grants WHERE id = ?', id);
}

export async function listOfSubject(db: Queries, subjectKind: SubjectKind, subjectId: number): Promise<Grant[]> {
  const rows = await db.all<GrantRow>(
    `SELECT ${COLUMNS} FROM grants g WHERE g.subject_kind = ? AND g.subject_id = ? ORDER BY g.id LIMIT 100000`,
    subjectKind,
    subjectId,
  );
  return rows.map(fromRow);
}

/** The same for several subjects of a kind. */
export async function listOfSubjects(db: Queries, subjectKind: SubjectKind, subjectIds: readonly number[]): Promise<Grant[]> {
  const rows = await db.all<GrantRow>(
    `SELECT ${COLUMNS} FROM grants g WHERE g.subject_kind = ? AND g.subject_id IN (${idsOf(db)}) ORDER BY g.id LIMIT 200000`,
    subjectKind,
    idList(db, subjectIds),
  );
  return rows.map(fromRow);
}

/** Those on the object itself, of several kinds. */
export async function listOfObject(db: Queries, kinds: readonly string[], objectId: number): Promise<Grant[]> {
  const rows = await db.all<GrantRow>(
    `SELECT ${COLUMNS} FROM grants g WHERE g.kind IN (${kinds.map(() => '?').join(', ')}) AND g.object_id = ? ORDER BY g.id LIMIT 10000`,
    ...kinds,
    objectId,
  );
  return rows.map(fromRow);
}

/** By prefix, on everything and on the workspace itself: they reach objects that they don't name. */
export async function listPatterns(db: Queries, workspaceId: number, kinds: readonly string[]): Promise<Grant[]> {
  const rows = await db.all<GrantRow>(
    `SELECT ${COLUMNS} FROM grants g WHERE g.kind IN ('workspace', ${kinds.map(() => '?').join(', ')}) AND g.object_id = -1 AND g.workspace_id IN (-1, ?) ORDER BY g.id LIMIT 10000`,
    ...kinds,
    workspaceId,
  );
  return rows.map(fromRow);
}

/** -1 for those of every workspace. */
export async function listInWorkspace(db: Queries, workspaceId: number, page: { afterId: number; limit: number }): Promise<Grant[]> {
  const rows = await db.all<GrantRow>(
    `SELECT ${COLUMNS} FROM grants g WHERE g.workspace_id = ? AND g.id > ? ORDER BY g.id LIMIT ?`,
    workspaceId,
    page.afterId,
    page.limit,
  );
  return rows.map(fromRow);
}

export interface ReachingRow {
  readonly workspace_id: number;
  readonly kind: string;
  readonly object_id: number;
  readonly object_name: string | null;
  readonly prefix: string;
  readonly level: GrantLevel;
}

const REACHING =
  'SELECT g.workspace_id, g.kind, g.object_id, m.name AS object_name, g.prefix, g.level FROM grants g ' +
  "LEFT JOIN registered_models m ON g.kind IN ('registered-model', 'prompt') AND m.id = g.object_id AND m.deleted_at IS NULL WHERE ";

/** What was granted to a principal and to its groups, in every workspace. */
export function listReaching(db: Queries, principalId: number): Promise<ReachingRow[]> {
  return db.all(
    `${REACHING} g.subject_kind = 'principal' AND g.subject_id = ? ` +
      `UNION ALL ${REACHING} g.subject_kind = 'group' AND g.subject_id IN (SELECT group_id FROM group_members WHERE principal_id = ?) LIMIT 200000`,
    principalId,
    principalId,
  );
}

/** One grant as `listReaching` has it. */
export function findReaching(db: Queries, grantId: number): Promise<ReachingRow | undefined> {
  return db.one(`${REACHING} g.id = ?`, grantId);
}

export type ReachingOfRow = ReachingRow & { readonly principal_id: number };

const REACHING_COLUMNS = 'g.workspace_id, g.kind, g.object_id, NULL AS object_name, g.prefix, g.level';

/** What is by prefix, on everything or on a workspace, for several principals; by the unique key of grants. */
export function listReachingMany(db: Queries, principalIds: readonly number[], workspaceId: number): Promise<ReachingOfRow[]> {
  const here = 'g.workspace_id IN (-1, ?) AND g.object_id = -1';
  return db.all(
    `SELECT g.subject_id AS principal_id, ${REACHING_COLUMNS} FROM grants g ` +
      `WHERE g.subject_kind = 'principal' AND g.subject_id IN (${idsOf(db)}) AND ${here} ` +
      `UNION ALL SELECT m.principal_id, ${REACHING_COLUMNS} FROM group_members m CROSS JOIN grants g ` + // SQLite begins at the left of it
      `WHERE m.principal_id IN (${idsOf(db)}) AND g.subject_kind = 'group' AND g.subject_id = m.group_id AND ${here} LIMIT 200000`,
    idList(db, principalIds),
    workspaceId,
    idList(db, principalIds),
    workspaceId,
  );
}

/** What is on one object itself, for several principals; by grants_by_object, which SQLite takes only where no other index could be of use. */
export function listOnObject(
  db: Queries,
  kinds: readonly string[],
  objectId: number,
  principalIds: readonly number[],
): Promise<ReachingOfRow[]> {
  const here = `g.kind IN (${kinds.map(() => '?').join(', ')}) AND g.object_id = ?`;
  return db.all(
    `SELECT g.subject_id AS principal_id, ${REACHING_COLUMNS} FROM grants g WHERE ${here} AND g.subject_kind || '' = 'principal' AND +g.subject_id IN (${idsOf(db)}) ` +
      `UNION ALL SELECT m.principal_id, ${REACHING_COLUMNS} FROM grants g CROSS JOIN group_members m ` +
      `WHERE ${here} AND g.subject_kind || '' = 'group' AND m.group_id = +g.subject_id AND m.principal_id IN (${idsOf(db)}) LIMIT 200000`,
    ...kinds,
    objectId,
    idList(db, principalIds),
    ...kinds,
    objectId,
    idList(db, principalIds),
  );
}

export async function listManagerIds(db: Queries, workspaceId: number): Promise<number[]> {
  const managing =
    "SELECT g.subject_id FROM grants g WHERE g.kind = 'workspace' AND g.level = 'MANAGE' AND g.object_id = -1 AND g.workspace_id IN (-1, ?)";
  const rows = await db.all<{ id: number }>(
    "SELECT id FROM principals WHERE kind = 'user' AND state = 'active' AND (is_admin = 1 " +
      `OR id IN (${managing} AND g.subject_kind = 'principal') ` +
      `OR id IN (SELECT m.principal_id FROM group_members m WHERE m.group_id IN (${managing} AND g.subject_kind = 'group'))) ORDER BY id LIMIT 1000`,
    workspaceId,
    workspaceId,
  );
  return rows.map((row) => row.id);
}
