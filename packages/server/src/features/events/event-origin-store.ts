/** SQL of the addresses that callers came from. */
import { idList, idsOf, type Queries } from '../../platform/db/database.ts';
import type { SaltedTextRow } from './event-range-store.ts';

/** As a text beside an event is called, though it is kept once for many events. */
export const ADDRESS_FIELD = 'client_address';

export interface OriginRow {
  readonly commitment: string;
  readonly principalId: number;
  readonly salt: Uint8Array;
  readonly address: string;
}

export async function insert(tx: Queries, { commitment, principalId, salt, address }: OriginRow): Promise<void> {
  await tx.run(
    'INSERT INTO event_origins (commitment, principal_id, salt, address) VALUES (?, ?, ?, ?) ON CONFLICT DO NOTHING',
    commitment,
    principalId,
    salt,
    address,
  );
}

function committed(db: Queries): string {
  return db.dialect === 'postgres'
    ? `(e.body::json -> 'commitments' ->> '${ADDRESS_FIELD}')`
    : `json_extract(e.body, '$.commitments.${ADDRESS_FIELD}')`;
}

/** Of these events, those whose address is still there. */
export function listOf(db: Queries, seqs: readonly number[]): Promise<SaltedTextRow[]> {
  return db.all(
    `SELECT e.seq, '${ADDRESS_FIELD}' AS field, o.salt, o.address AS text FROM events e JOIN event_origins o ON o.commitment = ${committed(db)}
     WHERE e.seq IN (${idsOf(db)}) ORDER BY e.seq`,
    idList(db, seqs),
  );
}

/** That of one event, and with it of all that share it. */
export async function eraseOf(tx: Queries, seq: number): Promise<boolean> {
  const sql = `DELETE FROM event_origins WHERE commitment = (SELECT ${committed(tx)} FROM events e WHERE e.seq = ?)`;
  return (await tx.run(sql, seq)) > 0;
}

export function eraseOfPrincipals(tx: Queries, ids: readonly number[]): Promise<number> {
  return tx.run(`DELETE FROM event_origins WHERE principal_id IN (${idsOf(tx)})`, idList(tx, ids));
}
