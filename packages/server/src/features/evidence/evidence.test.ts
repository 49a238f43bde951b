import { mkdtempSync, rmSync, truncateSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openContext } from '../../../../../test/support/context.ts';
import { type PostgresCluster, startPostgres } from '../../../../../test/support/postgres.ts';
import { LocalBlobStore } from '../../platform/blobs/local-blob-store.ts';
import { type Ctx, transaction } from '../../platform/context.ts';
import { PostgresDatabase } from '../../platform/db/postgres.ts';
import { SqliteDatabase } from '../../platform/db/sqlite.ts';
import * as artifacts from '../artifacts/artifacts.ts';
import * as events from '../events/events.ts';
import * as loggedModels from '../logged-models/logged-models.ts';
import * as models from '../models/models.ts';
import * as runs from '../runs/runs.ts';
import * as transitions from '../transitions/transitions.ts';
import type { ModelVersion, NewVersion } from '../versions/versions.ts';
import * as versions from '../versions/versions.ts';
import * as evidence from './evidence.ts';

let cluster: PostgresCluster;
beforeAll(async () => {
  cluster = await startPostgres();
}, 120_000);
afterAll(() => cluster?.stop());

const SCHEMA = '[{"name": "x", "type": "double", "required": true}]';
const MLMODEL = `flavors:\n  sklearn: {}\nsaved_input_example_info: {artifact_path: input_example.json}\nsignature:\n  inputs: '${SCHEMA}'\n  outputs: '${SCHEMA}'\n`;

describe.each(['sqlite', 'postgres'] as const)('evidence on %s', (dialect) => {
  let ctx: Ctx;
  let folder = '';
  let count = 0;

  beforeAll(async () => {
    folder = mkdtempSync(join(tmpdir(), 'countersign-evidence-'));
    const db = dialect === 'sqlite' ? new SqliteDatabase(':memory:') : new PostgresDatabase(await cluster.createDatabase());
    ctx = await openContext({ db, blobs: new LocalBlobStore(join(folder, 'blobs')) });
  });
  afterAll(async () => {
    await ctx.db.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const as = (id: number): Ctx => ({ ...ctx, principal: { id, kind: 'user', name: `user ${id}` } });
  const upload = (artifactUri: string, files: Readonly<Record<string, string>>): Promise<unknown> =>
    Promise.all(
      Object.entries(files).map(([path, text]) =>
        artifacts.put(ctx, `${artifactUri.replace('mlflow-artifacts:/', '')}/${path}`, Readable.from([Buffer.from(text)])),
      ),
    );
  const createModel = async (): Promise<string> => {
    const name = `M${++count}`;
    await models.create(ctx, { name, tags: [] });
    return name;
  };
  const register = (name: string, input: Partial<NewVersion>, by: Ctx = ctx): Promise<ModelVersion> =>
    transitions.registerVersion(by, {
      name,
      source: 's3://bucket/model',
      runId: '',
      loggedModelId: undefined,
      runLink: '',
      description: undefined,
      tags: [],
      ...input,
    });
  const createRun = async (by: Ctx = ctx): Promise<string> =>
    (await runs.create(by, { experimentId: 0, userId: 'somebody else', startTime: 1, tags: [] })).info.runId;
  const point = (key: string, value: number, more: object = {}): Parameters<typeof runs.logMetric>[2] => ({
    key,
    value,
    timestamp: 1,
    step: 1,
    ...more,
  });
  const createRunWithModel = async (files: Readonly<Record<string, string>> = {}): Promise<string> => {
    const runId = await createRun();
    const run = await runs.getRun(ctx, runId);
    await upload(`${run.info.artifactUri}/model`, { MLmodel: MLMODEL, 'input_example.json': '{}', ...files });
    return runId;
  };
  const ensure = (version: ModelVersion): Promise<evidence.Snapshot> => ctx.db.write((tx) => evidence.ensure({ ...ctx, tx }, version));
  const typesOf = async (version: ModelVersion): Promise<string[]> => {
    const found = await events.list(ctx.db, { workspaceId: 0, modelId: version.modelId, limit: 100 });
    return found.map((event) => event.type).filter((type) => type.startsWith('evidence.'));
  };

  it('holds what the run, the sealed files and the version say', async () => {
    const runId = await createRunWithModel({ 'README.md': '# Limits\nNone known.\n# Bias\n', 'requirements.txt': 'scikit-learn==1.5\n' });
    for (const each of [point('auc', 0.5), point('auc', 0.91, { step: 2 }), point('loss', Number.NaN), point('gain', Infinity)]) {
      await runs.logMetric(ctx, runId, each);
    }
    await runs.logParam(ctx, runId, { key: 'depth', value: '3' });
    const dataset = { name: 'train', digest: 'abc', sourceType: 'local', source: '{}', schema: undefined, profile: undefined, tags: [] };
    await runs.logInputs(ctx, runId, { datasets: [dataset], modelIds: [] });
    const version = await register(await createModel(), {
      source: `runs:/${runId}/model`,
      runId,
      description: '# Intended use\nScores.',
      tags: [{ key: 'team', value: 'risk' }],
    });
    const { content, digest, body } = await ensure(version);
    const ofRun = { dataset: null, dataset_digest: null, source: 'run' };
    expect(content).toEqual({
      lineage: 'verified',
      run_id: runId,
      logged_model_id: null,
      metrics: [
        { name: 'auc', value: 0.91, ...ofRun },
        { name: 'gain', value: 'Infinity', ...ofRun },
        { name: 'loss', value: 'NaN', ...ofRun },
      ],
      params: [{ key: 'depth', value: '3' }],
      datasets: [{ name: 'train', digest: 'abc' }],
      signature: { inputs: JSON.parse(SCHEMA), outputs: JSON.parse(SCHEMA), params: null },
      has_input_example: true,
      flavors: ['sklearn'],
      requirements: [{ name: 'scikit-learn', asked: '==1.5' }],
      tags: [{ key: 'team', value: 'risk' }],
      has_description: true,
      model_card_sections: ['Intended use', 'Limits'],
    });
    expect(evidence.factsOf({ content })).toMatchObject({ hasSignature: true, hasInputExample: true, tags: { team: 'risk' } });
    expect(JSON.parse(body)).toEqual(content);
    expect(digest).toMatch(/^[0-9a-f]{64}$/);
  });

  it('stays as it was taken, whatever is written afterwards, until it is renewed', async () => {
    const runId = await createRunWithModel();
    await runs.logMetric(ctx, runId, point('auc', 0.5));
    const name = await createModel();
    const version = await register(name, { source: `runs:/${runId}/model`, runId });
    const before = await evidence.current(ctx, version);
    expect('number' in before).toBe(false);
    const taken = await ensure(version);
    expect(taken).toMatchObject({ number: 1, digest: before.digest, takenBy: 0 });
    await runs.logMetric(ctx, runId, point('auc', 0.99, { step: 2 }));
    await versions.setDescription(ctx, name, 1, 'Words.');
    const changed = await versions.get(ctx, name, 1);
    expect((await ensure(changed)).digest).toBe(taken.digest);
    expect((await evidence.current(ctx, changed)).digest).toBe(taken.digest);
    expect((await evidence.inspect(ctx, changed)).isCurrent).toBe(false);

    const renewed = await evidence.renew(as(7), name, 1);
    expect(renewed).toMatchObject({ number: 2, takenBy: 7, content: { has_description: true, metrics: [{ value: 0.99 }] } });
    expect(await evidence.renew(ctx, name, 1)).toEqual(renewed);
    expect((await evidence.inspect(ctx, changed)).isCurrent).toBe(true);
    expect((await evidence.findByDigest(ctx, version.id, taken.digest))?.number).toBe(1);
    expect(await typesOf(version)).toEqual(['evidence.taken', 'evidence.renewed']);
    const [, event] = (await events.list(ctx.db, { workspaceId: 0, modelId: version.modelId, limit: 100 })).filter((each) =>
      each.type.startsWith('evidence.'),
    );
    expect(JSON.parse(event?.body ?? '')).toMatchObject({
      target: 'evidence',
      data: { number: 2, from: taken.digest, digest: renewed.digest },
    });
  });

  it('is taken once by several at the same time', async () => {
    const version = await register(await createModel(), {});
    const all = await Promise.all([1, 2, 3, 4].map(() => ensure(version)));
    expect(new Set(all.map((each) => each.digest)).size).toBe(1);
    expect(await typesOf(version)).toEqual(['evidence.taken']);
  });

  it.each([
    ['small', {}],
    ['too large to be remembered', { 'README.md': `# Limits\n${'None known. '.repeat(8000)}` }],
  ])('waits for files that are %s before the transaction, not in it', async (_size, files: Readonly<Record<string, string>>) => {
    const runId = await createRunWithModel({ 'requirements.txt': `only-here==${Object.keys(files).length}\n`, ...files });
    const version = await register(await createModel(), { source: `runs:/${runId}/model`, runId });
    const runsOfWork: boolean[] = [];
    const settle = (): Promise<evidence.Evidence> =>
      transaction(ctx, (inner) => {
        runsOfWork.push(inner.isPrepared === true);
        return evidence.settled(inner, version);
      });
    expect((await settle()).content).toMatchObject({ requirements: [{ name: 'only-here' }], has_input_example: true });
    expect(runsOfWork).toEqual([false, true]);
    // What is taken already needs no file.
    await settle();
    expect(runsOfWork).toEqual([false, true, false]);
    expect(await typesOf(version)).toEqual(['evidence.taken']);
  });

  it('takes nothing of a run that is only claimed', async () => {
    const good = await createRunWithModel();
    await runs.logMetric(ctx, good, point('auc', 1));
    const bad = await createRunWithModel();
    const [first, second] = [
      await register(await createModel(), { source: 's3://bucket/model', runId: good }),
      await register(await createModel(), { source: `runs:/${bad}/model`, runId: good }),
    ];
    for (const version of [first, second]) {
      expect((await evidence.compute(ctx, version)).content).toMatchObject({ lineage: 'claimed', metrics: [], params: [], run_id: good });
    }
  });

  const createLoggedModel = async (sourceRunId: string, by: Ctx = ctx): Promise<string> => {
    const model = await loggedModels.create(by, { experimentId: '0', name: 'm', modelType: '', sourceRunId, params: [], tags: [] });
    await upload(model.artifactUri, { MLmodel: MLMODEL });
    await loggedModels.finalize(by, model.modelId, 2);
    return model.modelId;
  };

  it("puts a logged model's own metrics, by dataset, before what its run has under the same name", async () => {
    const runId = await createRun();
    const modelId = await createLoggedModel(runId);
    const onModel = (value: number, step: number, datasetName?: string) =>
      runs.logMetric(ctx, runId, { ...point('auc', value, { step }), modelId, datasetName, datasetDigest: datasetName && 'd1' });
    await onModel(0.7, 1, 'test');
    await onModel(0.8, 2, 'test');
    await onModel(0.6, 3, 'train');
    // Of another model of the same run.
    await runs.logMetric(ctx, runId, point('auc', 0.99, { step: 9 }));
    await runs.logMetric(ctx, runId, point('loss', 0.1));
    const version = await register(await createModel(), { source: `models:/${modelId}`, loggedModelId: modelId });
    const { metrics } = evidence.factsOf(await evidence.compute(ctx, version));
    expect(metrics).toEqual([
      { name: 'auc', value: 0.8, dataset: 'test' },
      { name: 'auc', value: 0.6, dataset: 'train' },
      { name: 'loss', value: 0.1, dataset: undefined },
    ]);
  });

  it('counts a logged model of no run, and no run or logged model that is named beside the one that has the bytes', async () => {
    const [runId, otherRun] = [await createRunWithModel(), await createRun()];
    const [alone, other] = [await createLoggedModel(''), await createLoggedModel(otherRun)];
    const root = (await loggedModels.getLoggedModel(ctx, alone)).artifactUri;
    const lineageOf = async (input: Partial<NewVersion>): Promise<string> => (await register(await createModel(), input)).lineage;
    expect(await lineageOf({ source: `models:/${alone}`, loggedModelId: alone })).toBe('verified');
    expect(await lineageOf({ source: `models:/${alone}`, loggedModelId: alone, runId })).toBe('claimed');
    expect(await lineageOf({ source: root, loggedModelId: alone, runId })).toBe('claimed');
    expect(await lineageOf({ source: `runs:/${runId}/model`, runId })).toBe('verified');
    expect(await lineageOf({ source: `runs:/${runId}/model`, runId, loggedModelId: other })).toBe('claimed');
    expect(await lineageOf({ source: 's3://bucket/model', loggedModelId: alone })).toBe('claimed');
    expect(await lineageOf({ source: 's3://bucket/model' })).toBe('none');
  });

  it('covers the model configuration of a prompt', async () => {
    const name = `P${++count}`;
    await models.create(ctx, { name, tags: [{ key: 'mlflow.prompt.is_prompt', value: 'true' }] });
    const tags = [
      { key: 'mlflow.prompt.is_prompt', value: 'true' },
      { key: 'mlflow.prompt.text', value: 'Hello' },
    ];
    const version = await register(name, { source: 'prompt', tags });
    const before = await evidence.compute(ctx, version);
    await transitions.setVersionTag(ctx, name, 1, '_mlflow_prompt_model_config', '{"temperature": 1}');
    expect((await evidence.compute(ctx, await versions.get(ctx, name, 1))).digest).not.toBe(before.digest);
  });

  it('says nothing of files that are damaged, and tells it', async () => {
    const runId = await createRunWithModel({ MLmodel: `${MLMODEL}# only here ${dialect}\n` });
    const version = await register(await createModel(), { source: `runs:/${runId}/model`, runId });
    const file = await artifacts.findInTree(ctx, version.treeId ?? 0, 'MLmodel');
    truncateSync(join(folder, 'blobs', file?.domain ?? '', (file?.sha256 ?? '').slice(0, 2), file?.sha256 ?? ''), 3);
    expect((await ensure(version)).content).toMatchObject({ signature: null, flavors: [] });
    expect((await versions.findById(ctx, version.id))?.damagedAt).not.toBeNull();
  });

  it('knows who made the run and the logged model, whatever the client claims and whoever wrote to them later', async () => {
    const runId = await createRun(as(3));
    await runs.update(as(4), runId, { status: 'FINISHED' });
    const modelId = await createLoggedModel(runId, as(5));
    expect(await evidence.runAuthorsOf(ctx, { runId, loggedModelId: modelId })).toEqual([3, 5]);
    expect(await evidence.runAuthorsOf(ctx, { runId: 'unknown', loggedModelId: null })).toEqual([]);
  });

  it('knows what a version was copied from, and who registered, edited and last wrote each', async () => {
    const [a, b, c] = [await createModel(), await createModel(), await createModel()];
    const first = await register(a, { tags: [{ key: 'k', value: 'v' }] }, as(3));
    const second = await register(b, { source: `models:/${a}/1` }, as(4));
    await transitions.setVersionTag(as(8), b, 1, 'k', 'w');
    const third = await register(c, { source: `models:/${b}/1` }, as(5));
    await versions.setDescription(as(9), c, 1, 'Words.');
    expect(await versions.get(ctx, b, 1)).toMatchObject({ originVersionId: first.id, registeredBy: 4, editedBy: 8, writtenBy: 4 });
    expect(await versions.get(ctx, c, 1)).toMatchObject({ originVersionId: second.id, registeredBy: 5, editedBy: 9, writtenBy: 9 });
    const origins = await evidence.originsOf(ctx, third);
    expect(origins.map(({ versionId, name, registeredBy }) => [versionId, name, registeredBy])).toEqual([
      [second.id, b, 4],
      [first.id, a, 3],
    ]);
    await transitions.deleteVersion(ctx, a, 1);
    expect(await evidence.originsOf(ctx, third)).toEqual(origins);
    expect(first).toMatchObject({ originVersionId: null, registeredBy: 3, editedBy: 3 });
  });
});
