/** The pieces that searches are composed of, and all that differs between the dialects in them. */
import type { Filter } from '@countersign/contract/search.ts';
import sql, { raw, type Sql } from 'sql-template-tag';
import type { Dialect } from './database.ts';
import { fold } from './fold.ts';

export type Clause = Filter[number];

export const TRUE = sql`1 = 1`;
export const FALSE = sql`1 = 0`;
/** Of a text, this much is in the index over values: PostgreSQL refuses longer entries. In characters. */
export const INDEXED_CHARACTERS = 200;

const INT64_MAX = 2n ** 63n - 1n;
const INT64_MIN = -(2n ** 63n);

/** SQLite compiles a statement anew each time that a bare `LIMIT ?` is bound, which takes as long as finding a page does. */
export function boundLimit(rows: number): Sql {
  return sql`CAST(${rows} AS INTEGER)`;
}

/**
 * `%` any text, `_` one character, no escape character. SQLite compiles a statement anew each time that a bare `LIKE ?` is bound, to look for
 * an index: where one would serve, ask for the range of the beginning beside it.
 */
export function like(dialect: Dialect, column: Sql, pattern: string): Sql {
  return dialect === 'sqlite' ? sql`${column} LIKE CAST(${pattern} AS TEXT)` : sql`${column} LIKE ${pattern} ESCAPE ''`;
}

/** One placeholder however long the list is, so that lists of any length are one prepared statement. */
export function inTexts(dialect: Dialect, column: Sql, texts: readonly string[]): Sql {
  const list = JSON.stringify(texts);
  return dialect === 'sqlite'
    ? sql`${column} IN (SELECT value FROM json_each(${list}))`
    : sql`${column} IN (SELECT jsonb_array_elements_text(CAST(${list} AS jsonb)))`;
}

export function inIntegers(dialect: Dialect, column: Sql, integers: readonly number[]): Sql {
  if (integers.length === 1) return sql`${column} = ${integers[0]}`;
  const list = `[${integers.join(',')}]`;
  return dialect === 'sqlite'
    ? sql`${column} IN (SELECT value FROM json_each(${list}))`
    : sql`${column} IN (SELECT CAST(jsonb_array_elements_text(CAST(${list} AS jsonb)) AS bigint))`;
}

/** The rows of a JSON list of keys, as a driver gives them. */
export function listed(dialect: Dialect, pks: string): Sql {
  return dialect === 'sqlite'
    ? sql`SELECT value AS pk FROM json_each(${pks})`
    : sql`SELECT CAST(jsonb_array_elements_text(CAST(${pks} AS jsonb)) AS bigint) AS pk`;
}

/** A comparison of text. `folded` holds the column's Unicode fold where that differs from the text (ILIKE). */
export function matchText(dialect: Dialect, clause: Clause, column: Sql, folded?: Sql): Sql {
  const value = clause.value;
  if (value?.kind === 'list') {
    const listed = inTexts(dialect, column, value.texts);
    return clause.operator === 'NOT IN' ? sql`NOT (${listed})` : listed;
  }
  const text = value?.text ?? '';
  switch (clause.operator) {
    case '=':
      return sql`${column} = ${text}`;
    case '!=':
      return sql`${column} <> ${text}`;
    case 'LIKE':
      return like(dialect, column, text);
    case 'ILIKE':
      return like(dialect, folded === undefined ? column : sql`COALESCE(${folded}, ${column})`, fold(text));
    default:
      return FALSE;
  }
}

/** A comparison of an integer column; the literal may be any number, and the column's index stays usable. */
export function matchInteger(clause: Clause, column: Sql): Sql {
  if (clause.value?.kind !== 'number') return FALSE;
  const { number, text } = clause.value;
  const exact = /^[+-]?\d+$/.test(text) ? BigInt(text) : undefined;
  const whole = exact ?? (Number.isInteger(number) ? BigInt(number) : undefined);
  if (whole === undefined && Number.isFinite(number)) return matchBetween(clause.operator, column, number);
  const at = whole ?? (number > 0 ? INT64_MAX + 1n : INT64_MIN - 1n);
  if (at > INT64_MAX || at < INT64_MIN) return matchBeyond(clause.operator, column, at > 0n);
  return comparison(clause.operator, column, Number.isSafeInteger(Number(at)) ? Number(at) : at);
}

function matchBetween(operator: string, column: Sql, number: number): Sql {
  if (operator === '=') return FALSE;
  if (operator === '!=') return sql`${column} IS NOT NULL`;
  const rounded = operator.startsWith('>') ? Math.ceil(number) : Math.floor(number);
  return operator.startsWith('>') ? sql`${column} >= ${rounded}` : sql`${column} <= ${rounded}`;
}

/** All integers lie on one side of the literal. */
function matchBeyond(operator: string, column: Sql, isAbove: boolean): Sql {
  const holds = operator === '!=' || operator.startsWith(isAbove ? '<' : '>');
  return holds ? sql`${column} IS NOT NULL` : FALSE;
}

/** A comparison of a metric: NaN, a flag of its own, matches only `!=`. */
export function matchMetric(clause: Clause, value: Sql, isNan: Sql): Sql {
  if (clause.value?.kind !== 'number') return FALSE;
  const number = clause.value.number;
  if (clause.operator === '!=') return sql`(${isNan} = 1 OR ${value} <> ${number})`;
  return sql`${isNan} = 0 AND ${comparison(clause.operator, value, number)}`;
}

function comparison(operator: string, column: Sql, value: number | bigint): Sql {
  if (!['=', '!=', '<', '<=', '>', '>='].includes(operator)) return FALSE;
  return sql`${column} ${raw(operator === '!=' ? '<>' : operator)} ${value}`;
}

/** A table of keys and values that belong to the entity `r`. */
export interface KeyedTable {
  readonly name: string;
  /** Its column that refers to the entity. */
  readonly owner: string;
  /** The entity's column that it refers to. */
  readonly of: string;
}

export function existsKeyed(table: KeyedTable, key: string, condition: Sql): Sql {
  return sql`EXISTS (SELECT 1 FROM ${raw(table.name)} x WHERE x.${raw(table.owner)} = r.${raw(table.of)} AND x.key = ${key} AND ${condition})`;
}

/** A clause on a param or tag: `!=` asks for the key too, only IS NULL finds what lacks it. */
export function matchKeyedText(dialect: Dialect, clause: Clause, table: KeyedTable): Sql {
  if (clause.operator === 'IS NULL') return sql`NOT ${existsKeyed(table, clause.key, TRUE)}`;
  if (clause.operator === 'IS NOT NULL') return existsKeyed(table, clause.key, TRUE);
  return existsKeyed(table, clause.key, matchText(dialect, clause, sql`x.value`, sql`x.folded`));
}

/**
 * The entities that a clause on a param or tag can hold for, from the index (key, start of the value): `SELECT … AS pk`.
 * Undefined where it can't narrow anything.
 */
export function driveKeyedText(dialect: Dialect, clause: Clause, table: KeyedTable): Sql | undefined {
  if (clause.operator === 'IS NULL') return undefined;
  const rows = sql`SELECT x.${raw(table.owner)} AS pk FROM ${raw(table.name)} x WHERE x.key = ${clause.key}`;
  // Written as the index has it, or the index isn't used.
  const start = sql`substr(x.value, 1, ${raw(String(INDEXED_CHARACTERS))})`;
  const value = clause.value;
  if (clause.operator === 'IN' && value?.kind === 'list') {
    return sql`${rows} AND ${inTexts(dialect, start, value.texts.map(indexedStart))}`;
  }
  if (value?.kind !== 'string') return rows;
  if (clause.operator === '=') return sql`${rows} AND ${start} = ${indexedStart(value.text)}`;
  const prefix = clause.operator === 'LIKE' ? indexedStart(/^[^%_]*/.exec(value.text)?.[0] ?? '') : '';
  if (prefix === '') return rows;
  const end = afterPrefix(prefix);
  return end === undefined ? sql`${rows} AND ${start} >= ${prefix}` : sql`${rows} AND ${start} >= ${prefix} AND ${start} < ${end}`;
}

/** A clause that few rows are likely to hold for. */
export function isNarrow(clause: Clause | undefined): boolean {
  return clause !== undefined && clause.value?.kind !== 'number' && ['=', 'IN', 'LIKE', 'ILIKE'].includes(clause.operator);
}

function indexedStart(text: string): string {
  return text.length <= INDEXED_CHARACTERS ? text : [...text].slice(0, INDEXED_CHARACTERS).join('');
}

/** The least text that is greater than all texts with this prefix, in the order of code points. */
export function afterPrefix(prefix: string): string | undefined {
  const points = [...prefix].map((character) => character.codePointAt(0) ?? 0);
  for (let last = points.pop(); last !== undefined; last = points.pop()) {
    if (last === 0x10ffff) continue;
    // The surrogates between are no characters.
    return String.fromCodePoint(...points, last === 0xd7ff ? 0xe000 : last + 1);
  }
  return undefined;
}

/** LIKE for texts that have no folded column: see `Residual`. */
export function likePattern(pattern: string): RegExp {
  const source = pattern
    .replace(/[\\^$.*+?()[\]{}|/]/g, '\\$&')
    .replace(/%+/g, '[^]*')
    .replaceAll('_', '[^]');
  return new RegExp(`^${source}$`, 'u');
}
