import { Problem } from '@countersign/contract/problem.ts';
import { afterEach, beforeEach, describe, expect, test } from 'vitest';
import { openContext } from '../../../../../test/support/context.ts';
import { type Ctx, systemClock, transaction } from '../../platform/context.ts';
import type { Database } from '../../platform/db/database.ts';
import { searchDatabases } from '../../platform/db/search-databases.ts';
import { createSearches, type Searches } from '../../platform/db/search-runner.ts';
import * as experiments from '../experiments/experiments.ts';
import * as loggedModels from './logged-models.ts';

describe.each(searchDatabases())('logged models on $dialect', ({ open }) => {
  let db: Database;
  let ctx: Ctx;
  let searches: Searches;
  let now = 1000;

  beforeEach(async () => {
    db = await open();
    ctx = await openContext({ db, clock: { ...systemClock, now: () => now++ } });
    searches = createSearches({ db, file: undefined, timeoutMs: 60_000 });
  });
  afterEach(() => db.close());

  const blank = { experimentId: '0', name: undefined, modelType: '', sourceRunId: '', params: [], tags: [] };

  async function refusalOf(work: Promise<unknown>): Promise<string> {
    const error: unknown = await work.catch((reason: unknown) => reason);
    expect(error).toBeInstanceOf(Problem);
    return (error as Problem).code;
  }

  test('a new one is pending, lies below its experiment, and has a name even if the client gave none', async () => {
    const model = await loggedModels.create(ctx, blank);
    expect(model.modelId).toMatch(/^m-[0-9a-f]{32}$/);
    expect(model.artifactUri).toBe(`mlflow-artifacts:/0/models/${model.modelId}/artifacts`);
    expect(model.status).toBe(1);
    expect(model.name).toMatch(/^[a-z]+-[a-z]+-\d+$/);
    expect(await loggedModels.getArtifactUri(ctx, model.modelId)).toBe(model.artifactUri);
  });

  test('names with characters that paths and URIs need are refused, and so is a deleted experiment', async () => {
    for (const name of ['a/b', 'a:b', 'a.b', 'a%b', `a"b`, "a'b"]) {
      expect(await refusalOf(loggedModels.create(ctx, { ...blank, name }))).toBe('INVALID_PARAMETER_VALUE');
    }
    expect(await refusalOf(loggedModels.create(ctx, { ...blank, experimentId: '77' }))).toBe('RESOURCE_DOES_NOT_EXIST');
    await experiments.remove(ctx, 0);
    expect(await refusalOf(loggedModels.create(ctx, blank))).toBe('INVALID_PARAMETER_VALUE');
  });

  test('finalizing sets the status and the time, as often as it is asked', async () => {
    const { modelId, updatedAt } = await loggedModels.create(ctx, blank);
    const ready = await loggedModels.finalize(ctx, modelId, 2);
    expect(ready.status).toBe(2);
    expect(ready.updatedAt).toBeGreaterThan(updatedAt);
    expect((await loggedModels.finalize(ctx, modelId, 3)).status).toBe(3);
    expect(await refusalOf(loggedModels.finalize(ctx, 'm-absent', 2))).toBe('RESOURCE_DOES_NOT_EXIST');
  });

  test('a deleted one is found only where deleted ones are asked for; deleting twice is one event', async () => {
    const { modelId } = await loggedModels.create(ctx, blank);
    await loggedModels.remove(ctx, modelId);
    await loggedModels.remove(ctx, modelId);
    expect(await refusalOf(loggedModels.getLoggedModel(ctx, modelId))).toBe('RESOURCE_DOES_NOT_EXIST');
    expect(await refusalOf(loggedModels.getArtifactUri(ctx, modelId))).toBe('RESOURCE_DOES_NOT_EXIST');
    expect((await loggedModels.getLoggedModel(ctx, modelId, { allowDeleted: true })).lifecycle).toBe('deleted');
    expect(await db.all("SELECT seq FROM events WHERE type = 'logged-model.deleted'")).toHaveLength(1);
  });

  test('a model of another workspace is not there', async () => {
    const { modelId } = await loggedModels.create(ctx, blank);
    expect(await refusalOf(loggedModels.getLoggedModel({ ...ctx, workspace: { id: 5, name: 'other' } }, modelId))).toBe(
      'RESOURCE_DOES_NOT_EXIST',
    );
  });

  test('of a tag the last write wins; params are written once, all or none', async () => {
    const tags = [
      { key: 't', value: '1' },
      { key: 't', value: '2' },
    ];
    const { modelId } = await loggedModels.create(ctx, { ...blank, tags, params: [{ key: 'p', value: '1' }] });
    await loggedModels.setTags(ctx, modelId, [{ key: 'u', value: 'x' }]);
    expect(
      await refusalOf(
        loggedModels.logParams(ctx, modelId, [
          { key: 'q', value: '1' },
          { key: 'p', value: '1' },
        ]),
      ),
    ).toBe('BAD_REQUEST');
    await loggedModels.deleteTag(ctx, modelId, 'u');
    expect(await refusalOf(loggedModels.deleteTag(ctx, modelId, 'u'))).toBe('RESOURCE_DOES_NOT_EXIST');
    const model = await loggedModels.getLoggedModel(ctx, modelId);
    expect(model.tags).toEqual([{ key: 't', value: '2' }]);
    expect(model.params).toEqual([{ key: 'p', value: '1' }]);
  });

  test('metrics keep every point; the same point again changes nothing; NaN and infinities survive', async () => {
    const { modelId } = await loggedModels.create(ctx, blank);
    const point = { key: 'm', timestamp: 5, step: 2n ** 60n, runId: 'r', datasetName: 'd', datasetDigest: undefined };
    const points = [
      { ...point, value: 0.25 },
      { ...point, timestamp: 6, value: Number.NaN },
      { ...point, timestamp: 7, value: Number.POSITIVE_INFINITY },
    ];
    for (const _ of [1, 2]) await transaction(ctx, (inner) => loggedModels.recordMetrics(inner, modelId, points));
    const { metrics } = await loggedModels.getLoggedModel(ctx, modelId);
    expect(metrics.map(({ value }) => value)).toEqual([0.25, 'NaN', Number.MAX_VALUE]);
    expect(metrics[0]).toEqual({
      key: 'm',
      value: 0.25,
      timestamp: 5,
      step: 2n ** 60n,
      run_id: 'r',
      dataset_name: 'd',
      dataset_digest: null,
    });
  });

  test('a registered version is appended to what the tag lists, whatever a client wrote there', async () => {
    const { modelId } = await loggedModels.create(ctx, {
      ...blank,
      tags: [{ key: 'mlflow.modelVersions', value: '[{"name":"a","version":"1"}]' }],
    });
    const versionsOf = async (): Promise<unknown> => JSON.parse((await loggedModels.getLoggedModel(ctx, modelId)).tags[0]?.value ?? '');
    await transaction(ctx, (inner) => loggedModels.appendVersion(inner, modelId, 'a', 1));
    expect(await versionsOf()).toEqual([
      { name: 'a', version: '1' },
      { name: 'a', version: 1 },
    ]);
    await loggedModels.setTags(ctx, modelId, [{ key: 'mlflow.modelVersions', value: 'not JSON' }]);
    await transaction(ctx, (inner) => loggedModels.appendVersion(inner, modelId, 'b', 2));
    expect(await versionsOf()).toEqual([{ name: 'b', version: 2 }]);
  });

  test('a page token belongs to its search', async () => {
    for (const name of ['a', 'b', 'c']) await loggedModels.create(ctx, { ...blank, name });
    const asked = {
      experimentIds: ['0'],
      filter: "name != 'zz'",
      datasets: [],
      orderBy: [{ field_name: 'name' }],
      maxResults: 2,
      pageToken: undefined,
    };
    const first = await loggedModels.searchLoggedModels(ctx, searches, asked);
    expect(first.pks).toHaveLength(2);
    const rest = await loggedModels.searchLoggedModels(ctx, searches, { ...asked, pageToken: first.nextPageToken });
    expect(await loggedModels.listByPk(ctx, rest.pks)).toMatchObject([{ name: 'c' }]);
    expect(rest.nextPageToken).toBeUndefined();
    for (const other of [{ filter: undefined }, { experimentIds: ['1'] }, { orderBy: [] }]) {
      const search = loggedModels.searchLoggedModels(ctx, searches, { ...asked, ...other, pageToken: first.nextPageToken });
      expect(await refusalOf(search)).toBe('INVALID_PARAMETER_VALUE');
    }
    expect(await refusalOf(loggedModels.searchLoggedModels(ctx, searches, { ...asked, pageToken: 'abc' }))).toBe('INVALID_PARAMETER_VALUE');
    expect(await refusalOf(loggedModels.searchLoggedModels(ctx, searches, { ...asked, datasets: [{}] }))).toBe('INVALID_PARAMETER_VALUE');
    expect(await refusalOf(loggedModels.searchLoggedModels(ctx, searches, { ...asked, experimentIds: [] }))).toBe(
      'INVALID_PARAMETER_VALUE',
    );
  });
});
