/** From the token of a CI job to the person who started it: through the exchange, the wire, and the native API. */
import * as people from '@countersign/server/features/people/people.ts';
import { PostgresDatabase } from '@countersign/server/platform/db/postgres.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { addUser, ask, grant, openApp, type Person, type RunningApp } from '../support/app.ts';
import { type CiIssuer, githubClaims, gitlabClaims, startCiIssuer } from '../support/ci-issuer.ts';
import { onBothDatabases } from '../support/databases.ts';
import type { Answer } from '../support/server.ts';

const AUDIENCE = 'https://registry.example';
const ALICE_AT_GITHUB = '583231';
const ALICE_AT_GITLAB = '41';

onBothDatabases('people behind jobs', (databaseUrl) => {
  let app: RunningApp;
  let issuer: CiIssuer;
  let root: Person;
  let alice: Person;

  const asRoot = (method: string, path: string, body?: unknown): Promise<Answer> => ask(app, method, path, { as: root.secret, body });
  const exchange = async (token: string): Promise<string> => {
    const { status, body } = await ask(app, 'POST', '/api/v1/ci/token', { body: { token } });
    expect(status, JSON.stringify(body)).toBe(200);
    return body.access_token;
  };
  const githubJob = async (change: object): Promise<string> =>
    exchange(await issuer.sign({ ...githubClaims(AUDIENCE, Date.now()), ...change }));
  const gitlabJob = async (change: object): Promise<string> =>
    exchange(await issuer.sign({ ...gitlabClaims(issuer.issuer, AUDIENCE, Date.now()), ...change }));
  /** The principal that a version names. */
  const register = async (token: string): Promise<number> => {
    const made = await ask(app, 'POST', '/api/2.0/mlflow/model-versions/create', {
      as: token,
      body: { name: 'churn', source: 's3://bucket/m' },
    });
    expect(made.status, JSON.stringify(made.body)).toBe(200);
    const row = await app.ctx.db.one<{ written_by: number }>('SELECT written_by FROM model_versions ORDER BY id DESC LIMIT 1');
    return row?.written_by ?? -1;
  };
  const behind = async (id: number) => {
    const { principals } = await people.readPeople(app.ctx, { ids: [id], groups: [], model: undefined, changedSince: Date.now() + 1 });
    return principals.find((each) => each.id === id);
  };
  const link = (user: string, actor_id: string) =>
    asRoot('PUT', `/api/v1/users/${user}/ci-identities`, { issuer: issuer.issuer, actor_id });

  beforeAll(async () => {
    const url = await databaseUrl();
    app = await openApp(url === undefined ? {} : { db: new PostgresDatabase(url) });
    issuer = await startCiIssuer();
    root = await addUser(app.ctx, 'root', { isAdmin: true });
    alice = await addUser(app.ctx, 'alice');
    const trust = { issuer: issuer.issuer, audience: AUDIENCE, scopes: ['read', 'write', 'versions:create'] };
    const github = {
      repository_id: '456789',
      repository_owner_id: '123456',
      workflow_ref: '.github/workflows/release.yml',
      ref: 'refs/heads/main',
    };
    const gitlab = { project_id: '20', namespace_id: '72', ci_config_ref_uri: '.gitlab-ci.yml', ref: 'main' };
    for (const [name, kind, claims] of [
      ['release', 'github', github],
      ['vision', 'gitlab', gitlab],
    ] as const) {
      const added = await asRoot('POST', '/api/v1/ci-trusts', { ...trust, name, kind, claims });
      expect(added.status, JSON.stringify(added.body)).toBe(201);
      const account = await app.ctx.db.one<{ id: number }>('SELECT id FROM principals WHERE name = ?', `ci:${name}`);
      await grant(app.ctx, { accountId: account?.id ?? 0 }, { kind: 'registered-model' }, 'EDIT');
    }
    expect((await asRoot('POST', '/api/2.0/mlflow/registered-models/create', { name: 'churn' })).status).toBe(200);
  });

  afterAll(async () => {
    await app.close();
    await issuer.close();
  });

  it('a job that Alice started is Alice, another of the same trust is nobody, and both have the access of the trust', async () => {
    const alices = await register(await githubJob({ actor_id: ALICE_AT_GITHUB, run_id: '1' }));
    const others = await register(await githubJob({ actor_id: '99', run_id: '2' }));
    expect(alices).not.toBe(others);
    expect((await behind(alices))?.persons).toEqual([]);
    const linked = await link('alice', ALICE_AT_GITHUB);
    expect([linked.status, linked.body]).toEqual([200, expect.objectContaining({ issuer: issuer.issuer, actor_id: ALICE_AT_GITHUB })]);
    expect(await behind(alices)).toMatchObject({
      kind: 'ci',
      name: 'ci:github:octo/churn@release.yml#1',
      trust: 'release',
      isActive: true,
      persons: [alice.account.id],
    });
    expect(await behind(others)).toMatchObject({ trust: 'release', persons: [] });
    expect((await behind(alices))?.account).toBe((await behind(others))?.account);
    const gitlabs = await register(await gitlabJob({ user_id: ALICE_AT_GITLAB }));
    expect((await link('alice', ALICE_AT_GITLAB)).status).toBe(200);
    expect(await behind(gitlabs)).toMatchObject({ trust: 'vision', persons: [alice.account.id] });
  });

  it('who acted is the job, in what it is told and in what is told of it; a second token of the same run is the same', async () => {
    const token = await githubJob({ actor_id: ALICE_AT_GITHUB, run_id: '3' });
    const { principal } = (await ask(app, 'GET', '/api/v1/me', { as: token })).body;
    expect(principal).toEqual({ id: expect.any(Number), kind: 'ci', name: 'ci:github:octo/churn@release.yml#3' });
    expect(await register(token)).toBe(principal.id);
    expect(await register(await githubJob({ actor_id: ALICE_AT_GITHUB, run_id: '3' }))).toBe(principal.id);
    expect(await register(await githubJob({ actor_id: '99', run_id: '3' }))).not.toBe(principal.id);
    const { versions } = (await asRoot('GET', '/api/v1/models/churn/versions')).body;
    expect(versions.map((each: { written_by: { name: string } }) => each.written_by.name)).toContain('ci:github:octo/churn@release.yml#3');
    const { events } = (await asRoot('GET', '/api/v1/models/churn/events')).body;
    expect(events[0].principal).toMatchObject({ kind: 'ci', name: 'ci:github:octo/churn@release.yml#3' });
    // What it makes is managed by the trust's account, so that the next job manages it too.
    const account = (await behind(principal.id))?.account ?? 0;
    await grant(app.ctx, { accountId: account }, { kind: 'workspace' }, 'USE');
    const made = await ask(app, 'POST', '/api/2.0/mlflow/registered-models/create', { as: token, body: { name: 'made by a job' } });
    expect(made.status, JSON.stringify(made.body)).toBe(200);
    const managers = await app.ctx.db.all<{ subject_id: number }>("SELECT subject_id FROM grants WHERE level = 'MANAGE'");
    expect(managers.map((each) => each.subject_id)).toContain(account);
    expect(managers.map((each) => each.subject_id)).not.toContain(principal.id);
  });

  it('is said by administrators alone, once, and can be taken back', async () => {
    const path = '/api/v1/users/alice/ci-identities';
    const body = { issuer: issuer.issuer, actor_id: '7' };
    expect((await ask(app, 'PUT', path, { as: alice.secret, body })).status).toBe(403);
    expect((await link('root', ALICE_AT_GITHUB)).body.error_code).toBe('RESOURCE_ALREADY_EXISTS');
    expect((await link('alice', 'monalisa')).status).toBe(400);
    const listed = await asRoot('GET', path);
    expect(listed.body.identities.map((each: { actor_id: string }) => each.actor_id)).toEqual([ALICE_AT_GITLAB, ALICE_AT_GITHUB]);
    const query = `?issuer=${encodeURIComponent(issuer.issuer)}&actor_id=${ALICE_AT_GITHUB}`;
    expect((await asRoot('DELETE', `${path}${query}`)).status).toBe(200);
    expect((await asRoot('DELETE', `${path}${query}`)).status).toBe(404);
    const { body: record } = await asRoot('GET', '/api/v1/events?limit=200');
    const types = record.events.map((each: { type: string }) => each.type);
    expect(types).toEqual(expect.arrayContaining(['account.ci-linked', 'account.ci-unlinked']));
    const event = record.events.find((each: { type: string }) => each.type === 'account.ci-linked');
    expect(event.texts.actor_id).toBe(ALICE_AT_GITLAB);
    expect(event.body).not.toContain(`"${ALICE_AT_GITLAB}"`);
  });

  it('named permissions are given and taken by managers of the workspace', async () => {
    const path = '/api/v1/named-permissions/break-glass/holders';
    expect((await ask(app, 'PUT', `${path}/user/alice`, { as: alice.secret, body: {} })).status).toBe(403);
    expect((await asRoot('POST', '/api/v1/groups', { name: 'on-call' })).status).toBe(201);
    for (const holder of ['user/alice', 'group/on-call', 'group/on-call']) {
      const given = await asRoot('PUT', `${path}/${holder}`, {});
      expect(given.status, JSON.stringify(given.body)).toBe(200);
    }
    expect((await asRoot('PUT', `${path}/user/nobody`, {})).status).toBe(404);
    expect((await asRoot('PUT', `${path}/service-account/x`, {})).status).toBe(400);
    const { holdings } = (await asRoot('GET', path)).body;
    expect(holdings.map((each: { holder: { kind: string; name: string } }) => [each.holder.kind, each.holder.name])).toEqual([
      ['group', 'on-call'],
      ['user', 'alice'],
    ]);
    expect((await asRoot('GET', '/api/v1/named-permissions')).body.holdings).toEqual(holdings);
    expect((await behind(alice.account.id))?.permissions).toEqual(['break-glass']);
    expect((await asRoot('DELETE', `${path}/user/alice`)).status).toBe(200);
    expect((await asRoot('DELETE', `${path}/user/alice`)).status).toBe(404);
    expect((await behind(alice.account.id))?.permissions).toEqual([]);
  });
});
