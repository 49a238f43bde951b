/** The language of `model-versions/search`: attributes and tags. */
import type { Comparison, Filter, Ordering, SearchOperator, SearchValue } from '@countersign/contract/search.ts';
import { attributeOrTag } from './attribute-and-tag-names.ts';
import {
  expectedQuoted,
  LIST_OPERATORS,
  listValue,
  NUMERIC_OPERATORS,
  operatorAmong,
  shownValue,
  stringValue,
  TEXT_OPERATORS,
} from './clause-values.ts';
import { parseOrderings, refuseDuplicates } from './order-by-parser.ts';
import { commonMessages, parseClauses, type RawClause } from './parser.ts';
import { printedList, printedSet, refuse } from './search-problem.ts';

const ATTRIBUTES = ['name', 'version_number', 'run_id', 'source_path'];
const LISTABLE_ATTRIBUTES = ['name', 'run_id'];
const SORT_KEYS = ['name', 'version_number', 'creation_timestamp', 'last_updated_timestamp'];

/** `version_number` comes as a whole number; clauses on the prompt tag come as they are. @throws Problem INVALID_PARAMETER_VALUE */
export function parseModelVersionFilter(text: string | undefined): Filter {
  if (text === undefined || text === '') return [];
  return parseClauses(text, commonMessages(false)).map(readClause);
}

/** In the order given; the default order and tie-breaks are the caller's. @throws Problem INVALID_PARAMETER_VALUE */
export function parseModelVersionOrderBy(items: readonly string[]): Ordering[] {
  const orderings = parseOrderings(items).map(({ name, descending }) => {
    const { entity, key } = attributeOrTag(name, SORT_KEYS, true);
    if (entity === 'attribute') return { entity, key, descending };
    throw refuse(`Invalid order by key '${key}' specified. Valid keys are ${printedSet(SORT_KEYS)}`, name.position);
  });
  refuseDuplicates(orderings, items);
  return orderings;
}

function readClause(clause: RawClause): Comparison {
  const { entity, key } = attributeOrTag(clause.name, ATTRIBUTES, false);
  const { position } = clause;
  const value = clause.value === undefined ? undefined : readValue(clause, entity, key);
  const operators = allowedOperators(clause, key, entity);
  const operator = operatorAmong(operators, clause.operator);
  if (operator === undefined || value === undefined) {
    const subject = entity === 'attribute' && key === 'version_number' ? 'attribute version_number' : entity;
    throw refuse(`Invalid comparator for ${subject}: ${clause.operator}`, position, `Use one of ${operators.join(', ')}.`);
  }
  if (entity === 'attribute' && key === 'version_number') return { entity, key, operator, value: wholeNumber(value, clause), position };
  return { entity, key, operator, value, position };
}

function allowedOperators(clause: RawClause, key: string, entity: 'attribute' | 'tag'): readonly SearchOperator[] {
  if (entity === 'attribute' && key === 'version_number') return NUMERIC_OPERATORS;
  return clause.value?.kind === 'group' ? LIST_OPERATORS : TEXT_OPERATORS;
}

function readValue(clause: RawClause, entity: 'attribute' | 'tag', key: string): SearchValue {
  if (entity === 'tag') return stringValue(clause, expectedQuoted('tag', clause));
  const { value } = clause;
  if (value?.kind === 'group') {
    if (LISTABLE_ATTRIBUTES.includes(key)) return listValue(value);
    throw refuse(
      `Only ${printedList(LISTABLE_ATTRIBUTES)} attributes support comparison with a list of quoted string values.`,
      value.position,
    );
  }
  if (value?.kind === 'token' && value.token.kind === 'number') {
    if (key === 'version_number') return { kind: 'number', number: value.token.number, text: value.text };
    throw refuse(
      `Only the '${printedSet(['version_number'])}' attributes support comparison with numeric values.`,
      value.position,
      'Put the value in single quotes.',
    );
  }
  return stringValue(
    clause,
    `Expected a quoted string value or a list of quoted string values for attributes. Got value ${shownValue(clause)}`,
  );
}

function wholeNumber(value: SearchValue, clause: RawClause): SearchValue {
  const text = value.kind === 'list' ? '' : value.text;
  const number = Number(text);
  if (/^\s*[+-]?\d+\s*$/.test(text) && Number.isSafeInteger(number)) return { kind: 'number', number, text: text.trim() };
  throw refuse(
    `Invalid value for numeric attribute 'version_number': ${text.slice(0, 200)}`,
    clause.value?.position,
    'Version numbers are whole numbers.',
  );
}
