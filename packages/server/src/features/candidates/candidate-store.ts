import { idList, idsOf, type Queries } from '../../platform/db/database.ts';

export interface CandidateRow {
  readonly id: number;
  readonly modelId: number;
  readonly source: string;
  /** JSON: what was asked to be registered, and what its source was resolved to. */
  readonly claim: string;
  readonly digest: string;
  readonly treeId: number | null;
  /** Who asked first, of those who ask still: who registers it. */
  readonly createdBy: number;
  readonly createdAt: number;
  /** The version that it would be a copy of. */
  readonly originVersionId: number | null;
  /** The version that it became. */
  readonly versionId: number | null;
  readonly closedAt: number | null;
}

const COLUMNS =
  'c.id, c.model_id AS "modelId", c.source, c.claim, c.digest, c.tree_id AS "treeId", c.created_by AS "createdBy", c.created_at AS "createdAt", ' +
  'c.origin_version_id AS "originVersionId", c.version_id AS "versionId", c.closed_at AS "closedAt"';

export async function insert(
  tx: Queries,
  row: Omit<CandidateRow, 'id' | 'versionId' | 'closedAt'> & { readonly workspaceId: number },
): Promise<number> {
  const inserted = await tx.one<{ id: number }>(
    'INSERT INTO candidates (workspace_id, model_id, source, claim, digest, tree_id, created_by, created_at, origin_version_id) ' +
      'VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id',
    row.workspaceId,
    row.modelId,
    row.source,
    row.claim,
    row.digest,
    row.treeId,
    row.createdBy,
    row.createdAt,
    row.originVersionId,
  );
  if (inserted === undefined) throw new TypeError('an insert answers its id');
  return inserted.id;
}

export function find(db: Queries, id: number): Promise<CandidateRow | undefined> {
  return db.one(`SELECT ${COLUMNS} FROM candidates c WHERE c.id = ?`, id);
}

/** The newest that somebody asked for from a source, which is open, or became a version that he wasn't given yet. */
export function findAsked(db: Queries, modelId: number, source: string, principalId: number): Promise<CandidateRow | undefined> {
  return db.one(
    `SELECT ${COLUMNS} FROM candidates c JOIN candidate_askers a ON a.candidate_id = c.id WHERE c.model_id = ? AND c.source = ? AND c.closed_at IS NULL ` +
      'AND a.principal_id = ? AND a.claimed_at IS NULL ORDER BY c.id DESC LIMIT 1',
    modelId,
    source,
    principalId,
  );
}

/** The newest from a source, of the same bytes, that isn't a version yet, whoever asked for it. */
export function findWaiting(db: Queries, modelId: number, source: string, digest: string): Promise<CandidateRow | undefined> {
  return db.one(
    `SELECT ${COLUMNS} FROM candidates c WHERE c.model_id = ? AND c.source = ? AND c.digest = ? AND c.closed_at IS NULL AND c.version_id IS NULL ` +
      'ORDER BY c.id DESC LIMIT 1',
    modelId,
    source,
    digest,
  );
}

/** Those that would be copies of these versions, and aren't there yet. */
export async function listWaitingIds(db: Queries, originIds: readonly number[], limit: number): Promise<number[]> {
  const rows = await db.all<{ id: number }>(
    `SELECT id FROM candidates WHERE origin_version_id IN (${idsOf(db)}) AND closed_at IS NULL AND version_id IS NULL ORDER BY id LIMIT ?`,
    idList(db, originIds),
    limit,
  );
  return rows.map(({ id }) => id);
}

/** Once more changes nothing. */
export async function addAsker(tx: Queries, id: number, principalId: number, at: number): Promise<void> {
  await tx.run(
    'INSERT INTO candidate_askers (candidate_id, principal_id, asked_at) VALUES (?, ?, ?) ON CONFLICT DO NOTHING',
    id,
    principalId,
    at,
  );
}

export async function removeAsker(tx: Queries, id: number, principalId: number): Promise<void> {
  await tx.run('DELETE FROM candidate_askers WHERE candidate_id = ? AND principal_id = ?', id, principalId);
}

/** Where it is somebody's, it is another's from now on. */
export async function passOn(tx: Queries, id: number, from: number, to: number): Promise<void> {
  await tx.run('UPDATE candidates SET created_by = ? WHERE id = ? AND created_by = ? AND version_id IS NULL', to, id, from);
}

export async function setVersion(tx: Queries, id: number, versionId: number): Promise<void> {
  await tx.run('UPDATE candidates SET version_id = ? WHERE id = ?', versionId, id);
}

export async function setClaimed(tx: Queries, id: number, principalId: number, at: number): Promise<void> {
  await tx.run('UPDATE candidate_askers SET claimed_at = ? WHERE candidate_id = ? AND principal_id = ?', at, id, principalId);
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
