/** Searching model versions. Prompt versions are left out unless the filter asks for them. */
import type { Comparison, Filter, Ordering } from '@countersign/contract/search.ts';
import sql, { type Sql } from 'sql-template-tag';
import type { Dialect, Queries, SqlValue } from '../../platform/db/database.ts';
import { type FewRows, type FoundPage, findFewOrPage, type OpenPlan } from '../../platform/db/search-page.ts';
import type { Driver, Leg, SortKey } from '../../platform/db/search-plan.ts';
import type { Searches } from '../../platform/db/search-runner.ts';
import type { SearchScope } from '../../platform/db/search-scope.ts';
import { driveKeyedText, type KeyedTable, matchInteger, matchKeyedText, matchText } from '../../platform/db/search-sql.ts';
import { driveNames, splitPromptClauses } from '../models/models.ts';

const TAGS: KeyedTable = { name: 'model_version_tags', owner: 'version_id', of: 'id' };

export interface VersionQuery {
  readonly workspaceId: number;
  readonly filter: Filter;
  readonly orderBy: readonly Ordering[];
  readonly size: number;
  /** Of the page before; empty: the first page. */
  readonly token: string;
  /** Of models. Undefined: the versions of all of the workspace. */
  readonly scope?: SearchScope | undefined;
}

/** So few versions are searched by one statement, for half of what a plan costs. */
const FEW_VERSIONS = 300;

/** The ids of a page. Throws INVALID_PARAMETER_VALUE for a token that isn't one, and at the operator's time limit. */
export async function searchPage(db: Queries, searches: Searches, query: VersionQuery): Promise<FoundPage> {
  const { size, token, workspaceId, orderBy, scope } = query;
  const question = readQuestion(db.dialect, query);
  const page = { size, token, order: JSON.stringify([workspaceId, orderBy]), keys: question.keys };
  return findFewOrPage(db, searches, page, {
    few: async (offset) =>
      scope === undefined && (isPage(question, query, offset) || (await hasFew(db, question))) ? fewOf(question) : undefined,
    plan: () => planVersions(db.dialect, question, scope),
  });
}

function fewOf({ active, also, filter, keys }: Question): FewRows {
  const joins = keys.flatMap((key) => (key.join === undefined ? [] : [sql` ${key.join}`]));
  const from = joins.reduce((left, right) => sql`${left}${right}`, sql`model_versions r`);
  return { pk: sql`r.id`, from, where: [active, also, ...filter], keys };
}

/** Among the newest of one model, which an index has in order. */
function isPage({ isOneModel, clauses }: Question, { orderBy }: VersionQuery, offset: number): boolean {
  return isOneModel && clauses.length === 0 && orderBy.length === 0 && offset <= FEW_VERSIONS;
}

async function hasFew(db: Queries, { active }: Question): Promise<boolean> {
  const one = sql`SELECT r.id FROM model_versions r WHERE ${active} ORDER BY r.updated_at DESC LIMIT 1 OFFSET ${FEW_VERSIONS}`;
  return (await all(db, one)).length === 0;
}

function all<Row>(db: Queries, query: Sql): Promise<Row[]> {
  return db.all<Row>(query.sql, ...(query.values as SqlValue[])); // composed from SqlValues only
}

interface Question {
  readonly workspaceId: number;
  /** Without what `active` and `also` ask. */
  readonly clauses: Filter;
  readonly isOneModel: boolean;
  /** Not deleted, and of the workspace or of the one model: by an index on the time of the last change. */
  readonly active: Sql;
  /** What else is asked of a version besides the filter. */
  readonly also: Sql;
  readonly filter: readonly Sql[];
  readonly keys: readonly SortKey[];
}

function readQuestion(dialect: Dialect, { workspaceId, filter, orderBy, scope }: VersionQuery): Question {
  const { wantsPrompts, rest } = splitPromptClauses(filter);
  const isOfKind = sql`r.is_prompt = ${wantsPrompts ? 1 : 0}`;
  const name = rest.find((each) => each.entity === 'attribute' && each.key === 'name' && each.operator === '=');
  const model = name?.value?.kind === 'string' ? name.value.text : undefined;
  const clauses = model === undefined ? rest : rest.filter((each) => each !== name);
  const of =
    model === undefined
      ? sql`r.workspace_id = ${workspaceId}`
      : sql`r.model_id = (SELECT m.id FROM registered_models m WHERE m.workspace_id = ${workspaceId} AND m.name = ${model} AND m.deleted_at IS NULL)`;
  return {
    workspaceId,
    clauses,
    isOneModel: model !== undefined,
    active: sql`${of} AND r.deleted_at IS NULL`,
    also: scope === undefined ? isOfKind : sql`${isOfKind} AND ${ofModel(scope.includes(sql`m.id`, sql`m.name`))}`,
    filter: clauses.map((clause) => conditionOf(dialect, clause)),
    keys: sortKeys(orderBy, model !== undefined),
  };
}

function planVersions(dialect: Dialect, question: Question, scope: SearchScope | undefined): OpenPlan {
  const { workspaceId, clauses, active, also, filter, keys } = question;
  return {
    what: 'model versions',
    entity: sql`model_versions r`,
    pk: sql`r.id`,
    legs: [legOf(question)],
    keys,
    filter,
    residuals: [],
    scope: sql`${active} AND ${also}`,
    drivers: [
      ...(scope?.rows === undefined ? [] : [{ rows: versionsOf(scope.rows), isNarrow: scope.isNarrow }]),
      ...clauses.flatMap((clause) => driversOf(dialect, clause, workspaceId)),
    ],
    clauses: clauses.map((clause) => `${clause.entity}.${clause.key} ${clause.operator}`),
  };
}

const COLUMNS: Readonly<Record<string, Sql>> = {
  name: sql`n.name`,
  version_number: sql`r.version`,
  creation_timestamp: sql`r.created_at`,
  last_updated_timestamp: sql`r.updated_at`,
};

/** The name and the number, which are unique together, decide where the order asked for does not. */
function sortKeys(orderBy: readonly Ordering[], isOneModel: boolean): SortKey[] {
  const given = orderBy.length > 0 ? orderBy : [{ key: 'last_updated_timestamp', descending: true }];
  const keys = given.map(({ key }) => key);
  return [
    ...given,
    ...(isOneModel || keys.includes('name') ? [] : [{ key: 'name', descending: false }]),
    ...(keys.includes('version_number') ? [] : [{ key: 'version_number', descending: true }]),
  ].map(({ key, descending }) => ({
    type: key === 'name' ? 'text' : 'integer',
    descending,
    value: COLUMNS[key] ?? sql`r.updated_at`,
    rank: undefined,
    join: key === 'name' ? sql`LEFT JOIN registered_models n ON n.id = r.model_id` : undefined,
  }));
}

/** The index on the time of the last change; in other orders it only bounds the chunks, and all of it is walked. */
function legOf({ isOneModel, active, also, keys: [first, second] }: Question): Leg {
  const isDriven = first?.value === COLUMNS.last_updated_timestamp;
  const descending = !isDriven || (first?.descending ?? true);
  return {
    index: sql`model_versions r`,
    where: active,
    lead: { column: sql`r.updated_at`, descending },
    // In the index of one model the number comes next; in that of the workspace the row's id, which ascends.
    second: isOneModel ? { column: sql`r.version`, descending } : { column: sql`r.id`, descending: !descending },
    join: undefined,
    also,
    settled: [],
    ranks: isDriven ? [0] : [],
    isDriven,
    isExact: isDriven && isOneModel && second?.value === COLUMNS.version_number && second?.descending === descending,
  };
}

function conditionOf(dialect: Dialect, clause: Comparison): Sql {
  if (clause.entity === 'tag') return matchKeyedText(dialect, clause, TAGS);
  switch (clause.key) {
    case 'name':
      return ofModel(matchText(dialect, clause, sql`m.name`, sql`m.name_folded`));
    case 'version_number':
      return matchInteger(clause, sql`r.version`);
    case 'run_id':
      return matchText(dialect, clause, sql`r.run_id`);
    default:
      return matchText(dialect, clause, sql`r.source`);
  }
}

function ofModel(condition: Sql): Sql {
  return sql`EXISTS (SELECT 1 FROM registered_models m WHERE m.id = r.model_id AND ${condition})`;
}

/** Supersets of the versions that a clause holds for, by an index each. */
function driversOf(dialect: Dialect, clause: Comparison, workspaceId: number): Driver[] {
  const { entity, key, operator } = clause;
  const isNarrow = operator === '=' || operator === 'IN';
  if (entity === 'tag') {
    const rows = driveKeyedText(dialect, clause, TAGS);
    return rows === undefined ? [] : [{ rows, isNarrow }];
  }
  if (key === 'name') return driveNames(dialect, clause, workspaceId).map((driver) => ({ ...driver, rows: versionsOf(driver.rows) }));
  if (key !== 'run_id' || !isNarrow) return [];
  return [
    {
      rows: sql`SELECT r.id AS pk FROM model_versions r WHERE r.deleted_at IS NULL AND ${matchText(dialect, clause, sql`r.run_id`)}`,
      isNarrow,
    },
  ];
}

function versionsOf(models: Sql): Sql {
  return sql`SELECT r.id AS pk FROM (${models}) named CROSS JOIN model_versions r WHERE r.model_id = named.pk AND r.deleted_at IS NULL`;
}
