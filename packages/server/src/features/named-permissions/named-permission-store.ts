import type { Queries } from '../../platform/db/database.ts';

export type HolderKind = 'user' | 'group';

export interface Holding {
  readonly permission: string;
  readonly holderKind: HolderKind;
  readonly holderId: number;
  readonly givenAt: number;
}

const COLUMNS = 'permission, subject_kind AS "holderKind", subject_id AS "holderId", given_at AS "givenAt"';

/** False where it has it already. */
export async function insert(tx: Queries, workspaceId: number, row: Holding, by: number): Promise<boolean> {
  const changed = await tx.run(
    'INSERT INTO permission_holders (workspace_id, permission, subject_kind, subject_id, given_at, written_by) VALUES (?, ?, ?, ?, ?, ?) ' +
      'ON CONFLICT (workspace_id, permission, subject_kind, subject_id) DO NOTHING',
    workspaceId,
    row.permission,
    row.holderKind,
    row.holderId,
    row.givenAt,
    by,
  );
  return changed > 0;
}

export async function remove(tx: Queries, workspaceId: number, permission: string, kind: HolderKind, id: number): Promise<boolean> {
  const changed = await tx.run(
    'DELETE FROM permission_holders WHERE workspace_id = ? AND permission = ? AND subject_kind = ? AND subject_id = ?',
    workspaceId,
    permission,
    kind,
    id,
  );
  return changed > 0;
}

/** By permission, then kind, then id. */
export function list(db: Queries, workspaceId: number, limit: number): Promise<Holding[]> {
  return db.all(
    `SELECT ${COLUMNS} FROM permission_holders WHERE workspace_id = ? ORDER BY permission, subject_kind, subject_id LIMIT ?`,
    workspaceId,
    limit,
  );
}

export function listOfPermission(db: Queries, workspaceId: number, permission: string, limit: number): Promise<Holding[]> {
  return db.all(
    `SELECT ${COLUMNS} FROM permission_holders WHERE workspace_id = ? AND permission = ? ORDER BY subject_kind, subject_id LIMIT ?`,
    workspaceId,
    permission,
    limit,
  );
}

/** In every workspace. */
export function listOfHolder(db: Queries, kind: HolderKind, id: number): Promise<(Holding & { readonly workspaceId: number })[]> {
  return db.all(
    `SELECT ${COLUMNS}, workspace_id AS "workspaceId" FROM permission_holders WHERE subject_kind = ? AND subject_id = ? ORDER BY workspace_id, permission LIMIT 10000`,
    kind,
    id,
  );
}
