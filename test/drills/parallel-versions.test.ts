/** Many writers register versions of one model at once. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, describe, expect, test } from 'vitest';
import { createModel, makeModelRun, native, register } from '../acceptance/logged-files.ts';
import { counts } from '../counts.ts';
import { onBothDatabases } from '../support/databases.ts';
import { createDatabase } from '../support/postgres.ts';
import { type Address, type RunningServer, startServer } from '../support/server.ts';

const MODEL = 'crowded';
const TOTAL = counts.parallelWriters * counts.versionsPerWriter;
const expected = Array.from({ length: TOTAL }, (_each, i) => i + 1);
const TIMEOUT_MS = 300_000;

/** Each writer asks one of the servers, in turn. Answers what they were told, sorted. */
async function registerInParallel(servers: readonly Address[]): Promise<number[]> {
  const [first] = servers;
  if (first === undefined) throw new TypeError('there must be a server');
  await createModel(first, MODEL);
  const run = await makeModelRun(first, { 'model.pkl': 'the same bytes' });
  const writers = Array.from({ length: counts.parallelWriters }, async (_each, writer) => {
    const server = servers[writer % servers.length] ?? first;
    const numbers: number[] = [];
    for (let n = 0; n < counts.versionsPerWriter; n++)
      numbers.push(await register(server, MODEL, run, [{ key: 'writer', value: String(writer) }]));
    return numbers;
  });
  return (await Promise.all(writers)).flat().sort((a, b) => a - b);
}

async function expectOneLine(server: Address): Promise<void> {
  const stored: number[] = [];
  let token: string | null = null;
  do {
    const page = await native(
      server,
      'GET',
      `models/${MODEL}/versions?limit=1000${token ? `&page_token=${encodeURIComponent(token)}` : ''}`,
    );
    for (const version of page.versions) {
      stored.push(version.version);
      expect(version).toMatchObject({ seal: { state: 'sealed' }, tags: [{ key: 'writer' }] });
    }
    token = page.next_page_token;
  } while (token !== null);
  expect(stored.sort((a, b) => a - b)).toEqual(expected);
  expect(await native(server, 'GET', 'events/verification')).toMatchObject({
    ok: true,
    first_bad: null,
    events: expect.toSatisfy((events) => events >= TOTAL),
  });
}

const title = `${counts.parallelWriters} writers × ${counts.versionsPerWriter} versions get 1 to ${TOTAL}, without gap or repeat`;

onBothDatabases('parallel versions', (databaseUrl) => {
  test(
    title,
    async () => {
      const server = await startServer({ databaseUrl: await databaseUrl() });
      try {
        expect(await registerInParallel([server])).toEqual(expected);
        await expectOneLine(server);
      } finally {
        await server.stop();
      }
    },
    TIMEOUT_MS,
  );
});

describe('parallel versions, on two servers that share PostgreSQL and a blob folder', () => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-shared-'));
  const running: RunningServer[] = [];
  afterAll(async () => {
    for (const server of running) await server.stop();
    rmSync(folder, { recursive: true });
  });

  test(
    title,
    async () => {
      const databaseUrl = await createDatabase();
      for (let n = 0; n < 2; n++) running.push(await startServer({ databaseUrl, args: ['--blob-store', join(folder, 'blobs')] }));
      expect(await registerInParallel(running)).toEqual(expected);
      for (const server of running) await expectOneLine(server);
    },
    TIMEOUT_MS,
  );
});
