import { describe, expect, test } from 'vitest';
import { readModelFile } from './model-file.ts';
import { readRequirements } from './requirement-rules.ts';

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
