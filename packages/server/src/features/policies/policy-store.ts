import type { Queries } from '../../platform/db/database.ts';

export interface PolicyRow {
  readonly id: number;
  readonly workspaceId: number;
  readonly name: string;
  readonly hash: string;
  readonly mode: string;
  /** RFC 8785 of the document: what the hash is of. */
  readonly document: string;
  /** As it was written. */
  readonly source: string;
  /** JSON: digests that a rollback may bring back although they stood there before the policy enforced anything. */
  readonly listedDigests: string;
  readonly publishedAt: number;
  readonly publishedBy: number;
  readonly withdrawnAt: number | null;
  readonly withdrawnBy: number | null;
}

const COLUMNS =
  'id, workspace_id AS "workspaceId", name, hash, mode, document, source, listed_digests AS "listedDigests", published_at AS "publishedAt", ' +
  'published_by AS "publishedBy", withdrawn_at AS "withdrawnAt", withdrawn_by AS "withdrawnBy"';

/** Undefined: nothing was ever published there. */
export async function readHead(db: Queries, workspaceId: number): Promise<string | undefined> {
  return (await db.one<{ head: string }>('SELECT head FROM policy_heads WHERE workspace_id = ?', workspaceId))?.head;
}

/** Whether any workspace has a policy in enforce. */
export async function hasEnforced(db: Queries): Promise<boolean> {
  return (await db.one('SELECT 1 AS found FROM policy_heads WHERE has_enforced = 1 LIMIT 1')) !== undefined;
}

/** Workspaces with a policy in enforce; at most so many. */
export async function listEnforcedWorkspaceIds(db: Queries, limit: number): Promise<number[]> {
  const rows = await db.all<{ id: number }>(
    'SELECT workspace_id AS id FROM policy_heads WHERE has_enforced = 1 ORDER BY workspace_id LIMIT ?',
    limit,
  );
  return rows.map(({ id }) => id);
}

export async function setHead(tx: Queries, workspaceId: number, head: string, isEnforced: boolean): Promise<void> {
  await tx.run(
    'INSERT INTO policy_heads (workspace_id, head, has_enforced) VALUES (?, ?, ?) ' +
      'ON CONFLICT (workspace_id) DO UPDATE SET head = excluded.head, has_enforced = excluded.has_enforced',
    workspaceId,
    head,
    isEnforced ? 1 : 0,
  );
}

export function listInForce(db: Queries, workspaceId: number): Promise<PolicyRow[]> {
  return db.all(`SELECT ${COLUMNS} FROM policies WHERE workspace_id = ? AND withdrawn_at IS NULL ORDER BY name`, workspaceId);
}

/** By the index `policies_by_withdrawal`, from the newest withdrawals back to that time. */
export function listInForceAt(db: Queries, workspaceId: number, at: number): Promise<PolicyRow[]> {
  const published = `SELECT ${COLUMNS} FROM policies WHERE workspace_id = ? AND published_at <= ?`;
  return db.all(
    `${published} AND withdrawn_at IS NULL UNION ALL ${published} AND withdrawn_at > ? ORDER BY name`,
    workspaceId,
    at,
    workspaceId,
    at,
    at,
  );
}

export function listInForceEverywhere(db: Queries): Promise<PolicyRow[]> {
  return db.all(`SELECT ${COLUMNS} FROM policies WHERE withdrawn_at IS NULL ORDER BY workspace_id, name`);
}

/** Of the whole life of a workspace's policies, oldest first. */
export function listOfName(db: Queries, workspaceId: number, name: string): Promise<PolicyRow[]> {
  return db.all(`SELECT ${COLUMNS} FROM policies WHERE workspace_id = ? AND name = ? ORDER BY id DESC LIMIT 200`, workspaceId, name);
}

export function findByHash(db: Queries, workspaceId: number, hash: string): Promise<PolicyRow | undefined> {
  return db.one(`SELECT ${COLUMNS} FROM policies WHERE hash = ? AND workspace_id = ? ORDER BY id DESC LIMIT 1`, hash, workspaceId);
}

export async function insert(tx: Queries, row: Omit<PolicyRow, 'id' | 'withdrawnAt' | 'withdrawnBy'>): Promise<void> {
  await tx.run(
    'INSERT INTO policies (workspace_id, name, hash, mode, document, source, listed_digests, published_at, published_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?)',
    row.workspaceId,
    row.name,
    row.hash,
    row.mode,
    row.document,
    row.source,
    row.listedDigests,
    row.publishedAt,
    row.publishedBy,
  );
}

export async function withdraw(tx: Queries, workspaceId: number, name: string, at: number, by: number): Promise<boolean> {
  const changed = await tx.run(
    'UPDATE policies SET withdrawn_at = ?, withdrawn_by = ? WHERE workspace_id = ? AND name = ? AND withdrawn_at IS NULL',
    at,
    by,
    workspaceId,
    name,
  );
  return changed > 0;
}
