/** Every route against every kind of caller, each cell asserted over HTTP. What is expected stands in permission-expectations.ts. */
import http from 'node:http';
import { text } from 'node:stream/consumers';
import { type Level, RANK } from '@countersign/contract/levels.ts';
import * as workspaces from '@countersign/server/features/workspaces/workspaces.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { addToken, addUser, grant, listRoutes, openApp, type Person, type RunningApp } from '../support/app.ts';
import { EXPECTATIONS, type Expectation, routeKey } from './permission-expectations.ts';
import { type MakeRequest, makeObjects, type Objects, REQUESTS, type RouteRequest } from './permission-requests.ts';

const routes = await listRoutes();
const agent = new http.Agent({ keepAlive: true });

interface Caller {
  readonly title: string;
  readonly secret: string | undefined;
  readonly workspace?: string;
  /** On the objects of the table. */
  readonly rank: number;
  /** On every object. */
  readonly floor: number;
  readonly isMember: boolean;
  readonly mayCreate: boolean;
  readonly isManager: boolean;
  readonly isAdmin: boolean;
  /** Scopes of the token. */
  readonly asks: readonly string[];
  readonly isRunToken?: boolean;
}

interface Row {
  readonly method: string;
  readonly path: string;
  readonly title: string;
  readonly expectation: Expectation;
  readonly request: MakeRequest;
}

type Outcome = 'passes' | 401 | 403 | 404;

/** What the table says of a cell. */
function expected(caller: Caller, { who, level, asks, isOfRun, word }: Expectation): Outcome {
  if (who === 'anybody') return 'passes';
  if (caller.secret === undefined) return 401;
  const isInScope =
    asks === 'any' || [asks, word].some((each) => caller.asks.includes(each ?? '')) || (caller.isRunToken === true && isOfRun === true);
  const withLevel = (rank: number): Outcome => (isInScope && rank >= RANK[level ?? 'MANAGE'] ? 'passes' : 403);
  if (!caller.isMember) return 404;
  if (who === 'server') return isInScope && caller.isAdmin ? 'passes' : 403;
  if (who === 'account' || who === 'own') return isInScope ? 'passes' : 403;
  switch (who) {
    case 'member':
      return isInScope ? 'passes' : 403;
    case 'creator':
      return isInScope && caller.mayCreate ? 'passes' : 403;
    case 'manager':
      return isInScope && caller.isManager ? 'passes' : 403;
    case 'everything':
      return withLevel(caller.floor);
    case 'experiment':
    case 'model':
      return withLevel(caller.rank);
  }
}

/** What one route asks of other objects than the request in the table names. */
const VARIANTS: readonly (Pick<Row, 'request' | 'expectation' | 'title'> & { readonly route: string })[] = (
  [
    [
      'GET mlflow-artifacts/artifacts/*',
      'a logged model',
      'experiment',
      'READ',
      true,
      (o) => ({ params: { '*': `${o.loggedModelPath}/MLmodel` } }),
    ],
    [
      'GET mlflow-artifacts/artifacts/*',
      'a sealed version',
      'model',
      'READ',
      false,
      (o) => ({ params: { '*': `${o.sealedPath}/MLmodel` } }),
    ],
    ['GET mlflow-artifacts/artifacts', 'a run', 'experiment', 'VIEW', true, (o) => ({ query: { path: o.runPath } })],
    ['GET mlflow-artifacts/artifacts', 'a sealed version', 'model', 'VIEW', false, (o) => ({ query: { path: o.sealedPath } })],
    [
      'GET mlflow-artifacts/presigned/*',
      'a sealed version',
      'model',
      'READ',
      false,
      (o) => ({ params: { '*': `${o.sealedPath}/MLmodel` }, status: 501 }),
    ],
    [
      'PUT mlflow-artifacts/artifacts/*',
      'a logged model',
      'experiment',
      'EDIT',
      true,
      (o) => ({ params: { '*': `${o.loggedModelPath}/b` }, bytes: 'b' }),
    ],
    [
      'PUT mlflow-artifacts/artifacts/*',
      'a sealed version',
      'model',
      'EDIT',
      false,
      (o) => ({ params: { '*': `${o.sealedPath}/b` }, bytes: 'b', status: 400 }),
    ],
    [
      'DELETE mlflow-artifacts/artifacts/*',
      'a logged model',
      'experiment',
      'MANAGE',
      false,
      (o) => ({ params: { '*': `${o.loggedModelPath}/MLmodel` } }),
    ],
    [
      'DELETE mlflow-artifacts/artifacts/*',
      'a sealed version',
      'model',
      'MANAGE',
      false,
      (o) => ({ params: { '*': `${o.sealedPath}/MLmodel` }, status: 400 }),
    ],
    [
      'POST mlflow/artifacts/presigned-upload-url',
      'a logged model',
      'experiment',
      'EDIT',
      true,
      (o) => ({ body: { model_id: o.loggedModelId, path: 'a' }, status: 400 }),
    ],
    [
      'GET /get-artifact',
      'a run by its old name',
      'experiment',
      'READ',
      true,
      (o) => ({ query: { run_uuid: o.runId, path: 'model/MLmodel' } }),
    ],
    ['GET mlflow/runs/get', 'a run by its old name', 'experiment', 'VIEW', true, (o) => ({ query: { run_uuid: o.runId } })],
    [
      'POST mlflow/model-versions/transition-stage',
      'Production',
      'model',
      'MANAGE_PRODUCTION',
      false,
      (o) => ({ body: { name: o.model, version: '1', stage: 'Production' } }),
    ],
    [
      'PUT /api/v1/models/:name/versions/:version/stage',
      'Production',
      'model',
      'MANAGE_PRODUCTION',
      false,
      (o) => ({ params: { name: o.model, version: '1' }, body: { stage: 'Production' } }),
    ],
    [
      'POST mlflow/registered-models/alias',
      'an alias called production',
      'model',
      'MANAGE_PRODUCTION',
      false,
      (o) => ({ body: { name: o.model, alias: 'Production', version: '1' } }),
    ],
  ] as const satisfies readonly (readonly [string, string, 'experiment' | 'model', Level, boolean, MakeRequest])[]
).map(([route, title, who, level, isOfRun, request]) => ({
  route,
  title,
  request,
  expectation: { who, level, isOfRun, asks: EXPECTATIONS.get(route)?.asks ?? 'admin' },
}));

/** What would be gone after the first caller who may. */
const CONSUMING = new Set([
  ...[
    'POST mlflow/experiments/delete',
    'POST mlflow/runs/delete',
    'POST mlflow/runs/delete-tag',
    'POST mlflow/experiments/delete-experiment-tag',
  ],
  ...['POST mlflow/registered-models/rename', 'POST /api/v1/models/:name/rename', 'POST /api/v1/deleted-models/:id/restore'],
  'POST /api/v1/models/:name/deleted-versions/:version/restore',
]);

/** In place of what a request doesn't name: an id and a name that nothing has. */
const NOBODYS = '987654';

/** Changes from the server's own pages alone: a request of another origin is refused, whoever makes it. */
const PAGES = ['POST /account/tokens', 'POST /account/tokens/revoke', 'POST /login', 'POST /logout'];

function rowsOf(all: typeof routes): Row[] {
  return all.flatMap(({ method, path }) => {
    const key = routeKey(method, path);
    const expectation = EXPECTATIONS.get(key) ?? { who: 'own', asks: 'read' };
    const request = REQUESTS[key] ?? (() => ({ ...(method === 'GET' || method === 'DELETE' ? {} : { body: {} }), status: 'any' as const }));
    const plain = { method, path, title: `${method} ${path}`, expectation, request };
    return [
      plain,
      ...VARIANTS.filter(({ route }) => route === key).map((variant) => ({
        ...plain,
        ...variant,
        title: `${plain.title} of ${variant.title}`,
      })),
    ];
  });
}

const LEVELS = Object.keys(RANK) as Level[]; // its keys are the levels

describe('the permission table', () => {
  let app: RunningApp;
  let shared: Objects;
  let callers: readonly Caller[];
  let stranger: Person;
  let denied: Person;
  let calls = 0;

  beforeAll(async () => {
    app = await openApp();
    const { ctx } = app;
    const admin = await addUser(ctx, 'admin', { isAdmin: true });
    stranger = await addUser(ctx, 'stranger');
    denied = await addUser(ctx, 'denied');
    await workspaces.changeSettings(ctx, { member_level: 'NONE' });
    shared = await makeObjects(ctx, 'shared');
    const other = await workspaces.createWorkspace(ctx, { name: 'other' });
    const nothing = {
      rank: 0,
      floor: 0,
      isMember: true,
      mayCreate: true,
      isManager: false,
      isAdmin: false,
      asks: ['read', 'write', 'admin'],
    };
    const all = { ...nothing, rank: RANK.MANAGE, floor: RANK.MANAGE, isManager: true };
    const onTheTable = async (person: Person, level: Level | 'DENY'): Promise<void> => {
      const to = { accountId: person.account.id };
      for (const kind of ['experiment', 'registered-model'] as const) await grant(ctx, to, { kind, prefix: 'fresh' }, level);
      await grant(ctx, to, { kind: 'experiment', id: Number(shared.experimentId) }, level);
      await grant(ctx, to, { kind: 'registered-model', id: shared.modelId }, level);
      await grant(ctx, to, { kind: 'registered-model', id: shared.deletedModelId }, level);
    };
    const levels: Caller[] = [];
    for (const level of LEVELS) {
      const person = await addUser(ctx, level);
      await onTheTable(person, level);
      levels.push({ ...nothing, title: level, secret: person.secret, rank: RANK[level] });
    }
    await onTheTable(denied, 'DENY');
    const user = await addUser(ctx, 'user of the workspace');
    await grant(ctx, { accountId: user.account.id }, { kind: 'workspace' }, 'USE');
    const manager = await addUser(ctx, 'manager');
    await grant(ctx, { accountId: manager.account.id }, { kind: 'workspace' }, 'MANAGE');
    const elsewhere = await addUser(ctx, 'manager elsewhere');
    await grant({ ...ctx, workspace: other }, { accountId: elsewhere.account.id }, { kind: 'workspace' }, 'MANAGE');
    const token = async (scope: string, asks: readonly string[]): Promise<Caller> => ({
      ...all,
      isAdmin: true,
      title: `token ${scope}`,
      secret: await addToken(ctx, admin.account, [scope]),
      asks,
    });
    callers = [
      { ...nothing, title: 'nobody', secret: undefined },
      { ...nothing, title: 'stranger', secret: stranger.secret },
      ...levels,
      { ...nothing, title: 'DENY', secret: denied.secret },
      { ...nothing, title: 'workspace USE', secret: user.secret },
      { ...all, title: 'workspace MANAGE', secret: manager.secret },
      { ...all, title: 'administrator', secret: admin.secret, isAdmin: true },
      { ...nothing, title: 'stranger in another workspace', secret: stranger.secret, workspace: 'other', isMember: false },
      { ...nothing, title: 'manager of another workspace', secret: elsewhere.secret },
      await token('read', ['read']),
      await token('write', ['read', 'write']),
      { ...(await token(`run:${shared.runId}`, [])), isRunToken: true },
      await token('check:lint', ['check:lint']),
      await token('versions:create', ['versions:create']),
    ];
    // The first use of a token is noted; the others of this minute aren't.
    for (const caller of callers) await send(caller, 'GET', '/api/v1/me', {});
    await new Promise((resolve) => setTimeout(resolve, 50));
  });
  afterAll(async () => {
    agent.destroy();
    await app.close();
  });

  function send(
    caller: Pick<Caller, 'secret' | 'workspace'>,
    method: string,
    path: string,
    request: RouteRequest,
  ): Promise<{ status: number; text: string }> {
    const query = Object.entries(request.query ?? {}).flatMap(([name, value]) =>
      [value].flat().map((each) => [name, each] as [string, string]),
    );
    const filled = path.replace(/:(\w+)|\*/g, (whole, name?: string) => {
      const value = request.params?.[name ?? '*'] ?? NOBODYS;
      return whole === '*' ? value.split('/').map(encodeURIComponent).join('/') : encodeURIComponent(value);
    });
    const sent = request.bytes ?? (request.body === undefined ? undefined : JSON.stringify(request.body));
    const headers = {
      ...(caller.secret === undefined ? {} : { authorization: `Bearer ${caller.secret}` }),
      ...(caller.workspace === undefined ? {} : { 'x-mlflow-workspace': caller.workspace }),
      ...(request.body === undefined ? {} : { 'content-type': 'application/json' }),
    };
    const url = `${app.url}${filled}${query.length > 0 ? `?${new URLSearchParams(query)}` : ''}`;
    return new Promise((resolve, reject) => {
      const asked = http.request(url, { method, agent, headers }, (answer) => {
        text(answer).then((body) => resolve({ status: answer.statusCode ?? 0, text: body }), reject);
      });
      asked.on('error', reject).end(sent);
    });
  }

  /** How many rows were ever written. */
  async function written(): Promise<number> {
    return (await app.ctx.db.one<{ n: number }>('SELECT total_changes() AS n'))?.n ?? 0;
  }

  function outcomeOf(status: number): Outcome {
    return status === 401 || status === 403 ? status : 'passes';
  }

  /** Nothing where the cell is as the table says. */
  async function checkCell(row: Row, caller: Caller): Promise<string[]> {
    const wanted = expected(caller, row.expectation);
    const key = routeKey(row.method, row.path);
    const isConsumed = CONSUMING.has(key) || (row.method === 'DELETE' && row.expectation.who !== 'own') || row.title.endsWith('Production');
    const isFresh = wanted === 'passes' && isConsumed && !caller.isRunToken && ['experiment', 'model'].includes(row.expectation.who);
    calls += 1;
    const objects = isFresh ? await makeObjects(app.ctx, `fresh ${calls}`) : shared;
    const request = row.request(objects, String(calls));
    const { status, text: answer } = await send(caller, row.method, row.path, request);
    const cell = `${caller.title}: ${status} ${answer.slice(0, 200)}`;
    if (PAGES.includes(key)) return [401, 403].includes(status) || (status === 404 && !caller.isMember) ? [] : [cell];
    // Whoever isn't signed in is led to where he can.
    if (key === 'GET /account' && wanted === 401 && status === 303) return [];
    if (row.expectation.who === 'own' && wanted === 'passes') return status === 401 ? [cell] : [];
    // A password or a job's token is looked at by the route itself.
    if (row.expectation.who === 'anybody' && request.status === 'any') return status === 403 ? [cell] : [];
    if (wanted === 404)
      return status === 404 && answer.includes("Workspace 'other' not found") ? [] : [`${cell}, wanted no such workspace`];
    // What is asked for without any input may be refused for that first.
    if (wanted === 403 && status === 400 && REQUESTS[key] === undefined) return [];
    if (outcomeOf(status) !== wanted) return [`${cell}, wanted ${wanted}`];
    if (wanted !== 'passes' || request.status === 'any' || !caller.isMember || (isConsumed && caller.isRunToken)) return [];
    const isWanted = request.status === undefined ? status >= 200 && status < 300 : status === request.status;
    return isWanted ? [] : [`${cell}, wanted ${request.status ?? 'success'}`];
  }

  test('has an expectation for each route, and none for a route that is gone', () => {
    const keys = new Set(routes.map(({ method, path }) => routeKey(method, path)));
    expect(
      [...keys].filter((key) => !EXPECTATIONS.has(key)),
      'routes without expectation',
    ).toEqual([]);
    expect(
      [...EXPECTATIONS.keys()].filter((key) => !keys.has(key)),
      'expectations without route',
    ).toEqual([]);
    expect([...Object.keys(REQUESTS), ...VARIANTS.map(({ route }) => route)].filter((key) => !keys.has(key))).toEqual([]);
  });

  test.each(rowsOf(routes))('$title: each caller is answered what the table says, and a refusal changes nothing', async (row) => {
    const { who, asks } = row.expectation;
    const isOwnChange = who === 'own' && asks === 'admin' && routeKey(row.method, row.path) !== 'PATCH /api/v1/me';
    const isRefused = (caller: Caller): boolean =>
      expected(caller, row.expectation) !== 'passes' || (isOwnChange && caller.rank < RANK.MANAGE);
    const before = await written();
    const refusals = await Promise.all(callers.filter(isRefused).map((caller) => checkCell(row, caller)));
    expect(await written(), 'rows written by refused callers').toBe(before);
    const passes: string[][] = [];
    for (const caller of callers.filter((each) => !isRefused(each))) passes.push(await checkCell(row, caller));
    expect([...refusals, ...passes].flat()).toEqual([]);
  });

  test('a workspace that gives its members READ lets a stranger read what the table says, and nobody who is denied', async () => {
    await workspaces.changeSettings(app.ctx, { member_level: 'READ' });
    const ofStranger = { isMember: true, mayCreate: true, isManager: false, isAdmin: false, asks: ['read', 'write', 'admin'] };
    const changed: readonly Caller[] = [
      { ...ofStranger, title: 'stranger with READ', secret: stranger.secret, rank: RANK.READ, floor: RANK.READ },
      { ...ofStranger, title: 'DENY with READ', secret: denied.secret, rank: 0, floor: 0 },
    ];
    const wrong: string[] = [];
    for (const row of rowsOf(routes)) {
      for (const caller of changed) wrong.push(...(await checkCell(row, caller)).map((cell) => `${row.title}: ${cell}`));
    }
    expect(wrong).toEqual([]);
  });
});
