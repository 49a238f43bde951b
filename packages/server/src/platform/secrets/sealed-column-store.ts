/** Columns of sealed bytes, wherever they are: which of their rows are not under the current key. */
import type { Queries } from '../db/database.ts';

/** Names of the schema, never a user's. */
export interface SealedColumn {
  readonly table: string;
  readonly column: string;
  /** The primary key, a number. */
  readonly id: string;
  /** What the bytes are bound to: another column, or a constant in quotes. */
  readonly owner: string;
}

export interface SealedRow {
  readonly id: number;
  readonly owner: string;
  readonly sealed: Uint8Array;
}

const PAGE = 100;

/** Eight bytes behind the format. */
function keyOf({ column }: SealedColumn): string {
  return `substr(${column}, 2, 8)`;
}

/** The next rows under other keys, in order of id. On PostgreSQL they stay locked until the commit. */
export function listUnderOthers(tx: Queries, where: SealedColumn, keyId: string, afterId: number): Promise<SealedRow[]> {
  return tx.all<SealedRow>(
    `SELECT ${where.id} AS id, ${where.owner} AS owner, ${where.column} AS sealed FROM ${where.table}
     WHERE ${where.id} > ? AND ${where.column} IS NOT NULL AND ${keyOf(where)} <> ? ORDER BY ${where.id} LIMIT ${PAGE}
     ${tx.dialect === 'postgres' ? 'FOR UPDATE' : ''}`,
    afterId,
    Buffer.from(keyId, 'hex'),
  );
}

export async function replaceSealed(tx: Queries, where: SealedColumn, id: number, sealed: Uint8Array): Promise<void> {
  await tx.run(`UPDATE ${where.table} SET ${where.column} = ? WHERE ${where.id} = ?`, sealed, id);
}

/** How many rows each key seals, by the key's id. */
export async function countByKey(db: Queries, where: SealedColumn): Promise<ReadonlyMap<string, number>> {
  const rows = await db.all<{ key: Uint8Array; count: number }>(
    `SELECT ${keyOf(where)} AS key, count(*) AS count FROM ${where.table} WHERE ${where.column} IS NOT NULL
     GROUP BY ${keyOf(where)} ORDER BY 1 LIMIT 1000`,
  );
  return new Map(rows.map((row) => [Buffer.from(row.key).toString('hex'), row.count]));
}
