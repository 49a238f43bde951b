import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addToken, addUser, ask, grant, openApp, type Person, type RunningApp } from '../../../../test/support/app.ts';
import * as accounts from '../features/accounts/accounts.ts';
import * as models from '../features/models/models.ts';
import * as tokens from '../features/tokens/tokens.ts';

const MODEL = '/api/2.0/mlflow/registered-models/get?name=prod.churn';
const basic = (name: string, password: string): Record<string, string> => ({
  authorization: `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`,
});

describe('a server without accounts', () => {
  it('takes everybody for the local administrator, whatever credentials they send, but not through a proxy', async () => {
    const app = await openApp();
    expect((await ask(app, 'POST', '/api/2.0/mlflow/registered-models/create', { body: { name: 'a' } })).status).toBe(200);
    expect((await ask(app, 'GET', '/api/2.0/mlflow/registered-models/get?name=a', { headers: basic('nobody', 'wrong') })).status).toBe(200);
    for (const name of ['x-forwarded-for', 'forwarded', 'via']) {
      const refused = await ask(app, 'GET', '/api/2.0/mlflow/registered-models/get?name=a', { headers: { [name]: '203.0.113.9' } });
      expect([refused.status, refused.body.error_code]).toEqual([403, 'PERMISSION_DENIED']);
    }
    await app.close();
  });
});

describe('a server with accounts', () => {
  let app: RunningApp;
  let admin: Person;
  let ann: Person;
  let modelId: number;

  beforeAll(async () => {
    app = await openApp();
    admin = await addUser(app.ctx, 'root', { isAdmin: true, password: 'correct horse battery' });
    ann = await addUser(app.ctx, 'ann', { password: 'twelve characters' });
    modelId = (await models.create(app.ctx, { name: 'prod.churn', tags: [] })).id;
  });
  afterAll(() => app.close());

  const status = async (path: string, as?: string, headers: Record<string, string> = {}): Promise<number> =>
    (await ask(app, 'GET', path, { as, headers })).status;

  it('answers 401 with one sentence to everything that is no valid credential', async () => {
    const wrong: Record<string, string>[] = [
      {},
      { authorization: 'Bearer nothing' },
      { authorization: `Bearer csk_${'A'.repeat(43)}` },
      { authorization: 'Negotiate abc' },
      { authorization: 'Basic !!!' },
      basic('ann', 'wrong password!'),
      basic('nobody', 'twelve characters'),
      basic('root', ann.secret),
      basic('ann\0', 'twelve characters'),
      { cookie: `countersign_session=${ann.secret}` },
    ];
    const answers = await Promise.all(wrong.map((headers) => ask(app, 'GET', MODEL, { headers })));
    expect(answers.map((answer) => answer.status)).toEqual(wrong.map(() => 401));
    expect(new Set(answers.map((answer) => answer.body.message)).size).toBe(1);
    expect(answers[0]?.body.message).toMatch(/^You are not authenticated\./);
    expect(answers[0]?.headers.get('www-authenticate')).toBe('Basic realm="mlflow"');
  });

  it('takes passwords, tokens, and tokens in place of a password', async () => {
    expect(await status(MODEL, undefined, basic('ann', 'twelve characters'))).toBe(200);
    expect(await status(MODEL, ann.secret)).toBe(200);
    expect(await status(MODEL, undefined, basic('ann', ann.secret))).toBe(200);
    expect(await status(MODEL, undefined, basic('token', ann.secret))).toBe(200);
  });

  it('leaves health and server-info open, and the metrics to those with an account', async () => {
    expect(await status('/health')).toBe(200);
    expect(await status('/api/3.0/mlflow/server-info')).toBe(200);
    expect(await status('/metrics')).toBe(401);
    expect(await status('/metrics', ann.secret)).toBe(200);
  });

  it('ends a token at once: revoked, expired, account disabled, password changed', async () => {
    const secret = await addToken(app.ctx, ann.account, ['read']);
    expect(await status(MODEL, secret)).toBe(200);
    const [token] = (await tokens.list(app.ctx, ann.account.id)).slice(-1);
    if (token) await tokens.revoke(app.ctx, token);
    expect(await status(MODEL, secret)).toBe(401);

    const short = await addToken(app.ctx, ann.account, ['read'], Date.now() + 150);
    expect(await status(MODEL, short)).toBe(200);
    await new Promise((resolve) => setTimeout(resolve, 200));
    expect(await status(MODEL, short)).toBe(401);

    const bob = await addUser(app.ctx, 'bob', { password: 'another password' });
    expect(await status(MODEL, undefined, basic('bob', 'another password'))).toBe(200);
    await accounts.setPassword(app.ctx, bob.account, 'a third password');
    expect(await status(MODEL, undefined, basic('bob', 'another password'))).toBe(401);
    expect(await status(MODEL, undefined, basic('bob', 'a third password'))).toBe(200);
    await accounts.setState(app.ctx, bob.account, 'disabled');
    expect(await status(MODEL, undefined, basic('bob', 'a third password'))).toBe(401);
    expect(await status(MODEL, bob.secret)).toBe(401);
  });

  it('limits a token to its scopes', async () => {
    const reader = await addToken(app.ctx, admin.account, ['read']);
    expect(await status(MODEL, reader)).toBe(200);
    const tag = { name: 'prod.churn', key: 'k', value: 'v' };
    const refused = await ask(app, 'POST', '/api/2.0/mlflow/registered-models/set-tag', { as: reader, body: tag });
    expect([refused.status, refused.body.message]).toEqual([403, expect.stringContaining('the scope of this token')]);
    const writer = await addToken(app.ctx, admin.account, ['write']);
    expect((await ask(app, 'POST', '/api/2.0/mlflow/registered-models/set-tag', { as: writer, body: tag })).status).toBe(200);
    expect((await ask(app, 'GET', '/api/2.0/mlflow/webhooks', { as: writer })).status).toBe(403);
  });

  it('gives what is granted on one model, to those it is granted to', async () => {
    const rename = { name: 'prod.churn', new_name: 'prod.churn' };
    const path = '/api/2.0/mlflow/registered-models/rename';
    expect((await ask(app, 'POST', path, { as: ann.secret, body: rename })).status).toBe(403);
    await grant(app.ctx, { accountId: ann.account.id }, { kind: 'registered-model', id: modelId }, 'MANAGE_PRODUCTION');
    expect((await ask(app, 'POST', path, { as: ann.secret, body: rename })).status).toBe(200);
    await grant(app.ctx, { accountId: ann.account.id }, { kind: 'registered-model', prefix: 'prod.' }, 'DENY');
    expect(await status(MODEL, ann.secret)).toBe(403);
    expect(await status(MODEL, admin.secret)).toBe(200);
  });

  it('makes whoever creates a model its manager', async () => {
    const made = await ask(app, 'POST', '/api/2.0/mlflow/registered-models/create', { as: ann.secret, body: { name: 'mine' } });
    expect(made.status).toBe(200);
    expect((await ask(app, 'DELETE', '/api/2.0/mlflow/registered-models/delete', { as: ann.secret, body: { name: 'mine' } })).status).toBe(
      200,
    );
  });

  it('answers wrong passwords without looking once there were too many, and goes on knowing who signed in before', async () => {
    await addUser(app.ctx, 'eve', { password: 'the right password' });
    expect(await status(MODEL, undefined, basic('eve', 'the right password'))).toBe(200);
    for (let i = 0; i < 10; i++) expect(await status(MODEL, undefined, basic('eve', `guess number ${i}`))).toBe(401);
    const before = performance.now();
    expect(await status(MODEL, undefined, basic('eve', 'one guess more'))).toBe(401);
    expect(await status(MODEL, undefined, basic('eve', 'the right password'))).toBe(200);
    expect(performance.now() - before).toBeLessThan(5000);
  });
});

describe('a token of one run', () => {
  it('logs to that run, its models and their files, and to nothing else', async () => {
    const app = await openApp();
    const admin = await addUser(app.ctx, 'root', { isAdmin: true });
    const run = async (): Promise<string> =>
      (await ask(app, 'POST', '/api/2.0/mlflow/runs/create', { as: admin.secret, body: { experiment_id: '0' } })).body.run.info.run_id;
    const [own, other] = [await run(), await run()];
    const as = await addToken(app.ctx, admin.account, [`run:${own}`]);
    const log = async (id: string): Promise<number> =>
      (await ask(app, 'POST', '/api/2.0/mlflow/runs/log-metric', { as, body: { run_id: id, key: 'm', value: 1, timestamp: 1, step: 0 } }))
        .status;
    expect([await log(own), await log(other)]).toEqual([200, 403]);
    const put = async (id: string): Promise<number> =>
      (await ask(app, 'PUT', `/api/2.0/mlflow-artifacts/artifacts/0/${id}/artifacts/a.txt`, { as, body: 'x' })).status;
    expect([await put(own), await put(other)]).toEqual([200, 403]);
    expect((await ask(app, 'GET', `/api/2.0/mlflow/runs/get?run_id=${own}`, { as })).status).toBe(200);
    expect((await ask(app, 'GET', '/api/2.0/mlflow/experiments/get?experiment_id=0', { as })).status).toBe(200);
    expect((await ask(app, 'POST', '/api/2.0/mlflow/runs/create', { as, body: { experiment_id: '0' } })).status).toBe(403);
    const made = await ask(app, 'POST', '/api/2.0/mlflow/logged-models', { as, body: { experiment_id: '0', source_run_id: own } });
    expect(made.status).toBe(200);
    const modelId = made.body.model.info.model_id;
    expect(
      (await ask(app, 'PUT', `/api/2.0/mlflow-artifacts/artifacts/0/models/${modelId}/artifacts/MLmodel`, { as, body: 'x' })).status,
    ).toBe(200);
    expect(
      (await ask(app, 'POST', '/api/2.0/mlflow/logged-models', { as, body: { experiment_id: '0', source_run_id: other } })).status,
    ).toBe(403);
    await app.close();
  });
});
