/** Compiles a search of registered models. Prompts are left out unless the filter asks for them. */
import type { Comparison, Filter, Ordering } from '@countersign/contract/search.ts';
import sql, { join, raw, type Sql } from 'sql-template-tag';
import { compareText } from '../../platform/db/comparison-sql.ts';
import type { Queries, SqlValue } from '../../platform/db/database.ts';

const PROMPT_TAG = 'mlflow.prompt.is_prompt';

/** Whether a filter looks for prompts, and what is left of it: the clauses on the prompt tag are answered by a column. */
export function splitPromptClauses(filter: Filter): { readonly wantsPrompts: boolean; readonly rest: Filter } {
  const isPromptClause = (each: Comparison): boolean => each.entity === 'tag' && each.key === PROMPT_TAG;
  const wantsPrompts = filter.some(
    (each) => isPromptClause(each) && each.value?.kind === 'string' && asksForPrompts(each.operator, each.value.text),
  );
  return { wantsPrompts, rest: filter.filter((each) => !isPromptClause(each)) };
}

function asksForPrompts(operator: string, text: string): boolean {
  return (operator === '=' && text.toLowerCase() === 'true') || (operator === '!=' && text.toLowerCase() === 'false');
}

/** Ids of a page, one more than `limit` where there are more. */
export async function searchIds(
  db: Queries,
  query: { workspaceId: number; filter: Filter; orderBy: readonly Ordering[]; limit: number; offset: number },
): Promise<number[]> {
  const { wantsPrompts, rest } = splitPromptClauses(query.filter);
  const conditions: Sql[] = [
    sql`m.workspace_id = ${query.workspaceId}`,
    sql`m.deleted_at IS NULL`,
    sql`m.is_prompt = ${wantsPrompts ? 1 : 0}`,
  ];
  for (const each of rest) conditions.push(condition(db, each));
  const statement = sql`SELECT m.id FROM registered_models m WHERE ${join(conditions, ' AND ')} ORDER BY ${order(query.orderBy)} LIMIT ${query.limit + 1} OFFSET ${query.offset}`;
  return (await db.all<{ id: number }>(statement.sql, ...(statement.values as SqlValue[]))).map((row) => row.id);
}

function condition(db: Queries, comparison: Comparison): Sql {
  if (comparison.entity === 'attribute') return compareText(db.dialect, { value: 'm.name', folded: 'm.name_folded' }, comparison);
  const matches = compareText(db.dialect, { value: 't.value', folded: 't.folded' }, comparison);
  return sql`EXISTS (SELECT 1 FROM registered_model_tags t WHERE t.model_id = m.id AND t.key = ${comparison.key} AND ${matches})`;
}

const COLUMNS: Readonly<Record<string, string>> = { name: 'm.name', last_updated_timestamp: 'm.updated_at' };

function order(orderBy: readonly Ordering[]): Sql {
  const terms = orderBy.map(({ key, descending }) => raw(`${COLUMNS[key] ?? 'm.name'} ${descending ? 'DESC' : 'ASC'}`));
  if (!orderBy.some(({ key }) => key === 'name')) terms.push(raw('m.name ASC'));
  return join(terms, ', ');
}
