/** Openings of broken glass: who, for which policy, until when, what for, and who looked at it. Words stand beside their events. */
import type { Queries } from '../../platform/db/database.ts';

export interface OpeningRow {
  readonly id: number;
  readonly policyName: string;
  readonly openedBy: number;
  readonly openedAt: number;
  readonly expiresAt: number;
  readonly usedAt: number | null;
  /** The subject without the value of a tag. */
  readonly usedFor: string | null;
  readonly modelId: number | null;
  readonly versionId: number | null;
  readonly reviewedBy: number | null;
  readonly reviewedAt: number | null;
}

const COLUMNS =
  'id, policy_name AS "policyName", opened_by AS "openedBy", opened_at AS "openedAt", expires_at AS "expiresAt", used_at AS "usedAt", used_for AS "usedFor", ' +
  'model_id AS "modelId", version_id AS "versionId", reviewed_by AS "reviewedBy", reviewed_at AS "reviewedAt"';

export async function insert(
  tx: Queries,
  workspaceId: number,
  row: Pick<OpeningRow, 'policyName' | 'openedBy' | 'openedAt' | 'expiresAt'>,
): Promise<number> {
  const inserted = await tx.one<{ id: number }>(
    'INSERT INTO break_glass (workspace_id, policy_name, opened_by, opened_at, expires_at, written_by) VALUES (?, ?, ?, ?, ?, ?) RETURNING id',
    workspaceId,
    row.policyName,
    row.openedBy,
    row.openedAt,
    row.expiresAt,
    row.openedBy,
  );
  if (!inserted) throw new Error('an insert of an opening answered no id');
  return inserted.id;
}

export function find(db: Queries, workspaceId: number, id: number): Promise<OpeningRow | undefined> {
  return db.one(`SELECT ${COLUMNS} FROM break_glass WHERE id = ? AND workspace_id = ?`, id, workspaceId);
}

/** The newest that isn't used or over, by `break_glass_open`. */
export function findOpen(
  db: Queries,
  asked: { readonly workspaceId: number; readonly policyName: string; readonly openedBy: number; readonly now: number },
): Promise<OpeningRow | undefined> {
  return db.one(
    `SELECT ${COLUMNS} FROM break_glass WHERE workspace_id = ? AND policy_name = ? AND opened_by = ? AND used_at IS NULL AND expires_at > ? ORDER BY id DESC LIMIT 1`,
    asked.workspaceId,
    asked.policyName,
    asked.openedBy,
    asked.now,
  );
}

/** Those nobody has reviewed, then the newest others, by `break_glass_used`. */
export function listUses(db: Queries, workspaceId: number, policyName: string, limit: number): Promise<OpeningRow[]> {
  return db.all(
    `SELECT ${COLUMNS} FROM break_glass WHERE workspace_id = ? AND policy_name = ? AND used_at IS NOT NULL ` +
      'ORDER BY CASE WHEN reviewed_at IS NULL THEN 0 ELSE 1 END, id DESC LIMIT ?',
    workspaceId,
    policyName,
    limit,
  );
}

/** False where another use of the policy's glass waits for its review. */
export async function close(tx: Queries, workspaceId: number, policyName: string, openingId: number, by: number): Promise<boolean> {
  const changed = await tx.run(
    'INSERT INTO break_glass_closed (workspace_id, policy_name, opening_id, written_by) VALUES (?, ?, ?, ?) ON CONFLICT (workspace_id, policy_name) DO NOTHING',
    workspaceId,
    policyName,
    openingId,
    by,
  );
  return changed > 0;
}

export async function reopen(tx: Queries, workspaceId: number, policyName: string, openingId: number): Promise<void> {
  await tx.run(
    'DELETE FROM break_glass_closed WHERE workspace_id = ? AND policy_name = ? AND opening_id = ?',
    workspaceId,
    policyName,
    openingId,
  );
}

export interface Use {
  readonly usedFor: string;
  readonly modelId: number | null;
  readonly versionId: number | null;
}

/** False where it was used before, or is over. */
export async function markUsed(tx: Queries, id: number, use: Use, at: number, by: number): Promise<boolean> {
  const changed = await tx.run(
    'UPDATE break_glass SET used_at = ?, used_for = ?, model_id = ?, version_id = ?, written_by = ? WHERE id = ? AND used_at IS NULL AND expires_at > ?',
    at,
    use.usedFor,
    use.modelId,
    use.versionId,
    by,
    id,
    at,
  );
  return changed > 0;
}

/** False where it wasn't used, or the same account reviewed it before. */
export async function markReviewed(tx: Queries, id: number, at: number, by: number): Promise<boolean> {
  const changed = await tx.run(
    'UPDATE break_glass SET reviewed_at = ?, reviewed_by = ?, written_by = ? WHERE id = ? AND used_at IS NOT NULL AND (reviewed_by IS NULL OR reviewed_by <> ?)',
    at,
    by,
    by,
    id,
    by,
  );
  return changed > 0;
}

export const OPENING_STATES = ['open', 'used', 'reviewed', 'expired'] as const;
export type OpeningState = (typeof OPENING_STATES)[number];

const CONDITIONS: Readonly<Record<OpeningState, string>> = {
  open: 'used_at IS NULL AND expires_at > ?',
  expired: 'used_at IS NULL AND expires_at <= ?',
  used: 'used_at IS NOT NULL AND reviewed_at IS NULL',
  reviewed: 'reviewed_at IS NOT NULL',
};

export interface OpeningPage {
  readonly state: OpeningState | undefined;
  readonly now: number;
  readonly beforeId: number;
  readonly limit: number;
}

/** Newest first, by `break_glass_by_workspace`. */
export function list(db: Queries, workspaceId: number, page: OpeningPage): Promise<OpeningRow[]> {
  const condition = page.state === undefined ? '' : ` AND ${CONDITIONS[page.state]}`;
  return db.all(
    `SELECT ${COLUMNS} FROM break_glass WHERE workspace_id = ? AND id < ?${condition} ORDER BY id DESC LIMIT ?`,
    workspaceId,
    page.beforeId,
    ...(condition.includes('?') ? [page.now] : []),
    page.limit,
  );
}
