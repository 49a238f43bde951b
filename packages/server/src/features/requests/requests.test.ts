import { RANK } from '@countersign/contract/levels.ts';
import type { Stage } from '@countersign/contract/stages.ts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { counts } from '../../../../../test/counts.ts';
import { openContext } from '../../../../../test/support/context.ts';
import { type PostgresCluster, startPostgres } from '../../../../../test/support/postgres.ts';
import type { Ctx } from '../../platform/context.ts';
import { PostgresDatabase } from '../../platform/db/postgres.ts';
import { compileAccess } from '../access/access.ts';
import * as audit from '../audit/audit.ts';
import * as comments from '../comments/comments.ts';
import * as models from '../models/models.ts';
import * as transitions from '../transitions/transitions.ts';
import * as versions from '../versions/versions.ts';
import * as requests from './requests.ts';

let cluster: PostgresCluster;
beforeAll(async () => {
  cluster = await startPostgres();
}, 120_000);
afterAll(() => cluster?.stop());

describe.each(['sqlite', 'postgres'] as const)('requests on %s', (dialect) => {
  /** Two replicas on PostgreSQL. */
  let ctx: Ctx;
  let other: Ctx;
  let count = 0;
  let name = '';

  beforeAll(async () => {
    if (dialect === 'sqlite') {
      ctx = await openContext();
      other = ctx;
    } else {
      const url = await cluster.createDatabase();
      ctx = await openContext({ db: new PostgresDatabase(url) });
      other = await openContext({ db: new PostgresDatabase(url) });
    }
  });
  afterAll(async () => {
    await ctx.db.close();
    if (other !== ctx) await other.db.close();
  });
  beforeEach(async () => {
    name = `M${++count}`;
    await models.create(ctx, { name, tags: [] });
    await register();
    await register();
  });

  const register = (): Promise<versions.ModelVersion> =>
    transitions.registerVersion(ctx, {
      name,
      source: 's3://bucket/model',
      runId: '',
      loggedModelId: undefined,
      runLink: '',
      description: undefined,
      tags: [],
    });
  interface Asked {
    readonly name: string;
    readonly version: number;
    readonly stage: string;
  }
  const asked = (stage: Stage, version = 1): Asked => ({ name, version, stage });
  const create = (by: Ctx, wish: Asked, comment?: string): Promise<requests.Request> =>
    requests.create(by, wish.name, { target: { kind: 'stage', stage: wish.stage }, version: wish.version }, comment);
  const first = async (by: Ctx, wish: Asked): Promise<number> => (await requests.listAsked(by, wish.name, wish.version, wish.stage))[0].id;
  const approve = async (by: Ctx, wish: Asked, archiveExisting = false): Promise<requests.Request> =>
    requests.approve(by, await first(by, wish), { archiveExisting });
  const reject = async (by: Ctx, wish: Asked): Promise<requests.Request> => requests.reject(by, await first(by, wish));
  const cancel = async (by: Ctx, wish: Asked): Promise<requests.Request> => requests.cancel(by, await first(by, wish));
  const stageOf = async (version = 1): Promise<Stage> => (await versions.get(ctx, name, version)).stage;
  /** Who has a level on every model of the workspace. */
  const as = (id: number, level: 'READ' | 'MANAGE_STAGING' | 'MANAGE'): Ctx => ({
    ...ctx,
    principal: { id, kind: 'user', name: `user ${id}` },
    access: compileAccess({ isAdmin: false, isBornMember: true, memberRank: RANK[level] }, []),
  });
  const typesOf = async (version = 1): Promise<string[]> => {
    const found = await versions.get(ctx, name, version);
    const { activities } = await comments.listActivities(ctx, found, { afterSeq: undefined, newestFirst: false, limit: 10_000 });
    return activities.map(({ type }) => type);
  };

  it('move nothing until they are approved', async () => {
    const request = await create(ctx, asked('Staging'), 'please');
    expect([request.state, await stageOf()]).toEqual(['open', 'None']);
    expect(await requests.approve(ctx, request.id, { comment: 'fine' })).toMatchObject({ id: request.id, state: 'approved' });
    expect(await stageOf()).toBe('Staging');
    expect(await typesOf()).toEqual(['REQUESTED_TRANSITION', 'APPROVED_REQUEST', 'APPLIED_TRANSITION']);
  });

  it('are one for each version, target and creator', async () => {
    await create(ctx, asked('Staging'));
    await expect(create(ctx, asked('Staging'))).rejects.toMatchObject({ code: 'RESOURCE_ALREADY_EXISTS' });
    await create(ctx, asked('Production'));
    await create(ctx, asked('Staging', 2));
    await cancel(ctx, asked('Staging'));
    await create(ctx, asked('Staging'));
  });

  it('archive what else stands there, with a word on why', async () => {
    await requests.moveStage(ctx, { ...asked('Production', 2), archiveExisting: false });
    await create(ctx, asked('Archived', 2));
    await create(ctx, asked('Production'));
    await approve(ctx, asked('Production'), true);
    expect(await stageOf(2)).toBe('Archived');
    expect(await typesOf(2)).toEqual(['APPLIED_TRANSITION', 'REQUESTED_TRANSITION', 'SYSTEM_TRANSITION', 'CANCELLED_REQUEST']);
  });

  it('close when somebody moves the version there without them', async () => {
    await create(ctx, asked('Staging'));
    await create(ctx, asked('Production'));
    await requests.moveStage(ctx, { ...asked('Staging'), archiveExisting: false });
    const version = await versions.get(ctx, name, 1);
    expect((await requests.listOpen(ctx, version)).map(({ target }) => target)).toEqual(['stage:Production']);
    const [closed] = (await comments.listActivities(ctx, version, { afterSeq: undefined, newestFirst: true, limit: 1 })).activities;
    expect(closed).toMatchObject({ type: 'CANCELLED_REQUEST', systemComment: expect.stringContaining('Staging') });
  });

  it('go with a deleted version, and with a deleted model', async () => {
    const { id } = await create(ctx, asked('Staging'));
    await create(ctx, asked('Staging', 2));
    await requests.deleteVersion(ctx, name, 1);
    expect(await requests.get(ctx, id)).toMatchObject({ state: 'cancelled' });
    const model = await models.get(ctx, name);
    await requests.deleteModel(ctx, name);
    await transitions.restoreModel(ctx, model.id, undefined);
    expect(await requests.listOpen(ctx, await versions.get(ctx, name, 2))).toEqual([]);
    await create(ctx, asked('Staging', 2));
    await requests.deleteModel(ctx, name);
    await transitions.purgeModel(ctx, model.id);
  });

  it('are refused with reasons', async () => {
    const refusal = async (change: () => Promise<unknown>): Promise<unknown> =>
      (async () => change())().then(
        () => 'allowed',
        (error: { code?: string }) => error.code,
      );
    expect(await refusal(() => create(ctx, asked('None')))).toBe('INVALID_PARAMETER_VALUE');
    expect(await refusal(() => create(ctx, { ...asked('None'), stage: 'Nowhere' }))).toBe('INVALID_PARAMETER_VALUE');
    expect(await refusal(() => create(ctx, asked('Staging', 9)))).toBe('RESOURCE_DOES_NOT_EXIST');
    expect(await refusal(() => approve(ctx, asked('Staging')))).toBe('RESOURCE_DOES_NOT_EXIST');
    expect(await refusal(() => reject(ctx, asked('Staging')))).toBe('RESOURCE_DOES_NOT_EXIST');
    expect(await refusal(() => cancel(ctx, asked('Staging')))).toBe('RESOURCE_DOES_NOT_EXIST');
    const { id } = await create(ctx, asked('Staging'));
    await reject(ctx, asked('Staging'));
    await create(ctx, asked('Staging'));
    expect(await refusal(() => requests.reject(ctx, id))).toBe('INVALID_STATE');
  });

  it('are answered by who may make the change, and taken back by their creator or a manager', async () => {
    const alice = as(101, 'READ');
    const bob = as(102, 'MANAGE_STAGING');
    const denied = { code: 'PERMISSION_DENIED' };
    await create(alice, asked('Production'));
    await create(alice, asked('Staging'));
    await create(bob, asked('Staging'));
    const version = await versions.get(ctx, name, 1);
    const [toProduction, toStaging] = await requests.listOpen(ctx, version);
    if (!toProduction || !toStaging) throw new TypeError('both were made');
    expect(await requests.actionsOn(alice, toStaging)).toEqual(['cancel', 'apply']);
    expect(await requests.actionsOn(bob, toStaging)).toEqual(['approve', 'reject', 'apply']);
    expect(await requests.actionsOn(bob, toProduction)).toEqual([]);
    expect(await requests.actionsOn(as(103, 'MANAGE'), toProduction)).toEqual(['approve', 'reject', 'cancel', 'apply']);
    await expect(approve(alice, asked('Staging'))).rejects.toMatchObject(denied);
    await expect(reject(bob, asked('Production'))).rejects.toMatchObject(denied);
    await expect(cancel(bob, asked('Production'))).rejects.toMatchObject(denied);
    await reject(bob, asked('Staging'));
    await cancel(as(103, 'MANAGE'), asked('Production'));
    expect(await requests.listOpen(ctx, version)).toEqual([]);
  });

  /** In each round one of these alone answers the request; where it moved the version, that is what the record says. */
  const races: Record<string, (asked: Asked) => readonly Promise<unknown>[]> = {
    'two approve': (wish) => [approve(ctx, wish), approve(other, wish)],
    'one approves and one rejects': (wish) => [approve(ctx, wish), reject(other, wish)],
    'one approves and one takes it back': (wish) => [cancel(ctx, wish), approve(other, wish)],
  };

  it.each(Object.entries(races))(
    'have one outcome when %s at once',
    async (_title, race) => {
      let moves = 0;
      for (let round = 0; round < counts.requestRaces; round++) {
        const before = await stageOf();
        const stage = before === 'Staging' ? 'None' : 'Staging';
        const { id } = await create(ctx, asked(stage));
        const answers = await Promise.allSettled(race(asked(stage)));
        expect(answers.filter(({ status }) => status === 'fulfilled').length).toBe(1);
        const request = await requests.get(ctx, id);
        expect(await stageOf()).toBe(request.state === 'approved' ? stage : before);
        if (request.state === 'approved') moves++;
      }
      const types = await typesOf();
      const count = (...wanted: string[]): number => types.filter((type) => wanted.includes(type)).length;
      expect(count('APPROVED_REQUEST', 'REJECTED_REQUEST', 'CANCELLED_REQUEST')).toBe(counts.requestRaces);
      expect([count('APPROVED_REQUEST'), count('APPLIED_TRANSITION')]).toEqual([moves, moves]);
      expect((await audit.verify(ctx)).ok).toBe(true);
    },
    300_000,
  );

  it('are closed, or answered, when somebody moves or deletes the version at once', async () => {
    for (let round = 0; round < counts.requestRaces; round++) {
      const wish = asked('Staging', (await register()).version);
      const { id } = await create(ctx, wish);
      const change =
        round % 2 === 0
          ? requests.moveStage(other, { ...wish, archiveExisting: false })
          : requests.deleteVersion(other, name, wish.version);
      await Promise.allSettled([change, approve(ctx, wish)]);
      if (round % 2 === 1) await transitions.restoreVersion(ctx, name, wish.version);
      expect((await requests.get(ctx, id)).state).not.toBe('open');
    }
  }, 300_000);
});
