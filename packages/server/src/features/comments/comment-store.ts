import type { Queries } from '../../platform/db/database.ts';

export interface CommentRow {
  readonly id: string;
  readonly versionId: number;
  readonly createdBy: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly deletedAt: number | null;
  /** 0 where it stands as it was first written. */
  readonly editCount: number;
}

const COLUMNS =
  'id, version_id AS "versionId", created_by AS "createdBy", created_at AS "createdAt", updated_at AS "updatedAt", deleted_at AS "deletedAt", ' +
  'edit_count AS "editCount"';

export async function insert(tx: Queries, row: CommentRow): Promise<void> {
  await tx.run(
    'INSERT INTO comments (id, version_id, created_by, created_at, updated_at, edit_count, written_by) VALUES (?, ?, ?, ?, ?, 0, ?)',
    row.id,
    row.versionId,
    row.createdBy,
    row.createdAt,
    row.updatedAt,
    row.createdBy,
  );
}

export function find(db: Queries, id: string): Promise<CommentRow | undefined> {
  return db.one(`SELECT ${COLUMNS} FROM comments WHERE id = ?`, id);
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

export function listByIds(db: Queries, ids: readonly string[]): Promise<CommentRow[]> {
  if (ids.length === 0) return Promise.resolve([]);
  return db.all(`SELECT ${COLUMNS} FROM comments WHERE id IN (${ids.map(() => '?').join(', ')})`, ...ids);
}
