/**
 * Many who write at once through two server processes on one PostgreSQL, under policies and beside them, while others read the record page by page as it
 * grows: the chain is whole, no reader skips an event or meets one twice, and what was acknowledged is there.
 */
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { counts } from '../../counts.ts';
import type { Address } from '../../support/server.ts';
import { logModelRun, openTwoServers, type TwoServers } from '../../support/two-servers.ts';
import { check, kinds, type Ledger, prepare } from '../mixed-writes.ts';
import { expectOneOutcome } from './request-story.ts';

const MLFLOW = '/api/2.0/mlflow';
const POLLED_EVERY_MS = 20;
const EXPORTED_PAGE = 200;
const LISTED_PAGE = 50;
/** Half of the writers make plain changes, half of them governed ones. */
const PLAIN = counts.parallelWriters / 2;

const policy = (name: string, target: string): string => `
name: ${name}
mode: enforce
match: { model: "gov.*", target: ${target} }
requirements: { approvals: [{ group: risk }] }
`;

let servers: TwoServers;
beforeAll(async () => {
  servers = await openTwoServers({
    eve: { level: 'MANAGE' },
    alice: { level: 'USE' },
    bob: { level: 'READ', groups: ['risk'] },
    dora: { level: 'MANAGE' },
  });
  const texts = [policy('stages', '{ stage: Production }'), policy('champions', '{ alias: champion }'), policy('tags', '{ tag: risk }')];
  await servers.must(0, 'root', 'POST', '/api/v1/policies/apply', { policies: texts.map((text) => ({ text })) });
}, 120_000);
afterAll(() => servers?.close());

interface Asked {
  readonly versionId: number;
  readonly request: number;
}

/** A version, what is asked for it, what is refused, and what becomes of it; each call by the other server than the one before. */
async function changeGoverned(name: string, runId: string, step: number, asked: Asked[]): Promise<void> {
  let server = step;
  const must: (who: string, method: string, path: string, body?: unknown) => ReturnType<TwoServers['must']> = (...call) =>
    servers.must(server++, ...call);
  const source = { name, source: `runs:/${runId}/model`, run_id: runId };
  const version = (await must('alice', 'POST', `${MLFLOW}/model-versions/create`, source)).model_version.version;
  const refused = await servers.as(server++, 'dora', 'POST', `${MLFLOW}/model-versions/transition-stage`, {
    name,
    version,
    stage: 'Production',
  });
  expect([refused.status, refused.body.error_code]).toEqual([403, 'PERMISSION_DENIED']);
  const of = `/api/v1/models/${name}/versions/${version}`;
  const wish = async (target: object): Promise<{ id: number; version_id: number }> => must('alice', 'POST', `${of}/requests`, { target });
  const toStage = await wish({ kind: 'stage', stage: 'Production' });
  asked.push({ versionId: toStage.version_id, request: toStage.id });
  const others = [await wish({ kind: 'alias', alias: 'champion' }), await wish({ kind: 'tag', key: 'risk', value: 'low' })];
  await must('bob', 'POST', `/api/v1/requests/${toStage.id}/${step % 3 === 0 ? 'reject' : 'approve'}`, {});
  for (const { id } of others) await must('bob', 'POST', `/api/v1/requests/${id}/approve`, { comment: `step ${step}` });
  await must('alice', 'POST', `${MLFLOW}/model-versions/set-tag`, { name, version, key: 'step', value: String(step) });
}

interface Reader {
  readonly seen: number[];
  /** What should never be: an event that came after one behind it was read, or came twice. */
  readonly wrong: string[];
}

/** By the place of the last event, of every workspace. */
async function readExported(server: number, isOver: () => boolean): Promise<Reader> {
  const reader: Reader = { seen: [], wrong: [] };
  for (;;) {
    const isLast = isOver();
    const after = reader.seen.at(-1) ?? 0;
    const { events } = await servers.must(server, 'root', 'GET', `/api/v1/events/export?after_seq=${after}&limit=${EXPORTED_PAGE}`);
    for (const { seq } of events) {
      if (seq !== (reader.seen.at(-1) ?? 0) + 1) reader.wrong.push(`${seq} after ${reader.seen.at(-1)}`);
      reader.seen.push(seq);
    }
    if (isLast && events.length === 0) return reader;
    if (events.length < EXPORTED_PAGE) await setTimeout(POLLED_EVERY_MS);
  }
}

/** By page tokens, of the workspace. The last page has no token: it is read again, and grows. */
async function readListed(server: number, isOver: () => boolean): Promise<Reader> {
  const reader: Reader = { seen: [], wrong: [] };
  const known = new Set<number>();
  for (let token = ''; ; ) {
    const isLast = isOver();
    const from = token === '' ? '' : `&page_token=${encodeURIComponent(token)}`;
    const page = await servers.must(server, 'root', 'GET', `/api/v1/events?order=oldest&limit=${LISTED_PAGE}${from}`);
    const places: number[] = page.events.map(({ seq }: { seq: number }) => seq);
    if (new Set(places).size < places.length) reader.wrong.push(`twice on the page behind '${token}'`);
    for (const seq of places) {
      if (known.has(seq)) continue;
      if (seq < (reader.seen.at(-1) ?? 0)) reader.wrong.push(`${seq} came after ${reader.seen.at(-1)} was read`);
      known.add(seq);
      reader.seen.push(seq);
    }
    if (page.next_page_token !== null) token = page.next_page_token;
    else if (isLast) return reader;
    else await setTimeout(POLLED_EVERY_MS);
  }
}

it(`${counts.parallelWriters} writers at two servers: the chain verifies, and no reader skips an event`, async () => {
  const at = (server: number): Address => ({ url: servers.urls[server % 2 === 0 ? 0 : 1], token: servers.tokens.eve });
  const ledger: Ledger = await prepare(at(0), PLAIN);
  const startedAt = Date.now();
  let isOver = false;
  const readers = [0, 1].flatMap((server) => [readExported(server, () => isOver), readListed(server, () => isOver)]);
  const asked: Asked[] = [];
  const plain = Array.from({ length: PLAIN }, async (_each, writer) => {
    for (let n = 0; n < counts.stepsPerWriter; n++)
      await kinds[(n + writer) % kinds.length]?.(at(writer), ledger, writer, `${writer}-${n}`);
  });
  const governed = Array.from({ length: counts.parallelWriters - PLAIN }, async (_each, writer) => {
    const name = `gov.${writer}`;
    await servers.must(writer, 'alice', 'POST', `${MLFLOW}/registered-models/create`, { name });
    const runId = await logModelRun(servers, writer, 'alice', 0.95);
    for (let n = 0; n < counts.stepsPerWriter; n++) await changeGoverned(name, runId, writer + n, asked);
  });
  await Promise.all([...plain, ...governed]);
  const seconds = (Date.now() - startedAt) / 1000;
  isOver = true;
  const [exported, listed, ...others] = await Promise.all(readers);

  const { db } = servers.ctx;
  const recorded = (await db.all<{ seq: number }>('SELECT seq FROM events ORDER BY seq')).map(({ seq }) => seq);
  expect(recorded).toEqual(recorded.map((_seq, place) => place + 1));
  const ofWorkspace = await db.all<{ seq: number }>('SELECT seq FROM events WHERE workspace_id = ? ORDER BY seq', servers.ctx.workspace.id);
  for (const reader of [exported, others[0]]) expect(reader).toEqual({ seen: recorded, wrong: [] });
  for (const reader of [listed, others[1]]) expect(reader).toEqual({ seen: ofWorkspace.map(({ seq }) => seq), wrong: [] });

  for (const server of [0, 1]) {
    const verdict = await servers.must(server, 'root', 'GET', '/api/v1/events/verification');
    expect(verdict).toMatchObject({ ok: true, first_bad: null, events: recorded.length });
  }
  expect(await check(at(1), [...ledger.cells.values()])).toEqual([]);
  for (const { versionId, request } of asked) await expectOneOutcome(servers.ctx, versionId, request);
  expect(asked.length).toBe((counts.parallelWriters - PLAIN) * counts.stepsPerWriter);
  process.stderr.write(
    `${counts.parallelWriters} writers, ${recorded.length} events in ${seconds.toFixed(1)} s, ${ledger.acknowledged} plain writes, ` +
      `${asked.length} versions under policies; 4 readers\n`,
  );
}, 900_000);
