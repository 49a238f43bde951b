import { generateKeyPairSync, type KeyObject } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Problem } from '@countersign/contract/problem.ts';
import { afterAll, afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openContext } from '../../../../../test/support/context.ts';
import { onBothDatabases } from '../../../../../test/support/databases.ts';
import { secretBox } from '../../../../../test/support/master-keys.ts';
import { type Ctx, systemClock, transaction } from '../../platform/context.ts';
import { PostgresDatabase } from '../../platform/db/postgres.ts';
import type { SigningKeys } from '../../platform/secrets/signing-keys.ts';
import * as events from '../events/events.ts';
import * as checkpoints from './checkpoints.ts';

async function happen(ctx: Ctx, count: number): Promise<void> {
  await transaction(ctx, async (inner) => {
    for (let i = 0; i < count; i += 1)
      events.record(inner, { type: 'setting.changed', data: { i }, ...(i % 3 === 0 ? { texts: { reason: `because ${i}` } } : {}) });
  });
}

function newKey(): KeyObject {
  return generateKeyPairSync('ed25519').privateKey;
}

function given(...keys: readonly KeyObject[]): SigningKeys {
  return { origin: 'the file /keys.pem', list: () => keys };
}

onBothDatabases('checkpoints', (databaseUrl) => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-checkpoints-'));
  const secrets = secretBox(join(folder, 'master.key'));
  let now = 1_700_000_000_000;
  let ctx: Ctx;
  let url: string | undefined;
  const opened: Ctx[] = [];

  async function open(): Promise<Ctx> {
    const made = await openContext({
      clock: { ...systemClock, now: () => now },
      ...(url === undefined ? {} : { db: new PostgresDatabase(url) }),
    });
    opened.push(made);
    return made;
  }
  const openMaker = (givenKeys?: SigningKeys): checkpoints.Checkpoints => checkpoints.openCheckpoints({ secrets, givenKeys });

  beforeEach(async () => {
    url = await databaseUrl();
    ctx = await open();
  });
  afterEach(async () => {
    await Promise.all(opened.splice(0).map((each) => each.db.close()));
  });
  afterAll(() => rmSync(folder, { recursive: true }));

  it('are made on demand over all events, each going on from the one before', async () => {
    const maker = openMaker();
    expect(await maker.make(ctx)).toBeUndefined();
    await happen(ctx, 3);
    const first = await maker.make(ctx);
    expect(first).toMatchObject({ size: 3, time: now, previous: Buffer.alloc(32) });
    expect(await maker.make(ctx)).toMatchObject(first ?? {});
    now -= 5000;
    await happen(ctx, 600);
    const second = await maker.make(ctx);
    expect(second).toMatchObject({ size: 603, time: first?.time });
    expect(maker.newestLine()).toBe(second && checkpoints.checkpointLine(second));
    expect((await checkpoints.list(ctx, { afterSize: undefined, newestFirst: false, limit: 10 })).map((each) => each.size)).toEqual([
      3, 603,
    ]);
    expect(await checkpoints.verifyRecord(ctx)).toEqual({ ok: true, events: 603, checkpoints: 2 });
    for (const each of [first, second]) {
      expect(each && checkpoints.readCheckpoint(checkpoints.checkpointLine(each))).toEqual(each);
      expect(each && checkpoints.readCheckpoint(checkpoints.checkpointNote(each))).toMatchObject({ size: each?.size });
    }
  });

  it('prove that an event is in the record, and that the record goes on from an older one', async () => {
    const maker = openMaker();
    const sizes = [1, 255, 256, 300, 1100];
    let size = 0;
    for (const each of sizes) {
      await happen(ctx, each - size);
      size = each;
      await maker.make(ctx);
    }
    for (const seq of [1, 2, 256, 257, 300]) {
      for (const each of [300, 1100]) {
        const { event, checkpoint, hashes } = await checkpoints.proveInclusion(ctx, seq, each);
        expect(checkpoints.provesInclusion(Buffer.from(event.hash, 'hex'), seq - 1, checkpoint, hashes)).toBe(true);
        expect(checkpoints.provesInclusion(Buffer.from(event.hash, 'hex'), seq, checkpoint, hashes)).toBe(false);
      }
    }
    for (const each of [300, 1100]) {
      const proofs = await checkpoints.proveInclusions(ctx, [1, 2, 255, 256, 257, 299, 300], each);
      for (const [seq, hashes] of proofs) expect([seq, hashes]).toEqual([seq, (await checkpoints.proveInclusion(ctx, seq, each)).hashes]);
    }
    for (const older of sizes) {
      for (const newer of sizes.filter((each) => each >= older)) {
        const proof = await checkpoints.proveConsistency(ctx, older, newer);
        expect(checkpoints.provesConsistency(proof.older, proof.newer, proof.hashes)).toBe(true);
      }
    }
    await expect(checkpoints.proveInclusion(ctx, 301, 300)).rejects.toThrow('came after');
    await expect(checkpoints.proveInclusion(ctx, 1101)).rejects.toThrow('no event 1101');
    await expect(checkpoints.proveConsistency(ctx, 299)).rejects.toThrow('no checkpoint over 299');
    await expect(checkpoints.proveConsistency(ctx, 300, 256)).rejects.toThrow('newer');
  });

  it('are made in the background when enough happened, or some time ago', async () => {
    const maker = openMaker();
    await maker.look(ctx);
    await happen(ctx, 2);
    await maker.look(ctx);
    expect(maker.newestLine()).toBeUndefined();
    now += checkpoints.EVERY_MS;
    await maker.look(ctx);
    expect(await checkpoints.findNewest(ctx)).toMatchObject({ size: 2 });
    now += 10 * checkpoints.EVERY_MS;
    await maker.look(ctx);
    expect(await checkpoints.findNewest(ctx)).toMatchObject({ size: 2 });
    await happen(ctx, 1);
    await maker.look(ctx);
    expect(await checkpoints.findNewest(ctx)).toMatchObject({ size: 3 });
    await happen(ctx, checkpoints.EVERY_EVENTS - 1);
    await maker.look(ctx);
    expect(await checkpoints.findNewest(ctx)).toMatchObject({ size: 3 });
    await happen(ctx, 1);
    await maker.look(ctx);
    expect(await checkpoints.findNewest(ctx)).toMatchObject({ size: 3 + checkpoints.EVERY_EVENTS });
  });

  it('are signed by one key, whoever makes them, and a new one is signed by the old', async () => {
    const makers = [openMaker(), openMaker()];
    const places = url === undefined ? [ctx, ctx] : [ctx, await open()];
    await happen(ctx, 5);
    for (let round = 0; round < 5; round += 1) {
      await happen(ctx, 5);
      await Promise.all(makers.map((maker, i) => maker.make(places[i] ?? ctx)));
    }
    expect((await checkpoints.listKeys(ctx)).keys).toMatchObject([{ number: 1, signedBy: 1 }]);
    await makers[0]?.rotateKey(ctx, false);
    await makers[1]?.make(ctx);
    expect((await checkpoints.listKeys(ctx)).keys).toMatchObject([{ number: 1 }, { number: 2, signedBy: 1 }]);
    const verdict = await checkpoints.verifyRecord(ctx);
    expect(verdict).toMatchObject({ ok: true, events: 31 });
    expect(verdict.checkpoints).toBeGreaterThanOrEqual(6);
    const sealed = await ctx.db.all<{ sealed: Uint8Array | null }>('SELECT sealed FROM checkpoint_keys ORDER BY number LIMIT 9');
    expect(sealed.map((row) => row.sealed === null)).toEqual([true, false]);
  });

  it('are signed by the key that the operator gives, and go over to another that the old one signs', async () => {
    const [a, b, c] = [newKey(), newKey(), newKey()];
    await happen(ctx, 1);
    await openMaker(given(a)).make(ctx);
    await happen(ctx, 1);
    await expect(openMaker(given(b)).make(ctx)).rejects.toThrow('put it behind the new one');
    await expect(openMaker().make(ctx)).rejects.toThrow('not in the database');
    await openMaker(given(b, a)).make(ctx);
    await happen(ctx, 1);
    await expect(openMaker(given(a)).make(ctx)).rejects.toBeInstanceOf(Problem);
    await expect(openMaker(given(b)).rotateKey(ctx, false)).rejects.toThrow('put it there before the old one');
    expect(await checkpoints.verifyRecord(ctx)).toMatchObject({ ok: true });

    const lost = openMaker(given(c));
    await lost.rotateKey(ctx, true);
    expect(await lost.make(ctx)).toMatchObject({ size: 5 });
    expect(await checkpoints.verifyRecord(ctx)).toMatchObject({
      ok: false,
      firstBadCheckpoint: { reason: expect.stringContaining('checkpoint key 3 is not signed by the one before it') },
    });
  });

  it('show what was changed, cut off or forged in the database', async () => {
    const maker = openMaker();
    for (const count of [10, 10, 10]) {
      await happen(ctx, count);
      await maker.make(ctx);
    }
    const run = (sql: string, ...values: (string | number | Uint8Array)[]) => ctx.db.write((tx) => tx.run(sql, ...values));
    const verdict = () => checkpoints.verifyRecord(ctx);
    const kept = await ctx.db.all<{ size: number; root: Uint8Array; recorded_at: number; frontier: Uint8Array }>(
      'SELECT size, root, recorded_at, frontier FROM checkpoints ORDER BY size LIMIT 9',
    );
    const [first, second] = kept;
    if (first === undefined || second === undefined) throw new Error('there are three');

    await run('UPDATE checkpoints SET recorded_at = recorded_at + 1 WHERE size = 20');
    expect(await verdict()).toMatchObject({ ok: false, firstBadCheckpoint: { size: 20, reason: expect.stringContaining('signature') } });
    await run('UPDATE checkpoints SET recorded_at = recorded_at - 1, root = ? WHERE size = 20', first.root);
    expect(await verdict()).toMatchObject({ ok: false, firstBadCheckpoint: { size: 20 } });
    await run('UPDATE checkpoints SET root = ?, frontier = ? WHERE size = 20', second.root, Buffer.alloc(64));
    expect(await verdict()).toMatchObject({ ok: false, firstBadCheckpoint: { size: 20, reason: expect.stringContaining('frontier') } });
    await run('UPDATE checkpoints SET frontier = ? WHERE size = 20', second.frontier);
    expect(await verdict()).toMatchObject({ ok: true, checkpoints: 3 });

    // Cut off, with the chain's head moved as its owner would.
    const twenty = await events.find(ctx.db, 20);
    await run('DELETE FROM events WHERE seq > 20');
    await run('UPDATE chain_head SET seq = 20, hash = ?', Buffer.from(twenty?.hash ?? '', 'hex'));
    expect(await verdict()).toMatchObject({ ok: false, firstBadCheckpoint: { size: 30, reason: expect.stringContaining('cut off') } });
    await run('DELETE FROM checkpoints WHERE size = 10');
    expect(await verdict()).toMatchObject({ ok: false, firstBadCheckpoint: { size: 20, reason: expect.stringContaining('go on') } });
  });
});

describe('the text of a checkpoint', () => {
  it('is read back only as it is written', () => {
    const checkpoint: checkpoints.SignedCheckpoint = {
      serverId: 'ab'.repeat(16),
      size: 20_852_163,
      root: Buffer.alloc(32, 1),
      time: 1_700_000_000_000,
      previous: Buffer.alloc(32, 2),
      keyId: '01020304',
      signature: Buffer.alloc(64, 3),
    };
    const line = checkpoints.checkpointLine(checkpoint);
    const note = checkpoints.checkpointNote(checkpoint);
    expect(checkpoints.readCheckpoint(line)).toEqual(checkpoint);
    expect(checkpoints.readCheckpoint(note)).toEqual(checkpoint);
    expect(note).toBe(
      `countersign/${'ab'.repeat(16)}\n20852163\n${Buffer.alloc(32, 1).toString('base64')}\ntime 1700000000000\n` +
        `previous ${Buffer.alloc(32, 2).toString('base64')}\n\n` +
        `— countersign/${'ab'.repeat(16)} ${Buffer.concat([Buffer.of(1, 2, 3, 4), Buffer.alloc(64, 3)]).toString('base64')}\n`,
    );
    for (const other of [
      line.replace('20852163', '020852163'),
      `${line}A`,
      line.slice(1),
      note.slice(1),
      note.replace('time', 'Time'),
      '',
      'x',
    ])
      expect(checkpoints.readCheckpoint(other)).toBeUndefined();
    expect(checkpoints.verifierKey(checkpoint.serverId, Buffer.alloc(32, 4))).toMatch(
      /^countersign\/[0-9a-f]{32}\+[0-9a-f]{8}\+[A-Za-z0-9+/=]{44}$/,
    );
  });
});
