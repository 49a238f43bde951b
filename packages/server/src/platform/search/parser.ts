/**
 * Puts tokens together into clauses: `name operator value`, joined by AND. It decides the shape only; which entities,
 * keys, operators and values are allowed is said by each grammar.
 *
 * Upstream forgives a missing, doubled or trailing AND, so this does too.
 */
import { quoted, refuse } from './search-problem.ts';
import { type Token, tokenize } from './tokenizer.ts';

/** Most clauses in one filter. */
export const CLAUSES_MAX = 200;

export type NameToken = Extract<Token, { kind: 'name' }>;

/** What stands right of an operator: one token, or everything between a pair of parentheses. */
export type RawValue =
  | { readonly kind: 'token'; readonly token: Token; readonly text: string; readonly position: number }
  | { readonly kind: 'group'; readonly tokens: readonly Token[]; readonly text: string; readonly position: number };

export interface RawClause {
  readonly name: NameToken;
  /** Upper case, single spaces: `NOT IN`. Not yet checked: it may be `<>` or `RLIKE`. */
  readonly operator: string;
  /** The same as it was written. */
  readonly operatorText: string;
  /** Absent with `IS NULL` and `IS NOT NULL` only. */
  readonly value: RawValue | undefined;
  readonly position: number;
}

/** The sentences that differ between grammars. */
export interface ClauseMessages {
  readonly empty: (source: string) => string;
  readonly severalStatements: (source: string) => string;
  readonly invalidClauses: (texts: readonly string[], source: string) => string;
}

/** @throws Problem INVALID_PARAMETER_VALUE for anything that isn't a list of clauses. */
export function parseClauses(source: string, messages: ClauseMessages): RawClause[] {
  const tokens = tokenize(source);
  if (tokens.length === 0) throw refuse(messages.empty(source), undefined, 'Leave the filter out to ask for everything.');
  refuseSecondStatement(tokens, source, messages);
  const reader = new ClauseReader(source, tokens);
  const clauses: ShapedClause[] = [];
  const strays: Stray[] = [];
  while (!reader.isAtEnd) {
    if (reader.skipAnd()) continue;
    const clause = reader.takeClause();
    if (clause === undefined) strays.push(reader.takeStray());
    else clauses.push(clause);
  }
  if (strays.length > 0) throw strayProblem(strays, source, messages);
  if (clauses.length > CLAUSES_MAX) {
    throw refuse(`The filter has ${clauses.length} clauses; at most ${CLAUSES_MAX} are allowed`, undefined, 'Ask in several searches.');
  }
  return clauses.map(withIdentifier);
}

/** A clause whose left side may still be anything. */
type ShapedClause = Omit<RawClause, 'name'> & { readonly name: Token };

function withIdentifier(clause: ShapedClause): RawClause {
  const { name } = clause;
  if (name.kind !== 'name') throw notAnIdentifier(name);
  return { ...clause, name };
}

/** Words of the language: none of them names an attribute, and only NULL may stand for a value (to be refused there). */
const RESERVED = new Set('AND OR NOT IN IS NULL LIKE ILIKE RLIKE REGEXP BETWEEN TRUE FALSE VERSION'.split(' '));

/** The word in upper case, where the token is one unquoted word of the language. */
export function reservedWord(token: Token | undefined): string | undefined {
  if (token?.kind !== 'name') return undefined;
  const word = token.text.toUpperCase();
  return RESERVED.has(word) ? word : undefined;
}

interface Stray {
  readonly text: string;
  readonly position: number;
}

class ClauseReader {
  readonly #source: string;
  readonly #tokens: readonly Token[];
  readonly #closings: ReadonlyMap<number, number>;
  #at = 0;

  constructor(source: string, tokens: readonly Token[]) {
    this.#source = source;
    this.#tokens = tokens;
    this.#closings = matchParentheses(tokens);
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#tokens.length;
  }

  skipAnd(): boolean {
    const isAnd = reservedWord(this.#tokens[this.#at]) === 'AND';
    if (isAnd) this.#at += 1;
    return isAnd;
  }

  /** One token that belongs to no clause, or a whole pair of parentheses. */
  takeStray(): Stray {
    const group = this.#groupAt(this.#at);
    const token = this.#tokens[this.#at];
    this.#at = group?.next ?? this.#at + 1;
    return { text: group?.value.text ?? token?.text ?? '', position: token?.position ?? 1 };
  }

  takeClause(): ShapedClause | undefined {
    const name = this.#tokens[this.#at];
    if (name === undefined || !isOperand(name) || reservedWord(name) !== undefined) return undefined;
    const operator = this.#operatorAt(this.#at + 1);
    if (operator === undefined) return undefined;
    const value = operator.takesValue ? this.#valueAt(operator.next) : undefined;
    if (operator.takesValue && value === undefined) return undefined;
    if (operator.takesList && value?.value.kind !== 'group') return undefined;
    this.#at = value?.next ?? operator.next;
    return { name, operator: operator.name, operatorText: operator.text, value: value?.value, position: name.position };
  }

  #operatorAt(at: number) {
    const first = this.#tokens[at];
    if (first === undefined) return undefined;
    const operator = (length: number, name: string, takesValue = true) => ({
      name,
      text: length === 1 ? first.text : name,
      next: at + length,
      takesValue,
      takesList: name === 'IN' || name === 'NOT IN',
    });
    if (first.kind === 'operator') return operator(1, first.text);
    const words = [0, 1, 2].map((ahead) => reservedWord(this.#tokens[at + ahead]));
    switch (words[0]) {
      case 'LIKE':
      case 'ILIKE':
      case 'RLIKE':
      case 'REGEXP':
      case 'IN':
        return operator(1, words[0]);
      case 'NOT':
        return words[1] === 'IN' || words[1] === 'LIKE' || words[1] === 'ILIKE' ? operator(2, `NOT ${words[1]}`) : undefined;
      case 'IS':
        if (words[1] === 'NULL') return operator(2, 'IS NULL', false);
        return words[1] === 'NOT' && words[2] === 'NULL' ? operator(3, 'IS NOT NULL', false) : undefined;
      default:
        return undefined;
    }
  }

  #valueAt(at: number): { value: RawValue; next: number } | undefined {
    const token = this.#tokens[at];
    if (token?.kind === 'punctuation') return this.#groupAt(at);
    if (token === undefined || !isOperand(token)) return undefined;
    const word = reservedWord(token);
    if (word !== undefined && word !== 'NULL') return undefined;
    return { value: { kind: 'token', token, text: token.text, position: token.position }, next: at + 1 };
  }

  #groupAt(at: number): { value: RawValue; next: number } | undefined {
    const closing = this.#closings.get(at);
    const open = this.#tokens[at];
    const close = closing === undefined ? undefined : this.#tokens[closing];
    if (closing === undefined || open === undefined || close === undefined) return undefined;
    const text = this.#source.slice(open.position - 1, close.position);
    return { value: { kind: 'group', tokens: this.#tokens.slice(at + 1, closing), text, position: open.position }, next: closing + 1 };
  }
}

/** Whether a token can be meant as a name or a value, so that it is worth a sentence of its own when it is neither. */
function isOperand(token: Token): boolean {
  if (token.kind === 'unreadable') return /^[\p{L}\p{N}_]/u.test(token.text);
  return token.kind === 'name' || token.kind === 'string' || token.kind === 'number';
}

/** Found in one pass, so that unbalanced text costs no more than balanced text. */
function matchParentheses(tokens: readonly Token[]): Map<number, number> {
  const closings = new Map<number, number>();
  const open: number[] = [];
  for (const [at, token] of tokens.entries()) {
    if (token.kind !== 'punctuation') continue;
    if (token.text === '(') open.push(at);
    const opening = token.text === ')' ? open.pop() : undefined;
    if (opening !== undefined) closings.set(opening, at);
  }
  return closings;
}

function refuseSecondStatement(tokens: readonly Token[], source: string, messages: ClauseMessages): void {
  const semicolon = tokens.findIndex((token) => token.kind === 'punctuation' && token.text === ';');
  if (semicolon < 0 || semicolon === tokens.length - 1) return;
  throw refuse(messages.severalStatements(source), tokens[semicolon]?.position);
}

function notAnIdentifier(token: Token): Error {
  const dot = token.text.indexOf('.');
  const looksLikeKey = token.kind === 'unreadable' && dot > 0 && dot < token.text.length - 1 && !token.text.includes('`');
  return refuse(
    `Invalid comparison clause. Expected 'Identifier' found '${token.text}'`,
    token.position,
    looksLikeKey
      ? `Put a key with special characters in back-quotes: ${token.text.slice(0, dot)}.\`${token.text.slice(dot + 1)}\`.`
      : 'Write the key on the left of the operator and the value on its right.',
  );
}

const STRAYS_SHOWN = 10;
const STRAY_TEXT_MAX = 200;

function strayProblem(strays: readonly Stray[], source: string, messages: ClauseMessages): Error {
  const texts = strays
    .slice(0, STRAYS_SHOWN)
    .map(({ text }) => (text.length > STRAY_TEXT_MAX ? `${text.slice(0, STRAY_TEXT_MAX)}…` : text));
  if (strays.length > STRAYS_SHOWN) texts.push('…');
  const openQuote = strays.find(({ text }) => text === "'" || text === '"' || text === '`');
  return refuse(
    messages.invalidClauses(texts, source),
    (openQuote ?? strays[0])?.position,
    openQuote === undefined ? ONLY_COMPARISONS : `The quote that opens there (${openQuote.text}) is never closed.`,
  );
}

const ONLY_COMPARISONS = "A filter is a list of comparisons such as tags.team = 'risk', joined by AND; there is no OR, NOT or grouping.";

/** The sentences of every grammar but logged models'. @param quoteClauses runs put quotes around each bad piece. */
export function commonMessages(quoteClauses: boolean): ClauseMessages {
  return {
    empty: (source) => `Invalid filter '${source.slice(0, STRAY_TEXT_MAX)}'. Could not be parsed.`,
    severalStatements: (source) => `Search filter contained multiple expression ${quoted(source)}. Provide AND-ed expression list.`,
    invalidClauses: (texts) =>
      `Invalid clause(s) in filter string: ${(quoteClauses ? texts.map((text) => `'${text}'`) : texts).join(', ')}`,
  };
}
