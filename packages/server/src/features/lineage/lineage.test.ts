import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { RANK } from '@countersign/contract/levels.ts';
import { LINEAGE_NODES_MAX } from '@countersign/contract/lineage.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openContext } from '../../../../../test/support/context.ts';
import { type PostgresCluster, startPostgres } from '../../../../../test/support/postgres.ts';
import { LocalBlobStore } from '../../platform/blobs/local-blob-store.ts';
import { type Ctx, systemClock } from '../../platform/context.ts';
import { PostgresDatabase } from '../../platform/db/postgres.ts';
import { compileAccess } from '../access/access.ts';
import * as artifacts from '../artifacts/artifacts.ts';
import * as experiments from '../experiments/experiments.ts';
import * as loggedModels from '../logged-models/logged-models.ts';
import * as models from '../models/models.ts';
import * as requests from '../requests/requests.ts';
import * as runs from '../runs/runs.ts';
import * as transitions from '../transitions/transitions.ts';
import type { ModelVersion } from '../versions/versions.ts';
import * as lineage from './lineage.ts';

let cluster: PostgresCluster;
beforeAll(async () => {
  cluster = await startPostgres();
}, 120_000);
afterAll(() => cluster?.stop());

const READY = 2;
const BOTH = { direction: 'both', depth: 20 } as const;

describe.each(['sqlite', 'postgres'] as const)('lineage on %s', (dialect) => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-lineage-'));
  let ctx: Ctx;
  let now = 1_700_000_000_000;
  let experimentId = 0;
  let count = 0;

  beforeAll(async () => {
    ctx = await openContext({
      blobs: new LocalBlobStore(join(folder, 'blobs')),
      clock: { ...systemClock, now: () => now++ },
      ...(dialect === 'sqlite' ? {} : { db: new PostgresDatabase(await cluster.createDatabase()) }),
    });
    experimentId = await experiments.create(ctx, { name: 'training', tags: [] });
  });
  afterAll(async () => {
    await ctx.db.close();
    rmSync(folder, { recursive: true, force: true });
  });

  const tags = (pairs: Readonly<Record<string, string>>) => Object.entries(pairs).map(([key, value]) => ({ key, value }));
  const dataset = (name: string, digest: string) => ({
    name,
    digest,
    sourceType: 'local',
    source: '{"uri":"x"}',
    schema: undefined,
    profile: undefined,
    tags: [],
  });

  async function train(digest: string, code: Readonly<Record<string, string>> = {}) {
    const { info } = await runs.create(ctx, { experimentId, userId: 'x', startTime: 5, name: 'train', tags: tags(code) });
    await runs.logInputs(ctx, info.runId, { datasets: [dataset('claims', digest)], modelIds: [] });
    const model = await loggedModels.create(ctx, {
      experimentId: String(experimentId),
      name: 'tree',
      modelType: '',
      sourceRunId: info.runId,
      params: [],
      tags: [],
    });
    const path = artifacts.storedPathOf(model.artifactUri) ?? '';
    await artifacts.put(ctx, `${path}/MLmodel`, Readable.from([Buffer.from(`flavors: {} # ${info.runId}\n`)]));
    await loggedModels.finalize(ctx, model.modelId, READY);
    return { run: info, model };
  }

  async function register(name: string, source: string, runId = ''): Promise<ModelVersion> {
    if ((await models.find(ctx, name)) === undefined) await models.create(ctx, { name, tags: [] });
    const rest = { loggedModelId: undefined, runLink: '', description: undefined, tags: [] };
    return transitions.registerVersion(ctx, { name, source, runId, ...rest });
  }

  const name = (): string => `Fraud-${++count}`;
  const edgesOf = (graph: lineage.LineageGraph): string[] =>
    graph.edges.map(({ from, to, kind, isClaimed }) => `${nameOf(graph, from)} ${kind}${isClaimed ? '?' : ''} ${nameOf(graph, to)}`).sort();
  const nameOf = (graph: lineage.LineageGraph, id: string): string | null | undefined => graph.nodes.find((node) => node.id === id)?.name;

  it('goes from data and code to a run, its model, the version, its copies, and where they stood', async () => {
    const model = name();
    const code = {
      'mlflow.source.git.commit': 'abcdef0123456789',
      'mlflow.source.name': 'train.py',
      'mlflow.source.git.repoURL': 'https://x/r',
    };
    const { run, model: logged } = await train('d1', code);
    const version = await register(model, `models:/${logged.modelId}`);
    await register(`prod.${model}`, `models:/${model}/1`);
    await requests.moveStage(ctx, { name: model, version: 1, stage: 'Staging', archiveExisting: false });
    await requests.moveStage(ctx, { name: model, version: 1, stage: 'Production', archiveExisting: false });
    await transitions.setAlias(ctx, `prod.${model}`, 'champion', 1);
    const graph = await lineage.ofVersion(ctx, model, 1, BOTH);
    const expected = [
      `claims input? train`,
      `train.py@abcdef012345 code? train`,
      `train logged tree`,
      `tree registered ${model}/1`,
      `${model}/1 copied prod.${model}/1`,
      `${model}/1 placed Staging`,
      `${model}/1 placed Production`,
      `prod.${model}/1 placed champion`,
    ].sort();
    expect(edgesOf(graph)).toEqual(expected);
    expect(graph.isTruncated).toBe(false);
    expect(graph.roots).toEqual([`version:${version.id}`]);
    const [staging, production] = graph.edges.filter((edge) => edge.kind === 'placed' && edge.from === graph.roots[0]);
    expect(staging?.until).toBeGreaterThan(staging?.since ?? 0);
    expect(production).toMatchObject({ since: staging?.until, until: null });
    // From the other end, and from the middle.
    const below = expected.filter((edge) => !edge.includes('code?'));
    expect(edgesOf(await lineage.ofDataset(ctx, 'd1', 20))).toEqual(below);
    expect(edgesOf(await lineage.ofRun(ctx, run.runId, 20))).toEqual(below.filter((edge) => !edge.includes('input?')));
    const copy = await lineage.ofVersion(ctx, `prod.${model}`, 1, { direction: 'up', depth: 20 });
    expect(edgesOf(copy)).toEqual(expected.filter((edge) => !edge.includes(' placed ')));
  });

  it('marks what a client claimed, and nothing shows', async () => {
    const model = name();
    const { run, model: logged } = await train('d2');
    const { run: other } = await train('d3');
    await register(model, 's3://bucket/model', run.runId);
    await register(model, 's3://bucket/model', 'elsewhere');
    await register(model, `models:/${logged.modelId}`, other.runId);
    const up = async (version: number): Promise<string[]> =>
      edgesOf(await lineage.ofVersion(ctx, model, version, { direction: 'up', depth: 1 }));
    expect(await up(1)).toEqual([`train registered? ${model}/1`]);
    expect(await up(2)).toEqual([`elsewhere registered? ${model}/2`]);
    expect(await up(3)).toEqual([`train registered? ${model}/3`, `tree registered ${model}/3`]);
  });

  it('says since when and until when a version stood somewhere, also where another one took its place', async () => {
    const model = name();
    await register(model, 's3://b/1');
    await register(model, 's3://b/2');
    await transitions.setAlias(ctx, model, 'champion', 1);
    await transitions.setAlias(ctx, model, 'champion', 2);
    await transitions.setAlias(ctx, model, 'champion', 1);
    await requests.moveStage(ctx, { name: model, version: 2, stage: 'Production', archiveExisting: false });
    await requests.moveStage(ctx, { name: model, version: 1, stage: 'Production', archiveExisting: true });
    const placed = async (version: number) =>
      (await lineage.ofVersion(ctx, model, version, { direction: 'down', depth: 5 })).edges.map(
        ({ to, until }) => `${to.split(':').at(-1)} ${until === null ? 'now' : 'then'}`,
      );
    expect(await placed(1)).toEqual(['champion then', 'champion now', 'Production now']);
    expect(await placed(2)).toEqual(['champion then', 'Production then', 'Archived now']);
  });

  it('hides above what the caller may not see, and leaves it out below', async () => {
    const model = name();
    const { model: logged } = await train('d4');
    const version = await register(model, `models:/${logged.modelId}`);
    await register(`secret-${model}`, `models:/${model}/1`);
    const sees = (prefix: string): Ctx => ({
      ...ctx,
      access: compileAccess({ isAdmin: false, isBornMember: true, memberRank: 0 }, [
        { kind: 'registered-model', objectId: -1, objectName: null, prefix, level: 'VIEW' },
      ]),
    });
    expect(sees('Fraud').access.rankOf('registered-model', { id: version.modelId, name: model })).toBe(RANK.VIEW);
    const seen = await lineage.ofVersion(sees('Fraud'), model, 1, BOTH);
    expect(edgesOf(seen)).toEqual([`null registered ${model}/1`]);
    expect(JSON.stringify(seen)).not.toContain(logged.modelId);
    const copy = await lineage.ofVersion(sees('secret'), `secret-${model}`, 1, BOTH);
    expect(edgesOf(copy)).toEqual([`null copied secret-${model}/1`]);
    expect(copy.nodes.filter((node) => node.isHidden)).toEqual([
      { id: 'hidden:1', kind: 'version', name: null, isHidden: true, facts: {}, startedAt: null, endedAt: null },
    ]);
    await expect(lineage.ofDataset(sees('Fraud'), 'd4', 5)).rejects.toMatchObject({ code: 'RESOURCE_DOES_NOT_EXIST' });
  });

  it('follows a copy by what it was copied from, not by a name that is another model’s by now', async () => {
    const model = name();
    await register(model, 's3://b/first');
    await register(`copy-${model}`, `models:/${model}/1`);
    await transitions.renameModel(ctx, model, `old-${model}`);
    await register(model, 's3://b/second');
    expect(edgesOf(await lineage.ofVersion(ctx, `copy-${model}`, 1, BOTH))).toEqual([`old-${model}/1 copied copy-${model}/1`]);
  });

  it('is the same from both ends, whatever was registered, copied and deleted', async () => {
    let state = 7;
    const random = (below: number): number => {
      state = (state * 1_103_515_245 + 12_345) % 2 ** 31;
      return Math.floor((state / 2 ** 31) * below);
    };
    const trained: { runId: string; modelId: string }[] = [];
    const living: ModelVersion[] = [];
    const source = (): [string, string] => {
      const origin = living[random(living.length + 1)];
      if (origin !== undefined && random(2) === 0) return [`models:/${origin.name}/${origin.version}`, ''];
      const { runId, modelId } = trained[random(trained.length)] ?? { runId: '', modelId: '' };
      return random(3) === 0 ? ['s3://b/x', runId] : [`models:/${modelId}`, random(3) === 0 ? (trained[0]?.runId ?? '') : ''];
    };
    for (let step = 0; step < 40; step += 1) {
      const turn = random(6);
      if (trained.length < 2 || turn === 0) {
        const { run, model } = await train(`r${random(3)}`);
        trained.push({ runId: run.runId, modelId: model.modelId });
      } else if (living.length > 3 && turn === 1) {
        const [gone] = living.splice(random(living.length), 1);
        if (gone) await transitions.deleteVersion(ctx, gone.name, gone.version);
      } else {
        living.push(await register(`R${random(3)}`, ...source()));
      }
    }
    const ends = async (graph: Promise<lineage.LineageGraph>): Promise<Set<string>> => new Set((await graph).nodes.map(({ id }) => id));
    const above = new Map<string, Set<string>>();
    for (const each of living)
      above.set(`version:${each.id}`, await ends(lineage.ofVersion(ctx, each.name, each.version, { direction: 'up', depth: 50 })));
    for (const { runId } of trained) {
      const below = await ends(lineage.ofRun(ctx, runId, 50));
      for (const [id, nodes] of above) {
        // What came of it through a version that was deleted is known above, and is no way down.
        if (below.has(id)) expect([runId, id, nodes.has(`run:${runId}`)]).toEqual([runId, id, true]);
        else if (![...nodes].some((node) => node.startsWith('version:') && !above.has(node)))
          expect([runId, id, nodes.has(`run:${runId}`)]).toEqual([runId, id, false]);
      }
    }
    for (const each of living) {
      const below = await ends(lineage.ofVersion(ctx, each.name, each.version, { direction: 'down', depth: 50 }));
      for (const [id, nodes] of above) if (below.has(id)) expect(nodes).toContain(`version:${each.id}`);
    }
  });

  it('stops at its depth and at its size, and says so', async () => {
    const model = name();
    const { run, model: logged } = await train('d5');
    await register(model, `models:/${logged.modelId}`);
    const near = await lineage.ofRun(ctx, run.runId, 1);
    expect([near.nodes.length, near.isTruncated]).toEqual([2, true]);
    expect((await lineage.ofRun(ctx, run.runId, 2)).isTruncated).toBe(false);
    await ctx.db.write(async (tx) => {
      const from = dialect === 'sqlite' ? 'json_each(?)' : 'jsonb_array_elements_text(?::jsonb) AS n (value)';
      const value = dialect === 'sqlite' ? 'n.value' : 'n.value::bigint';
      await tx.run(
        'INSERT INTO model_versions (model_id, workspace_id, version, source, storage_location, run_id, run_link, stage, lineage, seal_state, origin_version_id, ' +
          `created_at, updated_at, written_by) SELECT v.model_id, 0, ${value}, '', '', '', '', 'None', 'none', 'unsealed', v.id, 1, 1, 0 ` +
          `FROM model_versions v JOIN registered_models m ON m.id = v.model_id CROSS JOIN ${from}${dialect === 'sqlite' ? ' n' : ''} WHERE m.name = ? AND v.version = 1`,
        JSON.stringify(Array.from({ length: 600 }, (_none, i) => i + 10)),
        model,
      );
    });
    const wide = await lineage.ofVersion(ctx, model, 1, BOTH);
    expect([wide.nodes.length, wide.isTruncated]).toEqual([LINEAGE_NODES_MAX, true]);
  });

  it('goes along indexes', async () => {
    if (dialect !== 'sqlite') return;
    const plan = async (sql: string): Promise<string> =>
      (await ctx.db.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)).map(({ detail }) => detail).join('\n');
    const list = "(SELECT value FROM json_each('[]'))";
    expect(await plan(`SELECT id FROM model_versions v WHERE v.origin_version_id IN ${list} AND v.deleted_at IS NULL`)).toContain(
      'by_origin',
    );
    expect(await plan(`SELECT pk FROM logged_models l WHERE l.source_run_id IN ${list}`)).toContain('logged_models_by_run');
    expect(await plan(`SELECT run_pk FROM run_model_inputs i WHERE i.model_id IN ${list}`)).toContain('by_model');
    expect(await plan("SELECT id FROM datasets s WHERE s.digest = 'x'")).toContain('datasets_of_digest');
    expect(await plan(`SELECT id FROM model_versions v WHERE v.run_id IN ${list} AND v.deleted_at IS NULL`)).toContain('by_run');
  });
});
