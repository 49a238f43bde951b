/** Workspaces over the wire: who sees which, what the header does, where files lie, and what quotas and names answer. On both databases. */
import * as workspaces from '@countersign/server/features/workspaces/workspaces.ts';
import { PostgresDatabase } from '@countersign/server/platform/db/postgres.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addUser, ask, grant, openApp, type Person, type RunningApp } from '../support/app.ts';
import { onBothDatabases } from '../support/databases.ts';

const AT = '/api/3.0/mlflow/workspaces';
const FILES = '/api/2.0/mlflow-artifacts/artifacts';

onBothDatabases('workspaces over the wire', (databaseUrl) => {
  let app: RunningApp;
  let root: Person;
  let ada: Person;
  let eve: Person;

  beforeAll(async () => {
    const url = await databaseUrl();
    app = await openApp(url === undefined ? {} : { db: new PostgresDatabase(url) });
    root = await addUser(app.ctx, 'root', { isAdmin: true });
    ada = await addUser(app.ctx, 'ada');
    eve = await addUser(app.ctx, 'eve');
  });
  afterAll(() => app.close());

  const as = (person: Person, method: string, path: string, body?: unknown, workspace?: string) =>
    ask(app, method, path, { as: person.secret, body, headers: workspace === undefined ? {} : { 'x-mlflow-workspace': workspace } });
  const put = async (person: Person, path: string, text: string, workspace?: string) => {
    const response = await fetch(`${app.url}${FILES}/${path}`, {
      method: 'PUT',
      body: text,
      headers: { authorization: `Bearer ${person.secret}`, ...(workspace === undefined ? {} : { 'x-mlflow-workspace': workspace }) },
    });
    return { status: response.status, text: await response.text() };
  };

  it('says that they are there', async () => {
    expect((await ask(app, 'GET', '/api/3.0/mlflow/server-info')).body).toMatchObject({ workspaces_enabled: true });
  });

  it('are made, changed and deleted by administrators, as upstream answers', async () => {
    const made = await as(root, 'POST', AT, { name: 'vision', description: 'Images' });
    expect(made).toMatchObject({ status: 201, body: { workspace: { name: 'vision', description: 'Images' } } });
    expect(await as(root, 'POST', AT, { name: 'vision' })).toMatchObject({ status: 400, body: { error_code: 'RESOURCE_ALREADY_EXISTS' } });
    expect(await as(root, 'POST', AT, { name: 'default' })).toMatchObject({ status: 400, body: { error_code: 'INVALID_PARAMETER_VALUE' } });
    expect(await as(ada, 'POST', AT, { name: 'mine' })).toMatchObject({ status: 403 });
    expect(await as(ada, 'PATCH', `${AT}/vision`, { description: 'mine' })).toMatchObject({ status: 403 });
    expect(await as(ada, 'DELETE', `${AT}/vision`)).toMatchObject({ status: 403 });
    const changed = await as(root, 'PATCH', `${AT}/vision`, { default_artifact_root: 's3://bucket/vision' });
    expect(changed.body).toEqual({ workspace: { name: 'vision', description: 'Images', default_artifact_root: 's3://bucket/vision' } });
    expect((await as(root, 'PATCH', `${AT}/vision`, { default_artifact_root: '' })).body).toEqual({
      workspace: { name: 'vision', description: 'Images' },
    });
    expect(await as(root, 'PATCH', `${AT}/vision`, {})).toMatchObject({ status: 400 });
    expect(await as(root, 'PATCH', `${AT}/nobody`, { description: '' })).toMatchObject({ status: 404 });
    expect(await as(root, 'PATCH', `${AT}/default`, { description: 'Everybody' })).toMatchObject({ status: 200 });
    await as(root, 'POST', AT, { name: 'short' });
    expect(await as(root, 'DELETE', `${AT}/short?mode=SOMEHOW`)).toMatchObject({ status: 400 });
    expect(await as(root, 'DELETE', `${AT}/short`)).toMatchObject({ status: 204, body: '' });
    expect(await as(root, 'DELETE', `${AT}/short`)).toMatchObject({ status: 404 });
    expect(await as(root, 'DELETE', `${AT}/default`)).toMatchObject({ status: 400 });
  });

  it('are there for their members alone', async () => {
    const vision = await workspaces.findWorkspace(app.ctx.db, 'vision');
    if (vision === undefined) throw new TypeError('it was made above');
    const inside = workspaces.within(app.ctx, vision);
    await grant(inside, { accountId: ada.account.id }, { kind: 'workspace' }, 'USE');
    const names = async (person: Person) => (await as(person, 'GET', AT)).body.workspaces.map((each: { name: string }) => each.name);
    expect(await names(root)).toEqual(['default', 'vision']);
    expect(await names(ada)).toEqual(['default', 'vision']);
    expect(await names(eve)).toEqual(['default']);
    expect(await as(ada, 'GET', `${AT}/vision`)).toMatchObject({ status: 200 });
    const hidden = await as(eve, 'GET', `${AT}/vision`);
    const absent = await as(eve, 'GET', `${AT}/absent`);
    expect([hidden.status, hidden.body.message]).toEqual([404, "Workspace 'vision' not found"]);
    expect([absent.status, absent.body.message]).toEqual([404, "Workspace 'absent' not found"]);
    const asked = await as(eve, 'GET', '/api/2.0/mlflow/registered-models/search', undefined, 'vision');
    expect([asked.status, asked.body.message]).toEqual([404, "Workspace 'vision' not found"]);
    expect(await as(eve, 'GET', '/api/v1/workspaces/vision')).toMatchObject({ status: 404 });
    expect((await as(ada, 'GET', '/api/v1/workspaces')).body.workspaces).toHaveLength(2);
    await grant(inside, { accountId: ada.account.id }, { kind: 'workspace' }, 'DENY');
    expect(await names(ada)).toEqual(['default']);
    await grant(inside, { accountId: ada.account.id }, { kind: 'workspace' }, 'USE');
  });

  describe('keep what is in them apart', () => {
    let experimentId: string;
    let file: string;

    it('names are their own, and files lie in a folder of theirs', async () => {
      const create = (workspace?: string) => as(ada, 'POST', '/api/2.0/mlflow/experiments/create', { name: 'cats' }, workspace);
      experimentId = (await create('vision')).body.experiment_id;
      expect(await create()).toMatchObject({ status: 200 });
      expect(await create('vision')).toMatchObject({ status: 400, body: { error_code: 'RESOURCE_ALREADY_EXISTS' } });
      const run = await as(ada, 'POST', '/api/2.0/mlflow/runs/create', { experiment_id: experimentId, start_time: 1 }, 'vision');
      const { artifact_uri: uri, run_id: runId } = run.body.run.info;
      expect(uri).toBe(`mlflow-artifacts:/workspaces/vision/${experimentId}/${runId}/artifacts`);
      file = `${uri.slice('mlflow-artifacts:/'.length)}/a.txt`;
      expect(await put(ada, file, 'a', 'vision')).toMatchObject({ status: 200 });
      const without = await as(ada, 'GET', `${FILES}/${file.replace('workspaces/vision/', '')}`, undefined, 'vision');
      expect(without).toMatchObject({ status: 200, body: 'a' });
      const listed = await as(ada, 'GET', `/api/2.0/mlflow/artifacts/list?run_id=${runId}`, undefined, 'vision');
      expect(listed.body.files).toEqual([{ path: 'a.txt', is_dir: false, file_size: 1 }]);
      expect((await as(root, 'GET', FILES, undefined, 'vision')).body.files).toEqual([{ path: experimentId, is_dir: true }]);
      expect((await as(root, 'GET', FILES)).body).toEqual({});
    });

    it("a path of another one's is refused, and its root can't be written or deleted", async () => {
      const refused = await as(root, 'GET', `${FILES}/${file}`);
      expect(refused.status).toBe(400);
      expect(refused.body.message).toContain("targets workspace 'vision' but the workspace specified in the request is 'default'");
      for (const path of [file, 'workspaces', 'workspaces/vision', 'workspaces/vision/x']) {
        expect(await put(root, path, 'b')).toMatchObject({ status: 400 });
        expect(await as(root, 'DELETE', `${FILES}/${path}`)).toMatchObject({ status: 400 });
      }
      expect(await as(root, 'DELETE', `${FILES}/workspaces/vision`, undefined, 'vision')).toMatchObject({ status: 400 });
      expect(await put(root, 'workspaces/other/x', 'b', 'vision')).toMatchObject({ status: 400 });
      expect(await as(ada, 'GET', `${FILES}/${file}`, undefined, 'vision')).toMatchObject({ status: 200, body: 'a' });
    });

    it('whose file it is decides in its own workspace', async () => {
      const vision = await workspaces.getWorkspace(app.ctx, 'vision');
      await grant(workspaces.within(app.ctx, vision), { accountId: eve.account.id }, { kind: 'workspace' }, 'USE');
      expect(await as(eve, 'GET', `${FILES}/${file}`, undefined, 'vision')).toMatchObject({ status: 403 });
      await grant(
        workspaces.within(app.ctx, vision),
        { accountId: eve.account.id },
        { kind: 'experiment', id: Number(experimentId) },
        'READ',
      );
      expect(await as(eve, 'GET', `${FILES}/${file}`, undefined, 'vision')).toMatchObject({ status: 200 });
      expect(await as(eve, 'GET', `${FILES}/${file.replace('workspaces/vision/', '')}`, undefined, 'vision')).toMatchObject({
        status: 200,
      });
      expect(await put(eve, file, 'b', 'vision')).toMatchObject({ status: 403 });
      expect(await as(eve, 'GET', `${FILES}/${file.replace('workspaces/vision/', '')}`)).toMatchObject({ status: 404 });
    });

    it("an experiment's own place in the served storage is in the workspace's folder", async () => {
      const create = (name: string, location: string, workspace = 'vision') =>
        as(ada, 'POST', '/api/2.0/mlflow/experiments/create', { name, artifact_location: location }, workspace);
      const made = await create('placed', 'mlflow-artifacts:/shared/dogs');
      const { experiment } = (
        await as(ada, 'GET', `/api/2.0/mlflow/experiments/get?experiment_id=${made.body.experiment_id}`, undefined, 'vision')
      ).body;
      expect(experiment.artifact_location).toBe('mlflow-artifacts:/workspaces/vision/shared/dogs');
      for (const location of [
        'mlflow-artifacts:/shared/dogs/inner',
        'mlflow-artifacts:/workspaces/vision/shared',
        'mlflow-artifacts:/workspaces/speech/x',
        'mlflow-artifacts:/model-versions/1',
        'mlflow-artifacts:/workspaces/vision/model-versions/1',
        'mlflow-artifacts:/7',
        'mlflow-artifacts:/',
      ]) {
        expect(await create(`not ${location}`, location), location).toMatchObject({ status: 400 });
      }
      expect(await create('not there', 'mlflow-artifacts:/workspaces/vision/x', 'default')).toMatchObject({ status: 400 });
    });
  });

  it('answer 400 with a sentence at a quota and for a name that their rule refuses', async () => {
    const settings = { name_pattern: 'vision\\.[a-z]+', name_message: 'Begin with vision.', quota_models: 1, quota_bytes: 10 };
    expect(await as(root, 'PATCH', '/api/v1/workspaces/vision', { settings })).toMatchObject({
      status: 200,
      body: { settings, usage: { bytes: 1 } },
    });
    const create = (name: string) => as(ada, 'POST', '/api/2.0/mlflow/registered-models/create', { name }, 'vision');
    expect(await create('dogs')).toMatchObject({ status: 400, body: { message: expect.stringContaining('Begin with vision.') } });
    expect(await create('vision.dogs')).toMatchObject({ status: 200 });
    expect(await create('vision.cats')).toMatchObject({
      status: 400,
      body: { error_code: 'INVALID_STATE', message: expect.stringContaining('QUOTA_EXCEEDED') },
    });
    const experiment = await as(ada, 'POST', '/api/2.0/mlflow/experiments/create', { name: 'large' }, 'vision');
    const path = `workspaces/vision/${experiment.body.experiment_id}/x`;
    const large = await put(ada, path, 'x'.repeat(2_000_000), 'vision');
    expect(large).toMatchObject({ status: 400, text: expect.stringContaining('QUOTA_EXCEEDED') });
    expect(await put(ada, path, 'x'.repeat(9), 'vision')).toMatchObject({ status: 200 });
    expect((await as(ada, 'GET', '/api/v1/workspaces/vision')).body.usage).toEqual({ models: 1, versions: 0, bytes: 10 });
    expect(await as(ada, 'PATCH', '/api/v1/settings', { quota_bytes: null }, 'vision')).toMatchObject({ status: 403 });
  });

  it('are not there where they are switched off', async () => {
    const off = await openApp({
      config: {
        guards: { enabled: true, allowedHosts: undefined, allowedOrigins: [], frameOptions: 'SAMEORIGIN' },
        staticPrefix: '',
        serves: 'all',
        hasWorkspaces: false,
      },
    });
    expect((await ask(off, 'GET', '/api/3.0/mlflow/server-info')).body).toMatchObject({ workspaces_enabled: false });
    expect(await ask(off, 'GET', AT)).toMatchObject({ status: 404, body: { error_code: 'ENDPOINT_NOT_FOUND' } });
    const search = (workspace: string) =>
      ask(off, 'GET', '/api/2.0/mlflow/registered-models/search', { headers: { 'x-mlflow-workspace': workspace } });
    expect(await search('vision')).toMatchObject({ status: 400, body: { message: expect.stringContaining('FEATURE_DISABLED') } });
    expect(await search('')).toMatchObject({ status: 200 });
    expect(await search('default')).toMatchObject({ status: 200 });
    await off.close();
  });
});
