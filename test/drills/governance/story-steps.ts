/**
 * What people do who want a version somewhere: they make it, write of it what is asked, have it checked, let it stand, ask, and get it signed. Chance
 * alone seldom meets a policy that asks for much; these steps come among the others, and may be overtaken by them.
 */
import * as evidence from '@countersign/server/features/evidence/evidence.ts';
import * as requests from '@countersign/server/features/requests/requests.ts';
import * as stageRemoval from '@countersign/server/features/stage-removal/stage-removal.ts';
import * as transitions from '@countersign/server/features/transitions/transitions.ts';
import * as versions from '@countersign/server/features/versions/versions.ts';
import * as workspaces from '@countersign/server/features/workspaces/workspaces.ts';
import type { Ctx } from '@countersign/server/platform/context.ts';
import { registerFrom } from '../../support/governed-models.ts';
import { isPromptTagged } from './policy-choice.ts';
import { randomPolicy } from './policy-family.ts';
import { PROMPT } from './prompt-steps.ts';
import { requestSteps } from './request-steps.ts';
import { type SeenVersion, stagesOf } from './seen.ts';
import { replaceOther, STAGE_SETTINGS } from './setting-steps.ts';
import { ALIASES, aliveModels, type Doing, NAMES, type Scene, type Step, type Steps, type StoryStep, VALUES } from './step-subjects.ts';
import { newRun, reportCheck, versionSteps } from './version-steps.ts';

type Target = Parameters<typeof requests.create>[2]['target'];

const TARGETS: readonly Target[] = [
  { kind: 'stage', stage: 'Production' },
  { kind: 'stage', stage: 'Production' },
  { kind: 'alias', alias: 'champion' },
  { kind: 'alias', alias: 'champion' },
  { kind: 'alias', alias: 'production' },
  { kind: 'tag', key: 'risk', value: 'low' },
];
const GOOD = ['# Limitations\n\nNone that we know.', '# Limitations\n\n# Use\n\nFor scores.'];

export function tellStory(scene: Scene): readonly StoryStep[] {
  const drawn = scene.chance.below(100);
  if (drawn < 8) return tellOfFire();
  if (drawn < 16) return tellOfModel(scene);
  if (drawn < 24) return tellOfWorkspace(scene);
  return drawn < 40 ? tellOfSettings(scene) : tellOfVersion(scene);
}

/** Somebody breaks a glass and does what he can't wait for; another one looks at it later. */
function tellOfFire(): readonly StoryStep[] {
  const doing = (by: string, kind: string, { [kind]: found }: Steps): StoryStep => {
    if (found === undefined) throw new TypeError(`${kind} is a step`);
    return { kind, by, step: found[1] };
  };
  const acts = ['stage', 'alias', 'stage', 'alias'].map((kind) => doing('dora', kind, versionSteps));
  return [doing('dora', 'break-glass', requestSteps), ...acts, doing('root', 'review', requestSteps)];
}

/** An administrator changes a setting, another one agrees, and he does it again. */
function tellOfSettings({ chance }: Scene): readonly StoryStep[] {
  const text = randomPolicy(chance);
  const stages = chance.pick(STAGE_SETTINGS);
  const [kind, change]: readonly [string, (ctx: Ctx) => Promise<unknown>] = chance.is(0.75)
    ? ['publish', (ctx: Ctx) => transitions.replacePolicies(ctx, { published: [{ text, listedDigests: [] }], withdrawn: [] })]
    : ['stages', (ctx: Ctx) => stageRemoval.changeSettings(ctx, stages)];
  const asked = ({ seen }: Scene): number =>
    [...seen.requests.values()].findLast((each) => each.state === 'open' && each.model === null)?.id ?? 0;
  const doing: StoryStep = { kind, by: 'root', step: ({ ctx }) => requests.asking(ctx, () => change(ctx)) };
  return [doing, { kind: 'approve', by: 'second', answers: asked, step: ({ ctx, scene }) => requests.approve(ctx, asked(scene)) }, doing];
}

/** Tags are set where nobody is asked for them, and then the model is another, or is gone and comes back. */
function tellOfModel({ chance, seen }: Scene): readonly StoryStep[] {
  const model = chance.maybe([...seen.models.values()].filter((each) => each.isAlive && each.workspace === 0));
  const version = [...seen.versions.values()].findLast((each) => each.isAlive && each.model === model?.id);
  if (model === undefined || version === undefined) return [];
  const { name, id } = model;
  const [newName, value] = [chance.pick(NAMES), chance.pick(VALUES)];
  const by = 'mallory';
  const tags: readonly StoryStep[] = [
    { kind: 'tag', by, step: ({ ctx }) => requests.setVersionTag(ctx, name, version.number, chance.pick(['risk', 'note']), value) },
    { kind: 'model-tag', by, step: ({ ctx }) => requests.setModelTag(ctx, name, chance.pick(['risk', 'tier']), value) },
  ];
  const rename: StoryStep = { kind: 'rename', by, step: ({ ctx }) => requests.renameModel(ctx, name, newName) };
  if (chance.is(0.5)) return [...tags, rename];
  return [
    ...tags,
    { kind: 'model-deletion', by, step: ({ ctx }) => requests.deleteModel(ctx, name) },
    { kind: 'model-restoration-elsewhere', by, step: ({ ctx }) => transitions.restoreModel(ctx, id, newName) },
  ];
}

/** A model is made in the other workspace, and comes to the default one as that is removed. */
function tellOfWorkspace({ chance, staff }: Scene): readonly StoryStep[] {
  const name = `${chance.pick(['prod.', 'fraud-', 'free-'])}${chance.below(1e6)}`;
  const there = (doing: Doing): Doing => ({ ...doing, ctx: workspaces.within(doing.ctx, staff.other()) });
  const inside = (kind: string, step: Step): StoryStep => ({ kind, by: 'root', step: (doing) => step(there(doing)) });
  return [
    inside('model-creation', ({ ctx }) => requests.createModel(ctx, { name, tags: [] })),
    inside('register', async (doing) => {
      const { id } = await newRun(doing, { isGood: true });
      return registerFrom(doing.ctx, name, `runs:/${id}/model`);
    }),
    inside('alias', ({ ctx }) => requests.setAlias(ctx, name, chance.pick(ALIASES), 1)),
    inside('stage', ({ ctx }) => requests.moveStage(ctx, { name, version: 1, stage: 'Production', archiveExisting: false })),
    { kind: 'workspace-removal', by: 'root', step: ({ ctx, scene }) => replaceOther(ctx, scene, 'SET_DEFAULT') },
  ];
}

/** Of a model of the default workspace that is there now. */
function tellOfVersion(scene: Scene): readonly StoryStep[] {
  const { chance, seen } = scene;
  const model = chance.maybe([...seen.models.values()].filter((each) => each.isAlive && each.workspace === 0));
  if (model === undefined) return [];
  const hasOwn = stagesOf(seen, 0).names.includes('UAT');
  const target: Target = hasOwn && chance.is(0.3) ? { kind: 'stage', stage: 'UAT' } : chance.pick(TARGETS);
  const older = [...seen.versions.values()].findLast((each) => each.isAlive && each.model === model.id);
  const isPrompt = isPromptTagged(model.tags);
  const maker = chance.pick(['alices-job', 'alices-job', 'alice', 'dora']);
  const first = Math.max(0, ...seen.versions.keys());
  /** Newest of the model that came since. */
  const made = (now: Scene): SeenVersion | undefined =>
    [...now.seen.versions.values()].findLast((each) => each.isAlive && each.model === model.id && each.id > first);
  const asked = (now: Scene): number =>
    [...now.seen.requests.values()].findLast((each) => each.state === 'open' && each.model === model.id)?.id ?? 0;
  const about =
    (work: (doing: Doing, name: string, row: SeenVersion) => Promise<unknown>): Step =>
    async (doing) => {
      const row = made(doing.scene);
      const name = aliveModels(doing).find((each) => each.id === row?.model)?.name;
      if (row !== undefined && name !== undefined) await work(doing, name, row);
    };
  const approval = (by: string): StoryStep => ({
    kind: 'approve',
    by,
    answers: asked,
    step: (doing) => requests.approve(doing.ctx, asked(doing.scene)),
  });
  const register: StoryStep = {
    kind: isPrompt ? 'prompt-version' : 'register',
    by: maker,
    step: async (doing) => {
      const name = aliveModels(doing).find((each) => each.id === model.id)?.name ?? 'gone';
      const common = { name, loggedModelId: undefined, runLink: '', description: chance.pick(GOOD) };
      const text = { key: 'mlflow.prompt.text', value: `Good morning ${chance.below(100)}` };
      if (isPrompt) return requests.registerVersion(doing.ctx, { ...common, source: 's3://prompts/none', runId: '', tags: [PROMPT, text] });
      const { id } = await newRun(doing, { isGood: true });
      return requests.registerVersion(doing.ctx, { ...common, source: `runs:/${id}/model`, runId: id, tags: [] });
    },
  };
  const waiting = (times: readonly number[]): StoryStep => ({
    kind: 'wait',
    by: 'root',
    step: async () => scene.store.wait(chance.pick(times)),
  });
  const applying: StoryStep = {
    kind: 'apply',
    by: 'mallory',
    answers: asked,
    step: (doing) => requests.apply(doing.ctx, asked(doing.scene)),
  };
  const asker = chance.pick(['alice', 'dora', 'dora-robot']);
  const askedBefore: StoryStep = {
    kind: 'ask',
    by: 'dora',
    step: async ({ ctx, scene: now }) => {
      const name = now.seen.models.get(model.id)?.name ?? 'gone';
      if (older !== undefined) await requests.create(ctx, name, { target, version: older.number });
    },
  };
  return [
    // What a newer one may overtake.
    ...(chance.is(0.4) ? [askedBefore] : []),
    register,
    approval('bob'),
    approval('carol'),
    approval('second'),
    {
      kind: 'tag',
      by: 'erin',
      step: about(({ ctx }, name, row) => requests.setVersionTag(ctx, name, row.number, 'note', 'gold')),
    },
    ...(chance.is(0.3)
      ? [
          {
            kind: 'describe',
            by: 'dora',
            step: about(({ ctx }, name, row) => versions.setDescription(ctx, name, row.number, chance.pick(GOOD))),
          },
        ]
      : []),
    {
      kind: 'stage',
      by: 'mallory',
      step: about(({ ctx }, name, row) => requests.moveStage(ctx, { name, version: row.number, stage: 'Staging', archiveExisting: false })),
    },
    {
      kind: 'alias',
      by: 'mallory',
      step: about(({ ctx }, name, row) => requests.setAlias(ctx, name, 'challenger', row.number)),
    },
    ...(chance.is(0.5) ? [waiting([60_000, 3_700_000])] : []),
    { kind: 'check', by: 'bobs-robot', step: about((doing, name, row) => reportCheck(doing, name, row, 'success')) },
    { kind: 'evidence', by: 'erin', step: about(({ ctx }, name, row) => evidence.renew(ctx, name, row.number)) },
    {
      kind: 'ask',
      by: asker,
      step: about(({ ctx }, name, row) => requests.create(ctx, name, { target, version: row.number })),
    },
    // Who asks may say when, and not that.
    ...(chance.is(0.3) ? [{ ...applying, by: asker }] : []),
    // Long enough for a request to be too old, and for what waits for a thaw.
    ...(chance.is(0.2) ? [waiting([6_000_000, 75_000_000])] : []),
    ...['bob', 'carol', 'erin', 'second'].map(approval),
    applying,
  ];
}
