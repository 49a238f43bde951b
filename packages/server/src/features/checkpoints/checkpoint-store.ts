import type { Queries, SqlValue } from '../../platform/db/database.ts';
import { manyRows, runManyRows } from '../../platform/db/many-rows.ts';
import type { SealedColumn } from '../../platform/secrets/sealed-column-store.ts';
import type { CheckpointKey, SignedCheckpoint } from './checkpoint-rules.ts';
import type { TreeNode } from './merkle-rules.ts';

/** What a private key is bound to. */
export const KEY_OWNER = 'countersign.checkpoint-key';
export const SECRETS: SealedColumn = { table: 'checkpoint_keys', column: 'sealed', id: 'number', owner: `'${KEY_OWNER}'` };

export interface KeyRow extends CheckpointKey {
  /** Undefined where the operator keeps it, and once another took its place. */
  readonly sealed: Uint8Array | undefined;
}

interface RawKey {
  readonly number: number;
  readonly publicKey: Uint8Array;
  readonly sealed: Uint8Array | null;
  readonly createdAt: number;
  readonly signedBy: number;
  readonly signature: Uint8Array;
}

const KEYS_MAX = 10_000;

/** Oldest first. */
export async function listKeys(db: Queries): Promise<KeyRow[]> {
  const rows = await db.all<RawKey>(
    `SELECT number, public_key AS "publicKey", sealed, created_at AS "createdAt", signed_by AS "signedBy", signature
     FROM checkpoint_keys ORDER BY number LIMIT ${KEYS_MAX}`,
  );
  return rows.map((row) => ({
    ...row,
    publicKey: Buffer.from(row.publicKey),
    signature: Buffer.from(row.signature),
    sealed: row.sealed ?? undefined,
  }));
}

/** False where another of that number is there already. */
export async function insertKey(tx: Queries, key: KeyRow, by: number): Promise<boolean> {
  const { number, publicKey, sealed, createdAt, signedBy, signature } = key;
  const count = await tx.run(
    `INSERT INTO checkpoint_keys (number, public_key, sealed, created_at, signed_by, signature, written_by) VALUES (?, ?, ?, ?, ?, ?, ?)
     ON CONFLICT DO NOTHING`,
    number,
    publicKey,
    sealed ?? null,
    createdAt,
    signedBy,
    signature,
    by,
  );
  return count > 0;
}

/** Who makes a checkpoint and who takes the key's place do it one after the other. Answers the newest key's number. */
export async function lockKey(tx: Queries, number: number): Promise<number> {
  if (tx.dialect === 'postgres') await tx.one('SELECT number FROM checkpoint_keys WHERE number = ? FOR UPDATE', number);
  const newest = await tx.one<{ number: number }>('SELECT number FROM checkpoint_keys ORDER BY number DESC LIMIT 1');
  return newest?.number ?? 0;
}

/** The private half of a key that signs nothing any more. */
export async function forgetPrivateKey(tx: Queries, number: number): Promise<void> {
  await tx.run('UPDATE checkpoint_keys SET sealed = NULL WHERE number = ?', number);
}

export interface CheckpointRow extends Omit<SignedCheckpoint, 'serverId'> {
  readonly frontier: Uint8Array;
}

interface RawCheckpoint {
  readonly size: number;
  readonly root: Uint8Array;
  readonly time: number;
  readonly previous: Uint8Array;
  readonly keyId: string;
  readonly signature: Uint8Array;
  readonly frontier: Uint8Array;
}

const COLUMNS = 'size, root, recorded_at AS time, previous, key_id AS "keyId", signature, frontier';

function read(row: RawCheckpoint): CheckpointRow {
  return { ...row, root: Buffer.from(row.root), previous: Buffer.from(row.previous), signature: Buffer.from(row.signature) };
}

export async function findNewest(db: Queries): Promise<CheckpointRow | undefined> {
  const row = await db.one<RawCheckpoint>(`SELECT ${COLUMNS} FROM checkpoints ORDER BY size DESC LIMIT 1`);
  return row && read(row);
}

/** The one over exactly so many events. */
export async function find(db: Queries, size: number): Promise<CheckpointRow | undefined> {
  const row = await db.one<RawCheckpoint>(`SELECT ${COLUMNS} FROM checkpoints WHERE size = ?`, size);
  return row && read(row);
}

/** By size, behind a size. */
export async function list(
  db: Queries,
  query: { afterSize: number | undefined; untilSize?: number; newestFirst: boolean; limit: number },
): Promise<CheckpointRow[]> {
  const { afterSize, newestFirst, limit, untilSize = Number.MAX_SAFE_INTEGER } = query;
  const rows = newestFirst
    ? await db.all<RawCheckpoint>(
        `SELECT ${COLUMNS} FROM checkpoints WHERE size < ? ORDER BY size DESC LIMIT ?`,
        afterSize ?? Number.MAX_SAFE_INTEGER,
        limit,
      )
    : await db.all<RawCheckpoint>(
        `SELECT ${COLUMNS} FROM checkpoints WHERE size > ? AND size <= ? ORDER BY size LIMIT ?`,
        afterSize ?? 0,
        untilSize,
        limit,
      );
  return rows.map(read);
}

/** False where another one goes on from the same, or is over as many events. */
export async function insert(tx: Queries, row: CheckpointRow): Promise<boolean> {
  const count = await tx.run(
    'INSERT INTO checkpoints (size, root, recorded_at, previous, key_id, signature, frontier) VALUES (?, ?, ?, ?, ?, ?, ?) ON CONFLICT DO NOTHING',
    row.size,
    row.root,
    row.time,
    row.previous,
    row.keyId,
    row.signature,
    row.frontier,
  );
  return count > 0;
}

const NODE_ROWS = manyRows(3, 16, (values) => `INSERT INTO merkle_nodes (level, position, hash) VALUES ${values} ON CONFLICT DO NOTHING`);

export type NodeRow = TreeNode & { readonly hash: Uint8Array };

export async function insertNodes(tx: Queries, nodes: readonly NodeRow[]): Promise<void> {
  const cells: SqlValue[] = [];
  for (const { level, position, hash } of nodes) cells.push(level, position, hash);
  await runManyRows(tx, NODE_ROWS, cells);
}

export async function findNode(db: Queries, { level, position }: TreeNode): Promise<Uint8Array | undefined> {
  const row = await db.one<{ hash: Uint8Array }>('SELECT hash FROM merkle_nodes WHERE level = ? AND position = ?', level, position);
  return row?.hash;
}
