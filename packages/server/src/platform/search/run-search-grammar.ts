/** The language of `runs/search`: metrics, params, tags, attributes and datasets. */
import type { Comparison, Filter, Ordering, SearchOperator, SearchValue } from '@countersign/contract/search.ts';
import {
  entityAndKey,
  expectedQuoted,
  LIST_OPERATORS,
  listValue,
  NULL_OPERATORS,
  NUMERIC_OPERATORS,
  numberValue,
  operatorAmong,
  shownValue,
  stringValue,
  TEXT_OPERATORS,
} from './clause-values.ts';
import { parseOrderings, refuseDuplicates } from './order-by-parser.ts';
import { commonMessages, type NameToken, parseClauses, type RawClause } from './parser.ts';
import { printedList, printedSet, refuse } from './search-problem.ts';

type Entity = 'metric' | 'param' | 'tag' | 'attribute' | 'dataset';

const ENTITIES: ReadonlyMap<string, Entity> = new Map([
  ['metric', 'metric'],
  ['metrics', 'metric'],
  ['param', 'param'],
  ['params', 'param'],
  ['parameter', 'param'],
  ['parameters', 'param'],
  ['tag', 'tag'],
  ['tags', 'tag'],
  ['attribute', 'attribute'],
  ['attributes', 'attribute'],
  ['attr', 'attribute'],
  ['run', 'attribute'],
  ['dataset', 'dataset'],
  ['datasets', 'dataset'],
]);

/** Upstream's words, for its messages. */
const ENTITIES_SHOWN = ['metric', 'parameter', 'tag', 'attribute', 'dataset'];

const NUMERIC_ATTRIBUTES: ReadonlyMap<string, string> = new Map([
  ['start_time', 'start_time'],
  ['created', 'start_time'],
  ['Created', 'start_time'],
  ['end_time', 'end_time'],
]);

const SORTABLE_ATTRIBUTES: ReadonlyMap<string, string> = new Map([
  ...NUMERIC_ATTRIBUTES,
  ['run_id', 'run_id'],
  ['run_name', 'run_name'],
  ['status', 'status'],
  ['artifact_uri', 'artifact_uri'],
  ['user_id', 'user_id'],
]);

const FILTERABLE_ATTRIBUTES: ReadonlyMap<string, string> = new Map([
  ...SORTABLE_ATTRIBUTES,
  ['run name', 'run_name'],
  ['Run name', 'run_name'],
  ['Run Name', 'run_name'],
]);

const DATASET_KEYS = ['name', 'digest', 'context'];

/** @throws Problem INVALID_PARAMETER_VALUE where the text isn't a filter of runs. */
export function parseRunFilter(text: string | undefined): Filter {
  if (text === undefined || text === '') return [];
  return parseClauses(text, commonMessages(true)).map(readClause);
}

/** In the order given; tie-breaks are the caller's. @throws Problem INVALID_PARAMETER_VALUE */
export function parseRunOrderBy(items: readonly string[]): Ordering[] {
  const orderings = parseOrderings(items).map(({ name, descending }) => {
    const { entity, key } = resolve(name, SORTABLE_ATTRIBUTES);
    if (entity === 'dataset') throw refuse("Invalid identifier type 'dataset'", name.position, 'Runs are not sorted by their datasets.');
    return { entity, key, descending };
  });
  refuseDuplicates(orderings, items);
  return orderings;
}

function readClause(clause: RawClause): Comparison {
  const { entity, key, writtenKey } = resolve(clause.name, FILTERABLE_ATTRIBUTES);
  const { position } = clause;
  if (clause.value === undefined) {
    const operator = operatorAmong(NULL_OPERATORS, clause.operator);
    if (operator !== undefined && (entity === 'tag' || entity === 'param')) return { entity, key, operator, value: undefined, position };
    throw refuse(`IS NULL / IS NOT NULL is only supported for tags and params, not for '${entity}' '${writtenKey}'`, position);
  }
  const { value, operators } = readValue(clause, entity, writtenKey);
  const operator = operatorAmong(operators, clause.operator);
  if (operator === undefined) {
    throw refuse(
      `Invalid comparator '${clause.operator}' not one of '${printedSet(operators)}'`,
      position,
      `Use one of ${operators.join(', ')}.`,
    );
  }
  return { entity, key, operator, value, position };
}

interface TypedValue {
  readonly value: SearchValue;
  readonly operators: readonly SearchOperator[];
}

function readValue(clause: RawClause, entity: Entity, key: string): TypedValue {
  const found = shownValue(clause);
  switch (entity) {
    case 'metric':
      return { value: numberValue(clause, `Expected numeric value type for metric. Found ${found}`), operators: NUMERIC_OPERATORS };
    case 'param':
      return { value: stringValue(clause, expectedQuoted('parameter', clause)), operators: TEXT_OPERATORS };
    case 'tag':
      return { value: stringValue(clause, expectedQuoted('tag', clause)), operators: TEXT_OPERATORS };
    case 'dataset':
      return listOrText(clause, `Expected a quoted string value for dataset attributes. Got value ${found}`);
    case 'attribute':
      return attributeValue(clause, key, found);
    default:
      return entity satisfies never;
  }
}

function attributeValue(clause: RawClause, key: string, found: string): TypedValue {
  if (NUMERIC_ATTRIBUTES.has(key)) {
    const expected = `Expected numeric value type for numeric attribute: ${key}. Found ${found}`;
    return { value: numberValue(clause, expected), operators: NUMERIC_OPERATORS };
  }
  if (clause.value?.kind === 'group' && key !== 'run_id') {
    throw refuse(
      `Only ${printedList(['run_id'])} attributes support comparison with a list of quoted string values.`,
      clause.value.position,
    );
  }
  return listOrText(clause, `Expected a quoted string value for attributes. Got value ${found}`);
}

function listOrText(clause: RawClause, expected: string): TypedValue {
  if (clause.value?.kind === 'group') return { value: listValue(clause.value), operators: LIST_OPERATORS };
  return { value: stringValue(clause, expected), operators: TEXT_OPERATORS };
}

function resolve(name: NameToken, attributes: ReadonlyMap<string, string>): { entity: Entity; key: string; writtenKey: string } {
  const { entity: written, key } = entityAndKey(name);
  const entity = written === undefined ? 'attribute' : ENTITIES.get(written);
  if (entity === undefined) {
    throw refuse(`Invalid entity type '${written}'. Valid values are ${printedList(ENTITIES_SHOWN)}`, name.position);
  }
  if (entity === 'dataset' && !DATASET_KEYS.includes(key)) {
    throw refuse(`Invalid dataset key '${key}' specified. Valid keys are '${printedSet(DATASET_KEYS)}'`, name.position);
  }
  if (entity !== 'attribute') return { entity, key, writtenKey: key };
  const canonical = attributes.get(key);
  if (canonical === undefined) {
    throw refuse(
      `Invalid attribute key '${key}' specified. Valid keys are '${printedSet(attributes.keys())}'`,
      name.position,
      `A param, metric or tag is named with its kind first: params.${key}.`,
    );
  }
  return { entity, key: canonical, writtenKey: key };
}
