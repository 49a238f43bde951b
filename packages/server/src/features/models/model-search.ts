/** Searching registered models. Prompts are left out unless the filter asks for them. */
import type { Comparison, Filter, Ordering } from '@countersign/contract/search.ts';
import sql, { type Sql } from 'sql-template-tag';
import type { Dialect, Queries, SqlValue } from '../../platform/db/database.ts';
import { type FewRows, type FoundPage, findFewOrPage, type OpenPlan } from '../../platform/db/search-page.ts';
import type { Driver, Leg, SortKey } from '../../platform/db/search-plan.ts';
import type { Searches } from '../../platform/db/search-runner.ts';
import type { SearchScope } from '../../platform/db/search-scope.ts';
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
  readonly size: number;
  /** Of the page before; empty: the first page. */
  readonly token: string;
  /** Of models. Undefined: all of the workspace. */
  readonly scope?: SearchScope | undefined;
}

/** So few models are searched by one statement, for half of what a plan costs. */
const FEW_MODELS = 300;

/** The ids of a page. Throws INVALID_PARAMETER_VALUE for a token that isn't one, and at the operator's time limit. */
export async function searchPage(db: Queries, searches: Searches, query: ModelQuery): Promise<FoundPage> {
  const { size, token, workspaceId, orderBy, scope } = query;
  const question = readQuestion(db.dialect, query);
  const page = { size, token, order: JSON.stringify([workspaceId, orderBy]), keys: question.keys };
  return findFewOrPage(db, searches, page, {
    few: async () => (scope === undefined && (await hasFew(db, question)) ? fewOf(question) : undefined),
    plan: () => planModels(db.dialect, question, scope),
  });
}

function fewOf({ named, also, filter, keys }: Question): FewRows {
  return { pk: sql`r.id`, from: sql`registered_models r`, where: [named, also, ...filter], keys };
}

async function hasFew(db: Queries, { named }: Question): Promise<boolean> {
  return (
    (await all(db, sql`SELECT r.id FROM registered_models r WHERE ${named} ORDER BY r.name LIMIT 1 OFFSET ${FEW_MODELS}`)).length === 0
  );
}

function all<Row>(db: Queries, query: Sql): Promise<Row[]> {
  return db.all<Row>(query.sql, ...(query.values as SqlValue[])); // composed from SqlValues only
}

interface Question {
  readonly workspaceId: number;
  readonly clauses: Filter;
  readonly names: NameRange | undefined;
  readonly active: Sql;
  /** Active, and in the range of names: by the index on names. */
  readonly named: Sql;
  /** What else is asked of a model besides the filter. */
  readonly also: Sql;
  readonly filter: readonly Sql[];
  readonly keys: readonly SortKey[];
}

function readQuestion(dialect: Dialect, { workspaceId, filter, orderBy, scope }: ModelQuery): Question {
  const { wantsPrompts, rest } = splitPromptClauses(filter);
  const active = sql`r.workspace_id = ${workspaceId} AND r.deleted_at IS NULL`;
  const isOfKind = sql`r.is_prompt = ${wantsPrompts ? 1 : 0}`;
  const names = nameRangeOf(rest);
  return {
    workspaceId,
    clauses: rest,
    names,
    active,
    named: names === undefined ? active : sql`${active} AND ${isIn(names)}`,
    also: scope === undefined ? isOfKind : sql`${isOfKind} AND ${scope.includes(sql`r.id`, sql`r.name`)}`,
    filter: rest.map((clause) => conditionOf(dialect, clause)),
    keys: sortKeys(orderBy),
  };
}

function planModels(dialect: Dialect, question: Question, scope: SearchScope | undefined): OpenPlan {
  const { workspaceId, clauses, active, also, filter, keys } = question;
  return {
    what: 'registered models',
    entity: sql`registered_models r`,
    pk: sql`r.id`,
    legs: [legOf(question)],
    keys,
    filter,
    residuals: [],
    scope: sql`${active} AND ${also}`,
    drivers: [
      ...(scope?.rows === undefined ? [] : [{ rows: scope.rows, isNarrow: scope.isNarrow }]),
      ...clauses.flatMap((clause) => driversOf(dialect, clause, workspaceId)),
    ],
    clauses: clauses.map((clause) => `${clause.entity}.${clause.key} ${clause.operator}`),
  };
}

/** Where in the order of names all lie that the filter can hold for; both ends belong to it. */
interface NameRange {
  readonly first: string;
  readonly last: string;
}

/** By a whole name, or by the longest beginning of one. */
function nameRangeOf(clauses: Filter): NameRange | undefined {
  let prefix = '';
  for (const { entity, operator, value } of clauses) {
    if (entity === 'tag' || value?.kind !== 'string') continue;
    if (operator === '=') return { first: value.text, last: value.text };
    const beginning = operator === 'LIKE' ? prefixOf(value.text) : '';
    if (beginning.length > prefix.length) prefix = beginning;
  }
  const last = afterPrefix(prefix);
  return last === undefined ? undefined : { first: prefix, last };
}

function isIn({ first, last }: NameRange): Sql {
  return sql`r.name >= ${first} AND r.name <= ${last}`;
}

function prefixOf(pattern: string): string {
  return /^[^%_]*/.exec(pattern)?.[0] ?? '';
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
function legOf({ keys, names, active, also }: Question): Leg {
  const [first, second] = keys;
  const descending = first?.descending ?? false;
  const isByName = first?.type !== 'integer';
  return {
    index: sql`registered_models r`,
    where: active,
    lead: { column: isByName ? sql`r.name` : sql`r.updated_at`, descending },
    second: { column: isByName ? sql`r.id` : sql`r.name`, descending },
    join: undefined,
    also,
    settled: [],
    ranks: [0],
    isDriven: true,
    isExact: !isByName && second?.descending === descending,
    ends: !isByName || names === undefined ? undefined : descending ? [names.last, names.first] : [names.first, names.last],
  };
}

function conditionOf(dialect: Dialect, clause: Comparison): Sql {
  return clause.entity === 'tag' ? matchKeyedText(dialect, clause, TAGS) : matchText(dialect, clause, sql`r.name`, sql`r.name_folded`);
}

function driversOf(dialect: Dialect, clause: Comparison, workspaceId: number): Driver[] {
  if (clause.entity !== 'tag') return driveNames(dialect, clause, workspaceId);
  const rows = driveKeyedText(dialect, clause, TAGS);
  return rows === undefined ? [] : [{ rows, isNarrow: clause.operator === '=' || clause.operator === 'IN' }];
}

/** Supersets of the models that a clause on the name holds for, by an index each. */
export function driveNames(dialect: Dialect, clause: Comparison, workspaceId: number): Driver[] {
  const { operator, value } = clause;
  const active = sql`SELECT r.id AS pk FROM registered_models r WHERE r.workspace_id = ${workspaceId} AND r.deleted_at IS NULL`;
  if (operator === '=' || operator === 'IN')
    return [{ rows: sql`${active} AND ${matchText(dialect, clause, sql`r.name`)}`, isNarrow: true }];
  if ((operator !== 'LIKE' && operator !== 'ILIKE') || value?.kind !== 'string') return [];
  const range = nameRangeOf([clause]);
  const substrings = trigramSearch(dialect, 'registered_model_names', `%${value.text.slice(range?.first.length ?? 0)}`);
  return [
    ...(substrings === undefined ? [] : [{ rows: substrings, isNarrow: true }]),
    ...(range === undefined ? [] : [{ rows: sql`${active} AND ${isIn(range)}`, isNarrow: false }]),
  ];
}
