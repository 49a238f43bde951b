/** Whoever does what in whatever order: nothing governed changes that its policy didn't allow, as a second reading of the promise sees it. */

import { Problem } from '@countersign/contract/problem.ts';
import * as accounts from '@countersign/server/features/accounts/accounts.ts';
import * as audit from '@countersign/server/features/audit/audit.ts';
import * as models from '@countersign/server/features/models/models.ts';
import * as requests from '@countersign/server/features/requests/requests.ts';
import type { Ctx } from '@countersign/server/platform/context.ts';
import type { Database } from '@countersign/server/platform/db/database.ts';
import { PostgresDatabase } from '@countersign/server/platform/db/postgres.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { counts } from '../../counts.ts';
import { openGovernedModels, registerFrom } from '../../support/governed-models.ts';
import { type PostgresCluster, startPostgres } from '../../support/postgres.ts';
import { chanceOf } from './chance.ts';
import { randomPolicies } from './policy-family.ts';
import { openLedger } from './promise-ledger.ts';
import { planStep, type Scene } from './random-steps.ts';
import { see } from './seen.ts';
import { hire, type Staff } from './staff.ts';

/** A world that has grown is slow to look at, so another one begins. */
const STEPS_OF_A_WORLD = 500;

interface Tally {
  readonly allowed: Map<string, number>;
  readonly done: Map<string, number>;
  readonly refused: Map<string, number>;
}

function add(counted: Map<string, number>, key: string, more = 1): void {
  counted.set(key, (counted.get(key) ?? 0) + more);
}

async function as(staff: Staff, name: string): Promise<Ctx> {
  const ctx = await staff.contextOf(staff.byName(name));
  if (ctx === undefined) throw new TypeError(`${name} can sign in`);
  return ctx;
}

async function live(seed: number, steps: number, db: Database | undefined, tally: Tally): Promise<void> {
  const store = await openGovernedModels(db);
  const chance = chanceOf(seed);
  const staff = await hire(store.ctx);
  const ledger = openLedger((id) => staff.find(id));
  const known: Scene['runs'][number][] = [];
  const alice = await as(staff, 'alice');
  for (const name of ['dev.churn', 'prod.churn', 'fraud-eu', 'free']) await models.create(alice, { name, tags: [] });
  for (const name of ['dev.churn', 'fraud-eu']) {
    const id = await store.logRun(alice);
    ledger.noteAccuracy(id, 0.95);
    known.push({ id, isWhole: true });
    await registerFrom(alice, name, `runs:/${id}/model`);
  }
  const root = await as(staff, 'root');
  const texts = randomPolicies(chance);
  await requests.replacePolicies(root, { published: texts.map((text) => ({ text, listedDigests: [] })), withdrawn: [] });
  let before = await see(store.ctx.db);
  ledger.judge({ kind: 'start', by: staff.byName('root'), at: store.now() }, before, before);
  const scene: Omit<Scene, 'seen'> = { store, staff, ledger, chance, runs: known, again: [], hot: new Set() };
  for (let step = 0; step < steps; step++) {
    const planned = await planStep({ ...scene, seen: before });
    if (planned === undefined) continue;
    const at = store.now();
    const isDone = await planned.run().then(
      () => true,
      (error: unknown) => {
        if (error instanceof Problem) return false;
        throw new Error(`${planned.kind} in step ${step} of world ${seed}`, { cause: error });
      },
    );
    add(isDone ? tally.done : tally.refused, planned.kind);
    const after = await see(store.ctx.db);
    const { kind, by, approves } = planned;
    const wrong = ledger.judge({ kind, by, at, ...(isDone && approves !== undefined ? { approves } : {}) }, before, after);
    if (wrong.length > 0) expect({ wrong, step, seed, by: by.name }).toBe('allowed by no policy');
    before = after;
  }
  for (const [how, count] of ledger.counts) add(tally.allowed, how, count);
  expect((await audit.verify(store.ctx)).ok).toBe(true);
  accounts.setGovernor(store.ctx.db, async () => {});
  await store.close();
}

let cluster: PostgresCluster;
beforeAll(async () => {
  cluster = await startPostgres();
}, 120_000);
afterAll(() => cluster?.stop());

describe('random steps by random people', () => {
  const seeds = (total: number): readonly number[] => Array.from({ length: Math.ceil(total / STEPS_OF_A_WORLD) }, (_, at) => at + 1);
  const firstSeed = Number(process.env.COUNTERSIGN_DRILL_SEED ?? 0);

  it('change no governed place that the policy did not allow', async () => {
    const tally: Tally = { allowed: new Map(), done: new Map(), refused: new Map() };
    for (const seed of seeds(counts.governanceSteps)) await live(firstSeed + seed, STEPS_OF_A_WORLD, undefined, tally);
    if (process.env.COUNTERSIGN_DRILL_SHOW) console.info(tally);
    // Otherwise nothing was shown.
    for (const how of ['policy', 'free', 'setting', 'break-glass', 'rollback'])
      expect([how, tally.allowed.get(how) ?? 0]).toEqual([how, expect.toSatisfy((n: number) => n > 0)]);
  }, 3_600_000);

  it('nor on PostgreSQL', async () => {
    const tally: Tally = { allowed: new Map(), done: new Map(), refused: new Map() };
    for (const seed of seeds(counts.governanceStepsOnPostgres)) {
      const steps = Math.min(STEPS_OF_A_WORLD, counts.governanceStepsOnPostgres);
      await live(10_000 + seed, steps, new PostgresDatabase(await cluster.createDatabase()), tally);
    }
  }, 3_600_000);
});
