import { describe, expect, it } from 'vitest';
import { parseNamePattern } from './name-pattern.ts';

const matches = (pattern: string, name: string): boolean => parseNamePattern(pattern).matches(name);

describe('patterns of names', () => {
  it.each([
    ['vision\\..+', 'vision.cats', true],
    ['vision\\..+', 'vision.', false],
    ['vision\\..+', 'a vision.cats', false],
    ['^(vision|nlp)-[a-z0-9-]{3,5}$', 'nlp-abc', true],
    ['^(vision|nlp)-[a-z0-9-]{3,5}$', 'nlp-ab', false],
    ['^(vision|nlp)-[a-z0-9-]{3,5}$', 'nlp-abcdef', false],
    ['[^A-Z]*', 'lower', true],
    ['[^A-Z]*', 'Lower', false],
    ['\\w+ \\d{2}', 'Köln 12', true],
    ['\\w+ \\d{2}', 'Köln 1', false],
    ['a{2}', 'aa', true],
    ['a{2}', 'aaa', false],
    ['a{2,}', 'aaaa', true],
    ['(?:ab)?c', 'c', true],
    ['(ab)*', '', true],
    ['[]a]+', ']a', true],
    ['[a-]+', 'a-', true],
    ['.', '😀', true],
    ['a\\$', 'a$', true],
    ['', '', true],
    ['', 'a', false],
    ['a|', '', true],
  ])('%s on %j: %s', (pattern, name, expected) => {
    expect(matches(pattern, name)).toBe(expected);
  });

  it.each([
    '(',
    ')',
    'a**',
    '*',
    '[a',
    'a{',
    'a{x}',
    'a{3,2}',
    'a{501}',
    '(?=a)',
    '\\1',
    '\\b',
    'a^b',
    '[z-a]',
    'x'.repeat(201),
    '(a{500}){500}',
  ])('refuses %s', (pattern) => {
    expect(() => parseNamePattern(pattern)).toThrow(/pattern for names/);
  });

  it('agrees with regular expressions on random patterns and names', () => {
    let seed = 7;
    const draw = (n: number): number => {
      seed = (seed * 1103515245 + 12345) % 2147483648;
      return Math.floor((seed / 2147483648) * n);
    };
    const atom = (depth: number): string => {
      const kind = draw(depth > 2 ? 4 : 6);
      if (kind === 4) return `(${pattern(depth + 1)})`;
      if (kind === 5) return `(${pattern(depth + 1)}|${pattern(depth + 1)})`;
      return ['a', 'b', '.', '[ab]'][kind] ?? 'a';
    };
    const pattern = (depth: number): string => {
      let text = '';
      for (let i = draw(4); i >= 0; i--) text += atom(depth) + (['', '', '*', '+', '?', '{1,2}'][draw(6)] ?? '');
      return text;
    };
    for (let i = 0; i < 500; i++) {
      const text = pattern(0);
      if (text.length > 60) continue;
      const name = Array.from({ length: draw(8) }, () => 'abc'[draw(3)]).join('');
      expect(matches(text, name), `${text} on ${name}`).toBe(new RegExp(`^(?:${text})$`).test(name));
    }
  });

  it('takes a name of 500 characters that would keep a backtracking matcher busy for ever', () => {
    const started = performance.now();
    expect(matches('(a*)*(a|a)*(a+)+b', 'a'.repeat(500))).toBe(false);
    expect(performance.now() - started).toBeLessThan(500);
  });
});
