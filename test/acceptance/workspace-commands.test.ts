/** `countersign workspace …` against a running server, and on the data itself. */
import { spawn } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { text } from 'node:stream/consumers';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addUser, openApp, type RunningApp } from '../support/app.ts';

const COMMAND = resolve(import.meta.dirname, '../../packages/cli/src/main.ts');

describe('commands for workspaces', () => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-workspace-commands-'));
  let app: RunningApp;
  let token: string;

  beforeAll(async () => {
    app = await openApp();
    token = (await addUser(app.ctx, 'root', { isAdmin: true })).secret;
    await addUser(app.ctx, 'ada');
  });
  afterAll(async () => {
    await app.close();
    rmSync(folder, { recursive: true });
  });

  async function run(
    args: readonly string[],
    env: Readonly<Record<string, string>> = { COUNTERSIGN_SERVER: app.url, COUNTERSIGN_TOKEN: token },
  ) {
    const child = spawn(process.execPath, ['--disable-warning=ExperimentalWarning', COMMAND, ...args], {
      env: { PATH: process.env.PATH, ...env },
    });
    child.stdin.end('a long enough password\n');
    const ended = new Promise<number | null>((resolve) => child.on('close', resolve));
    const [out, err] = await Promise.all([text(child.stdout), text(child.stderr)]);
    return { code: await ended, out, err };
  }

  it('make one, set it up, show and change it', async () => {
    const rule = ['--name-pattern', 'vision\\..+', '--name-message', 'Begin with vision.'];
    const made = await run([
      'workspace',
      'create',
      'vision',
      '--description',
      'Images',
      ...rule,
      '--quota-size',
      '2TB',
      '--member-level',
      'read',
    ]);
    expect(made).toEqual({ code: 0, out: "Created the workspace 'vision'.\n", err: '' });
    const shown = JSON.parse((await run(['workspace', 'show', 'vision', '--json'])).out);
    expect(shown).toMatchObject({
      name: 'vision',
      settings: { name_pattern: 'vision\\..+', quota_bytes: 2e12, member_level: 'READ', quota_models: null },
      usage: { models: 0, versions: 0, bytes: 0 },
    });
    expect(shown.created_at).toMatch(/^\d{4}-\d\d-\d\dT/);
    writeFileSync(join(folder, 'settings.json'), '{"quota_models": 5, "protect_aliased": true}');
    const more = [
      '--settings-file',
      join(folder, 'settings.json'),
      '--quota-models',
      '7',
      '--quota-size',
      'none',
      '--set',
      'protected_stages=["Production"]',
    ];
    const changed = JSON.parse((await run(['workspace', 'update', 'vision', ...more, '--json'])).out);
    expect(changed.settings).toMatchObject({ quota_models: 7, quota_bytes: null, protect_aliased: true, protected_stages: ['Production'] });
    const lines = (await run(['workspace', 'show', 'vision'])).out;
    expect(lines).toContain('Holds 0 of 7 models, 0 versions, 0 bytes.');
    expect((await run(['workspace', 'ls', '--quiet'])).out).toBe('default\nvision\n');
  });

  it('give access by grants in it', async () => {
    const granted = await run(['grant', 'set', 'USE', '--user', 'ada', '--on-workspace', '--workspace', 'vision']);
    expect(granted.code, granted.err).toBe(0);
  });

  it.each([
    [['update', 'vision', '--name-pattern', '(a'], 2, "a '(' without its ')'"],
    [['update', 'vision', '--quota-size', '5 parsecs'], 2, '--quota-size must be'],
    [['update', 'vision', '--quota-models', '-1'], 2, '--quota-models must be'],
    [['update', 'vision', '--set', 'nothing'], 2, 'NAME=VALUE'],
    [['update', 'vision', '--set', 'unknown=1'], 2, "unknown member 'settings/unknown'"],
    [['update', 'vision'], 2, 'Say what to change'],
    [['create', 'vision'], 5, 'already exists'],
    [['create', 'Vision'], 2, 'must match the pattern'],
    [['show', 'absent'], 4, "Workspace 'absent' not found"],
    [['delete', 'vision'], 2, "--confirm 'vision'"],
    [['delete', 'vision', '--confirm', 'other'], 2, 'Nothing was changed'],
    [['delete', 'vision', '--mode', 'SOMEHOW', '--confirm', 'vision'], 2, 'Allowed choices'],
  ])('workspace %j ends with %i and says why', async (args, code, words) => {
    const ended = await run(['workspace', ...args]);
    expect([ended.code, ended.out, ended.err]).toEqual([code, '', expect.stringContaining(words)]);
  });

  it('delete one', async () => {
    expect(await run(['workspace', 'rm', 'vision', '--confirm', 'vision'])).toEqual({
      code: 0,
      out: "Deleted the workspace 'vision'.\n",
      err: '',
    });
    expect((await run(['workspace', 'list', '--quiet'])).out).toBe('default\n');
  });

  it('work on the data itself, without a server', async () => {
    const data = ['--data-dir', join(folder, 'data')];
    expect((await run(['user', 'create', 'root', '--admin', '--password-stdin', ...data], {})).code).toBe(0);
    expect(await run(['workspace', 'create', 'speech', ...data], {})).toMatchObject({ code: 0 });
    expect((await run(['workspace', 'list', '--quiet', ...data], {})).out).toBe('default\nspeech\n');
  });
});
