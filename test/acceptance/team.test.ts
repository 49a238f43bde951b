/**
 * A team's story from an empty folder, with real parts: the command line, an OpenID Connect provider, the unmodified client with a token, a job
 * with its CI system's identity, files encrypted at rest; and what is left when somebody goes.
 */
import { mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { ask } from '../support/app.ts';
import { Browser } from '../support/browser.ts';
import { type CiIssuer, githubClaims, startCiIssuer } from '../support/ci-issuer.ts';
import { countersign, type Ended } from '../support/cli.ts';
import { onBothDatabases } from '../support/databases.ts';
import { CLIENT, startIdentityProvider, type TestIdentityProvider } from '../support/identity-provider.ts';
import { newestPython, runPython } from '../support/python.ts';
import { type RunningServer, startServer } from '../support/server.ts';

const PASSWORD = 'correct horse battery';
const MARKER = 'These words stand in no file of the server.';
const IN_RISK = { 'x-mlflow-workspace': 'risk' };

onBothDatabases('a team', (databaseUrl) => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-team-'));
  const dataDir = join(folder, 'data');
  let server: RunningServer;
  let provider: TestIdentityProvider;
  let issuer: CiIssuer;
  let token = '';

  beforeAll(async () => {
    const url = await databaseUrl();
    const place = ['--data-dir', dataDir, ...(url === undefined ? [] : ['--database-url', url])];
    const made = await countersign(['user', 'create', 'root', '--admin', '--password-stdin', ...place], { cwd: folder, input: PASSWORD });
    expect(made.code, made.stderr).toBe(0);
    server = await startServer({ dataDir, databaseUrl: url });
    provider = await startIdentityProvider({ redirectUri: `${server.url}/login/callback` });
    issuer = await startCiIssuer();
  });

  afterAll(async () => {
    await issuer.close();
    await provider.close();
    await server.stop();
    rmSync(folder, { recursive: true });
  });

  async function admin(args: readonly string[], input?: string): Promise<Ended> {
    const env = { COUNTERSIGN_SERVER: server.url, MLFLOW_TRACKING_USERNAME: 'root', MLFLOW_TRACKING_PASSWORD: PASSWORD };
    const ended = await countersign(args, { cwd: folder, env, input });
    expect(ended.code, `${args.join(' ')}: ${ended.stderr}`).toBe(0);
    return ended;
  }

  const asRoot = { authorization: `Basic ${Buffer.from(`root:${PASSWORD}`).toString('base64')}` };

  it('an administrator connects the provider, maps groups, and makes a workspace for each department', async () => {
    await admin(['group', 'create', 'risk-team']);
    const { issuer: url } = provider;
    await admin(
      [
        'provider',
        'add',
        'corp',
        '--issuer',
        url,
        '--client-id',
        CLIENT.id,
        '--client-secret-stdin',
        '--scope',
        'openid',
        'profile',
        'email',
        'groups',
        '--group',
        'g-risk=risk-team',
      ],
      CLIENT.secret,
    );
    const naming = ['--name-pattern', 'risk\\..+', '--name-message', 'Call it risk.<name>.'];
    await admin(['workspace', 'create', 'risk', ...naming, '--quota-versions', '2', '--set', 'encrypt_artifacts=true']);
    await admin(['workspace', 'create', 'people']);
    await admin(['grant', 'set', 'USE', '--group', 'risk-team', '--on-workspace', '--workspace', 'risk']);
  });

  it('a data scientist signs in by the provider and makes a token', async () => {
    provider.people.set('s-ann', { preferred_username: 'ann', name: 'Ann Example', email: 'ann@corp.example', groups: ['g-risk'] });
    provider.subject = 's-ann';
    const browser = new Browser();
    const page = await browser.visit(`${server.url}/login/start?provider=corp`);
    expect([page.status, page.text]).toEqual([200, expect.stringContaining('ann')]);
    const made = await browser.submit(`${server.url}/account/tokens`, { name: 'notebook', scope: 'write', days: '30' });
    token = /csk_[\w-]{43}/.exec(made.text)?.[0] ?? '';
    expect((await ask(server, 'GET', '/api/v1/me', { as: token })).body).toMatchObject({ principal: { name: 'ann' } });
  });

  it.skipIf(newestPython === undefined)('with that token the unmodified client does all of its work, within what she may see', async () => {
    const script = resolve(import.meta.dirname, '../mlflow-clients/team.py');
    const env = { MLFLOW_TRACKING_URI: server.url, MLFLOW_TRACKING_TOKEN: token };
    const result = await runPython(newestPython ?? '', [script, 'risk', MARKER], env);
    expect(result.code, result.stderr.slice(-3000)).toBe(0);
    expect(result.stdout).toContain('done');
  });

  it.skipIf(newestPython === undefined)('her files are not readable on the disk', () => {
    const files = readdirSync(dataDir, { recursive: true, withFileTypes: true }).filter((entry) => entry.isFile());
    expect(files.length).toBeGreaterThan(5);
    const readable = files.filter((entry) => readFileSync(join(entry.parentPath, entry.name)).includes(MARKER));
    expect(readable.map((entry) => entry.name)).toEqual([]);
  });

  it.skipIf(newestPython === undefined)(
    'a job of the team registers a version by its own identity, and one of a fork does not',
    async () => {
      const known = [
        '--repository-id',
        '456789',
        '--owner-id',
        '123456',
        '--workflow',
        '.github/workflows/release.yml',
        '--ref',
        'refs/heads/main',
      ];
      const made = ['ci-trust', 'add', 'release', '--kind', 'github', '--issuer', issuer.issuer, '--audience', 'registry', ...known];
      await admin([...made, '--scope', 'read', 'versions:create']);
      await admin(['grant', 'set', 'EDIT', '--ci', 'ci:release', '--model-prefix', 'risk.', '--workspace', 'risk']);
      await admin(['workspace', 'update', 'risk', '--quota-versions', '3']);
      const exchange = async (change: object) => {
        const body = { token: await issuer.sign({ ...githubClaims('registry', Date.now()), ...change }) };
        return ask(server, 'POST', '/api/v1/ci/token', { body });
      };
      expect((await exchange({ repository_id: '1', repository_owner_id: '2' })).status).toBe(401);
      const { status, body } = await exchange({});
      expect(status, JSON.stringify(body)).toBe(200);
      const version = { name: 'risk.churn', source: 'models:/risk.churn/2' };
      const created = await ask(server, 'POST', '/api/2.0/mlflow/model-versions/create', {
        as: body.access_token,
        headers: IN_RISK,
        body: version,
      });
      expect([created.status, created.body.model_version?.version], JSON.stringify(created.body)).toEqual([200, '3']);
    },
  );

  it('whoever leaves the group leaves the workspace at the next sign-in; the record knows who could act before', async () => {
    const seen = async () =>
      (await ask(server, 'GET', '/api/2.0/mlflow/experiments/search?max_results=5', { as: token, headers: IN_RISK })).status;
    expect(await seen()).toBe(200);
    provider.people.set('s-ann', { preferred_username: 'ann', groups: [] });
    provider.subject = 's-ann';
    await new Browser().visit(`${server.url}/login/start?provider=corp`);
    const grants = await ask(server, 'GET', '/api/v1/events?limit=100', { headers: { ...asRoot } });
    const types = grants.body.events.map((event: { type: string }) => event.type);
    expect(types).toContain('group.member-removed');
    expect((await ask(server, 'GET', '/api/v1/me', { as: token })).status).toBe(200);
    // What she made herself she still manages; all else of the workspace is gone for her.
    if (newestPython === undefined) expect(await seen()).toBe(404);
  });

  it('a person is erased by one command, and the record still verifies', async () => {
    await admin(['user', 'erase', 'ann', '--confirm', 'ann']);
    expect((await ask(server, 'GET', '/api/v1/me', { as: token })).status).toBe(401);
    const events = await ask(server, 'GET', '/api/v1/events?limit=100', { headers: asRoot });
    expect(JSON.stringify(events.body)).not.toMatch(/Ann Example|ann@corp\.example/);
    const verdict = await ask(server, 'GET', '/api/v1/events/verification', { headers: asRoot });
    expect(verdict.body).toMatchObject({ ok: true });
  });
});
