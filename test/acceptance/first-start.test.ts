/** From an empty folder to a server for a team: the first administrator, the commands, and what is refused on the way. */
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { countersign, countersignAtTerminal, type Ended } from '../support/cli.ts';
import { onBothDatabases } from '../support/databases.ts';
import { type RunningServer, startServer } from '../support/server.ts';

const PASSWORD = 'correct horse battery';

let folder: string;
let servers: RunningServer[] = [];

beforeEach(() => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-first-'));
});
afterEach(async () => {
  for (const server of servers) await server.stop();
  servers = [];
  rmSync(folder, { recursive: true, force: true });
});

async function serve(args: readonly string[], databaseUrl?: string, env: Record<string, string> = {}): Promise<RunningServer> {
  const server = await startServer({ args, databaseUrl, env, dataDir: join(folder, 'data') });
  servers.push(server);
  return server;
}

function cs(args: readonly string[], options: { env?: Record<string, string>; input?: string } = {}): Promise<Ended> {
  return countersign(args, { cwd: folder, ...options });
}

async function me(server: RunningServer, headers: Record<string, string> = {}): Promise<number> {
  return (await fetch(`${server.url}/api/v1/me`, { headers })).status;
}

const basic = (name: string, password: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`,
});

onBothDatabases('the first start for a team', (newDatabase) => {
  it('goes from an empty folder to everybody’s own token', { timeout: 120_000 }, async () => {
    const databaseUrl = await newDatabase();
    const place = ['--data-dir', join(folder, 'data'), ...(databaseUrl === undefined ? [] : ['--database-url', databaseUrl])];

    // Nobody but this machine is answered without accounts, and the refusal says what to do.
    const refused = await cs(['server', '--host', '0.0.0.0', '--port', '0', ...place]);
    expect([refused.code, refused.stderr]).toEqual([5, expect.stringContaining('countersign user create NAME --admin')]);
    if (databaseUrl === undefined) expect(readdirSync(folder)).toEqual([]);
    else expect(refused.stderr).not.toContain(`:${new URL(databaseUrl).password}@`);
    expect(await cs(['user', 'create', 'ada', '--password-stdin', ...place], { input: PASSWORD })).toMatchObject({
      code: databaseUrl === undefined ? 4 : 5,
    });
    const created = await cs(['user', 'create', 'ada', '--admin', '--password-stdin', '--json', ...place], { input: `${PASSWORD}\n` });
    expect(created.code, created.stderr).toBe(0);
    expect(JSON.parse(created.stdout)).toMatchObject({ name: 'ada', is_admin: true, created_at: expect.stringMatching(/Z$/) });
    expect(created.stdout + created.stderr).not.toContain(PASSWORD);

    const server = await serve(['--host', '0.0.0.0'], databaseUrl);
    expect(server.log()).not.toContain('open: there are no accounts');
    expect(await me(server)).toBe(401);
    expect(await me(server, { ...basic('ada', PASSWORD), host: 'ml.internal.example' })).toBe(200);
    const asAda = { COUNTERSIGN_SERVER: server.url, MLFLOW_TRACKING_USERNAME: 'ada', MLFLOW_TRACKING_PASSWORD: PASSWORD };
    const ask = (...args: string[]): Promise<Ended> => cs(args, { env: asAda });
    const good = async (answer: Promise<Ended>): Promise<string> => {
      const ended = await answer;
      expect(ended.code, ended.stderr).toBe(0);
      return ended.stdout;
    };

    // One process has the folder with SQLite; with PostgreSQL the host may look beside the server.
    const beside = await cs(['user', 'list', '--quiet', ...place]);
    if (databaseUrl === undefined) expect([beside.code, beside.stderr]).toEqual([5, expect.stringContaining('--server http://')]);
    else expect(beside).toMatchObject({ code: 0, stdout: 'ada\n' });

    await good(cs(['user', 'create', 'bob', '--password-stdin'], { env: asAda, input: PASSWORD }));
    await good(ask('user', 'create', 'carol', '--no-password', '--display-name', 'Carol \u0007C'));
    const list = await good(ask('user', 'list'));
    expect(list).toMatch(/^NAME {3}ROLE .*\nada {4}administrator {2}active.*\nbob .*\ncarol .*Carol {2}C/);
    await good(ask('service-account', 'create', 'nightly', '--owner', 'bob'));
    await good(ask('group', 'create', 'risk'));
    await good(ask('group', 'add', 'risk', 'bob', 'nightly'));
    expect(JSON.parse(await good(ask('group', 'show', 'risk', '--json'))).members).toHaveLength(2);
    const grantId = (await good(ask('grant', 'set', 'EDIT', '--group', 'risk', '--model-prefix', 'risk.', '--quiet'))).trim();
    expect(await good(ask('grant', 'list'))).toContain("models 'risk.*'");

    const asBob = { COUNTERSIGN_SERVER: server.url, MLFLOW_TRACKING_USERNAME: 'bob', MLFLOW_TRACKING_PASSWORD: PASSWORD };
    const token = (await good(cs(['token', 'create', 'laptop', '--scope', 'write', '--quiet'], { env: asBob }))).trim();
    expect(token).toMatch(/^csk_[\w-]{43}$/);
    expect(await good(cs(['whoami', '--json'], { env: { MLFLOW_TRACKING_URI: server.url, MLFLOW_TRACKING_TOKEN: token } }))).toContain(
      '"write"',
    );
    writeFileSync(join(folder, 'token'), `${token}\n`);
    expect(await good(cs(['whoami', '--quiet', '--server', server.url, '--token-file', 'token']))).toBe('bob\n');
    expect(await good(cs(['whoami', '--quiet', '--server', server.url, '--token-stdin'], { input: token }))).toBe('bob\n');

    const codes = await Promise.all([
      cs(['user', 'list', '--json'], { env: { COUNTERSIGN_SERVER: server.url, COUNTERSIGN_TOKEN: token } }),
      cs(['user', 'list'], { env: { COUNTERSIGN_SERVER: server.url, COUNTERSIGN_TOKEN: 'csk_wrong' } }),
      ask('user', 'show', 'nobody'),
      ask('group', 'create', 'risk'),
      ask('user', 'demote', 'ada'),
      ask('grant', 'set', 'OWN', '--user', 'bob', '--all-models'),
      ask('token', 'create', 'x', '--scope', 'everything'),
      ask('user', 'delete', 'bob'),
      cs(['user', 'list', '--server', 'http://127.0.0.1:1']),
      cs(['user', 'list', '--server', server.url, '--data-dir', 'data']),
      ask('model', 'purge', 'nothing', '--confirm', 'nothing'),
      cs(['model', 'purge', 'nothing', '--server', server.url, '--confirm', 'nothing']),
    ]);
    expect(codes.map((each) => each.code)).toEqual([3, 3, 4, 5, 5, 2, 2, 2, 7, 2, 4, 3]);
    expect(JSON.parse(codes[0]?.stderr ?? '')).toEqual({ error: { code: 'PERMISSION_DENIED', message: expect.any(String) } });
    for (const each of codes) {
      expect(each.stderr + each.stdout).not.toContain('    at ');
      expect(each.stderr + each.stdout).not.toContain('\u001b');
    }

    await good(ask('grant', 'remove', grantId));
    await good(ask('service-account', 'delete', 'nightly', '--confirm', 'nightly'));
    await good(ask('user', 'erase', 'bob', '--confirm', 'bob'));
    expect(await me(server, { authorization: `Bearer ${token}` })).toBe(401);
    expect(await good(ask('audit', 'verify'))).toMatch(/^\d+ events, and each follows/);
    expect(server.log()).not.toContain(PASSWORD);
    expect(server.log()).not.toContain(token);
  });

  it('takes the first administrator from variables, once', { timeout: 60_000 }, async () => {
    const databaseUrl = await newDatabase();
    const env = { MLFLOW_AUTH_ADMIN_USERNAME: 'ops', MLFLOW_AUTH_ADMIN_PASSWORD: PASSWORD };
    const first = await serve(['--app-name', 'basic-auth'], databaseUrl, env);
    expect(first.log()).toContain("made the first administrator, 'ops'");
    expect(first.log()).not.toContain(PASSWORD);
    expect(await me(first, basic('ops', PASSWORD))).toBe(200);
    await servers.pop()?.stop();
    const again = await serve(['--app-name', 'basic-auth'], databaseUrl, { ...env, MLFLOW_AUTH_ADMIN_PASSWORD: 'another long password' });
    expect(again.log()).not.toContain('made the first administrator');
    expect(await me(again, basic('ops', 'another long password'))).toBe(401);
    expect(await me(again, basic('ops', PASSWORD))).toBe(200);
  });
});

describe('a server without accounts', () => {
  it('says that it is open, and is closed by the command that it names', { timeout: 60_000 }, async () => {
    const server = await serve([]);
    const [, command = ''] = /To close it make the first administrator: countersign (.*?)"/.exec(server.log()) ?? [];
    expect(server.log()).toContain('open: there are no accounts');
    expect(await me(server, basic('whoever', 'whatever'))).toBe(200);
    const args = command.replace('NAME', 'ada').split(' ');
    expect(await cs([...args, '--password-stdin'], { input: PASSWORD })).toMatchObject({ code: 0 });
    expect(await me(server)).toBe(401);
    expect(await me(server, basic('ada', PASSWORD))).toBe(200);
  });

  it('is refused where accounts are demanded', async () => {
    const refused = await cs(['server', '--app-name', 'basic-auth', '--port', '0', '--data-dir', 'data with space']);
    expect(refused.code).toBe(5);
    expect(refused.stderr).toContain(`--admin --data-dir '${join(folder, 'data with space')}'`);
    expect(readdirSync(folder)).toEqual([]);
  });
});

describe('a password', () => {
  const create = ['user', 'create', 'ada', '--admin', '--data-dir', 'data'];

  it('is asked for at a terminal, twice and without being shown', async () => {
    const ended = await countersignAtTerminal(
      create,
      [
        ['New password of', PASSWORD],
        ['The same again', PASSWORD],
      ],
      { cwd: folder },
    );
    expect([ended.code, ended.stdout]).toEqual([0, expect.stringContaining("Created the administrator 'ada'.")]);
    expect(ended.stdout).not.toContain(PASSWORD);
    const other = await countersignAtTerminal(
      ['user', 'password', 'ada', '--data-dir', 'data'],
      [
        ['New password of', PASSWORD],
        ['The same again', 'another one, longer'],
      ],
      {
        cwd: folder,
      },
    );
    expect([other.code, other.stdout]).toEqual([2, expect.stringContaining('differ')]);
  });

  it('is never waited for where nobody is there, nor taken as an argument', async () => {
    const asked = await cs(create);
    expect([asked.code, asked.stderr]).toEqual([2, expect.stringContaining('--password-stdin')]);
    expect((await cs([...create, '--password', PASSWORD])).code).toBe(2);
    expect((await cs([...create, '--password-stdin'], { input: 'short' })).stderr).toContain('at least 12');
    expect((await cs([...create, '--password-stdin'], { input: '' })).stderr).toContain('empty');
  });
});
