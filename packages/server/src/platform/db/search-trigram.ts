/**
 * Substrings of names by an index over their trigrams (migration `search`): on SQLite an FTS5 table that triggers keep, on PostgreSQL a GIN
 * index of pg_trgm, or none where the database's owner may not create that extension (then names are searched in order's chunks).
 *
 * `registered_model_names` is for registered models: `trigramSearch(dialect, 'registered_model_names', pattern)` answers
 * `SELECT id AS pk …`, a superset of the models whose name matches the LIKE or ILIKE pattern, deleted ones among them; compare the name itself
 * beside it. Undefined: the pattern has no three characters in a row to look for.
 */
import sql, { raw, type Sql } from 'sql-template-tag';
import type { Dialect } from './database.ts';
import { fold } from './fold.ts';
import { like } from './search-sql.ts';

export type TrigramIndex = 'run_names' | 'registered_model_names';

/** On PostgreSQL, as the GIN index has it. */
const INDEXED: Readonly<Record<TrigramIndex, { readonly from: string; readonly pk: string; readonly text: string }>> = {
  run_names: { from: "run_tags x WHERE x.key = 'mlflow.runName'", pk: 'x.run_pk', text: 'COALESCE(x.folded, x.value)' },
  registered_model_names: { from: 'registered_models x WHERE TRUE', pk: 'x.id', text: 'COALESCE(x.name_folded, x.name)' },
};
/** More make the search no narrower, only slower. */
const TRIGRAMS_MAX = 32;

export function trigramSearch(dialect: Dialect, index: TrigramIndex, pattern: string): Sql | undefined {
  const folded = fold(pattern);
  const trigrams = trigramsOf(folded);
  if (trigrams.length === 0) return undefined;
  if (dialect === 'sqlite') {
    const match = trigrams.map((trigram) => `"${trigram.replaceAll('"', '""')}"`).join(' AND ');
    const found = sql`SELECT rowid AS pk FROM ${raw(index)} WHERE ${raw(index)} MATCH ${match}`;
    return index === 'run_names' ? sql`${found} UNION ALL ${pendingRuns(folded)}` : found;
  }
  const { from, pk, text } = INDEXED[index];
  return sql`SELECT ${raw(pk)} AS pk FROM ${raw(from)} AND ${like(dialect, raw(text), folded)}`;
}

/** Names that are not in the index yet: about a thousand at most. */
function pendingRuns(folded: string): Sql {
  return sql`SELECT p.run_pk AS pk FROM run_names_pending p CROSS JOIN run_tags x WHERE x.run_pk = p.run_pk AND x.key = 'mlflow.runName' AND ${like('sqlite', raw('COALESCE(x.folded, x.value)'), folded)}`;
}

function trigramsOf(pattern: string): string[] {
  const found = new Set<string>();
  for (const literal of pattern.split(/[%_]+/)) {
    const characters = [...literal];
    for (let i = 0; i + 3 <= characters.length && found.size < TRIGRAMS_MAX; i++) found.add(characters.slice(i, i + 3).join(''));
  }
  return [...found];
}
