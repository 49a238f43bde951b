/** Jobs come in with the identity that their CI system gives them: a local issuer, GitHub's and GitLab's whole claim sets, every refusal. */

import { PostgresDatabase } from '@countersign/server/platform/db/postgres.ts';
import type { JWTPayload } from 'jose';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { addUser, ask, grant, openApp, type Person, type RunningApp } from '../support/app.ts';
import { type CiIssuer, githubClaims, gitlabClaims, type SignOptions, startCiIssuer } from '../support/ci-issuer.ts';
import { onBothDatabases } from '../support/databases.ts';
import type { Answer } from '../support/server.ts';

const AUDIENCE = 'https://registry.example';

onBothDatabases('CI identities', (databaseUrl) => {
  let app: RunningApp;
  let github: CiIssuer;
  let gitlab: CiIssuer;
  let root: Person;
  /** On the same database, where that has several. */
  let replica: RunningApp | undefined;

  beforeAll(async () => {
    const url = await databaseUrl();
    const open = () =>
      openApp({
        ...(url === undefined ? {} : { db: new PostgresDatabase(url) }),
        config: {
          guards: { enabled: true, allowedHosts: undefined, allowedOrigins: [], frameOptions: 'SAMEORIGIN' },
          staticPrefix: '',
          serves: 'all',
          publicUrl: AUDIENCE,
        },
      });
    app = await open();
    if (url !== undefined) replica = await open();
    github = await startCiIssuer();
    gitlab = await startCiIssuer();
    root = await addUser(app.ctx, 'root', { isAdmin: true });
  });

  afterAll(async () => {
    await replica?.close();
    await app.close();
    await github.close();
    await gitlab.close();
  });

  const asRoot = (method: string, path: string, body?: unknown) => ask(app, method, path, { as: root.secret, body });
  const exchange = (token: string, trust?: string, at = app): Promise<Answer> =>
    ask(at, 'POST', '/api/v1/ci/token', { body: { token, ...(trust === undefined ? {} : { trust }) } });
  const job = async (change: Readonly<Record<string, unknown>> = {}, options?: SignOptions): Promise<Answer> =>
    exchange(await github.sign({ ...githubClaims(AUDIENCE, Date.now()), ...change }, options));

  it('an administrator makes a trust, which makes an account that may do nothing yet', async () => {
    const trust = {
      name: 'churn-release',
      kind: 'github',
      issuer: github.issuer,
      claims: {
        repository_id: '456789',
        repository_owner_id: '123456',
        workflow_ref: '.github/workflows/release.yml',
        ref: 'refs/heads/main',
        environment: 'production',
      },
      scopes: ['read', 'versions:create', 'check:bias'],
    };
    const refused = await asRoot('POST', '/api/v1/ci-trusts', { ...trust, claims: { ...trust.claims, sub: 'repo:octo/churn:*' } });
    expect([refused.status, refused.body.message]).toEqual([400, expect.stringContaining("can't go by sub")]);
    const added = await asRoot('POST', '/api/v1/ci-trusts', trust);
    expect(added.status, JSON.stringify(added.body)).toBe(201);
    expect(added.body).toMatchObject({ audience: AUDIENCE, account: 'ci:churn-release' });
    expect((await asRoot('POST', '/api/v1/ci-trusts', trust)).body.error_code).toBe('RESOURCE_ALREADY_EXISTS');
    expect((await asRoot('POST', '/api/v1/ci-trusts', { ...trust, name: 'x', issuer: 'http://ci.example' })).status).toBe(400);
    expect((await asRoot('POST', '/api/v1/ci-trusts', { ...trust, name: 'x', scopes: ['admin'] })).status).toBe(400);
    const { secret } = await addUser(app.ctx, 'nobody-special');
    expect((await ask(app, 'GET', '/api/v1/ci-trusts', { as: secret })).status).toBe(403);
  });

  it('a job gets a short-lived token, by which it does what its scopes and grants allow, and no more', async () => {
    const answer = await job();
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
    const { access_token: token, expires_at, scopes, principal } = answer.body;
    expect(principal).toBe('ci:github:octo/churn@release.yml#8100');
    expect(scopes).toEqual(['read', 'versions:create', 'check:bias']);
    expect(expires_at - Date.now()).toBeGreaterThan(14 * 60_000);
    expect(expires_at - Date.now()).toBeLessThanOrEqual(15 * 60_000);

    const create = () =>
      ask(app, 'POST', '/api/2.0/mlflow/model-versions/create', { as: token, body: { name: 'churn', source: 's3://bucket/model' } });
    const model = await asRoot('POST', '/api/2.0/mlflow/registered-models/create', { name: 'churn' });
    expect(model.status).toBe(200);
    expect((await create()).status).toBe(403);
    const trust = await app.ctx.db.one<{ id: number }>("SELECT id FROM principals WHERE name = 'ci:churn-release'");
    await grant(app.ctx, { accountId: trust?.id ?? 0 }, { kind: 'registered-model', prefix: 'churn' }, 'EDIT');
    expect((await create()).status).toBe(200);
    const tag = { name: 'churn', key: 'k', value: 'v' };
    expect((await ask(app, 'POST', '/api/2.0/mlflow/registered-models/set-tag', { as: token, body: tag })).status).toBe(403);
    expect((await ask(app, 'GET', '/api/v1/ci-trusts', { as: token })).status).toBe(403);
  });

  it('the record keeps who came: the whole claim set beside the chain', async () => {
    const { body } = await asRoot('GET', '/api/v1/events?limit=100');
    const event = body.events.find((each: { type: string }) => each.type === 'ci-token.exchanged');
    expect(event.principal).toMatchObject({ kind: 'ci', name: 'ci:github:octo/churn@release.yml#8100' });
    expect(event.texts.principal).toBe('ci:github:octo/churn@release.yml#8100');
    expect(JSON.parse(event.texts.claims)).toMatchObject({
      actor: 'monalisa',
      actor_id: '583231',
      repository: 'octo/churn',
      run_attempt: '1',
    });
    expect(event.body).not.toContain('monalisa');
  });

  it('a token is exchanged once, whichever replicas it is sent to', async () => {
    const token = await github.sign(githubClaims(AUDIENCE, Date.now()));
    const answers = await Promise.all([app, replica ?? app, app, replica ?? app].map((at) => exchange(token, undefined, at)));
    expect(answers.map((each) => each.status).sort()).toEqual([200, 401, 401, 401]);
    expect((await exchange(token)).status).toBe(401);
  });

  it.each<[string, Readonly<Record<string, unknown>>, SignOptions?]>([
    ['a fork', { repository: 'mallory/churn', repository_id: '1', repository_owner: 'mallory', repository_owner_id: '2' }],
    ['a repository that got the name again', { repository_id: '999999' }],
    ['another branch', { ref: 'refs/heads/feature' }],
    ['a pull request', { ref: 'refs/pull/7/merge', event_name: 'pull_request' }],
    ['another environment', { environment: 'staging' }],
    ['no environment', { environment: undefined }],
    ['another workflow', { workflow_ref: 'octo/churn/.github/workflows/other.yml@refs/heads/main' }],
    ['another audience', { aud: 'https://github.com/octo' }],
    ['several audiences', { aud: [AUDIENCE, 'https://other.example'] }],
    ['no audience', { aud: undefined }],
    ['an end in the past', { exp: Math.floor(Date.now() / 1000) - 60 }],
    ['no end', { exp: undefined }],
    ['a beginning in the future', { nbf: Math.floor(Date.now() / 1000) + 3600 }],
    ['an issue in the future', { iat: Math.floor(Date.now() / 1000) + 3600 }],
    ['no time of issue', { iat: undefined }],
    ['no id', { jti: undefined }],
    ['an empty id', { jti: '' }],
    ['an issuer that nobody trusts', { iss: 'https://evil.example' }],
    ['another key', {}, { forged: true }],
    ['a key that the issuer does not have', {}, { kid: 'no-such-key', forged: true }],
    ['a signature with the public key as secret', {}, { alg: 'HS256' }],
    ['an algorithm that is not taken', {}, { alg: 'PS256' }],
  ])('a job with %s is refused as any other', async (_what, change, options) => {
    const answer = await job(change, options);
    expect([answer.status, answer.body.error_code]).toEqual([401, 'UNAUTHENTICATED']);
    expect(answer.body.message).toBe((await exchange('no token at all')).body.message);
  });

  it('a token without a signature is refused, and one that was changed', async () => {
    const [head = '', body = '', signature = ''] = (await github.sign(githubClaims(AUDIENCE, Date.now()))).split('.');
    const none = Buffer.from(JSON.stringify({ alg: 'none' })).toString('base64url');
    const other = Buffer.from(JSON.stringify({ ...JSON.parse(Buffer.from(body, 'base64url').toString()), run_id: '1' })).toString(
      'base64url',
    );
    for (const token of [`${none}.${body}.`, `${head}.${other}.${signature}`, `${head}.${body}.`, '..', 'a.b.c']) {
      expect((await exchange(token)).status, token).toBe(401);
    }
    expect((await exchange('x'.repeat(20_000))).status).toBe(400);
  });

  it('the token ends with the job’s, ten minutes later at most', async () => {
    const exp = Math.floor(Date.now() / 1000) - 10;
    const answer = await job({ exp });
    expect([answer.status, answer.body.expires_at]).toEqual([200, (exp + 600) * 1000]);
  });

  it('ES256 is taken as RS256 is', async () => {
    expect((await job({}, { alg: 'ES256' })).status).toBe(200);
  });

  it('a key that the issuer made since is found, and not more than once in a while looked for', async () => {
    await github.rotate();
    const asked = github.asked();
    expect((await job()).status).toBe(401);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 31_000 });
    try {
      expect((await job()).status).toBe(200);
      expect((await job({}, { kid: 'no-such-key' })).status).toBe(401);
      expect(github.asked()).toBe(asked + 1);
    } finally {
      vi.useRealTimers();
    }
  });

  it('GitLab’s jobs come in by project, namespace, pipeline file and branch; a tag of the branch’s name does not', async () => {
    const added = await asRoot('POST', '/api/v1/ci-trusts', {
      name: 'vision',
      kind: 'gitlab',
      issuer: gitlab.issuer,
      audience: 'countersign',
      claims: { project_id: '20', namespace_id: '72', ci_config_ref_uri: '.gitlab-ci.yml', ref: 'main', ref_protected: 'true' },
      scopes: ['read', 'write'],
    });
    expect(added.status, JSON.stringify(added.body)).toBe(201);
    const come = async (change: JWTPayload = {}) =>
      exchange(await gitlab.sign({ ...gitlabClaims(gitlab.issuer, 'countersign', Date.now()), ...change }));
    const answer = await come();
    expect([answer.status, answer.body.principal]).toEqual([200, 'ci:gitlab:vision/churn@.gitlab-ci.yml#302']);
    expect((await come({ ref_type: 'tag' })).status).toBe(401);
    expect((await come({ project_id: '21' })).status).toBe(401);
    expect((await come({ ref_protected: 'false' })).status).toBe(401);
    expect((await come({ ci_config_ref_uri: 'evil.example/vision/churn//.gitlab-ci.yml@refs/heads/main' })).status).toBe(401);
    expect((await come({ aud: AUDIENCE })).status).toBe(401);
  });

  it('a trust that is removed ends its jobs’ tokens at once', async () => {
    const { body } = await job();
    const me = () => ask(app, 'GET', '/api/v1/me', { as: body.access_token });
    expect((await ask(app, 'GET', '/api/2.0/mlflow/registered-models/get?name=churn', { as: body.access_token })).status).toBe(200);
    expect((await asRoot('DELETE', '/api/v1/ci-trusts/churn-release')).status).toBe(200);
    expect((await me()).status).toBe(401);
    expect((await job()).status).toBe(401);
    expect((await asRoot('GET', '/api/v1/ci-trusts')).body.trusts.map((each: { name: string }) => each.name)).toEqual(['vision']);
  });

  it('whoever sends wrong tokens is answered without a look for a while, in the same words', async () => {
    for (let n = 0; n < 300; n++) await exchange('wrong');
    const asked = gitlab.asked();
    const good = await exchange(await gitlab.sign(gitlabClaims(gitlab.issuer, 'countersign', Date.now())));
    expect([good.status, good.body.error_code, gitlab.asked()]).toEqual([401, 'UNAUTHENTICATED', asked]);
  });
});
