/** What explain and plan say beforehand is what then happens, for generated policies, whatever stands, whoever asks. */
import { type Level, RANK } from '@countersign/contract/levels.ts';
import { Problem } from '@countersign/contract/problem.ts';
import * as requests from '@countersign/server/features/requests/requests.ts';
import * as transitions from '@countersign/server/features/transitions/transitions.ts';
import type { Ctx } from '@countersign/server/platform/context.ts';
import { describe, expect, it } from 'vitest';
import { counts, isFull } from '../../counts.ts';
import { registerFrom } from '../../support/governed-models.ts';
import type { Chance } from './chance.ts';
import { askedBy, MISSABLE, REQUIREMENTS, reasonsIn } from './coverage.ts';
import { PROMPT_CONFIG } from './place-changes.ts';
import { PROMPT_TAG } from './policy-choice.ts';
import { randomPolicies, randomPolicy } from './policy-family.ts';
import { PROMPT } from './prompt-steps.ts';
import { type Seen, stagesOf } from './seen.ts';
import { openWorld, succeeds, type World } from './world.ts';

/** Enough for requests, approvals and checks to be there. */
const STEPS_BEFORE = 60;
const ASKED_OF_A_WORLD = 60;
const STEPS_BETWEEN = 3;

interface Asked {
  readonly name: string;
  readonly wish: requests.Wish;
  /** What the route of the change asks. */
  readonly level: Level;
  readonly call: (ctx: Ctx) => Promise<unknown>;
}

function ask(world: World, chance: Chance): Asked | undefined {
  const seen = world.seen();
  const models = [...seen.models.values()].filter((each) => each.isAlive && each.workspace === 0);
  const rows = [...seen.versions.values()].filter((each) => models.some((model) => model.id === each.model));
  const row = chance.maybe(rows.slice(-8));
  const model = models.find((each) => each.id === row?.model);
  if (row === undefined || model === undefined) return undefined;
  const { name } = model;
  const version = row.number;
  if (!row.isAlive) {
    const wish = { target: { kind: 'entry' }, change: 'enter', version } as const;
    return { name, wish, level: 'MANAGE', call: (ctx) => requests.restoreVersion(ctx, name, version) };
  }
  const own = [...seen.aliases].filter(([, id]) => id === row.id).map(([key]) => key.slice(key.indexOf(' ') + 1));
  const stage = chance.pick(['Production', 'Production', 'Staging', 'UAT', 'uat', 'Canary', 'Archived']);
  const archiveExisting = chance.is(0.3) && stage !== 'Archived';
  const alias = chance.pick(['champion', 'production', 'challenger', 'uat']);
  const held = chance.maybe(own);
  const value = chance.pick(['gold', 'low']);
  const [key, given] = chance.pick([
    ['risk', value] as const,
    ['tier', value] as const,
    [PROMPT_TAG, chance.pick(['true', 'false'])] as const,
  ]);
  const newName = chance.pick(['prod.churn', 'prod.next', 'fraud-us', 'free']);
  const to = chance.pick(models).name;
  const source = `models:/${name}/${version}`;
  const registration = { source, runId: '', loggedModelId: undefined, runLink: '', description: undefined, tags: [] };
  const text = { key: 'mlflow.prompt.text', value: `Good evening ${chance.below(100)}` };
  const prompt = { ...registration, source: 's3://prompts/none', tags: [PROMPT, text] };
  const all: readonly Asked[] = [
    ...[1, 2, 3].map(
      (): Asked => ({
        name,
        wish: { target: { kind: 'stage', stage }, version, archiveExisting },
        level: 'MANAGE_STAGING',
        call: (ctx) => requests.moveStage(ctx, { name, version, stage, archiveExisting }),
      }),
    ),
    {
      name,
      wish: { target: { kind: 'alias', alias }, version },
      level: 'EDIT',
      call: (ctx) => requests.setAlias(ctx, name, alias, version),
    },
    ...(held === undefined
      ? []
      : [
          {
            name,
            wish: { target: { kind: 'alias', alias: held }, change: 'leave', version },
            level: 'MANAGE',
            call: (ctx) => requests.deleteAlias(ctx, name, held),
          } as const satisfies Asked,
        ]),
    {
      name,
      wish: { target: { kind: 'tag', key: 'risk', value }, version },
      level: 'EDIT',
      call: (ctx) => requests.setVersionTag(ctx, name, version, 'risk', value),
    },
    {
      name,
      wish: { target: { kind: 'tag', key: 'risk' }, change: 'leave', version },
      level: 'MANAGE',
      call: (ctx) => requests.setVersionTag(ctx, name, version, 'risk', null),
    },
    {
      name,
      wish: { target: { kind: 'tag', key, value: given } },
      level: 'EDIT',
      call: (ctx) => requests.setModelTag(ctx, name, key, given),
    },
    // What a prompt's model is told, and for a model a tag as any other.
    {
      name,
      wish: { target: { kind: 'tag', key: PROMPT_CONFIG, value }, version },
      level: 'EDIT',
      call: (ctx) => requests.setVersionTag(ctx, name, version, PROMPT_CONFIG, value),
    },
    {
      name,
      wish: { target: { kind: 'entry' }, registration: prompt },
      level: 'EDIT',
      call: (ctx) => requests.registerVersion(ctx, { ...prompt, name }),
    },
    {
      name,
      wish: { target: { kind: 'rename', newName } },
      level: 'MANAGE_PRODUCTION',
      call: (ctx) => requests.renameModel(ctx, name, newName),
    },
    {
      name,
      wish: { target: { kind: 'entry' }, change: 'leave', version },
      level: 'MANAGE',
      call: (ctx) => requests.deleteVersion(ctx, name, version),
    },
    { name: to, wish: { target: { kind: 'entry' }, registration }, level: 'EDIT', call: (ctx) => registerFrom(ctx, to, source) },
    ...(chance.is(0.1)
      ? [
          {
            name,
            wish: { target: { kind: 'entry' }, change: 'leave' },
            level: 'MANAGE',
            call: (ctx) => requests.deleteModel(ctx, name),
          } as const satisfies Asked,
        ]
      : []),
  ];
  return chance.pick(all);
}

async function mayCall(ctx: Ctx, { name, level }: Asked, seen: Seen): Promise<boolean> {
  const model = [...seen.models.values()].find((each) => each.isAlive && each.workspace === 0 && each.name === name);
  return model !== undefined && ctx.access.rankOf('registered-model', { id: model.id, name }) >= RANK[level];
}

/** undefined: it succeeded. */
function answerOf(work: Promise<unknown>): Promise<string | undefined> {
  return work.then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof Problem) return error.message;
      throw error;
    },
  );
}

describe('explain', () => {
  it('says that it is allowed where the call succeeds, and nowhere else', async () => {
    const tally = { allowed: 0, refused: 0 };
    /** Of which the explanation spoke, where the call succeeded; and why it would not. */
    const met = new Set<string>();
    const missed = new Set<string>();
    for (let seed = 1; tally.allowed + tally.refused < counts.explained; seed++) {
      const world = await openWorld({ seed: 50_000 + seed, policies: randomPolicies });
      const { chance, staff } = world.scene;
      for (let step = 0; step < STEPS_BEFORE; step++) await world.step();
      for (let at = 0; at < ASKED_OF_A_WORLD; at++) {
        for (let step = 0; step < STEPS_BETWEEN; step++) await world.step();
        const asked = ask(world, chance);
        const by = chance.pick(staff.members);
        const ctx = await staff.contextOf(by);
        if (asked === undefined || ctx === undefined) continue;
        const said = await requests.explain(ctx, asked.name, asked.wish).then(
          ({ refusal, asked: decided }) => {
            for (const reason of reasonsIn(refusal?.message ?? '')) missed.add(reason);
            for (const { policy } of refusal === undefined ? decided : [])
              for (const each of REQUIREMENTS.filter((name) => askedBy(policy.document).includes(name))) met.add(each);
            return refusal?.message;
          },
          (error: unknown) => (error instanceof Error ? `not explained: ${error.message}` : 'not explained'),
        );
        const isCalled = await mayCall(ctx, asked, world.seen());
        const answer = isCalled ? await answerOf(asked.call(ctx)) : 'not called';
        const isDone = answer === undefined;
        if ((said === undefined) !== isDone) {
          expect({ said, answer, wish: asked.wish, by: by.name, seed, at }).toBe('the same');
        }
        tally[isDone ? 'allowed' : 'refused']++;
        await world.lookAgain();
      }
      await world.close();
    }
    if (process.env.COUNTERSIGN_DRILL_SHOW) console.info(tally, met, missed);
    if (isFull) {
      expect(REQUIREMENTS.filter((each) => !met.has(each))).toEqual([]);
      expect(MISSABLE.filter((each) => !missed.has(each))).toEqual([]);
    }
    expect(Math.min(tally.allowed, tally.refused)).toBeGreaterThan(counts.explained / 20);
  }, 3_600_000);
});

/** Nobody's access changes, so that two administrators are there to publish. */
const PLACE_STEPS = new Set(
  'register copy retry stage alias alias-removal prompt-version prompt-tag prompt-config prompt-stage prompt-alias describe tag model-tag rename version-deletion ask reject apply check evidence seal wait block'.split(
    ' ',
  ),
);
const SLOTS = [
  ...['production', 'fraud-production', 'archive', 'champion', 'prod-aliases', 'production-alias', 'entry', 'risk'],
  ...['prompt-champion', 'prompt-production', 'prompt-entry', 'uat'],
];

function slotsFor(stages: readonly string[], isDrawn: () => boolean): readonly string[] {
  return SLOTS.filter((slot) => isDrawn() && (slot !== 'uat' || stages.includes('UAT')));
}

describe('plan', () => {
  /** By one administrator, and signed by the other where that is asked for. */
  async function publish(world: World, texts: readonly string[]): Promise<void> {
    const [root, second] = [await world.as('root'), await world.as('second')];
    const replace = (): Promise<unknown> =>
      requests.replacePolicies(root, { published: texts.map((text) => ({ text, listedDigests: [] })), withdrawn: [] });
    if (await succeeds(replace())) return;
    const [request] = (await requests.list(root, { state: 'open', createdBy: root.principal.id, beforeId: undefined, limit: 1 })).requests;
    if (request === undefined) throw new TypeError('a request was opened');
    await requests.approve(second, request.id);
    await replace();
  }

  it('says of each open request and each place what holds once the policies are in force', async () => {
    const tally = { satisfied: 0, not: 0, applied: 0 };
    for (let seed = 1; seed <= counts.planned; seed++) {
      const world = await openWorld({
        seed: 60_000 + seed,
        policies: (chance, stages) => slotsFor(stages, () => chance.is(0.5)).map((slot) => randomPolicy(chance, slot)),
        kinds: PLACE_STEPS,
      });
      const { chance, store } = world.scene;
      for (let step = 0; step < STEPS_BEFORE; step++) await world.step();
      const root = await world.as('root');
      const { names } = stagesOf(world.seen(), 0);
      const texts = slotsFor(names, () => chance.is(0.4)).map((slot) => randomPolicy(chance, slot));
      const plan = await requests.plan(root, { texts, withdraw: [] });
      await publish(world, texts);
      const later = await requests.plan(root, { texts: [], withdraw: [] });
      const now = new Map(later.lines.map((line) => [line.now.key, line.now]));
      for (const { next } of plan.lines) {
        tally[next.outcome.isSatisfied ? 'satisfied' : 'not']++;
        // Under no policy there is nothing to say of it.
        expect({ seed, ...(now.get(next.key) ?? { ...next, outcome: { ...next.outcome, policies: [] } }) }).toEqual({ seed, ...next });
        if (next.requestId === undefined) continue;
        const request = await requests.get(root, next.requestId);
        const { asked } = await requests.evaluate(root, request);
        expect([seed, asked.every(({ decision }) => decision.isSatisfied)]).toEqual([seed, next.outcome.isSatisfied]);
        const isOfApprovals = asked.some(({ policy }) => policy.document.requirements.approvals.length > 0);
        if (!isOfApprovals) continue;
        // Approvals alone carry it out only where all is there, and are all that was missing.
        const refusal = await transitions
          .rehearse(store.ctx, (inner) =>
            transitions.carryOut(inner, request, { by: 'approvals' }).catch((error: unknown) => {
              if (error instanceof transitions.NotYet) throw new NotYetProblem();
              throw error;
            }),
          )
          .catch((error: unknown) => error);
        // Something else may stand in its way, too: a source that is gone.
        if (next.outcome.isSatisfied) expect([seed, refusal]).not.toEqual([seed, expect.any(NotYetProblem)]);
        else expect([seed, refusal]).not.toEqual([seed, undefined]);
        tally.applied++;
      }
      await world.close();
    }
    if (process.env.COUNTERSIGN_DRILL_SHOW) console.info(tally);
    expect(Math.min(tally.satisfied, tally.not, tally.applied)).toBeGreaterThan(counts.planned / 10);
  }, 3_600_000);
});

class NotYetProblem extends Error {}
