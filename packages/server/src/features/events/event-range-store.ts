/** Stretches of the whole chain, of every workspace: for what is made over all of it. */
import { idList, idsOf, type Queries } from '../../platform/db/database.ts';

export function listHashes(db: Queries, afterSeq: number, untilSeq: number, limit: number): Promise<{ seq: number; hash: Uint8Array }[]> {
  return db.all('SELECT seq, hash FROM events WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?', afterSeq, untilSeq, limit);
}

export interface SaltedTextRow {
  readonly seq: number;
  readonly field: string;
  readonly salt: Uint8Array;
  readonly text: string;
}

const TEXTS_MAX = 200_000;

/** With the salts, by which whoever has them can check the commitments. */
export function listSaltedTexts(db: Queries, seqs: readonly number[]): Promise<SaltedTextRow[]> {
  return db.all(
    `SELECT seq, field, salt, text FROM event_texts WHERE seq IN (${idsOf(db)}) ORDER BY seq, field LIMIT ${TEXTS_MAX}`,
    idList(db, seqs),
  );
}
