/**
 * A search as data: what to read and in which order, from which index, with nothing that can't be sent to a worker.
 * The rooms' stores compile it; `search-scan.ts` runs it.
 */
import sql, { join, raw, Sql } from 'sql-template-tag';

const TIME_LEAST = Number.MIN_SAFE_INTEGER;

/** A time as it stands in an index beside other columns: where there is none the least, and all beyond 2^53 alike. */
export function orderedTime(time: number | bigint | null): number {
  return time === null ? TIME_LEAST : Math.max(TIME_LEAST, Math.min(Number.MAX_SAFE_INTEGER, Number(time)));
}

/** What a sort key is in a row: its rank (0 a value, higher ones later, both ways) and, at rank 0, its value. */
export interface KeyValue {
  readonly rank: number;
  readonly value: string | number | bigint | null;
}

export interface SortKey {
  readonly type: 'text' | 'integer' | 'real';
  readonly descending: boolean;
  readonly value: Sql;
  /** 0 where there is a value; undefined where there always is one. */
  readonly rank: Sql | undefined;
  /** What `value` and `rank` read besides the entity: a LEFT JOIN. */
  readonly join: Sql | undefined;
}

/** A column of an index, in the direction in which it is walked. */
export interface IndexColumn {
  readonly column: Sql;
  readonly descending: boolean;
}

export interface BetweenColumn extends IndexColumn {
  /** The sort key after those that have their ranks from the leg is this time. */
  readonly isKey: boolean;
}

/** A part of the search, walked along one index: `where` fixes the columns before `lead`. */
export interface Leg {
  readonly index: Sql;
  readonly where: Sql;
  /** Never null in the leg; undefined where `second` follows the fixed columns at once. */
  readonly lead: IndexColumn | undefined;
  /** An `orderedTime` between `lead` and `second` in the index, by which rows that share one leading value are walked. */
  readonly between?: BetweenColumn | undefined;
  /** Together with `lead` and `between` unique in the leg. */
  readonly second: IndexColumn;
  /** The entity, `r`, and how the index leads to it: `pk` is its key in the index. Undefined where the index is the entity's own. */
  readonly join: { readonly from: Sql; readonly where: Sql; readonly pk: Sql } | undefined;
  /** What the leg asks of a row besides its place in the index. */
  readonly also: Sql | undefined;
  /** Which conditions of the plan's filter hold for all rows of the leg. */
  readonly settled: readonly number[];
  /** The ranks of the first sort keys, where they are the same in the whole leg. */
  readonly ranks: readonly number[];
  /** `lead` is the value of the last of these keys, and those before it have none. */
  readonly isDriven: boolean;
  /** The order of the index is the order of the search. */
  readonly isExact: boolean;
  /** Values of `lead` that the filter can hold for no row before and after, in the direction of the walk; undefined: it goes over the whole leg. */
  readonly ends?: readonly [KeyValue['value'], KeyValue['value']] | undefined;
}

/**
 * A clause that SQL can't decide (ILIKE on a text without folded column): the texts, as a JSON list of which one must match
 * the folded pattern.
 */
export interface Residual {
  readonly texts: Sql;
  readonly pattern: string;
}

export interface SearchPlan {
  /** What is searched, for messages: `runs`. */
  readonly what: string;
  /** The entity's table, as `r`, and its key. */
  readonly entity: Sql;
  readonly pk: Sql;
  /** In the order of their ranks. */
  readonly legs: readonly Leg[];
  /** The last one is unique. */
  readonly keys: readonly SortKey[];
  readonly filter: readonly Sql[];
  readonly residuals: readonly Residual[];
  /** What every row must fulfil besides the filter; the legs have it in them. */
  readonly scope: Sql;
  readonly drivers: readonly Driver[];
  readonly limit: number;
  /** Rows to leave out from the beginning, or from `after`. */
  readonly offset: number;
  readonly after: readonly KeyValue[] | undefined;
  /** The filter as it was asked, clause by clause, for the message of a search that takes too long. */
  readonly clauses: readonly string[];
}

/** Where a clause can lead to its rows by an index of its own. */
export interface Driver {
  /** `SELECT … AS pk`, a superset of the answer. */
  readonly rows: Sql;
  /** It looks for a text, so that few rows are likely: worth a short look before the order's index. */
  readonly isNarrow: boolean;
}

export interface FoundRow {
  readonly pk: number;
  readonly keys: readonly KeyValue[];
}

/** Makes a plan whole again that was sent to another thread, where classes are lost. */
export function revivePlan(plan: SearchPlan): SearchPlan {
  return revive(plan) as SearchPlan; // same members, each Sql again an Sql
}

function revive(value: unknown): unknown {
  if (Array.isArray(value)) return value.map(revive);
  if (typeof value !== 'object' || value === null) return value;
  if ('strings' in value && Array.isArray(value.strings) && 'values' in value && Array.isArray(value.values)) {
    return new Sql(value.strings as string[], value.values);
  }
  return Object.fromEntries(Object.entries(value).map(([name, member]) => [name, revive(member)]));
}

/** An index (fixed columns, time, unique id DESC or ASC) as most searches are ordered by. */
export interface TimeIndex {
  /** `runs r` */
  readonly entity: Sql;
  readonly time: string;
  readonly isTimeNullable: boolean;
  readonly id: string;
  /** Each fixes the columns before `time`. */
  readonly partitions: readonly Sql[];
}

/** The legs of a search whose sort key number `at` is the time, or of one that has no better order than to walk all. */
export function timeLegs(
  index: TimeIndex,
  options: {
    readonly ranks: readonly number[];
    readonly key: SortKey | undefined;
    readonly isExact: boolean;
    readonly also?: Sql | undefined;
  },
): Leg[] {
  const { ranks, key, isExact } = options;
  const time = sql`r.${raw(index.time)}`;
  const descending = key?.descending ?? true;
  const leg = (partition: Sql, hasTime: boolean): Leg => ({
    index: index.entity,
    where: !hasTime ? sql`${partition} AND ${time} IS NULL` : index.isTimeNullable ? sql`${partition} AND ${time} IS NOT NULL` : partition,
    lead: hasTime ? { column: time, descending } : undefined,
    // The index is (…, time DESC, id): walked backwards, both turn.
    second: { column: sql`r.${raw(index.id)}`, descending: !descending },
    join: undefined,
    also: options.also,
    settled: [],
    ranks: key === undefined ? ranks : [...ranks, hasTime ? 0 : 1],
    isDriven: key !== undefined && hasTime,
    isExact: isExact && hasTime && descending,
  });
  const legs = index.partitions.map((partition) => leg(partition, true));
  return index.isTimeNullable ? [...legs, ...index.partitions.map((partition) => leg(partition, false))] : legs;
}

export function allOf(conditions: readonly Sql[]): Sql {
  if (conditions.length === 0) return sql`1 = 1`;
  return join(conditions, ' AND ');
}
