/** SQL of artifacts and sealed trees: who refers to which blob. Dying blobs are in artifact-gc-store. */
import type { BlobName, StoredBytes } from '../../platform/blobs/blob-store.ts';
import type { Queries } from '../../platform/db/database.ts';

/** More entries in one folder are refused by the door, never cut. */
export const LIST_MAX = 100_000;
/** Files in one sealed tree. */
export const TREE_FILES_MAX = 100_000;

export interface FileRow {
  readonly path: string;
  readonly blob_id: number;
  readonly domain: string;
  readonly sha256: string;
  readonly size: number;
  readonly updated_at: number;
  readonly file_id: string | null;
  readonly wrapped_key: Uint8Array | null;
  readonly key_id: string | null;
  readonly key_wrapped: Uint8Array | null;
}

const BLOB_COLUMNS = 'b.domain, b.sha256, b.size, b.file_id, b.wrapped_key, k.key_id, k.wrapped AS key_wrapped';
const KEYS = 'LEFT JOIN workspace_keys k ON k.id = b.workspace_key_pk';

export function toBlobName(row: Omit<FileRow, 'path' | 'blob_id' | 'updated_at'>): BlobName {
  const blob = { domain: row.domain, sha256: row.sha256, sizeBytes: row.size };
  if (row.file_id === null || row.wrapped_key === null || row.key_id === null || row.key_wrapped === null) return blob;
  const domainKey = { id: row.key_id, wrapped: row.key_wrapped };
  return { ...blob, encryption: { fileId: row.file_id, wrappedKey: row.wrapped_key, domainKey } };
}

export interface EntryRow {
  readonly path: string;
  readonly is_directory: number;
  readonly size: number;
}

export function findFile(db: Queries, workspaceId: number, path: string): Promise<FileRow | undefined> {
  return db.one<FileRow>(
    `SELECT a.path, a.blob_id, a.updated_at, ${BLOB_COLUMNS} FROM artifacts a JOIN blobs b ON b.id = a.blob_id ${KEYS}
     WHERE a.workspace_id = ? AND a.path = ?`,
    workspaceId,
    path,
  );
}

/** A file above the path, or one below it. */
export function findInTheWay(
  db: Queries,
  workspaceId: number,
  path: string,
  above: readonly string[],
): Promise<{ path: string } | undefined> {
  const isAbove = above.length === 0 ? 'FALSE' : `path IN (${above.map(() => '?').join(', ')})`;
  return db.one<{ path: string }>(
    `SELECT path FROM artifacts WHERE workspace_id = ? AND ${isAbove}
     UNION ALL SELECT path FROM artifacts WHERE workspace_id = ? AND path >= ? AND path < ? LIMIT 1`,
    workspaceId,
    ...above,
    workspaceId,
    `${path}/`,
    `${path}0`,
  );
}

export function hasFilesBelow(db: Queries, workspaceId: number, folder: string): Promise<{ path: string } | undefined> {
  return db.one(
    'SELECT path FROM artifacts WHERE workspace_id = ? AND path >= ? AND path < ? LIMIT 1',
    workspaceId,
    `${folder}/`,
    `${folder}0`,
  );
}

/** The id of the blob's row; one that is dying lives again. It stays locked until the commit, so that a collection sees who refers to it. */
export async function keepBlob(
  db: Queries,
  blob: { readonly domain: string; readonly sha256: string; readonly sizeBytes: number; readonly chunkDigests: Uint8Array },
  now: number,
): Promise<number> {
  const row = await db.one<{ id: number }>(
    `INSERT INTO blobs (domain, sha256, size, chunk_digests, state, created_at) VALUES (?, ?, ?, ?, 'live', ?)
     ON CONFLICT (domain, sha256, size) DO UPDATE SET state = 'live', dying_since = NULL RETURNING id`,
    blob.domain,
    blob.sha256,
    blob.sizeBytes,
    blob.chunkDigests,
    now,
  );
  if (row === undefined) throw new TypeError('an upsert answers its row');
  return row.id;
}

export interface EncryptedRow extends Required<Pick<StoredBytes, 'sha256' | 'sizeBytes' | 'chunkDigests'>> {
  readonly domain: string;
  readonly fileId: string;
  readonly wrappedKey: Uint8Array;
  /** Of workspace_keys. */
  readonly workspaceKeyPk: number;
}

/**
 * The same for an encrypted blob. Equal bytes that are there keep their file, which may not be the one that was just stored: `fileId` says
 * which. One that is dying gets the new file: a collection may be about to remove the old one.
 */
export async function keepEncryptedBlob(db: Queries, blob: EncryptedRow, now: number): Promise<{ id: number; fileId: string }> {
  const kept = (column: string): string => `${column} = CASE WHEN blobs.state = 'live' THEN blobs.${column} ELSE excluded.${column} END`;
  const row = await db.one<{ id: number; fileId: string }>(
    `INSERT INTO blobs (domain, sha256, size, chunk_digests, state, created_at, file_id, wrapped_key, workspace_key_pk) VALUES (?, ?, ?, ?, 'live', ?, ?, ?, ?)
     ON CONFLICT (domain, sha256, size) DO UPDATE SET ${kept('file_id')}, ${kept('wrapped_key')}, ${kept('workspace_key_pk')}, state = 'live', dying_since = NULL
     RETURNING id, file_id AS "fileId"`,
    blob.domain,
    blob.sha256,
    blob.sizeBytes,
    blob.chunkDigests,
    now,
    blob.fileId,
    blob.wrappedKey,
    blob.workspaceKeyPk,
  );
  if (row === undefined) throw new TypeError('an upsert answers its row');
  return row;
}

/** Unless another upload was faster. */
export function replaceFile(db: Queries, blobId: number, oldFileId: string, blob: EncryptedRow): Promise<number> {
  return db.run(
    'UPDATE blobs SET file_id = ?, wrapped_key = ?, workspace_key_pk = ? WHERE id = ? AND file_id = ?',
    blob.fileId,
    blob.wrappedKey,
    blob.workspaceKeyPk,
    blobId,
    oldFileId,
  );
}

export async function putFile(
  db: Queries,
  workspaceId: number,
  path: string,
  blobId: number,
  now: number,
  writtenBy: number,
): Promise<void> {
  await db.run(
    `INSERT INTO artifacts (workspace_id, path, blob_id, updated_at, written_by) VALUES (?, ?, ?, ?, ?)
     ON CONFLICT (workspace_id, path) DO UPDATE SET blob_id = excluded.blob_id, updated_at = excluded.updated_at, written_by = excluded.written_by`,
    workspaceId,
    path,
    blobId,
    now,
    writtenBy,
  );
}

/** 0 where there is none. */
export async function sizeOfFile(db: Queries, workspaceId: number, path: string): Promise<number> {
  const row = await db.one<{ size: number }>(
    'SELECT b.size FROM artifacts a JOIN blobs b ON b.id = a.blob_id WHERE a.workspace_id = ? AND a.path = ?',
    workspaceId,
    path,
  );
  return row?.size ?? 0;
}

/** A file, or all files below a folder. Answers how many bytes they had. */
export async function removeFiles(db: Queries, workspaceId: number, path: string): Promise<number> {
  const range = 'workspace_id = ? AND (path = ? OR (path >= ? AND path < ?))';
  const values = [workspaceId, path, `${path}/`, `${path}0`];
  if (db.dialect === 'postgres') {
    const gone = await db.one<{ size: number }>(
      `WITH gone AS (DELETE FROM artifacts WHERE ${range} RETURNING blob_id)
       SELECT CAST(COALESCE(sum(b.size), 0) AS BIGINT) AS size FROM gone JOIN blobs b ON b.id = gone.blob_id`,
      ...values,
    );
    return gone?.size ?? 0;
  }
  const held = await db.one<{ size: number }>(
    `SELECT COALESCE(sum(b.size), 0) AS size FROM artifacts a JOIN blobs b ON b.id = a.blob_id WHERE ${range}`,
    ...values,
  );
  await db.run(`DELETE FROM artifacts WHERE ${range}`, ...values);
  return held?.size ?? 0;
}

export async function moveFiles(tx: Queries, workspaceId: number, toId: number): Promise<void> {
  await tx.run('UPDATE artifacts SET workspace_id = ? WHERE workspace_id = ?', toId, workspaceId);
}

/** What stands directly in a folder. `0` is the character after `/`, so `folder0` is the first path behind all of the folder's. */
export function listFolder(db: Queries, workspaceId: number, folder: string): Promise<EntryRow[]> {
  return listLevel(db, 'artifacts', 'workspace_id', workspaceId, folder);
}

export function listTreeFolder(db: Queries, treeId: number, folder: string): Promise<EntryRow[]> {
  return listLevel(db, 'tree_files', 'tree_id', treeId, folder);
}

/**
 * A loose index scan: each step seeks the first path behind the entry before, so a folder costs as many seeks as it has entries, however
 * much lies below them. Lengths are counted in code points.
 */
function listLevel(db: Queries, table: 'artifacts' | 'tree_files', owner: string, id: number, folder: string): Promise<EntryRow[]> {
  const prefix = folder === '' ? '' : `${folder}/`;
  const below = folder === '' ? '' : 'AND t.path < asked.until';
  // Where the name of the entry ends in a path below it; 0 for a file.
  const slash = `${db.dialect === 'sqlite' ? 'instr' : 'strpos'}(substr(step.path, asked.skip + 1), '/')`;
  const name = `substr(step.path, 1, asked.skip + ${slash} - 1)`;
  // Control characters are in no path, so this sorts behind a file and before all that begin with its name.
  const behind = db.dialect === 'sqlite' ? 'char(1)' : 'chr(1)';
  return db.all<EntryRow>(
    `WITH RECURSIVE asked(owner, prefix, until, skip) AS (SELECT CAST(? AS BIGINT), CAST(? AS TEXT), CAST(? AS TEXT), CAST(? AS INTEGER)),
     step(path) AS (
       SELECT (SELECT t.path FROM ${table} t WHERE t.${owner} = asked.owner AND t.path >= asked.prefix ${below} ORDER BY t.path LIMIT 1) FROM asked
       UNION ALL
       SELECT (SELECT t.path FROM ${table} t WHERE t.${owner} = asked.owner ${below}
               AND t.path >= CASE WHEN ${slash} > 0 THEN ${name} || '0' ELSE step.path || ${behind} END ORDER BY t.path LIMIT 1)
       FROM step, asked WHERE step.path IS NOT NULL
     )
     SELECT CASE WHEN ${slash} > 0 THEN ${name} ELSE step.path END AS path, CASE WHEN ${slash} > 0 THEN 1 ELSE 0 END AS is_directory,
       CASE WHEN ${slash} > 0 THEN 0 ELSE b.size END AS size
     FROM asked JOIN step ON step.path IS NOT NULL
     LEFT JOIN ${table} f ON f.${owner} = asked.owner AND f.path = step.path LEFT JOIN blobs b ON b.id = f.blob_id LIMIT ?`,
    id,
    prefix,
    `${folder}0`,
    [...prefix].length,
    LIST_MAX + 1,
  );
}

export interface TreeRow {
  readonly id: number;
  readonly digest: string;
  readonly signing_root: string;
  readonly file_count: number;
  readonly size: number;
}

type SealRow = Pick<FileRow, 'path' | 'blob_id' | 'domain' | 'sha256' | 'size'>;

/** The files below a folder with their blobs, in order of path. The blobs are locked against a collection until the commit. */
export function listForSeal(db: Queries, workspaceId: number, folder: string): Promise<SealRow[]> {
  const lock = db.dialect === 'postgres' ? 'FOR SHARE OF b' : '';
  return db.all<SealRow>(
    `SELECT a.path, a.blob_id, b.domain, b.sha256, b.size FROM artifacts a JOIN blobs b ON b.id = a.blob_id
     WHERE a.workspace_id = ? AND a.path >= ? AND a.path < ? ORDER BY a.path LIMIT ? ${lock}`,
    workspaceId,
    `${folder}/`,
    `${folder}0`,
    TREE_FILES_MAX + 1,
  );
}

/** Locked against a collection until the commit. */
export function findTreeByDigest(db: Queries, domain: string, digest: string): Promise<TreeRow | undefined> {
  const lock = db.dialect === 'postgres' ? 'FOR SHARE' : '';
  return db.one<TreeRow>(
    `SELECT id, digest, signing_root, file_count, size FROM trees WHERE domain = ? AND digest = ? ${lock}`,
    domain,
    digest,
  );
}

export function findTree(db: Queries, treeId: number): Promise<TreeRow | undefined> {
  return db.one<TreeRow>(TREE_BY_ID, treeId);
}

/** Kept from being collected until the transaction ends. */
export function holdTree(tx: Queries, treeId: number): Promise<TreeRow | undefined> {
  return tx.one<TreeRow>(tx.dialect === 'postgres' ? `${TREE_BY_ID} FOR SHARE` : TREE_BY_ID, treeId);
}

const TREE_BY_ID = 'SELECT id, digest, signing_root, file_count, size FROM trees WHERE id = ?';

/** Undefined if another process has just inserted the same. */
export async function insertTree(
  db: Queries,
  tree: { domain: string; digest: string; signingRoot: string; fileCount: number; sizeBytes: number },
  now: number,
): Promise<number | undefined> {
  const row = await db.one<{ id: number }>(
    `INSERT INTO trees (domain, digest, signing_root, file_count, size, created_at) VALUES (?, ?, ?, ?, ?, ?)
     ON CONFLICT (domain, digest) DO NOTHING RETURNING id`,
    tree.domain,
    tree.digest,
    tree.signingRoot,
    tree.fileCount,
    tree.sizeBytes,
    now,
  );
  return row?.id;
}

export interface TreeFile {
  readonly path: string;
  readonly blobId: number;
}

/** From what was read, not copied in SQL: on PostgreSQL an upload may commit between the two statements. */
export async function insertTreeFiles(db: Queries, treeId: number, files: readonly TreeFile[]): Promise<void> {
  const paths = JSON.stringify(files.map((file) => file.path));
  const ids = JSON.stringify(files.map((file) => file.blobId));
  await db.run(
    db.dialect === 'sqlite'
      ? `INSERT INTO tree_files (tree_id, path, blob_id) SELECT ?, p.value, b.value FROM json_each(?) p JOIN json_each(?) b ON b.key = p.key`
      : `INSERT INTO tree_files (tree_id, path, blob_id)
         SELECT ?::bigint, f.path, f.blob_id::bigint
         FROM ROWS FROM (jsonb_array_elements_text(?::jsonb), jsonb_array_elements_text(?::jsonb)) AS f(path, blob_id)`,
    treeId,
    paths,
    ids,
  );
}

export function findTreeFile(db: Queries, treeId: number, path: string): Promise<FileRow | undefined> {
  return db.one<FileRow>(
    `SELECT f.path, f.blob_id, t.created_at AS updated_at, ${BLOB_COLUMNS}
     FROM tree_files f JOIN blobs b ON b.id = f.blob_id JOIN trees t ON t.id = f.tree_id ${KEYS} WHERE f.tree_id = ? AND f.path = ?`,
    treeId,
    path,
  );
}

export function listTreeFiles(db: Queries, treeId: number): Promise<FileRow[]> {
  return db.all<FileRow>(
    `SELECT f.path, f.blob_id, 0 AS updated_at, ${BLOB_COLUMNS} FROM tree_files f JOIN blobs b ON b.id = f.blob_id ${KEYS}
     WHERE f.tree_id = ? ORDER BY f.path LIMIT ?`,
    treeId,
    TREE_FILES_MAX,
  );
}

export async function getChunkDigests(db: Queries, blobId: number): Promise<Uint8Array> {
  const row = await db.one<{ chunk_digests: Uint8Array }>('SELECT chunk_digests FROM blobs WHERE id = ?', blobId);
  return row?.chunk_digests ?? new Uint8Array(0);
}
