/** What a registered version is bound to, and how it goes and comes back. */
import { execFileSync } from 'node:child_process';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { storedBlobs } from '../drills/blob-folder.ts';
import { onBothDatabases } from '../support/databases.ts';
import { newestPython, runPython } from '../support/python.ts';
import { call, download, mlflow, type RunningServer, startServer, upload } from '../support/server.ts';
import {
  createModel,
  downloadRoot,
  downloadText,
  makeModelRun,
  makeRun,
  move,
  native,
  noise,
  put,
  register,
  setAlias,
} from './logged-files.ts';

const COMMAND = resolve(import.meta.dirname, '../../packages/cli/dist/main.js');
const CHUNK_BYTES = 1 << 20;

onBothDatabases('the life of a version', (databaseUrl) => {
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-lifecycle-'));
  let server: RunningServer;
  let url: string | undefined;

  beforeAll(async () => {
    url = await databaseUrl();
    server = await startServer({ dataDir, databaseUrl: url });
  });
  afterAll(async () => {
    await server?.stop();
    rmSync(dataDir, { recursive: true, force: true });
  });

  /** `countersign …` on the data of this server, which is stopped for it. */
  async function onStoppedData(...args: string[]): Promise<Record<string, number>> {
    await server.stop();
    try {
      const place = ['--data-dir', dataDir, ...(url ? ['--database-url', url] : []), '--json'];
      const stdout = execFileSync(process.execPath, ['--disable-warning=ExperimentalWarning', COMMAND, ...args, ...place], {
        stdio: ['ignore', 'pipe', 'pipe'],
      });
      return JSON.parse(stdout.toString());
    } finally {
      server = await startServer({ dataDir, databaseUrl: url });
    }
  }

  /** Other servers may be uploading where the database is PostgreSQL: nothing younger than an hour is freed there. */
  const collect = (): Promise<Record<string, number>> => onStoppedData('gc', '--grace-hours', url ? '1' : '0');

  const version = (name: string, number: number): ReturnType<typeof native> => native(server, 'GET', `models/${name}/versions/${number}`);
  const blobCount = (): number => storedBlobs(dataDir).length;
  const remove = (path: string, body: object): ReturnType<typeof call> => call(server, 'DELETE', `/api/2.0/mlflow/${path}`, body);

  async function change(settings: object): Promise<void> {
    await native(server, 'PATCH', 'settings', settings);
  }

  test('a version is bound to its bytes: the run may overwrite, delete and collect its files', async () => {
    const original = noise(2 * CHUNK_BYTES + 11);
    const run = await makeModelRun(server, { 'data/model.pkl': original, 'note.txt': 'as registered' });
    await createModel(server, 'Sealed');
    await register(server, 'Sealed', run);
    const before = await version('Sealed', 1);
    expect(before).toMatchObject({ lineage: 'verified', seal: { state: 'sealed', file_count: 3 } });
    const manifest = await native(server, 'GET', 'models/Sealed/versions/1/files');

    await put(server, `${run.root}/model/note.txt`, 'overwritten');
    await put(server, `${run.root}/model/added.txt`, 'added');
    expect(await downloadText(server, `${run.root}/model/note.txt`)).toBe('overwritten');
    expect((await call(server, 'DELETE', `/api/2.0/mlflow-artifacts/artifacts/${run.root}/model/MLmodel`)).status).toBe(200);
    expect((await call(server, 'DELETE', `/api/2.0/mlflow-artifacts/artifacts/${run.root}`)).status).toBe(200);
    await mlflow(server, 'POST', 'runs/delete', { run_id: run.runId });
    await collect();
    await collect();

    expect((await download(server, `${run.root}/model/note.txt`)).status).toBe(404);
    const root = await downloadRoot(server, 'Sealed', 1);
    expect(root).toMatch(/^model-versions\//);
    expect(Buffer.compare(new Uint8Array(await (await download(server, `${root}/data/model.pkl`)).arrayBuffer()), original)).toBe(0);
    expect(await downloadText(server, `${root}/note.txt`)).toBe('as registered');
    expect((await download(server, `${root}/added.txt`)).status).toBe(404);
    const listed = await call(server, 'GET', `/api/2.0/mlflow-artifacts/artifacts?path=${root}`);
    expect(listed.body.files.map((file: { path: string }) => file.path).sort()).toEqual(['MLmodel', 'data', 'note.txt']);
    expect(await version('Sealed', 1)).toMatchObject({ seal: before.seal, damaged_at: null });
    expect(await native(server, 'GET', 'models/Sealed/versions/1/files')).toEqual(manifest);
  });

  test('the sealed tree takes no PUT and no DELETE', async () => {
    await createModel(server, 'Closed');
    await register(server, 'Closed', await makeModelRun(server, { 'a.txt': 'a' }));
    const root = await downloadRoot(server, 'Closed', 1);
    const [, id] = root.split('/');
    for (const path of [
      `${root}/a.txt`,
      `${root}/new.txt`,
      root,
      'model-versions',
      `model%2Dversions/${id}/a.txt`,
      `model-versions%2F${id}%2Fa.txt`,
      `./${root}/a.txt`,
    ]) {
      for (const answer of [
        await upload(server, path, noise(10)),
        await fetch(`${server.url}/api/2.0/mlflow-artifacts/artifacts/${path}`, { method: 'DELETE' }),
      ]) {
        expect(answer.status, path).toBe(400);
        expect(await answer.json()).toMatchObject({ error_code: 'INVALID_PARAMETER_VALUE' });
      }
    }
    expect(await downloadText(server, `${root}/a.txt`)).toBe('a');
  });

  test('a logged model that is not finished leaves the version unsealed; finishing it seals', async () => {
    const { model } = await mlflow(server, 'POST', 'logged-models', { experiment_id: '0', name: 'unfinished' });
    const id = model.info.model_id;
    await createModel(server, 'Waiting');
    const made = await mlflow(server, 'POST', 'model-versions/create', { name: 'Waiting', source: `models:/${id}`, model_id: id });
    expect(made.model_version.status).toBe('READY');
    expect((await version('Waiting', 1)).seal).toMatchObject({ state: 'unsealed', reason: 'incomplete', digest: null });
    expect((await mlflow(server, 'GET', 'model-versions/get-download-uri?name=Waiting&version=1')).artifact_uri).toBe(
      model.info.artifact_uri,
    );

    await put(server, `${model.info.artifact_uri.replace(/^mlflow-artifacts:\/+/, '')}/MLmodel`, 'flavors: {}\n');
    await mlflow(server, 'PATCH', `logged-models/${id}`, { model_id: id, status: 'LOGGED_MODEL_READY' });
    expect((await version('Waiting', 1)).seal).toMatchObject({ state: 'sealed', reason: null, file_count: 1 });
    expect(await downloadText(server, `${await downloadRoot(server, 'Waiting', 1)}/MLmodel`)).toBe('flavors: {}\n');
    const { events } = await native(server, 'GET', 'models/Waiting/events');
    expect(events[0]).toMatchObject({ type: 'model-version.sealed', data: { number: 1 } });
  });

  test('a run path without MLmodel is unsealed as incomplete until it is complete and sealed by a call', async () => {
    const run = await makeRun(server);
    await put(server, `${run.root}/model/half.pkl`, 'half');
    await createModel(server, 'Half');
    await register(server, 'Half', run);
    expect((await version('Half', 1)).seal).toMatchObject({ state: 'unsealed', reason: 'incomplete' });
    expect((await native(server, 'POST', 'models/Half/versions/1/seal')).seal).toMatchObject({ state: 'unsealed', reason: 'incomplete' });
    await put(server, `${run.root}/model/MLmodel`, 'flavors: {}\n');
    expect((await native(server, 'POST', 'models/Half/versions/1/seal')).seal).toMatchObject({ state: 'sealed', file_count: 2 });
  });

  test('a source that is not there is READY on the wire and visibly unsealed; a setting refuses it', async () => {
    await createModel(server, 'Missing');
    const run = await makeRun(server);
    const source = `runs:/${run.runId}/nothing`;
    const made = await mlflow(server, 'POST', 'model-versions/create', { name: 'Missing', source, run_id: run.runId });
    expect(made.model_version).toMatchObject({ version: '1', status: 'READY', source });
    expect((await version('Missing', 1)).seal).toMatchObject({ state: 'unsealed', reason: 'missing' });
    expect(await call(server, 'GET', '/api/v1/models/Missing/versions/1/files')).toMatchObject({
      status: 400,
      body: { error_code: 'INVALID_STATE' },
    });
    expect(await call(server, 'GET', `/api/2.0/mlflow-artifacts/artifacts/${run.root}/nothing/MLmodel`)).toMatchObject({
      status: 404,
      body: { error_code: 'RESOURCE_DOES_NOT_EXIST', message: expect.stringContaining('No such artifact') },
    });

    await change({ refuse_unsealed: true });
    try {
      const refused = await call(server, 'POST', '/api/2.0/mlflow/model-versions/create', { name: 'Missing', source, run_id: run.runId });
      expect(refused).toMatchObject({
        status: 400,
        body: { error_code: 'INVALID_STATE', message: expect.stringContaining('refuses unsealed') },
      });
      expect(await register(server, 'Missing', await makeModelRun(server))).toBe(2);
    } finally {
      await change({ refuse_unsealed: false });
    }
  });

  test.skipIf(newestPython === undefined)('a version without files loads with an error that says so', { timeout: 120_000 }, async () => {
    const script = 'import mlflow, sys; mlflow.pyfunc.load_model("models:/Missing/1")';
    const loaded = await runPython(newestPython ?? '', ['-c', script], { MLFLOW_TRACKING_URI: server.url });
    expect(loaded.code).not.toBe(0);
    expect(loaded.stderr).toMatch(/No such artifact|Could not find an "MLmodel"/);
  });

  test('the same bytes are stored once, and a copy shares the tree of its source', async () => {
    const bytes = noise(3 * CHUNK_BYTES);
    const before = storedBlobs(dataDir).map((file) => file.path);
    const runs = await Promise.all([
      makeModelRun(server, { 'big.bin': bytes }),
      makeModelRun(server, { 'big.bin': bytes, 'again.bin': bytes }),
    ]);
    const added = (): string[] =>
      storedBlobs(dataDir)
        .map((file) => file.path)
        .filter((path) => !before.includes(path));
    // The MLmodel of both was there already.
    expect(added()).toHaveLength(1);
    expect(storedBlobs(dataDir).find(({ path }) => path === added()[0])?.sizeBytes).toBe(bytes.length);

    await createModel(server, 'dev.sample');
    await createModel(server, 'prod.sample');
    const [run] = runs;
    if (run) await register(server, 'dev.sample', run);
    const copied = await mlflow(server, 'POST', 'model-versions/create', { name: 'prod.sample', source: 'models:/dev.sample/1' });
    expect(copied.model_version.version).toBe('1');
    const [origin, copy] = [await version('dev.sample', 1), await version('prod.sample', 1)];
    expect(copy).toMatchObject({ seal: origin.seal, lineage: 'verified', run_id: run?.runId });
    expect(added()).toHaveLength(1);
    expect(await native(server, 'GET', 'models/prod.sample/versions/1/files')).toEqual(
      await native(server, 'GET', 'models/dev.sample/versions/1/files'),
    );
  });

  test('a deleted version is listed, and restored with tags and bytes, in stage None and without alias', async () => {
    await createModel(server, 'Back');
    const run = await makeModelRun(server, { 'w.txt': 'weights' });
    await register(server, 'Back', run, [{ key: 'team', value: 'risk' }]);
    await register(server, 'Back', run);
    await move(server, 'Back', 1, 'Production');
    await setAlias(server, 'Back', 'champion', 1);
    const before = await version('Back', 1);

    expect((await remove('model-versions/delete', { name: 'Back', version: '1' })).status).toBe(200);
    expect((await call(server, 'GET', '/api/2.0/mlflow/model-versions/get?name=Back&version=1')).status).toBe(404);
    expect((await call(server, 'GET', '/api/2.0/mlflow/registered-models/alias?name=Back&alias=champion')).status).toBe(400);
    expect((await native(server, 'GET', 'models/Back/deleted-versions')).versions).toMatchObject([
      { id: before.id, version: 1, deleted_at: expect.any(Number) },
    ]);
    expect((await mlflow(server, 'GET', "model-versions/search?filter=name%3D'Back'")).model_versions).toHaveLength(1);
    await call(server, 'DELETE', `/api/2.0/mlflow-artifacts/artifacts/${run.root}`);
    await collect();

    const restored = await native(server, 'POST', 'models/Back/deleted-versions/1/restore');
    expect(restored).toMatchObject({
      id: before.id,
      stage: 'None',
      aliases: [],
      tags: [{ key: 'team', value: 'risk' }],
      seal: before.seal,
      deleted_at: null,
    });
    expect(await downloadText(server, `${await downloadRoot(server, 'Back', 1)}/w.txt`)).toBe('weights');
    expect((await native(server, 'GET', 'models/Back/aliases/champion')).holder).toBeNull();
    expect(await register(server, 'Back', await makeModelRun(server))).toBe(3);
  });

  test('a deleted model comes back whole; once purged it is gone with its bytes, and its events stay', async () => {
    await mlflow(server, 'POST', 'registered-models/create', {
      name: 'Purged',
      tags: [{ key: 'owner', value: 'ada' }],
      description: 'kept',
    });
    const bytes = noise(CHUNK_BYTES + 3);
    const run = await makeModelRun(server, { 'only.bin': bytes });
    await register(server, 'Purged', run, [{ key: 'team', value: 'risk' }]);
    await move(server, 'Purged', 1, 'Staging');
    const { id } = await native(server, 'GET', 'models/Purged');
    expect((await remove('registered-models/delete', { name: 'Purged' })).status).toBe(200);
    expect((await native(server, 'GET', 'deleted-models?name=Purged')).models).toMatchObject([{ id, description: 'kept' }]);

    await native(server, 'POST', `deleted-models/${id}/restore`, {});
    expect(await native(server, 'GET', 'models/Purged')).toMatchObject({
      id,
      description: 'kept',
      tags: [{ key: 'owner', value: 'ada' }],
      aliases: [],
    });
    expect(await version('Purged', 1)).toMatchObject({ stage: 'None', tags: [{ key: 'team', value: 'risk' }], seal: { state: 'sealed' } });

    await native(server, 'DELETE', 'models/Purged');
    await call(server, 'DELETE', `/api/2.0/mlflow-artifacts/artifacts/${run.root}`);
    const before = blobCount();
    expect((await call(server, 'DELETE', `/api/v1/deleted-models/${id}?confirm=Other`)).status).toBe(400);
    execFileSync(
      process.execPath,
      ['--disable-warning=ExperimentalWarning', COMMAND, 'model', 'purge', 'Purged', '--server', server.url, '--confirm', 'Purged'],
      { stdio: 'pipe' },
    );
    expect((await native(server, 'GET', 'deleted-models?name=Purged')).models).toEqual([]);
    expect((await call(server, 'POST', `/api/v1/deleted-models/${id}/restore`, {})).status).toBe(404);
    await collect();
    await collect();
    if (!url) expect(blobCount()).toBe(before - 1);
    const { events } = await native(server, 'GET', `models/by-id/${id}/events`);
    expect(events[0]).toMatchObject({ type: expect.stringContaining('purged'), model_id: id });
    expect(await native(server, 'GET', 'events/verification')).toMatchObject({ ok: true });
  });

  test('protected stages and aliases: deleting is refused, with what to do first', async () => {
    await createModel(server, 'Guarded');
    for (let n = 0; n < 3; n++) await register(server, 'Guarded', await makeModelRun(server));
    await move(server, 'Guarded', 1, 'Production');
    await setAlias(server, 'Guarded', 'champion', 2);
    await change({ protected_stages: ['Production'], protect_aliased: true });
    try {
      for (const number of ['1', '2']) {
        expect(await remove('model-versions/delete', { name: 'Guarded', version: number })).toMatchObject({
          status: 400,
          body: { error_code: 'INVALID_STATE', message: expect.stringMatching(/first\.$/) },
        });
      }
      expect(await remove('registered-models/delete', { name: 'Guarded' })).toMatchObject({
        status: 400,
        body: { error_code: 'INVALID_STATE' },
      });
      expect(await call(server, 'DELETE', '/api/v1/models/Guarded/versions/1')).toMatchObject({
        status: 400,
        body: { error_code: 'INVALID_STATE' },
      });
      expect((await remove('model-versions/delete', { name: 'Guarded', version: '3' })).status).toBe(200);
      await move(server, 'Guarded', 1, 'Archived');
      expect((await remove('model-versions/delete', { name: 'Guarded', version: '1' })).status).toBe(200);
      await remove('registered-models/alias', { name: 'Guarded', alias: 'champion' });
      expect((await remove('registered-models/delete', { name: 'Guarded' })).status).toBe(200);
    } finally {
      await change({ protected_stages: [], protect_aliased: false });
    }
  });

  test('a name that is given again is a new model, and the old one comes back only under another name', async () => {
    await createModel(server, 'Again');
    for (let n = 0; n < 2; n++) await register(server, 'Again', await makeModelRun(server));
    const old = await native(server, 'GET', 'models/Again');
    await native(server, 'DELETE', 'models/Again');
    await createModel(server, 'Again');
    expect((await native(server, 'GET', 'models/Again')).id).not.toBe(old.id);
    expect(await register(server, 'Again', await makeModelRun(server))).toBe(1);
    expect(await call(server, 'POST', `/api/v1/deleted-models/${old.id}/restore`, {})).toMatchObject({
      status: 400,
      body: { error_code: 'RESOURCE_ALREADY_EXISTS' },
    });
    expect(await native(server, 'POST', `deleted-models/${old.id}/restore`, { name: 'Again before' })).toMatchObject({ id: old.id });
    expect((await native(server, 'GET', 'models/Again%20before/versions')).versions).toHaveLength(2);
    expect((await native(server, 'GET', 'models/Again/versions')).versions).toHaveLength(1);
  });
});
