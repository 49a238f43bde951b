/** Whoever owns the host replaces a second person who is lost: without anybody's approval, and marked for ever. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type Ended, sourceCountersign } from '../support/cli.ts';
import { onBothDatabases } from '../support/databases.ts';

const POLICY = `
name: production
mode: enforce
match: { target: { stage: Production } }
requirements: { approvals: [{ group: risk }] }
`;

onBothDatabases('the host of a governed server', (newDatabase) => {
  let folder: string;
  beforeEach(() => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-host-'));
  });
  afterEach(() => rmSync(folder, { recursive: true, force: true }));

  it('makes an administrator in place of one who is lost, and the record says so', { timeout: 120_000 }, async () => {
    const databaseUrl = await newDatabase();
    const place = ['--data-dir', 'data', ...(databaseUrl === undefined ? [] : ['--database-url', databaseUrl])];
    const run = async (args: readonly string[], input?: string): Promise<Ended> => {
      const ended = await sourceCountersign([...args, ...place], { cwd: folder, input });
      expect(ended.code, `${args.join(' ')}: ${ended.stderr}`).toBe(0);
      return ended;
    };
    const create = (name: string) => run(['user', 'create', name, '--admin', '--password-stdin'], 'correct horse battery');
    const marks = async (): Promise<string[]> =>
      JSON.parse((await run(['audit', 'list', '--json'])).stdout)
        .events.filter((event: { type: string }) => event.type === 'setting.changed-on-host')
        .map((event: { target: string; texts: { words: string } }) => `${event.target} ${event.texts.words}`);

    await create('root');
    await create('second');
    writeFileSync(join(folder, 'production.yaml'), POLICY);
    await run(['policy', 'apply', 'production.yaml', '--yes']);
    await create('third');
    expect(await marks()).toEqual(['setting:memberships make third, an administrator']);
    // What isn't a recovery asks as everywhere.
    const digest = '3f'.repeat(32);
    await run(['block', 'add', digest, '--reason', 'poisoned']);
    const lift = () => sourceCountersign(['block', 'lift', digest, '--reason', 'checked', ...place], { cwd: folder });
    const [refused, again] = [await lift(), await lift()];
    expect([refused.code, refused.stderr]).toEqual([3, expect.stringContaining('Request 1 was opened for it')]);
    expect([again.code, again.stderr]).toEqual([3, expect.stringContaining('Request 1 is open for it')]);
  });
});
