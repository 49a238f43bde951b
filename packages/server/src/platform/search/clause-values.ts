/** Reads the names and values of raw clauses: the steps that the grammars share. Each takes its grammar's own sentences. */
import type { SearchOperator, SearchValue } from '@countersign/contract/search.ts';
import type { NameToken, RawClause, RawValue } from './parser.ts';
import { refuse } from './search-problem.ts';
import type { Token } from './tokenizer.ts';

/** Most texts in one list. */
export const LIST_ITEMS_MAX = 10_000;
/** Longest LIKE pattern in UTF-8 bytes: SQLite refuses longer ones. */
export const LIKE_PATTERN_MAX_BYTES = 50_000;

export const NUMERIC_OPERATORS: readonly SearchOperator[] = ['>', '>=', '!=', '=', '<', '<='];
export const TEXT_OPERATORS: readonly SearchOperator[] = ['!=', '=', 'LIKE', 'ILIKE'];
export const LIST_OPERATORS: readonly SearchOperator[] = ['IN', 'NOT IN'];
export const NULL_OPERATORS: readonly SearchOperator[] = ['IS NULL', 'IS NOT NULL'];

/** The operator, if it is one of these. */
export function operatorAmong(operators: readonly SearchOperator[], text: string): SearchOperator | undefined {
  return operators.find((operator) => operator === text);
}

export interface EntityAndKey {
  /** As written, without back-quotes; absent where the name has no dot. */
  readonly entity: string | undefined;
  readonly key: string;
  /** Whether the key stood in quotes. */
  readonly isQuoted: boolean;
}

/** Splits at the first dot: everything behind it is the key, of which one pair of quotes is removed. */
export function entityAndKey(name: NameToken): EntityAndKey {
  const [first, second] = name.parts;
  if (first === undefined) return { entity: undefined, key: name.text, isQuoted: false };
  if (second === undefined) {
    const dot = first.quote === '' ? -1 : name.text.indexOf('.');
    // Upstream cuts at the dot before it looks at quotes, so `metrics.a` in back-quotes is the entity "`metrics".
    if (dot >= 0) return { entity: name.text.slice(0, dot), key: name.text.slice(dot + 1), isQuoted: false };
    return { entity: undefined, key: first.text, isQuoted: first.quote !== '' };
  }
  const entity = first.quote === '`' || first.quote === '' ? first.text : `${first.quote}${first.text}${first.quote}`;
  if (name.parts.length === 2) return { entity, key: second.text, isQuoted: second.quote !== '' };
  const entityLength = first.text.length + 2 * first.quote.length;
  return { entity, key: name.text.slice(entityLength + 1), isQuoted: false };
}

/** Upstream's sentence for a missing quote around the value of something users name. */
export function expectedQuoted(entity: string, clause: RawClause): string {
  return `Expected a quoted string value for ${entity} (e.g. 'my-value'). Got value ${shownValue(clause)}`;
}

const SHOWN_VALUE_MAX = 200;

/** The value as written, cut where it is long. */
export function shownValue(clause: RawClause): string {
  const text = clause.value?.text ?? '';
  return text.length > SHOWN_VALUE_MAX ? `${text.slice(0, SHOWN_VALUE_MAX)}…` : text;
}

/** A quoted text. @param expected upstream's sentence for anything that isn't even a word. */
export function stringValue(clause: RawClause, expected: string): SearchValue {
  const value = writtenValue(clause);
  const text = quotedText(value);
  if (text !== undefined) return { kind: 'string', text: checkedPattern(clause, text) };
  if (value.kind === 'token' && value.token.kind === 'name' && value.text.toUpperCase() !== 'NULL') throw notQuoted(value);
  throw refuse(expected, value.position, 'Put the value in single quotes.');
}

/** A finite number. @param expected upstream's sentence for anything else. */
export function numberValue(clause: RawClause, expected: string): Extract<SearchValue, { kind: 'number' }> {
  const value = writtenValue(clause);
  if (value.kind !== 'token' || value.token.kind !== 'number') {
    throw refuse(expected, value.position, 'Write a number without quotes, such as 5, 0.5 or 1e-3.');
  }
  if (!Number.isFinite(value.token.number)) throw refuse(expected, value.position, 'That number is too large.');
  return { kind: 'number', number: value.token.number, text: value.text };
}

/** A parenthesised list of quoted texts. */
export function listValue(value: RawValue): SearchValue {
  if (value.kind !== 'group') throw refuse(`${LIST} got ill-formed list.`, value.position);
  if (value.tokens.length === 0) throw refuse(`${LIST} got empty list`, value.position);
  const texts: string[] = [];
  for (const [at, token] of value.tokens.entries()) {
    const isComma = token.kind === 'punctuation' && token.text === ',';
    if (at % 2 === 1 && isComma) continue;
    const text = quotedText({ kind: 'token', token, text: token.text, position: token.position });
    if (at % 2 === 1 || isComma || (text === undefined && token.kind !== 'number')) {
      throw refuse(`${LIST} got ill-formed list.`, token.position, "Write it as ('a', 'b').");
    }
    if (text === undefined) throw notAllTexts(value.tokens, token);
    texts.push(text);
  }
  if (texts.length > LIST_ITEMS_MAX) {
    throw refuse(`The list has ${texts.length} items; at most ${LIST_ITEMS_MAX} are allowed`, value.position, 'Ask in several searches.');
  }
  return { kind: 'list', texts };
}

const LIST = 'While parsing a list in the query, expected a non-empty list of string values, but';

function notAllTexts(tokens: readonly Token[], culprit: Token): Error {
  const items = tokens.filter((token) => token.kind !== 'punctuation').map((token) => token.text);
  return refuse(
    `While parsing a list in the query, expected string value, punctuation, or whitespace, but got different type in list: (${items.join(', ').slice(0, SHOWN_VALUE_MAX)})`,
    culprit.position,
    'Put every item in quotes.',
  );
}

function notQuoted(value: RawValue): Error {
  return refuse(
    `Parameter value is either not quoted or unidentified quote types used for string value ${value.text}. Use either single or double quotes.`,
    value.position,
  );
}

/** Content of `'text'` or `"text"`. */
function quotedText(value: RawValue): string | undefined {
  if (value.kind !== 'token') return undefined;
  if (value.token.kind === 'string') return value.token.content;
  if (value.token.kind !== 'name' || value.token.parts.length !== 1) return undefined;
  const part = value.token.parts[0];
  return part?.quote === '"' ? part.text : undefined;
}

/** Refuses a pattern that the database would. */
function checkedPattern(clause: RawClause, text: string): string {
  const isPattern = clause.operator === 'LIKE' || clause.operator === 'ILIKE';
  if (!isPattern || text.length * 3 <= LIKE_PATTERN_MAX_BYTES || Buffer.byteLength(text) <= LIKE_PATTERN_MAX_BYTES) return text;
  throw refuse(
    `The ${clause.operator} pattern is ${Buffer.byteLength(text)} bytes long; at most ${LIKE_PATTERN_MAX_BYTES} are allowed`,
    clause.value?.position,
    'Shorten it.',
  );
}

/** The value as written but for single quotes around it: double quotes stay, and none are needed. */
export function plainText(clause: RawClause): string {
  const { text } = writtenValue(clause);
  let start = 0;
  let end = text.length;
  while (start < end && text.charAt(start) === "'") start += 1;
  while (end > start && text.charAt(end - 1) === "'") end -= 1;
  return checkedPattern(clause, text.slice(start, end));
}

function writtenValue(clause: RawClause): RawValue {
  if (clause.value !== undefined) return clause.value;
  throw refuse(`Invalid comparison clause. Expected 3 tokens found 2`, clause.position);
}
