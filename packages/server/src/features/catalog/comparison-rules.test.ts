import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { compareFiles, compareNamed, readRequirements, stableJson } from './comparison-rules.ts';
import { readModelFile } from './model-file.ts';

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

test('requirements are read by normalised name, without options and comments', () => {
  const text = [
    '--extra-index-url https://example.org/simple',
    'Scikit_Learn == 1.5.0  # pinned',
    'mlflow[extras]>=2.9,<4',
    'numpy',
    '',
    '# only a comment',
    'torch==2.1.0; python_version >= "3.10"',
    'https://example.org/wheel.whl',
    './code/package',
    'pkg @ git+https://example.org/x',
  ].join('\n');
  expect([...readRequirements(text)]).toEqual([
    ['scikit-learn', '==1.5.0'],
    ['mlflow', '[extras]>=2.9,<4'],
    ['numpy', '*'],
    ['torch', '==2.1.0; python_version >= "3.10"'],
    ['https://example.org/wheel.whl', 'https://example.org/wheel.whl'],
    ['./code/package', './code/package'],
    ['pkg', '@ git+https://example.org/x'],
  ]);
});

describe('readModelFile', () => {
  test('flavors and signature are read', async () => {
    const facts = await readModelFile('flavors:\n  sklearn: {v: 1}\nsignature:\n  inputs: \'[{"type": "double"}]\'\n');
    expect([...facts.flavors]).toEqual([['sklearn', { v: 1 }]]);
    expect(facts.signature).toEqual({ inputs: [{ type: 'double' }], outputs: null, params: null });
  });

  test.each([
    ['no YAML', '{{{{'],
    ['a list', '- 1'],
    ['a text', 'hello'],
    ['one nested too deep', `flavors: ${'['.repeat(20_000)}${']'.repeat(20_000)}`],
    ['a bomb of aliases', bomb()],
  ])('%s is as if it were not there', async (_name, text) => {
    expect((await readModelFile(text)).flavors.size).toBe(0);
  });
});

function bomb(): string {
  const rows = ['a0: &a0 [x, x, x, x, x, x, x, x, x, x]'];
  for (let i = 1; i < 9; i++)
    rows.push(
      `a${i}: &a${i} [${Array(10)
        .fill(`*a${i - 1}`)
        .join(', ')}]`,
    );
  return `${rows.join('\n')}\nflavors: {x: *a8}\n`;
}
