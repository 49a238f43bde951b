/** Reads one sort key, `name [ASC|DESC]`. Which names may be sorted by is said by each grammar. */
import type { Ordering } from '@countersign/contract/search.ts';
import { type NameToken, reservedWord } from './parser.ts';
import { printedList, refuse } from './search-problem.ts';
import { tokenize } from './tokenizer.ts';

/** Most sort keys in one search: each may cost a join, and SQLite joins 64 tables at most. */
export const ORDERINGS_MAX = 50;

export interface RawOrdering {
  readonly name: NameToken;
  readonly descending: boolean;
}

/** @throws Problem INVALID_PARAMETER_VALUE for anything but a name and a direction. */
export function parseOrderings(items: readonly string[]): RawOrdering[] {
  checkOrderingCount(items.length);
  return items.map(parseOrdering);
}

export function checkOrderingCount(count: number): void {
  if (count <= ORDERINGS_MAX) return;
  throw refuse(`\`order_by\` has ${count} entries; at most ${ORDERINGS_MAX} are allowed`);
}

function parseOrdering(item: string): RawOrdering {
  const [name, direction, ...rest] = tokenize(item);
  const word = direction?.text.toUpperCase();
  const isBare = item.trim() === item && name?.kind === 'name' && reservedWord(name) === undefined && !isDirection(name.text);
  if (!isBare || rest.length > 0) throw unreadable(item, direction?.position);
  if (direction === undefined) return { name, descending: false };
  if (direction.kind !== 'name') throw unreadable(item, direction.position);
  // Upstream's reader takes `timestamp` for a type name, which no alias may follow.
  if (!isDirection(direction.text) && name.text.toLowerCase() === 'timestamp') throw unreadable(item, direction.position);
  if (!isDirection(direction.text)) {
    throw refuse(`Invalid ordering key in order_by clause '${shortened(item)}'.`, direction.position, 'Write ASC or DESC.');
  }
  return { name, descending: word === 'DESC' };
}

function isDirection(text: string): boolean {
  return /^(asc|desc)$/i.test(text);
}

function unreadable(item: string, position: number | undefined): Error {
  return refuse(
    `Invalid order_by clause '${shortened(item)}'. Could not be parsed.`,
    position,
    'Each entry is one name, optionally followed by ASC or DESC, without spaces around it.',
  );
}

function shortened(item: string): string {
  return item.length > 200 ? `${item.slice(0, 200)}…` : item;
}

/** Sorting twice by the same thing is a mistake worth telling. */
export function refuseDuplicates(orderings: readonly Ordering[], items: readonly string[]): void {
  const seen = new Set(orderings.map(({ entity, key }) => `${entity}.${key}`));
  if (seen.size === orderings.length) return;
  throw refuse(`\`order_by\` contains duplicate fields: ${printedList(items)}`, undefined, 'Name each field once.');
}
