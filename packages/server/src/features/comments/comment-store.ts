import type { Queries } from '../../platform/db/database.ts';

export interface CommentRow {
  readonly pk: number;
  readonly id: string;
  /** Where it was written; a model takes its comments along into another one. */
  readonly workspaceId: number;
  /** Of the version or the request that it is about; null where that is of no model. */
  readonly modelId: number | null;
  readonly versionId: number | null;
  readonly requestId: number | null;
  /** Of the comment that opened the thread; null for that one itself. */
  readonly threadPk: number | null;
  readonly parentId: string | null;
  readonly createdBy: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly deletedAt: number | null;
  /** 0 where it stands as it was first written. */
  readonly editCount: number;
  /** Of the thread, in the comment that opened it. */
  readonly resolvedAt: number | null;
  readonly resolvedBy: number | null;
}

const COLUMNS =
  'c.pk, c.id, c.workspace_id AS "workspaceId", c.model_id AS "modelId", c.version_id AS "versionId", c.request_id AS "requestId", c.thread_pk AS "threadPk", c.parent_id AS "parentId", ' +
  'c.created_by AS "createdBy", c.created_at AS "createdAt", c.updated_at AS "updatedAt", c.deleted_at AS "deletedAt", c.edit_count AS "editCount", ' +
  'c.resolved_at AS "resolvedAt", c.resolved_by AS "resolvedBy"';

export type NewCommentRow = Pick<
  CommentRow,
  'id' | 'workspaceId' | 'modelId' | 'versionId' | 'requestId' | 'threadPk' | 'parentId' | 'createdBy' | 'createdAt'
>;

export async function insert(tx: Queries, row: NewCommentRow): Promise<CommentRow> {
  const inserted = await tx.one<{ pk: number }>(
    'INSERT INTO comments (id, workspace_id, model_id, version_id, request_id, thread_pk, parent_id, created_by, created_at, updated_at, edit_count, written_by) ' +
      'VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0, ?) RETURNING pk',
    row.id,
    row.workspaceId,
    row.modelId,
    row.versionId,
    row.requestId,
    row.threadPk,
    row.parentId,
    row.createdBy,
    row.createdAt,
    row.createdAt,
    row.createdBy,
  );
  if (inserted === undefined) throw new TypeError('INSERT … RETURNING answered no row');
  return { ...row, pk: inserted.pk, updatedAt: row.createdAt, deletedAt: null, editCount: 0, resolvedAt: null, resolvedBy: null };
}

export function find(db: Queries, id: string): Promise<CommentRow | undefined> {
  return db.one(`SELECT ${COLUMNS} FROM comments c WHERE c.id = ?`, id);
}

export function findByPk(db: Queries, pk: number): Promise<CommentRow | undefined> {
  return db.one(`SELECT ${COLUMNS} FROM comments c WHERE c.pk = ?`, pk);
}

/** False where it was deleted meanwhile. */
export async function markUpdated(tx: Queries, id: string, at: number, by: number): Promise<boolean> {
  return (
    (await tx.run(
      'UPDATE comments SET updated_at = ?, edit_count = edit_count + 1, written_by = ? WHERE id = ? AND deleted_at IS NULL',
      at,
      by,
      id,
    )) > 0
  );
}

/** The same. */
export async function markDeleted(tx: Queries, id: string, at: number, by: number): Promise<boolean> {
  return (await tx.run('UPDATE comments SET deleted_at = ?, written_by = ? WHERE id = ? AND deleted_at IS NULL', at, by, id)) > 0;
}

/** False where it was so before. */
export async function markResolved(tx: Queries, pk: number, at: number, by: number): Promise<boolean> {
  const sql = 'UPDATE comments SET resolved_at = ?, resolved_by = ?, written_by = ? WHERE pk = ? AND resolved_at IS NULL';
  return (await tx.run(sql, at, by, by, pk)) > 0;
}

/** The same. */
export async function markReopened(tx: Queries, pk: number, by: number): Promise<boolean> {
  const sql = 'UPDATE comments SET resolved_at = NULL, resolved_by = NULL, written_by = ? WHERE pk = ? AND resolved_at IS NOT NULL';
  return (await tx.run(sql, by, pk)) > 0;
}

export function listByIds(db: Queries, ids: readonly string[]): Promise<CommentRow[]> {
  if (ids.length === 0) return Promise.resolve([]);
  return db.all(`SELECT ${COLUMNS} FROM comments c WHERE c.id IN (${ids.map(() => '?').join(', ')}) ORDER BY c.pk`, ...ids);
}

export interface ThreadQuery {
  readonly about: { readonly versionId: number } | { readonly requestId: number };
  /** The last of the page before: its thread and itself; zeros for the first page. */
  readonly afterThreadPk: number;
  readonly afterPk: number;
  readonly limit: number;
}

/** What a deleted comment leaves of a thread is shown while somebody's answer to it is. */
const IS_SHOWN =
  '(c.deleted_at IS NULL OR (c.thread_pk IS NULL AND EXISTS (SELECT 1 FROM comments r WHERE r.thread_pk = c.pk AND r.deleted_at IS NULL)))';

/** Thread by thread, the oldest first; in each the comment that opened it, then what was answered. The order is the indexes'. */
export function listThreads(db: Queries, { about, afterThreadPk, afterPk, limit }: ThreadQuery): Promise<CommentRow[]> {
  const [subject, id] =
    'requestId' in about ? ['c.request_id = ?', about.requestId] : ['c.version_id = ? AND c.request_id IS NULL', about.versionId];
  return db.all(
    `SELECT ${COLUMNS} FROM comments c WHERE ${subject} AND COALESCE(c.thread_pk, c.pk) >= ? AND (COALESCE(c.thread_pk, c.pk) > ? OR c.pk > ?) AND ${IS_SHOWN} ` +
      'ORDER BY COALESCE(c.thread_pk, c.pk), c.pk LIMIT ?',
    id,
    afterThreadPk,
    afterThreadPk,
    afterPk,
    limit,
  );
}
