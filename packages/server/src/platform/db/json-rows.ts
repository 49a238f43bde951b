/** Rows of a subquery as one JSON text, so that an object and its lists are read by one statement. */
import type { Dialect } from './database.ts';

/** `(SELECT [{"key":…},…])` in the subquery's order; `[]` when it is empty. `from` is what follows FROM, ordered by `orderBy`. */
export function jsonRows(dialect: Dialect, members: Readonly<Record<string, string>>, from: string, orderBy: string): string {
  const pairs = Object.entries(members)
    .map(([name, column]) => `'${name}', ${column}`)
    .join(', ');
  return dialect === 'sqlite'
    ? `(SELECT json_group_array(json_object(${pairs}) ORDER BY ${orderBy}) FROM ${from})`
    : `(SELECT coalesce(json_agg(json_build_object(${pairs}) ORDER BY ${orderBy}), '[]')::text FROM ${from})`;
}

/** Reads what `jsonRows` gave. The shape is the query's. */
export function readJsonRows<Row>(text: string): readonly Row[] {
  return text === '[]' ? [] : (JSON.parse(text) as Row[]);
}
