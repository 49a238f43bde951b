import fc from 'fast-check';
import { beforeEach, describe, expect, test } from 'vitest';
import { openContext } from '../../../../../test/support/context.ts';
import type { Ctx } from '../../platform/context.ts';
import * as events from '../events/events.ts';
import * as experiments from '../experiments/experiments.ts';
import * as loggedModels from '../logged-models/logged-models.ts';
import * as metrics from '../metrics/metrics.ts';
import * as runs from './runs.ts';

let ctx: Ctx;

beforeEach(async () => {
  ctx = await openContext();
});

async function start(name?: string): Promise<string> {
  return (await runs.create(ctx, { experimentId: 0, userId: 'u', name, startTime: 1, tags: [] })).info.runId;
}

async function historyOf(runId: string, key: string): Promise<unknown> {
  return JSON.parse((await metrics.history(ctx, { runId, key, offset: 0, limit: undefined })).json);
}

describe('the life of a run', () => {
  test('a run without a name gets one of at most 20 characters, in its name and in its tag', async () => {
    const run = await runs.getRun(ctx, await start());
    expect(run.info.name).toMatch(/^[a-z]+-[a-z]+-\d{1,3}$/);
    expect(run.info.name.length).toBeLessThanOrEqual(20);
    expect(run.tags).toEqual([{ key: 'mlflow.runName', value: run.info.name }]);
    expect(run.info.artifactUri).toBe(`mlflow-artifacts:/0/${run.info.runId}/artifacts`);
  });

  test('a name that differs from the name tag is refused', async () => {
    const tags = [{ key: 'mlflow.runName', value: 'b' }];
    await expect(runs.create(ctx, { experimentId: 0, userId: '', name: 'a', startTime: 0, tags })).rejects.toThrow("mlflow.runName='b'");
    expect((await runs.create(ctx, { experimentId: 0, userId: '', startTime: 0, tags })).info.name).toBe('b');
  });

  test('the name tag renames the run, an update writes the tag, and an empty name changes neither', async () => {
    const runId = await start('a');
    await runs.setTag(ctx, runId, { key: 'mlflow.runName', value: 'b' });
    expect((await runs.getRun(ctx, runId)).info.name).toBe('b');
    await runs.update(ctx, runId, { name: 'c', status: 'FINISHED', endTime: 5 });
    await runs.update(ctx, runId, { name: '' });
    await runs.setTag(ctx, runId, { key: 'mlflow.runName', value: '' });
    const run = await runs.getRun(ctx, runId);
    expect(run.info).toMatchObject({ name: 'c', status: 'FINISHED', endTime: 5 });
    expect(run.tags).toEqual([{ key: 'mlflow.runName', value: 'c' }]);
  });

  test('delete and restore are idempotent, and each change is one event', async () => {
    const runId = await start();
    for (const change of [runs.remove, runs.remove, runs.restore, runs.restore]) await change(ctx, runId);
    const recorded = await events.list(ctx.db, { workspaceId: 0, limit: 10 });
    expect(recorded.map((event) => event.type)).toEqual(['run.deleted', 'run.restored']);
    await expect(runs.remove(ctx, 'nobody')).rejects.toThrow('Run with id=nobody not found');
  });

  test('every write on a deleted run is refused, and reading goes on', async () => {
    const runId = await start();
    await runs.remove(ctx, runId);
    const point = { key: 'm', value: 1, timestamp: 0, step: 0 };
    const writes = [
      runs.update(ctx, runId, { status: 'FINISHED' }),
      runs.logMetric(ctx, runId, point),
      runs.logParam(ctx, runId, { key: 'p', value: '' }),
      runs.setTag(ctx, runId, { key: 't', value: '' }),
      runs.deleteTag(ctx, runId, 'mlflow.runName'),
      runs.logBatch(ctx, runId, { metrics: [point], params: [], tags: [] }),
      runs.logInputs(ctx, runId, { datasets: [], modelIds: ['m-1'] }),
      runs.logOutputs(ctx, runId, [{ modelId: 'm-1', step: 0 }]),
      runs.logModel(ctx, runId, {}),
    ];
    for (const write of writes) {
      await expect(write).rejects.toThrow(`The run ${runId} must be in the 'active' state. Current state is deleted.`);
    }
    expect((await runs.getRun(ctx, runId)).metrics).toEqual([]);
  });

  test('an experiment takes its runs along, and brings all of them back', async () => {
    const experimentId = await experiments.create(ctx, { name: 'e', tags: [] });
    const run = await runs.create(ctx, { experimentId, userId: '', startTime: 0, tags: [] });
    await runs.remove(ctx, run.info.runId);
    await experiments.remove(ctx, experimentId);
    await expect(runs.create(ctx, { experimentId, userId: '', startTime: 0, tags: [] })).rejects.toThrow("must be in the 'active' state");
    await experiments.restore(ctx, experimentId);
    expect((await runs.findRun(ctx, run.info.runId))?.lifecycle).toBe('active');
  });

  test('a run of another workspace is not found', async () => {
    const runId = await start();
    const elsewhere = { ...ctx, workspace: { id: 7, name: 'other' } };
    await expect(runs.getRun(elsewhere, runId)).rejects.toMatchObject({ code: 'RESOURCE_DOES_NOT_EXIST' });
    await expect(runs.setTag(elsewhere, runId, { key: 't', value: '' })).rejects.toMatchObject({ code: 'RESOURCE_DOES_NOT_EXIST' });
  });

  test('runs are listed in the order asked for', async () => {
    const pks: number[] = [];
    for (const name of ['a', 'b', 'c']) pks.push((await runs.getRun(ctx, await start(name))).info.pk);
    const listed = await runs.listRunsByPk(ctx.db, [...pks].reverse().concat(999));
    expect(listed.map((run) => run.info.name)).toEqual(['c', 'b', 'a']);
    expect(JSON.parse(listed[0]?.tags ?? '')).toEqual([{ key: 'mlflow.runName', value: 'c' }]);
  });
});

describe('params and tags', () => {
  test('the same param again is fine, another value is refused and written nowhere', async () => {
    const runId = await start();
    await runs.logParam(ctx, runId, { key: 'p', value: '1' });
    await runs.logParam(ctx, runId, { key: 'p', value: '1' });
    await expect(runs.logParam(ctx, runId, { key: 'p', value: '2' })).rejects.toThrow(
      `Param with key='p' was already logged with value='1' for run ID='${runId}'. Attempted logging new value '2'.`,
    );
    const batch = {
      metrics: [{ key: 'm', value: 1, timestamp: 0, step: 0 }],
      params: [
        { key: 'q', value: '1' },
        { key: 'p', value: '3' },
      ],
      tags: [],
    };
    await expect(runs.logBatch(ctx, runId, batch)).rejects.toThrow("logged='[{'key': 'p', 'old_value': '1', 'new_value': '3'}]'");
    expect(await runs.getRun(ctx, runId)).toMatchObject({ params: [{ key: 'p', value: '1' }], metrics: [] });
  });

  test('values too long are cut by characters, not by halves of one', async () => {
    const runId = await start();
    await runs.logParam(ctx, runId, { key: 'p', value: '😀'.repeat(6001) });
    await runs.setTag(ctx, runId, { key: 't', value: 'x'.repeat(8001) });
    const run = await runs.getRun(ctx, runId);
    expect(run.params).toEqual([{ key: 'p', value: '😀'.repeat(6000) }]);
    expect(run.tags.find((tag) => tag.key === 't')?.value).toHaveLength(8000);
  });

  test('values too long are refused where the operator wants that', async () => {
    const runId = await start();
    process.env.MLFLOW_TRUNCATE_LONG_VALUES = 'false';
    try {
      await expect(runs.logParam(ctx, runId, { key: 'p', value: 'x'.repeat(6001) })).rejects.toThrow(
        "'Param value' exceeds the maximum length of 6000",
      );
      await expect(runs.setTag(ctx, runId, { key: 't', value: 'x'.repeat(8001) })).rejects.toThrow(
        "'value' exceeds the maximum length of 8000",
      );
    } finally {
      delete process.env.MLFLOW_TRUNCATE_LONG_VALUES;
    }
  });

  test('deleting a tag that is not there is a 404', async () => {
    const runId = await start();
    await expect(runs.deleteTag(ctx, runId, 'k')).rejects.toThrow(`No tag with name: k in run with id ${runId}`);
  });

  test('a batch beyond its limits, with repeated params or an odd run id is refused', async () => {
    const runId = await start();
    const many = (n: number): { key: string; value: string }[] => Array.from({ length: n }, (_, i) => ({ key: `k${i}`, value: '' }));
    const points = Array.from({ length: 1001 }, (_, i) => ({ key: 'm', value: i, timestamp: 0, step: i }));
    const log = (batch: Partial<runs.Batch>): Promise<void> => runs.logBatch(ctx, runId, { metrics: [], params: [], tags: [], ...batch });
    await expect(log({ metrics: points })).rejects.toThrow('at most 1000 metrics. Got 1001 metrics. Please split up metrics');
    await expect(log({ params: many(101) })).rejects.toThrow('at most 100 params. Got 101 params.');
    await expect(log({ tags: many(101) })).rejects.toThrow('at most 100 tags. Got 101 tags.');
    await expect(log({ metrics: points.slice(0, 950), params: many(60) })).rejects.toThrow(
      'at most 1000 metrics, params, and tags. Got 1010',
    );
    await expect(log({ params: [...many(1), ...many(1)] })).rejects.toThrow("Duplicate parameter keys have been submitted: ['k0']");
    await expect(log({ params: [{ key: 'a$', value: '' }] })).rejects.toThrow("for parameter 'params[0].key' supplied");
    await expect(log({ tags: [{ key: 'a//b', value: '' }] })).rejects.toThrow("for parameter 'tags[0].key' supplied");
    await expect(runs.logBatch(ctx, '../x', { metrics: [], params: [], tags: [] })).rejects.toThrow("for parameter 'run_id' supplied");
  });

  test('the last of repeated tags wins', async () => {
    const runId = await start();
    await runs.logBatch(ctx, runId, {
      metrics: [],
      params: [],
      tags: [
        { key: 't', value: '1' },
        { key: 't', value: '2' },
      ],
    });
    expect((await runs.getRun(ctx, runId)).tags).toContainEqual({ key: 't', value: '2' });
  });
});

describe('metrics', () => {
  test('int64 steps, NaN and infinities come back as they are stored', async () => {
    const runId = await start();
    await runs.logMetric(ctx, runId, { key: 'm', value: Number.NaN, timestamp: 1, step: 2n ** 60n + 1n });
    await runs.logMetric(ctx, runId, { key: 'i', value: -Infinity, timestamp: 2n ** 62n, step: -3 });
    expect((await runs.getRun(ctx, runId)).metrics).toEqual([
      { key: 'i', value: -1.7976931348623157e308, timestamp: 2n ** 62n, step: -3 },
      { key: 'm', value: 'NaN', timestamp: 1, step: 2n ** 60n + 1n },
    ]);
    const page = await metrics.history(ctx, { runId, key: 'm', offset: 0, limit: undefined });
    expect(page.json.replaceAll(' ', '')).toBe('[{"key":"m","value":"NaN","timestamp":1,"step":1152921504606846977}]');
  });

  test('any double is read back exactly, alone and in a history', async () => {
    const runId = await start();
    const values = fc.sample(fc.double({ noNaN: true, noDefaultInfinity: true }), 500);
    const points = values.map((value, i) => ({ key: 'm', value: value + 0, timestamp: i, step: i }));
    await runs.logBatch(ctx, runId, { metrics: points, params: [], tags: [] });
    expect(await historyOf(runId, 'm')).toEqual(points);
    expect((await runs.getRun(ctx, runId)).metrics).toEqual(points.slice(-1));
  });

  test('an exact duplicate is dropped, in one request and in two', async () => {
    const runId = await start();
    const point = { key: 'm', value: 1, timestamp: 5, step: 0 };
    await runs.logBatch(ctx, runId, { metrics: [point, point], params: [], tags: [] });
    await runs.logMetric(ctx, runId, point);
    expect(await historyOf(runId, 'm')).toEqual([point]);
  });

  test('a history is ordered by time, step and value whatever the order of writing, and is given in pages', async () => {
    const runId = await start();
    const points = Array.from({ length: 45 }, (_, i) => ({ key: 'm', value: (i * 7) % 5, timestamp: (i * 11) % 9, step: (i * 3) % 4 }));
    await runs.logBatch(ctx, runId, { metrics: points, params: [], tags: [] });
    const distinct = [...new Map(points.map((each) => [JSON.stringify(each), each])).values()];
    const ordered = distinct.sort((a, b) => a.timestamp - b.timestamp || a.step - b.step || a.value - b.value);
    const read: unknown[] = [];
    for (let offset: number | undefined = 0; offset !== undefined; ) {
      const page: metrics.HistoryPage = await metrics.history(ctx, { runId, key: 'm', offset, limit: 7 });
      read.push(...JSON.parse(page.json));
      offset = page.nextOffset;
    }
    expect(read).toEqual(ordered);
    const [latest] = (await runs.getRun(ctx, runId)).metrics;
    const greatest = [...distinct].sort((a, b) => b.step - a.step || b.timestamp - a.timestamp || b.value - a.value)[0];
    expect(latest).toEqual(greatest);
  });

  test('an earlier step that is logged later does not become the latest', async () => {
    const runId = await start();
    await runs.logMetric(ctx, runId, { key: 'm', value: 1, timestamp: 1, step: 9 });
    await runs.logMetric(ctx, runId, { key: 'm', value: 2, timestamp: 99, step: 8 });
    expect((await runs.getRun(ctx, runId)).metrics).toEqual([{ key: 'm', value: 1, timestamp: 1, step: 9 }]);
  });

  test('histories of several runs come by run id; sampled ones in the order asked for', async () => {
    const ids = [await start(), await start()].sort().reverse();
    for (const runId of ids) {
      const points = Array.from({ length: 10 }, (_, step) => ({ key: 'm', value: step, timestamp: 1, step }));
      await runs.logBatch(ctx, runId, { metrics: points, params: [], tags: [] });
    }
    const bulk: { run_id: string }[] = JSON.parse(await metrics.historyOfRuns(ctx, { runIds: ids, key: 'm', limit: 12 }));
    expect(bulk.map((each) => each.run_id)).toEqual([...Array(10).fill(ids[1]), ids[0], ids[0]]);
    const sampled: { run_id: string; step: number }[] = JSON.parse(
      await metrics.sampledHistory(ctx, { runIds: ids, key: 'm', steps: { start: 2, end: 7 }, limit: 3 }),
    );
    expect(sampled.map((each) => each.run_id)).toEqual([...Array(4).fill(ids[0]), ...Array(4).fill(ids[1])]);
    expect(sampled.slice(0, 4).map((each) => each.step)).toEqual([2, 4, 6, 7]);
  });

  test('an unknown run has an empty history', async () => {
    expect(await metrics.history(ctx, { runId: 'x', key: 'm', offset: 0, limit: 5 })).toMatchObject({
      isEmpty: true,
      nextOffset: undefined,
    });
  });

  test('a point that measured a model is also the model’s, once', async () => {
    const runId = await start();
    const model = await loggedModels.create(ctx, {
      experimentId: '0',
      name: 'model',
      modelType: '',
      sourceRunId: runId,
      params: [],
      tags: [],
    });
    const point = { key: 'm', value: 0.5, timestamp: 1, step: 0, modelId: model.modelId, datasetName: 'd', datasetDigest: '1' };
    await runs.logMetric(ctx, runId, { ...point, modelId: undefined });
    await runs.logBatch(ctx, runId, { metrics: [point], params: [], tags: [] });
    await runs.logBatch(ctx, runId, { metrics: [point], params: [], tags: [] });
    expect((await loggedModels.getLoggedModel(ctx, model.modelId)).metrics).toHaveLength(1);
    expect(await historyOf(runId, 'm')).toHaveLength(1);
  });
});

describe('inputs and outputs', () => {
  const dataset = (name: string, tag: string): runs.NewDataset => ({
    name,
    digest: 'd',
    sourceType: 't',
    source: 's',
    schema: undefined,
    profile: 'p',
    tags: [{ key: 'mlflow.data.context', value: tag }],
  });

  test('a dataset that the run has keeps its tags, and is shared by the runs of its experiment', async () => {
    const [first, second] = [await start(), await start()];
    await runs.logInputs(ctx, first, {
      datasets: [dataset('b', 'train'), dataset('a', 'eval'), dataset('b', 'again')],
      modelIds: ['m-1', 'm-1'],
    });
    await runs.logInputs(ctx, first, { datasets: [dataset('b', 'later')], modelIds: [] });
    await runs.logInputs(ctx, second, { datasets: [dataset('b', 'other')], modelIds: [] });
    const run = await runs.getRun(ctx, first);
    expect(run.datasets.map(({ name, tags }) => [name, tags[0]?.value])).toEqual([
      ['b', 'train'],
      ['a', 'eval'],
    ]);
    expect(run.datasets[0]).toMatchObject({ schema: null, profile: 'p', source_type: 't' });
    expect(run.modelInputs).toEqual([{ model_id: 'm-1' }]);
    expect((await runs.getRun(ctx, second)).datasets[0]?.tags[0]?.value).toBe('other');
  });

  test.each([
    ['name', 501],
    ['digest', 37],
    ['source', 65_536],
    ['schema', 1_048_576],
    ['profile', 16_777_216],
  ])('a dataset whose %s has %d characters is refused', async (field, length) => {
    const runId = await start();
    const large = { ...dataset('a', ''), [field]: 'x'.repeat(length) };
    await expect(runs.logInputs(ctx, runId, { datasets: [large], modelIds: [] })).rejects.toThrow(
      `'${field}' exceeds the maximum length of ${length - 1} characters`,
    );
  });

  test('outputs append, in the order of writing', async () => {
    const runId = await start();
    await runs.logOutputs(ctx, runId, [
      { modelId: 'm-2', step: 1 },
      { modelId: 'm-1', step: 0 },
    ]);
    await runs.logOutputs(ctx, runId, [{ modelId: 'm-2', step: 1 }]);
    expect((await runs.getRun(ctx, runId)).modelOutputs.map((output) => output.model_id)).toEqual(['m-2', 'm-1', 'm-2']);
  });

  test('models of 2.x clients gather in one tag, also after somebody broke it', async () => {
    const runId = await start();
    await runs.logModel(ctx, runId, { artifact_path: 'a' });
    await runs.logModel(ctx, runId, { artifact_path: 'b' });
    const tag = async (): Promise<string | undefined> =>
      (await runs.getRun(ctx, runId)).tags.find((each) => each.key === 'mlflow.log-model.history')?.value;
    expect(await tag()).toBe('[{"artifact_path":"a"},{"artifact_path":"b"}]');
    await runs.setTag(ctx, runId, { key: 'mlflow.log-model.history', value: 'broken' });
    await runs.logModel(ctx, runId, { artifact_path: 'c' });
    expect(await tag()).toBe('[{"artifact_path":"c"}]');
  });
});
