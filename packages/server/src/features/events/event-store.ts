import { idList, idsOf, type Queries, type SqlValue } from '../../platform/db/database.ts';
import { manyRows, runManyRows } from '../../platform/db/many-rows.ts';

export interface Head {
  readonly server_id: string;
  readonly seq: number;
  readonly hash: Uint8Array;
  readonly recorded_at: number;
}

export interface EventRow {
  readonly seq: number;
  readonly recordedAt: number;
  readonly workspaceId: number;
  readonly type: string;
  readonly version: number;
  readonly modelId: number | undefined;
  readonly versionId: number | undefined;
  readonly target: string | undefined;
  readonly body: string;
  readonly hash: Uint8Array;
}

export interface TextRow {
  readonly seq: number;
  readonly field: string;
  readonly salt: Uint8Array;
  readonly text: string;
}

interface ReadRow {
  readonly seq: number;
  readonly recordedAt: number;
  readonly type: string;
  readonly version: number;
  readonly body: string;
  readonly hash: Uint8Array;
}

const HEAD = 'SELECT server_id, seq, hash, recorded_at FROM chain_head WHERE id = 1';
const COLUMNS = 'seq, recorded_at AS "recordedAt", type, version, body, hash';

export function findHead(db: Queries): Promise<Head | undefined> {
  return db.one<Head>(HEAD);
}

export async function getHead(db: Queries): Promise<Head> {
  const head = await findHead(db);
  if (!head) throw new Error('the chain of events has no head: the database was not opened by the server');
  return head;
}

/** On PostgreSQL other replicas wait here until this commit is done. */
export async function lockHead(tx: Queries): Promise<Head> {
  if (tx.dialect === 'sqlite') return getHead(tx);
  const head = await tx.one<Head>(`${HEAD} FOR UPDATE`);
  return head ?? getHead(tx);
}

export async function insertHead(tx: Queries, serverId: string, hash: Uint8Array): Promise<void> {
  await tx.run(
    'INSERT INTO chain_head (id, server_id, seq, hash, recorded_at) VALUES (1, ?, 0, ?, 0) ON CONFLICT DO NOTHING',
    serverId,
    hash,
  );
}

export async function moveHead(tx: Queries, seq: number, hash: Uint8Array, recordedAt: number): Promise<void> {
  await tx.run('UPDATE chain_head SET seq = ?, hash = ?, recorded_at = ? WHERE id = 1', seq, hash, recordedAt);
}

const ROWS_PER_STATEMENT = 8;
const INSERT_EVENTS = 'INSERT INTO events (seq, recorded_at, workspace_id, type, version, model_id, version_id, target, body, hash)';
const INSERT_TEXTS = 'INSERT INTO event_texts (seq, field, salt, text)';
const EVENT_ROWS = manyRows(10, ROWS_PER_STATEMENT, (values) => `${INSERT_EVENTS} VALUES ${values}`);
const TEXT_ROWS = manyRows(4, ROWS_PER_STATEMENT, (values) => `${INSERT_TEXTS} VALUES ${values}`);
const POSTGRES_EVENTS =
  `${INSERT_EVENTS} SELECT seq, "recordedAt", "workspaceId", type, version, "modelId", "versionId", target, body, decode(hash, 'hex') ` +
  'FROM json_to_recordset(?::json) AS e (seq bigint, "recordedAt" bigint, "workspaceId" bigint, type text, version bigint, ' +
  '"modelId" bigint, "versionId" bigint, target text, body text, hash text)';
const POSTGRES_TEXTS = `${INSERT_TEXTS} SELECT seq, field, decode(salt, 'hex'), text FROM json_to_recordset(?::json) AS t (seq bigint, field text, salt text, text text)`;

export async function insertEvents(tx: Queries, rows: readonly EventRow[]): Promise<void> {
  if (tx.dialect === 'postgres') {
    // One round trip for all of a commit.
    await tx.run(POSTGRES_EVENTS, JSON.stringify(rows.map((row) => ({ ...row, hash: hex(row.hash) }))));
    return;
  }
  const cells: SqlValue[] = [];
  for (const row of rows) {
    cells.push(row.seq, row.recordedAt, row.workspaceId, row.type, row.version);
    cells.push(row.modelId ?? null, row.versionId ?? null, row.target ?? null, row.body, row.hash);
  }
  await runManyRows(tx, EVENT_ROWS, cells);
}

export async function insertTexts(tx: Queries, rows: readonly TextRow[]): Promise<void> {
  if (tx.dialect === 'postgres') {
    await tx.run(POSTGRES_TEXTS, JSON.stringify(rows.map((row) => ({ ...row, salt: hex(row.salt) }))));
    return;
  }
  const cells: SqlValue[] = [];
  for (const { seq, field, salt, text } of rows) cells.push(seq, field, salt, text);
  await runManyRows(tx, TEXT_ROWS, cells);
}

function hex(bytes: Uint8Array): string {
  return Buffer.from(bytes.buffer, bytes.byteOffset, bytes.byteLength).toString('hex');
}

/** A model takes its events along into another workspace. */
const OF_MODEL = 'model_id = ? AND (workspace_id = ? OR EXISTS (SELECT 1 FROM registered_models m WHERE m.id = ? AND m.workspace_id = ?))';

function ofModel({ modelId, workspaceId }: { readonly modelId: number; readonly workspaceId: number }): number[] {
  return [modelId, workspaceId, modelId, workspaceId];
}

/** `without`: the first words of types that are left out. */
export function list(
  db: Queries,
  query: {
    workspaceId: number;
    modelId?: number;
    afterSeq?: number;
    newestFirst?: boolean;
    without?: readonly string[];
    limit: number;
  },
): Promise<ReadRow[]> {
  const without = (query.without ?? []).map((word) => `${word}.%`);
  const after = `${query.newestFirst ? 'seq < ?' : 'seq > ?'}${' AND type NOT LIKE ?'.repeat(without.length)}`;
  const start = query.afterSeq ?? (query.newestFirst ? Number.MAX_SAFE_INTEGER : 0);
  const order = query.newestFirst ? 'DESC' : 'ASC';
  const { modelId, workspaceId } = query;
  if (modelId !== undefined) {
    return db.all(
      `SELECT ${COLUMNS} FROM events WHERE ${OF_MODEL} AND ${after} ORDER BY seq ${order} LIMIT ?`,
      ...ofModel({ modelId, workspaceId }),
      start,
      ...without,
      query.limit,
    );
  }
  return db.all(
    `SELECT ${COLUMNS} FROM events WHERE workspace_id = ? AND ${after} ORDER BY seq ${order} LIMIT ?`,
    query.workspaceId,
    start,
    ...without,
    query.limit,
  );
}

const NEAREST = 'SELECT seq, recorded_at FROM events WHERE seq <= ? ORDER BY seq DESC LIMIT 1';

/**
 * The last event recorded at or before a time; 0 where there is none. Times never go back along the chain, so it is found by halving, in some
 * twenty looks at the key: an index on times would be written with each event for the sake of this rare question.
 */
export async function lastSeqAt(db: Queries, asOf: number): Promise<number> {
  let low = 0;
  let high = (await getHead(db)).seq;
  let found = 0;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    const row = await db.one<{ seq: number; recorded_at: number }>(NEAREST, middle);
    if (row !== undefined && row.recorded_at > asOf) {
      high = row.seq - 1;
    } else {
      found = row?.seq ?? found;
      low = middle;
    }
  }
  return found;
}

/** A model's events on a target, or all of them, oldest first. */
export function listOfModel(
  db: Queries,
  query: { workspaceId: number; modelId: number; target: string | undefined; afterSeq: number; untilSeq: number; limit: number },
): Promise<ReadRow[]> {
  const start = `SELECT ${COLUMNS} FROM events WHERE ${OF_MODEL} AND seq > ? AND seq <= ?`;
  const values = [...ofModel(query), query.afterSeq, query.untilSeq];
  return query.target === undefined
    ? db.all(`${start} ORDER BY seq LIMIT ?`, ...values, query.limit)
    : db.all(`${start} AND target = ? ORDER BY seq LIMIT ?`, ...values, query.target, query.limit);
}

/** Events of some types on a target of a version, of whatever workspace it was in then. The condition is written as the index has it. */
export function listOfVersion(
  db: Queries,
  query: { versionId: number; types: readonly string[]; afterSeq: number | undefined; newestFirst: boolean; limit: number },
): Promise<ReadRow[]> {
  const [after, order, start] = query.newestFirst ? ['<', 'DESC', Number.MAX_SAFE_INTEGER] : ['>', 'ASC', 0];
  return db.all(
    `SELECT ${COLUMNS} FROM events WHERE version_id = ? AND target IS NOT NULL AND seq ${after} ? AND type IN (${query.types.map(() => '?').join(', ')}) ORDER BY seq ${order} LIMIT ?`,
    query.versionId,
    query.afterSeq ?? start,
    ...query.types,
    query.limit,
  );
}

/** Events on these targets, each `request:ID`, oldest first. The condition is written as the index has it. */
export function listOnRequests(db: Queries, targets: readonly string[]): Promise<ReadRow[]> {
  if (targets.length === 0) return Promise.resolve([]);
  return db.all(
    `SELECT ${COLUMNS} FROM events WHERE target IN (${targets.map(() => '?').join(', ')}) AND target >= 'request:' AND target < 'request;' ORDER BY seq`,
    ...targets,
  );
}

/** Texts beside events on `KIND:ID`, oldest first. The range is written as the kind's index has it. */
export function listTextsOn(db: Queries, kind: 'block' | 'break-glass', ids: readonly number[]): Promise<TargetTextRow[]> {
  const targets = ids.map((id) => `${kind}:${id}`);
  return db.all(
    'SELECT e.target, e.type, t.field, t.text FROM events e JOIN event_texts t ON t.seq = e.seq ' +
      `WHERE e.target IN (${targets.map(() => '?').join(', ')}) AND e.target >= '${kind}:' AND e.target < '${kind};' ORDER BY e.seq, t.field`,
    ...targets,
  );
}

export interface TargetTextRow {
  readonly target: string;
  readonly type: string;
  readonly field: string;
  readonly text: string;
}

/** The newest of some types on each of these targets, each `comment:ID`. The condition is written as the index has it. */
export function listNewestOnComments(
  db: Queries,
  targets: readonly string[],
  types: readonly string[],
): Promise<{ target: string; seq: number }[]> {
  if (targets.length === 0) return Promise.resolve([]);
  return db.all(
    `SELECT target, max(seq) AS seq FROM events WHERE target IN (${targets.map(() => '?').join(', ')}) AND target >= 'comment:' AND target < 'comment;' AND type IN (${types.map(() => '?').join(', ')}) GROUP BY target ORDER BY target`,
    ...targets,
    ...types,
  );
}

/** Events of access in every workspace, oldest first. The condition is written as the index has it. */
export function listOfAccess(db: Queries, query: { afterSeq: number; untilSeq: number; limit: number }): Promise<ReadRow[]> {
  return db.all(
    `SELECT ${COLUMNS} FROM events WHERE target = 'access' AND seq > ? AND seq <= ? ORDER BY seq LIMIT ?`,
    query.afterSeq,
    query.untilSeq,
    query.limit,
  );
}

const TEXTS_MAX = 200_000;

/** The texts beside a page of events, by event and field. */
export function listTexts(db: Queries, seqs: readonly number[]): Promise<{ seq: number; field: string; text: string }[]> {
  return db.all(
    `SELECT seq, field, text FROM event_texts WHERE seq IN (${idsOf(db)}) ORDER BY seq, field LIMIT ${TEXTS_MAX}`,
    idList(db, seqs),
  );
}

/** One event, by its place. */
export function find(db: Queries, seq: number): Promise<ReadRow | undefined> {
  return db.one(`SELECT ${COLUMNS} FROM events WHERE seq = ?`, seq);
}

/** Events on a target, of no model, in a stretch of the chain. */
export function listOnTarget(db: Queries, target: string, afterSeq: number, untilSeq: number): Promise<ReadRow[]> {
  return db.all(
    `SELECT ${COLUMNS} FROM events WHERE seq > ? AND seq <= ? AND target = ? ORDER BY seq LIMIT 10000`,
    afterSeq,
    untilSeq,
    target,
  );
}

export async function eraseText(tx: Queries, seq: number, field: string): Promise<boolean> {
  return (await tx.run('DELETE FROM event_texts WHERE seq = ? AND field = ?', seq, field)) > 0;
}

export function eraseTexts(tx: Queries, seqs: readonly number[]): Promise<number> {
  return tx.run(`DELETE FROM event_texts WHERE seq IN (${idsOf(tx)})`, idList(tx, seqs));
}

export function range(db: Queries, afterSeq: number, limit: number): Promise<ReadRow[]> {
  return db.all(`SELECT ${COLUMNS} FROM events WHERE seq > ? ORDER BY seq LIMIT ?`, afterSeq, limit);
}
