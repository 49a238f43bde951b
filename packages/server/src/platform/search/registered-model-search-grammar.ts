/** The language of `registered-models/search`: the name and tags. */
import type { Comparison, Filter, Ordering, SearchOperator, SearchValue } from '@countersign/contract/search.ts';
import { attributeOrTag } from './attribute-and-tag-names.ts';
import { expectedQuoted, LIST_OPERATORS, listValue, operatorAmong, shownValue, stringValue, TEXT_OPERATORS } from './clause-values.ts';
import { parseOrderings, refuseDuplicates } from './order-by-parser.ts';
import { commonMessages, parseClauses, type RawClause } from './parser.ts';
import { printedSet, refuse } from './search-problem.ts';

const ATTRIBUTES = ['name'];

const SORT_KEYS: ReadonlyMap<string, string> = new Map([
  ['name', 'name'],
  ['timestamp', 'last_updated_timestamp'],
  ['last_updated_timestamp', 'last_updated_timestamp'],
]);

/** Clauses on the prompt tag come as they are. @throws Problem INVALID_PARAMETER_VALUE */
export function parseRegisteredModelFilter(text: string | undefined): Filter {
  if (text === undefined || text === '') return [];
  return parseClauses(text, commonMessages(false)).map(readClause);
}

/** In the order given; tie-breaks are the caller's. @throws Problem INVALID_PARAMETER_VALUE */
export function parseRegisteredModelOrderBy(items: readonly string[]): Ordering[] {
  const orderings = parseOrderings(items).map(({ name, descending }) => {
    const key = SORT_KEYS.get(name.text);
    if (key !== undefined) return { entity: 'attribute', key, descending };
    throw refuse(
      `Invalid order by key '${name.text.slice(0, 200)}' specified. Valid keys are '${printedSet(['name', 'timestamp'])}'`,
      name.position,
    );
  });
  refuseDuplicates(orderings, items);
  return orderings;
}

function readClause(clause: RawClause): Comparison {
  const { entity, key } = attributeOrTag(clause.name, ATTRIBUTES, false);
  const { position } = clause;
  const isList = clause.value?.kind === 'group';
  const operators: readonly SearchOperator[] = isList ? LIST_OPERATORS : TEXT_OPERATORS;
  // The value first, as upstream does: a wrong value is the likelier slip.
  const value = clause.value === undefined ? undefined : readValue(clause, entity);
  const operator = operatorAmong(operators, clause.operator);
  if (operator === undefined || value === undefined) {
    throw refuse(`Invalid comparator for ${entity}: ${clause.operator}`, position, `Use one of ${operators.join(', ')}.`);
  }
  return { entity, key, operator, value, position };
}

function readValue(clause: RawClause, entity: 'attribute' | 'tag'): SearchValue {
  if (entity === 'tag') return stringValue(clause, expectedQuoted('tag', clause));
  if (clause.value?.kind === 'group') return listValue(clause.value);
  return stringValue(
    clause,
    `Expected a quoted string value or a list of quoted string values for attributes. Got value ${shownValue(clause)}`,
  );
}
