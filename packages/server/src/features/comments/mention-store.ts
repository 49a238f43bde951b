import { idList, idsOf, type Queries } from '../../platform/db/database.ts';

export interface MentionRow {
  readonly id: number;
  readonly commentId: string;
  readonly at: number;
  readonly readAt: number | null;
}

/** Who is told of a comment already stays so. */
export async function add(tx: Queries, commentPk: number, principalIds: readonly number[], at: number, by: number): Promise<void> {
  if (principalIds.length === 0) return;
  const rows = tx.dialect === 'sqlite' ? 'json_each(?) p WHERE true' : 'unnest(?::bigint[]) AS p (value) WHERE true';
  await tx.run(
    `INSERT INTO mentions (principal_id, comment_pk, at, written_by) SELECT p.value, ?, ?, ? FROM ${rows} ON CONFLICT (comment_pk, principal_id) DO NOTHING`,
    commentPk,
    at,
    by,
    idList(tx, principalIds),
  );
}

/** Whoever the comment doesn't mention any more. */
export async function keepOnly(tx: Queries, commentPk: number, principalIds: readonly number[]): Promise<void> {
  await tx.run(`DELETE FROM mentions WHERE comment_pk = ? AND principal_id NOT IN (${idsOf(tx)})`, commentPk, idList(tx, principalIds));
}

export interface MentionPage {
  readonly principalId: number;
  readonly workspaceId: number;
  readonly isRead: boolean;
  readonly beforeId: number;
  readonly limit: number;
}

/** Of comments on what is in the workspace, newest first; along the index of one's own mentions, of the unread where those are asked for. */
export function list(db: Queries, page: MentionPage): Promise<MentionRow[]> {
  return db.all(
    'SELECT x.id, c.id AS "commentId", x.at, x.read_at AS "readAt" FROM mentions x JOIN comments c ON c.pk = x.comment_pk ' +
      'LEFT JOIN registered_models m ON m.id = c.model_id ' +
      `WHERE x.principal_id = ? AND x.read_at IS ${page.isRead ? 'NOT NULL' : 'NULL'} AND x.id < ? AND COALESCE(m.workspace_id, c.workspace_id) = ? AND m.deleted_at IS NULL ` +
      'ORDER BY x.id DESC LIMIT ?',
    page.principalId,
    page.beforeId,
    page.workspaceId,
    page.limit,
  );
}

/** False where there is no such mention of the principal. Once more changes nothing. */
export async function markRead(tx: Queries, id: number, principalId: number, at: number): Promise<boolean> {
  const sql = 'UPDATE mentions SET read_at = COALESCE(read_at, ?), written_by = ? WHERE id = ? AND principal_id = ?';
  return (await tx.run(sql, at, principalId, id, principalId)) > 0;
}
