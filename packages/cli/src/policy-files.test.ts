import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { parseAll, readPolicyFiles } from './policy-files.ts';

const folder = mkdtempSync(join(tmpdir(), 'countersign-policy-files-'));
afterAll(() => rmSync(folder, { recursive: true }));

const POLICY = 'name: a\nmode: warn\nmatch: { target: { stage: Production } }\n';

describe('policies as files', () => {
  it('are the .yaml and .yml of a folder, by name, and single files', () => {
    const policies = join(folder, 'policies');
    mkdirSync(policies);
    for (const [name, text] of Object.entries({ 'b.yml': POLICY.replace(': a', ': b'), 'a.yaml': POLICY, 'README.md': 'no policy' }))
      writeFileSync(join(policies, name), text);
    const files = readPolicyFiles([policies]);
    expect(files.map(({ file }) => file)).toEqual([join(policies, 'a.yaml'), join(policies, 'b.yml')]);
    expect(parseAll(files).map(({ policy }) => [policy.name, policy.mode])).toEqual([
      ['a', 'warn'],
      ['b', 'warn'],
    ]);
    expect(() => parseAll([...files, ...readPolicyFiles([join(policies, 'a.yaml')])])).toThrow("both hold a policy named 'a'");
  });

  it('that are wrong are named with their line', () => {
    const file = join(folder, 'wrong.yaml');
    writeFileSync(file, POLICY.replace('mode: warn', 'mode: some'));
    expect(() => parseAll(readPolicyFiles([file]))).toThrow(`${file}: Policy, line 2`);
    expect(() => readPolicyFiles([join(folder, 'absent.yaml')])).toThrow("can't be read (ENOENT)");
    mkdirSync(join(folder, 'empty'));
    expect(() => readPolicyFiles([join(folder, 'empty')])).toThrow('holds no file that ends with .yaml or .yml');
  });
});
