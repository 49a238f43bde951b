import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { endpoints } from '@countersign/contract/native-api.ts';
import { PERMISSIONS } from '@countersign/contract/permissions.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { openContext, openGate } from '../../../../test/support/context.ts';
import * as artifacts from '../features/artifacts/artifacts.ts';
import * as runs from '../features/runs/runs.ts';
import { LocalBlobStore } from '../platform/blobs/local-blob-store.ts';
import { type Ctx, systemClock } from '../platform/context.ts';
import { createHttpServer } from '../platform/http/server.ts';
import { apiRoutes } from './api-routes.ts';

const folder = mkdtempSync(join(tmpdir(), 'api-'));
const failures: unknown[] = [];
let now = Date.parse('2026-01-01T00:00:00Z');
let ctx: Ctx;
let server: Server;
let base: string;

beforeAll(async () => {
  const clock = { now: () => now, randomBytes: systemClock.randomBytes };
  ctx = await openContext({ blobs: new LocalBlobStore(folder), clock });
  server = createHttpServer({
    routes: apiRoutes(
      openGate(() => ctx),
      { checkAnswers: true },
    ),
    guards: [],
    fallback: () => ({ status: 404, body: '{}' }),
    onError: (error) => failures.push(error),
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  base = `http://127.0.0.1:${(server.address() as AddressInfo).port}/api/v1`;
});

afterAll(async () => {
  server.close();
  server.closeAllConnections();
  await ctx.db.close();
  rmSync(folder, { recursive: true });
  expect(failures).toEqual([]);
});

interface Answer {
  readonly status: number;
  // biome-ignore lint/suspicious/noExplicitAny: the server holds every answer against its schema; tests read members of many shapes
  readonly body: any;
}

async function call(method: string, path: string, body?: unknown): Promise<Answer> {
  const response = await fetch(base + path, {
    method,
    ...(body === undefined ? {} : { body: JSON.stringify(body), headers: { 'content-type': 'application/json' } }),
  });
  return { status: response.status, body: await response.json() };
}

async function ok(method: string, path: string, body?: unknown): Promise<Answer['body']> {
  const answer = await call(method, path, body);
  expect(answer, `${method} ${path}`).toMatchObject({ status: expect.toSatisfy((status: number) => status === 200 || status === 201) });
  now += 1000;
  return answer.body;
}

interface Files {
  readonly [path: string]: string;
}

/** A finished run with a model's files, params and a metric. */
async function makeRun(files: Files, params: Record<string, string> = {}, metrics: Record<string, number> = {}): Promise<string> {
  const { info } = await runs.create(ctx, { experimentId: 0, userId: 'ada', startTime: now, tags: [] });
  for (const [path, text] of Object.entries(files)) {
    await artifacts.put(ctx, `0/${info.runId}/artifacts/model/${path}`, Readable.from([Buffer.from(text)]));
  }
  await runs.logBatch(ctx, info.runId, {
    params: Object.entries(params).map(([key, value]) => ({ key, value })),
    metrics: Object.entries(metrics).map(([key, value]) => ({ key, value, timestamp: now, step: 0 })),
    tags: [],
  });
  return info.runId;
}

const MODEL_FILE = `flavors:
  python_function: {loader_module: mlflow.sklearn, python_version: 3.11.4}
  sklearn: {sklearn_version: 1.5.0}
signature:
  inputs: '[{"type": "double", "name": "x"}]'
  outputs: '[{"type": "long"}]'
`;

async function makeVersion(name: string, files: Files = { MLmodel: MODEL_FILE, 'model.pkl': name }): Promise<Answer['body']> {
  const runId = await makeRun(files);
  return ok('POST', `/models/${name}/versions`, { source: `runs:/${runId}/model`, run_id: runId });
}

describe('models', () => {
  test('a model is created, read, described, tagged, renamed and listed', async () => {
    const made = await ok('POST', '/models', { name: 'credit risk', description: 'first', tags: [{ key: 'team', value: 'risk' }] });
    expect(made).toMatchObject({ name: 'credit risk', description: 'first', tags: [{ key: 'team', value: 'risk' }], aliases: [] });
    await ok('PUT', '/models/credit%20risk/tags/a%2Fb', { value: 'c' });
    expect((await ok('PATCH', '/models/credit%20risk', { description: null })).description).toBeNull();
    const renamed = await ok('POST', '/models/credit%20risk/rename', { name: 'credit.risk' });
    expect(renamed).toMatchObject({ id: made.id, name: 'credit.risk' });
    expect(renamed.tags).toContainEqual({ key: 'a/b', value: 'c' });
    await ok('DELETE', '/models/credit.risk/tags/a%2Fb');
    const page = await ok('GET', "/models?filter=name%20LIKE%20'credit%25'&limit=1");
    expect(page).toMatchObject({ models: [{ name: 'credit.risk', tags: [{ key: 'team' }] }], next_page_token: null });
  });

  test('a name that is taken is refused', async () => {
    await ok('POST', '/models', { name: 'taken' });
    expect(await call('POST', '/models', { name: 'taken' })).toMatchObject({
      status: 400,
      body: { error_code: 'RESOURCE_ALREADY_EXISTS' },
    });
  });

  test('a deleted model is listed, restored with its versions, and purged only by its name', async () => {
    await ok('POST', '/models', { name: 'gone' });
    await makeVersion('gone');
    await ok('PUT', '/models/gone/aliases/champion', { version: 1 });
    const { id } = await ok('DELETE', '/models/gone');
    expect(await call('GET', '/models/gone')).toMatchObject({ status: 404, body: { error_code: 'RESOURCE_DOES_NOT_EXIST' } });
    expect((await ok('GET', '/deleted-models?name=gone')).models).toMatchObject([{ id, name: 'gone' }]);
    expect(await ok('POST', `/deleted-models/${id}/restore`, { name: 'back' })).toMatchObject({ id, name: 'back', aliases: [] });
    expect((await ok('GET', '/models/back/versions/1')).seal.state).toBe('sealed');
    await ok('DELETE', '/models/back');
    expect(await call('DELETE', `/deleted-models/${id}?confirm=gone`)).toMatchObject({
      status: 400,
      body: { message: expect.stringContaining("'back'") },
    });
    await ok('DELETE', `/deleted-models/${id}?confirm=back`);
    expect((await call('POST', `/deleted-models/${id}/restore`)).status).toBe(404);
    const history = await ok('GET', `/models/by-id/${id}/events?order=oldest`);
    expect(history.events.at(-1).type).toBe('registered-model.purged');
  });
});

describe('versions', () => {
  test('a version shows its seal, and its manifest shows what the digest covers', async () => {
    await ok('POST', '/models', { name: 'sealed' });
    const version = await makeVersion('sealed');
    expect(version).toMatchObject({
      version: 1,
      lineage: 'verified',
      seal: { state: 'sealed', reason: null, file_count: 2, size_bytes: MODEL_FILE.length + 6 },
      written_by: { id: 0, kind: 'local' },
    });
    const manifest = await ok('GET', '/models/sealed/versions/1/files');
    expect(manifest.digest).toBe(version.seal.digest);
    expect(manifest.files.map((file: { path: string }) => file.path)).toEqual(['MLmodel', 'model.pkl']);
  });

  test('an unsealed version says why, and is sealed when its files are there', async () => {
    await ok('POST', '/models', { name: 'late' });
    const runId = await makeRun({ 'model.pkl': 'x' });
    const version = await ok('POST', '/models/late/versions', { source: `runs:/${runId}/model`, run_id: runId });
    expect(version.seal).toMatchObject({ state: 'unsealed', reason: 'incomplete', digest: null });
    expect(await call('GET', '/models/late/versions/1/files')).toMatchObject({ status: 400, body: { error_code: 'INVALID_STATE' } });
    await artifacts.put(ctx, `0/${runId}/artifacts/model/MLmodel`, Readable.from([Buffer.from(MODEL_FILE)]));
    expect((await ok('POST', '/models/late/versions/1/seal')).seal).toMatchObject({ state: 'sealed', reason: null, file_count: 2 });
  });

  test('versions are paged newest first, tagged, described, deleted and restored', async () => {
    await ok('POST', '/models', { name: 'many' });
    for (let i = 0; i < 3; i++) await makeVersion('many');
    const first = await ok('GET', '/models/many/versions?limit=2');
    expect(first.versions.map((each: { version: number }) => each.version)).toEqual([3, 2]);
    const second = await ok('GET', `/models/many/versions?limit=2&page_token=${encodeURIComponent(first.next_page_token)}`);
    expect(second).toMatchObject({ versions: [{ version: 1 }], next_page_token: null });
    await ok('PUT', '/models/many/versions/1/tags/k', { value: 'v' });
    expect(await ok('PATCH', '/models/many/versions/1', { description: 'd' })).toMatchObject({
      description: 'd',
      tags: [{ key: 'k', value: 'v' }],
    });
    await ok('DELETE', '/models/many/versions/1');
    expect((await ok('GET', '/models/many/deleted-versions')).versions).toMatchObject([{ version: 1, deleted_at: expect.any(Number) }]);
    expect(await ok('POST', '/models/many/deleted-versions/1/restore')).toMatchObject({ version: 1, stage: 'None', deleted_at: null });
    await ok('DELETE', '/models/many/versions/1/tags/k');
    const found = await ok('GET', "/model-versions?filter=name%3D'many'&order_by=version_number%20ASC");
    expect(found.versions.map((each: { version: number }) => each.version)).toEqual([1, 2, 3]);
  });
});

describe('stages and aliases at a time', () => {
  test('what was in Production then is told, also after a rename, a deletion and a purge', async () => {
    const { id } = await ok('POST', '/models', { name: 'prod' });
    await makeVersion('prod');
    await makeVersion('prod');
    await ok('PUT', '/models/prod/versions/1/stage', { stage: 'production' });
    const whenFirst = now - 1;
    await ok('PUT', '/models/prod/versions/2/stage', { stage: 'Production', archive_existing: true });
    const numbers = async (path: string) => (await ok('GET', path)).versions.map((each: { version: number }) => each.version);
    expect(await numbers('/models/prod/stages/Production')).toEqual([2]);
    expect(await numbers('/models/prod/stages/Archived')).toEqual([1]);
    expect(await numbers(`/models/prod/stages/Production?as_of=${whenFirst}`)).toEqual([1]);
    expect(await numbers(`/models/prod/stages/None?as_of=${whenFirst}`)).toEqual([2]);
    await ok('POST', '/models/prod/rename', { name: 'prod2' });
    expect((await call('GET', `/models/prod/stages/Production?as_of=${whenFirst}`)).body.message).toContain('by-id');
    await ok('DELETE', '/models/prod2');
    expect(await numbers(`/models/prod2/stages/Production?as_of=${new Date(whenFirst).toISOString()}`)).toEqual([1]);
    expect(await numbers(`/models/by-id/${id}/stages/Production`)).toEqual([]);
    await ok('DELETE', `/deleted-models/${id}?confirm=prod2`);
    const then = await ok('GET', `/models/by-id/${id}/stages/Production?as_of=${whenFirst}`);
    expect(then).toMatchObject({ name: null, versions: [{ version: 1, by: { name: 'local' } }] });
  });

  test('a name given again answers for the model that had it then', async () => {
    await ok('POST', '/models', { name: 'again' });
    await makeVersion('again');
    await ok('PUT', '/models/again/aliases/champion', { version: 1 });
    const whenFirst = now - 1;
    await ok('DELETE', '/models/again');
    const second = await ok('POST', '/models', { name: 'again' });
    expect((await ok('GET', `/models/again/aliases/champion?as_of=${whenFirst}`)).holder).toMatchObject({ version: 1 });
    expect(await ok('GET', '/models/again/aliases/champion')).toMatchObject({ model_id: second.id, holder: null });
  });

  test('an alias moves and goes, and each moment is kept', async () => {
    await ok('POST', '/models', { name: 'aliased' });
    await makeVersion('aliased');
    await makeVersion('aliased');
    const before = now;
    await ok('PUT', '/models/aliased/aliases/champion', { version: 1 });
    const first = now;
    await ok('PUT', '/models/aliased/aliases/champion', { version: 2 });
    const second = now;
    await ok('DELETE', '/models/aliased/aliases/champion');
    const holder = async (asOf: number) => (await ok('GET', `/models/aliased/aliases/champion?as_of=${asOf}`)).holder?.version ?? null;
    expect([await holder(before - 1), await holder(first - 1), await holder(second - 1), await holder(now)]).toEqual([null, 1, 2, null]);
  });
});

describe('comparison', () => {
  test('two versions are compared by meaning', async () => {
    await ok('POST', '/models', { name: 'left' });
    await ok('POST', '/models', { name: 'right' });
    const left = await makeRun(
      { MLmodel: MODEL_FILE, 'model.pkl': 'one', 'requirements.txt': 'scikit_learn==1.5.0\n# note\nnumpy\n', old: '1' },
      { depth: '3', seed: '1' },
      { auc: 0.8 },
    );
    const right = await makeRun(
      {
        MLmodel: MODEL_FILE.replace('1.5.0', '1.6.0').replace('"long"', '"float"'),
        'model.pkl': 'one',
        'requirements.txt': 'scikit-learn==1.6.0\nnumpy\n',
      },
      { depth: '4', seed: '1' },
      { auc: 0.9, loss: Number.NaN },
    );
    await ok('POST', '/models/left/versions', { source: `runs:/${left}/model`, run_id: left, tags: [{ key: 't', value: '1' }] });
    await ok('POST', '/models/right/versions', { source: `runs:/${right}/model`, run_id: right });
    const compared = await ok('GET', '/models/left/versions/1/comparison?with=right/1');
    expect(compared).toMatchObject({
      same_bytes: false,
      params: [
        { name: 'depth', change: 'changed', from: '3', to: '4' },
        { name: 'seed', change: 'same' },
      ],
      metrics: [
        { name: 'auc', change: 'changed', delta: expect.closeTo(0.1) },
        { name: 'loss', change: 'added', from: null, to: 'NaN', delta: null },
      ],
      tags: [{ name: 't', change: 'removed' }],
      signature: {
        inputs: { change: 'same' },
        outputs: { change: 'changed' },
        params: { change: 'absent' },
        breaks: ['output #1 was long, and is float'],
      },
      requirements: [
        { name: 'numpy', change: 'same' },
        { name: 'scikit-learn', change: 'changed', from: '==1.5.0', to: '==1.6.0' },
      ],
      flavors: [
        { name: 'python_function', change: 'same' },
        { name: 'sklearn', change: 'changed' },
      ],
      files: { same_count: 1, added: [], removed: [{ path: 'old' }], changed: [{ path: 'MLmodel' }, { path: 'requirements.txt' }] },
    });
    const itself = await ok('GET', '/models/left/versions/1/comparison?with=1');
    expect(itself).toMatchObject({ same_bytes: true, files: { same_count: 4, changed: [] } });
    expect((await call('GET', '/models/left/versions/1/comparison?with=x')).status).toBe(400);
  });

  test('a damaged file is told, not compared, and marks its version', async () => {
    await ok('POST', '/models', { name: 'hurt' });
    const version = await makeVersion('hurt', { MLmodel: `${MODEL_FILE}# only here\n` });
    const { files } = await ok('GET', '/models/hurt/versions/1/files');
    const stored = readdirSync(folder, { recursive: true })
      .map(String)
      .find((path) => path.endsWith(files[0].sha256));
    const path = join(folder, stored ?? '');
    const bytes = readFileSync(path);
    bytes[0] = (bytes[0] ?? 0) ^ 1;
    rmSync(path);
    writeFileSync(path, bytes);
    expect(await call('GET', '/models/hurt/versions/1/comparison?with=1')).toMatchObject({
      status: 400,
      body: { error_code: 'INVALID_STATE' },
    });
    expect((await ok('GET', `/models/${version.name}/versions/1`)).damaged_at).toEqual(expect.any(Number));
  });
});

describe('events and settings', () => {
  test('events are paged both ways with their texts, and the chain verifies', async () => {
    await ok('POST', '/models', { name: 'told', description: 'secret' });
    const newest = await ok('GET', '/events?limit=1');
    expect(newest.events).toMatchObject([
      { type: 'registered-model.created', texts: { description: 'secret' }, principal: { name: 'local' } },
    ]);
    expect(newest.events[0].body).not.toContain('secret');
    const first = await ok('GET', '/events?order=oldest&limit=2');
    expect(first.events.map((event: { seq: number }) => event.seq)).toEqual([1, 2]);
    const next = await ok('GET', `/events?order=oldest&limit=2&page_token=${encodeURIComponent(first.next_page_token)}`);
    expect(next.events[0].seq).toBe(3);
    expect((await ok('GET', '/models/told/events')).events).toHaveLength(1);
    await ctx.db.write((tx) => tx.run("DELETE FROM event_texts WHERE seq = ? AND field = 'description'", newest.events[0].seq));
    expect((await ok('GET', '/events?limit=1')).events[0].texts).toEqual({ description: null });
    expect(await ok('GET', '/events/verification')).toMatchObject({ ok: true, events: newest.events[0].seq, first_bad: null });
  });

  test('settings protect what they name', async () => {
    expect(await ok('PATCH', '/settings', { protected_stages: ['production'] })).toMatchObject({ protected_stages: ['Production'] });
    await ok('POST', '/models', { name: 'kept' });
    await makeVersion('kept');
    await ok('PUT', '/models/kept/versions/1/stage', { stage: 'Production' });
    expect(await call('DELETE', '/models/kept')).toMatchObject({ status: 400, body: { error_code: 'INVALID_STATE' } });
    expect((await call('PATCH', '/settings', { protected_stages: ['x'] })).status).toBe(400);
    await ok('PATCH', '/settings', { protected_stages: [] });
    expect(await ok('GET', '/settings')).toMatchObject({ protected_stages: [], refuse_unsealed: false });
  });
});

describe('refusals', () => {
  const refused = async (method: string, path: string, body?: unknown): Promise<string> => {
    const answer = await call(method, path, body);
    expect(answer, `${method} ${path}`).toMatchObject({ status: 400, body: { error_code: 'INVALID_PARAMETER_VALUE' } });
    return answer.body.message;
  };

  test('unknown members and parameters are named', async () => {
    expect(await refused('POST', '/models', { name: 'a', tagz: [] })).toContain("unknown member 'tagz'. It takes: name, description, tags");
    expect(await refused('POST', '/models', { name: 'a', tags: [{ key: 'k', value: 'v', x: 1 }] })).toContain("'tags/0/x'");
    expect(await refused('GET', '/models?filtre=x')).toContain("unknown member 'filtre'. It takes: filter, order_by, limit, page_token");
    expect(await refused('GET', '/settings?x=1')).toContain("unknown member 'x'");
    expect(await refused('POST', '/models/a/versions/1/seal', { now: true })).toContain('takes no body');
    expect(await refused('PATCH', '/settings', { no_such: true })).toContain("'no_such'");
  });

  test('wrong values say what they must be', async () => {
    expect(await refused('POST', '/models', {})).toContain('name');
    expect(await refused('POST', '/models', { name: 5 })).toContain("'name' in the body must be string");
    expect(await refused('POST', '/models', ['x'])).toContain('The body must be object');
    expect(await refused('PATCH', '/models/a', { description: 5 })).toContain('must be string, or must be null');
    expect(await refused('GET', '/models?limit=0')).toContain("'limit'");
    expect(await refused('GET', '/models?limit=x')).toContain("'limit' in the query must be integer");
    expect(await refused('GET', '/models?limit=1&limit=2')).toContain('2 times');
    expect(await refused('GET', '/events?order=sideways')).toContain('newest, oldest');
    expect(await refused('GET', '/models/a/versions/one')).toContain("'version' in the path");
    expect(await refused('GET', '/models/a/stages/Gone')).toContain('Gone');
    expect(await refused('GET', '/models/a/stages/Production?as_of=2026-02-30T00:00:00Z')).toContain('as_of');
    expect(await refused('GET', '/models?page_token=%24')).toContain('page token');
    expect(await refused('POST', '/models', { name: 'a\u0000b' })).toContain('NUL');
    expect(await refused('POST', '/models', { name: 'a', description: '\ud800' })).toContain('surrogate');
  });

  test('a prototype key is a tag like any other', async () => {
    await ok('POST', '/models', { name: 'proto', tags: [{ key: '__proto__', value: 'x' }] });
    expect((await ok('GET', '/models/proto')).tags).toEqual([{ key: '__proto__', value: 'x' }]);
    expect((await call('GET', '/models?__proto__=x')).status).toBe(400);
  });
});

test('every parameter in a path is declared, every id is told once, every permission is named', () => {
  for (const { path, params, permission } of endpoints) {
    expect(Object.keys(params.properties).sort()).toEqual([...path.matchAll(/\{(\w+)\}/g)].map((match) => match[1]).sort());
    expect(PERMISSIONS).toHaveProperty([permission]);
  }
  expect(new Set(endpoints.map((each) => each.id)).size).toBe(endpoints.length);
});

test('the documentation page needs no script and names every endpoint', async () => {
  const response = await fetch(`${base}/docs`);
  const page = await response.text();
  expect(response.headers.get('content-security-policy')).toContain("default-src 'none'");
  expect(page).not.toMatch(/<script|\son\w+=|style=/);
  for (const { id } of endpoints) expect(page).toContain(`id="${id}"`);
  expect((await ok('GET', '/openapi.json')).openapi).toBe('3.1.0');
});

describe('requests and comments', () => {
  const at = '/models/asked/versions/1';

  test('a request is opened, shown, and answered once', async () => {
    await ok('POST', '/models', { name: 'asked' });
    await makeVersion('asked');
    const toStaging = { target: { kind: 'stage', stage: 'staging' }, comment: 'please' };
    const opened = await ok('POST', `${at}/requests`, toStaging);
    expect(opened).toMatchObject({ state: 'open', comment: 'please', closing_comment: null, target: { kind: 'stage', stage: 'Staging' } });
    expect(opened.available_actions).toEqual(['approve', 'reject', 'cancel', 'apply']);
    expect(await call('POST', `${at}/requests`, toStaging)).toMatchObject({ status: 400, body: { error_code: 'RESOURCE_ALREADY_EXISTS' } });
    expect((await ok('GET', `${at}/requests?state=open`)).requests).toEqual([opened]);
    const approved = await ok('POST', `/requests/${opened.id}/approve`, { archive_existing: true, comment: 'fine' });
    expect(approved).toMatchObject({ id: opened.id, state: 'approved', closing_comment: 'fine', available_actions: [] });
    expect((await ok('GET', at)).stage).toBe('Staging');
    for (const answer of ['approve', 'reject', 'cancel']) {
      const again = await call('POST', `/requests/${opened.id}/${answer}`, {});
      expect([again.status, answer]).toEqual([400, answer]);
    }
    expect((await call('GET', `/requests/9999`)).status).toBe(404);
    for (const target of [{ kind: 'stage', stage: 'Nowhere' }, { kind: 'alias' }, { kind: 'stage' }]) {
      expect((await call('POST', `${at}/requests`, { target })).body.error_code).toBe('INVALID_PARAMETER_VALUE');
    }
  });

  test('requests are listed page by page, each as it ended', async () => {
    const { id: one } = await ok('POST', `${at}/requests`, { target: { kind: 'stage', stage: 'Production' } });
    await ok('POST', `/requests/${one}/reject`, { comment: 'not yet' });
    const { id: two } = await ok('POST', `${at}/requests`, { target: { kind: 'stage', stage: 'Production' } });
    await ok('POST', `/requests/${two}/cancel`, {});
    await ok('POST', `${at}/requests`, { target: { kind: 'stage', stage: 'Archived' } });
    await ok('PUT', `${at}/stage`, { stage: 'Archived' });
    const first = await ok('GET', `${at}/requests?limit=3`);
    const rest = await ok('GET', `${at}/requests?limit=3&page_token=${first.next_page_token}`);
    const all = [...first.requests, ...rest.requests].map(({ state, closing_comment: comment }) => [state, comment]);
    expect(all).toEqual([
      ['cancelled', expect.stringContaining('moved to Archived')],
      ['cancelled', null],
      ['rejected', 'not yet'],
      ['approved', 'fine'],
    ]);
    expect(rest.next_page_token).toBeNull();
  });

  test('comments stand among the activities', async () => {
    const { id, comment } = await ok('POST', `${at}/comments`, { comment: 'one' });
    expect(comment).toBe('one');
    expect(await ok('PATCH', `/comments/${id}`, { comment: 'two' })).toMatchObject({
      id,
      comment: 'two',
      available_actions: ['edit', 'delete', 'resolve'],
    });
    const newest = await ok('GET', `${at}/activities?limit=1`);
    expect(newest.activities).toMatchObject([{ type: 'NEW_COMMENT', comment: 'two', comment_id: id }]);
    const before = await ok('GET', `${at}/activities?limit=2&page_token=${newest.next_page_token}`);
    expect(before.activities.map(({ type }: { type: string }) => type)).toEqual(['CANCELLED_REQUEST', 'APPLIED_TRANSITION']);
    await ok('DELETE', `/comments/${id}`);
    expect((await ok('GET', `${at}/activities?order=newest&limit=1`)).activities).toEqual([]);
    expect((await call('DELETE', `/comments/${id}`)).status).toBe(404);
  });
});
