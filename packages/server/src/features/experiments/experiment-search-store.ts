/** Experiment searches as plans; and which datasets the runs of experiments used. */
import type { Scope } from '@countersign/contract/access.ts';
import type { Filter, Ordering } from '@countersign/contract/search.ts';
import sql, { raw, type Sql } from 'sql-template-tag';
import type { Dialect, Queries, SqlValue } from '../../platform/db/database.ts';
import type { OpenPlan } from '../../platform/db/search-page.ts';
import { allOf, type SortKey, type TimeIndex, timeLegs } from '../../platform/db/search-plan.ts';
import { type SearchScope, searchScope } from '../../platform/db/search-scope.ts';
import {
  type Clause,
  driveKeyedText,
  FALSE,
  inIntegers,
  inTexts,
  isNarrow,
  type KeyedTable,
  matchInteger,
  matchKeyedText,
  matchText,
  TRUE,
} from '../../platform/db/search-sql.ts';

const TAGS: KeyedTable = { name: 'experiment_tags', owner: 'experiment_id', of: 'id' };

const COLUMNS: Readonly<Record<string, { readonly column: string; readonly type: 'text' | 'integer' }>> = {
  name: { column: 'name', type: 'text' },
  experiment_id: { column: 'id', type: 'integer' },
  creation_time: { column: 'created_at', type: 'integer' },
  last_update_time: { column: 'updated_at', type: 'integer' },
};

export interface ExperimentScope {
  readonly workspaceId: number;
  readonly lifecycles: readonly ('active' | 'deleted')[];
  /** Undefined: all of the workspace. */
  readonly visible?: SearchScope | undefined;
}

/** What a caller may see of them; undefined: all of the workspace. */
export function visibleExperiments(dialect: Dialect, scope: Scope, workspaceId: number): SearchScope | undefined {
  return searchScope(dialect, scope, { name: 'experiments', workspaceId, active: TRUE });
}

export function planExperiments(dialect: Dialect, scope: ExperimentScope, filter: Filter, order: readonly Ordering[]): OpenPlan {
  const keys = sortKeys(order);
  const compiled = filter.map((clause) => compileClause(dialect, clause, scope));
  const index: TimeIndex = {
    entity: sql`experiments r`,
    time: 'created_at',
    isTimeNullable: false,
    id: 'id',
    partitions: scope.lifecycles.map((lifecycle) => sql`r.workspace_id = ${scope.workspaceId} AND r.lifecycle = ${lifecycle}`),
  };
  const isDriven = order.length === 0 || order[0]?.key === 'creation_time';
  const visible = scope.visible?.includes(sql`r.id`, sql`r.name`);
  const { rows = undefined, isNarrow: isScopeNarrow = false } = scope.visible ?? {};
  return {
    what: 'experiments',
    entity: sql`experiments r`,
    pk: sql`r.id`,
    legs: timeLegs(index, { ranks: [], key: isDriven ? keys[0] : undefined, isExact: order.length === 0, also: visible }),
    keys,
    filter: compiled.map(({ condition }) => condition),
    residuals: [],
    scope: allOf([
      sql`r.workspace_id = ${scope.workspaceId} AND ${inTexts(dialect, sql`r.lifecycle`, scope.lifecycles)}`,
      ...(visible === undefined ? [] : [visible]),
    ]),
    drivers: [
      ...(rows === undefined ? [] : [{ rows, isNarrow: isScopeNarrow }]),
      ...compiled.flatMap(({ driver }, i) => (driver === undefined ? [] : [{ rows: driver, isNarrow: isNarrow(filter[i]) }])),
    ],
    clauses: filter.map((clause) => `${clause.entity}.${clause.key} ${clause.operator}`),
  };
}

/** Newest first, then by id; an order of the client's own is decided by the greatest id, as upstream's. */
function sortKeys(order: readonly Ordering[]): SortKey[] {
  if (order.length === 0) return [sortKey('creation_time', true), sortKey('experiment_id', false)];
  const keys = order.map((each) => sortKey(each.key, each.descending));
  if (!order.some((each) => each.key === 'experiment_id')) keys.push(sortKey('experiment_id', true));
  return keys;
}

function sortKey(key: string, descending: boolean): SortKey {
  const { column, type } = COLUMNS[key] ?? { column: 'id', type: 'integer' };
  return { type, descending, value: sql`r.${raw(column)}`, rank: undefined, join: undefined };
}

function compileClause(dialect: Dialect, clause: Clause, scope: ExperimentScope): { condition: Sql; driver?: Sql | undefined } {
  if (clause.entity === 'tag') {
    return { condition: matchKeyedText(dialect, clause, TAGS), driver: driveKeyedText(dialect, clause, TAGS) };
  }
  if (clause.key === 'experiment_id') return compileId(dialect, clause);
  const { column, type } = COLUMNS[clause.key] ?? { column: clause.key, type: 'text' };
  const read = sql`r.${raw(column)}`;
  if (type === 'integer') return { condition: matchInteger(clause, read) };
  const condition = matchText(dialect, clause, read, sql`r.name_folded`);
  if (clause.operator !== '=') return { condition };
  return { condition, driver: sql`SELECT r.id AS pk FROM experiments r WHERE r.workspace_id = ${scope.workspaceId} AND ${condition}` };
}

/** Ids are given as text; one too long to be an id is that of no experiment. */
function compileId(dialect: Dialect, clause: Clause): { condition: Sql; driver?: Sql } {
  const value = clause.value;
  const texts = value?.kind === 'list' ? value.texts : [value?.text ?? ''];
  const ids = texts.map(Number).filter(Number.isSafeInteger);
  const condition = ids.length === 0 ? FALSE : inIntegers(dialect, sql`r.id`, ids);
  if (clause.operator === '!=' || clause.operator === 'NOT IN') return { condition: sql`NOT (${condition})` };
  return { condition, driver: sql`SELECT r.id AS pk FROM experiments r WHERE ${condition}` };
}

/** Those of the ids that are experiments of the workspace, ascending. */
export async function listKnown(db: Queries, workspaceId: number, ids: readonly number[]): Promise<{ id: number; name: string }[]> {
  if (ids.length === 0) return [];
  const query = sql`SELECT e.id, e.name FROM experiments e WHERE ${inIntegers(db.dialect, sql`e.id`, ids)} AND e.workspace_id = ${workspaceId} ORDER BY e.id`;
  return db.all(query.sql, ...(query.values as SqlValue[])); // composed from SqlValues only
}

export interface DatasetSummary {
  readonly experiment_id: number;
  readonly name: string;
  readonly digest: string;
  readonly context: string | null;
}

/** Each dataset with each context it was used in, by experiment, name, digest and context. */
export function listDatasets(db: Queries, ids: readonly number[], limit: number): Promise<DatasetSummary[]> {
  const query = sql`SELECT DISTINCT s.experiment_id, s.name, s.digest, t.value AS context
    FROM datasets s JOIN run_datasets x ON x.dataset_id = s.id
    LEFT JOIN run_dataset_tags t ON t.run_pk = x.run_pk AND t.dataset_id = s.id AND t.key = ${'mlflow.data.context'}
    WHERE ${inIntegers(db.dialect, sql`s.experiment_id`, ids)} ORDER BY s.experiment_id, s.name, s.digest, context NULLS LAST LIMIT ${limit}`;
  return db.all(query.sql, ...(query.values as SqlValue[])); // composed from SqlValues only
}
