/**
 * Patterns that people write for names, matched in time linear in the name: all places of the pattern are followed at once (Thompson's
 * construction), so that no pattern can keep the server busy. A pattern holds for the whole name. Pure.
 */
import { invalid } from './problem.ts';
import { NAME_PATTERN_MAX } from './settings.ts';

export interface NamePattern {
  matches(name: string): boolean;
}

/** Counted repeats are written out; more places than this are refused. */
const PLACES_MAX = 2000;
const DEPTH_MAX = 50;
const REPEATS_MAX = 500;

type Test = (character: string) => boolean;

type Node =
  | { readonly kind: 'one'; readonly test: Test }
  | { readonly kind: 'all'; readonly parts: readonly Node[] }
  | { readonly kind: 'any'; readonly parts: readonly Node[] }
  /** `most` undefined: any number. */
  | { readonly kind: 'repeat'; readonly part: Node; readonly least: number; readonly most: number | undefined };

/** Throws INVALID_PARAMETER_VALUE that says where the pattern can't be read. */
export function parseNamePattern(pattern: string): NamePattern {
  if (pattern.length > NAME_PATTERN_MAX)
    throw invalid(`A pattern for names has at most ${NAME_PATTERN_MAX} characters, this one has ${pattern.length}.`);
  // The whole name is meant in any case; a `\$` at the end is a character.
  const body = pattern.replace(/^\^/, '').replace(/(?<=(?:^|[^\\])(?:\\\\)*)\$$/, '');
  return toMatcher(new Reader(pattern, [...body]).read());
}

class Reader {
  readonly #pattern: string;
  readonly #text: readonly string[];
  #at = 0;
  #depth = 0;

  constructor(pattern: string, text: readonly string[]) {
    this.#pattern = pattern;
    this.#text = text;
  }

  read(): Node {
    const node = this.#alternatives();
    if (this.#at < this.#text.length) throw this.#refused(`a ')' without its '('`);
    return node;
  }

  #alternatives(): Node {
    const parts = [this.#sequence()];
    while (this.#take('|')) parts.push(this.#sequence());
    return { kind: 'any', parts };
  }

  #sequence(): Node {
    const parts: Node[] = [];
    for (let c = this.#peek(); c !== undefined && c !== '|' && c !== ')'; c = this.#peek()) parts.push(this.#repeated(this.#atom()));
    return { kind: 'all', parts };
  }

  #repeated(part: Node): Node {
    const bounds = this.#bounds();
    if (bounds === undefined) return part;
    const next = this.#peek();
    if (next !== undefined && '*+?{'.includes(next)) throw this.#refused(`'${next}' behind another repeat`);
    return { kind: 'repeat', part, ...bounds };
  }

  #bounds(): { least: number; most: number | undefined } | undefined {
    if (this.#take('*')) return { least: 0, most: undefined };
    if (this.#take('+')) return { least: 1, most: undefined };
    if (this.#take('?')) return { least: 0, most: 1 };
    if (!this.#take('{')) return undefined;
    let text = '';
    for (let c = this.#next(); c !== '}'; c = this.#next()) text += c;
    const [, least = '', comma, most = ''] = /^(\d{1,3})(,?)(\d{0,3})$/.exec(text) ?? [];
    const bounds = { least: Number(least), most: comma === '' ? Number(least) : most === '' ? undefined : Number(most) };
    const isRight =
      least !== '' && (comma !== '' || most === '') && bounds.least <= (bounds.most ?? REPEATS_MAX) && (bounds.most ?? 0) <= REPEATS_MAX;
    if (!isRight) throw this.#refused(`'{${text}}', which is no number of repeats up to ${REPEATS_MAX}`);
    return bounds;
  }

  #atom(): Node {
    const c = this.#next();
    switch (c) {
      case '(':
        return this.#group();
      case '[':
        return { kind: 'one', test: this.#set() };
      case '.':
        return { kind: 'one', test: () => true };
      case '\\':
        return { kind: 'one', test: this.#escape() };
      case '*':
      case '+':
      case '?':
      case '{':
        throw this.#refused(`'${c}' with nothing to repeat`);
      case '^':
      case '$':
        throw this.#refused(`'${c}' inside; the whole name is matched anyhow`);
      default:
        return { kind: 'one', test: (character) => character === c };
    }
  }

  #group(): Node {
    if (++this.#depth > DEPTH_MAX) throw this.#refused(`more than ${DEPTH_MAX} groups inside of each other`);
    if (this.#take('?') && !this.#take(':')) throw this.#refused("'(?', for look-around is not known; '(?:' is");
    const node = this.#alternatives();
    if (!this.#take(')')) throw this.#refused("a '(' without its ')'");
    this.#depth--;
    return node;
  }

  #set(): Test {
    const isNegated = this.#take('^');
    const tests: Test[] = [];
    for (let c = this.#next(); c !== ']' || tests.length === 0; c = this.#next()) {
      if (c === '\\') {
        tests.push(this.#escape());
        continue;
      }
      const isRange = this.#peek() === '-' && this.#text[this.#at + 1] !== ']' && this.#text[this.#at + 1] !== undefined;
      tests.push(isRange ? this.#range(c) : (character) => character === c);
    }
    return (character) => tests.some((test) => test(character)) !== isNegated;
  }

  #range(from: string): Test {
    this.#next();
    const to = this.#next();
    const [low, high] = [from.codePointAt(0) ?? 0, to.codePointAt(0) ?? 0];
    if (to === '\\' || low > high) throw this.#refused(`'${from}-${to}', which is no range`);
    return (character) => {
      const code = character.codePointAt(0) ?? 0;
      return code >= low && code <= high;
    };
  }

  #escape(): Test {
    const c = this.#next();
    switch (c) {
      case 'd':
        return (character) => /^[0-9]$/.test(character);
      case 'w':
        return (character) => /^[\p{L}\p{N}_]$/u.test(character);
      case 's':
        return (character) => /^\s$/u.test(character);
      default:
        if (/^[A-Za-z0-9]$/.test(c)) throw this.#refused(`'\\${c}', which is not known`);
        return (character) => character === c;
    }
  }

  #peek(): string | undefined {
    return this.#text[this.#at];
  }

  #next(): string {
    const c = this.#text[this.#at++];
    if (c === undefined) throw this.#refused('an end where more is needed');
    return c;
  }

  #take(c: string): boolean {
    if (this.#text[this.#at] !== c) return false;
    this.#at++;
    return true;
  }

  #refused(what: string): Error {
    return invalid(`The pattern for names '${this.#pattern}' has ${what}.`);
  }
}

/** A place in the pattern: a character leads on, or the others are reached without one. */
interface Place {
  test: Test | undefined;
  readonly next: Place[];
}

function toMatcher(node: Node): NamePattern {
  let places = 0;
  const place = (test?: Test): Place => {
    if (++places > PLACES_MAX) throw invalid('The pattern for names repeats too much. Write smaller numbers in {…}.');
    return { test, next: [] };
  };
  const end = place();
  const build = (part: Node, to: Place): Place => {
    switch (part.kind) {
      case 'one': {
        const here = place(part.test);
        here.next.push(to);
        return here;
      }
      case 'all':
        return part.parts.reduceRight((next, each) => build(each, next), to);
      case 'any': {
        const here = place();
        for (const each of part.parts) here.next.push(build(each, to));
        return here;
      }
      case 'repeat':
        return repeat(part, to);
    }
  };
  const repeat = ({ part, least, most }: Extract<Node, { kind: 'repeat' }>, to: Place): Place => {
    let here = to;
    if (most === undefined) {
      here = place();
      here.next.push(build(part, here), to);
    } else {
      for (let i = least; i < most; i++) {
        const optional = place();
        optional.next.push(build(part, here), to);
        here = optional;
      }
    }
    for (let i = 0; i < least; i++) here = build(part, here);
    return here;
  };
  const start = build(node, end);
  return {
    matches: (name) => {
      let here = reached([start]);
      for (const character of name) {
        const on: Place[] = [];
        for (const each of here) if (each.test?.(character)) on.push(...each.next);
        if (on.length === 0) return false;
        here = reached(on);
      }
      return here.has(end);
    },
  };
}

/** With what follows without a character. */
function reached(from: readonly Place[]): Set<Place> {
  const all = new Set<Place>();
  const waiting = [...from];
  for (let each = waiting.pop(); each !== undefined; each = waiting.pop()) {
    if (all.has(each)) continue;
    all.add(each);
    if (each.test === undefined) waiting.push(...each.next);
  }
  return all;
}
