import { idList, idsOf, type Queries } from '../../platform/db/database.ts';

export interface PersonRow {
  readonly id: number;
  readonly kind: 'user' | 'service' | 'ci' | 'local';
  readonly name: string;
  readonly state: string;
  readonly is_admin: number;
  readonly owner_id: number | null;
  /** Of a job: the account whose access it has. */
  readonly job_of: number | null;
  /** Of a job: the account that is linked to who started it. */
  readonly starter_account: number | null;
  readonly trust: string | null;
}

const STARTER = 'LEFT JOIN ci_identities i ON i.issuer = p.starter_issuer AND i.actor_id = p.starter_id';

/** By `principals`' key, and those behind them: owners, linked accounts, accounts of jobs. */
export function listWithThoseBehind(db: Queries, ids: readonly number[]): Promise<PersonRow[]> {
  return db.all(
    `WITH asked AS (SELECT p.id, p.owner_id, p.job_of, i.principal_id AS starter_account FROM principals p ${STARTER} WHERE p.id IN (${idsOf(db)})) ` +
      'SELECT p.id, p.kind, p.name, p.state, p.is_admin, p.owner_id, p.job_of, i.principal_id AS starter_account, t.name AS trust ' +
      `FROM principals p ${STARTER} LEFT JOIN ci_trusts t ON p.kind = 'ci' AND t.principal_id = COALESCE(p.job_of, p.id) AND t.removed_at IS NULL ` +
      'WHERE p.id IN (SELECT id FROM asked UNION SELECT owner_id FROM asked WHERE owner_id IS NOT NULL UNION SELECT job_of FROM asked WHERE job_of IS NOT NULL ' +
      'UNION SELECT starter_account FROM asked WHERE starter_account IS NOT NULL) ORDER BY p.id LIMIT 100000',
    idList(db, ids),
  );
}

/** A name is that of the server's group, and of the workspace's only where the server has none of it. */
const IN_REACH =
  '(g.workspace_id = -1 OR (g.workspace_id = ? AND NOT EXISTS (SELECT 1 FROM account_groups s WHERE s.workspace_id = -1 AND s.name = g.name)))';

/** Members of the groups that these names mean in a workspace, by `account_groups`' unique key. */
export async function listMembers(db: Queries, workspaceId: number, names: readonly string[]): Promise<number[]> {
  const rows = await db.all<{ principal_id: number }>(
    'SELECT DISTINCT m.principal_id FROM account_groups g JOIN group_members m ON m.group_id = g.id ' +
      `WHERE g.workspace_id IN (-1, ?) AND g.name IN (${names.map(() => '?').join(', ')}) AND ${IN_REACH} ORDER BY m.principal_id LIMIT 100000`,
    workspaceId,
    ...names,
    workspaceId,
  );
  return rows.map((row) => row.principal_id);
}

/** By `group_members_by_principal`. */
export function listGroupNames(
  db: Queries,
  workspaceId: number,
  ids: readonly number[],
): Promise<{ readonly principal_id: number; readonly name: string }[]> {
  return db.all(
    'SELECT DISTINCT m.principal_id, g.name FROM group_members m JOIN account_groups g ON g.id = m.group_id ' +
      `WHERE m.principal_id IN (${idsOf(db)}) AND ${IN_REACH} ORDER BY m.principal_id, g.name LIMIT 200000`,
    idList(db, ids),
    workspaceId,
  );
}

/** Held directly or through a group, by `permission_holders_by_subject`. */
export function listPermissions(
  db: Queries,
  workspaceId: number,
  ids: readonly number[],
): Promise<{ readonly principal_id: number; readonly permission: string }[]> {
  return db.all(
    'SELECT h.subject_id AS principal_id, h.permission FROM permission_holders h ' +
      `WHERE h.subject_kind = 'user' AND h.subject_id IN (${idsOf(db)}) AND h.workspace_id = ? ` +
      'UNION SELECT m.principal_id, h.permission FROM group_members m ' +
      `JOIN permission_holders h ON h.subject_kind = 'group' AND h.subject_id = m.group_id WHERE m.principal_id IN (${idsOf(db)}) AND h.workspace_id = ? ` +
      'ORDER BY 1, 2 LIMIT 200000',
    idList(db, ids),
    workspaceId,
    idList(db, ids),
    workspaceId,
  );
}
