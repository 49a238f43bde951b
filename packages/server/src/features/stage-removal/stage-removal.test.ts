import type { Settings } from '@countersign/contract/settings.ts';
import { namesOf } from '@countersign/contract/stages.ts';
import { afterAll, afterEach, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openContext, openTestContext, type TestContext } from '../../../../../test/support/context.ts';
import { type PostgresCluster, startPostgres } from '../../../../../test/support/postgres.ts';
import type { Ctx, TxCtx } from '../../platform/context.ts';
import type { Queries } from '../../platform/db/database.ts';
import { PostgresDatabase } from '../../platform/db/postgres.ts';
import { compileAccess } from '../access/access.ts';
import * as audit from '../audit/audit.ts';
import * as models from '../models/models.ts';
import * as requests from '../requests/requests.ts';
import * as transitions from '../transitions/transitions.ts';
import * as versions from '../versions/versions.ts';
import { removeWorkspace } from '../workspace-removal/workspace-removal.ts';
import * as workspaces from '../workspaces/workspaces.ts';
import * as stageRemoval from './stage-removal.ts';

const stagesOf = (...names: string[]): Pick<Settings, 'stages'> => ({ stages: names.map((name) => ({ name })) });
const WITH_UAT = stagesOf('Staging', 'UAT', 'Production');
const WITHOUT = { ...stagesOf('Staging', 'Production'), stage_edges: null };
const IN_USE = { code: 'INVALID_STATE' };

async function register(ctx: Ctx, name: string): Promise<versions.ModelVersion> {
  const input = { source: 's3://bucket/model', runId: '', loggedModelId: undefined, runLink: '', description: undefined, tags: [] };
  return transitions.registerVersion(ctx, { name, ...input });
}

const ask = (version: number, stage: string): requests.Wish => ({ target: { kind: 'stage', stage }, version });
const move = (ctx: Ctx, name: string, version: number, stage: string, archiveExisting = false): Promise<versions.ModelVersion> =>
  requests.moveStage(ctx, { name, version, stage, archiveExisting });

const DATABASES = ['sqlite', 'postgres'] as const;

describe.each(DATABASES)('stages that a workspace defined, on %s', (dialect) => {
  let cluster: PostgresCluster;
  let test: Pick<TestContext, 'ctx' | 'close'>;
  let ctx: Ctx;

  beforeAll(async () => {
    if (dialect === 'postgres') cluster = await startPostgres();
  });
  afterAll(() => cluster?.stop());
  beforeEach(async () => {
    test = dialect === 'sqlite' ? await openTestContext() : await openPostgres(cluster);
    ctx = test.ctx;
    await stageRemoval.changeSettings(ctx, WITH_UAT);
    await models.create(ctx, { name: 'M', tags: [] });
    for (let i = 0; i < 3; i++) await register(ctx, 'M');
  });
  afterEach(() => test.close());

  it('take versions in, show them, and give up what stood there', async () => {
    expect(await move(ctx, 'M', 1, 'uat')).toMatchObject({ stage: 'UAT' });
    expect(await move(ctx, 'M', 2, 'UAT', true)).toMatchObject({ stage: 'UAT' });
    const model = await models.get(ctx, 'M');
    expect((await versions.listLatest(ctx, model)).map(({ version, stage }) => [version, stage])).toEqual([
      [1, 'Archived'],
      [2, 'UAT'],
      [3, 'None'],
    ]);
    const [placed] = await versions.listPlacedOfModels(ctx, [model]);
    expect(placed?.latest.map(({ stage }) => stage)).toEqual(['Archived', 'UAT', 'None']);
    expect((await audit.getStage(ctx, { name: 'M' }, 'UAT', undefined)).answer.map(({ version }) => version)).toEqual([2]);
    await requests.deleteVersion(ctx, 'M', 2);
    expect((await audit.getStage(ctx, { name: 'M' }, 'UAT', undefined)).answer).toEqual([]);
    expect((await audit.verify(ctx)).ok).toBe(true);
  });

  it('are left one by one when a model goes, which comes back in None', async () => {
    await move(ctx, 'M', 1, 'UAT');
    const { id } = await models.get(ctx, 'M');
    await requests.deleteModel(ctx, 'M');
    expect((await audit.getStage(ctx, { id }, 'UAT', undefined)).answer).toEqual([]);
    await stageRemoval.changeSettings(ctx, WITHOUT);
    await transitions.restoreModel(ctx, id, undefined);
    expect(await versions.get(ctx, 'M', 1)).toMatchObject({ stage: 'None' });
  });

  it('bind moves to their edges, both halves of them, and requests too', async () => {
    const along = (...edges: [string, string][]): Promise<Settings> =>
      stageRemoval.changeSettings(ctx, { stage_edges: edges.map(([from, to]) => ({ from, to })) });
    await along(['None', 'UAT'], ['UAT', 'Production']);
    await expect(move(ctx, 'M', 1, 'Production')).rejects.toThrow(
      "Version 1 of 'M' can't be moved from None to Production. From None a version goes to UAT.",
    );
    await expect(requests.create(ctx, 'M', ask(1, 'Production'))).rejects.toMatchObject(IN_USE);
    await move(ctx, 'M', 1, 'UAT');
    await expect(move(ctx, 'M', 2, 'UAT', true)).rejects.toThrow("Version 1 of 'M' can't be moved from UAT to Archived");
    expect((await versions.get(ctx, 'M', 1)).stage).toBe('UAT');
    expect((await versions.get(ctx, 'M', 2)).stage).toBe('None');
    await along(['None', 'UAT'], ['UAT', 'Production'], ['UAT', 'Archived']);
    await move(ctx, 'M', 2, 'UAT', true);
    expect((await versions.get(ctx, 'M', 1)).stage).toBe('Archived');
    await stageRemoval.changeSettings(ctx, { stage_edges: null });
    await move(ctx, 'M', 1, 'Staging');
  });

  it('ask for the level that they were defined with, and so do aliases called like them', async () => {
    await stageRemoval.changeSettings(ctx, {
      stages: [{ name: 'UAT' }, { name: 'Gold', level: 'MANAGE_PRODUCTION' }, { name: 'Staging' }, { name: 'Production' }],
    });
    const onTheModel = { kind: 'registered-model', objectId: (await models.get(ctx, 'M')).id, objectName: 'M', prefix: '' } as const;
    const as = (level: 'EDIT' | 'MANAGE_STAGING' | 'MANAGE_PRODUCTION'): Ctx => ({
      ...ctx,
      access: compileAccess({ isAdmin: false, isBornMember: true, memberRank: 0 }, [{ ...onTheModel, level }]),
    });
    const denied = { code: 'PERMISSION_DENIED' };
    await move(as('MANAGE_STAGING'), 'M', 1, 'UAT');
    await expect(move(as('EDIT'), 'M', 2, 'UAT')).rejects.toMatchObject(denied);
    await expect(move(as('MANAGE_STAGING'), 'M', 1, 'Gold')).rejects.toMatchObject(denied);
    await move(as('MANAGE_PRODUCTION'), 'M', 1, 'Gold');
    await expect(move(as('MANAGE_STAGING'), 'M', 1, 'UAT')).rejects.toMatchObject(denied);
    await expect(transitions.setAlias(as('MANAGE_STAGING'), 'M', 'gold', 1)).rejects.toMatchObject(denied);
    await expect(transitions.setAlias(as('EDIT'), 'M', 'Uat', 1)).rejects.toMatchObject(denied);
    await transitions.setAlias(as('MANAGE_PRODUCTION'), 'M', 'gold', 1);
    await transitions.setAlias(as('MANAGE_STAGING'), 'M', 'Uat', 1);
  });

  it('stay while something stands in them, waits for them, or is called like them; the refusal says where', async () => {
    await move(ctx, 'M', 1, 'UAT');
    await move(ctx, 'M', 3, 'UAT');
    await transitions.setAlias(ctx, 'M', 'uat', 2);
    const asked = await requests.create(ctx, 'M', ask(2, 'UAT'));
    const refusal = stageRemoval.changeSettings(ctx, WITHOUT);
    await expect(refusal).rejects.toMatchObject(IN_USE);
    await expect(refusal).rejects.toThrow(
      /in use by versions: M\/1, M\/3, and by aliases named like it: M@uat, and by open requests: M\/2/,
    );
    expect(namesOf(await workspaces.getStages(ctx))).toContain('UAT');
    await move(ctx, 'M', 1, 'Archived');
    await move(ctx, 'M', 3, 'None');
    await transitions.deleteAlias(ctx, 'M', 'uat');
    await expect(stageRemoval.changeSettings(ctx, WITHOUT)).rejects.toThrow('in use by open requests: M/2');
    await requests.cancel(ctx, asked.id);
    const policy = { name: 'uat', mode: 'observe', match: { model: '*', target: { stage: 'uat' } } };
    await transitions.replacePolicies(ctx, { published: [{ text: JSON.stringify(policy), listedDigests: [] }], withdrawn: [] });
    await expect(stageRemoval.changeSettings(ctx, WITHOUT)).rejects.toThrow('in use by policies: uat');
    await transitions.replacePolicies(ctx, { published: [], withdrawn: ['uat'] });
    await stageRemoval.changeSettings(ctx, WITHOUT);
    await expect(move(ctx, 'M', 1, 'UAT')).rejects.toThrow('Value must be one of None, Staging, Production, Archived.');
    // Also through the workspace's own door.
    await stageRemoval.updateWorkspace(ctx, 'default', { settings: WITH_UAT });
    await move(ctx, 'M', 1, 'UAT');
    await expect(stageRemoval.updateWorkspace(ctx, 'default', { settings: WITHOUT })).rejects.toMatchObject(IN_USE);
  });

  it('come with a new workspace, and keep it from being handed to one that lacks them', async () => {
    await stageRemoval.changeSettings(ctx, stagesOf('Staging', 'Production', 'UAT'));
    const vision = workspaces.within(ctx, await workspaces.createWorkspace(ctx, { name: 'vision', settings: stagesOf('Canary') }));
    expect(namesOf(await workspaces.getStages(vision))).toEqual(['None', 'Canary', 'Archived']);
    expect(namesOf(await workspaces.getStages(ctx))).toEqual(['None', 'Staging', 'Production', 'UAT', 'Archived']);
    await models.create(vision, { name: 'V', tags: [] });
    await register(vision, 'V');
    await expect(move(vision, 'V', 1, 'UAT')).rejects.toThrow('Value must be one of None, Canary, Archived.');
    await move(vision, 'V', 1, 'Canary');
    await expect(removeWorkspace(ctx, 'vision', 'SET_DEFAULT')).rejects.toThrow('which has no stage Canary: it is in use by versions: V/1');
    await move(vision, 'V', 1, 'Archived');
    await removeWorkspace(ctx, 'vision', 'SET_DEFAULT');
    expect((await versions.get(ctx, 'V', 1)).stage).toBe('Archived');
  });

  it('that were undone are not remembered', async () => {
    const undone = ctx.db.write(async (tx) => {
      await stageRemoval.changeSettings({ ...ctx, tx }, stagesOf('Undone'));
      expect(namesOf(await workspaces.getStages({ ...ctx, tx }))).toContain('Undone');
      throw new Error('undone');
    });
    await expect(undone).rejects.toThrow('undone');
    expect(namesOf(await workspaces.getStages(ctx))).not.toContain('Undone');
    await expect(move(ctx, 'M', 1, 'Undone')).rejects.toMatchObject({ code: 'INVALID_PARAMETER_VALUE' });
  });
});

async function openPostgres(cluster: PostgresCluster): Promise<Pick<TestContext, 'ctx' | 'close'>> {
  const ctx = await openContext({ db: new PostgresDatabase(await cluster.createDatabase()) });
  return { ctx, close: () => ctx.db.close() };
}

describe('a move', () => {
  it('reads no setting on SQLite, once the stages are known', async () => {
    const { ctx, close } = await openTestContext();
    try {
      await models.create(ctx, { name: 'M', tags: [] });
      await register(ctx, 'M');
      await stageRemoval.changeSettings(ctx, WITH_UAT);
      await workspaces.getStages(ctx);
      const asked: string[] = [];
      const noted = (sql: string): string => {
        asked.push(sql);
        return sql;
      };
      const listening = (queries: Queries): Queries => ({
        dialect: queries.dialect,
        one: (sql, ...values) => queries.one(noted(sql), ...values),
        all: (sql, ...values) => queries.all(noted(sql), ...values),
        run: (sql, ...values) => queries.run(noted(sql), ...values),
      });
      await ctx.db.write(async (tx) => {
        const inner: TxCtx = { ...ctx, tx: { ...listening(tx), batch: tx.batch, defer: (item) => tx.defer(item) } };
        await move(inner, 'M', 1, 'UAT');
      });
      expect(asked.length).toBeGreaterThan(2);
      expect(asked.filter((sql) => /settings|access_head/.test(sql))).toEqual([]);
    } finally {
      await close();
    }
  });
});

describe('two replicas', () => {
  let cluster: PostgresCluster;
  let one: Ctx;
  let other: Ctx;

  beforeAll(async () => {
    cluster = await startPostgres();
    const url = await cluster.createDatabase();
    one = await openContext({ db: new PostgresDatabase(url) });
    other = await openContext({ db: new PostgresDatabase(url) });
    await models.create(one, { name: 'M', tags: [] });
    await register(one, 'M');
  });
  afterAll(async () => {
    await Promise.all([one?.db.close(), other?.db.close()]);
    await cluster?.stop();
  });

  it.each([
    ['that others defined', WITH_UAT, 'UAT', WITHOUT],
    ['of MLflow, where no setting was ever written', undefined, 'Staging', stagesOf('Production')],
  ] as const)('leave no version in a stage that is gone: one %s', async (_title, before, stage, after) => {
    for (let round = 0; round < 20; round++) {
      await move(one, 'M', 1, 'None');
      if (before === undefined) await one.db.write((tx) => tx.run('DELETE FROM settings'));
      else await stageRemoval.changeSettings(one, before);
      const late = round % 2 === 0 ? 0 : 2;
      await Promise.allSettled([
        move(one, 'M', 1, stage),
        new Promise((resume) => setTimeout(resume, late)).then(() => stageRemoval.changeSettings(other, after)),
      ]);
      const standing = (await versions.get(one, 'M', 1)).stage;
      const { stages } = await workspaces.settingsOf(one.db, one.workspace.id);
      expect(namesOf({ stages })).toContain(standing);
    }
  });
});
