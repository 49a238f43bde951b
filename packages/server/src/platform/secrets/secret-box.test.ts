import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { openMasterKeys } from './master-keys.ts';
import { createSecretBox, type SecretBox } from './secret-box.ts';

const folder = mkdtempSync(join(tmpdir(), 'secret-box-'));
afterAll(() => rmSync(folder, { recursive: true }));

const keysOf = (name: string) => openMasterKeys({ file: join(folder, name), fromEnvironment: undefined, command: undefined }, randomBytes);
const box = (name: string): SecretBox => createSecretBox(keysOf(name), randomBytes);

describe('secrets at rest', () => {
  it('a text comes back, also after a restart, and never looks the same twice', () => {
    const [one, two] = [box('a').seal('grüße', 'row'), box('a').seal('grüße', 'row')];
    expect(box('a').open(one, 'row')).toBe('grüße');
    expect(one.equals(two)).toBe(false);
    expect(one.toString('utf8')).not.toContain('grüße');
  });

  it('the bytes are of no use in another row, changed, or under another key', () => {
    const sealed = box('a').seal('s', 'row');
    expect(() => box('a').open(sealed, 'other row')).toThrow('were changed');
    for (let at = 9; at < sealed.length; at++) {
      const changed = Buffer.from(sealed);
      changed[at] = (changed[at] ?? 0) ^ 1;
      expect(() => box('a').open(changed, 'row')).toThrow('were changed');
    }
    for (const size of [0, 1, 20, 36]) expect(() => box('a').open(sealed.subarray(0, size), 'row')).toThrow('form is unknown');
    box('b').seal('x', 'y');
    expect(() => box('b').open(sealed, 'row')).toThrow('another key');
  });

  it('what an older key sealed is read after a rotation, also by who was there before it', async () => {
    const running = box('rotated');
    const before = running.seal('old', 'row');
    await keysOf('rotated').add();
    const after = box('rotated').seal('new', 'row');
    expect([box('rotated').open(before, 'row'), running.open(after, 'row')]).toEqual(['old', 'new']);
  });

  it('reading makes no key', () => {
    const sealed = box('a').seal('s', 'row');
    expect(() => box('absent').open(sealed, 'row')).toThrow('another key');
    expect(existsSync(join(folder, 'absent'))).toBe(false);
  });
});
