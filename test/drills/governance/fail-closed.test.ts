/** A change whose event can't be written doesn't happen, and none happens without one. */
import { isDeepStrictEqual } from 'node:util';
import * as audit from '@countersign/server/features/audit/audit.ts';
import { openChain } from '@countersign/server/features/events/events.ts';
import type { Database } from '@countersign/server/platform/db/database.ts';
import { describe, expect, it } from 'vitest';
import { counts } from '../../counts.ts';
import { randomPolicies } from './policy-family.ts';
import { planStep } from './random-steps.ts';
import { see } from './seen.ts';
import { openWorld } from './world.ts';

const STEPS_OF_A_WORLD = 400;

class CannotWrite extends Error {}

async function lastEvent(db: Database): Promise<number> {
  return (await db.one<{ seq: number }>('SELECT MAX(seq) AS seq FROM events'))?.seq ?? 0;
}

describe('without its event', () => {
  it('nothing changes', async () => {
    const failed = new Map<string, number>();
    let changes = 0;
    for (let seed = 1; changes < counts.changesWithEvents; seed++) {
      const world = await openWorld({ seed: 70_000 + seed, policies: randomPolicies });
      const { ctx } = world.scene.store;
      for (let step = 0; step < STEPS_OF_A_WORLD && changes < counts.changesWithEvents; step++) {
        const [before, from] = [world.seen(), await lastEvent(ctx.db)];
        const planned = await planStep({ ...world.scene, seen: before });
        if (planned === undefined) continue;
        let hasTried = false;
        ctx.db.setCommitHook(async (_tx, items) => {
          if (items.length === 0) return () => {};
          hasTried = true;
          throw new CannotWrite();
        });
        const error = await planned.run().catch((thrown: unknown) => thrown);
        await openChain(ctx.db, ctx.clock);
        if (hasTried) {
          failed.set(planned.kind, (failed.get(planned.kind) ?? 0) + 1);
          expect([planned.kind, error instanceof Error]).toEqual([planned.kind, true]);
        }
        const still = await see(ctx.db);
        if (!isDeepStrictEqual(before, still))
          expect({ seed, step, kind: planned.kind, still }).toEqual({ seed, step, kind: planned.kind, still: before });
        expect(await lastEvent(ctx.db)).toBe(from);
        const taken = await world.step();
        if (taken === undefined || isDeepStrictEqual(before, world.seen())) continue;
        changes++;
        if ((await lastEvent(ctx.db)) <= from) expect({ seed, step, kind: taken.planned.kind }).toBe('told by an event');
      }
      expect((await audit.verify(ctx)).ok).toBe(true);
      await world.close();
    }
    if (process.env.COUNTERSIGN_DRILL_SHOW) console.info(failed);
    // Each kind of step was tried so.
    const kinds = ['approve', 'stage', 'alias', 'tag', 'model-tag', 'register', 'copy', 'ask', 'version-deletion', 'check', 'evidence'];
    expect(kinds.filter((kind) => !failed.has(kind))).toEqual([]);
  }, 3_600_000);
});
