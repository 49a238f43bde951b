/** kill -9 in the middle of mixed writes, again and again, on one data folder. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { native } from '../acceptance/logged-files.ts';
import { counts } from '../counts.ts';
import { onBothDatabases } from '../support/databases.ts';
import { type Address, mlflow, type RunningServer, startServer } from '../support/server.ts';
import { halfWritten, storedBlobs } from './blob-folder.ts';
import { check, kinds, type Ledger, prepare, query, random, SHARED, WRITERS } from './mixed-writes.ts';

const KILL_AFTER_MS = { min: 150, max: 700 };

/** Writes until the server is gone. */
async function write(server: Address, ledger: Ledger, round: number, writer: number): Promise<void> {
  try {
    for (let n = 0; ; n++) await kinds[(n + writer) % kinds.length]?.(server, ledger, writer, `${round}-${writer}-${n}`);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

/** What fetch says of a connection that broke. */
function isGone(error: unknown): boolean {
  return error instanceof TypeError && /fetch failed|terminated/.test(error.message);
}

async function numbersOfShared(server: Address): Promise<number[]> {
  const { model_versions: found = [] } = await mlflow(server, 'GET', `model-versions/search?filter=${query(`name = '${SHARED}'`)}`);
  return found.map((each: { version: string }) => Number(each.version)).sort((a: number, b: number) => a - b);
}

onBothDatabases('killed servers', (databaseUrl) => {
  test(`${counts.killRounds} kills lose nothing that was acknowledged, and leave nothing half written`, async () => {
    const url = await databaseUrl();
    const dataDir = mkdtempSync(join(tmpdir(), 'countersign-kill-'));
    let server: RunningServer | undefined;
    try {
      server = await startServer({ dataDir, databaseUrl: url });
      const ledger = await prepare(server);
      let undecided = 0;
      for (let round = 0; round < counts.killRounds; round++) {
        const current: RunningServer = server;
        // Every other round's uploads are encrypted.
        await native(current, 'PATCH', 'settings', { encrypt_artifacts: round % 2 === 1 });
        const before = new Set([...ledger.cells.values()].map((cell) => `${cell.name} ${cell.acknowledged}`));
        const writers = Array.from({ length: WRITERS }, (_each, writer) => write(current, ledger, round, writer));
        await new Promise((resume) => setTimeout(resume, KILL_AFTER_MS.min + random(KILL_AFTER_MS.max - KILL_AFTER_MS.min)));
        await current.kill9();
        await Promise.all(writers);
        undecided += [...ledger.cells.values()].filter((cell) => cell.attempted !== undefined).length;

        server = await startServer({ dataDir, databaseUrl: url });
        const touched = [...ledger.cells.values()].filter(
          (cell) => cell.attempted !== undefined || !before.has(`${cell.name} ${cell.acknowledged}`),
        );
        expect(await check(server, touched), `round ${round}`).toEqual([]);
        expect(await native(server, 'GET', 'events/verification')).toMatchObject({ ok: true, first_bad: null });
        const numbers = await numbersOfShared(server);
        expect(numbers).toEqual(numbers.map((_number, at) => at + 1));
        expect(storedBlobs(dataDir).length).toBeGreaterThan(0);
        expect(halfWritten(dataDir)).toEqual([]);
      }
      expect(await check(server, [...ledger.cells.values()])).toEqual([]);
      expect(ledger.acknowledged).toBeGreaterThan(counts.killRounds);
      process.stderr.write(
        `${counts.killRounds} kills, ${ledger.acknowledged} acknowledged writes, 0 lost; ${undecided} cut off, each whole or absent\n`,
      );
    } finally {
      await server?.kill9();
      rmSync(dataDir, { recursive: true, force: true });
    }
  }, 900_000);
});
