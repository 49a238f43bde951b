/** Run searches as plans: which index drives the order, which clauses can drive instead, and what each clause asks. */
import type { Filter, Ordering } from '@countersign/contract/search.ts';
import sql, { raw, type Sql } from 'sql-template-tag';
import type { Dialect } from '../../platform/db/database.ts';
import { fold } from '../../platform/db/fold.ts';
import type { OpenPlan } from '../../platform/db/search-page.ts';
import { allOf, type Leg, type Residual, type SortKey, type TimeIndex, timeLegs } from '../../platform/db/search-plan.ts';
import {
  type Clause,
  driveKeyedText,
  inIntegers,
  inTexts,
  isNarrow,
  type KeyedTable,
  like,
  matchInteger,
  matchKeyedText,
  matchMetric,
  matchText,
} from '../../platform/db/search-sql.ts';
import { trigramSearch } from '../../platform/db/search-trigram.ts';

export interface RunScope {
  readonly experimentIds: readonly number[];
  readonly lifecycles: readonly ('active' | 'deleted')[];
}

const PARAMS: KeyedTable = { name: 'params', owner: 'run_pk', of: 'pk' };
const TAGS: KeyedTable = { name: 'run_tags', owner: 'run_pk', of: 'pk' };
const NAME_TAG = 'mlflow.runName';
const CONTEXT_TAG = 'mlflow.data.context';

const COLUMNS: Readonly<Record<string, { readonly column: string; readonly type: 'text' | 'integer' }>> = {
  run_id: { column: 'run_id', type: 'text' },
  run_name: { column: 'name', type: 'text' },
  status: { column: 'status', type: 'text' },
  user_id: { column: 'user_id', type: 'text' },
  artifact_uri: { column: 'artifact_uri', type: 'text' },
  start_time: { column: 'start_time', type: 'integer' },
  end_time: { column: 'end_time', type: 'integer' },
};

export function planRuns(dialect: Dialect, scope: RunScope, filter: Filter, order: readonly Ordering[]): OpenPlan {
  const keys = sortKeys(order);
  const compiled = filter.map((clause) => compileClause(dialect, clause, scope));
  const first = order[0];
  const legs =
    first?.entity === 'metric'
      ? metricLegs(
          scope,
          order,
          keys,
          filter.filter((_clause, i) => compiled[i]?.condition !== undefined),
        )
      : startTimeLegs(scope, keys, first);
  return {
    what: 'runs',
    entity: sql`runs r`,
    pk: sql`r.pk`,
    legs,
    keys,
    filter: compiled.flatMap(({ condition }) => (condition === undefined ? [] : [condition])),
    residuals: compiled.flatMap(({ residual }) => (residual === undefined ? [] : [residual])),
    scope: sql`${inIntegers(dialect, sql`r.experiment_id`, scope.experimentIds)} AND ${inLifecycles(scope)}`,
    drivers: compiled.flatMap(({ driver }, i) => (driver === undefined ? [] : [{ rows: driver, isNarrow: isNarrow(filter[i]) }])),
    clauses: filter.map((clause) => `${clause.entity}.${clause.key} ${clause.operator}`),
  };
}

function inLifecycles(scope: RunScope): Sql {
  const conditions = scope.lifecycles.map((lifecycle) => sql`r.lifecycle = ${lifecycle}`);
  return conditions.length === 1 && conditions[0] ? conditions[0] : sql`(${conditions.reduce((left, right) => sql`${left} OR ${right}`)})`;
}

/** Start time, newest first, and the id decide where the order asked for does not. */
function sortKeys(order: readonly Ordering[]): SortKey[] {
  const keys = order.map((each, i) => sortKey(each, i));
  if (!order.some((each) => each.entity === 'attribute' && each.key === 'start_time')) keys.push(attributeKey('start_time', true));
  return [...keys, attributeKey('run_id', false)];
}

function sortKey({ entity, key, descending }: Ordering, i: number): SortKey {
  if (entity === 'attribute') return attributeKey(key, descending);
  const alias = raw(`o${i}`);
  const value = sql`${alias}.value`;
  if (entity === 'metric') {
    return {
      type: 'real',
      descending,
      value,
      rank: sql`CASE WHEN ${value} IS NULL THEN 2 WHEN ${alias}.is_nan = 1 THEN 1 ELSE 0 END`,
      join: sql`LEFT JOIN latest_metrics ${alias} ON ${alias}.run_pk = r.pk AND ${alias}.key = ${key}`,
    };
  }
  const table = raw((entity === 'param' ? PARAMS : TAGS).name);
  return {
    type: 'text',
    descending,
    value,
    rank: sql`CASE WHEN ${value} IS NULL THEN 1 ELSE 0 END`,
    join: sql`LEFT JOIN ${table} ${alias} ON ${alias}.run_pk = r.pk AND ${alias}.key = ${key}`,
  };
}

function attributeKey(key: string, descending: boolean): SortKey {
  const { column, type } = COLUMNS[key] ?? { column: 'run_id', type: 'text' };
  const value = sql`r.${raw(column)}`;
  const isNullable = type === 'integer';
  return { type, descending, value, rank: isNullable ? sql`CASE WHEN ${value} IS NULL THEN 1 ELSE 0 END` : undefined, join: undefined };
}

function timeIndex(scope: RunScope): TimeIndex {
  return {
    entity: sql`runs r`,
    time: 'start_time',
    isTimeNullable: true,
    id: 'run_id',
    partitions: scope.experimentIds.flatMap((id) =>
      scope.lifecycles.map((lifecycle) => sql`r.experiment_id = ${id} AND r.lifecycle = ${lifecycle}`),
    ),
  };
}

function startTimeLegs(scope: RunScope, keys: readonly SortKey[], first: Ordering | undefined): Leg[] {
  const isDriven = first === undefined || (first.entity === 'attribute' && first.key === 'start_time');
  const legs = timeLegs(timeIndex(scope), { ranks: [], key: isDriven ? keys[0] : undefined, isExact: keys.length === 2 });
  return inOrder(legs);
}

/** Numbers by the index over values, then NaN, then the runs that lack the metric, newest first. `filter` is what SQL decides. */
function metricLegs(scope: RunScope, order: readonly Ordering[], keys: readonly SortKey[], filter: Filter): Leg[] {
  const [first, next] = order;
  if (first === undefined) return [];
  const isNewestNext = next === undefined || (next.entity === 'attribute' && next.key === 'start_time' && next.descending);
  const isSame = (clause: Clause): boolean => clause.entity === 'metric' && clause.key === first.key;
  const settled = filter.flatMap((clause, i) => (isSame(clause) ? [i] : []));
  const same = filter.filter(isSame);
  const leg = (experimentId: number, isNan: 0 | 1): Leg => ({
    index: sql`latest_metrics d`,
    where: allOf([
      sql`d.experiment_id = ${experimentId} AND d.key = ${first.key} AND d.is_nan = ${isNan}`,
      ...same.map((clause) => matchMetric(clause, sql`d.value`, sql`d.is_nan`)),
    ]),
    lead: isNan === 1 ? undefined : { column: sql`d.value`, descending: first.descending },
    between: { column: sql`d.started`, descending: true, isKey: isNewestNext },
    second: { column: sql`d.run_pk`, descending: false },
    join: { from: sql`runs r`, where: sql`r.pk = d.run_pk AND ${inLifecycles(scope)}`, pk: sql`d.run_pk` },
    also: undefined,
    settled,
    ranks: [isNan],
    isDriven: isNan === 0,
    isExact: false,
  });
  const legs = [0, 1].flatMap((isNan) => scope.experimentIds.map((id) => leg(id, isNan === 0 ? 0 : 1)));
  // A clause on the metric leaves out the runs that lack it.
  if (same.length > 0) return legs;
  const lacks = sql`NOT EXISTS (SELECT 1 FROM latest_metrics y WHERE y.run_pk = r.pk AND y.key = ${first.key})`;
  const isTimeNext = keys.length === 3;
  const rest = timeLegs(timeIndex(scope), { ranks: [2], key: isTimeNext ? keys[1] : undefined, isExact: isTimeNext, also: lacks });
  return [...legs, ...inOrder(rest)];
}

/** Runs without a start time come last. */
function inOrder(legs: readonly Leg[]): Leg[] {
  return [...legs].sort((a, b) => (a.ranks.at(-1) ?? 0) - (b.ranks.at(-1) ?? 0));
}

interface Compiled {
  readonly condition?: Sql | undefined;
  readonly residual?: Residual;
  readonly driver?: Sql | undefined;
}

function compileClause(dialect: Dialect, clause: Clause, scope: RunScope): Compiled {
  switch (clause.entity) {
    case 'metric':
      return {
        condition: sql`EXISTS (SELECT 1 FROM latest_metrics x WHERE x.run_pk = r.pk AND x.key = ${clause.key} AND ${matchMetric(clause, sql`x.value`, sql`x.is_nan`)})`,
        driver: driveMetric(dialect, clause, scope),
      };
    case 'param':
      return { condition: matchKeyedText(dialect, clause, PARAMS), driver: driveKeyedText(dialect, clause, PARAMS) };
    case 'tag':
      return { condition: matchKeyedText(dialect, clause, TAGS), driver: driveTag(dialect, clause) };
    case 'dataset':
      return compileDataset(dialect, clause, scope);
    default:
      return compileAttribute(dialect, clause, scope);
  }
}

function driveMetric(dialect: Dialect, clause: Clause, scope: RunScope): Sql {
  const rows = sql`SELECT x.run_pk AS pk FROM latest_metrics x WHERE ${inIntegers(dialect, sql`x.experiment_id`, scope.experimentIds)} AND x.key = ${clause.key}`;
  return clause.operator === '!=' ? rows : sql`${rows} AND ${matchMetric(clause, sql`x.value`, sql`x.is_nan`)}`;
}

/** Names are found by their substrings too. */
function driveTag(dialect: Dialect, clause: Clause): Sql | undefined {
  if (clause.key === NAME_TAG && (clause.operator === 'LIKE' || clause.operator === 'ILIKE') && clause.value?.kind === 'string') {
    const found = trigramSearch(dialect, 'run_names', clause.value.text);
    if (found !== undefined) return found;
  }
  return driveKeyedText(dialect, clause, TAGS);
}

function compileAttribute(dialect: Dialect, clause: Clause, scope: RunScope): Compiled {
  // Runs are named by a tag; the two are kept alike.
  if (clause.key === 'run_name') return compileClause(dialect, { ...clause, entity: 'tag', key: NAME_TAG }, scope);
  const { column, type } = COLUMNS[clause.key] ?? { column: clause.key, type: 'text' };
  const read = sql`r.${raw(column)}`;
  if (type === 'integer') {
    const condition = matchInteger(clause, read);
    return {
      condition,
      driver: clause.key === 'start_time' && clause.operator !== '!=' ? driveStartTime(dialect, condition, scope) : undefined,
    };
  }
  if (clause.operator === 'ILIKE') return compileAttributeIlike(dialect, clause, read);
  const condition = matchText(dialect, clause, read);
  if (clause.key !== 'run_id' || (clause.operator !== '=' && clause.operator !== 'IN')) return { condition };
  return { condition, driver: sql`SELECT r.pk AS pk FROM runs r WHERE ${condition}` };
}

function driveStartTime(dialect: Dialect, condition: Sql, scope: RunScope): Sql {
  return sql`SELECT r.pk AS pk FROM runs r WHERE ${inIntegers(dialect, sql`r.experiment_id`, scope.experimentIds)} AND ${inTexts(dialect, sql`r.lifecycle`, scope.lifecycles)} AND ${condition}`;
}

/** Ids are lower case and states upper case; the other columns may hold any text. */
function compileAttributeIlike(dialect: Dialect, clause: Clause, column: Sql): Compiled {
  const pattern = clause.value?.kind === 'string' ? clause.value.text : '';
  if (clause.key === 'run_id') return { condition: like(dialect, sql`lower(${column})`, fold(pattern)) };
  if (clause.key === 'status') return { condition: like(dialect, sql`lower(${column})`, fold(pattern)) };
  const texts = dialect === 'sqlite' ? sql`json_array(${column})` : sql`CAST(json_build_array(${column}) AS text)`;
  return { residual: { texts, pattern } };
}

function compileDataset(dialect: Dialect, clause: Clause, scope: RunScope): Compiled {
  if (clause.key === 'context') return compileContext(dialect, clause);
  const column = sql`s.${raw(clause.key === 'digest' ? 'digest' : 'name')}`;
  const used = sql`FROM run_datasets x CROSS JOIN datasets s WHERE x.run_pk = r.pk AND s.id = x.dataset_id`;
  if (clause.operator === 'ILIKE' && clause.value?.kind === 'string') {
    const list = dialect === 'sqlite' ? sql`json_group_array(${column})` : sql`CAST(json_agg(${column}) AS text)`;
    return { residual: { texts: sql`(SELECT ${list} ${used})`, pattern: clause.value.text } };
  }
  const matched = matchText(dialect, clause, column);
  return {
    condition: sql`EXISTS (SELECT 1 ${used} AND ${matched})`,
    driver:
      clause.operator === '=' || clause.operator === 'IN'
        ? sql`SELECT x.run_pk AS pk FROM datasets s CROSS JOIN run_datasets x WHERE ${inIntegers(dialect, sql`s.experiment_id`, scope.experimentIds)} AND ${matched} AND x.dataset_id = s.id`
        : undefined,
  };
}

function compileContext(dialect: Dialect, clause: Clause): Compiled {
  const table: KeyedTable = { name: 'run_dataset_tags', owner: 'run_pk', of: 'pk' };
  const asTag: Clause = { ...clause, key: CONTEXT_TAG };
  return { condition: matchKeyedText(dialect, asTag, table), driver: driveKeyedText(dialect, asTag, table) };
}
