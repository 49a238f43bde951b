import { idList, idsOf, type Queries } from '../../platform/db/database.ts';

export interface CandidateRow {
  readonly id: number;
  readonly modelId: number;
  readonly source: string;
  /** JSON: what was asked to be registered, and what its source was resolved to. */
  readonly claim: string;
  readonly digest: string;
  readonly treeId: number | null;
  readonly createdBy: number;
  readonly createdAt: number;
  /** The version that it became. */
  readonly versionId: number | null;
  /** When whoever asked was given that version. */
  readonly claimedAt: number | null;
  readonly closedAt: number | null;
}

const COLUMNS =
  'id, model_id AS "modelId", source, claim, digest, tree_id AS "treeId", created_by AS "createdBy", created_at AS "createdAt", version_id AS "versionId", ' +
  'claimed_at AS "claimedAt", closed_at AS "closedAt"';

export async function insert(
  tx: Queries,
  row: Omit<CandidateRow, 'id' | 'versionId' | 'claimedAt' | 'closedAt'> & { readonly workspaceId: number },
): Promise<number> {
  const inserted = await tx.one<{ id: number }>(
    'INSERT INTO candidates (workspace_id, model_id, source, claim, digest, tree_id, created_by, created_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?) RETURNING id',
    row.workspaceId,
    row.modelId,
    row.source,
    row.claim,
    row.digest,
    row.treeId,
    row.createdBy,
    row.createdAt,
  );
  if (inserted === undefined) throw new TypeError('an insert answers its id');
  return inserted.id;
}

export function find(db: Queries, id: number): Promise<CandidateRow | undefined> {
  return db.one(`SELECT ${COLUMNS} FROM candidates WHERE id = ?`, id);
}

/** The newest that somebody asked for from a source, which is open, or became a version that he wasn't given yet. */
export function findAsked(db: Queries, modelId: number, source: string, createdBy: number): Promise<CandidateRow | undefined> {
  return db.one(
    `SELECT ${COLUMNS} FROM candidates WHERE model_id = ? AND source = ? AND created_by = ? AND closed_at IS NULL AND claimed_at IS NULL ORDER BY id DESC LIMIT 1`,
    modelId,
    source,
    createdBy,
  );
}

export async function setVersion(tx: Queries, id: number, versionId: number): Promise<void> {
  await tx.run('UPDATE candidates SET version_id = ? WHERE id = ?', versionId, id);
}

export async function setClaimed(tx: Queries, id: number, at: number): Promise<void> {
  await tx.run('UPDATE candidates SET claimed_at = ? WHERE id = ?', at, id);
}

export async function close(tx: Queries, id: number, at: number): Promise<void> {
  await tx.run('UPDATE candidates SET closed_at = ? WHERE id = ? AND version_id IS NULL', at, id);
}

/** Of those trees the ones that an open candidate needs. */
export async function listReferredTrees(db: Queries, treeIds: readonly number[]): Promise<number[]> {
  const rows = await db.all<{ tree_id: number }>(
    `SELECT DISTINCT tree_id FROM candidates WHERE tree_id IN (${idsOf(db)}) AND closed_at IS NULL`,
    idList(db, treeIds),
  );
  return rows.map((row) => row.tree_id);
}
