/**
 * Runs a search along its indexes, in chunks of bounded cost: the best rows so far are kept, and a leg ends where its next rows can't
 * be among them. An index is walked by its leading column; rows that share one value of it, by the second.
 */
import sql, { join, raw, type Sql } from 'sql-template-tag';
import type { Queries, SqlValue } from './database.ts';
import { fold } from './fold.ts';
import {
  afterRow,
  beyond,
  comparePosition,
  compareRows,
  direction,
  fromOn,
  joinsOf,
  orderBy,
  type ReadKey,
  readKeys,
  upTo,
} from './search-order.ts';
import {
  allOf,
  type Driver,
  type FoundRow,
  type IndexColumn,
  type KeyValue,
  type Leg,
  orderedTime,
  type SearchPlan,
} from './search-plan.ts';
import { boundLimit, likePattern, listed } from './search-sql.ts';

type Position = KeyValue['value'];

/** Where the cursor stands in a leg. */
interface Start {
  readonly lead: Position | undefined;
  readonly between: Position | undefined;
  readonly second: Position | undefined;
}

interface Range {
  readonly where: Sql;
  /** About how many index entries it has. */
  readonly candidates: number;
}

/** Offsets reach this far without a cursor; the server's own tokens carry one. */
const KEPT_MAX = 250_000;
/** Of the last chunk of a leg is known only that it isn't full: what share of a full one it is taken for. */
const LAST_CHUNK = 1 / 8;
/** So many of a driver's rows are looked at for each row needed: some may be deleted, or tied. */
const BEST_PER_ROW = 3;
/** What a chunk costs beside its candidates, in candidates. */
export const CHUNK_CANDIDATES = 20;

export class SearchScan {
  readonly #db: Queries;
  readonly #plan: SearchPlan;
  readonly #needed: number;
  readonly #isFiltered: boolean;
  #kept: FoundRow[] = [];

  constructor(db: Queries, plan: SearchPlan) {
    this.#db = db;
    this.#plan = plan;
    this.#needed = plan.offset + plan.limit;
    this.#isFiltered = plan.filter.length > 0 || plan.residuals.length > 0;
  }

  /** The answer, once `chunks` has ended. */
  get rows(): FoundRow[] {
    return this.#kept.slice(this.#plan.offset, this.#needed);
  }

  /** How many candidates more it takes, if what comes is like what came in `spent` of them. */
  remaining(spent: number): number {
    return (spent * (this.#needed - this.#kept.length)) / this.#kept.length;
  }

  /** Yields, before each chunk is read, how many candidates it has. `chunkSize` is asked before each. */
  async *chunks(chunkSize: () => number): AsyncGenerator<number, void> {
    for (const leg of this.#plan.legs) {
      if (this.#isBefore(leg) || this.#isBeyond(leg, undefined, undefined)) continue;
      const keys = readKeys(this.#plan, leg);
      for await (const range of this.#ranges(leg, chunkSize)) {
        yield range.candidates + CHUNK_CANDIDATES;
        await this.#read(leg, keys, range.where);
      }
    }
  }

  /** The rows of a subquery `SELECT … AS pk`, instead of walking. */
  async drive({ rows }: Driver): Promise<FoundRow[]> {
    const driven = sql`(SELECT DISTINCT pk FROM (${rows}) driver) driven`;
    if (await this.#driveBest(driven)) return this.rows;
    this.#kept = [];
    await this.#selectDriven(driven);
    return this.rows;
  }

  async #selectDriven(driven: Sql): Promise<void> {
    const { pk, entity, scope, filter } = this.#plan;
    const from = sql`${driven} CROSS JOIN ${entity}${spaced(joinsOf(this.#plan, undefined))}`;
    await this.#select(readKeys(this.#plan, undefined), from, [sql`${pk} = driven.pk`, scope, ...filter]);
  }

  /** By what the index holds first, so that few entities are read. False where those aren't enough, or where others could be among them. */
  async #driveBest(driven: Sql): Promise<boolean> {
    const { filter, residuals, legs, after } = this.#plan;
    const [leg, another] = legs.filter((each) => each.isDriven && each.ranks.length === 1);
    const { lead, join: joined } = leg ?? {};
    if (leg === undefined || another !== undefined || lead === undefined || joined === undefined) return false;
    if (filter.length + residuals.length > 1 || (after !== undefined && !isOfLeg(leg, after))) return false;
    const most = BEST_PER_ROW * this.#needed;
    const time = leg.between?.isKey ? leg.between : undefined;
    const on = after?.[0] === undefined ? [] : [fromOn(lead.column, lead.descending, after[0].value)];
    const where = allOf([sql`${joined.pk} = driven.pk`, leg.where, ...on]);
    const by = time === undefined ? sql`` : sql`, time ${direction(time.descending)}`;
    const best = await this.#all(
      sql`SELECT driven.pk AS pk, ${lead.column} AS at, ${time?.column ?? 0} AS time FROM ${driven} CROSS JOIN ${leg.index} WHERE ${where} ORDER BY at ${direction(lead.descending)}${by} LIMIT ${boundLimit(most)}`,
    );
    await this.#selectDriven(sql`(${listed(this.#db.dialect, `[${best.map((row) => row.pk).join(',')}]`)}) driven`);
    const worst = this.#kept[this.#needed - 1]?.keys;
    const last = best[best.length - 1];
    if (worst === undefined || last === undefined) return false;
    const order = comparePosition(lead, worst[0]?.value ?? null, last.at ?? null);
    const isBefore = order < 0 || (order === 0 && time !== undefined && comparePosition(time, timeOf(worst[1]), last.time ?? null) < 0);
    return best.length < most || isBefore;
  }

  /** The whole leg comes before the cursor. */
  #isBefore(leg: Leg): boolean {
    const after = this.#plan.after;
    if (after === undefined) return false;
    for (let i = 0; i < leg.ranks.length; i++) {
      const rank = leg.ranks[i] ?? 0;
      const at = after[i]?.rank ?? 0;
      if (rank !== at) return rank < at;
      if (rank === 0) return false;
    }
    return false;
  }

  /** Nothing of the leg from this position on can be among the kept rows. */
  #isBeyond(leg: Leg, lead: Position | undefined, second: Position | undefined, between?: Position): boolean {
    const worst = this.#kept[this.#needed - 1];
    if (worst === undefined) return false;
    for (let i = 0; i < leg.ranks.length; i++) {
      const rank = leg.ranks[i] ?? 0;
      const of = worst.keys[i]?.rank ?? 0;
      if (rank !== of) return rank > of;
      if (rank > 0) continue;
      if (!leg.isDriven || leg.lead === undefined || lead === undefined) return false;
      const order = comparePosition(leg.lead, lead, worst.keys[i]?.value ?? null);
      if (order !== 0) return order > 0;
    }
    if (between !== undefined && leg.between?.isKey) {
      const order = comparePosition(leg.between, between, timeOf(worst.keys[leg.ranks.length]));
      if (order !== 0) return order > 0;
    }
    if (!leg.isExact || second === undefined) return false;
    return comparePosition(leg.second, second, worst.keys[leg.ranks.length]?.value ?? null) >= 0;
  }

  /** Conditions that cut the leg into chunks of about `chunkSize()` index entries. */
  async *#ranges(leg: Leg, chunkSize: () => number): AsyncGenerator<Range, void> {
    const { lead } = leg;
    const start = this.#startOf(leg);
    if (lead === undefined) return yield* this.#sharing(leg, undefined, start, chunkSize);
    let from = start?.lead ?? leg.ends?.[0];
    if (from !== undefined && (start?.second !== undefined || start?.between !== undefined)) {
      yield* this.#sharing(leg, from, start, chunkSize);
      from = await this.#next(leg, from);
      if (from === undefined) return;
    }
    for (;;) {
      if (this.#isBeyond(leg, from, undefined)) return;
      const on = from === undefined ? [] : [fromOn(lead.column, lead.descending, from)];
      const size = chunkSize();
      const bound = await this.#probe(leg, lead, [...on, ...this.#until(leg)], size);
      if (bound === undefined) return yield { where: allOf([...on, ...this.#until(leg)]), candidates: size * LAST_CHUNK };
      if (from === undefined || bound !== from) {
        yield { where: allOf([...on, beyond(lead.column, !lead.descending, bound)]), candidates: size };
        from = bound;
      } else {
        yield* this.#sharing(leg, from, undefined, chunkSize);
        from = await this.#next(leg, from);
        if (from === undefined) return;
      }
    }
  }

  /** The entries that share one leading value. */
  async *#sharing(leg: Leg, at: Position | undefined, start: Start | undefined, chunkSize: () => number): AsyncGenerator<Range, void> {
    const { lead, between } = leg;
    const same = lead === undefined || at === undefined ? [] : [sql`${lead.column} = ${at}`];
    if (between === undefined) return yield* this.#tied(leg, at, same, start?.second, chunkSize);
    const { column, descending } = between;
    let from = start?.between;
    for (;;) {
      if (this.#isBeyond(leg, at, undefined, from)) return;
      const on = from === undefined ? same : [...same, fromOn(column, descending, from)];
      const size = chunkSize();
      const bound = await this.#probe(leg, between, on, size);
      if (bound === undefined) return yield { where: allOf(on), candidates: size * LAST_CHUNK };
      if (from === undefined || bound !== from) {
        yield { where: allOf([...on, beyond(column, !descending, bound)]), candidates: size };
        from = bound;
      } else {
        yield* this.#tied(leg, at, [...same, sql`${column} = ${from}`], undefined, chunkSize);
        from = await this.#probe(leg, between, [...same, beyond(column, descending, from)], 0);
        if (from === undefined) return;
      }
    }
  }

  /** The entries that share all values before the second column, `same`, by that. */
  async *#tied(
    leg: Leg,
    at: Position | undefined,
    same: readonly Sql[],
    after: Position | undefined,
    chunkSize: () => number,
  ): AsyncGenerator<Range, void> {
    const { second } = leg;
    let from = after;
    for (;;) {
      if (from !== undefined && this.#isBeyond(leg, at, from)) return;
      const on = from === undefined ? same : [...same, beyond(second.column, second.descending, from)];
      const size = chunkSize();
      const bound = await this.#probe(leg, second, on, size);
      if (bound === undefined) return yield { where: allOf(on), candidates: size * LAST_CHUNK };
      yield { where: allOf([...on, upTo(second.column, second.descending, bound)]), candidates: size };
      from = bound;
    }
  }

  /** Where nothing is filtered and nothing sorted, LIMIT alone bounds what is read. */
  #isUnbounded(leg: Leg): boolean {
    return leg.isExact && leg.also === undefined && !this.#isFiltered;
  }

  #startOf(leg: Leg): Start | undefined {
    const { after } = this.#plan;
    if (after === undefined || !isOfLeg(leg, after)) return undefined;
    const next = after[leg.ranks.length];
    const between = leg.between?.isKey ? timeOf(next) : undefined;
    if (!leg.isDriven) return { lead: undefined, between, second: undefined };
    return { lead: after[leg.ranks.length - 1]?.value, between, second: leg.isExact ? next?.value : undefined };
  }

  /** Leading values that still can be among the kept rows. */
  #until(leg: Leg): Sql[] {
    const at = leg.ranks.length - 1;
    const row = this.#kept[this.#needed - 1]?.keys;
    const worst = leg.isDriven && isOfLeg(leg, row) ? row?.[at] : undefined;
    const last = worst === undefined ? leg.ends?.[1] : worst.value;
    return leg.lead === undefined || last === undefined ? [] : [upTo(leg.lead.column, leg.lead.descending, last)];
  }

  /** The value at which `size` entries are passed, where there are more. */
  async #probe(leg: Leg, column: IndexColumn, conditions: readonly Sql[], size: number): Promise<Position | undefined> {
    if (this.#isUnbounded(leg)) return undefined;
    const { lead, second } = leg;
    // What lies between is walked one way, whichever way the others are.
    const order = leg.between !== undefined ? [column] : lead === undefined ? [second] : [lead, second];
    const by = join(order.map((each) => sql`${each.column} ${direction(each.descending)}`));
    const row = await this.#one(
      sql`SELECT ${column.column} AS at FROM ${leg.index} WHERE ${allOf([leg.where, ...conditions])} ORDER BY ${by} LIMIT 1 OFFSET ${size}`,
    );
    return row?.at;
  }

  async #next(leg: Leg, after: Position): Promise<Position | undefined> {
    if (leg.lead === undefined) return undefined;
    const { column, descending } = leg.lead;
    const row = await this.#one(
      sql`SELECT ${column} AS at FROM ${leg.index} WHERE ${leg.where} AND ${beyond(column, descending, after)} ORDER BY ${column} ${direction(descending)} LIMIT 1`,
    );
    return row?.at;
  }

  async #read(leg: Leg, keys: readonly ReadKey[], range: Sql): Promise<void> {
    const from = leg.join === undefined ? leg.index : sql`${leg.index} CROSS JOIN ${leg.join.from}`;
    const also = [leg.join?.where, leg.also].filter((condition) => condition !== undefined);
    const open = this.#plan.filter.filter((_condition, i) => !leg.settled.includes(i));
    const where = [leg.where, range, ...also, ...open];
    await this.#select(keys, sql`${from}${spaced(joinsOf(this.#plan, leg))}`, where);
  }

  async #select(keys: readonly ReadKey[], from: Sql, conditions: readonly Sql[]): Promise<void> {
    const { pk, after, residuals } = this.#plan;
    const where = after === undefined ? conditions : [...conditions, afterRow(keys, after)];
    const columns = join([
      sql`${pk} AS pk`,
      ...keys.flatMap(({ rank, value }, i) => [
        ...(typeof rank === 'number' ? [] : [sql`${rank} AS ${name('r', i)}`]),
        ...(value === undefined ? [] : [sql`${value} AS ${name('v', i)}`]),
      ]),
      ...residuals.map(({ texts }, i) => sql`${texts} AS ${name('x', i)}`),
    ]);
    // What is left to decide here must not be cut off before.
    const limit = residuals.length > 0 ? sql`` : sql` LIMIT ${boundLimit(this.#needed)}`;
    const rows = await this.#all(sql`SELECT ${columns} FROM ${from} WHERE ${allOf(where)} ORDER BY ${orderBy(keys)}${limit}`);
    this.#keep(rows.filter((row) => matchesResiduals(this.#plan, row)).map((row) => readRow(keys, row)));
  }

  #keep(rows: FoundRow[]): void {
    if (rows.length === 0) return;
    if (this.#kept.length === 0) {
      this.#kept = rows.length > this.#needed ? rows.slice(0, this.#needed) : rows;
      return;
    }
    const merged: FoundRow[] = [];
    let i = 0;
    let j = 0;
    while (merged.length < this.#needed) {
      const a = this.#kept[i];
      const b = rows[j];
      if (a === undefined && b === undefined) break;
      if (b === undefined || (a !== undefined && compareRows(this.#plan.keys, a, b) <= 0)) {
        if (a !== undefined) merged.push(a);
        i++;
      } else {
        merged.push(b);
        j++;
      }
    }
    this.#kept = merged;
  }

  #one(query: Sql): Promise<{ at: Position } | undefined> {
    return this.#db.one(query.sql, ...(query.values as SqlValue[])); // composed from SqlValues only
  }
  #all(query: Sql): Promise<Row[]> {
    return this.#db.all(query.sql, ...(query.values as SqlValue[])); // composed from SqlValues only
  }
}

function timeOf(key: KeyValue | undefined): number {
  return orderedTime(key === undefined || key.rank > 0 ? null : Number(key.value));
}

/** The row could be one of the leg's: its value of the leading key lies on the leg's way. */
function isOfLeg(leg: Leg, row: readonly KeyValue[] | undefined): boolean {
  return leg.ranks.every((rank, i) => row?.[i]?.rank === rank);
}

/** How far an offset without cursor may reach. */
export const OFFSET_MAX = KEPT_MAX;

type Row = { readonly pk: number } & Readonly<Record<string, Position>>;

function readRow(keys: readonly ReadKey[], row: Row): FoundRow {
  return {
    pk: row.pk,
    keys: keys.map(({ rank }, i) => {
      const of = typeof rank === 'number' ? rank : Number(row[`r${i}`]);
      return { rank: of, value: of === 0 ? (row[`v${i}`] ?? null) : null };
    }),
  };
}

function matchesResiduals(plan: SearchPlan, row: Row): boolean {
  return plan.residuals.every(({ pattern }, i) => {
    const texts = JSON.parse(String(row[`x${i}`] ?? '[]')) as (string | null)[]; // as `Residual.texts` gives it
    const expression = likePattern(fold(pattern));
    return texts.some((text) => text !== null && expression.test(fold(text)));
  });
}

function name(prefix: 'r' | 'v' | 'x', i: number): Sql {
  return raw(`${prefix}${i}`);
}

function spaced(parts: readonly Sql[]): Sql {
  return parts.reduce((left, right) => sql`${left} ${right}`, sql``);
}
