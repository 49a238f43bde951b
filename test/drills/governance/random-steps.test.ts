/** Whoever does what in whatever order: nothing governed changes that its policy didn't allow, as a second reading of the promise sees it. */
import * as audit from '@countersign/server/features/audit/audit.ts';
import type { Ctx } from '@countersign/server/platform/context.ts';
import type { Database } from '@countersign/server/platform/db/database.ts';
import { PostgresDatabase } from '@countersign/server/platform/db/postgres.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { counts } from '../../counts.ts';
import { type PostgresCluster, startPostgres } from '../../support/postgres.ts';
import { gapsIn, reasonsIn, type Tally } from './coverage.ts';
import { randomPolicies } from './policy-family.ts';
import type { Seen } from './seen.ts';
import { openWorld } from './world.ts';

/** A world that has grown is slow to look at, so another one begins. */
const STEPS_OF_A_WORLD = 300;

function add(counted: Map<string, number>, key: string, more = 1): void {
  counted.set(key, (counted.get(key) ?? 0) + more);
}

/** For whoever looks into a failure. */
async function around(ctx: Ctx, before: Seen): Promise<object> {
  const lines = (rows: Iterable<unknown>): readonly string[] => [...rows].map((row) => JSON.stringify(row));
  return {
    accounts: lines(before.accounts),
    approvals: lines(await ctx.db.all('SELECT id, request_id, approved_by, approved_at, closed_at FROM approvals ORDER BY id')),
    checks: lines(await ctx.db.all('SELECT version_id, name, reported_by, conclusion, is_entitled, digest FROM check_reports ORDER BY id')),
    versions: lines([...before.versions.values()].map(({ tags: _, ...each }) => each)),
    events: lines(await ctx.db.all('SELECT body FROM events ORDER BY seq DESC LIMIT 8')),
    policies: lines(before.policies),
    requests: lines([...before.requests.values()].filter(({ state }) => state === 'open')),
  };
}

async function live(seed: number, steps: number, db: Database | undefined, tally: Tally): Promise<void> {
  const world = await openWorld({ seed, db, policies: randomPolicies });
  const { ctx } = world.scene.store;
  for (let step = 0; step < steps; step++) {
    const before = world.seen();
    const taken = await world.step().catch((error: unknown) => {
      throw new Error(`in step ${step} of world ${seed}`, { cause: error });
    });
    if (taken === undefined) continue;
    const { planned, isDone, refusal, wrong } = taken;
    add(isDone ? tally.done : tally.refused, planned.kind);
    for (const reason of reasonsIn(refusal ?? '')) add(tally.reasons, reason);
    if (wrong.length > 0) {
      expect({ wrong, step, seed, by: planned.by.name, ...(await around(ctx, before)) }).toBe('allowed by no policy');
    }
  }
  for (const [how, count] of world.scene.ledger.counts) add(tally.allowed, how, count);
  expect((await audit.verify(ctx)).ok).toBe(true);
  await world.close();
}

let cluster: PostgresCluster;
beforeAll(async () => {
  cluster = await startPostgres();
}, 120_000);
afterAll(() => cluster?.stop());

describe('random steps by random people', () => {
  const seeds = (total: number): readonly number[] => Array.from({ length: Math.ceil(total / STEPS_OF_A_WORLD) }, (_, at) => at + 1);
  /** For whoever looks for more. */
  const firstSeed = Number(process.env.COUNTERSIGN_DRILL_SEED ?? 0);
  const total = Number(process.env.COUNTERSIGN_DRILL_STEPS ?? counts.governanceSteps);

  it('change no governed place that the policy did not allow', async () => {
    const tally: Tally = { allowed: new Map(), done: new Map(), refused: new Map(), reasons: new Map() };
    for (const seed of seeds(total)) await live(firstSeed + seed, STEPS_OF_A_WORLD, undefined, tally);
    if (process.env.COUNTERSIGN_DRILL_SHOW) console.info(tally);
    // Otherwise nothing was shown.
    expect(gapsIn(tally, total)).toEqual([]);
  }, 3_600_000);

  it('nor on PostgreSQL', async () => {
    const tally: Tally = { allowed: new Map(), done: new Map(), refused: new Map(), reasons: new Map() };
    for (const seed of seeds(counts.governanceStepsOnPostgres)) {
      const steps = Math.min(STEPS_OF_A_WORLD, counts.governanceStepsOnPostgres);
      await live(10_000 + seed, steps, new PostgresDatabase(await cluster.createDatabase()), tally);
    }
  }, 3_600_000);
});
