import { STAGES, type Stage } from '@countersign/contract/stages.ts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { openContext } from '../../../../../test/support/context.ts';
import { type Ctx, systemClock } from '../../platform/context.ts';
import * as models from '../models/models.ts';
import * as transitions from '../transitions/transitions.ts';
import * as versions from '../versions/versions.ts';
import * as audit from './audit.ts';

const ALIASES = ['champion', 'challenger'];
const VERSIONS_MAX = 4;
const RUNS = Number(process.env.COUNTERSIGN_PROPERTY_RUNS ?? 40);

interface Bed {
  readonly ctx: Ctx;
  readonly wait: (ms: number) => void;
}

async function makeBed(): Promise<Bed> {
  let now = 1_000_000;
  const clock = { now: () => now, randomBytes: systemClock.randomBytes };
  const ctx: Ctx = await openContext({ clock });
  return {
    ctx,
    wait: (ms) => {
      now += ms;
    },
  };
}

type Step =
  | { readonly do: 'register' }
  | { readonly do: 'move'; readonly version: number; readonly stage: Stage; readonly archive: boolean }
  | { readonly do: 'set alias'; readonly alias: string; readonly version: number }
  | { readonly do: 'delete alias'; readonly alias: string }
  | { readonly do: 'delete' | 'restore'; readonly version: number }
  | { readonly do: 'delete model' | 'restore model' | 'rename model' };

const version = fc.integer({ min: 1, max: VERSIONS_MAX });
const step: fc.Arbitrary<Step> = fc.oneof(
  { weight: 3, arbitrary: fc.constant({ do: 'register' } as const) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constant('move' as const), version, stage: fc.constantFrom(...STAGES), archive: fc.boolean() }),
  },
  { weight: 3, arbitrary: fc.record({ do: fc.constant('set alias' as const), alias: fc.constantFrom(...ALIASES), version }) },
  fc.record({ do: fc.constant('delete alias' as const), alias: fc.constantFrom(...ALIASES) }),
  fc.record({ do: fc.constantFrom('delete' as const, 'restore' as const), version }),
  fc.record({ do: fc.constantFrom('delete model' as const, 'restore model' as const, 'rename model' as const) }),
);

/** Some steps are refused (no such version, a deleted model): then nothing changed, which is as good a step. */
async function take(ctx: Ctx, id: number, each: Step): Promise<void> {
  const name = (await models.findById(ctx, id))?.name ?? '';
  switch (each.do) {
    case 'register':
      await transitions.registerVersion(ctx, {
        name,
        source: 's3://bucket/model',
        runId: '',
        loggedModelId: undefined,
        runLink: '',
        description: undefined,
        tags: [],
      });
      return;
    case 'move': {
      const isActive = each.stage === 'Staging' || each.stage === 'Production';
      await transitions.moveStage(ctx, { name, version: each.version, stage: each.stage, archiveExisting: each.archive && isActive });
      return;
    }
    case 'set alias':
      return transitions.setAlias(ctx, name, each.alias, each.version);
    case 'delete alias':
      return transitions.deleteAlias(ctx, name, each.alias);
    case 'delete':
      return transitions.deleteVersion(ctx, name, each.version);
    case 'restore':
      await transitions.restoreVersion(ctx, name, each.version);
      return;
    case 'delete model':
      return transitions.deleteModel(ctx, name);
    case 'restore model':
      await transitions.restoreModel(ctx, id, undefined);
      return;
    case 'rename model':
      await transitions.renameModel(ctx, name, `${name}x`);
      return;
  }
}

type Snapshot = Readonly<Record<string, unknown>>;

/** What the tables say now: they are written by other code than the fold, which reads events only. */
async function snapshot(ctx: Ctx, id: number): Promise<Snapshot> {
  const model = await models.findById(ctx, id);
  const places: Record<string, unknown> = {};
  for (const stage of STAGES) {
    const found = model && model.deletedAt === null ? await versions.listInStage(ctx, model, stage) : [];
    places[stage] = found.map((each) => each.version);
  }
  const aliases = model ? await versions.listAliases(ctx, model) : [];
  for (const alias of ALIASES) places[alias] = aliases.find((each) => each.alias === alias)?.version ?? null;
  return places;
}

async function asOf(ctx: Ctx, id: number, time: number): Promise<Snapshot> {
  const places: Record<string, unknown> = {};
  for (const stage of STAGES) places[stage] = (await audit.getStage(ctx, { id }, stage, time)).answer.map((each) => each.version);
  for (const alias of ALIASES) places[alias] = (await audit.getAlias(ctx, { id }, alias, time)).answer?.version ?? null;
  return places;
}

describe('as_of', () => {
  test('at any time it is what the tables said then, whatever happened since', async () => {
    await fc.assert(
      fc.asyncProperty(fc.array(fc.record({ step, ms: fc.integer({ min: 1, max: 3 }) }), { maxLength: 30 }), async (steps) => {
        const { ctx, wait } = await makeBed();
        const { id } = await models.create(ctx, { name: 'm', tags: [] });
        const moments = [{ time: ctx.clock.now(), expected: await snapshot(ctx, id) }];
        for (const each of steps) {
          wait(each.ms);
          await take(ctx, id, each.step).catch(() => undefined);
          moments.push({ time: ctx.clock.now(), expected: await snapshot(ctx, id) });
        }
        for (const { time, expected } of moments) expect(await asOf(ctx, id, time)).toEqual(expected);
        await ctx.db.close();
      }),
      { numRuns: RUNS },
    );
  }, 120_000);

  test('of several changes in one millisecond the last one counts', async () => {
    const { ctx } = await makeBed();
    const { id } = await models.create(ctx, { name: 'm', tags: [] });
    await take(ctx, id, { do: 'register' });
    await take(ctx, id, { do: 'move', version: 1, stage: 'Staging', archive: false });
    await take(ctx, id, { do: 'move', version: 1, stage: 'Production', archive: false });
    expect(await asOf(ctx, id, ctx.clock.now())).toMatchObject({ Staging: [], Production: [1] });
    expect(await asOf(ctx, id, ctx.clock.now() - 1)).toMatchObject({ Staging: [], Production: [] });
    await ctx.db.close();
  });
});

test('a model of another workspace is not found, nor are its events', async () => {
  const { ctx } = await makeBed();
  const { id } = await models.create(ctx, { name: 'm', tags: [] });
  const elsewhere: Ctx = { ...ctx, workspace: { id: 7, name: 'other' } };
  await expect(audit.getStage(elsewhere, { id }, 'Production', undefined)).rejects.toMatchObject({ code: 'RESOURCE_DOES_NOT_EXIST' });
  expect(await audit.listEvents(elsewhere, { modelId: id, newestFirst: true, limit: 10 })).toEqual([]);
  await ctx.db.close();
});

test('a changed, a missing and a smuggled event are each found where they are', async () => {
  const { ctx } = await makeBed();
  for (const name of ['a', 'b', 'c']) await models.create(ctx, { name, tags: [] });
  expect(await audit.verify(ctx)).toEqual({ ok: true, events: 3, checkpoints: 0 });
  await ctx.db.write((tx) => tx.run('UPDATE events SET body = replace(body, \'"b"\', \'"x"\') WHERE seq = 2'));
  expect(await audit.verify(ctx)).toMatchObject({ ok: false, firstBad: 2 });
  await ctx.db.write((tx) => tx.run('UPDATE events SET body = replace(body, \'"x"\', \'"b"\') WHERE seq = 2'));
  await ctx.db.write((tx) =>
    tx.run(
      'INSERT INTO events (seq, recorded_at, workspace_id, type, version, body, hash) SELECT 4, recorded_at, workspace_id, type, version, body, hash FROM events WHERE seq = 3',
    ),
  );
  expect(await audit.verify(ctx)).toMatchObject({ ok: false, firstBad: 4 });
  await ctx.db.write((tx) => tx.run('DELETE FROM events WHERE seq >= 3'));
  expect(await audit.verify(ctx)).toMatchObject({ ok: false, firstBad: 3 });
  await ctx.db.close();
});
