/** A world in which a drill happens: staff, some models with bytes, policies that nobody chose, and steps one after another. */
import { Problem } from '@countersign/contract/problem.ts';
import * as accounts from '@countersign/server/features/accounts/accounts.ts';
import * as models from '@countersign/server/features/models/models.ts';
import * as requests from '@countersign/server/features/requests/requests.ts';
import type { Ctx } from '@countersign/server/platform/context.ts';
import type { Database } from '@countersign/server/platform/db/database.ts';
import { openGovernedModels, registerFrom } from '../../support/governed-models.ts';
import { type Chance, chanceOf } from './chance.ts';
import { openLedger } from './promise-ledger.ts';
import { type Planned, planStep, type Scene } from './random-steps.ts';
import { type Seen, see } from './seen.ts';
import { hire, type Member } from './staff.ts';

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
  /** What no policy allowed. */
  readonly wrong: readonly string[];
}

export interface WorldWish {
  readonly seed: number;
  readonly db?: Database | undefined;
  readonly policies: (chance: Chance) => readonly string[];
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
  const alice = await as('alice');
  for (const name of ['dev.churn', 'prod.churn', 'fraud-eu', 'free']) await models.create(alice, { name, tags: [] });
  for (const name of ['dev.churn', 'fraud-eu']) {
    const id = await store.logRun(alice);
    ledger.noteAccuracy(id, 0.95);
    runs.push({ id, isWhole: true });
    await registerFrom(alice, name, `runs:/${id}/model`);
  }
  const published = policies(chance).map((text) => ({ text, listedDigests: [] }));
  await requests.replacePolicies(await as('root'), { published, withdrawn: [] });
  const scene = { store, staff, ledger, chance, runs, again: [], hot: new Set<Member>(), ...(kinds === undefined ? {} : { kinds }) };
  let seen = await see(store.ctx.db);
  ledger.judge({ kind: 'start', by: staff.byName('root'), at: store.now() }, seen, seen);
  return {
    scene,
    seen: () => seen,
    as,
    step: async () => {
      const planned = await planStep({ ...scene, seen });
      if (planned === undefined) return undefined;
      const at = store.now();
      const isDone = await succeeds(planned.run());
      const before = seen;
      seen = await see(store.ctx.db);
      const { kind, by, approves } = planned;
      const act = { kind, by, at, ...(isDone && approves !== undefined ? { approves } : {}) };
      return { planned, isDone, wrong: ledger.judge(act, before, seen) };
    },
    lookAgain: async () => {
      const before = seen;
      seen = await see(store.ctx.db);
      ledger.judge({ kind: 'unjudged', by: staff.byName('root'), at: store.now() }, before, seen);
    },
    close: async () => {
      accounts.setGovernor(store.ctx.db, async () => {});
      await store.close();
    },
  };
}

/** False where it was refused; whatever else goes wrong is thrown. */
export function succeeds(work: Promise<unknown>): Promise<boolean> {
  return work.then(
    () => true,
    (error: unknown) => {
      if (error instanceof Problem) return false;
      throw error;
    },
  );
}
