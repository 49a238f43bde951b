import { randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, statSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, it } from 'vitest';
import { createCommandService } from './key-command.ts';
import { keyServiceConformance, masterKeysConformance } from './master-keys.conformance.ts';
import { type MasterKeys, openMasterKeys } from './master-keys.ts';

const folder = mkdtempSync(join(tmpdir(), 'master-keys-'));
afterAll(() => rmSync(folder, { recursive: true }));

/** A key service as an operator would write it: a program with a key of its own. */
const program = join(folder, 'service.mjs');
writeFileSync(
  program,
  `import { createCipheriv, createDecipheriv } from 'node:crypto';
import { readFileSync } from 'node:fs';
const key = Buffer.alloc(32, 7);
const bytes = Buffer.from(readFileSync(0, 'utf8'), 'base64');
const nonce = Buffer.alloc(12, 1);
if (process.argv[2] === 'wrap') {
  const cipher = createCipheriv('aes-256-gcm', key, nonce);
  console.log(Buffer.concat([cipher.update(bytes), cipher.final(), cipher.getAuthTag()]).toString('base64'));
} else {
  const decipher = createDecipheriv('aes-256-gcm', key, nonce).setAuthTag(bytes.subarray(-16));
  try { console.log(Buffer.concat([decipher.update(bytes.subarray(0, -16)), decipher.final()]).toString('base64')); } catch { process.exit(3); }
}`,
);
const command = `'${process.execPath}' '${program}'`;

const open = (parts: { file?: string; fromEnvironment?: string; command?: string }): MasterKeys =>
  openMasterKeys({ file: join(folder, parts.file ?? 'none'), fromEnvironment: parts.fromEnvironment, command: parts.command }, randomBytes);
const base64Key = (): string => randomBytes(32).toString('base64');

const fromEnvironment = `${base64Key()},${base64Key()}`;
masterKeysConformance('a file', () => open({ file: 'clear.key' }));
masterKeysConformance('a file that a key service wraps', () => open({ file: 'wrapped.key', command }));
masterKeysConformance('the environment', () => open({ fromEnvironment }));
keyServiceConformance('a command', () => createCommandService(command));

describe('a file of master keys', () => {
  it('is made at first use, readable by its owner only, and not by looking for a key', async () => {
    const keys = open({ file: 'new.key' });
    await keys.refresh();
    expect([keys.list(), keys.find('00'), existsSync(join(folder, 'new.key'))]).toEqual([[], undefined, false]);
    keys.current();
    expect(statSync(join(folder, 'new.key')).mode & 0o777).toBe(0o600);
    expect(Buffer.from(readFileSync(join(folder, 'new.key'), 'utf8'), 'base64').length).toBe(32);
    await keys.add();
    expect(statSync(join(folder, 'new.key')).mode & 0o777).toBe(0o600);
  });

  it('keeps comments, a link to it, and a key that another process put there meanwhile', async () => {
    writeFileSync(join(folder, 'real.key'), `# since March\n${base64Key()}\n`);
    symlinkSync(join(folder, 'real.key'), join(folder, 'link.key'));
    const [one, two] = [open({ file: 'link.key' }), open({ file: 'real.key' })];
    one.current();
    await two.add();
    await one.add();
    expect(one.list().length).toBe(3);
    expect(readFileSync(join(folder, 'real.key'), 'utf8')).toContain('# since March');
  });

  it('that vanishes takes no key from who has it', async () => {
    const keys = open({ file: 'lost.key' });
    const key = keys.current();
    rmSync(join(folder, 'lost.key'));
    await keys.refresh();
    expect(keys.current()).toEqual(key);
    expect(existsSync(join(folder, 'lost.key'))).toBe(false);
  });

  it('is not written to while another process does', async () => {
    const keys = open({ file: 'busy.key' });
    keys.current();
    writeFileSync(join(folder, 'busy.key.lock'), '1');
    await expect(keys.add()).rejects.toMatchObject({ code: 'RESOURCE_CONFLICT' });
  });

  it('says what is wrong with it, never what it holds', async () => {
    writeFileSync(join(folder, 'short.key'), 'c2VjcmV0');
    await expect(open({ file: 'short.key' }).refresh()).rejects.toThrow('key 1 must be 32 bytes in base64, and is 6');
    expect(() => open({ file: 'short.key' }).current()).toThrow(/^(?!.*c2VjcmV0)/);
    await expect(open({ file: '.' }).refresh()).rejects.toThrow("can't be read");
    expect(() => open({ file: 'absent/x.key' }).current()).toThrow("can't be written to");
  });

  it('holds no key in clear with a key service, and needs that service from then on', async () => {
    const keys = open({ file: 'service.key', command });
    await keys.refresh();
    const text = readFileSync(join(folder, 'service.key'), 'utf8');
    expect(text).toMatch(/^wrapped:/);
    expect(text).not.toContain(keys.current().bytes.toString('base64'));
    await expect(open({ file: 'service.key' }).refresh()).rejects.toThrow('--master-key-command is needed');
  });

  it('comes to a key service by a rotation: the old key is read in clear', async () => {
    const before = open({ file: 'moved.key' }).current();
    const keys = open({ file: 'moved.key', command });
    await keys.add();
    expect(readFileSync(join(folder, 'moved.key'), 'utf8').split('\n')[0]).toMatch(/^wrapped:/);
    expect(keys.find(before.id)).toEqual(before);
  });
});

describe('keys of the environment', () => {
  it.each(['', ' , ', 'AAAA', 'not base64 at all'])('refuses %j without repeating it', (text) => {
    expect(() => open({ fromEnvironment: text })).toThrow('openssl rand -base64 32');
    if (text.length > 3) expect(() => open({ fromEnvironment: text })).toThrow(new RegExp(`^(?!.*${text})`));
  });
});

describe('a command that is no key service', () => {
  it.each([
    ['exit 9 #', 'it ended with 9'],
    ['echo "no base64!" #', 'something else than base64'],
    ['true', 'something else than base64'],
  ])('%s is said so', async (bad, why) => {
    await expect(createCommandService(bad).wrap(randomBytes(32))).rejects.toThrow(why);
  });

  it('is stopped where it does not answer', async () => {
    const before = Date.now();
    await expect(createCommandService('exec sleep 30 #', 200).wrap(randomBytes(32))).rejects.toThrow('no answer within 0.2 s');
    expect(Date.now() - before).toBeLessThan(10_000);
  });
});
