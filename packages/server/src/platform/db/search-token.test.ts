import fc from 'fast-check';
import sql from 'sql-template-tag';
import { describe, expect, test } from 'vitest';
import { afterPrefix, likePattern } from './search-sql.ts';
import { readToken, writeToken } from './search-token.ts';

const keys = [
  { type: 'real', descending: false, value: sql`a`, rank: sql`b`, join: undefined },
  { type: 'text', descending: false, value: sql`c`, rank: undefined, join: undefined },
] as const;

function encoded(members: unknown): string {
  return Buffer.from(JSON.stringify(members)).toString('base64');
}

describe('page tokens', () => {
  test('carry the last row, exactly', () => {
    const value = fc.double({ noNaN: true, noDefaultInfinity: true }).map((number) => number + 0);
    const text = fc.string({ unit: 'grapheme' }).filter((each) => !each.includes('\0'));
    fc.assert(
      fc.property(value, text, fc.integer({ min: 1 }), (number, word, offset) => {
        const after = [
          { rank: 0, value: number },
          { rank: 0, value: word },
        ];
        expect(readToken(writeToken({ offset, after }, 'o'), 'o', keys)).toEqual({ offset, after });
      }),
    );
    const big = [
      { rank: 0, value: 2n ** 62n },
      { rank: 1, value: null },
    ];
    const integers = [{ ...keys[0], type: 'integer' as const }, keys[1]];
    expect(readToken(writeToken({ offset: 3, after: big }, 'o'), 'o', integers)).toEqual({ offset: 3, after: big });
  });

  test("upstream's, with an offset alone, are read; those of another order serve by their offset", () => {
    expect(readToken(encoded({ offset: 7 }), 'o', keys)).toEqual({ offset: 7, after: undefined });
    const after = [
      { rank: 2, value: null },
      { rank: 0, value: 'x' },
    ];
    expect(readToken(writeToken({ offset: 7, after }, 'o'), 'other', keys)).toEqual({ offset: 7, after: undefined });
  });

  test('that were tampered with never reach the database', () => {
    for (const wrong of [
      [
        [0, 'text'],
        [0, 'x'],
      ],
      [[0, 1]],
      [
        [0, 1],
        [0, 1],
      ],
      [
        [5, null],
        [0, 'x'],
      ],
      [
        [1, 1],
        [0, 'x'],
      ],
      'x',
      [
        [0, 1],
        [0, '\0'],
      ],
      [
        [0, 1],
        [0, '\ud800'],
      ],
    ]) {
      const token = encoded({ ...JSON.parse(Buffer.from(writeToken({ offset: 2, after: [] }, 'o'), 'base64').toString()), after: wrong });
      expect(readToken(token, 'o', keys)).toEqual({ offset: 2, after: undefined });
    }
  });

  test.each([
    ['abc', /could not base64-decode/],
    ['!!!', /decoded value=b''/],
    [Buffer.from('[1]').toString('base64'), /decoded value/],
    [encoded({ offset: 0 }), /parsed value/],
    [encoded({ offset: -1 }), /parsed value/],
    [encoded({ offset: 1.5 }), /parsed value/],
    [encoded({}), /parsed value/],
    [encoded({ offset: 'x' }), /parsed value/],
  ])('%s is refused', (token, message) => {
    expect(() => readToken(token, 'o', keys)).toThrow(message);
  });
});

describe('text patterns', () => {
  test('the text after a prefix is greater than all that begin with it, and no smaller one is', () => {
    const points = fc.string({ unit: fc.constantFrom('a', 'b', 'ÿ', '\ud7ff', '\ue000', '\u{10ffff}', '😀'), maxLength: 3 });
    const bytes = (each: string): Buffer => Buffer.from(each);
    fc.assert(
      fc.property(points, points, (prefix, text) => {
        const end = afterPrefix(prefix);
        const isBelow = end === undefined || Buffer.compare(bytes(text), bytes(end)) < 0;
        const isFrom = Buffer.compare(bytes(text), bytes(prefix)) >= 0;
        expect(isFrom && isBelow).toBe(text.startsWith(prefix));
      }),
    );
  });

  test('% is any text, _ one character, and nothing escapes them', () => {
    expect(likePattern('a%c').test('a\nb\nc')).toBe(true);
    expect(likePattern('_').test('😀')).toBe(true);
    expect(likePattern('\\%').test('\\x')).toBe(true);
    expect(likePattern('a.c').test('abc')).toBe(false);
    expect(likePattern('[a-z]').test('[a-z]')).toBe(true);
  });
});
