/** Writes the record as lines that can be verified elsewhere: keys, events in order, each checkpoint behind the last event that it is over. */
import { notFound, Problem } from '@countersign/contract/problem.ts';
import { checkpointLine, type SignedCheckpoint } from '../checkpoints/checkpoints.ts';
import type { ChainedEvent } from '../events/events.ts';
import { type ExportEntry, ExportWriter, type KeyEntry, type RecordEntry } from './export-lines.ts';

export interface ListedCheckpoint {
  readonly size: number;
  readonly line: string;
  /** In base64. */
  readonly frontier: string;
}

/** Where the record is: a server that is asked over HTTP, or the database. */
export interface RecordSource {
  /** Makes one over all events that there are; null where there is none. */
  makeCheckpoint(): Promise<{ readonly size: number } | null>;
  listKeys(): Promise<{ readonly server: string; readonly keys: readonly Omit<KeyEntry, 'kind'>[] }>;
  /** Oldest first, at most `limit`. */
  listCheckpoints(afterSize: number, limit: number): Promise<readonly ListedCheckpoint[]>;
  listEvents(afterSeq: number, limit: number): Promise<readonly ChainedEvent[]>;
}

export interface ExportOptions {
  /** Only what came after it. */
  readonly since?: SignedCheckpoint | number | undefined;
}

const PAGE = 1000;

/** Up to a checkpoint that is made for it. RESOURCE_DOES_NOT_EXIST for a `since` that isn't there, INVALID_STATE for one that was another there. */
export async function* exportRecord(source: RecordSource, { since }: ExportOptions = {}): AsyncGenerator<string> {
  const writer = new ExportWriter();
  for await (const entry of entriesOf(source, since)) yield writer.write(entry);
}

async function* entriesOf(source: RecordSource, since: ExportOptions['since']): AsyncGenerator<ExportEntry> {
  const end = (await source.makeCheckpoint())?.size ?? 0;
  const { server, keys } = await source.listKeys();
  const start = since === undefined ? undefined : await findStart(source, since);
  yield { kind: 'record', version: 1, server, after: start === undefined ? null : await afterOf(source, start) };
  for (const { number, public_key, created_at, signed_by, signature } of keys)
    yield { kind: 'key', number, public_key, created_at, signed_by, signature };
  const after = start?.size ?? 0;
  const checkpoints = listAll(
    (size) => source.listCheckpoints(size, PAGE),
    after,
    ({ size }) => size,
  );
  let due = await checkpoints.next();
  for await (const event of listAll(
    (seq) => source.listEvents(seq, PAGE),
    after,
    ({ seq }) => seq,
  )) {
    if (event.seq > end) break;
    yield { kind: 'event', ...event };
    for (; !due.done && due.value.size <= event.seq; due = await checkpoints.next()) yield { kind: 'checkpoint', line: due.value.line };
  }
  yield { kind: 'end', size: end };
}

async function findStart(source: RecordSource, since: SignedCheckpoint | number): Promise<ListedCheckpoint> {
  const size = typeof since === 'number' ? since : since.size;
  const [found] = await source.listCheckpoints(size - 1, 1);
  if (found?.size !== size) throw notFound(`There is no checkpoint over ${size} events: countersign audit checkpoint --list shows them.`);
  if (typeof since !== 'number' && found.line !== checkpointLine(since)) {
    throw new Problem(
      'INVALID_STATE',
      `The checkpoint over ${size} events is another one than you give: one of the two records was rewritten. ` +
        'Export everything, and verify that against the checkpoint.',
    );
  }
  return found;
}

async function afterOf(source: RecordSource, { size, line, frontier }: ListedCheckpoint): Promise<NonNullable<RecordEntry['after']>> {
  const [last] = await source.listEvents(size - 1, 1);
  if (last?.seq !== size) throw notFound(`There is no event ${size}, though a checkpoint is over it: the record was cut off.`);
  return { checkpoint: line, frontier, hash: last.hash };
}

async function* listAll<Item>(
  list: (after: number) => Promise<readonly Item[]>,
  start: number,
  placeOf: (item: Item) => number,
): AsyncGenerator<Item> {
  for (let after = start; ; ) {
    const page = await list(after);
    yield* page;
    const last = page.at(-1);
    if (last === undefined) return;
    after = placeOf(last);
  }
}
