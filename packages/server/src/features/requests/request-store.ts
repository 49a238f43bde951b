import type { Queries } from '../../platform/db/database.ts';

export const ENDINGS = ['approved', 'rejected', 'cancelled'] as const;
export type Ending = (typeof ENDINGS)[number];
export type RequestState = 'open' | Ending;

export interface Request {
  readonly id: number;
  readonly modelId: number;
  readonly versionId: number;
  /** As in events: `stage:Production`. */
  readonly target: string;
  readonly createdBy: number;
  readonly createdAt: number;
  readonly state: RequestState;
  readonly closedBy: number | null;
  readonly closedAt: number | null;
}

const COLUMNS =
  'id, model_id AS "modelId", version_id AS "versionId", target, created_by AS "createdBy", created_at AS "createdAt", state, ' +
  'closed_by AS "closedBy", closed_at AS "closedAt"';

/** Undefined where the creator has an open one of that version and target. */
export async function insert(
  tx: Queries,
  row: Pick<Request, 'modelId' | 'versionId' | 'target' | 'createdBy' | 'createdAt'>,
): Promise<number | undefined> {
  const inserted = await tx.one<{ id: number }>(
    "INSERT INTO requests (model_id, version_id, target, created_by, created_at, state, written_by) VALUES (?, ?, ?, ?, ?, 'open', ?) " +
      "ON CONFLICT (version_id, target, created_by) WHERE state = 'open' DO NOTHING RETURNING id",
    row.modelId,
    row.versionId,
    row.target,
    row.createdBy,
    row.createdAt,
    row.createdBy,
  );
  return inserted?.id;
}

/** False where it was closed before. */
export async function close(tx: Queries, id: number, state: Ending, at: number, by: number): Promise<boolean> {
  const changed = await tx.run(
    "UPDATE requests SET state = ?, closed_by = ?, closed_at = ?, written_by = ? WHERE id = ? AND state = 'open'",
    state,
    by,
    at,
    by,
    id,
  );
  return changed > 0;
}

export function find(db: Queries, versionId: number, id: number): Promise<Request | undefined> {
  return db.one(`SELECT ${COLUMNS} FROM requests WHERE version_id = ? AND id = ?`, versionId, id);
}

export function listOpen(db: Queries, versionId: number): Promise<Request[]> {
  return db.all(`SELECT ${COLUMNS} FROM requests WHERE version_id = ? AND state = 'open' ORDER BY id`, versionId);
}

/** Newest first. */
export function list(db: Queries, versionId: number, page: { beforeId: number; limit: number }): Promise<Request[]> {
  return db.all(
    `SELECT ${COLUMNS} FROM requests WHERE version_id = ? AND id < ? ORDER BY id DESC LIMIT ?`,
    versionId,
    page.beforeId,
    page.limit,
  );
}

/** Of all versions of a model. */
export function listOpenOfModel(db: Queries, modelId: number): Promise<Request[]> {
  return db.all(`SELECT ${COLUMNS} FROM requests WHERE model_id = ? AND state = 'open' ORDER BY id`, modelId);
}
