/**
 * Nothing of one workspace is read or changed from another: every route of the server is asked in a second workspace, and in the default one,
 * with all ids, names and paths of the first, by somebody who may do everything. What the first holds is marked, and looked at in the database.
 */
import { Readable } from 'node:stream';
import { endpoints } from '@countersign/contract/native-api.ts';
import * as artifacts from '@countersign/server/features/artifacts/artifacts.ts';
import * as experiments from '@countersign/server/features/experiments/experiments.ts';
import * as loggedModels from '@countersign/server/features/logged-models/logged-models.ts';
import * as models from '@countersign/server/features/models/models.ts';
import * as runs from '@countersign/server/features/runs/runs.ts';
import * as transitions from '@countersign/server/features/transitions/transitions.ts';
import * as webhooks from '@countersign/server/features/webhooks/webhooks.ts';
import * as workspaces from '@countersign/server/features/workspaces/workspaces.ts';
import type { Ctx } from '@countersign/server/platform/context.ts';
import { PostgresDatabase } from '@countersign/server/platform/db/postgres.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { listRoutes, openApp, type RunningApp } from '../support/app.ts';
import { onBothDatabases } from '../support/databases.ts';

const MARK = 'marked-by-vision';
/** What belongs to the server or to the caller, not to a workspace. */
const NOT_OF_WORKSPACES =
  /\/mlflow\/(workspaces|users|roles)|\/api\/v1\/(workspaces|users|accounts|service-accounts|groups|tokens|me|sign-in|ci|ci-trusts|identity-providers|docs|openapi)|\/scim\/|^\/(login|logout|account)|^\/(health|version|metrics|$)/;

/** Members of requests, whatever the route calls them. */
type Known = Readonly<Record<string, unknown>>;

interface Made {
  readonly known: Known;
  readonly paths: readonly string[];
}

/** Everything there is, each with a mark in what only its readers may see. */
async function fill(ctx: Ctx): Promise<Made> {
  const tags = [{ key: 'k', value: MARK }];
  const experimentId = await experiments.create(ctx, { name: 'cats', tags });
  const run = await runs.create(ctx, { experimentId, userId: '', startTime: 1, name: MARK, tags });
  const { runId, artifactUri } = run.info;
  await runs.logBatch(ctx, runId, {
    metrics: [{ key: 'loss', value: 0.12345, timestamp: 1, step: 0 }],
    params: [{ key: 'p', value: MARK }],
    tags: [],
  });
  await runs.logInputs(ctx, runId, {
    datasets: [{ name: 'd', digest: 'x', sourceType: 't', source: MARK, schema: undefined, profile: undefined, tags: [] }],
    modelIds: [],
  });
  const logged = await loggedModels.create(ctx, {
    experimentId: String(experimentId),
    name: 'logged',
    modelType: MARK,
    sourceRunId: runId,
    params: [],
    tags,
  });
  const folders = [artifacts.storedPathOf(artifactUri) ?? '', artifacts.storedPathOf(logged.artifactUri) ?? ''];
  for (const folder of folders) {
    await artifacts.put(ctx, `${folder}/notes.txt`, Readable.from([Buffer.from(MARK)]));
    await artifacts.put(ctx, `${folder}/MLmodel`, Readable.from([Buffer.from(`flavors: {}\nnote: ${MARK}\n`)]));
  }
  await loggedModels.finalize(ctx, logged.modelId, 2);
  const model = await models.create(ctx, { name: 'cat', description: MARK, tags });
  const of = { name: 'cat', runId, loggedModelId: undefined, runLink: '', description: MARK, tags };
  const version = await transitions.registerVersion(ctx, { ...of, source: artifactUri });
  await transitions.registerVersion(ctx, { ...of, source: `models:/${logged.modelId}` });
  await transitions.setAlias(ctx, 'cat', 'champion', 1);
  const deleted = await models.create(ctx, { name: 'old', description: MARK, tags });
  await transitions.deleteModel(ctx, 'old');
  const hook = await webhooks.create(ctx, MEANS, {
    name: 'hook',
    url: 'https://127.0.0.1/hook',
    description: MARK,
    events: [{ entity: 'registered_model', action: 'created' }],
  });
  const id = String(model.id);
  return {
    known: {
      name: 'cat',
      full_name: 'cat',
      model_name: 'cat',
      model: 'cat',
      version: '1',
      other_version: '2',
      versions: ['1', '2'],
      alias: 'champion',
      stage: 'Production',
      new_name: 'dog',
      source: artifactUri,
      key: 'k',
      tag_key: 'k',
      param_key: 'p',
      metric_key: 'loss',
      value: '7',
      description: 'changed',
      experiment_id: String(experimentId),
      experiment_ids: [String(experimentId)],
      experiment_name: 'cats',
      run_id: runId,
      run_uuid: runId,
      run_ids: [runId],
      model_id: logged.modelId,
      model_ids: [logged.modelId],
      source_run_id: runId,
      webhook_id: hook.id,
      deleted_id: deleted.id,
      id,
      registered_model_id: id,
      path: 'notes.txt',
      artifact_file_path: 'notes.txt',
      timestamp: 1,
      step: 1,
      status: 'FINISHED',
      tags: [{ key: 'k', value: 'changed' }],
      params: [{ key: 'q', value: 'changed' }],
      metrics: [{ key: 'loss', value: 1, timestamp: 2, step: 2 }],
      max_results: 100,
      events: [{ entity: 'REGISTERED_MODEL', action: 'CREATED' }],
      confirm: 'old',
      as_of: Date.now(),
    },
    paths: [...folders.flatMap((folder) => [`${folder}/MLmodel`, folder]), `workspaces/vision/model-versions/${version.id}/MLmodel`],
  };
}

const MEANS: webhooks.WebhookMeans = {
  secrets: { seal: () => Buffer.alloc(0), open: () => '' },
  urls: { schemes: ['https'], allowPrivate: true },
  timeoutMs: 100,
  retriesMax: 0,
};

const TABLES = [
  'SELECT * FROM experiments WHERE workspace_id = ? ORDER BY id',
  'SELECT t.* FROM experiment_tags t JOIN experiments e ON e.id = t.experiment_id WHERE e.workspace_id = ? ORDER BY 1, 2',
  'SELECT r.* FROM runs r JOIN experiments e ON e.id = r.experiment_id WHERE e.workspace_id = ? ORDER BY 1',
  ...['run_tags', 'params', 'metrics', 'latest_metrics', 'run_datasets', 'run_model_inputs', 'run_model_outputs'].map(
    (table) =>
      `SELECT t.* FROM ${table} t JOIN runs r ON r.pk = t.run_pk JOIN experiments e ON e.id = r.experiment_id WHERE e.workspace_id = ? ORDER BY 1, 2, 3`,
  ),
  'SELECT m.* FROM logged_models m JOIN experiments e ON e.id = m.experiment_id WHERE e.workspace_id = ? ORDER BY 1',
  ...['logged_model_tags', 'logged_model_params', 'logged_model_metrics'].map(
    (table) =>
      `SELECT t.* FROM ${table} t JOIN logged_models m ON m.pk = t.model_pk JOIN experiments e ON e.id = m.experiment_id WHERE e.workspace_id = ? ORDER BY 1, 2`,
  ),
  'SELECT * FROM registered_models WHERE workspace_id = ? ORDER BY id',
  'SELECT t.* FROM registered_model_tags t JOIN registered_models m ON m.id = t.model_id WHERE m.workspace_id = ? ORDER BY 1, 2',
  'SELECT t.* FROM model_aliases t JOIN registered_models m ON m.id = t.model_id WHERE m.workspace_id = ? ORDER BY 1, 2',
  'SELECT * FROM model_versions WHERE workspace_id = ? ORDER BY id',
  'SELECT t.* FROM model_version_tags t JOIN model_versions v ON v.id = t.version_id WHERE v.workspace_id = ? ORDER BY 1, 2',
  'SELECT * FROM artifacts WHERE workspace_id = ? ORDER BY path',
  'SELECT * FROM webhooks WHERE workspace_id = ? ORDER BY id',
  'SELECT * FROM settings WHERE workspace_id = ? ORDER BY name',
  'SELECT * FROM grants WHERE workspace_id = ? ORDER BY id',
  'SELECT seq FROM events WHERE workspace_id = ? ORDER BY seq',
];

async function everythingOf(ctx: Ctx): Promise<string> {
  const tables: unknown[] = [];
  for (const sql of TABLES) tables.push(await ctx.db.all(sql, ctx.workspace.id));
  return JSON.stringify(tables, (_name, value: unknown) => (typeof value === 'bigint' ? String(value) : value));
}

interface Asked {
  readonly path: string;
  readonly body: unknown;
}

/** One request for an endpoint of ours, whose inputs are checked; the others take whatever they know from all that is known. */
function requestsFor(method: string, path: string, { known, paths }: Made): Asked[] {
  const filled = (name: string): string =>
    encodeURIComponent(String((path.includes('deleted-models') && name === 'id' ? known.deleted_id : known[name]) ?? 'x'));
  const plain = path.replaceAll(/:(\w+)/g, (_all, name: string) => filled(name));
  if (path.startsWith('/api/v1/')) return [nativeRequest(method, path, plain, known)];
  if (plain.endsWith('*'))
    return paths
      .flatMap((each) => [each, each.split('/').slice(2).join('/')])
      .map((each) => ({ path: plain.replace('*', each), body: known }));
  return [
    {
      path: method === 'GET' || method === 'DELETE' || plain.includes('upload-artifact') ? `${plain}?${queryOf(known)}` : plain,
      body: known,
    },
  ];
}

function nativeRequest(method: string, path: string, plain: string, known: Known): Asked {
  const endpoint = endpoints.find((each) => each.method === method && each.path.replaceAll(/\{(\w+)\}/g, ':$1') === path);
  const members = (schema: unknown): Known => {
    const properties = Object.keys((schema as { properties?: object } | undefined)?.properties ?? {}); // as typebox makes objects
    const numbers = new Set(['version', 'other_version', 'versions', 'id']);
    const value = (name: string): unknown => (numbers.has(name) ? [known[name]].flat().map(Number)[0] : known[name]);
    return Object.fromEntries(properties.filter((name) => known[name] !== undefined).map((name) => [name, value(name)]));
  };
  const query = endpoint && 'query' in endpoint ? queryOf(members(endpoint.query)) : '';
  return { path: query === '' ? plain : `${plain}?${query}`, body: endpoint && 'body' in endpoint ? members(endpoint.body) : {} };
}

function queryOf(known: Known): string {
  const query = new URLSearchParams();
  for (const [name, value] of Object.entries(known)) {
    for (const each of [value].flat()) if (typeof each !== 'object') query.append(name, String(each));
  }
  return query.toString();
}

onBothDatabases('workspaces', (databaseUrl) => {
  let app: RunningApp;
  let vision: Ctx;
  let made: Made;

  beforeAll(async () => {
    const url = await databaseUrl();
    app = await openApp(url === undefined ? {} : { db: new PostgresDatabase(url) });
    for (const name of ['vision', 'speech']) await workspaces.createWorkspace(app.ctx, { name });
    vision = workspaces.within(app.ctx, await workspaces.getWorkspace(app.ctx, 'vision'));
    made = await fill(vision);
  }, 60_000);
  afterAll(() => app.close());

  const send = async (method: string, { path, body }: Asked, workspace: string) => {
    const hasBody = method !== 'GET' && method !== 'HEAD';
    const response = await fetch(`${app.url}${path}`, {
      method,
      redirect: 'manual',
      headers: { 'content-type': 'application/json', ...(workspace === '' ? {} : { 'x-mlflow-workspace': workspace }) },
      ...(hasBody ? { body: JSON.stringify(body) } : {}),
    });
    return { status: response.status, text: await response.text() };
  };

  it('shows in its own workspace what the other tests look for in others', async () => {
    const run = await send('GET', { path: `/api/2.0/mlflow/runs/get?run_id=${made.known.run_id}`, body: {} }, 'vision');
    expect(run.text).toContain(MARK);
    const file = await send('GET', { path: `/api/2.0/mlflow-artifacts/artifacts/${made.paths.at(-1)}`, body: {} }, 'vision');
    expect(file).toMatchObject({ status: 200, text: expect.stringContaining(MARK) });
    const native = await send('GET', { path: '/api/v1/models/cat', body: {} }, 'vision');
    expect(native.text).toContain(MARK);
  });

  it.each(['speech', ''])(
    "no route reads or changes anything of another workspace's, asked in '%s'",
    async (workspace) => {
      const before = await everythingOf(vision);
      expect(before.split(MARK).length).toBeGreaterThan(10);
      let asked = 0;
      for (const { method, path } of await listRoutes()) {
        if (NOT_OF_WORKSPACES.test(path)) continue;
        for (const request of requestsFor(method, path, made)) {
          const { status, text } = await send(method, request, workspace);
          asked += 1;
          const shown = `${method} ${request.path.slice(0, 300)} answered ${status}: ${text.slice(0, 600)}`;
          expect(status, shown).toBeLessThan(502);
          expect(status === 500 ? text : '', shown).toBe('');
          expect(text, shown).not.toContain(MARK);
          expect(text, shown).not.toContain('0.12345');
          expect((await everythingOf(vision)) === before, `${shown}, and changed something`).toBe(true);
        }
      }
      expect(asked).toBeGreaterThan(200);
    },
    180_000,
  );

  it('the same requests reach what they ask for in its own workspace', async () => {
    const unreached: string[] = [];
    let reached = 0;
    for (const { method, path } of await listRoutes()) {
      // What goes is asked for by none of the others.
      if (NOT_OF_WORKSPACES.test(path) || method === 'DELETE' || /delete|rename|presigned|mpu/.test(path)) continue;
      for (const request of requestsFor(method, path, made)) {
        const { status } = await send(method, request, 'vision');
        if (status < 400) reached += 1;
        else unreached.push(`${status} ${method} ${request.path.slice(0, 100)}`);
      }
    }
    expect(reached, unreached.join('\n')).toBeGreaterThan(unreached.length * 2);
  });
});
