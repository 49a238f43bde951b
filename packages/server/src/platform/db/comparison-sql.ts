/** One comparison of a search filter as SQL, the same meaning on both dialects. */
import type { Comparison } from '@countersign/contract/search.ts';
import sql, { raw, type Sql } from 'sql-template-tag';
import type { Dialect } from './database.ts';
import { fold } from './fold.ts';

export interface TextColumn {
  readonly value: string;
  /** The column of folds, null where the text folds to itself. */
  readonly folded: string;
}

/** A text column against a string or a list. */
export function compareText(dialect: Dialect, column: TextColumn, comparison: Comparison): Sql {
  const { operator, value } = comparison;
  const left = raw(column.value);
  if (value?.kind === 'list') {
    const list = JSON.stringify(value.texts);
    const among =
      dialect === 'sqlite' ? sql`(SELECT value FROM json_each(${list}))` : sql`(SELECT json_array_elements_text(${list}::json))`;
    return operator === 'NOT IN' ? sql`${left} NOT IN ${among}` : sql`${left} IN ${among}`;
  }
  const text = value?.text ?? '';
  if (operator === 'LIKE') return like(dialect, left, text);
  if (operator === 'ILIKE') return like(dialect, raw(`coalesce(${column.folded}, ${column.value})`), fold(text));
  return operator === '!=' ? sql`${left} <> ${text}` : sql`${left} = ${text}`;
}

/** A numeric column against a number. */
export function compareNumber(column: string, comparison: Comparison): Sql {
  const number =
    comparison.value?.kind === 'number'
      ? comparison.value.number
      : Number(comparison.value?.kind === 'string' ? comparison.value.text : Number.NaN);
  const operator = comparison.operator === '!=' ? '<>' : comparison.operator;
  return sql`${raw(column)} ${raw(operator)} ${number}`;
}

/** MLflow's LIKE has no escape character; PostgreSQL's has one unless told otherwise. */
function like(dialect: Dialect, left: Sql, pattern: string): Sql {
  return dialect === 'sqlite' ? sql`${left} LIKE ${pattern}` : sql`${left} LIKE ${pattern} ESCAPE ''`;
}
