import { generateKeyPairSync } from 'node:crypto';
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { counts } from '../../../../../test/counts.ts';
import { openContext } from '../../../../../test/support/context.ts';
import { onBothDatabases } from '../../../../../test/support/databases.ts';
import { secretBox } from '../../../../../test/support/master-keys.ts';
import { type Ctx, transaction } from '../../platform/context.ts';
import { PostgresDatabase } from '../../platform/db/postgres.ts';
import * as checkpoints from '../checkpoints/checkpoints.ts';
import * as events from '../events/events.ts';
import * as audit from './audit.ts';
import { type ExportEntry, ExportReader, ExportWriter } from './export-lines.ts';
import { verifyExport } from './export-verification.ts';
import { exportRecord, type RecordSource } from './record-export.ts';

async function happen(ctx: Ctx, count: number): Promise<void> {
  for (let i = 0; i < count; i += 1) {
    await transaction(ctx, async (inner) =>
      events.record(inner, {
        type: 'model-version.tag-set',
        data: { i, key: 'a"b\\ü' },
        ...(i % 2 === 0 ? { texts: { value: `first\nsecond ${i}`, reason: 'because' } } : {}),
      }),
    );
  }
}

function sourceOf(ctx: Ctx, maker: checkpoints.Checkpoints, withTexts = true): RecordSource {
  return {
    makeCheckpoint: async () => (await maker.make(ctx)) ?? null,
    listKeys: async () => {
      const { serverId, keys } = await checkpoints.listKeys(ctx);
      return {
        server: serverId,
        keys: keys.map((key) => ({
          number: key.number,
          public_key: key.publicKey.toString('base64'),
          created_at: key.createdAt,
          signed_by: key.signedBy,
          signature: key.signature.toString('base64'),
        })),
      };
    },
    listCheckpoints: async (afterSize, limit) =>
      (await checkpoints.list(ctx, { afterSize, newestFirst: false, limit })).map((each) => ({
        size: each.size,
        line: checkpoints.checkpointLine(each),
        frontier: Buffer.from(each.frontier).toString('base64'),
      })),
    listEvents: (afterSeq, limit) => audit.listChained(ctx, { afterSeq, limit, withTexts }),
  };
}

async function collect(lines: AsyncIterable<string>): Promise<string[]> {
  const all: string[] = [];
  for await (const line of lines) all.push(line);
  return all;
}

function entriesIn(lines: readonly string[]): ExportEntry[] {
  const reader = new ExportReader();
  return lines.map((line) => reader.read(line)?.entry as ExportEntry); // written just now
}

/** As a forger would: every check is right again. */
function rewrite(entries: readonly ExportEntry[]): string[] {
  const writer = new ExportWriter();
  return entries.map((entry) => writer.write(entry));
}

const folder = mkdtempSync(join(tmpdir(), 'countersign-export-'));
afterAll(() => rmSync(folder, { recursive: true }));

onBothDatabases('an export of the record', (databaseUrl) => {
  let ctx: Ctx;
  let maker: checkpoints.Checkpoints;
  let lines: readonly string[];
  const kept: checkpoints.SignedCheckpoint[] = [];

  beforeAll(async () => {
    const url = await databaseUrl();
    ctx = await openContext(url === undefined ? {} : { db: new PostgresDatabase(url) });
    maker = checkpoints.openCheckpoints({ secrets: secretBox(join(folder, 'master.key')), givenKeys: undefined });
    for (const count of [3, 4, 6]) {
      await happen(ctx, count);
      const made = await maker.make(ctx);
      if (made) kept.push(made);
    }
    await maker.rotateKey(ctx, false);
    await happen(ctx, 2);
    lines = await collect(exportRecord(sourceOf(ctx, maker)));
  });
  afterAll(() => ctx.db.close());

  it('verifies by itself, with the key and the checkpoints that somebody kept', async () => {
    const { keys } = await checkpoints.listKeys(ctx);
    for (const trustedKey of [undefined, ...keys.map((key) => key.publicKey)]) {
      expect(await verifyExport(lines, { kept, trustedKey })).toMatchObject({
        fault: undefined,
        afterSeq: 0,
        untilSeq: 16,
        checkpoints: 4,
        newest: maker.newestLine(),
      });
    }
    expect((await verifyExport(lines)).texts).toBe(2 * (2 + 2 + 3 + 1));
    const stranger = generateKeyPairSync('ed25519').publicKey.export({ format: 'der', type: 'spki' }).subarray(12);
    expect((await verifyExport(lines, { trustedKey: stranger })).fault).toMatchObject({ entry: 'the end' });
  });

  it('goes on from a checkpoint, and without texts', async () => {
    for (const since of [kept[1], kept[1]?.size]) {
      const rest = await collect(exportRecord(sourceOf(ctx, maker, false), { since }));
      expect(await verifyExport(rest, { kept: kept.slice(1) })).toMatchObject({ fault: undefined, afterSeq: 7, untilSeq: 16, texts: 0 });
      expect((await verifyExport(rest, { kept })).fault?.reason).toContain('export from there');
    }
    const none = await collect(exportRecord(sourceOf(ctx, maker), { since: 16 }));
    expect(await verifyExport(none)).toMatchObject({ fault: undefined, afterSeq: 16, untilSeq: 16 });
    await expect(collect(exportRecord(sourceOf(ctx, maker), { since: 8 }))).rejects.toThrow('no checkpoint over 8');
    const [first] = kept;
    const forged = first && { ...first, root: Buffer.alloc(32) };
    await expect(collect(exportRecord(sourceOf(ctx, maker), { since: forged }))).rejects.toThrow('another one');
  });

  it('names the line that was edited', async () => {
    await fc.assert(
      fc.asyncProperty(fc.nat(), fc.nat(), fc.integer({ min: 32, max: 126 }), async (which, place, code) => {
        const line = which % lines.length;
        const old = lines[line] ?? '';
        const at = place % old.length;
        const text = old.slice(0, at) + String.fromCharCode(code) + old.slice(at + 1);
        fc.pre(text !== old);
        const { fault } = await verifyExport(lines.with(line, text));
        expect(fault?.line).toBe(line + 1);
      }),
      { numRuns: counts.propertyRuns },
    );
  });

  it('names where a line was dropped, added, moved, or everything behind it cut off', async () => {
    const place = fc.nat().map((n) => n % lines.length);
    await fc.assert(
      fc.asyncProperty(place, place, fc.nat(), async (i, j, cut) => {
        expect((await verifyExport(lines.toSpliced(i, 1))).fault?.line).toBe(i + 1);
        expect((await verifyExport(lines.toSpliced(i, 0, lines[i] ?? ''))).fault?.line).toBe(i + 2);
        const [first, second] = [Math.min(i, j), Math.max(i, j)];
        if (first !== second)
          expect((await verifyExport(lines.with(first, lines[second] ?? '').with(second, lines[first] ?? ''))).fault?.line).toBe(first + 1);
        expect((await verifyExport(lines.slice(0, i))).fault).toMatchObject({ line: i + 1, entry: 'the end' });
        const half = (lines[i] ?? '').slice(0, cut % (lines[i] ?? '').length);
        expect((await verifyExport([...lines.slice(0, i), half])).fault?.line).toBe(i + 1);
      }),
      { numRuns: counts.propertyRuns },
    );
  });

  it('is refused by chain, commitments and signatures where the checks were forged as well', async () => {
    const entries = entriesIn(lines);
    const place = fc.nat().map((n) => n % entries.length);
    await fc.assert(
      fc.asyncProperty(place, place, async (i, j) => {
        const edited = forgeries(entries[i] as ExportEntry); // i is below the length
        for (const entry of edited)
          expect((await verifyExport(rewrite(entries.with(i, entry)))).fault, JSON.stringify(entry)).toBeDefined();
        expect((await verifyExport(rewrite(entries.toSpliced(i, 1)))).fault).toBeDefined();
        if (i !== j) {
          const swapped = entries.with(i, entries[j] as ExportEntry).with(j, entries[i] as ExportEntry);
          expect((await verifyExport(rewrite(swapped))).fault).toBeDefined();
        }
      }),
      { numRuns: counts.propertyRuns },
    );
  });

  it('cut off behind a checkpoint by a forger is whole by itself, and refused by a later checkpoint that somebody kept', async () => {
    const entries = entriesIn(lines);
    const at = entries.findIndex((entry) => entry.kind === 'event' && entry.seq === 7) + 2;
    const cut = rewrite([...entries.slice(0, at), { kind: 'end', size: 7 }]);
    expect((await verifyExport(cut)).fault).toBeUndefined();
    expect((await verifyExport(cut, { kept: kept.slice(0, 2) })).fault).toBeUndefined();
    expect((await verifyExport(cut, { kept })).fault).toMatchObject({ entry: 'the end', reason: expect.stringContaining('cut off') });
  });

  it('rewritten from a place on, and signed by who has the key, is refused by a checkpoint that somebody kept', async () => {
    const other = await openContext();
    const forger = checkpoints.openCheckpoints({ secrets: secretBox(join(folder, 'master.key')), givenKeys: undefined });
    // The same server's identity and key, with another history.
    const { serverId } = await events.findEnd(ctx.db);
    await other.db.write(async (tx) => {
      await tx.run('UPDATE chain_head SET server_id = ?, hash = ?', serverId, events.firstPrevious(serverId));
      for (const row of await ctx.db.all<Record<string, Uint8Array | number | null>>(
        'SELECT * FROM checkpoint_keys ORDER BY number LIMIT 9',
      )) {
        const cells = [row.number, row.public_key, row.sealed, row.created_at, row.signed_by, row.signature, row.written_by];
        await tx.run('INSERT INTO checkpoint_keys VALUES (?, ?, ?, ?, ?, ?, ?)', ...cells);
      }
    });
    await happen(other, 20);
    const rewritten = await collect(exportRecord(sourceOf(other, forger)));
    expect((await verifyExport(rewritten)).fault).toBeUndefined();
    expect((await verifyExport(rewritten, { kept })).fault).toMatchObject({
      entry: 'event 3',
      reason: expect.stringContaining('rewritten'),
    });
    await other.db.close();
  });

  it('shows nothing but that it is empty where nothing happened', async () => {
    const other = await openContext();
    const empty = checkpoints.openCheckpoints({ secrets: secretBox(join(folder, 'master.key')), givenKeys: undefined });
    const none = await collect(exportRecord(sourceOf(other, empty)));
    expect(await verifyExport(none)).toMatchObject({ fault: undefined, untilSeq: 0, checkpoints: 0 });
    await other.db.close();
  });
});

/** The entry with each of its values changed, by somebody who has no key. */
function forgeries(entry: ExportEntry): ExportEntry[] {
  switch (entry.kind) {
    case 'record':
      return [{ ...entry, server: entry.server.replace(/.$/, (last) => (last === '0' ? '1' : '0')) }];
    case 'key': {
      const other = Buffer.alloc(32, 7).toString('base64');
      return [
        { ...entry, public_key: other },
        { ...entry, created_at: entry.created_at + 1 },
        { ...entry, signature: Buffer.alloc(64, 7).toString('base64') },
        { ...entry, signature: '' },
        { ...entry, number: entry.number + 1 },
        { ...entry, signed_by: entry.signed_by + 1 },
      ];
    }
    case 'event': {
      const texts = Object.entries(entry.texts ?? {}).flatMap(([field, { salt, text }]) => [
        { ...entry.texts, [field]: { salt, text: `${text}!` } },
        // The same bytes, of which the first are said to be salt.
        { ...entry.texts, [field]: { salt: salt + Buffer.from(text.slice(0, 1)).toString('hex'), text: text.slice(1) } },
      ]);
      return [
        { ...entry, body: entry.body.replace('"i":', '"j":') },
        { ...entry, body: 'null' },
        { ...entry, hash: '0'.repeat(64) },
        { ...entry, seq: entry.seq + 1 },
        { ...entry, texts: { ...entry.texts, invented: { salt: '00', text: 'x' } } },
        ...texts.map((each) => ({ ...entry, texts: each })),
      ].filter((each) => each.body !== entry.body || each.hash !== entry.hash || each.seq !== entry.seq || each.texts !== entry.texts);
    }
    case 'checkpoint':
      return entry.line.split('.').map((_part, at, parts) => {
        const changed = parts.with(
          at,
          (parts[at] ?? '').replace(/^./, (first) => (first === '1' ? '2' : '1')),
        );
        return { ...entry, line: changed.join('.') };
      });
    case 'end':
      return [{ ...entry, size: entry.size + 1 }];
  }
}

describe('the end of what is verified', () => {
  it('is its first line where that is no export', async () => {
    expect((await verifyExport([])).fault).toEqual({ line: 1, entry: 'the end', reason: expect.stringContaining('cut off') });
    expect((await verifyExport(['{}'])).fault).toMatchObject({ line: 1, entry: 'the line' });
  });
});
