/** Compiles a search of model versions. Prompt versions are left out unless the filter asks for them. */
import type { Comparison, Filter, Ordering } from '@countersign/contract/search.ts';
import sql, { join, raw, type Sql } from 'sql-template-tag';
import { compareNumber, compareText } from '../../platform/db/comparison-sql.ts';
import type { Dialect, Queries, SqlValue } from '../../platform/db/database.ts';
import { direction } from '../../platform/db/search-order.ts';
import type { OpenPlan } from '../../platform/db/search-page.ts';
import type { Leg, SortKey } from '../../platform/db/search-plan.ts';
import type { Searches } from '../../platform/db/search-runner.ts';
import { driveKeyedText, type KeyedTable, matchText } from '../../platform/db/search-sql.ts';
import { trigramSearch } from '../../platform/db/search-trigram.ts';
import { splitPromptClauses } from '../models/models.ts';

const TAGS: KeyedTable = { name: 'model_version_tags', owner: 'version_id', of: 'id' };

export interface VersionQuery {
  readonly workspaceId: number;
  readonly filter: Filter;
  readonly orderBy: readonly Ordering[];
  readonly limit: number;
  readonly offset: number;
}

/** So few versions are searched by one statement, for half of what a plan costs. */
const FEW_VERSIONS = 1000;

/** Ids of a page, one more than `limit` where there are more. Throws INVALID_PARAMETER_VALUE at the operator's time limit. */
export async function searchIds(db: Queries, searches: Searches, query: VersionQuery): Promise<number[]> {
  if (splitPromptClauses(query.filter).rest.some(isOneName) || (await hasFew(db, query))) return searchAtOnce(db, query);
  const rows = await searches.find({ ...planVersions(db, query), limit: query.limit + 1, offset: query.offset, after: undefined });
  return rows.map((row) => row.pk);
}

async function hasFew(db: Queries, { workspaceId }: VersionQuery): Promise<boolean> {
  const rows = await all(
    db,
    sql`SELECT v.id FROM model_versions v WHERE ${activeIn(workspaceId)} ORDER BY v.updated_at DESC LIMIT 1 OFFSET ${FEW_VERSIONS}`,
  );
  return rows.length === 0;
}

/** By one statement, which can't be interrupted. */
export async function searchAtOnce(db: Queries, query: VersionQuery): Promise<number[]> {
  const { wantsPrompts, rest } = splitPromptClauses(query.filter);
  const conditions: Sql[] = [sql`v.deleted_at IS NULL`, ofKind(wantsPrompts)];
  const name = rest.find(isOneName);
  if (name?.value?.kind === 'string') {
    // One model: its own index gives the versions in order.
    conditions.push(
      sql`v.model_id = (SELECT id FROM registered_models WHERE workspace_id = ${query.workspaceId} AND name = ${name.value.text} AND deleted_at IS NULL)`,
    );
  } else {
    conditions.push(sql`v.workspace_id = ${query.workspaceId}`);
  }
  for (const each of rest) if (each !== name) conditions.push(condition(db, each));
  const order = join(
    sortKeys(query.orderBy, name !== undefined).map(({ value, descending }) => sql`${value} ${direction(descending)}`),
    ', ',
  );
  const rows = await all<{ id: number }>(
    db,
    sql`SELECT v.id FROM model_versions v JOIN registered_models m ON m.id = v.model_id WHERE ${join(conditions, ' AND ')} ORDER BY ${order} LIMIT ${query.limit + 1} OFFSET ${query.offset}`,
  );
  return rows.map((row) => row.id);
}

function all<Row>(db: Queries, query: Sql): Promise<Row[]> {
  return db.all<Row>(query.sql, ...(query.values as SqlValue[])); // composed from SqlValues only
}

function planVersions(db: Queries, { workspaceId, filter, orderBy }: VersionQuery): OpenPlan {
  const { wantsPrompts, rest } = splitPromptClauses(filter);
  const keys = sortKeys(orderBy, false);
  const active = activeIn(workspaceId);
  const isOfKind = ofKind(wantsPrompts);
  return {
    what: 'model versions',
    entity: sql`model_versions v`,
    pk: sql`v.id`,
    legs: [legOf(orderBy, active, isOfKind)],
    keys,
    filter: rest.map((clause) => condition(db, clause)),
    residuals: [],
    scope: sql`${active} AND ${isOfKind}`,
    drivers: rest.flatMap((clause) => {
      const rows = driverOf(db.dialect, clause, workspaceId);
      return rows === undefined ? [] : [{ rows, isNarrow: clause.operator === '=' || clause.operator === 'IN' }];
    }),
    clauses: rest.map((clause) => `${clause.entity}.${clause.key} ${clause.operator}`),
  };
}

/** The index on the time of the last change; in other orders it only bounds the chunks, and all of it is walked. */
function legOf([first]: readonly Ordering[], active: Sql, isOfKind: Sql): Leg {
  const isDriven = first === undefined || first.key === 'last_updated_timestamp';
  const descending = !isDriven || (first?.descending ?? true);
  return {
    index: sql`model_versions v`,
    where: active,
    lead: { column: sql`v.updated_at`, descending },
    second: { column: sql`v.id`, descending: !descending },
    join: undefined,
    also: isOfKind,
    settled: [],
    ranks: isDriven ? [0] : [],
    isDriven,
    isExact: false,
  };
}

/** A superset of the versions that a clause holds for, by an index. */
function driverOf(dialect: Dialect, clause: Comparison, workspaceId: number): Sql | undefined {
  const { entity, key, operator, value } = clause;
  if (entity === 'tag') return driveKeyedText(dialect, clause, TAGS);
  const isListed = operator === '=' || operator === 'IN';
  if (key === 'run_id' && isListed) {
    return sql`SELECT v.id AS pk FROM model_versions v WHERE v.deleted_at IS NULL AND ${matchText(dialect, clause, sql`v.run_id`)}`;
  }
  if (key !== 'name') return undefined;
  if (isListed) {
    return versionsOf(
      sql`SELECT m.id AS pk FROM registered_models m WHERE m.workspace_id = ${workspaceId} AND m.deleted_at IS NULL AND ${matchText(dialect, clause, sql`m.name`)}`,
    );
  }
  if ((operator !== 'LIKE' && operator !== 'ILIKE') || value?.kind !== 'string') return undefined;
  const models = trigramSearch(dialect, 'registered_model_names', value.text);
  return models === undefined ? undefined : versionsOf(models);
}

function versionsOf(models: Sql): Sql {
  return sql`SELECT v.id AS pk FROM (${models}) named CROSS JOIN model_versions v WHERE v.model_id = named.pk AND v.deleted_at IS NULL`;
}

function activeIn(workspaceId: number): Sql {
  return sql`v.workspace_id = ${workspaceId} AND v.deleted_at IS NULL`;
}

function ofKind(isPrompt: boolean): Sql {
  return sql`v.is_prompt = ${isPrompt ? 1 : 0}`;
}

function isOneName(each: Comparison): boolean {
  return each.entity === 'attribute' && each.key === 'name' && each.operator === '=' && each.value?.kind === 'string';
}

function condition(db: Queries, comparison: Comparison): Sql {
  if (comparison.entity === 'tag') {
    const matches = compareText(db.dialect, { value: 't.value', folded: 't.folded' }, comparison);
    return sql`EXISTS (SELECT 1 FROM model_version_tags t WHERE t.version_id = v.id AND t.key = ${comparison.key} AND ${matches})`;
  }
  switch (comparison.key) {
    case 'name':
      return compareText(db.dialect, { value: 'm.name', folded: 'm.name_folded' }, comparison);
    case 'version_number':
      return compareNumber('v.version', comparison);
    case 'run_id':
      return compareText(db.dialect, { value: 'v.run_id', folded: 'NULL' }, comparison);
    default:
      return compareText(db.dialect, { value: 'v.source', folded: 'NULL' }, comparison);
  }
}

const COLUMNS: Readonly<Record<string, string>> = {
  name: 'm.name',
  version_number: 'v.version',
  creation_timestamp: 'v.created_at',
  last_updated_timestamp: 'v.updated_at',
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
    value: raw(COLUMNS[key] ?? 'v.updated_at'),
    rank: undefined,
    // The one join that conditions on the name use too: an order over many models has the name in it.
    join: key === 'name' ? sql`LEFT JOIN registered_models m ON m.id = v.model_id` : undefined,
  }));
}
