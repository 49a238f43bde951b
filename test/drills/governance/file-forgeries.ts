/** What somebody does to an export of the record before the auditor gets it. */
import { type ExportEntry, ExportReader, ExportWriter } from '@countersign/server/features/audit/export-lines.ts';
import * as events from '@countersign/server/features/events/events.ts';
import { edited } from './row-forgeries.ts';

export function entriesIn(lines: readonly string[]): readonly ExportEntry[] {
  const reader = new ExportReader();
  return lines.map((line) => {
    const read = reader.read(line);
    if (read === undefined) throw new TypeError('it is written as an export is');
    return read.entry;
  });
}

/** Every line fits to the one before, as far as the file's own checks tell. */
export function writtenAnew(entries: readonly ExportEntry[]): readonly string[] {
  const writer = new ExportWriter();
  return entries.map((entry) => writer.write(entry));
}

/** Numbers and hashes too: every event follows from the one before. Checkpoints are signed, and stay. */
export function chainedAnew(entries: readonly ExportEntry[]): readonly ExportEntry[] {
  const server = entries.flatMap((entry) => (entry.kind === 'record' ? [entry.server] : []))[0] ?? '';
  let previous: Uint8Array = events.firstPrevious(server);
  let seq = 0;
  return entries.map((entry) => {
    if (entry.kind === 'end') return { ...entry, size: seq };
    if (entry.kind !== 'event') return entry;
    seq += 1;
    const hash = events.chainHash(seq, previous, entry.body);
    previous = hash;
    return { ...entry, seq, hash: hash.toString('hex') };
  });
}

export interface Forgery {
  readonly title: string;
  /** On lines, or on what they say. `at`: where an event stands that has another one behind it. */
  readonly forge: <Item>(items: readonly Item[], at: number, change: (item: Item) => Item) => readonly Item[];
  /** How many lines behind that event's the first bad one stands, and which event is named there, counted from it. */
  readonly badAt: number;
  readonly named: number;
}

export const FORGERIES: readonly Forgery[] = [
  { title: 'edited', forge: (items, at, change) => items.map((item, place) => (place === at ? change(item) : item)), badAt: 0, named: 0 },
  { title: 'dropped', forge: (items, at) => items.toSpliced(at, 1), badAt: 0, named: 1 },
  {
    title: 'swapped with the next',
    forge: (items, at) => items.toSpliced(at, 2, ...items.slice(at, at + 2).reverse()),
    badAt: 0,
    named: 1,
  },
  { title: 'put in once more', forge: (items, at) => items.toSpliced(at, 0, ...items.slice(at, at + 1)), badAt: 1, named: 0 },
];

export function editedLine(line: string): string {
  return line.replace('\\"principal_id\\":', '\\"principal_id\\":9');
}

export function editedEntry(entry: ExportEntry): ExportEntry {
  return entry.kind === 'event' ? { ...entry, body: edited(entry.body) } : entry;
}

/** Nothing behind that place, and an end that says so. */
export function cutBehind(entries: readonly ExportEntry[], at: number): readonly ExportEntry[] {
  const left = entries.slice(0, at + 1);
  return [...left, { kind: 'end', size: left.filter(({ kind }) => kind === 'event').length }];
}
