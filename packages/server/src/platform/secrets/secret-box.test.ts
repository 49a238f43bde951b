import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createSecretBox } from './secret-box.ts';

const folder = mkdtempSync(join(tmpdir(), 'secret-box-'));
afterAll(() => rmSync(folder, { recursive: true }));

const box = (name: string) => createSecretBox({ keyFile: join(folder, name), randomBytes });

describe('secrets at rest', () => {
  it('a text comes back, also after a restart, and never looks the same twice', () => {
    const [one, two] = [box('a').seal('grüße', 'row'), box('a').seal('grüße', 'row')];
    expect(box('a').open(one, 'row')).toBe('grüße');
    expect(one.equals(two)).toBe(false);
    expect(one.toString('utf8')).not.toContain('grüße');
    expect(statSync(join(folder, 'a')).mode & 0o777).toBe(0o600);
  });

  it('the bytes are of no use in another row, changed, or under another key', () => {
    const sealed = box('a').seal('s', 'row');
    expect(() => box('a').open(sealed, 'other row')).toThrow('were changed');
    const changed = Buffer.from(sealed);
    changed[25] = (changed[25] ?? 0) ^ 1;
    expect(() => box('a').open(changed, 'row')).toThrow('were changed');
    box('b').seal('x', 'y');
    expect(() => box('b').open(sealed, 'row')).toThrow('another key');
  });

  it('reading makes no key, and a damaged key file is said', () => {
    const sealed = box('a').seal('s', 'row');
    expect(() => box('absent').open(sealed, 'row')).toThrow('the file is not there');
    expect(existsSync(join(folder, 'absent'))).toBe(false);
    writeFileSync(join(folder, 'short'), 'AAAA');
    expect(() => box('short').seal('s', 'row')).toThrow('must hold 32 bytes');
  });
});
