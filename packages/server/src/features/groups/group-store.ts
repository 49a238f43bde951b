import { idList, idsOf, type Queries } from '../../platform/db/database.ts';

export interface Group {
  readonly id: number;
  /** -1: of the whole server. */
  readonly workspaceId: number;
  readonly name: string;
  readonly description: string | null;
  readonly createdAt: number;
}

interface GroupRow {
  readonly id: number;
  readonly workspace_id: number;
  readonly name: string;
  readonly description: string | null;
  readonly created_at: number;
}

const COLUMNS = 'g.id, g.workspace_id, g.name, g.description, g.created_at';

function fromRow(row: GroupRow): Group {
  return { id: row.id, workspaceId: row.workspace_id, name: row.name, description: row.description, createdAt: row.created_at };
}

/** Undefined where the name is taken in the workspace. */
export async function insert(
  tx: Queries,
  row: { workspaceId: number; name: string; description: string | null; at: number; by: number },
): Promise<number | undefined> {
  const inserted = await tx.one<{ id: number }>(
    'INSERT INTO account_groups (workspace_id, name, description, created_at, written_by) VALUES (?, ?, ?, ?, ?) ON CONFLICT (workspace_id, name) DO NOTHING RETURNING id',
    row.workspaceId,
    row.name,
    row.description,
    row.at,
    row.by,
  );
  return inserted?.id;
}

export async function findByName(db: Queries, workspaceId: number, name: string): Promise<Group | undefined> {
  const row = await db.one<GroupRow>(`SELECT ${COLUMNS} FROM account_groups g WHERE g.workspace_id = ? AND g.name = ?`, workspaceId, name);
  return row && fromRow(row);
}

export async function findById(db: Queries, id: number): Promise<Group | undefined> {
  const row = await db.one<GroupRow>(`SELECT ${COLUMNS} FROM account_groups g WHERE g.id = ?`, id);
  return row && fromRow(row);
}

export async function list(db: Queries, page: { afterId: number; limit: number }): Promise<Group[]> {
  const rows = await db.all<GroupRow>(
    `SELECT ${COLUMNS} FROM account_groups g WHERE g.id > ? ORDER BY g.id LIMIT ?`,
    page.afterId,
    page.limit,
  );
  return rows.map(fromRow);
}

/** By id. -1 for those of the server. */
export async function listPage(db: Queries, workspaceId: number, page: { afterId: number; limit: number }): Promise<Group[]> {
  const rows = await db.all<GroupRow>(
    `SELECT ${COLUMNS} FROM account_groups g WHERE g.workspace_id = ? AND g.id > ? ORDER BY g.id LIMIT ?`,
    workspaceId,
    page.afterId,
    page.limit,
  );
  return rows.map(fromRow);
}

export async function listInWorkspace(db: Queries, workspaceId: number): Promise<Group[]> {
  const rows = await db.all<GroupRow>(
    `SELECT ${COLUMNS} FROM account_groups g WHERE g.workspace_id = ? ORDER BY g.name LIMIT 10000`,
    workspaceId,
  );
  return rows.map(fromRow);
}

export async function listOf(db: Queries, principalId: number): Promise<Group[]> {
  const rows = await db.all<GroupRow>(
    `SELECT ${COLUMNS} FROM account_groups g WHERE g.id IN (SELECT group_id FROM group_members WHERE principal_id = ?) ORDER BY g.id LIMIT 10000`,
    principalId,
  );
  return rows.map(fromRow);
}

export async function listByIds(db: Queries, ids: readonly number[]): Promise<Group[]> {
  const rows = await db.all<GroupRow>(
    `SELECT ${COLUMNS} FROM account_groups g WHERE g.id IN (${idsOf(db)}) ORDER BY g.id LIMIT 10000`,
    idList(db, ids),
  );
  return rows.map(fromRow);
}

export async function update(tx: Queries, id: number, change: { name: string; description: string | null }, by: number): Promise<void> {
  await tx.run('UPDATE account_groups SET name = ?, description = ?, written_by = ? WHERE id = ?', change.name, change.description, by, id);
}

/** With its members, grants and named permissions. */
export async function remove(tx: Queries, id: number): Promise<void> {
  await tx.run('DELETE FROM group_members WHERE group_id = ?', id);
  await tx.run("DELETE FROM grants WHERE subject_kind = 'group' AND subject_id = ?", id);
  await tx.run("DELETE FROM permission_holders WHERE subject_kind = 'group' AND subject_id = ?", id);
  await tx.run('DELETE FROM account_groups WHERE id = ?', id);
}

/** False where it is there already. */
export async function addMember(
  tx: Queries,
  member: { groupId: number; principalId: number; source: string; at: number; by: number },
): Promise<boolean> {
  const changed = await tx.run(
    'INSERT INTO group_members (group_id, principal_id, source, added_at, written_by) VALUES (?, ?, ?, ?, ?) ON CONFLICT (group_id, principal_id, source) DO NOTHING',
    member.groupId,
    member.principalId,
    member.source,
    member.at,
    member.by,
  );
  return changed > 0;
}

export async function removeMember(tx: Queries, groupId: number, principalId: number, source: string): Promise<boolean> {
  return (
    (await tx.run('DELETE FROM group_members WHERE group_id = ? AND principal_id = ? AND source = ?', groupId, principalId, source)) > 0
  );
}

export async function removeMemberEverywhere(tx: Queries, principalId: number): Promise<void> {
  await tx.run('DELETE FROM group_members WHERE principal_id = ?', principalId);
}

export interface Member {
  readonly principal_id: number;
  readonly source: string;
  readonly added_at: number;
}

export function listMembers(db: Queries, groupId: number, page: { afterId: number; limit: number }): Promise<Member[]> {
  return db.all(
    'SELECT principal_id, source, added_at FROM group_members WHERE group_id = ? AND principal_id > ? ORDER BY principal_id, source LIMIT ?',
    groupId,
    page.afterId,
    page.limit,
  );
}

/** Each account once, whatever its membership comes from. */
export async function listMemberIds(db: Queries, groupId: number, page: { afterId: number; limit: number }): Promise<number[]> {
  const rows = await db.all<{ principal_id: number }>(
    'SELECT DISTINCT principal_id FROM group_members WHERE group_id = ? AND principal_id > ? ORDER BY principal_id LIMIT ?',
    groupId,
    page.afterId,
    page.limit,
  );
  return rows.map((row) => row.principal_id);
}

export function listMembershipsOf(db: Queries, groupId: number, principalIds: readonly number[]): Promise<Member[]> {
  return db.all(
    `SELECT principal_id, source, added_at FROM group_members WHERE group_id = ? AND principal_id IN (${idsOf(db)}) ORDER BY principal_id, source LIMIT 10000`,
    groupId,
    idList(db, principalIds),
  );
}

export function listNames(db: Queries, ids: readonly number[]): Promise<{ id: number; name: string }[]> {
  return db.all(`SELECT id, name FROM account_groups WHERE id IN (${idsOf(db)}) ORDER BY id LIMIT 10000`, idList(db, ids));
}

export function listMemberships(db: Queries, principalId: number): Promise<{ group_id: number; source: string }[]> {
  return db.all('SELECT group_id, source FROM group_members WHERE principal_id = ? ORDER BY group_id, source LIMIT 10000', principalId);
}

/** Each group once, whatever the membership comes from. */
export function listGroupIdsOf(db: Queries, principalIds: readonly number[]): Promise<{ principal_id: number; group_id: number }[]> {
  return db.all(
    `SELECT DISTINCT principal_id, group_id FROM group_members WHERE principal_id IN (${idsOf(db)}) ORDER BY principal_id, group_id LIMIT 200000`,
    idList(db, principalIds),
  );
}
