/** The order of a search's rows: as ORDER BY, as the condition that comes after a row, and as a comparison. */
import sql, { join, raw, type Sql } from 'sql-template-tag';
import type { FoundRow, IndexColumn, KeyValue, Leg, SearchPlan, SortKey } from './search-plan.ts';
import { FALSE, TRUE } from './search-sql.ts';

/** How the keys are read in a leg: a rank that is the same in the whole leg is a number. */
export interface ReadKey {
  readonly key: SortKey;
  readonly rank: number | Sql;
  readonly value: Sql | undefined;
}

export function readKeys(plan: SearchPlan, leg: Leg | undefined): ReadKey[] {
  return plan.keys.map((key, i) => {
    const fixed = leg?.ranks[i];
    if (fixed !== undefined && fixed > 0) return { key, rank: fixed, value: undefined };
    const isLead = leg?.isDriven && i === leg.ranks.length - 1;
    return { key, rank: fixed ?? key.rank ?? 0, value: isLead && leg.lead ? leg.lead.column : key.value };
  });
}

/** What the keys need besides the entity; those that the leg knows need nothing. */
export function joinsOf(plan: SearchPlan, leg: Leg | undefined): Sql[] {
  return plan.keys.flatMap((key, i) => (key.join === undefined || (leg !== undefined && i < leg.ranks.length) ? [] : [key.join]));
}

export function orderBy(keys: readonly ReadKey[]): Sql {
  const terms = keys.flatMap(({ key, rank, value }) => [
    ...(typeof rank === 'number' ? [] : [rank]),
    ...(value === undefined ? [] : [sql`${value} ${direction(key.descending)}`]),
  ]);
  return join(terms);
}

export function direction(descending: boolean): Sql {
  return raw(descending ? 'DESC' : 'ASC');
}

/** Strictly after a value of this column. */
export function beyond(column: Sql, descending: boolean, value: KeyValue['value']): Sql {
  return descending ? sql`${column} < ${value}` : sql`${column} > ${value}`;
}

export function fromOn(column: Sql, descending: boolean, value: KeyValue['value']): Sql {
  return descending ? sql`${column} <= ${value}` : sql`${column} >= ${value}`;
}

export function upTo(column: Sql, descending: boolean, value: KeyValue['value']): Sql {
  return fromOn(column, !descending, value);
}

/** Strictly after a row, by its keys. */
export function afterRow(keys: readonly ReadKey[], row: readonly KeyValue[]): Sql {
  const [first, ...others] = keys;
  const [at, ...rest] = row;
  if (first === undefined || at === undefined) return FALSE;
  const { strictly, equally } = compared(first, at);
  if (equally === FALSE) return strictly;
  const later = afterRow(others, rest);
  if (later === FALSE) return strictly;
  const tied = equally === TRUE ? later : sql`(${equally} AND ${later})`;
  return strictly === FALSE ? tied : sql`(${strictly} OR ${tied})`;
}

function compared({ key, rank, value }: ReadKey, at: KeyValue): { strictly: Sql; equally: Sql } {
  if (typeof rank === 'number') {
    if (rank !== at.rank) return { strictly: rank > at.rank ? TRUE : FALSE, equally: FALSE };
    if (rank > 0 || value === undefined) return { strictly: FALSE, equally: TRUE };
    return { strictly: beyond(value, key.descending, at.value), equally: sql`${value} = ${at.value}` };
  }
  if (at.rank > 0 || value === undefined) return { strictly: sql`${rank} > ${at.rank}`, equally: sql`${rank} = ${at.rank}` };
  return {
    strictly: sql`(${rank} > 0 OR ${rank} = 0 AND ${beyond(value, key.descending, at.value)})`,
    equally: sql`${rank} = 0 AND ${value} = ${at.value}`,
  };
}

export function compareRows(keys: readonly SortKey[], a: FoundRow, b: FoundRow): number {
  for (let i = 0; i < keys.length; i++) {
    const left = a.keys[i];
    const right = b.keys[i];
    if (left === undefined || right === undefined) break;
    if (left.rank !== right.rank) return left.rank - right.rank;
    if (left.rank > 0) continue;
    const order = compareValues(left.value, right.value);
    if (order !== 0) return keys[i]?.descending ? -order : order;
  }
  return 0;
}

export function comparePosition(column: IndexColumn, a: KeyValue['value'], b: KeyValue['value']): number {
  const order = compareValues(a, b);
  return column.descending ? -order : order;
}

/** As both databases have it: texts by their UTF-8 bytes. */
export function compareValues(a: KeyValue['value'], b: KeyValue['value']): number {
  if (a === b || a === null || b === null) return 0;
  if (typeof a === 'string' && typeof b === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(b));
  return a < b ? -1 : a > b ? 1 : 0;
}
