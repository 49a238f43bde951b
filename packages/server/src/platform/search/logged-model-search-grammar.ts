/**
 * The language of `logged-models/search`. Upstream reads it with a parser of its own: kinds are plural, only single quotes
 * are taken off values, and a text needs no quotes at all.
 */
import type { Comparison, Filter, LoggedModelOrdering, SearchOperator, SearchValue } from '@countersign/contract/search.ts';
import {
  entityAndKey,
  LIST_OPERATORS,
  listValue,
  NUMERIC_OPERATORS,
  numberValue,
  operatorAmong,
  plainText,
  shownValue,
  TEXT_OPERATORS,
} from './clause-values.ts';
import { checkOrderingCount } from './order-by-parser.ts';
import { type ClauseMessages, type NameToken, parseClauses, type RawClause } from './parser.ts';
import { printedList, printedSet, printedTuple, quoted, refuse } from './search-problem.ts';
import { checkSearchText } from './tokenizer.ts';

type Entity = 'attribute' | 'metric' | 'param' | 'tag';

const ENTITIES: ReadonlyMap<string, Entity> = new Map([
  ['attributes', 'attribute'],
  ['metrics', 'metric'],
  ['params', 'param'],
  ['tags', 'tag'],
]);

const NUMERIC_ATTRIBUTES: ReadonlyMap<string, string> = new Map([
  ['creation_timestamp', 'creation_timestamp'],
  ['creation_timestamp_ms', 'creation_timestamp'],
  ['creation_time', 'creation_timestamp'],
  ['last_updated_timestamp', 'last_updated_timestamp'],
  ['last_updated_timestamp_ms', 'last_updated_timestamp'],
]);

const ATTRIBUTES: ReadonlyMap<string, string> = new Map([
  ['name', 'name'],
  ['model_id', 'model_id'],
  ['model_type', 'model_type'],
  ['status', 'status'],
  ['source_run_id', 'source_run_id'],
  ...NUMERIC_ATTRIBUTES,
]);

const STRING_OPERATORS: readonly SearchOperator[] = ['=', '!=', 'LIKE', 'ILIKE', 'IN', 'NOT IN'];

const MESSAGES: ClauseMessages = {
  empty: (source) => `Invalid filter string: ${quoted(source)}. Expected a single SQL expression.`,
  severalStatements: (source) => `Invalid filter string: ${quoted(source)}. Expected a single SQL expression.`,
  invalidClauses: (_, source) =>
    `Invalid filter string: ${quoted(source)}. Expected a list of comparisons separated by 'AND' (e.g. 'metrics.loss > 0.1 AND params.lr = 0.01').`,
};

/**
 * `status` comes as the text that was written: upstream compares the number of the status.
 * @throws Problem INVALID_PARAMETER_VALUE
 */
export function parseLoggedModelFilter(text: string | undefined): Filter {
  if (text === undefined || text === '') return [];
  return parseClauses(text, MESSAGES).map(readClause);
}

/** One sort key as it arrives on the wire. */
export interface LoggedModelSortKey {
  readonly field_name: string;
  readonly ascending?: boolean | undefined;
  readonly dataset_name?: string | undefined;
  readonly dataset_digest?: string | undefined;
}

/** In the order given; tie-breaks are the caller's. @throws Problem INVALID_PARAMETER_VALUE */
export function parseLoggedModelOrderBy(items: readonly LoggedModelSortKey[]): LoggedModelOrdering[] {
  checkOrderingCount(items.length);
  return items.map((item) => {
    for (const text of [item.field_name, item.dataset_name, item.dataset_digest]) checkSearchText(text ?? '');
    return {
      ...sortField(item.field_name),
      descending: item.ascending === false,
      datasetName: item.dataset_name || undefined,
      datasetDigest: item.dataset_digest || undefined,
    };
  });
}

function sortField(name: string): { entity: 'attribute' | 'metric'; key: string } {
  const dot = name.indexOf('.');
  if (dot >= 0 && name.slice(0, dot) === 'metrics') return { entity: 'metric', key: name.slice(dot + 1) };
  const shown = name.slice(0, 200);
  if (dot >= 0) throw refuse(`Invalid order by field name: ${shown}. Only metrics are supported.`);
  const key = ATTRIBUTES.get(name);
  if (key === undefined) {
    throw refuse(`Invalid order by field name: ${shown}`, undefined, `Use metrics.<key> or one of ${[...ATTRIBUTES.keys()].join(', ')}.`);
  }
  return { entity: 'attribute', key };
}

function readClause(clause: RawClause): Comparison {
  const { entity, key, shown } = resolve(clause.name);
  const { position } = clause;
  if (clause.value === undefined) {
    throw refuse(
      `Invalid comparison: ${clause.name.text} ${clause.operator}. Expected a comparison with 3 tokens.`,
      position,
      'Logged models cannot be searched by what they lack.',
    );
  }
  const isNumeric = entity === 'metric' || (entity === 'attribute' && NUMERIC_ATTRIBUTES.has(key));
  const operator = operatorAmong(isNumeric ? NUMERIC_OPERATORS : STRING_OPERATORS, clause.operator);
  if (operator === undefined) {
    const expected = isNumeric ? NUMERIC_OPERATORS : STRING_OPERATORS;
    throw refuse(`Invalid comparison operator for ${shown}: '${clause.operator}'. Expected one of ${printedTuple(expected)}.`, position);
  }
  const value: SearchValue = isNumeric
    ? numberValue(clause, `Expected numeric value type for ${shown}. Found ${shownValue(clause)}`)
    : textOrList(clause, operator, shown);
  return { entity, key, operator, value, position };
}

function textOrList(clause: RawClause, operator: SearchOperator, shown: string): SearchValue {
  const isList = clause.value?.kind === 'group';
  if (isList !== LIST_OPERATORS.includes(operator)) {
    throw refuse(
      `Invalid comparison operator for ${shown}: '${operator}'. Expected one of ${printedTuple(isList ? LIST_OPERATORS : TEXT_OPERATORS)}.`,
      clause.position,
      "Compare with a quoted text, or IN ('a', 'b').",
    );
  }
  if (isList && clause.value !== undefined) return listValue(clause.value);
  return { kind: 'string', text: plainText(clause) };
}

function resolve(name: NameToken): { entity: Entity; key: string; shown: string } {
  const { entity: written, key } = entityAndKey(name);
  const entity = written === undefined ? 'attribute' : ENTITIES.get(written);
  if (entity === undefined) {
    throw refuse(
      `Invalid entity type: '${written}'. Expected one of ${printedList(ENTITIES.keys())}.`,
      name.position,
      'Here the kinds are plural.',
    );
  }
  const shown = `${entity}s.${key}`;
  if (entity !== 'attribute') return { entity, key, shown };
  const canonical = ATTRIBUTES.get(key);
  if (canonical === undefined) {
    throw refuse(`Invalid attribute key '${key}' specified. Valid keys are '${printedSet(ATTRIBUTES.keys())}'`, name.position);
  }
  return { entity, key: canonical, shown };
}
