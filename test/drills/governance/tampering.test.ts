/**
 * Whatever governance tells is in the chain: what is edited, dropped, put elsewhere, put in or cut off is found, and the first bad entry named, in the
 * database and in an export; what somebody forges who has database and key shows against a checkpoint that was kept.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import * as audit from '@countersign/server/features/audit/audit.ts';
import { verifyExport } from '@countersign/server/features/audit/export-verification.ts';
import { readCheckpoint, type SignedCheckpoint } from '@countersign/server/features/checkpoints/checkpoints.ts';
import type { Ctx } from '@countersign/server/platform/context.ts';
import type { Queries } from '@countersign/server/platform/db/database.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { onBothDatabases } from '../../support/databases.ts';
import { undone } from '../../support/undone.ts';
import { chainedAnew, cutBehind, editedEntry, editedLine, entriesIn, FORGERIES, writtenAnew } from './file-forgeries.ts';
import * as rows from './row-forgeries.ts';
import { TOLD_TYPES, type ToldStory, tellStory } from './told-story.ts';

interface RowForgery {
  readonly title: string;
  readonly forge: (tx: Queries, at: number) => Promise<unknown>;
  /** Counted from the event that it was done to; or the checkpoint that tells: the first that is over it, or the newest. */
  readonly firstBad: number | 'first-checkpoint' | 'newest-checkpoint';
}

const FAR = 5;
const ROW_FORGERIES: readonly RowForgery[] = [
  { title: 'edited', forge: rows.edit, firstBad: 0 },
  { title: 'dropped', forge: rows.drop, firstBad: 0 },
  { title: 'swapped with the next', forge: (tx, at) => rows.swap(tx, at, at + 1), firstBad: 0 },
  { title: 'swapped with one far behind', forge: (tx, at) => rows.swap(tx, at, at + FAR), firstBad: 0 },
  { title: 'put in once more', forge: (tx, at) => rows.insert(tx, at, false), firstBad: 1 },
  { title: 'put in once more, with its right hash', forge: (tx, at) => rows.insert(tx, at, true), firstBad: 2 },
  { title: 'the last, as everything behind it was cut off', forge: (tx, at) => rows.cut(tx, at + 1), firstBad: 'newest-checkpoint' },
  {
    title: 'edited, and everything chained anew',
    forge: async (tx, at) => {
      await rows.edit(tx, at);
      await rows.chainAnew(tx, at);
    },
    firstBad: 'first-checkpoint',
  },
  {
    title: 'swapped with the next, and everything chained anew',
    forge: async (tx, at) => {
      await rows.swap(tx, at, at + 1);
      await rows.chainAnew(tx, at);
    },
    firstBad: 'first-checkpoint',
  },
];

onBothDatabases('the record of governance, tampered with', (databaseUrl) => {
  let story: ToldStory;
  let ctx: Ctx;
  let lines: readonly string[];
  /** Over how many events. */
  let newest: number;
  let kept: SignedCheckpoint;

  beforeAll(async () => {
    story = await tellStory(await databaseUrl());
    ctx = story.office.app.ctx;
    lines = readFileSync(join(story.office.folder, story.files.record), 'utf8').trimEnd().split('\n');
    newest = entriesIn(lines).filter(({ kind }) => kind === 'event').length;
    const checkpoint = readCheckpoint(readFileSync(join(story.office.folder, story.files.kept), 'utf8').trim());
    if (checkpoint === undefined) throw new TypeError('a checkpoint was kept');
    kept = checkpoint;
  }, 120_000);
  afterAll(() => story.close());

  /** Of the first event of a type: its place in the chain. */
  async function placeOf(type: string): Promise<number> {
    const row = await ctx.db.one<{ seq: number }>('SELECT MIN(seq) AS seq FROM events WHERE type = ?', type);
    return row?.seq ?? 0;
  }

  it('holds every kind of event before the checkpoint that is kept, and is whole', async () => {
    for (const type of TOLD_TYPES) {
      const place = await placeOf(type);
      expect([type, place > 1 && place + FAR < kept.size]).toEqual([type, true]);
    }
    expect(await audit.verify(ctx)).toMatchObject({ ok: true, checkpoints: 2 });
    expect((await verifyExport(lines)).fault).toBeUndefined();
  });

  it.each(ROW_FORGERIES)('rows: what is $title is named, of whatever kind it is', async ({ forge, firstBad }) => {
    for (const type of TOLD_TYPES) {
      const at = await placeOf(type);
      const verdict = await undone(ctx, async (inner) => {
        await forge(inner.tx ?? inner.db, at);
        return audit.verify(inner);
      });
      expect([type, verdict.ok]).toEqual([type, false]);
      if (firstBad === 'first-checkpoint') expect([type, verdict.firstBadCheckpoint?.size]).toEqual([type, kept.size]);
      else if (firstBad === 'newest-checkpoint') expect([type, verdict.firstBadCheckpoint?.size]).toEqual([type, newest]);
      else expect([type, verdict.firstBad, typeof verdict.reason]).toEqual([type, at + firstBad, 'string']);
    }
    expect((await audit.verify(ctx)).ok).toBe(true);
  });

  it('rows: a text beside an event that is edited is named', async () => {
    const texts = await ctx.db.all<{ seq: number; field: string }>(
      `SELECT t.seq, t.field FROM event_texts t JOIN events e ON e.seq = t.seq WHERE e.type IN (${TOLD_TYPES.map(() => '?').join(', ')}) ORDER BY t.seq`,
      ...TOLD_TYPES,
    );
    expect(texts.length).toBeGreaterThan(TOLD_TYPES.length);
    for (const { seq, field } of texts) {
      const verdict = await undone(ctx, async (inner) => {
        await (inner.tx ?? inner.db).run("UPDATE event_texts SET text = 'another' WHERE seq = ? AND field = ?", seq, field);
        return audit.verify(inner);
      });
      expect([verdict.firstBad, verdict.reason]).toEqual([seq, expect.stringContaining(`'${field}'`)]);
    }
  });

  /** Of the first event of a type: its place among the lines, and in the chain. */
  async function lineOf(type: string): Promise<{ at: number; seq: number }> {
    const seq = await placeOf(type);
    return { seq, at: lines.findIndex((line) => line.startsWith(`{"kind":"event","seq":${seq},`)) };
  }

  it.each(FORGERIES)('an export: what is $title is named, of whatever kind it is', async ({ forge, badAt, named }) => {
    const entries = entriesIn(lines);
    for (const type of TOLD_TYPES) {
      const { at, seq } = await lineOf(type);
      const byHand = forge(lines, at, editedLine);
      const withCare = writtenAnew(forge(entries, at, editedEntry));
      for (const forged of [byHand, withCare]) {
        const { fault } = await verifyExport(forged);
        expect([type, fault?.line, fault?.entry]).toEqual([type, at + 1 + badAt, `event ${seq + named}`]);
      }
      const throughout = writtenAnew(chainedAnew(forge(entries, at, editedEntry)));
      expect([type, (await verifyExport(throughout)).fault?.entry]).toEqual([type, `the checkpoint over ${kept.size} events`]);
    }
  });

  it('an export: what is cut off is missed, whatever kind of event is the last', async () => {
    const entries = entriesIn(lines);
    for (const type of TOLD_TYPES) {
      const { at, seq } = await lineOf(type);
      const byHand = (await verifyExport(lines.slice(0, at + 1))).fault;
      expect([type, byHand]).toEqual([type, { line: at + 2, entry: 'the end', reason: 'is missing: the file was cut off' }]);
      const withCare = writtenAnew(cutBehind(entries, at));
      const faults = [await verifyExport(withCare), await verifyExport(withCare, { kept: [kept] })].map(({ fault }) => fault);
      expect(faults).toMatchObject([
        { line: at + 2, entry: 'the end', reason: expect.stringContaining(`comes at event ${seq}, and the last checkpoint is over 0`) },
        { line: at + 2, entry: 'the end', reason: expect.stringContaining(`a checkpoint that you keep is over ${kept.size}`) },
      ]);
    }
  });

  /** By the command, as an auditor does it: the exit code, and the first line that it says. */
  async function verify(file: string, args: readonly string[] = ['--since', story.files.kept]): Promise<[number | null, string]> {
    const { code, stdout } = await story.office.command(undefined, ['audit', 'verify', file, '--key', story.files.key, ...args]);
    return [code, stdout.split('\n')[0] ?? ''];
  }

  it('an export: the command names it, and ends with 6', async () => {
    const { at, seq } = await lineOf('request.approved');
    const files = FORGERIES.map(({ title, forge }) => [`${title}.jsonl`, forge(lines, at, editedLine)] as const);
    const cut = writtenAnew(cutBehind(entriesIn(lines), at));
    for (const [file, forged] of [...files, ['cut.jsonl', cut] as const])
      writeFileSync(join(story.office.folder, file), `${forged.join('\n')}\n`);
    const [whole, ...found] = await Promise.all([verify(story.files.record), ...files.map(([file]) => verify(file)), verify('cut.jsonl')]);
    expect(whole).toEqual([0, expect.stringMatching(/^Whole: events 1 to \d+, 2 checkpoints, \d+ texts; signed by key [0-9a-f]{8}\.$/)]);
    const named = FORGERIES.map((each) => `NOT WHOLE. Line ${at + 1 + each.badAt}: event ${seq + each.named} `);
    expect(found).toEqual([
      ...named.map((start) => [6, expect.stringContaining(start)]),
      [6, expect.stringContaining(`Line ${at + 2}: the end comes at event ${seq}, and a checkpoint that you keep is over ${kept.size}`)],
    ]);
  }, 120_000);

  it('what whoever has database and key made of it is whole, but not to whom kept a checkpoint', async () => {
    const again = async (file: string): Promise<(readonly [number | null, string])[]> => {
      const { code, stderr } = await story.office.command('root', ['audit', 'export', '--texts', '--output', file]);
      expect([code, stderr]).toEqual([0, expect.any(String)]);
      return Promise.all([verify(file, []), verify(file)]);
    };
    const at = await placeOf('transition.allowed');
    await ctx.db.write(async (tx) => {
      await rows.edit(tx, at);
      await rows.chainAnew(tx, at);
      await rows.forgetCheckpoints(tx);
    });
    expect(await again('rewritten.jsonl')).toEqual([
      [0, expect.stringMatching(/^Whole/)],
      [6, expect.stringMatching(new RegExp(`^NOT WHOLE\\. Line \\d+: event ${kept.size} ends another record`))],
    ]);
    await ctx.db.write(async (tx) => {
      await rows.cut(tx, kept.size);
      await rows.forgetCheckpoints(tx);
    });
    expect(await again('cut-in-place.jsonl')).toEqual([
      [0, expect.stringMatching(/^Whole/)],
      [
        6,
        expect.stringMatching(new RegExp(`: the end comes at event ${kept.size - 1}, and a checkpoint that you keep is over ${kept.size}`)),
      ],
    ]);
  }, 120_000);
});
