/** Threads, mentions and the inbox over HTTP, every answer held against its schema. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { openContext, openGate } from '../../../../test/support/context.ts';
import { accessIn } from '../features/access/access.ts';
import * as accounts from '../features/accounts/accounts.ts';
import * as breakGlass from '../features/break-glass/break-glass.ts';
import * as models from '../features/models/models.ts';
import * as requests from '../features/requests/requests.ts';
import * as transitions from '../features/transitions/transitions.ts';
import type { Ctx } from '../platform/context.ts';
import { createHttpServer } from '../platform/http/server.ts';
import { apiRoutes } from './api-routes.ts';

const failures: unknown[] = [];
let local: Ctx;
let server: Server;
let base: string;
/** Whose the requests are. */
let caller: Ctx;

beforeAll(async () => {
  local = await openContext();
  server = createHttpServer({
    routes: apiRoutes(
      openGate(() => caller),
      { checkAnswers: true },
    ),
    guards: [],
    fallback: () => ({ status: 404, body: '{}' }),
    onError: (error) => failures.push(error),
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1`; // it listens on TCP
});

afterAll(async () => {
  server.close();
  server.closeAllConnections();
  await local.db.close();
  expect(failures).toEqual([]);
});

async function person(name: string, options: { isAdmin?: boolean } = {}): Promise<Ctx> {
  const account = await accounts.createUser(local, { name, ...options });
  return { ...local, principal: { id: account.id, kind: 'user', name }, access: await accessIn(local, account, local.workspace.id) };
}

// biome-ignore lint/suspicious/noExplicitAny: the server holds every answer against its schema; tests read members of many shapes
async function ask(who: Ctx, method: string, path: string, body?: unknown): Promise<any> {
  caller = who;
  const response = await fetch(base + path, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  return { status: response.status, ...((await response.json()) as object) };
}

test('a request is talked about in threads; who is mentioned reads it in his inbox', async () => {
  const admin = await person('admin', { isAdmin: true });
  const [ann, bob] = [await person('ann'), await person('bob')];
  await models.create(local, { name: 'Fraud', tags: [] });
  const files = { source: 's3://bucket/model', runId: '', loggedModelId: undefined, runLink: '' };
  await transitions.registerVersion(local, { name: 'Fraud', ...files, description: undefined, tags: [] });
  const request = await requests.create(ann, 'Fraud', { target: { kind: 'stage', stage: 'Production' }, version: 1 }, 'please');

  const at = `/requests/${request.id}/comments`;
  const opener = await ask(ann, 'POST', at, { comment: 'Look at the bias report, @bob.' });
  expect(opener).toMatchObject({ status: 201, parent: null, request_id: request.id, available_actions: ['edit', 'delete', 'resolve'] });
  const answer = await ask(bob, 'POST', at, { comment: '`@ann` it is **fine**', parent: opener.id });
  expect(answer).toMatchObject({ status: 201, parent: opener.id, created_by: { name: 'bob' } });
  expect((await ask(bob, 'POST', at, { comment: 'x', parent: 'nothing' })).status).toBe(404);
  expect((await ask(bob, 'POST', '/models/Fraud/versions/1/comments', { comment: 'x', parent: opener.id })).status).toBe(400);
  expect(await ask(bob, 'POST', `/comments/${answer.id}/resolve`)).toMatchObject({ id: opener.id, resolved_by: { name: 'bob' } });
  expect(await ask(bob, 'GET', `${at}?limit=1`)).toMatchObject({ comments: [{ id: opener.id, available_actions: ['reopen'] }] });
  const { next_page_token: token } = await ask(bob, 'GET', `${at}?limit=1`);
  expect(await ask(bob, 'GET', `${at}?limit=1&page_token=${token}`)).toMatchObject({
    comments: [{ id: answer.id }],
    next_page_token: null,
  });
  expect(await ask(ann, 'POST', `/comments/${opener.id}/reopen`)).toMatchObject({ resolved_by: null });
  expect(await ask(ann, 'GET', '/models/Fraud/versions/1/comments')).toMatchObject({ comments: [] });
  expect((await ask(ann, 'GET', '/requests/987654/comments')).status).toBe(404);

  const inbox = await ask(bob, 'GET', '/inbox');
  expect(inbox.mentions).toMatchObject({
    count: 1,
    is_count_exact: true,
    mentions: [{ name: 'Fraud', version: 1, comment: { id: opener.id, request_id: request.id }, read_at: null }],
  });
  expect(inbox).toMatchObject({ waiting_for_me: { count: 0 }, opened_by_me: { count: 0 }, to_review: { count: 0 } });
  const { id } = inbox.mentions.mentions[0];
  expect((await ask(ann, 'POST', `/inbox/mentions/${id}/read`)).status).toBe(404);
  expect((await ask(bob, 'POST', `/inbox/mentions/${id}/read`)).status).toBe(200);
  expect((await ask(bob, 'GET', '/inbox')).mentions).toMatchObject({ count: 0, mentions: [{ id, read_at: expect.any(Number) }] });

  expect((await ask(admin, 'GET', '/inbox')).waiting_for_me).toMatchObject({
    count: 1,
    requests: [
      {
        id: request.id,
        name: 'Fraud',
        version: 1,
        target: 'stage:Production',
        comment: 'please',
        created_by: { name: 'ann' },
        missing: [],
      },
    ],
  });
  expect(await ask(ann, 'GET', '/inbox?section=opened_by_me')).toMatchObject({
    opened_by_me: { requests: [{ id: request.id }] },
    waiting_for_me: null,
    mentions: null,
    to_review: null,
  });
  expect((await ask(ann, 'GET', `/inbox?page_token=${token}`)).status).toBe(400);
});

test('broken glass waits for a second person', async () => {
  const [user, second] = [await person('user'), await person('second', { isAdmin: true })];
  const opening = await breakGlass.open(user, { policyName: 'p', minutes: 5, reason: 'it burns', ticket: 'T-1' });
  const { id: modelId } = await models.get(local, 'Fraud');
  await local.db.write((tx) =>
    breakGlass.markUsed({ ...user, tx }, opening.id, { subject: 'stage:Production', modelId, versionId: undefined }),
  );
  const { to_review: toReview } = await ask(second, 'GET', '/inbox');
  expect(toReview).toMatchObject({
    count: 1,
    openings: [{ id: opening.id, name: 'Fraud', reason: 'it burns', opened_by: { name: 'user' } }],
  });
});

test('what is asked for is said in full: who deletes is not taken for who adds', async () => {
  const chief = await person('chief', { isAdmin: true });
  const eve = await person('eve');
  await models.create(local, { name: 'Churn', tags: [] });
  const files = { source: 's3://bucket/model', runId: '', loggedModelId: undefined, runLink: '' };
  await transitions.registerVersion(local, { name: 'Churn', ...files, description: undefined, tags: [] });
  await requests.create(eve, 'Churn', { target: { kind: 'entry' }, change: 'leave', version: 1 });
  const { waiting_for_me: waiting } = await ask(chief, 'GET', '/inbox');
  expect(waiting.requests[0]).toMatchObject({ name: 'Churn', version: 1, target: 'entry', subject: 'deleted' });
});
