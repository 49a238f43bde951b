import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareFiles, compareNamed, stableJson } from './comparison-rules.ts';

describe('compareNamed', () => {
  test('turned round, what was added is removed', () => {
    const facts = fc.dictionary(fc.string({ maxLength: 2 }), fc.integer({ min: 0, max: 2 })).map((each) => new Map(Object.entries(each)));
    const turned = { added: 'removed', removed: 'added', changed: 'changed', same: 'same' } as const;
    fc.assert(
      fc.property(facts, facts, (a, b) => {
        const back = compareNamed(b, a).map(({ name, change, from, to }) => ({ name, change: turned[change], from: to, to: from }));
        expect(back).toEqual(compareNamed(a, b));
      }),
    );
  });

  test('NaN is the same as NaN', () => {
    expect(compareNamed(new Map([['m', Number.NaN]]), new Map([['m', Number.NaN]]))[0]?.change).toBe('same');
  });
});

test('files are told apart by path and digest', () => {
  const file = (path: string, sha256: string) => ({ path, sha256, sizeBytes: 1 });
  const found = compareFiles([file('a', '1'), file('b', '1'), file('c', '1')], [file('a', '1'), file('b', '2'), file('d', '1')]);
  expect(found).toEqual({
    sameCount: 1,
    added: [file('d', '1')],
    removed: [file('c', '1')],
    changed: [{ path: 'b', from: file('b', '1'), to: file('b', '2') }],
  });
});

test('JSON is the same whatever the order of its members', () => {
  expect(stableJson({ b: [1, { y: 1, x: 2 }], a: null })).toBe(stableJson({ a: null, b: [1, { x: 2, y: 1 }] }));
});
