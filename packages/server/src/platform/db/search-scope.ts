/** A caller's scope as SQL: a condition on an object, and the rows that a search can start from. Nothing where it shows everything. */
import { type ObjectSet, type Scope, seesAll } from '@countersign/contract/access.ts';
import sql, { join, raw, type Sql } from 'sql-template-tag';
import type { Dialect } from './database.ts';
import { allOf } from './search-plan.ts';
import { afterPrefix, FALSE, listed } from './search-sql.ts';

/** What a search may look at, whatever its filter says. */
export interface SearchScope {
  /** By indexes, `SELECT … AS pk`: all that it includes, and maybe others; undefined where that would be most of all. */
  readonly rows: Sql | undefined;
  /** So few rows are likely that they are worth a look before the order's index. */
  readonly isNarrow: boolean;
  /** The condition on an object, by its columns. */
  readonly includes: (id: Sql, name: Sql) => Sql;
}

/** Of single grants: with more of them, rows are rather met in the search's order than started from. */
const NARROW_IDS = 200;
/** Behind every name that begins with the greatest character. */
const LAST_OF_ALL = '\u{10ffff}'.repeat(64);

/** Undefined where everything is shown. `table` has the columns id, workspace_id and name, and an index by the last two for rows that are `active`. */
export function searchScope(
  dialect: Dialect,
  scope: Scope,
  table: { readonly name: string; readonly workspaceId: number; readonly active: Sql },
): SearchScope | undefined {
  if (seesAll(scope)) return undefined;
  return {
    rows: scope.everything ? undefined : rowsOf(dialect, scope.shown, table),
    isNarrow: scope.shown.ids.length <= NARROW_IDS,
    includes: (id, name) => {
      const hidden = isEmpty(scope.hidden) ? [] : [sql`NOT ${isAmong(dialect, scope.hidden, id, name)}`];
      return allOf(scope.everything ? hidden : [isAmong(dialect, scope.shown, id, name), ...hidden]);
    },
  };
}

function isEmpty({ ids, prefixes }: ObjectSet): boolean {
  return ids.length === 0 && prefixes.length === 0;
}

/** However long the lists are, it is one statement with two values. */
function isAmong(dialect: Dialect, { ids, prefixes }: ObjectSet, id: Sql, name: Sql): Sql {
  const conditions: Sql[] = [];
  if (ids.length > 0) conditions.push(sql`${id} IN (${listed(dialect, jsonOf(ids))})`);
  if (prefixes.length > 0) {
    const starts = sql`substr(${name}, 1, length(p.value)) = p.value`;
    const rows =
      dialect === 'sqlite'
        ? sql`json_each(${jsonOf(prefixes)}) p`
        : sql`jsonb_array_elements_text(CAST(${jsonOf(prefixes)} AS jsonb)) p(value)`;
    conditions.push(sql`EXISTS (SELECT 1 FROM ${rows} WHERE ${starts})`);
  }
  return conditions.length === 0 ? FALSE : sql`(${join(conditions, ' OR ')})`;
}

function rowsOf(
  dialect: Dialect,
  { ids, prefixes }: ObjectSet,
  { name, workspaceId, active }: { readonly name: string; readonly workspaceId: number; readonly active: Sql },
): Sql {
  const byId = listed(dialect, jsonOf(ids));
  if (prefixes.length === 0) return byId;
  const [ranges, first, last] =
    dialect === 'sqlite'
      ? [sql`json_each(${rangesOf(prefixes)}) p`, sql`p.value ->> 0`, sql`p.value ->> 1`]
      : [sql`jsonb_array_elements(CAST(${rangesOf(prefixes)} AS jsonb)) p(value)`, sql`(p.value ->> 0)`, sql`(p.value ->> 1)`];
  const byName = sql`SELECT r.id AS pk FROM ${ranges} CROSS JOIN ${raw(name)} r WHERE r.workspace_id = ${workspaceId} AND ${active} AND r.name >= ${first} AND r.name < ${last}`;
  return ids.length === 0 ? byName : sql`${byId} UNION ALL ${byName}`;
}

/** Made once for what is compiled once and asked with every search. */
const texts = new WeakMap<readonly unknown[], string>();

function jsonOf(list: readonly (number | string)[]): string {
  let text = texts.get(list);
  if (text === undefined) {
    text = JSON.stringify(list);
    texts.set(list, text);
  }
  return text;
}

function rangesOf(prefixes: readonly string[]): string {
  return JSON.stringify(prefixes.map((prefix) => [prefix, afterPrefix(prefix) ?? LAST_OF_ALL]));
}
