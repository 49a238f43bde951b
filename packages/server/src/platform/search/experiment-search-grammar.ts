/** The language of `experiments/search`: attributes and tags. */
import type { Comparison, Filter, Ordering, SearchOperator, SearchValue } from '@countersign/contract/search.ts';
import { attributeOrTag } from './attribute-and-tag-names.ts';
import {
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
import { parseOrderings } from './order-by-parser.ts';
import { commonMessages, parseClauses, type RawClause } from './parser.ts';
import { printedList, printedSet, refuse } from './search-problem.ts';

const NUMERIC_ATTRIBUTES = ['creation_time', 'last_update_time'];
const ATTRIBUTES = ['name', 'experiment_id', ...NUMERIC_ATTRIBUTES];
/** An id is a number in a text, so equality is all that makes sense. */
const ID_OPERATORS: readonly SearchOperator[] = ['=', '!='];

/** `experiment_id` comes as texts of whole numbers in plain form. @throws Problem INVALID_PARAMETER_VALUE */
export function parseExperimentFilter(text: string | undefined): Filter {
  if (text === undefined || text === '') return [];
  return parseClauses(text, commonMessages(false)).map(readClause);
}

/** In the order given, fields may repeat; tie-breaks are the caller's. @throws Problem INVALID_PARAMETER_VALUE */
export function parseExperimentOrderBy(items: readonly string[]): Ordering[] {
  return parseOrderings(items).map(({ name, descending }) => {
    const { entity, key } = attributeOrTag(name, ATTRIBUTES, true);
    if (entity === 'tag') throw refuse('Invalid order_by entity: tag', name.position, `Sort by one of ${ATTRIBUTES.join(', ')}.`);
    return { entity, key, descending };
  });
}

function readClause(clause: RawClause): Comparison {
  const { entity, key } = attributeOrTag(clause.name, ATTRIBUTES, true);
  const { position } = clause;
  if (clause.value === undefined) {
    const operator = operatorAmong(NULL_OPERATORS, clause.operator);
    if (operator !== undefined && entity === 'tag') return { entity, key, operator, value: undefined, position };
    throw refuse(`IS NULL / IS NOT NULL is only supported for tags, not for attribute '${key}'`, position);
  }
  const { value, operators, kind } = entity === 'tag' ? tagValue(clause) : attributeValue(clause, key);
  refuseLowerCaseLike(clause, operators);
  const operator = operatorAmong(operators, clause.operator);
  if (operator === undefined) {
    throw refuse(`Invalid comparator for ${kind}: ${clause.operator}`, position, `Use one of ${operators.join(', ')}.`);
  }
  return { entity, key, operator, value, position };
}

interface TypedValue {
  readonly value: SearchValue;
  readonly operators: readonly SearchOperator[];
  /** For upstream's sentence about a wrong operator. */
  readonly kind: string;
}

function tagValue(clause: RawClause): TypedValue {
  return { value: stringValue(clause, expectedQuoted('tag', clause)), operators: TEXT_OPERATORS, kind: 'tag' };
}

function attributeValue(clause: RawClause, key: string): TypedValue {
  if (NUMERIC_ATTRIBUTES.includes(key)) return { value: wholeNumber(clause, key), operators: NUMERIC_OPERATORS, kind: 'numeric attribute' };
  const expected = `Expected a quoted string value for attributes. Got value ${shownValue(clause)}`;
  const isList = clause.value?.kind === 'group';
  if (key === 'experiment_id') {
    const value = isList && clause.value !== undefined ? listValue(clause.value) : stringValue(clause, expected);
    return { value: experimentIds(value, clause), operators: isList ? LIST_OPERATORS : ID_OPERATORS, kind: 'experiment_id' };
  }
  if (isList) {
    throw refuse(
      `Only ${printedList(['experiment_id'])} attributes support comparison with a list of quoted string values.`,
      clause.value?.position,
    );
  }
  return { value: stringValue(clause, expected), operators: TEXT_OPERATORS, kind: 'string attribute' };
}

function wholeNumber(clause: RawClause, key: string): SearchValue {
  const found = shownValue(clause);
  const value = numberValue(clause, `Expected numeric value type for numeric attribute: ${key}. Found ${found}`);
  if (Number.isSafeInteger(value.number) && /^-?\d+$/.test(value.text)) return value;
  throw refuse(`Invalid value for numeric attribute '${key}': '${found}'`, clause.value?.position, 'Write a whole number of milliseconds.');
}

function experimentIds(value: SearchValue, clause: RawClause): SearchValue {
  // A LIKE on ids is refused for its operator, whatever its pattern is.
  if (value.kind === 'number' || clause.operator === 'LIKE' || clause.operator === 'ILIKE') return value;
  const plain = (text: string): string => {
    if (/^\s*[+-]?\d{1,19}\s*$/.test(text)) return String(BigInt(text.trim().replace(/^\+/, '')));
    throw refuse(
      `Invalid experiment ID '${text.slice(0, 200)}'`,
      clause.value?.position,
      "Experiment ids are whole numbers in quotes: experiment_id = '1'.",
    );
  };
  return value.kind === 'list' ? { kind: 'list', texts: value.texts.map(plain) } : { kind: 'string', text: plain(value.text) };
}

/** Upstream compares these words by their exact letters here, and nowhere else. */
function refuseLowerCaseLike(clause: RawClause, operators: readonly SearchOperator[]): void {
  const isLike = clause.operator === 'LIKE' || clause.operator === 'ILIKE';
  if (!isLike || clause.operatorText === clause.operator || operatorAmong(operators, clause.operator) === undefined) return;
  throw refuse(
    `Invalid comparator '${clause.operatorText}' not one of '${printedSet(operators)}'`,
    clause.position,
    `Write ${clause.operator} in capitals.`,
  );
}
