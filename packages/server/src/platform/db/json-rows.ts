/** Rows of a subquery as one JSON text, so that an object and its lists are read by one statement. */
import type { Dialect } from './database.ts';

/**
 * `(SELECT [{"key":…},…])`, `[]` when the subquery is empty; `from` is what follows FROM. In the order of `orderBy`, which must be the rest of
 * the table's clustered key: SQLite then reads them in that order by itself, and sorting again would cost as much as reading.
 */
export function jsonRows(dialect: Dialect, members: Readonly<Record<string, string>>, from: string, orderBy: string): string {
  const pairs = Object.entries(members)
    .map(([name, column]) => `'${name}', ${column}`)
    .join(', ');
  return dialect === 'sqlite'
    ? `(SELECT json_group_array(json_object(${pairs})) FROM ${from})`
    : `(SELECT coalesce(json_agg(json_build_object(${pairs}) ORDER BY ${orderBy}), '[]')::text FROM ${from})`;
}

/** Reads what `jsonRows` gave. The shape is the query's. */
export function readJsonRows<Row>(text: string): readonly Row[] {
  return text === '[]' ? [] : (JSON.parse(text) as Row[]);
}
