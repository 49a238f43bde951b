/** What stood where at any time, and how two versions differ. */
import { afterAll, beforeAll, expect, test } from 'vitest';
import { onBothDatabases } from '../support/databases.ts';
import { call, mlflow, type RunningServer, startServer } from '../support/server.ts';
import { createModel, makeModelRun, move, native, register, setAlias } from './logged-files.ts';

onBothDatabases('the past of a model', (databaseUrl) => {
  let server: RunningServer;

  beforeAll(async () => {
    server = await startServer({ databaseUrl: await databaseUrl() });
  });
  afterAll(async () => {
    await server?.stop();
  });

  const remove = (path: string, body: object): ReturnType<typeof call> => call(server, 'DELETE', `/api/2.0/mlflow/${path}`, body);

  test('what stood in a stage, and what an alias pointed at, can be asked for any time', async () => {
    await createModel(server, 'Past');
    for (let n = 0; n < 3; n++) await register(server, 'Past', await makeModelRun(server));
    const times: number[] = [];
    const pause = (): Promise<void> => new Promise((resume) => setTimeout(resume, 15));
    const mark = async (): Promise<void> => {
      await pause();
      times.push(Date.now());
      await pause();
    };
    await mark();
    await move(server, 'Past', 1, 'Production');
    await setAlias(server, 'Past', 'champion', 1);
    await mark();
    await move(server, 'Past', 2, 'Production', true);
    await setAlias(server, 'Past', 'champion', 2);
    await mark();
    await move(server, 'Past', 1, 'Production', true);
    await remove('registered-models/alias', { name: 'Past', alias: 'champion' });
    await mark();
    await remove('model-versions/delete', { name: 'Past', version: '1' });
    await mark();

    const inStage = async (stage: string, at: number | string): Promise<number[]> =>
      (await native(server, 'GET', `models/Past/stages/${stage}?as_of=${encodeURIComponent(at)}`)).versions.map(
        (each: { version: number }) => each.version,
      );
    const aliased = async (at: number): Promise<number | undefined> =>
      (await native(server, 'GET', `models/Past/aliases/champion?as_of=${at}`)).holder?.version;
    const stages = [];
    const aliases = [];
    for (const at of times) {
      stages.push([await inStage('Production', at), await inStage('archived', at)]);
      aliases.push(await aliased(at));
    }
    expect(stages).toEqual([
      [[], []],
      [[1], []],
      [[2], [1]],
      [[1], [2]],
      [[], [2]],
    ]);
    expect(aliases).toEqual([undefined, 1, 2, undefined, undefined]);
    expect(await inStage('Production', new Date(times[2] ?? 0).toISOString())).toEqual([2]);

    const { id } = await native(server, 'GET', 'models/Past');
    await mlflow(server, 'POST', 'registered-models/rename', { name: 'Past', new_name: 'Past renamed' });
    const byId = await native(server, 'GET', `models/by-id/${id}/stages/Production?as_of=${times[1]}`);
    expect(byId).toMatchObject({ name: 'Past renamed', versions: [{ version: 1 }] });
    expect(await call(server, 'GET', '/api/v1/models/Past%20renamed/stages/Production?as_of=yesterday')).toMatchObject({ status: 400 });
  });

  test('two versions are compared by params, metrics, signature, requirements, tags and files', async () => {
    const modelFile = (type: string): string =>
      `flavors:\n  sklearn: {sklearn_version: 1.5.0}\nsignature:\n  inputs: '[{"type": "${type}", "name": "x"}]'\n`;
    await createModel(server, 'Compared');
    for (const [type, pandas, depth, auc] of [
      ['double', '2.1.0', '3', 0.8],
      ['long', '2.2.0', '5', 0.9],
    ] as const) {
      const run = await makeModelRun(server, {
        MLmodel: modelFile(type),
        'requirements.txt': `pandas==${pandas}\nmlflow\n`,
        'same.txt': 'same',
      });
      await mlflow(server, 'POST', 'runs/log-batch', {
        run_id: run.runId,
        params: [
          { key: 'depth', value: depth },
          { key: 'seed', value: '7' },
        ],
        metrics: [
          { key: 'auc', value: auc, timestamp: 1, step: 0 },
          { key: 'loss', value: 'NaN', timestamp: 1, step: 0 },
        ],
      });
      await register(server, 'Compared', run, [{ key: 'kind', value: type }]);
    }
    const comparison = await native(server, 'GET', 'models/Compared/versions/1/comparison?with=2');
    expect(comparison).toMatchObject({
      same_bytes: false,
      params: [
        { name: 'depth', change: 'changed', from: '3', to: '5' },
        { name: 'seed', change: 'same' },
      ],
      tags: [{ name: 'kind', change: 'changed', from: 'double', to: 'long' }],
      signature: { inputs: { change: 'changed' }, breaks: [expect.stringContaining("input 'x' was ")] },
      files: { same_count: 1, added: [], removed: [] },
    });
    expect(comparison.metrics).toMatchObject([
      { name: 'auc', change: 'changed', from: 0.8, to: 0.9, delta: expect.closeTo(0.1) },
      { name: 'loss', change: 'same', from: 'NaN', to: 'NaN', delta: null },
    ]);
    expect(comparison.requirements).toContainEqual(
      expect.objectContaining({ name: 'pandas', change: 'changed', from: expect.stringContaining('2.1.0') }),
    );
    expect(comparison.files.changed.map((file: { path: string }) => file.path)).toEqual(['MLmodel', 'requirements.txt']);
    expect((await native(server, 'GET', 'models/Compared/versions/1/comparison?with=1')).same_bytes).toBe(true);
  });
});
