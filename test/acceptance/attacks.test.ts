/** Ways to more than was given, each tried as an attacker would, and closed. */
import { once } from 'node:events';
import { mkdtempSync, rmSync, statSync } from 'node:fs';
import { type IncomingMessage, request } from 'node:http';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { setTimeout } from 'node:timers/promises';
import * as administration from '@countersign/server/features/administration/administration.ts';
import * as events from '@countersign/server/features/events/events.ts';
import * as experiments from '@countersign/server/features/experiments/experiments.ts';
import * as groups from '@countersign/server/features/groups/groups.ts';
import type { RegisteredModel } from '@countersign/server/features/models/models.ts';
import * as models from '@countersign/server/features/models/models.ts';
import * as runs from '@countersign/server/features/runs/runs.ts';
import * as signIn from '@countersign/server/features/sign-in/sign-in.ts';
import * as tokens from '@countersign/server/features/tokens/tokens.ts';
import { removeWorkspace } from '@countersign/server/features/workspace-removal/workspace-removal.ts';
import * as workspaces from '@countersign/server/features/workspaces/workspaces.ts';
import { upgradeDatabase } from '@countersign/server/ground.ts';
import { transaction } from '@countersign/server/platform/context.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { type AskOptions, addToken, addUser, ask, grant, openApp, type Person, type RunningApp } from '../support/app.ts';

const API = '/api/2.0/mlflow';
const V3 = '/api/3.0/mlflow';
const FILES = '/api/2.0/mlflow-artifacts/artifacts';
const PASSWORD = 'correct horse battery';

let app: RunningApp;
let admin: Person;
let user: Person;

beforeAll(async () => {
  app = await openApp();
  admin = await addUser(app.ctx, 'admin', { isAdmin: true });
  await workspaces.changeSettings(app.ctx, { member_level: 'NONE' });
  user = await addUser(app.ctx, 'user');
});
afterAll(() => app.close());

async function status(method: string, path: string, options: AskOptions): Promise<number> {
  return (await ask(app, method, path, options)).status;
}

async function makeRun(experimentId: number): Promise<string> {
  const run = await runs.create(app.ctx, { experimentId, userId: '', name: undefined, startTime: 1, tags: [] });
  return run.info.runId;
}

function makeExperiment(name: string): Promise<number> {
  return experiments.create(app.ctx, { name, tags: [] });
}

function makeModel(name: string): Promise<RegisteredModel> {
  return models.create(app.ctx, { name, tags: [] });
}

async function upload(path: string, text: string, as: string): Promise<number> {
  const answer = await fetch(`${app.url}${FILES}/${path}`, { method: 'PUT', headers: { authorization: `Bearer ${as}` }, body: text });
  return answer.status;
}

test('calls that need no workspace tell nobody which workspaces there are', async () => {
  await workspaces.createWorkspace(app.ctx, { name: 'merger' });
  const paths = [
    ...['/api/v1/me', '/api/v1/tokens', '/api/v1/workspaces', '/api/v1/users', '/api/v1/checkpoints/newest', '/account', '/metrics'],
    ...[`${API}/users/current`, `${API}/users/list`, `${API}/users/get?username=user`, `${V3}/workspaces`, '/api/2.0/preview/scim/v2/Me'],
    ...['/api/2.0/permissions/experiments/0', `${API}/experiments/permissions/get?experiment_id=0&username=user`],
    `${V3}/roles/list?workspace=default`,
  ];
  for (const path of paths) {
    const answers = ['merger', 'nobodys'].map(async (name) => {
      const answer = await ask(app, 'GET', path, { as: user.secret, headers: { 'x-mlflow-workspace': name } });
      return [answer.status, JSON.stringify(answer.body).replaceAll(name, 'NAME')];
    });
    const [there, absent] = await Promise.all(answers);
    expect(there, path).toEqual(absent);
    expect(there?.[0], path).toBe(404);
  }
});

test("a manager of every workspace edits neither the server's groups nor what holds in all workspaces", async () => {
  const chief = await addUser(app.ctx, 'chief');
  await grant(app.ctx, { accountId: chief.account.id }, { kind: 'workspace', everywhere: true }, 'MANAGE');
  const group = await groups.create(app.ctx, { name: 'approvers', workspaceId: groups.SERVER_WIDE });
  // The private role of the user in every workspace, as the auth API numbers it.
  const everywhere = 2 ** 32 + user.account.id;
  const permission = { role_id: everywhere, resource_type: 'workspace', resource_pattern: '*', permission: 'MANAGE' };
  for (const [method, path, body] of [
    ['POST', `${V3}/roles/assign`, { username: 'chief', role_id: group.id }],
    ['POST', `${V3}/roles/create`, { name: 'new', workspace: '*' }],
    ['PATCH', `${V3}/roles/update`, { role_id: group.id, name: 'others' }],
    ['DELETE', `${V3}/roles/delete`, { role_id: group.id }],
    ['POST', `${V3}/roles/permissions/add`, { ...permission, role_id: group.id }],
    ['POST', `${V3}/roles/permissions/add`, permission],
    ['PUT', '/api/v1/groups/approvers/members/chief', undefined],
  ] as const)
    expect([path, await status(method, path, { as: chief.secret, ...(body === undefined ? {} : { body }) })]).toEqual([path, 403]);
});

test('who manages a workspace and is kept out of the default one makes no account that is not', async () => {
  const { ctx } = app;
  await workspaces.changeSettings(ctx, { member_level: 'READ' });
  const bureau = await workspaces.createWorkspace(ctx, { name: 'bureau' });
  const headers = { 'x-mlflow-workspace': 'bureau' };
  const contractors = [await addUser(ctx, 'barred'), await addUser(ctx, 'denied one'), await addUser(ctx, 'trusted')];
  const [barred, deniedOne] = contractors.map((each) => ({ accountId: each.account.id }));
  for (const { account } of contractors)
    await grant({ ...ctx, workspace: bureau }, { accountId: account.id }, { kind: 'workspace' }, 'MANAGE');
  await grant(ctx, barred ?? {}, { kind: 'workspace' }, 'DENY');
  await grant(ctx, deniedOne ?? {}, { kind: 'experiment', prefix: 'secret' }, 'DENY');
  const make = (by: Person) =>
    status('POST', `${API}/users/create`, { as: by.secret, headers, body: { username: `by ${by.account.name}`, password: PASSWORD } });
  expect(await Promise.all(contractors.map(make))).toEqual([403, 403, 200]);
  await workspaces.changeSettings(ctx, { member_level: 'NONE' });
});

test('a grant on an experiment of another workspace is not planted for the day that the workspaces are put together', async () => {
  const lab = await workspaces.createWorkspace(app.ctx, { name: 'lab' });
  const boss = await addUser(app.ctx, 'boss');
  await grant({ ...app.ctx, workspace: lab }, { accountId: boss.account.id }, { kind: 'workspace' }, 'MANAGE');
  const headers = { 'x-mlflow-workspace': 'lab' };
  const next = String((await makeExperiment('before')) + 1);
  for (const id of ['0', next]) {
    const body = { username: 'boss', resource_type: 'experiment', resource_id: id, permission: 'MANAGE' };
    expect(await status('POST', `${V3}/users/permissions/grant`, { as: boss.secret, headers, body })).toBe(404);
    const old = { username: 'boss', experiment_id: id, permission: 'MANAGE' };
    expect(await status('POST', `${API}/experiments/permissions/create`, { as: boss.secret, headers, body: old })).toBe(404);
  }
  await removeWorkspace(app.ctx, 'lab', 'SET_DEFAULT');
  expect(await status('GET', `${API}/experiments/get?experiment_id=0`, { as: boss.secret })).toBe(403);
});

test("a run's token makes and reaches no logged model of another experiment, whoever says that it is the run's", async () => {
  const [own, other] = [await makeExperiment('own'), await makeExperiment('other')];
  const runId = await makeRun(own);
  const token = await addToken(app.ctx, admin.account, [`run:${runId}`]);
  const model = (experimentId: number, as: string) =>
    ask(app, 'POST', `${API}/logged-models`, { as, body: { experiment_id: String(experimentId), name: 'm', source_run_id: runId } });
  expect((await model(own, token)).status).toBe(200);
  expect((await model(other, token)).status).toBe(403);
  const id = (await model(other, admin.secret)).body.model.info.model_id;
  expect(await status('GET', `${API}/logged-models/${id}`, { as: token })).toBe(403);
  expect(await status('POST', `${API}/logged-models/${id}/params`, { as: token, body: { params: [{ key: 'a', value: 'b' }] } })).toBe(403);
  expect(await upload(`${other}/models/${id}/artifacts/x`, 'x', token)).toBe(403);
});

test('a version that was registered from a run in time is no way to what the run writes later', async () => {
  const id = await makeExperiment('lent');
  const runId = await makeRun(id);
  const folder = `${id}/${runId}/artifacts`;
  await upload(`${folder}/a.txt`, 'lent', admin.secret);
  await grant(app.ctx, { accountId: user.account.id }, { kind: 'experiment', id }, 'READ');
  expect(await status('POST', `${API}/registered-models/create`, { as: user.secret, body: { name: 'mine' } })).toBe(200);
  for (const source of [`mlflow-artifacts:/${folder}`, 'models:/mine/1'])
    expect(await status('POST', `${API}/model-versions/create`, { as: user.secret, body: { name: 'mine', source, run_id: runId } })).toBe(
      200,
    );
  const file = (version: number, path: string) => `/model-versions/get-artifact?name=mine&version=${version}&path=${path}`;
  expect(await status('GET', file(1, 'a.txt'), { as: user.secret })).toBe(200);
  await grant(app.ctx, { accountId: user.account.id }, { kind: 'experiment', id }, 'VIEW');
  await upload(`${folder}/b.txt`, 'secret', admin.secret);
  for (const version of [1, 2]) expect(await status('GET', file(version, 'b.txt'), { as: user.secret })).toBe(403);
});

test('nobody gets more on an object by giving it a name that a prefix of theirs reaches', async () => {
  const renamer = await addUser(app.ctx, 'renamer');
  const to = { accountId: renamer.account.id };
  for (const kind of ['experiment', 'registered-model'] as const) await grant(app.ctx, to, { kind, prefix: 'team-' }, 'MANAGE');
  const experimentId = await makeExperiment('theirs');
  await grant(app.ctx, to, { kind: 'experiment', id: experimentId }, 'EDIT');
  const model = await makeModel('theirs');
  await grant(app.ctx, to, { kind: 'registered-model', id: model.id }, 'MANAGE_PRODUCTION');
  const rename = (name: string) =>
    Promise.all([
      status('POST', `${API}/experiments/update`, { as: renamer.secret, body: { experiment_id: String(experimentId), new_name: name } }),
      status('POST', `${API}/registered-models/rename`, { as: renamer.secret, body: { name: 'theirs', new_name: name } }),
      status('POST', '/api/v1/models/theirs/rename', { as: renamer.secret, body: { name } }),
    ]);
  expect(await rename('team-x')).toEqual([403, 403, 403]);
  expect((await rename('others')).slice(0, 1)).toEqual([200]);
});

test("a page of another port of this machine doesn't look through a signed-in browser", async () => {
  const session = await signIn.startSession(app.ctx, user.account, 'test');
  const look = (headers: Record<string, string>) =>
    status('GET', '/api/v1/me', { headers: { cookie: `countersign_session=${session.secret}`, ...headers } });
  expect(await look({})).toBe(200);
  expect(await look({ origin: app.url })).toBe(200);
  expect(await look({ origin: 'http://localhost:8888', 'sec-fetch-site': 'same-site' })).toBe(403);
  expect(await look({ origin: 'null' })).toBe(403);
});

test('a request that was begun before a token was revoked does nothing once it is sent to its end', async () => {
  const { ctx } = app;
  const leaver = await addUser(ctx, 'leaver');
  const session = await signIn.startSession(ctx, leaver.account, 'test');
  const slow = (path: string, body: string, headers: Record<string, string>) => {
    const sent = request(`${app.url}${path}`, { method: 'POST', headers: { 'content-length': String(body.length), ...headers } });
    const answered = once(sent, 'response');
    sent.write(body.slice(0, 5));
    return async () => {
      sent.end(body.slice(5));
      const [answer] = (await answered) as [IncomingMessage];
      answer.resume();
      return answer.statusCode;
    };
  };
  const json = { authorization: `Bearer ${leaver.secret}`, 'content-type': 'application/json' };
  const form = {
    ...{ cookie: `countersign_session=${session.secret}`, 'sec-fetch-site': 'same-origin' },
    'content-type': 'application/x-www-form-urlencoded',
  };
  const ends = [
    slow('/api/v1/tokens', '{"name":"later","scopes":["admin"],"expires_at":null}', json),
    slow(`${API}/registered-models/create`, '{"name":"later"}', json),
    slow('/account/tokens', 'name=later&scope=admin&days=365', form),
  ];
  await setTimeout(1100);
  for (const secret of [leaver.secret, session.secret]) {
    const token = await tokens.findBySecret(ctx.db, secret);
    if (token) await tokens.revoke(ctx, token);
  }
  expect(await Promise.all(ends.map((end) => end()))).toEqual([401, 401, 401]);
});

test('of many passwords tried at once no more are looked at than one after the other', async () => {
  await addUser(app.ctx, 'victim', { password: PASSWORD });
  const tries = [...Array.from({ length: 30 }, (_, i) => `wrong password ${i}`), PASSWORD];
  const answers = tries.map(async (password) => {
    const authorization = `Basic ${Buffer.from(`victim:${password}`).toString('base64')}`;
    return (await fetch(`${app.url}/api/v1/me`, { headers: { authorization } })).status;
  });
  expect(new Set(await Promise.all(answers))).toEqual(new Set([401]));
});

test('many who sign in at once from one address all get in, and once more', async () => {
  const people = Array.from({ length: 12 }, (_, i) => `early-${i}`);
  for (const name of people) await addUser(app.ctx, name, { password: PASSWORD });
  const signIn = async (name: string) => {
    const authorization = `Basic ${Buffer.from(`${name}:${PASSWORD}`).toString('base64')}`;
    return (await fetch(`${app.url}/api/v1/me`, { headers: { authorization } })).status;
  };
  for (let round = 0; round < 2; round += 1) expect(new Set(await Promise.all(people.map(signIn)))).toEqual(new Set([200]));
});

test("a manager of the default workspace isn't shown people and their credentials", async () => {
  const manager = await addUser(app.ctx, 'manager');
  await grant(app.ctx, { accountId: manager.account.id }, { kind: 'workspace' }, 'MANAGE');
  await ask(app, 'POST', '/api/v1/users', { as: admin.secret, body: { name: 'private person', email: 'private@example.org' } });
  const typesFor = async (as: string): Promise<string[]> => {
    const { body } = await ask(app, 'GET', '/api/v1/events?limit=1000', { as });
    return body.events.map((event: { type: string }) => event.type.split('.')[0]);
  };
  expect(await typesFor(admin.secret)).toEqual(expect.arrayContaining(['account', 'token', 'grant']));
  const shown = await typesFor(manager.secret);
  expect(shown).toContain('grant');
  expect(shown).not.toContain('account');
  expect(shown).not.toContain('token');
});

test("whoever may only see a model doesn't learn from its events who may do what to it", async () => {
  const model = await makeModel('shown');
  const on = { kind: 'registered-model', id: model.id } as const;
  await grant(app.ctx, { accountId: user.account.id }, on, 'VIEW');
  const typesFor = async (as: string): Promise<string[]> => {
    const { body } = await ask(app, 'GET', `/api/v1/models/by-id/${model.id}/events`, { as });
    return body.events.map((event: { type: string }) => event.type);
  };
  expect(await typesFor(user.secret)).toEqual(['registered-model.created']);
  await grant(app.ctx, { accountId: user.account.id }, on, 'MANAGE');
  expect(await typesFor(user.secret)).toContain('grant.set');
});

test('whoever manages a model is told nothing of who managed another one that had its name', async () => {
  const heir = await addUser(app.ctx, 'heir');
  await grant(app.ctx, { accountId: heir.account.id }, { kind: 'registered-model', prefix: 'inherited' }, 'VIEW');
  await makeModel('inherited');
  const then = new Date().toISOString();
  await setTimeout(10);
  expect(await status('DELETE', `${API}/registered-models/delete`, { as: admin.secret, body: { name: 'inherited' } })).toBe(200);
  expect(await status('POST', `${API}/registered-models/create`, { as: heir.secret, body: { name: 'inherited' } })).toBe(200);
  const access = (query: string) => status('GET', `/api/v1/models/inherited/access${query}`, { as: heir.secret });
  expect(await access('')).toBe(200);
  expect(await access(`?as_of=${then}`)).toBe(403);
});

test('other users of the machine may not look into a data folder that is made', async () => {
  const above = mkdtempSync(join(tmpdir(), 'countersign-folder-'));
  const dataDir = join(above, 'made', 'data');
  await upgradeDatabase({ dataDir, database: { kind: 'sqlite', file: join(dataDir, 'countersign.db') } }, () => {});
  expect(statSync(dataDir).mode & 0o077).toBe(0);
  rmSync(above, { recursive: true });
});

test('a token that ends makes nothing that goes on after it', async () => {
  const { account } = await addUser(app.ctx, 'holder');
  const endsAt = Date.now() + 600_000;
  const token = await addToken(app.ctx, account, ['admin'], endsAt);
  const mint = (expires_at: string | number | null) =>
    status('POST', '/api/v1/tokens', { as: token, body: { name: 'more', scopes: ['read'], expires_at } });
  expect(await mint(null)).toBe(403);
  expect(await mint(endsAt + 1)).toBe(403);
  expect(await mint(endsAt - 1)).toBe(201);
  expect(await status('PUT', '/api/v1/me/password', { as: token, body: { password: PASSWORD } })).toBe(403);
});

test("an erased person's identity is gone where it was linked to somebody else since", async () => {
  const { ctx } = app;
  const [before, after] = [await addUser(ctx, 'linked before'), await addUser(ctx, 'linked after')];
  const data = { account_id: after.account.id, before_account_id: before.account.id };
  await transaction(ctx, async (inner) =>
    events.record(inner, { type: 'account.identity-linked', target: 'access', data, texts: { subject: 'subject of a person' } }),
  );
  await administration.eraseAccount(ctx, before.account);
  expect(await ctx.db.one("SELECT 1 FROM event_texts WHERE text = 'subject of a person'")).toBeUndefined();
});
