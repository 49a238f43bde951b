/** Logged-model searches as plans. Metrics are compared by any logged point, and sorted by the newest. */
import type { Filter, LoggedModelOrdering } from '@countersign/contract/search.ts';
import sql, { raw, type Sql } from 'sql-template-tag';
import type { Dialect } from '../../platform/db/database.ts';
import { fold } from '../../platform/db/fold.ts';
import type { OpenPlan } from '../../platform/db/search-page.ts';
import { type Residual, type SortKey, type TimeIndex, timeLegs } from '../../platform/db/search-plan.ts';
import {
  type Clause,
  driveKeyedText,
  inIntegers,
  isNarrow,
  type KeyedTable,
  like,
  matchInteger,
  matchKeyedText,
  matchMetric,
  matchText,
} from '../../platform/db/search-sql.ts';

const PARAMS: KeyedTable = { name: 'logged_model_params', owner: 'model_pk', of: 'pk' };
const TAGS: KeyedTable = { name: 'logged_model_tags', owner: 'model_pk', of: 'pk' };

const COLUMNS: Readonly<Record<string, { readonly column: string; readonly type: 'text' | 'integer' }>> = {
  name: { column: 'name', type: 'text' },
  model_id: { column: 'model_id', type: 'text' },
  model_type: { column: 'model_type', type: 'text' },
  status: { column: 'status', type: 'integer' },
  source_run_id: { column: 'source_run_id', type: 'text' },
  creation_timestamp: { column: 'created_at', type: 'integer' },
  last_updated_timestamp: { column: 'updated_at', type: 'integer' },
};

export interface DatasetFilter {
  readonly name: string;
  /** Absent: whatever the digest. */
  readonly digest: string | undefined;
}

export interface LoggedModelScope {
  readonly experimentIds: readonly number[];
  /** The points that count: those measured on one of these. Empty: all. */
  readonly datasets: readonly DatasetFilter[];
}

export function planLoggedModels(
  dialect: Dialect,
  scope: LoggedModelScope,
  filter: Filter,
  order: readonly LoggedModelOrdering[],
): OpenPlan {
  const keys = sortKeys(order);
  const compiled = filter.map((clause) => compileClause(dialect, clause, scope));
  const index: TimeIndex = {
    entity: sql`logged_models r`,
    time: 'created_at',
    isTimeNullable: false,
    id: 'model_id',
    partitions: scope.experimentIds.map((id) => sql`r.experiment_id = ${id} AND r.lifecycle = 'active'`),
  };
  const isDriven = order[0] === undefined || (order[0].entity === 'attribute' && order[0].key === 'creation_timestamp');
  const isMeasured = filter.some((clause) => clause.entity === 'metric');
  return {
    what: 'logged models',
    entity: sql`logged_models r`,
    pk: sql`r.pk`,
    legs: timeLegs(index, { ranks: [], key: isDriven ? keys[0] : undefined, isExact: keys.length === 2 }),
    keys,
    filter: [
      ...compiled.flatMap(({ condition }) => (condition === undefined ? [] : [condition])),
      ...(scope.datasets.length > 0 && !isMeasured ? [existsPoint(onDatasets(scope.datasets))] : []),
    ],
    residuals: compiled.flatMap(({ residual }) => (residual === undefined ? [] : [residual])),
    scope: sql`${inIntegers(dialect, sql`r.experiment_id`, scope.experimentIds)} AND r.lifecycle = 'active'`,
    drivers: compiled.flatMap(({ driver }, i) => (driver === undefined ? [] : [{ rows: driver, isNarrow: isNarrow(filter[i]) }])),
    clauses: filter.map((clause) => `${clause.entity}s.${clause.key} ${clause.operator}`),
  };
}

/** The newest first, and the id, decide where the order asked for does not. */
function sortKeys(order: readonly LoggedModelOrdering[]): SortKey[] {
  const keys = order.map((each) => (each.entity === 'metric' ? metricKey(each) : attributeKey(each.key, each.descending)));
  if (!order.some((each) => each.entity === 'attribute' && each.key === 'creation_timestamp')) {
    keys.push(attributeKey('creation_timestamp', true));
  }
  return [...keys, attributeKey('model_id', false)];
}

function attributeKey(key: string, descending: boolean): SortKey {
  const { column, type } = COLUMNS[key] ?? { column: 'model_id', type: 'text' };
  const value = sql`r.${raw(column)}`;
  const isNullable = key === 'model_type' || key === 'source_run_id';
  return { type, descending, value, rank: isNullable ? sql`CASE WHEN ${value} IS NULL THEN 1 ELSE 0 END` : undefined, join: undefined };
}

/** The newest point by time, then step; NaN after numbers, models without a point last. */
function metricKey(order: LoggedModelOrdering): SortKey {
  const on = [
    ...(order.datasetName === undefined ? [] : [sql` AND y.dataset_name = ${order.datasetName}`]),
    ...(order.datasetDigest === undefined ? [] : [sql` AND y.dataset_digest = ${order.datasetDigest}`]),
  ].reduce((left, right) => sql`${left}${right}`, sql``);
  const newest = (column: 'value' | 'is_nan'): Sql =>
    sql`(SELECT y.${raw(column)} FROM logged_model_metrics y WHERE y.model_pk = r.pk AND y.key = ${order.key}${on} ORDER BY y.timestamp DESC, y.step DESC, y.run_id DESC LIMIT 1)`;
  return {
    type: 'real',
    descending: order.descending,
    value: newest('value'),
    rank: sql`COALESCE(${newest('is_nan')}, 2)`,
    join: undefined,
  };
}

interface Compiled {
  readonly condition?: Sql | undefined;
  readonly residual?: Residual;
  readonly driver?: Sql | undefined;
}

function compileClause(dialect: Dialect, clause: Clause, scope: LoggedModelScope): Compiled {
  switch (clause.entity) {
    case 'metric': {
      const matched = sql`x.key = ${clause.key} AND ${matchMetric(clause, sql`x.value`, sql`x.is_nan`)}`;
      return { condition: existsPoint(scope.datasets.length === 0 ? matched : sql`${matched} AND ${onDatasets(scope.datasets)}`) };
    }
    case 'param':
      return { condition: matchKeyedText(dialect, clause, PARAMS), driver: driveKeyedText(dialect, clause, PARAMS) };
    case 'tag':
      return { condition: matchKeyedText(dialect, clause, TAGS), driver: driveKeyedText(dialect, clause, TAGS) };
    default:
      return compileAttribute(dialect, clause, scope);
  }
}

function existsPoint(condition: Sql): Sql {
  return sql`EXISTS (SELECT 1 FROM logged_model_metrics x WHERE x.model_pk = r.pk AND ${condition})`;
}

function onDatasets(datasets: readonly DatasetFilter[]): Sql {
  const each = datasets.map(({ name, digest }) =>
    digest === undefined ? sql`x.dataset_name = ${name}` : sql`(x.dataset_name = ${name} AND x.dataset_digest = ${digest})`,
  );
  return sql`(${each.reduce((left, right) => sql`${left} OR ${right}`)})`;
}

function compileAttribute(dialect: Dialect, clause: Clause, scope: LoggedModelScope): Compiled {
  const { column, type } = COLUMNS[clause.key] ?? { column: clause.key, type: 'text' };
  const read = sql`r.${raw(column)}`;
  // Upstream compares the status by its number, written as text.
  if (clause.key === 'status') return { condition: matchText(dialect, clause, sql`CAST(${read} AS TEXT)`) };
  if (type === 'integer') return { condition: matchInteger(clause, read) };
  if (clause.operator === 'ILIKE' && clause.value?.kind === 'string') return compileIlike(dialect, clause.key, read, clause.value.text);
  const condition = matchText(dialect, clause, read);
  return { condition, driver: driveAttribute(dialect, clause, condition, scope) };
}

/** Names have a folded column, ids are lower case; the other columns may hold any text. */
function compileIlike(dialect: Dialect, key: string, column: Sql, pattern: string): Compiled {
  if (key === 'name') return { condition: like(dialect, sql`COALESCE(r.name_folded, ${column})`, fold(pattern)) };
  if (key === 'model_id') return { condition: like(dialect, column, fold(pattern)) };
  const texts = dialect === 'sqlite' ? sql`json_array(${column})` : sql`CAST(json_build_array(${column}) AS text)`;
  return { residual: { texts, pattern } };
}

function driveAttribute(dialect: Dialect, clause: Clause, condition: Sql, scope: LoggedModelScope): Sql | undefined {
  if (clause.operator !== '=' && clause.operator !== 'IN') return undefined;
  if (clause.key === 'model_id' || clause.key === 'source_run_id') return sql`SELECT r.pk AS pk FROM logged_models r WHERE ${condition}`;
  if (clause.key !== 'name') return undefined;
  return sql`SELECT r.pk AS pk FROM logged_models r WHERE ${inIntegers(dialect, sql`r.experiment_id`, scope.experimentIds)} AND ${condition}`;
}
