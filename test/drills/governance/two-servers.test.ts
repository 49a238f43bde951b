/**
 * Two who act on one governed change at the same moment, each through another server process on one PostgreSQL: it has one outcome, on which the place,
 * the request and the record agree, and it is the one that the order of the record says.
 */
import { setTimeout } from 'node:timers/promises';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { counts } from '../../counts.ts';
import type { Answer } from '../../support/server.ts';
import { logModelRun, openTwoServers, type TwoServers } from '../../support/two-servers.ts';
import { count, expectOneOutcome, lastSeq, type Outcome } from './request-story.ts';

/** Rounds that go on side by side, each on a model of its own. */
const LANES = 4;
const MLFLOW = '/api/2.0/mlflow';
const TIMEOUT_MS = 1_800_000;
/** Whoever is first by so much wins by chance, and not by where the test stands. */
const HEAD_START_MS = 4;

const policy = (prefix: string, approvals: string, more = ''): string => `
name: ${prefix}
mode: enforce
match: { model: "${prefix}.*", target: { stage: Production } }
requirements:
  approvals: [${approvals}]
  metrics: [{ name: accuracy, op: '>=', value: 0.5 }]
${more}`;

const POLICIES = [
  policy('one', '{ group: risk, count: 1 }'),
  policy('two', '{ group: risk, count: 2 }'),
  policy('manual', '{ group: risk, count: 1 }', 'apply: manual\n'),
  policy('leaving', '{ group: visitors, count: 1 }', 'apply: manual\n'),
];

let servers: TwoServers;
beforeAll(async () => {
  servers = await openTwoServers({
    alice: { level: 'USE' },
    bob: { level: 'READ', groups: ['risk'] },
    carol: { level: 'READ', groups: ['risk'] },
    dora: { level: 'MANAGE' },
    ...Object.fromEntries(
      Array.from({ length: LANES }, (_each, lane) => [visitor(lane), { level: 'READ', groups: ['visitors'] }] as const),
    ),
  });
  await servers.must(0, 'root', 'POST', '/api/v1/policies/apply', { policies: POLICIES.map((text) => ({ text })) });
}, 120_000);
afterAll(() => servers?.close());

function visitor(lane: number): string {
  return `visitor-${lane}`;
}

interface Round {
  readonly number: number;
  readonly lane: number;
  readonly name: string;
  readonly version: number;
  readonly versionId: number;
  readonly request: number;
  readonly runId: string;
  /** What began first. */
  readonly isSwapped: boolean;
}

async function openRound(number: number, lane: number, name: string, runId: string): Promise<Round> {
  const source = { name, source: `runs:/${runId}/model`, run_id: runId };
  const { model_version } = await servers.must(number, 'alice', 'POST', `${MLFLOW}/model-versions/create`, source);
  const version = Number(model_version.version);
  const target = { kind: 'stage', stage: 'Production' };
  const asked = await servers.must(number + 1, 'alice', 'POST', `/api/v1/models/${name}/versions/${version}/requests`, { target });
  return { number, lane, name, version, versionId: asked.version_id, request: asked.id, runId, isSwapped: Math.random() < 0.5 };
}

type Act = (server: number) => Promise<Answer>;
/** Who came through; both answers, in the order of the acts. */
type Judge = (outcome: Outcome, succeeded: readonly [boolean, boolean], round: Round) => void;

/** Each act by another server; which of them, and which begins, is chance. */
async function race(first: Act, second: Act, { isSwapped }: Pick<Round, 'isSwapped'>): Promise<readonly [Answer, Answer]> {
  const server = Math.random() < 0.5 ? 0 : 1;
  const headStart = Math.random() * HEAD_START_MS;
  const later = async (act: Act, at: number): Promise<Answer> => {
    await setTimeout(headStart);
    return act(at);
  };
  return isSwapped ? Promise.all([later(first, server), second(server + 1)]) : Promise.all([first(server), later(second, server + 1)]);
}

/** All rounds, in lanes. Answers how many of them moved the version. */
async function run(
  prefix: string,
  {
    before = async () => {},
    first,
    second,
    judge,
    after = async () => {},
  }: {
    readonly before?: (round: Round) => Promise<unknown>;
    readonly first: (round: Round) => Act;
    readonly second: (round: Round) => Act;
    readonly judge: Judge;
    readonly after?: (round: Round) => Promise<unknown>;
  },
): Promise<number> {
  const startedAt = Date.now();
  let next = 0;
  let moves = 0;
  models += 1;
  const lanes = Array.from({ length: LANES }, async (_each, lane) => {
    const name = `${prefix}.${models}.${lane}`;
    await servers.must(lane, 'alice', 'POST', `${MLFLOW}/registered-models/create`, { name });
    const runId = await logModelRun(servers, lane, 'alice', 0.95);
    for (let number = next++; number < counts.serverRaces; number = next++) {
      const round = await openRound(number, lane, name, runId);
      await before(round);
      const answers = await race(first(round), second(round), round);
      for (const { status, body } of answers) expect(status, JSON.stringify(body)).toBeLessThan(500);
      const outcome = await expectOneOutcome(servers.ctx, round.versionId, round.request);
      judge(outcome, [answers[0].status < 300, answers[1].status < 300], round);
      const shown = await servers.must(number, 'alice', 'GET', `/api/v1/models/${name}/versions/${round.version}`);
      expect(shown.stage).toBe(outcome.hasMoved ? 'Production' : 'None');
      if (outcome.hasMoved) moves += 1;
      await after(round);
    }
  });
  await Promise.all(lanes);
  for (const server of [0, 1]) {
    const verdict = await servers.must(server, 'root', 'GET', '/api/v1/events/verification');
    expect(verdict).toMatchObject({ ok: true, first_bad: null });
  }
  process.stderr.write(`${prefix}: ${counts.serverRaces} races, ${moves} moved, ${((Date.now() - startedAt) / 1000).toFixed(1)} s\n`);
  return moves;
}
let models = 0;

const answer =
  (who: string, how: string) =>
  ({ request }: Round): Act =>
  (server) =>
    servers.as(server, who, 'POST', `/api/v1/requests/${request}/${how}`, {});
const approveFirst = (who: (round: Round) => string) => (round: Round) =>
  servers.must(round.number, who(round), 'POST', `/api/v1/requests/${round.request}/approve`, {});

/** With so many, both of them are first at times; else the races were none. */
function expectBothWays(moves: number): void {
  if (counts.serverRaces < 100) return;
  expect(moves).toBeGreaterThan(0);
  expect(moves).toBeLessThan(counts.serverRaces);
}

it(
  'two approve, where one suffices',
  async () => {
    await run('one', {
      first: answer('bob', 'approve'),
      second: answer('carol', 'approve'),
      judge: ({ hasMoved, told }, [one, other]) => {
        expect([hasMoved, one !== other, count(told, 'request.approved')]).toEqual([true, true, 1]);
      },
    });
  },
  TIMEOUT_MS,
);

it(
  'two approve, where both are needed',
  async () => {
    await run('two', {
      first: answer('bob', 'approve'),
      second: answer('carol', 'approve'),
      judge: ({ hasMoved, told }, succeeded) => {
        expect([hasMoved, ...succeeded, count(told, 'request.approved')]).toEqual([true, true, true, 2]);
      },
    });
  },
  TIMEOUT_MS,
);

it(
  'one approves and one rejects',
  async () => {
    const moves = await run('one', {
      first: answer('bob', 'approve'),
      second: answer('carol', 'reject'),
      judge: ({ hasMoved, state }, succeeded) => {
        expect([...succeeded, state]).toEqual(hasMoved ? [true, false, 'approved'] : [false, true, 'rejected']);
      },
    });
    expectBothWays(moves);
  },
  TIMEOUT_MS,
);

it(
  'one approves, and the evidence is renewed',
  async () => {
    const moves = await run('two', {
      before: async (round) => {
        await approveFirst(() => 'bob')(round);
        const metric = { run_id: round.runId, key: 'accuracy', value: 0.95 + (round.number + 1) / 100_000, timestamp: 2 + round.number };
        await servers.must(round.number, 'alice', 'POST', `${MLFLOW}/runs/log-metric`, metric);
      },
      first: answer('carol', 'approve'),
      second:
        ({ name, version }) =>
        (server) =>
          servers.as(server, 'alice', 'POST', `/api/v1/models/${name}/versions/${version}/evidence/renew`),
      judge: ({ hasMoved, told }, succeeded) => {
        expect([...succeeded, count(told, 'evidence.renewed')]).toEqual([true, true, 1]);
        // What Bob saw is what it moved with, or it didn't.
        expect(hasMoved).toBe(lastSeq(told, 'request.approved') < lastSeq(told, 'evidence.renewed'));
      },
    });
    expectBothWays(moves);
  },
  TIMEOUT_MS,
);

it(
  'two carry it out',
  async () => {
    await run('manual', {
      before: approveFirst(() => 'bob'),
      first: answer('alice', 'apply'),
      second: answer('dora', 'apply'),
      judge: ({ hasMoved }, [one, other]) => {
        expect([hasMoved, one !== other]).toEqual([true, true]);
      },
    });
  },
  TIMEOUT_MS,
);

it(
  'one carries it out, and one takes it back',
  async () => {
    const moves = await run('manual', {
      before: approveFirst(() => 'bob'),
      first: answer('dora', 'apply'),
      second: answer('alice', 'cancel'),
      judge: ({ hasMoved, state }, succeeded) => {
        expect([...succeeded, state]).toEqual(hasMoved ? [true, false, 'approved'] : [false, true, 'cancelled']);
      },
    });
    expectBothWays(moves);
  },
  TIMEOUT_MS,
);

it(
  'one moves it, and its approver is taken out of the group',
  async () => {
    const membership = (lane: number): string => `/api/v1/groups/visitors/members/${visitor(lane)}`;
    /** A setting: one administrator asks, the other agrees; the call itself is still to be made. */
    const agree = async (method: string, { number, lane }: Round): Promise<void> => {
      const { body } = await servers.as(number, 'root', method, membership(lane), method === 'PUT' ? {} : undefined);
      const request = /Request (\d+) was opened/.exec(body.message)?.[1];
      await servers.must(number, 'second', 'POST', `/api/v1/requests/${request}/approve`, {});
    };
    const moves = await run('leaving', {
      before: async (round) => {
        await approveFirst(({ lane }) => visitor(lane))(round);
        await agree('DELETE', round);
      },
      first: (round) =>
        round.number % 2 === 0
          ? answer('alice', 'apply')(round)
          : (server) =>
              servers.as(server, 'dora', 'POST', `${MLFLOW}/model-versions/transition-stage`, {
                name: round.name,
                version: String(round.version),
                stage: 'Production',
              }),
      second:
        ({ lane }) =>
        (server) =>
          servers.as(server, 'root', 'DELETE', membership(lane)),
      judge: ({ hasMoved }, [moved, left]) => {
        expect([moved, left]).toEqual([hasMoved, true]);
      },
      after: async (round) => {
        await expectInOrder(round);
        await agree('PUT', round);
        await servers.must(round.number, 'root', 'PUT', membership(round.lane), {});
      },
    });
    expectBothWays(moves);
  },
  TIMEOUT_MS,
);

/** By the record, nobody's approval moved anything after he had left the group. */
async function expectInOrder({ versionId, lane }: Round): Promise<void> {
  const { db } = servers.ctx;
  const account = await db.one<{ id: number }>('SELECT id FROM principals WHERE name = ?', visitor(lane));
  const left = await db.all<{ seq: number; body: string }>(
    "SELECT seq, body FROM events WHERE type = 'group.member-removed' ORDER BY seq DESC",
  );
  const leftAt = left.find(({ body }) => JSON.parse(body).data.account_id === account?.id)?.seq ?? 0;
  const moved = await db.one<{ seq: number }>("SELECT seq FROM events WHERE type = 'transition.allowed' AND version_id = ?", versionId);
  if (moved !== undefined) expect(moved.seq).toBeLessThan(leftAt);
}

describe('a setting that two act on', () => {
  const member = '/api/v1/groups/risk/members/dora';
  const join = (server: number): Promise<Answer> => servers.as(server, 'root', 'PUT', member, {});
  const answered = (who: string, request: number, how: string) => (server: number) =>
    servers.as(server, who, 'POST', `/api/v1/requests/${request}/${how}`, {});
  /** root asks. */
  async function ask(server: number): Promise<number> {
    const refused = await join(server);
    expect(refused.status, JSON.stringify(refused.body)).toBe(403);
    return Number(/Request (\d+)/.exec(refused.body.message)?.[1]);
  }
  const endings = async (request: number): Promise<readonly string[]> => {
    const types = ['request.applied', 'request.rejected', 'request.cancelled'];
    const rows = await servers.ctx.db.all<{ type: string }>('SELECT type FROM events WHERE target = ? ORDER BY seq', `request:${request}`);
    return rows.map(({ type }) => type).filter((type) => types.includes(type));
  };
  const stateOf = async (request: number): Promise<string> => (await servers.must(0, 'root', 'GET', `/api/v1/requests/${request}`)).state;

  it(
    'one approves and one rejects: it is rejected, and nothing is left of the approval',
    async () => {
      for (let round = 0; round < counts.serverRaces; round++) {
        const request = await ask(round);
        const [approved, rejected] = await race(answered('second', request, 'approve'), answered('dora', request, 'reject'), {
          isSwapped: Math.random() < 0.5,
        });
        expect([approved.status < 500, rejected.status, JSON.stringify(rejected.body)]).toEqual([true, 200, expect.any(String)]);
        expect([await stateOf(request), await endings(request)]).toEqual(['rejected', ['request.rejected']]);
        const again = await ask(round);
        expect((await servers.must(round, 'root', 'GET', `/api/v1/requests/${again}`)).approvals).toEqual([]);
        await servers.must(round, 'root', 'POST', `/api/v1/requests/${again}/cancel`, {});
      }
    },
    TIMEOUT_MS,
  );

  it(
    'one makes it and one rejects: exactly one of them',
    async () => {
      for (let round = 0; round < counts.serverRaces; round++) {
        const request = await ask(round);
        expect((await answered('second', request, 'approve')(round)).status).toBe(200);
        const [joined, rejected] = await race(join, answered('dora', request, 'reject'), { isSwapped: Math.random() < 0.5 });
        expect([joined.status < 300, rejected.status], JSON.stringify([joined.body, rejected.body])).toEqual(
          joined.status < 300 ? [true, 400] : [false, 200],
        );
        const isMember = joined.status < 300;
        expect([await stateOf(request), await endings(request)]).toEqual(
          isMember ? ['approved', ['request.applied']] : ['rejected', ['request.rejected']],
        );
        if (isMember) await leaveAgain(round);
        else await withdrawOthers();
      }
    },
    TIMEOUT_MS,
  );

  async function leaveAgain(server: number): Promise<void> {
    const leave = (): Promise<Answer> => servers.as(server, 'root', 'DELETE', member);
    const request = /Request (\d+)/.exec((await leave()).body.message)?.[1];
    await servers.must(server, 'second', 'POST', `/api/v1/requests/${request}/approve`, {});
    expect((await leave()).status).toBe(200);
  }

  /** Whoever was refused asked once more by that. */
  async function withdrawOthers(): Promise<void> {
    const { requests } = await servers.must(0, 'root', 'GET', '/api/v1/requests?state=open&created_by=me&target=setting:memberships');
    for (const { id } of requests) await servers.must(0, 'root', 'POST', `/api/v1/requests/${id}/cancel`, {});
  }
});
