/**
 * The lines of an export of the record, as they are written and read: JSON, one entry each. Each line carries a check over itself and the line
 * before, so that what a careless hand did to the file is found where it was done; whoever forges the check too meets the chain and the
 * checkpoints. The format: docs/decisions/0008-checkpoints.md.
 */
import { hash } from 'node:crypto';
import type { ChainedEvent } from '../events/events.ts';

export interface RecordEntry {
  readonly kind: 'record';
  readonly version: 1;
  readonly server: string;
  /** Where it doesn't begin with the first event: the checkpoint that it goes on from as a line, its frontier in base64, its last event's hash. */
  readonly after: { readonly checkpoint: string; readonly frontier: string; readonly hash: string } | null;
}

export interface KeyEntry {
  readonly kind: 'key';
  readonly number: number;
  readonly public_key: string;
  readonly created_at: number;
  readonly signed_by: number;
  readonly signature: string;
}

export interface EventEntry extends ChainedEvent {
  readonly kind: 'event';
}

export interface CheckpointEntry {
  readonly kind: 'checkpoint';
  readonly line: string;
}

export interface EndEntry {
  readonly kind: 'end';
  /** Place of the last event. */
  readonly size: number;
}

export type ExportEntry = RecordEntry | KeyEntry | EventEntry | CheckpointEntry | EndEntry;

const CHECK = /^(\{.*),"check":"([0-9a-f]{16})"\}$/s;

function checkOf(before: string, text: string): string {
  return hash('sha256', `${before}\n${text}`, 'hex').slice(0, 16);
}

export class ExportWriter {
  #check = '';

  /** The entry as a line, without the newline. */
  write(entry: ExportEntry): string {
    const text = textOf(entry);
    this.#check = checkOf(this.#check, text);
    return `${text.slice(0, -1)},"check":"${this.#check}"}`;
  }
}

/** A reader's findings about one line. */
export interface ReadLine {
  readonly entry: ExportEntry;
  /** False: this line was changed, or it doesn't stand behind the one that it was written behind. */
  readonly isInPlace: boolean;
}

export class ExportReader {
  #check = '';

  /** Undefined for what isn't written as an export is. */
  read(line: string): ReadLine | undefined {
    const [, start = '', check = ''] = CHECK.exec(line) ?? [];
    const text = `${start}}`;
    const entry = parse(text);
    if (entry === undefined || textOf(entry) !== text) return undefined;
    const isInPlace = checkOf(this.#check, text) === check;
    this.#check = check;
    return { entry, isInPlace };
  }
}

/** Members in one order, so that an entry has one text. */
function textOf(entry: ExportEntry): string {
  switch (entry.kind) {
    case 'record': {
      const { after } = entry;
      const start = after && { checkpoint: after.checkpoint, frontier: after.frontier, hash: after.hash };
      return JSON.stringify({ kind: 'record', version: 1, server: entry.server, after: start });
    }
    case 'key': {
      const { number, public_key, created_at, signed_by, signature } = entry;
      return JSON.stringify({ kind: 'key', number, public_key, created_at, signed_by, signature });
    }
    case 'event': {
      const { seq, body, texts } = entry;
      return JSON.stringify({ kind: 'event', seq, hash: entry.hash, body, texts: texts && orderedTexts(texts) });
    }
    case 'checkpoint':
      return JSON.stringify({ kind: 'checkpoint', line: entry.line });
    case 'end':
      return JSON.stringify({ kind: 'end', size: entry.size });
  }
}

function orderedTexts(texts: NonNullable<ChainedEvent['texts']>): Record<string, { salt: string; text: string }> {
  const fields = Object.entries(texts).sort(([a], [b]) => (a < b ? -1 : 1));
  return Object.fromEntries(fields.map(([field, { salt, text }]) => [field, { salt, text }]));
}

const isText = (value: unknown): value is string => typeof value === 'string';
const isCount = (value: unknown): value is number => Number.isSafeInteger(value) && Number(value) >= 0;
const isHash = (value: unknown): boolean => isText(value) && /^[0-9a-f]{64}$/.test(value);
const isObject = (value: unknown): value is Readonly<Record<string, unknown>> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);

/** Every member that is read is of its type; `textOf` tells of members that don't belong there. */
function parse(text: string): ExportEntry | undefined {
  let entry: unknown;
  try {
    entry = JSON.parse(text);
  } catch {
    return undefined;
  }
  return isObject(entry) && isEntry(entry) ? entry : undefined;
}

function isEntry(entry: Readonly<Record<string, unknown>>): entry is Readonly<Record<string, unknown>> & ExportEntry {
  switch (entry.kind) {
    case 'record':
      return entry.version === 1 && isText(entry.server) && (entry.after === null || isStart(entry.after));
    case 'key':
      return [entry.number, entry.created_at, entry.signed_by].every(isCount) && isText(entry.public_key) && isText(entry.signature);
    case 'event':
      return isCount(entry.seq) && isText(entry.body) && isHash(entry.hash) && (entry.texts === undefined || areTexts(entry.texts));
    case 'checkpoint':
      return isText(entry.line);
    case 'end':
      return isCount(entry.size);
    default:
      return false;
  }
}

function isStart(value: unknown): boolean {
  return isObject(value) && isText(value.checkpoint) && isText(value.frontier) && isHash(value.hash);
}

function areTexts(value: unknown): boolean {
  return isObject(value) && Object.values(value).every((each) => isObject(each) && isText(each.salt) && isText(each.text));
}
