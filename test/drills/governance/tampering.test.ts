/** Whatever governance tells is in the chain: an edit of any of it is found, and named. */
import * as audit from '@countersign/server/features/audit/audit.ts';
import * as events from '@countersign/server/features/events/events.ts';
import { describe, expect, it } from 'vitest';
import { randomPolicies } from './policy-family.ts';
import { openWorld } from './world.ts';

const TYPES = ['transition.allowed', 'request.opened', 'request.approved', 'request.applied', 'policy.published'];
const STEPS = 200;

describe('an event of governance that is edited', () => {
  it.each(TYPES)('is found: %s', async (type) => {
    const world = await openWorld({ seed: 90_001, policies: randomPolicies });
    const { db } = world.scene.store.ctx;
    for (let step = 0; step < STEPS; step++) await world.step();
    expect((await audit.verify(world.scene.store.ctx)).ok).toBe(true);
    const row = await db.one<{ seq: number; body: string }>('SELECT seq, body FROM events WHERE type = ? ORDER BY seq LIMIT 1', type);
    if (row === undefined) throw new TypeError(`${type} was told`);
    const edited = row.body.replace('"principal_id":', '"principal_id":9');
    await db.write((tx) => tx.run('UPDATE events SET body = ? WHERE seq = ?', edited, row.seq));
    expect(await events.verifyChain(db)).toMatchObject({ ok: false, firstBad: row.seq });
    const text = await db.one<{ seq: number }>(
      'SELECT t.seq FROM event_texts t JOIN events e ON e.seq = t.seq WHERE e.type = ? LIMIT 1',
      type,
    );
    await db.write((tx) => tx.run('UPDATE events SET body = ? WHERE seq = ?', row.body, row.seq));
    expect((await events.verifyChain(db)).ok).toBe(true);
    if (text !== undefined) {
      await db.write((tx) => tx.run("UPDATE event_texts SET text = 'another' WHERE seq = ?", text.seq));
      expect(await events.verifyChain(db)).toMatchObject({ ok: false, firstBad: text.seq });
    }
    await world.close();
  });
});
