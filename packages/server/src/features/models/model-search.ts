/** Searching registered models. Prompts are left out unless the filter asks for them. */
import type { Comparison, Filter, Ordering } from '@countersign/contract/search.ts';
import sql, { join, type Sql } from 'sql-template-tag';
import type { Dialect, Queries, SqlValue } from '../../platform/db/database.ts';
import { direction } from '../../platform/db/search-order.ts';
import type { OpenPlan } from '../../platform/db/search-page.ts';
import { allOf, type Leg, type SortKey } from '../../platform/db/search-plan.ts';
import type { Searches } from '../../platform/db/search-runner.ts';
import { afterPrefix, driveKeyedText, type KeyedTable, matchKeyedText, matchText } from '../../platform/db/search-sql.ts';
import { trigramSearch } from '../../platform/db/search-trigram.ts';

const PROMPT_TAG = 'mlflow.prompt.is_prompt';
const TAGS: KeyedTable = { name: 'registered_model_tags', owner: 'model_id', of: 'id' };

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

export interface ModelQuery {
  readonly workspaceId: number;
  readonly filter: Filter;
  readonly orderBy: readonly Ordering[];
  readonly limit: number;
  readonly offset: number;
}

/** So few models are searched by one statement, for half of what a plan costs. */
const FEW_MODELS = 1000;

/** Ids of a page, one more than `limit` where there are more. Throws INVALID_PARAMETER_VALUE at the operator's time limit. */
export async function searchIds(db: Queries, searches: Searches, query: ModelQuery): Promise<number[]> {
  const question = readQuestion(db.dialect, query);
  if (await hasFew(db, question)) return searchFew(db, question, query);
  const plan = planModels(db.dialect, question);
  const rows = await searches.find({ ...plan, limit: query.limit + 1, offset: query.offset, after: undefined });
  return rows.map((row) => row.pk);
}

async function hasFew(db: Queries, { active }: Question): Promise<boolean> {
  return (
    (await all(db, sql`SELECT r.id FROM registered_models r WHERE ${active} ORDER BY r.name LIMIT 1 OFFSET ${FEW_MODELS}`)).length === 0
  );
}

async function searchFew(db: Queries, { scope, filter, keys }: Question, { limit, offset }: ModelQuery): Promise<number[]> {
  const order = join(keys.map(({ value, descending }) => sql`${value} ${direction(descending)}`));
  const rows = await all<{ id: number }>(
    db,
    sql`SELECT r.id FROM registered_models r WHERE ${allOf([scope, ...filter])} ORDER BY ${order} LIMIT ${limit + 1} OFFSET ${offset}`,
  );
  return rows.map((row) => row.id);
}

function all<Row>(db: Queries, query: Sql): Promise<Row[]> {
  return db.all<Row>(query.sql, ...(query.values as SqlValue[])); // composed from SqlValues only
}

interface Question {
  readonly clauses: readonly Comparison[];
  readonly active: Sql;
  readonly isOfKind: Sql;
  readonly scope: Sql;
  readonly filter: readonly Sql[];
  readonly keys: readonly SortKey[];
}

function readQuestion(dialect: Dialect, { workspaceId, filter, orderBy }: ModelQuery): Question {
  const { wantsPrompts, rest } = splitPromptClauses(filter);
  const active = sql`r.workspace_id = ${workspaceId} AND r.deleted_at IS NULL`;
  const isOfKind = sql`r.is_prompt = ${wantsPrompts ? 1 : 0}`;
  return {
    clauses: rest,
    active,
    isOfKind,
    scope: sql`${active} AND ${isOfKind}`,
    filter: rest.map((clause) => conditionOf(dialect, clause)),
    keys: sortKeys(orderBy),
  };
}

function planModels(dialect: Dialect, { clauses, active, isOfKind, scope, filter, keys }: Question): OpenPlan {
  return {
    what: 'registered models',
    entity: sql`registered_models r`,
    pk: sql`r.id`,
    legs: [legOf(keys, active, isOfKind)],
    keys,
    filter,
    residuals: [],
    scope,
    drivers: clauses.flatMap((clause) => {
      const rows = driverOf(dialect, clause, active);
      return rows === undefined ? [] : [{ rows, isNarrow: clause.operator === '=' || clause.operator === 'IN' }];
    }),
    clauses: clauses.map((clause) => `${clause.entity}.${clause.key} ${clause.operator}`),
  };
}

/** The name, which is unique, decides where the order asked for does not. */
function sortKeys(orderBy: readonly Ordering[]): SortKey[] {
  const order = orderBy.some(({ key }) => key === 'name') ? orderBy : [...orderBy, { key: 'name', descending: false }];
  return order.map(({ key, descending }) => ({
    type: key === 'name' ? 'text' : 'integer',
    descending,
    value: key === 'name' ? sql`r.name` : sql`r.updated_at`,
    rank: undefined,
    join: undefined,
  }));
}

/** By the index on names, or on the time of the last change, whose second column is the name. */
function legOf([first, second]: readonly SortKey[], active: Sql, isOfKind: Sql): Leg {
  const descending = first?.descending ?? false;
  const isByName = first?.type !== 'integer';
  return {
    index: sql`registered_models r`,
    where: active,
    lead: { column: isByName ? sql`r.name` : sql`r.updated_at`, descending },
    second: { column: isByName ? sql`r.id` : sql`r.name`, descending },
    join: undefined,
    also: isOfKind,
    settled: [],
    ranks: [0],
    isDriven: true,
    isExact: !isByName && second?.descending === descending,
  };
}

function conditionOf(dialect: Dialect, clause: Comparison): Sql {
  return clause.entity === 'tag' ? matchKeyedText(dialect, clause, TAGS) : matchText(dialect, clause, sql`r.name`, sql`r.name_folded`);
}

function driverOf(dialect: Dialect, clause: Comparison, active: Sql): Sql | undefined {
  if (clause.entity === 'tag') return driveKeyedText(dialect, clause, TAGS);
  const named = sql`SELECT r.id AS pk FROM registered_models r WHERE ${active}`;
  if (clause.operator === '=' || clause.operator === 'IN') return sql`${named} AND ${matchText(dialect, clause, sql`r.name`)}`;
  const pattern = clause.value?.kind === 'string' ? clause.value.text : '';
  if (clause.operator === 'LIKE') {
    const prefix = /^[^%_]*/.exec(pattern)?.[0] ?? '';
    const end = prefix === '' ? undefined : afterPrefix(prefix);
    if (end !== undefined) return sql`${named} AND r.name >= ${prefix} AND r.name < ${end}`;
  }
  return clause.operator === 'LIKE' || clause.operator === 'ILIKE' ? trigramSearch(dialect, 'registered_model_names', pattern) : undefined;
}
