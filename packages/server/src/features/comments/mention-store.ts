import sql, { type Sql } from 'sql-template-tag';
import { idList, idsOf, type Queries, type SqlValue } from '../../platform/db/database.ts';
import { allOf } from '../../platform/db/search-plan.ts';
import type { SearchScope } from '../../platform/db/search-scope.ts';

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

/** Whose, and what of it he may see. */
export interface Reader {
  readonly principalId: number;
  readonly workspaceId: number;
  readonly scope: SearchScope | undefined;
}

export interface MentionPage extends Reader {
  readonly isRead: boolean;
  readonly beforeId: number;
  readonly limit: number;
}

/** Of comments on what is in the workspace and there for him; along the index of his own mentions, of the unread or the read. */
function from({ principalId, workspaceId, scope }: Reader, isRead: boolean): Sql {
  const where = allOf([
    sql`x.principal_id = ${principalId}`,
    isRead ? sql`x.read_at IS NOT NULL` : sql`x.read_at IS NULL`,
    sql`COALESCE(m.workspace_id, c.workspace_id) = ${workspaceId} AND m.deleted_at IS NULL AND v.deleted_at IS NULL`,
    ...(scope === undefined ? [] : [sql`(m.id IS NULL OR ${scope.includes(sql`m.id`, sql`m.name`)})`]),
  ]);
  return sql`FROM mentions x JOIN comments c ON c.pk = x.comment_pk LEFT JOIN registered_models m ON m.id = c.model_id LEFT JOIN model_versions v ON v.id = c.version_id WHERE ${where}`;
}

/** Newest first. */
export function list(db: Queries, page: MentionPage): Promise<MentionRow[]> {
  const query = sql`SELECT x.id, c.id AS "commentId", x.at, x.read_at AS "readAt" ${from(page, page.isRead)} AND x.id < ${page.beforeId} ORDER BY x.id DESC LIMIT ${page.limit}`;
  return db.all(query.sql, ...(query.values as SqlValue[])); // composed from SqlValues only
}

/** At most `max`. */
export async function countUnread(db: Queries, reader: Reader, max: number): Promise<number> {
  const query = sql`SELECT count(*) AS n FROM (SELECT 1 ${from(reader, false)} LIMIT ${max}) AS unread`;
  const row = await db.one<{ n: number }>(query.sql, ...(query.values as SqlValue[])); // the same
  return row?.n ?? 0;
}

/** False where there is no such mention of the principal. Once more changes nothing. */
export async function markRead(tx: Queries, id: number, principalId: number, at: number): Promise<boolean> {
  const statement = 'UPDATE mentions SET read_at = COALESCE(read_at, ?), written_by = ? WHERE id = ? AND principal_id = ?';
  return (await tx.run(statement, at, principalId, id, principalId)) > 0;
}
