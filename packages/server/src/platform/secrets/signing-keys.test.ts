import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Problem } from '@countersign/contract/problem.ts';
import { afterAll, describe, expect, it } from 'vitest';
import { openSigningKeys, type SigningKeys } from './signing-keys.ts';

const folder = mkdtempSync(join(tmpdir(), 'signing-keys-'));
afterAll(() => rmSync(folder, { recursive: true }));

function pem(kind: 'ed25519' | 'ed448' = 'ed25519'): string {
  const { privateKey } = kind === 'ed448' ? generateKeyPairSync('ed448') : generateKeyPairSync('ed25519');
  return privateKey.export({ format: 'pem', type: 'pkcs8' }).toString();
}

function inFile(text: string): SigningKeys | undefined {
  const file = join(folder, 'keys.pem');
  writeFileSync(file, text);
  return openSigningKeys({ file, fromEnvironment: undefined });
}

const inVariable = (text: string): SigningKeys | undefined => openSigningKeys({ file: undefined, fromEnvironment: text });
const read = (keys: SigningKeys | undefined): string[] =>
  (keys?.list() ?? []).map((key) => key.export({ format: 'pem', type: 'pkcs8' }).toString());

describe('keys that the operator gives for signing', () => {
  it('are read from a file or the environment, newest first', () => {
    const [a, b] = [pem(), pem()];
    expect(openSigningKeys({ file: undefined, fromEnvironment: undefined })).toBeUndefined();
    expect(read(inFile(`# the newest\n${a}${b}`))).toEqual([a, b]);
    expect(read(inVariable(`${a}\n${b}`))).toEqual([a, b]);
    const inside = (text: string): string => text.split('\n')[1] ?? '';
    expect(read(inVariable(`${inside(a)},${inside(b)}`))).toEqual([a, b]);
  });

  it('are read anew each time, so that a key is rotated without a restart', () => {
    const [a, b] = [pem(), pem()];
    const keys = inFile(a);
    expect(read(keys)).toEqual([a]);
    writeFileSync(join(folder, 'keys.pem'), `${b}${a}`);
    expect(read(keys)).toEqual([b, a]);
  });

  it('are refused where they are none, without a word of what was given', () => {
    const missing = openSigningKeys({ file: join(folder, 'none.pem'), fromEnvironment: undefined });
    for (const [keys, words] of [
      [missing, "can't be read"],
      [inFile(''), 'There is no key'],
      [inVariable('c2VjcmV0IHRleHQ='), 'must be an Ed25519 key'],
      [inVariable(pem('ed448')), 'must be an Ed25519 key'],
      [inVariable('-----BEGIN OTHER-----'), 'There is no key'],
    ] as const) {
      const refusal = (): unknown => keys?.list();
      expect(refusal).toThrow(words);
      expect(refusal).toThrow(Problem);
      expect(refusal).not.toThrow('c2Vjcm');
    }
  });
});
