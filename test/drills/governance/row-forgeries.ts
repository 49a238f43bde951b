/** What somebody who has the database does to the record behind the server's back. */
import * as events from '@countersign/server/features/events/events.ts';
import type { Queries } from '@countersign/server/platform/db/database.ts';

interface Row {
  readonly seq: number;
  readonly body: string;
  readonly hash: Uint8Array;
}

const COLUMNS = 'recorded_at, workspace_id, type, version, model_id, version_id, target';

async function rowAt(tx: Queries, seq: number): Promise<Row> {
  const row = await tx.one<Row>('SELECT seq, body, hash FROM events WHERE seq = ?', seq);
  if (row === undefined) throw new TypeError(`event ${seq} is there`);
  return row;
}

/** Somebody else did it. */
export async function edit(tx: Queries, at: number): Promise<void> {
  const { body } = await rowAt(tx, at);
  await tx.run('UPDATE events SET body = ? WHERE seq = ?', edited(body), at);
}

export function edited(body: string): string {
  return body.replace('"principal_id":', '"principal_id":9');
}

export function drop(tx: Queries, at: number): Promise<unknown> {
  return tx.run('DELETE FROM events WHERE seq = ?', at);
}

const TABLES = ['events', 'event_texts'] as const;

/** Each with the other's place, and its texts with it. */
export async function swap(tx: Queries, one: number, other: number): Promise<void> {
  for (const [from, to] of [
    [one, -1],
    [other, one],
    [-1, other],
  ] as const) {
    for (const table of TABLES) await tx.run(`UPDATE ${table} SET seq = ? WHERE seq = ?`, to, from);
  }
}

/** The same once more behind itself; everything behind that moves on by one. `isChained`: it follows from the one before. */
export async function insert(tx: Queries, at: number, isChained: boolean): Promise<void> {
  const { body, hash } = await rowAt(tx, at);
  for (const table of TABLES) {
    await tx.run(`UPDATE ${table} SET seq = -(seq + 1) WHERE seq > ?`, at);
    await tx.run(`UPDATE ${table} SET seq = -seq WHERE seq < 0`);
  }
  const copied = isChained ? events.chainHash(at + 1, hash, body) : hash;
  await tx.run(
    `INSERT INTO events (seq, ${COLUMNS}, body, hash) SELECT seq + 1, ${COLUMNS}, body, ? FROM events WHERE seq = ?`,
    copied,
    at,
  );
  await tx.run('UPDATE chain_head SET seq = seq + 1');
}

/** The end is where it was cut. */
export async function cut(tx: Queries, from: number): Promise<void> {
  await tx.run('DELETE FROM events WHERE seq >= ?', from);
  const last = await tx.one<{ hash: Uint8Array; recorded_at: number }>('SELECT hash, recorded_at FROM events WHERE seq = ?', from - 1);
  if (last === undefined) throw new TypeError('something is left');
  await tx.run('UPDATE chain_head SET seq = ?, hash = ?, recorded_at = ?', from - 1, last.hash, last.recorded_at);
}

/** Hashes of what stands there now from that event on, up to the end: as if it had always been so. */
export async function chainAnew(tx: Queries, from: number): Promise<void> {
  let { hash: previous } = await rowAt(tx, from - 1);
  const rows = await tx.all<Row>('SELECT seq, body, hash FROM events WHERE seq >= ? ORDER BY seq', from);
  for (const { seq, body } of rows) {
    previous = events.chainHash(seq, previous, body);
    await tx.run('UPDATE events SET hash = ? WHERE seq = ?', previous, seq);
  }
  await tx.run('UPDATE chain_head SET hash = ?', previous);
}

/** So that new ones are made, by whoever has the key too. */
export async function forgetCheckpoints(tx: Queries): Promise<void> {
  await tx.run('DELETE FROM checkpoints');
  await tx.run('DELETE FROM merkle_nodes');
}
