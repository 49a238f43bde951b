/** Ways around a grant: a second name in a request, another workspace's objects, a scope of one run, bytes for whoever may only look. */
import * as workspaces from '@countersign/server/features/workspaces/workspaces.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addToken, addUser, ask, grant, listRoutes, openApp, type Person, type RunningApp } from '../support/app.ts';
import { EXPECTATIONS, routeKey } from './permission-expectations.ts';
import { makeObjects, type Objects, REQUESTS } from './permission-requests.ts';

const API = '/api/2.0/mlflow';
const AJAX = '/ajax-api/2.0/mlflow';
const routes = await listRoutes();

describe('whoever may see or manage some objects', () => {
  let app: RunningApp;
  let own: Objects;
  let secret: Objects;
  let user: Person;
  let viewer: Person;
  let elsewhere: Person;
  let runToken: string;

  beforeAll(async () => {
    app = await openApp();
    const { ctx } = app;
    const admin = await addUser(ctx, 'admin', { isAdmin: true });
    await workspaces.changeSettings(ctx, { member_level: 'NONE' });
    own = await makeObjects(ctx, 'own');
    secret = await makeObjects(ctx, 'secret');
    user = await addUser(ctx, 'user');
    viewer = await addUser(ctx, 'viewer');
    elsewhere = await addUser(ctx, 'elsewhere');
    for (const [person, level, objects] of [
      [user, 'MANAGE', own],
      [viewer, 'VIEW', secret],
      [viewer, 'MANAGE', own],
    ] as const) {
      const to = { accountId: person.account.id };
      await grant(ctx, to, { kind: 'experiment', id: Number(objects.experimentId) }, level);
      await grant(ctx, to, { kind: 'registered-model', id: objects.modelId }, level);
    }
    const other = await workspaces.createWorkspace(ctx, { name: 'other' });
    await grant({ ...ctx, workspace: other }, { accountId: elsewhere.account.id }, { kind: 'workspace' }, 'MANAGE');
    runToken = await addToken(ctx, admin.account, [`run:${own.runId}`]);
  });
  afterAll(() => app.close());

  async function expectRefused(method: string, path: string, as: string, body?: unknown): Promise<void> {
    const { status, body: answer } = await ask(app, method, path, { as, ...(body === undefined ? {} : { body }) });
    expect([status, path, answer]).toEqual([403, path, expect.objectContaining({ error_code: 'PERMISSION_DENIED' })]);
  }

  test('reaches no other object by naming an own one beside it', async () => {
    for (const as of [user.secret, runToken]) {
      const mine = [
        `run_id=${own.runId}`,
        `run_ids=${own.runId}&run_ids=${own.runId}`,
        `run_uuid=${own.runId}`,
        `model_id=${own.loggedModelId}`,
      ];
      for (const also of [...mine, `name=${own.model}`]) {
        await expectRefused('GET', `/model-versions/get-artifact?${also}&name=${secret.model}&version=1&path=MLmodel`, as);
        await expectRefused('GET', `${AJAX}/logged-models/${secret.loggedModelId}/artifacts/files?artifact_file_path=MLmodel&${also}`, as);
      }
      for (const twice of [`run_id=${own.runId}&run_id=${secret.runId}`, `run_id=${secret.runId}&run_uuid=${own.runId}`]) {
        await expectRefused('GET', `/get-artifact?path=model/MLmodel&${twice}`, as);
        await expectRefused('GET', `${API}/runs/get?${twice}`, as);
        await expectRefused('GET', `${API}/artifacts/list?${twice}`, as);
      }
      await expectRefused('POST', `${AJAX}/upload-artifact?run_id=${own.runId}&run_uuid=${secret.runId}&path=a`, as, {});
      await expectRefused('GET', `${AJAX}/metrics/get-history-bulk?metric_key=loss&run_id=${own.runId}&run_id=${secret.runId}`, as);
      await expectRefused(
        'GET',
        `${API}/metrics/get-history-bulk-interval?metric_key=loss&run_ids=${own.runId}&run_ids=${secret.runId}`,
        as,
      );
      await expectRefused('POST', `${API}/runs/update`, as, { run_id: own.runId, run_uuid: secret.runId, run_name: 'x' });
      for (const body of [
        {
          run_id: own.runId,
          models: [
            { model_id: own.loggedModelId, step: 1 },
            { model_id: secret.loggedModelId, step: 1 },
          ],
        },
        { run_id: own.runId, metrics: [{ key: 'k', value: 1, timestamp: 1, step: 1, model_id: secret.loggedModelId }] },
      ])
        await expectRefused('POST', `${API}/runs/${'models' in body ? 'outputs' : 'log-batch'}`, as, body);
    }
  });

  test('compares no version with one of a model that he may not see', async () => {
    await expectRefused('GET', `/api/v1/models/own/versions/1/comparison?with=secret/1`, user.secret);
    expect((await ask(app, 'GET', `/api/v1/models/own/versions/1/comparison?with=secret/1`, { as: viewer.secret })).status).toBe(200);
  });

  test('sees a comparison without the params and metrics of a run that he may not see', async () => {
    const { ctx } = app;
    const reader = await addUser(ctx, 'reader of models');
    await grant(ctx, { accountId: reader.account.id }, { kind: 'registered-model', id: own.modelId }, 'READ');
    const answer = await ask(app, 'GET', '/api/v1/models/own/versions/1/comparison?with=1', { as: reader.secret });
    expect(answer.body).toMatchObject({ params: [], metrics: [], from: { facts_from: ['sealed files'] } });
    const seen = await ask(app, 'GET', '/api/v1/models/own/versions/1/comparison?with=1', { as: user.secret });
    expect(seen.body).toMatchObject({ metrics: [{ name: 'loss' }], from: { facts_from: ['run', 'sealed files'] } });
  });

  test('makes no version of his own from bytes that he may only look at', async () => {
    const create = `${API}/model-versions/create`;
    const sources = [
      { source: `runs:/${secret.runId}/model`, run_id: secret.runId },
      { source: `runs:/${secret.runId}/model` },
      { source: `models:/${secret.loggedModelId}` },
      { source: `models:/${secret.loggedModelId}`, model_id: secret.loggedModelId },
      { source: `models:/${secret.model}/1` },
      { source: `models:/${secret.model}@champion` },
      { source: `models:/${secret.model}/77` },
      { source: 'models:/nothing/1' },
      { source: `mlflow-artifacts:/${secret.runPath}/model`, run_id: secret.runId },
      { source: `mlflow-artifacts:/${secret.loggedModelPath}`, model_id: secret.loggedModelId },
    ];
    for (const from of sources) await expectRefused('POST', create, viewer.secret, { name: own.model, ...from });
    // Claimed to lie in a run of his own, which it doesn't.
    const claimed = { name: own.model, source: `mlflow-artifacts:/${secret.runPath}/model`, run_id: own.runId };
    expect((await ask(app, 'POST', create, { as: viewer.secret, body: claimed })).status).toBe(400);
  });

  test('reads no byte of what he may only look at', async () => {
    for (const path of [
      `/get-artifact?run_id=${secret.runId}&path=model/MLmodel`,
      `/get-artifact?run_uuid=${secret.runId}&path=model/MLmodel`,
      `/model-versions/get-artifact?name=${secret.model}&version=1&path=MLmodel`,
      `${AJAX}/logged-models/${secret.loggedModelId}/artifacts/files?artifact_file_path=MLmodel`,
      `${API}/model-versions/get-download-uri?name=${secret.model}&version=1`,
      ...['/api/2.0', '/ajax-api/2.0'].flatMap((prefix) =>
        [`${secret.runPath}/model/MLmodel`, `${secret.loggedModelPath}/MLmodel`, `${secret.sealedPath}/MLmodel`].flatMap((file) => [
          `${prefix}/mlflow-artifacts/artifacts/${file}`,
          `${prefix}/mlflow-artifacts/artifacts/./${file.replaceAll('/', '//')}`,
          `${prefix}/mlflow-artifacts/artifacts/${file.replace('MLmodel', '%4DLmodel')}`,
          `${prefix}/mlflow-artifacts/presigned/${file}`,
        ]),
      ),
    ])
      await expectRefused('GET', path, viewer.secret);
    await expectRefused('POST', `${API}/artifacts/presigned-download-url`, viewer.secret, { run_id: secret.runId, path: 'model/MLmodel' });
    const seen = await ask(app, 'GET', `${API}/artifacts/list?run_id=${secret.runId}&path=model`, { as: viewer.secret });
    expect(seen.body).toMatchObject({ files: [{ path: 'model/MLmodel' }] });
  });

  test('manages another workspace, and finds nothing of this one there', async () => {
    const wrong: string[] = [];
    for (const { method, path } of routes) {
      const key = routeKey(method, path);
      const make = REQUESTS[key];
      const who = EXPECTATIONS.get(key)?.who;
      if (make === undefined || (who !== 'experiment' && who !== 'model')) continue;
      const { params, query, body } = make(secret, key);
      const filled = path.replace(/:(\w+)|\*/g, (whole, name?: string) =>
        whole === '*' ? (params?.['*'] ?? '') : encodeURIComponent(params?.[name ?? ''] ?? ''),
      );
      const pairs = Object.entries(query ?? {}).flatMap(([name, value]) => [value].flat().map((each) => [name, each] as [string, string]));
      const answer = await ask(app, method, `${filled}?${new URLSearchParams(pairs)}`, {
        as: elsewhere.secret,
        headers: { 'x-mlflow-workspace': 'other' },
        ...(body === undefined ? {} : { body }),
      });
      const isEmpty = ['{}', '{"metrics":[]}'].includes(JSON.stringify(answer.body));
      // An own folder of that path may be written, and an upload in parts is refused to everybody.
      const isOwnFolder = key.startsWith('PUT mlflow-artifacts/') || answer.status === 501;
      if (answer.status < 400 && !isEmpty && !isOwnFolder) wrong.push(`${method} ${path}: ${answer.status} ${JSON.stringify(answer.body)}`);
    }
    expect(wrong).toEqual([]);
    const file = await ask(app, 'GET', `/api/2.0/mlflow-artifacts/artifacts/${secret.runPath}/model/MLmodel`, {
      as: elsewhere.secret,
      headers: { 'x-mlflow-workspace': 'other' },
    });
    expect(file.status).toBe(404);
  });
});
