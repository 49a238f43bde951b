/**
 * The append-only, hash-chained record of what happened. A change and its event commit together: `record` defers the event to the
 * commit, where all of a batch are chained in one go, the chain's head locked last.
 */
import { createHash } from 'node:crypto';
import { setImmediate } from 'node:timers/promises';
import type { Clock, TxCtx } from '../../platform/context.ts';
import type { CommitHook, Database, Queries } from '../../platform/db/database.ts';
import * as originStore from './event-origin-store.ts';
import { type CallerOrigin, type KnownOrigin, KnownOrigins, originOf } from './event-origins.ts';
import * as ranges from './event-range-store.ts';
import { chainHash, commitment, type EventFacts, firstPrevious, inOrder, SALT_BYTES } from './event-rules.ts';
import * as store from './event-store.ts';

export { type ChainVerdict, type VerifiedEvent, verifyChain } from './chain-verification.ts';
export { ADDRESS_FIELD } from './event-origin-store.ts';
export { chainHash, commitment, firstPrevious, isCommitted } from './event-rules.ts';

export interface NewEvent {
  /** `noun.verb`, past tense: `model-version.stage-changed`. */
  readonly type: string;
  readonly version?: number;
  readonly modelId?: number;
  readonly versionId?: number;
  /** What `as_of` asks by: `stage:Production`, `alias:champion`. */
  readonly target?: string;
  /** Facts without personal data or free text. Integers that may pass 2^53, NaN and infinities are strings. */
  readonly data: EventFacts;
  /** Free text and personal data: stored beside the chain, the event holds a salted commitment. */
  readonly texts?: Readonly<Record<string, string>>;
}

interface PendingEvent extends NewEvent {
  readonly workspaceId: number;
  readonly principalId: number;
  readonly origin: CallerOrigin | undefined;
  readonly salts: Readonly<Record<string, Buffer>>;
}

/** Appends an event to the caller's transaction. */
export function record(ctx: TxCtx, event: NewEvent): void {
  const salts: Record<string, Buffer> = {};
  for (const field of Object.keys(event.texts ?? {})) salts[field] = ctx.clock.randomBytes(SALT_BYTES);
  const origin = originOf(ctx.principal, ctx.origin);
  const pending: PendingEvent = { ...event, workspaceId: ctx.workspace.id, principalId: ctx.principal.id, origin, salts };
  ctx.tx.defer(pending);
}

/** Makes the chain if it is new, and has the database call it at each commit. Answers the server's id. */
export async function openChain(db: Database, clock: Clock): Promise<string> {
  const serverId = await db.write(async (tx) => {
    const found = await store.findHead(tx);
    if (found) return found.server_id;
    const id = clock.randomBytes(16).toString('hex');
    await store.insertHead(tx, id, firstPrevious(id));
    return (await store.getHead(tx)).server_id;
  });
  const origins = new KnownOrigins(clock);
  ORIGINS.set(db, origins);
  db.setCommitHook(commitHook(clock, origins, db.dialect === 'sqlite'));
  return serverId;
}

const ORIGINS = new WeakMap<Database, KnownOrigins>();

/** `isSoleOwner`: nobody else appends, so the head is kept in memory and moves only after COMMIT. */
function commitHook(clock: Clock, origins: KnownOrigins, isSoleOwner: boolean): CommitHook {
  let known: store.Head | undefined;
  return async (tx: Queries, items: readonly unknown[]) => {
    const head = (isSoleOwner ? known : undefined) ?? (await store.lockHead(tx));
    const recordedAt = Math.max(clock.now(), head.recorded_at);
    let { seq, hash } = head;
    const rows: store.EventRow[] = [];
    const texts: store.TextRow[] = [];
    const unknown = new Set<KnownOrigin>();
    for (const item of items as PendingEvent[]) {
      seq += 1;
      const origin = item.origin && origins.of(item.origin);
      if (origin?.isStored === false) unknown.add(origin);
      const body = bodyOf(item, { serverId: head.server_id, recordedAt, seq, address: origin?.commitment }, texts);
      hash = chainHash(seq, hash, body);
      rows.push({
        seq,
        recordedAt,
        workspaceId: item.workspaceId,
        type: item.type,
        version: item.version ?? 1,
        modelId: item.modelId,
        versionId: item.versionId,
        target: item.target,
        body,
        hash,
      });
    }
    await Promise.all([
      store.insertEvents(tx, rows),
      texts.length > 0 && store.insertTexts(tx, texts),
      ...[...unknown].map((origin) => originStore.insert(tx, origin)),
      store.moveHead(tx, seq, hash, recordedAt),
    ]);
    const moved = { server_id: head.server_id, seq, hash, recorded_at: recordedAt };
    return () => {
      known = moved;
      for (const origin of unknown) origin.isStored = true;
    };
  };
}

interface Link {
  readonly serverId: string;
  readonly recordedAt: number;
  readonly seq: number;
  /** Commitment to where the call came from. */
  readonly address: string | undefined;
}

function bodyOf(event: PendingEvent, { serverId, recordedAt, seq, address }: Link, texts: store.TextRow[]): string {
  const commitments: Record<string, string> = {};
  for (const [field, text] of Object.entries(event.texts ?? {})) {
    const salt = event.salts[field];
    if (salt === undefined) continue;
    commitments[field] = commitment(salt, text);
    texts.push({ seq, field, salt, text });
  }
  if (address !== undefined) commitments[originStore.ADDRESS_FIELD] = address;
  // Canonical JSON (RFC 8785): the members stand in order.
  return JSON.stringify({
    commitments: event.texts || address ? inOrder(commitments) : undefined,
    data: inOrder(event.data),
    model_id: event.modelId,
    principal_id: event.principalId,
    recorded_at: recordedAt,
    server: serverId,
    target: event.target,
    token_id: event.origin?.tokenId,
    type: event.type,
    version: event.version ?? 1,
    version_id: event.versionId,
    workspace_id: event.workspaceId,
  });
}

export interface RecordedEvent {
  readonly seq: number;
  readonly recordedAt: number;
  readonly type: string;
  readonly version: number;
  readonly body: string;
  readonly hash: string;
}

export interface EventQuery {
  readonly workspaceId: number;
  readonly modelId?: number;
  readonly afterSeq?: number;
  readonly newestFirst?: boolean;
  /** First words of types that are left out: `token` for `token.created`. */
  readonly without?: readonly string[];
  readonly limit: number;
}

/** A page in the chain's order. */
export async function list(db: Queries, query: EventQuery): Promise<RecordedEvent[]> {
  return (await store.list(db, query)).map((row) => ({ ...row, hash: Buffer.from(row.hash).toString('hex') }));
}

/** The last event recorded at or before a time: its place in the chain, 0 before the first. */
export function lastSeqAt(db: Queries, asOf: number): Promise<number> {
  return store.lastSeqAt(db, asOf);
}

export interface ModelEventQuery {
  readonly workspaceId: number;
  readonly modelId: number;
  /** All of the model's where it is undefined. */
  readonly target: string | undefined;
  readonly untilSeq: number;
}

const FOLD_PAGE = 1000;

/** A model's events up to a place in the chain, oldest first, as they are needed. */
export function listOfModel(db: Queries, query: ModelEventQuery): AsyncGenerator<Omit<RecordedEvent, 'hash'>> {
  return pages((afterSeq, limit) => store.listOfModel(db, { ...query, afterSeq, limit }));
}

export interface VersionEventQuery {
  readonly versionId: number;
  readonly types: readonly string[];
  /** The last of the page before. */
  readonly afterSeq?: number | undefined;
  readonly newestFirst: boolean;
  readonly limit: number;
}

/** A page of a version's events of some types. */
export function listOfVersion(db: Queries, query: VersionEventQuery): Promise<Omit<RecordedEvent, 'hash'>[]> {
  return store.listOfVersion(db, { ...query, afterSeq: query.afterSeq });
}

/** All of a version's events of some types behind a place in the chain, oldest first, as they are needed. */
export function listAllOfVersion(
  db: Queries,
  query: { readonly versionId: number; readonly types: readonly string[]; readonly fromSeq: number },
): AsyncGenerator<Omit<RecordedEvent, 'hash'>> {
  return pages((afterSeq, limit) =>
    store.listOfVersion(db, { ...query, afterSeq: Math.max(afterSeq, query.fromSeq), newestFirst: false, limit }),
  );
}

/** What happened to requests: events on `request:ID`, oldest first. */
export function listOnRequests(db: Queries, ids: readonly number[]): Promise<Omit<RecordedEvent, 'hash'>[]> {
  return store.listOnRequests(
    db,
    ids.map((id) => `request:${id}`),
  );
}

/** What is still there of the texts beside events on blocks of bytes or on broken glass: by id, then by `type/field`. The newest of each. */
export async function listTextsOn(
  db: Queries,
  kind: 'block' | 'break-glass',
  ids: readonly number[],
): Promise<ReadonlyMap<number, ReadonlyMap<string, string>>> {
  const texts = new Map<number, Map<string, string>>();
  if (ids.length === 0) return texts;
  for (const row of await store.listTextsOn(db, kind, ids)) {
    const id = Number(row.target.slice(kind.length + 1));
    const fields = texts.get(id) ?? new Map<string, string>();
    texts.set(id, fields.set(`${row.type}/${row.field}`, row.text));
  }
  return texts;
}

/** What comments say now: by a comment's id, the newest of the events that hold its words. Ids that nothing was said under are left out. */
export async function listNewestOnComments(
  db: Queries,
  ids: readonly string[],
  types: readonly string[],
): Promise<ReadonlyMap<string, number>> {
  const targets = ids.map((id) => `comment:${id}`);
  const rows = await store.listNewestOnComments(db, targets, types);
  return new Map(rows.map(({ target, seq }) => [target.replace('comment:', ''), seq]));
}

/** Who may do what: all events of access up to a place in the chain, of every workspace, oldest first. */
export function listOfAccess(db: Queries, untilSeq: number): AsyncGenerator<Omit<RecordedEvent, 'hash'>> {
  return pages((afterSeq, limit) => store.listOfAccess(db, { afterSeq, untilSeq, limit }));
}

async function* pages<Row extends { readonly seq: number }>(
  read: (afterSeq: number, limit: number) => Promise<readonly Row[]>,
): AsyncGenerator<Row> {
  let afterSeq = 0;
  for (;;) {
    const page = await read(afterSeq, FOLD_PAGE);
    yield* page;
    const last = page.at(-1);
    if (last === undefined || page.length < FOLD_PAGE) return;
    await setImmediate();
    afterSeq = last.seq;
  }
}

/** What is still there of the texts beside these events: by seq, then by field. */
export async function listTexts(db: Queries, seqs: readonly number[]): Promise<ReadonlyMap<number, ReadonlyMap<string, string>>> {
  const texts = new Map<number, Map<string, string>>();
  if (seqs.length === 0) return texts;
  for (const row of await store.listTexts(db, seqs)) {
    const fields = texts.get(row.seq) ?? new Map<string, string>();
    texts.set(row.seq, fields.set(row.field, row.text));
  }
  return texts;
}

export async function find(db: Queries, seq: number): Promise<RecordedEvent | undefined> {
  const row = await store.find(db, seq);
  return row && { ...row, hash: Buffer.from(row.hash).toString('hex') };
}

const TARGET_STRETCH = 5000;

/** Events on a target that are about no model, after a place in the chain up to its end as it is now, stretch by stretch; many are empty. */
export async function* listOnTarget(db: Queries, target: string, afterSeq: number): AsyncGenerator<readonly Omit<RecordedEvent, 'hash'>[]> {
  const { seq: end } = await store.getHead(db);
  for (let seq = afterSeq; seq < end; seq += TARGET_STRETCH) {
    yield await store.listOnTarget(db, target, seq, Math.min(seq + TARGET_STRETCH, end));
  }
}

/** Erases a text beside an event; its commitment stays in the chain, which still verifies. False where it was erased before. */
export function eraseText(ctx: TxCtx, seq: number, field: string): Promise<boolean> {
  if (field !== originStore.ADDRESS_FIELD) return store.eraseText(ctx.tx, seq, field);
  ORIGINS.get(ctx.db)?.forget();
  return originStore.eraseOf(ctx.tx, seq);
}

/** From where these principals did what they did. Answers how many addresses there were. */
export function eraseAddresses(ctx: TxCtx, principalIds: readonly number[]): Promise<number> {
  ORIGINS.get(ctx.db)?.forget();
  return originStore.eraseOfPrincipals(ctx.tx, principalIds);
}

/** From where these events were caused, by seq, as far as it is known and was not erased. */
export async function listAddresses(db: Queries, seqs: readonly number[]): Promise<ReadonlyMap<number, string>> {
  if (seqs.length === 0) return new Map();
  return new Map((await originStore.listOf(db, seqs)).map(({ seq, text }) => [seq, text]));
}

/** All texts beside these events. Answers how many there were. */
export async function eraseTexts(ctx: TxCtx, seqs: readonly number[]): Promise<number> {
  return seqs.length === 0 ? 0 : store.eraseTexts(ctx.tx, seqs);
}

export interface ChainEnd {
  readonly serverId: string;
  /** Of the last event; 0 before the first. */
  readonly seq: number;
}

/** Where the chain ends now. */
export async function findEnd(db: Queries): Promise<ChainEnd> {
  const { server_id: serverId, seq } = await store.getHead(db);
  return { serverId, seq };
}

const HASHES_PAGE = 1000;

/** The hashes of a stretch of the chain, of every workspace, in its order. */
export async function* listHashes(db: Queries, afterSeq: number, untilSeq: number): AsyncGenerator<Uint8Array> {
  for (let seq = afterSeq; seq < untilSeq; ) {
    const page = await ranges.listHashes(db, seq, untilSeq, HASHES_PAGE);
    for (const row of page) yield row.hash;
    const last = page.at(-1)?.seq;
    if (last === undefined) return;
    seq = last;
    await setImmediate();
  }
}

export interface ChainedEvent {
  readonly seq: number;
  readonly body: string;
  readonly hash: string;
  /** By field, what is still there, where it was asked for. */
  readonly texts?: Readonly<Record<string, { readonly salt: string; readonly text: string }>>;
}

export interface ChainedQuery {
  readonly afterSeq: number;
  readonly limit: number;
  readonly withTexts: boolean;
}

const CHAINED_STEP = 100;
/** A page is ended behind so many characters, since texts may be long. */
const CHAINED_CHARACTERS = 4 << 20;

/** A page of the whole chain, of every workspace, with what is needed to verify it. Only an empty one is behind the last. */
export async function listChained(db: Queries, { limit, ...query }: ChainedQuery): Promise<readonly ChainedEvent[]> {
  const page: ChainedEvent[] = [];
  for (let size = 0; page.length < limit && size < CHAINED_CHARACTERS; ) {
    const afterSeq = page.at(-1)?.seq ?? query.afterSeq;
    const step = await readChained(db, { ...query, afterSeq, limit: Math.min(CHAINED_STEP, limit - page.length) });
    if (step.length === 0) break;
    page.push(...step);
    for (const { body, texts = {} } of step) {
      size += body.length;
      for (const { text } of Object.values(texts)) size += text.length;
    }
  }
  return page;
}

/** An event by itself, with what its hash follows from. */
export interface ExcerptedEvent extends ChainedEvent {
  /** Hash of the event before it, in hex. */
  readonly previous: string;
}

const EXCERPT_STEP = 500;

/** These events and the salted texts beside them, in the chain's order, for proofs by somebody who has not the whole chain. */
export async function listExcerpt(db: Queries, seqs: readonly number[]): Promise<readonly ExcerptedEvent[]> {
  const { server_id: serverId } = await store.getHead(db);
  const excerpt: ExcerptedEvent[] = [];
  for (let at = 0; at < seqs.length; at += EXCERPT_STEP) {
    const step = seqs.slice(at, at + EXCERPT_STEP);
    const rows = await ranges.listAt(db, step);
    const before = await ranges.listAt(
      db,
      step.map((seq) => seq - 1),
    );
    const hashes = new Map(before.map(({ seq, hash }) => [seq, Buffer.from(hash).toString('hex')]));
    // Whoever may read the model reads what a pack holds: from where people worked is not theirs.
    const texts = await saltedTexts(db, step, ranges.listSaltedTexts);
    for (const { seq, body, hash } of rows) {
      const previous = hashes.get(seq - 1) ?? firstPrevious(serverId).toString('hex');
      excerpt.push({ seq, body, hash: Buffer.from(hash).toString('hex'), previous, texts: texts.get(seq) ?? {} });
    }
    await setImmediate();
  }
  return excerpt;
}

type ReadTexts = (db: Queries, seqs: readonly number[]) => Promise<readonly ranges.SaltedTextRow[]>;

async function saltedTexts(
  db: Queries,
  seqs: readonly number[],
  rows: ReadTexts,
): Promise<ReadonlyMap<number, NonNullable<ChainedEvent['texts']>>> {
  const texts = new Map<number, Record<string, { salt: string; text: string }>>();
  for (const { seq, field, salt, text } of seqs.length === 0 ? [] : await rows(db, seqs)) {
    texts.set(seq, { ...texts.get(seq), [field]: { salt: Buffer.from(salt).toString('hex'), text } });
  }
  return texts;
}

async function listAllTexts(db: Queries, seqs: readonly number[]): Promise<readonly ranges.SaltedTextRow[]> {
  return [...(await originStore.listOf(db, seqs)), ...(await ranges.listSaltedTexts(db, seqs))];
}

async function readChained(db: Queries, query: ChainedQuery): Promise<ChainedEvent[]> {
  const rows = await store.range(db, query.afterSeq, query.limit);
  const texts = await saltedTexts(db, query.withTexts ? rows.map((row) => row.seq) : [], listAllTexts);
  return rows.map(({ seq, body, hash }) => ({
    seq,
    body,
    hash: Buffer.from(hash).toString('hex'),
    ...(query.withTexts ? { texts: texts.get(seq) ?? {} } : {}),
  }));
}

/** Digest of a text as it may stand in an event where the text itself must not. */
export function digestOf(text: string): string {
  return createHash('sha256').update(text, 'utf8').digest('hex');
}
