/** Whatever is done to a row of the record behind the server's back is found by verifying it in place, at the row. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { counts } from '../../../../../test/counts.ts';
import { openContext } from '../../../../../test/support/context.ts';
import { onBothDatabases } from '../../../../../test/support/databases.ts';
import { secretBox } from '../../../../../test/support/master-keys.ts';
import { undone } from '../../../../../test/support/undone.ts';
import { type Ctx, transaction } from '../../platform/context.ts';
import type { Queries } from '../../platform/db/database.ts';
import { PostgresDatabase } from '../../platform/db/postgres.ts';
import * as checkpoints from '../checkpoints/checkpoints.ts';
import * as events from '../events/events.ts';
import * as audit from './audit.ts';

const EVENTS = 24;
const CHECKPOINTS = [4, 11, 19, 24];

/** What is to be named: an event or a checkpoint. */
type Found = { readonly firstBad: number } | { readonly checkpoint: number | 'any' };

interface Tampering {
  readonly title: string;
  run(tx: Queries): Promise<unknown>;
  readonly found: Found;
}

const ends = CHECKPOINTS.slice(0, -1);
const seq = fc.integer({ min: 1, max: EVENTS });
const size = fc.constantFrom(...CHECKPOINTS);

/** Rows keep their keys; nothing of it keeps within the law of the chain. */
const tampering: fc.Arbitrary<Tampering> = fc.oneof(
  fc
    .tuple(
      seq,
      fc.constantFrom(
        'body = replace(body, \'"i":\', \'"j":\')',
        'recorded_at = recorded_at + 1',
        'workspace_id = 9',
        "type = 'nothing.happened'",
        'version = 2',
        'model_id = 99',
        'version_id = 99',
        "target = 'stage:None'",
        'target = NULL',
        'hash = (SELECT hash FROM chain_head)',
      ),
    )
    .filter(([at, change]) => !(at === EVENTS && change.startsWith('hash')))
    .map(([at, change]) => edit(`UPDATE events SET ${change} WHERE seq = ?`, at)),
  seq.map(
    (at): Tampering => ({ title: `drop ${at}`, run: (tx) => tx.run('DELETE FROM events WHERE seq = ?', at), found: { firstBad: at } }),
  ),
  seq.map(
    (at): Tampering => ({ title: `cut from ${at}`, run: (tx) => tx.run('DELETE FROM events WHERE seq >= ?', at), found: { firstBad: at } }),
  ),
  fc
    .tuple(seq, seq)
    .filter(([a, b]) => a < b)
    .map(
      ([a, b]): Tampering => ({
        title: `swap ${a} and ${b}`,
        run: async (tx) => {
          for (const [from, to] of [
            [a, -1],
            [b, a],
            [-1, b],
          ] as const)
            await tx.run('UPDATE events SET seq = ? WHERE seq = ?', to, from);
        },
        found: { firstBad: a },
      }),
    ),
  seq.map(
    (at): Tampering => ({
      title: `cut from ${at}, the head moved`,
      run: async (tx) => {
        await tx.run('DELETE FROM events WHERE seq >= ?', at);
        const last = await tx.one<{ hash: Uint8Array; recorded_at: number }>(
          'SELECT hash, recorded_at FROM events ORDER BY seq DESC LIMIT 1',
        );
        const head = await tx.one<{ server_id: string }>('SELECT server_id FROM chain_head');
        const hash = last?.hash ?? events.firstPrevious(head?.server_id ?? '');
        await tx.run('UPDATE chain_head SET seq = ?, hash = ?, recorded_at = ?', at - 1, hash, last?.recorded_at ?? 0);
      },
      found: { checkpoint: 'any' },
    }),
  ),
  seq.filter((at) => at % 2 === 1).map((at) => edit("UPDATE event_texts SET text = text || '!' WHERE seq = ?", at)),
  seq
    .filter((at) => at % 2 === 1)
    .map(
      (at): Tampering => ({
        title: `half of the text of ${at} in its salt`,
        run: async (tx) => {
          const row = await tx.one<{ salt: Uint8Array; text: string }>('SELECT salt, text FROM event_texts WHERE seq = ?', at);
          const [salt, text] = [Buffer.concat([row?.salt ?? Buffer.alloc(0), Buffer.from('because')]), row?.text.slice('because'.length)];
          await tx.run('UPDATE event_texts SET salt = ?, text = ? WHERE seq = ?', salt, text ?? '', at);
        },
        found: { firstBad: at },
      }),
    ),
  size.map((at) => found(`recorded_at of ${at}`, 'UPDATE checkpoints SET recorded_at = recorded_at + 1 WHERE size = ?', at)),
  size.map((at) => found(`root of ${at}`, 'UPDATE checkpoints SET root = previous WHERE size = ?', at)),
  size.map((at) =>
    found(`signature of ${at}`, 'UPDATE checkpoints SET signature = (SELECT signature FROM checkpoint_keys) WHERE size = ?', at),
  ),
  fc.constantFrom(...ends).map(
    (at): Tampering => ({
      title: `drop the checkpoint over ${at}`,
      run: (tx) => tx.run('DELETE FROM checkpoints WHERE size = ?', at),
      found: { checkpoint: CHECKPOINTS[CHECKPOINTS.indexOf(at) + 1] ?? 0 },
    }),
  ),
  fc.constantFrom('created_at = created_at + 1', 'signed_by = 0', 'signature = public_key').map(
    (change): Tampering => ({
      title: `key: ${change}`,
      run: (tx) => tx.run(`UPDATE checkpoint_keys SET ${change}`),
      found: { checkpoint: 'any' },
    }),
  ),
);

function edit(sql: string, at: number): Tampering {
  return { title: `${sql} ${at}`, run: (tx) => tx.run(sql, at), found: { firstBad: at } };
}

function found(title: string, sql: string, at: number): Tampering {
  return { title, run: (tx) => tx.run(sql, at), found: { checkpoint: at } };
}

onBothDatabases('the record, tampered with', (databaseUrl) => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-tampering-'));
  let ctx: Ctx;

  beforeAll(async () => {
    const url = await databaseUrl();
    ctx = await openContext(url === undefined ? {} : { db: new PostgresDatabase(url) });
    const maker = checkpoints.openCheckpoints({ secrets: secretBox(join(folder, 'master.key')), givenKeys: undefined });
    for (let i = 1; i <= EVENTS; i += 1) {
      await transaction(ctx, async (inner) =>
        events.record(inner, {
          type: 'model-version.stage-entered',
          modelId: 1,
          versionId: i,
          target: 'stage:Production',
          data: { i },
          ...(i % 2 === 1 ? { texts: { reason: `because ${i}` } } : {}),
        }),
      );
      if (CHECKPOINTS.includes(i)) await maker.make(ctx);
    }
  });
  afterAll(async () => {
    await ctx.db.close();
    rmSync(folder, { recursive: true });
  });

  it('is found, and named', async () => {
    expect(await audit.verify(ctx)).toEqual({ ok: true, events: EVENTS, checkpoints: CHECKPOINTS.length });
    await fc.assert(
      fc.asyncProperty(tampering, async ({ title, run, found: expected }) => {
        const verdict = await undone(ctx, async (inner) => {
          await run(inner.tx ?? inner.db);
          return audit.verify(inner);
        });
        expect(verdict.ok, title).toBe(false);
        if ('firstBad' in expected) expect(verdict, title).toMatchObject({ ...expected, reason: expect.any(String) });
        else if (expected.checkpoint === 'any') expect(verdict.firstBadCheckpoint, title).toBeDefined();
        else expect(verdict.firstBadCheckpoint, title).toMatchObject({ size: expected.checkpoint });
      }),
      { numRuns: counts.propertyRuns },
    );
    expect(await audit.verify(ctx)).toMatchObject({ ok: true });
  });
});
