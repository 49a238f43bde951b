/**
 * Cuts the text of a search into tokens. It knows no entity, key or operator set: those are the grammars' business.
 * One pass, no backtracking: time is linear in the text.
 */
import { refuse } from './search-problem.ts';

/** Longest text of one filter or one sort key, in UTF-16 units. */
export const SEARCH_TEXT_MAX = 65_536;

/** A piece of an identifier between dots. */
export interface NamePart {
  /** Without its quotes; nothing inside is unescaped. */
  readonly text: string;
  readonly quote: '' | '`' | '"' | "'";
}

/**
 * `name` is an identifier such as ``metrics.`val loss` ``; a lone `"text"` is a name too, since it may stand on either
 * side. `string` is `'text'`. `unreadable` is what no rule knows: the parser decides what to say about it.
 */
export type Token =
  | { readonly kind: 'name'; readonly text: string; readonly position: number; readonly parts: readonly NamePart[] }
  | { readonly kind: 'string'; readonly text: string; readonly position: number; readonly content: string }
  | { readonly kind: 'number'; readonly text: string; readonly position: number; readonly number: number }
  | { readonly kind: 'operator' | 'punctuation' | 'unreadable'; readonly text: string; readonly position: number };

const SPACE = /\s+/uy;
const NUMBER = /-?(?:\d+(?:\.\d*)?|\.\d+)(?:[eE][+-]?\d+)?/y;
const OPERATOR = /[<>=~!]+/y;
const FIRST_WORD = /[\p{L}_][\p{L}\p{M}\p{N}_]*/uy;
const LATER_WORD = /[\p{L}\p{M}\p{N}_]+/uy;
const COMMENT = /--[^\r\n]*/y;
/** What may not touch a name or a number: `metrics.a-b` is one mistake, not a subtraction. */
const GLUED = /[^\s<>=~!'"`(),;]+/uy;

/** @throws Problem INVALID_PARAMETER_VALUE for a text that is too long, or that no database column can hold. */
export function checkSearchText(source: string): void {
  if (source.length > SEARCH_TEXT_MAX) {
    throw refuse(`The search text is ${source.length} characters long; at most ${SEARCH_TEXT_MAX} are read`, undefined, 'Shorten it.');
  }
  const nul = source.indexOf('\0');
  if (nul >= 0) throw refuse('The search text holds a NUL character', nul + 1, 'Nothing stored here contains one: leave it out.');
}

/** @throws Problem as checkSearchText; what it cannot read becomes an `unreadable` token. */
export function tokenize(source: string): Token[] {
  checkSearchText(source);
  const tokens: Token[] = [];
  let at = 0;
  while (at < source.length) {
    const space = matchAt(SPACE, source, at);
    if (space !== undefined) {
      at += space.length;
      continue;
    }
    const token = tokenAt(source, at);
    tokens.push(token);
    at += token.text.length;
  }
  return tokens;
}

function tokenAt(source: string, at: number): Token {
  const position = at + 1;
  const character = source.charAt(at);
  if ('(),;'.includes(character)) return { kind: 'punctuation', text: character, position };
  if (character === "'") return stringAt(source, at);
  if (character === '"' || character === '`') return nameAt(source, at);
  const operator = matchAt(OPERATOR, source, at);
  if (operator !== undefined) return { kind: 'operator', text: operator, position };
  const comment = matchAt(COMMENT, source, at);
  if (comment !== undefined) return { kind: 'unreadable', text: comment, position };
  if (matchAt(FIRST_WORD, source, at) !== undefined) return nameAt(source, at);
  const number = matchAt(NUMBER, source, at);
  if (number !== undefined && matchAt(GLUED, source, at + number.length) === undefined) {
    return { kind: 'number', text: number, position, number: Number(number) };
  }
  return { kind: 'unreadable', text: matchAt(GLUED, source, at) ?? character, position };
}

function stringAt(source: string, at: number): Token {
  const end = endOfQuoted(source, at, "'");
  if (end === undefined) return { kind: 'unreadable', text: "'", position: at + 1 };
  const text = source.slice(at, end);
  return { kind: 'string', text, position: at + 1, content: text.slice(1, -1) };
}

function nameAt(source: string, start: number): Token {
  const position = start + 1;
  const parts: NamePart[] = [];
  let at = start;
  for (;;) {
    const text = partAt(source, at, parts.length === 0);
    if (text === undefined) break;
    parts.push(namePart(text));
    at += text.length;
    if (source.charAt(at) !== '.') return finishedName(source, start, at, parts);
    at += 1;
  }
  // A quote without an end, or a dot with no key behind it.
  return { kind: 'unreadable', text: source.slice(start, Math.max(at, start + 1)), position };
}

function finishedName(source: string, start: number, end: number, parts: readonly NamePart[]): Token {
  const text = source.slice(start, end);
  const position = start + 1;
  // A closed quote ends a name by itself (`"x"AND` is two tokens), an open word does not (`a-b` is one).
  const glued = parts.at(-1)?.quote === '' ? matchAt(GLUED, source, end) : undefined;
  if (glued !== undefined) return { kind: 'unreadable', text: text + glued, position };
  return { kind: 'name', text, position, parts };
}

function partAt(source: string, at: number, isFirst: boolean): string | undefined {
  const quote = source.charAt(at);
  if (quote === '`' || quote === '"' || (quote === "'" && !isFirst)) {
    const end = endOfQuoted(source, at, quote);
    return end === undefined ? undefined : source.slice(at, end);
  }
  return matchAt(isFirst ? FIRST_WORD : LATER_WORD, source, at);
}

function namePart(text: string): NamePart {
  const quote = text.charAt(0);
  if (quote === '`' || quote === '"' || quote === "'") return { text: text.slice(1, -1), quote };
  return { text, quote: '' };
}

/**
 * Index after the closing quote. As upstream reads it, a doubled quote and (but for back-quotes) one behind a backslash
 * stay inside, unless the text would then never end: in that case the last of them was the end.
 */
function endOfQuoted(source: string, start: number, quote: string): number | undefined {
  let lastResort: number | undefined;
  let at = start + 1;
  while (at < source.length) {
    const character = source.charAt(at);
    const isPair = source.charAt(at + 1) === quote;
    if (character === quote) {
      if (!isPair) return at + 1;
      lastResort = at + 1;
      at += 2;
    } else if (character === '\\' && isPair && quote !== '`') {
      lastResort = at + 2;
      at += 2;
    } else {
      at += 1;
    }
  }
  return lastResort;
}

function matchAt(pattern: RegExp, source: string, at: number): string | undefined {
  pattern.lastIndex = at;
  return pattern.exec(source)?.[0];
}
