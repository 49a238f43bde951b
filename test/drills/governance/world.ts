/** A world in which a drill happens: staff, some models with bytes, policies that nobody chose, and steps one after another. */
import { type Level, RANK } from '@countersign/contract/levels.ts';
import { Problem } from '@countersign/contract/problem.ts';
import * as accounts from '@countersign/server/features/accounts/accounts.ts';
import * as models from '@countersign/server/features/models/models.ts';
import * as requests from '@countersign/server/features/requests/requests.ts';
import * as stageRemoval from '@countersign/server/features/stage-removal/stage-removal.ts';
import type { Ctx } from '@countersign/server/platform/context.ts';
import type { Database } from '@countersign/server/platform/db/database.ts';
import { openGovernedModels, registerFrom } from '../../support/governed-models.ts';
import { type Chance, chanceOf } from './chance.ts';
import { openLedger } from './promise-ledger.ts';
import { PROMPT } from './prompt-steps.ts';
import { type Planned, planStep } from './random-steps.ts';
import { type Seen, see, stagesOf } from './seen.ts';
import { openExperiment, STAGE_SETTINGS } from './setting-steps.ts';
import { hire, type Member } from './staff.ts';
import type { Scene } from './step-subjects.ts';

export interface World {
  readonly scene: Omit<Scene, 'seen'>;
  /** As a step left it. */
  seen(): Seen;
  as(name: string): Promise<Ctx>;
  /** One random step; undefined where nobody could do it. */
  step(): Promise<Taken | undefined>;
  /** After something else than a step. */
  lookAgain(): Promise<void>;
  close(): Promise<void>;
}

export interface Taken {
  readonly planned: Planned;
  readonly isDone: boolean;
  /** Why not. */
  readonly refusal: string | undefined;
  /** What no policy allowed. */
  readonly wrong: readonly string[];
}

export interface WorldWish {
  readonly seed: number;
  readonly db?: Database | undefined;
  readonly policies: (chance: Chance, stages: readonly string[]) => readonly string[];
  /** Of steps; all where it is left out. */
  readonly kinds?: ReadonlySet<string>;
}

export async function openWorld({ seed, db, policies, kinds }: WorldWish): Promise<World> {
  const store = await openGovernedModels(db);
  const chance = chanceOf(seed);
  const staff = await hire(store.ctx);
  const ledger = openLedger((id) => staff.find(id));
  const as = async (name: string): Promise<Ctx> => {
    const ctx = await staff.contextOf(staff.byName(name));
    if (ctx === undefined) throw new TypeError(`${name} can sign in`);
    return ctx;
  };
  const runs: Scene['runs'][number][] = [];
  const experiments = new Map<number, number>();
  await openExperiment(store.ctx, staff.other(), experiments, 'first');
  const alice = await as('alice');
  for (const name of ['dev.churn', 'prod.churn', 'fraud-eu', 'free']) await models.create(alice, { name, tags: [] });
  await models.create(alice, { name: 'prompt.greet', tags: [PROMPT] });
  for (const name of ['dev.churn', 'fraud-eu']) {
    const id = await store.logRun(alice);
    ledger.noteAccuracy(id, 0.95);
    runs.push({ id, isWhole: true, root: '' });
    await registerFrom(alice, name, `runs:/${id}/model`);
  }
  if (chance.is(0.5)) await stageRemoval.changeSettings(await as('root'), chance.pick(STAGE_SETTINGS));
  const stages = stagesOf(await see(store.ctx.db), 0).names;
  const published = policies(chance, stages).map((text) => ({ text, listedDigests: [] }));
  await requests.replacePolicies(await as('root'), { published, withdrawn: [] });
  const scene = {
    store,
    staff,
    ledger,
    chance,
    runs,
    experiments,
    again: [],
    hot: new Set<Member>(),
    story: [],
    ...(kinds === undefined ? {} : { kinds }),
  };
  let seen = await see(store.ctx.db);
  const unjudged = (kind: string) => ({ kind, by: staff.byName('root'), at: store.now(), until: store.now() });
  ledger.judge(unjudged('start'), seen, seen);
  return {
    scene,
    seen: () => seen,
    as,
    step: async () => {
      const planned = await planStep({ ...scene, seen });
      if (planned === undefined) return undefined;
      const at = store.now();
      const refusal = await refusalOf(planned.run());
      const isDone = refusal === undefined;
      const before = seen;
      seen = await see(store.ctx.db);
      const { kind, by, approves, ctx, warnings } = planned;
      // The server itself carries out what waited for a time or a check.
      const isOwnDoing = kind !== 'sweep' && kind !== 'check';
      const has = (model: { id: number; name: string }, level: Level): boolean =>
        isOwnDoing && ctx.access.rankOf('registered-model', model) >= RANK[level];
      const act = { kind, by, at, until: store.now(), has, warnings, ...(isDone && approves !== undefined ? { approves } : {}) };
      return { planned, isDone, refusal, wrong: ledger.judge(act, before, seen) };
    },
    lookAgain: async () => {
      const before = seen;
      seen = await see(store.ctx.db);
      ledger.judge(unjudged('unjudged'), before, seen);
    },
    close: async () => {
      accounts.setGovernor(store.ctx.db, async () => {});
      await store.close();
    },
  };
}

/** Why it was refused; whatever else goes wrong is thrown. */
export function refusalOf(work: Promise<unknown>): Promise<string | undefined> {
  return work.then(
    () => undefined,
    (error: unknown) => {
      if (error instanceof Problem) return error.message;
      throw error;
    },
  );
}

export async function succeeds(work: Promise<unknown>): Promise<boolean> {
  return (await refusalOf(work)) === undefined;
}
