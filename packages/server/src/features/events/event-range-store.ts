/** Stretches of the whole chain, of every workspace: for what is made over all of it. */
import { idList, idsOf, type Queries } from '../../platform/db/database.ts';

export function listHashes(db: Queries, afterSeq: number, untilSeq: number, limit: number): Promise<{ seq: number; hash: Uint8Array }[]> {
  return db.all('SELECT seq, hash FROM events WHERE seq > ? AND seq <= ? ORDER BY seq LIMIT ?', afterSeq, untilSeq, limit);
}

/** Single events of the chain, in its order. */
export function listAt(db: Queries, seqs: readonly number[]): Promise<{ seq: number; body: string; hash: Uint8Array }[]> {
  return db.all(`SELECT seq, body, hash FROM events WHERE seq IN (${idsOf(db)}) ORDER BY seq`, idList(db, seqs));
}

/** A row as it is, with what stands in columns of their own for the sake of searches. */
export interface WholeRow {
  readonly seq: number;
  readonly recordedAt: number;
  readonly workspaceId: number;
  readonly type: string;
  readonly version: number;
  readonly modelId: number | null;
  readonly versionId: number | null;
  readonly target: string | null;
  readonly body: string;
  readonly hash: Uint8Array;
}

export function listWhole(db: Queries, afterSeq: number, limit: number): Promise<WholeRow[]> {
  return db.all(
    `SELECT seq, recorded_at AS "recordedAt", workspace_id AS "workspaceId", type, version, model_id AS "modelId", version_id AS "versionId", target, body, hash
     FROM events WHERE seq > ? ORDER BY seq LIMIT ?`,
    afterSeq,
    limit,
  );
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
