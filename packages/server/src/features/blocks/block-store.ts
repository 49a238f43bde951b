/** Blocks of bytes, and where the bytes are. Why something was blocked stands beside its events. */
import { idList, idsOf, type Queries } from '../../platform/db/database.ts';

export interface BlockRow {
  readonly id: number;
  /** -1: every one. */
  readonly workspaceId: number;
  readonly digest: string;
  readonly blockedBy: number;
  readonly blockedAt: number;
  readonly liftedBy: number | null;
  readonly liftedAt: number | null;
}

const COLUMNS =
  'id, workspace_id AS "workspaceId", digest, blocked_by AS "blockedBy", blocked_at AS "blockedAt", lifted_by AS "liftedBy", lifted_at AS "liftedAt"';

/** Those that hold of these digests, by an index of digests: the plus keeps that of workspaces away. Digests are hex, so that a list of them is one value. */
export function listOpenOf(db: Queries, workspaceIds: readonly number[], digests: readonly string[]): Promise<BlockRow[]> {
  const isSqlite = db.dialect === 'sqlite';
  return db.all(
    `SELECT ${COLUMNS} FROM digest_blocks WHERE digest IN (${isSqlite ? 'SELECT value FROM json_each(?)' : 'SELECT unnest(?::text[])'}) ` +
      `AND +workspace_id IN (${idsOf(db)}) AND lifted_at IS NULL ORDER BY workspace_id, id`,
    isSqlite ? JSON.stringify(digests) : `{${digests.join(',')}}`,
    idList(db, workspaceIds),
  );
}

/** Undefined where one holds already. */
export async function insert(
  tx: Queries,
  row: Pick<BlockRow, 'workspaceId' | 'digest' | 'blockedBy' | 'blockedAt'>,
): Promise<number | undefined> {
  const inserted = await tx.one<{ id: number }>(
    'INSERT INTO digest_blocks (workspace_id, digest, blocked_by, blocked_at, written_by) VALUES (?, ?, ?, ?, ?) ' +
      'ON CONFLICT (digest, workspace_id) WHERE lifted_at IS NULL DO NOTHING RETURNING id',
    row.workspaceId,
    row.digest,
    row.blockedBy,
    row.blockedAt,
    row.blockedBy,
  );
  return inserted?.id;
}

/** Undefined where none holds. */
export function lift(tx: Queries, workspaceId: number, digest: string, at: number, by: number): Promise<BlockRow | undefined> {
  return tx.one(
    `UPDATE digest_blocks SET lifted_at = ?, lifted_by = ?, written_by = ? WHERE digest = ? AND workspace_id = ? AND lifted_at IS NULL RETURNING ${COLUMNS}`,
    at,
    by,
    by,
    digest,
    workspaceId,
  );
}

export interface BlockPage {
  readonly beforeId: number;
  readonly limit: number;
  readonly isOpen: boolean | undefined;
}

/** Newest first, by `digest_blocks_by_workspace`. */
export function list(db: Queries, workspaceIds: readonly number[], page: BlockPage): Promise<BlockRow[]> {
  const state = page.isOpen === undefined ? '' : `AND lifted_at IS ${page.isOpen ? '' : 'NOT '}NULL `;
  return db.all(
    `SELECT ${COLUMNS} FROM digest_blocks WHERE workspace_id IN (${idsOf(db)}) AND id < ? ${state}ORDER BY id DESC LIMIT ?`,
    idList(db, workspaceIds),
    page.beforeId,
    page.limit,
  );
}

/** Lifted ones too, newest first, by `digest_blocks_by_digest`. */
export function listOfDigest(db: Queries, workspaceIds: readonly number[], digest: string, limit: number): Promise<BlockRow[]> {
  return db.all(
    `SELECT ${COLUMNS} FROM digest_blocks WHERE digest = ? AND workspace_id IN (${idsOf(db)}) ORDER BY id DESC LIMIT ?`,
    digest,
    idList(db, workspaceIds),
    limit,
  );
}

/** What holds in one workspace holds in another from now on, unless it does there already. Answers how many moved. */
export function moveOpen(tx: Queries, workspaceId: number, toId: number, by: number): Promise<number> {
  return tx.run(
    'UPDATE digest_blocks SET workspace_id = ?, written_by = ? WHERE workspace_id = ? AND lifted_at IS NULL AND NOT EXISTS (SELECT 1 FROM digest_blocks o ' +
      'WHERE o.digest = digest_blocks.digest AND o.workspace_id = ? AND o.lifted_at IS NULL)',
    toId,
    by,
    workspaceId,
    toId,
  );
}

/** From the digest to its trees to their versions: the pluses below keep other indexes away. */
const HAVING = 'v.tree_id IN (SELECT id FROM trees WHERE digest = ?) AND v.deleted_at IS NULL';

/** Versions that have these bytes and aren't deleted, by id. */
export async function listVersionIds(
  db: Queries,
  workspaceId: number,
  digest: string,
  page: { readonly afterId: number; readonly limit: number },
): Promise<number[]> {
  const rows = await db.all<{ id: number }>(
    `SELECT v.id FROM model_versions v WHERE ${HAVING} AND +v.workspace_id = ? AND +v.id > ? ORDER BY +v.id LIMIT ?`,
    digest,
    workspaceId,
    page.afterId,
    page.limit,
  );
  return rows.map(({ id }) => id);
}

export interface ModelRow {
  readonly id: number;
  readonly name: string;
  readonly workspaceId: number;
}

/** Models that have a version with these bytes, by id; of all workspaces where none is named. */
export function listModels(db: Queries, workspaceId: number | undefined, digest: string, limit: number): Promise<ModelRow[]> {
  const where = workspaceId === undefined ? '' : ' AND +v.workspace_id = ?';
  return db.all(
    'SELECT m.id, m.name, m.workspace_id AS "workspaceId" FROM registered_models m ' +
      `WHERE m.id IN (SELECT v.model_id FROM model_versions v WHERE ${HAVING}${where}) ORDER BY m.id LIMIT ?`,
    digest,
    ...(workspaceId === undefined ? [] : [workspaceId]),
    limit,
  );
}
