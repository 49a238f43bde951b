/** SQL of the collection: which blobs and trees nothing refers to. */
import type { Queries } from '../../platform/db/database.ts';

/** Rows looked at in one transaction, so that no writer waits long. */
export const GC_PAGE = 1000;

export interface BlobRow {
  readonly id: number;
  readonly domain: string;
  readonly sha256: string;
  readonly size: number;
  /** Of an encrypted blob. */
  readonly file_id: string | null;
}

/** Lists of any length under one statement. */
function anyOf(db: Queries): string {
  return db.dialect === 'sqlite' ? '(SELECT value FROM json_each(?))' : '(SELECT value::bigint FROM jsonb_array_elements_text(?::jsonb))';
}

const NOT_REFERRED_TO = `NOT EXISTS (SELECT 1 FROM artifacts a WHERE a.blob_id = blobs.id) AND NOT EXISTS (SELECT 1 FROM tree_files f WHERE f.blob_id = blobs.id)`;

/** Ids of the next page of all living blobs. */
export async function pageOfBlobs(db: Queries, afterId: number): Promise<number[]> {
  const rows = await db.all<{ id: number }>("SELECT id FROM blobs WHERE id > ? AND state = 'live' ORDER BY id LIMIT ?", afterId, GC_PAGE);
  return rows.map((row) => row.id);
}

/** Those of a page that nothing refers to now. */
export async function unreferredBlobs(db: Queries, fromId: number, toId: number): Promise<number[]> {
  const rows = await db.all<{ id: number }>(
    `SELECT id FROM blobs WHERE id >= ? AND id <= ? AND state = 'live' AND ${NOT_REFERRED_TO} LIMIT ?`,
    fromId,
    toId,
    GC_PAGE,
  );
  return rows.map((row) => row.id);
}

/**
 * Marks what still isn't referred to. Locked first: whoever is about to refer to one holds its row, and is seen by the statement after.
 */
export async function markDying(db: Queries, ids: readonly number[], now: number): Promise<number> {
  const list = JSON.stringify(ids);
  if (db.dialect === 'postgres') await db.all(`SELECT id FROM blobs WHERE id IN ${anyOf(db)} ORDER BY id FOR UPDATE`, list);
  return db.run(
    `UPDATE blobs SET state = 'dying', dying_since = ? WHERE id IN ${anyOf(db)} AND state = 'live' AND ${NOT_REFERRED_TO}`,
    now,
    list,
  );
}

/** A blob that was marked and is referred to all the same lives again. */
export function reviveReferred(db: Queries): Promise<number> {
  return db.run(`UPDATE blobs SET state = 'live', dying_since = NULL WHERE dying_since IS NOT NULL AND NOT (${NOT_REFERRED_TO})`);
}

export function listDying(db: Queries, markedBefore: number): Promise<BlobRow[]> {
  return db.all<BlobRow>(
    'SELECT id, domain, sha256, size, file_id FROM blobs WHERE dying_since IS NOT NULL AND dying_since <= ? ORDER BY dying_since, id LIMIT ?',
    markedBefore,
    GC_PAGE,
  );
}

/** Unless it lives again. */
export function deleteDying(db: Queries, id: number): Promise<number> {
  return db.run(`DELETE FROM blobs WHERE id = ? AND state = 'dying' AND ${NOT_REFERRED_TO}`, id);
}

/** Which of these files a row of the domain names: by digest in clear, else by its id. */
export async function knownFiles(
  db: Queries,
  domain: string,
  column: 'sha256' | 'file_id',
  names: readonly string[],
): Promise<Set<string>> {
  const list = db.dialect === 'sqlite' ? 'SELECT value FROM json_each(?)' : 'SELECT jsonb_array_elements_text(?::jsonb)';
  const rows = await db.all<{ name: string }>(
    `SELECT ${column} AS name FROM blobs WHERE domain = ? AND ${column} IN (${list}) LIMIT ?`,
    domain,
    JSON.stringify(names),
    GC_PAGE,
  );
  return new Set(rows.map((row) => row.name));
}

/** The next workspace that has, or had, encrypted blobs. */
export async function nextEncrypting(db: Queries, afterWorkspaceId: number): Promise<number | undefined> {
  const row = await db.one<{ id: number }>(
    'SELECT workspace_id AS id FROM workspace_keys WHERE workspace_id > ? ORDER BY workspace_id LIMIT 1',
    afterWorkspaceId,
  );
  return row?.id;
}

export async function pageOfTrees(db: Queries, afterId: number, createdBefore: number): Promise<number[]> {
  const rows = await db.all<{ id: number }>(
    'SELECT id FROM trees WHERE id > ? AND created_at <= ? ORDER BY id LIMIT ?',
    afterId,
    createdBefore,
    GC_PAGE,
  );
  return rows.map((row) => row.id);
}

export async function lockTrees(db: Queries, ids: readonly number[]): Promise<void> {
  if (db.dialect === 'postgres') await db.all(`SELECT id FROM trees WHERE id IN ${anyOf(db)} ORDER BY id FOR UPDATE`, JSON.stringify(ids));
}

export async function deleteTrees(db: Queries, ids: readonly number[]): Promise<void> {
  const list = JSON.stringify(ids);
  await db.run(`DELETE FROM tree_files WHERE tree_id IN ${anyOf(db)}`, list);
  await db.run(`DELETE FROM trees WHERE id IN ${anyOf(db)}`, list);
}
