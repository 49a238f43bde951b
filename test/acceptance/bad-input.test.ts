/** Whatever is sent: refused with a sentence, in MLflow's error shape, and nothing is written. */
import { request } from 'node:http';
import { connect } from 'node:net';
import { experimentRpcs } from '@countersign/server/mlflow/experiment-rpcs.ts';
import { loggedModelRpcs } from '@countersign/server/mlflow/logged-model-rpcs.ts';
import { modelRpcs } from '@countersign/server/mlflow/model-rpcs.ts';
import type { Rpc } from '@countersign/server/mlflow/rpc.ts';
import { runRpcs } from '@countersign/server/mlflow/run-rpcs.ts';
import { searchRpcs } from '@countersign/server/mlflow/search-rpcs.ts';
import { versionRpcs } from '@countersign/server/mlflow/version-rpcs.ts';
import { webhookRpcs } from '@countersign/server/mlflow/webhook-rpcs.ts';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { storedBlobs, temporaryFiles } from '../drills/blob-folder.ts';
import { onBothDatabases } from '../support/databases.ts';
import { call, mlflow, type RunningServer, startServer } from '../support/server.ts';
import { BROKEN_BODIES } from './hostile-inputs.ts';
import { type Existing, type Hostile, hostileRequests, JSON_TYPE, post } from './hostile-requests.ts';
import { createModel, makeModelRun, native, register } from './logged-files.ts';

const BODY_BYTES_MAX = 16 << 20;
const STACK = /\n\s+at |node:internal|\.[jt]s:\d+|Traceback|SQLITE_|SqliteError|syntax error at or near/;

// Only their paths and methods are read.
const noParts = {} as never;
const RPCS: readonly Rpc[] = [
  ...experimentRpcs,
  ...runRpcs,
  ...loggedModelRpcs(noParts),
  ...searchRpcs(noParts),
  ...modelRpcs,
  ...versionRpcs,
  ...webhookRpcs(noParts),
];

interface Refusal {
  readonly status: number;
  readonly text: string;
}

/** As written: fetch would tidy the path up. */
function send(server: RunningServer, { method, path, body, headers = {} }: Hostile): Promise<Refusal> {
  const { hostname, port } = new URL(server.url);
  return new Promise((resolve, reject) => {
    const asked = request(
      {
        hostname,
        port,
        method,
        path,
        headers: { ...headers, ...(body === undefined ? {} : { 'content-length': Buffer.byteLength(body) }) },
      },
      (response) => {
        const pieces: Buffer[] = [];
        response.on('data', (piece) => pieces.push(piece));
        response.on('end', () => resolve({ status: response.statusCode ?? 0, text: Buffer.concat(pieces).toString() }));
        response.on('error', reject);
      },
    );
    asked.on('error', reject);
    asked.end(body);
  });
}

onBothDatabases('bad input', (databaseUrl) => {
  let server: RunningServer;
  let existing: Existing;

  beforeAll(async () => {
    server = await startServer({ databaseUrl: await databaseUrl() });
    const run = await makeModelRun(server, { 'a.txt': 'a' });
    await createModel(server, 'M');
    await register(server, 'M', run);
    const { model } = await mlflow(server, 'POST', 'logged-models', { experiment_id: '0', name: 'logged' });
    existing = { runId: run.runId, experimentId: '0', loggedModelId: model.info.model_id, name: 'M' };
  });
  afterAll(async () => {
    await server?.stop();
  });

  /** All that can be seen of what is stored. */
  async function everything(): Promise<unknown> {
    const [models, versions, experiments, runs, loggedModels, files] = await Promise.all([
      mlflow(server, 'GET', 'registered-models/search?max_results=1000'),
      mlflow(server, 'GET', 'model-versions/search'),
      mlflow(server, 'POST', 'experiments/search', { view_type: 'ALL', max_results: 1000 }),
      mlflow(server, 'POST', 'runs/search', { experiment_ids: ['0'], run_view_type: 'ALL' }),
      mlflow(server, 'POST', 'logged-models/search', { experiment_ids: ['0'] }),
      call(server, 'GET', '/api/2.0/mlflow-artifacts/artifacts'),
    ]);
    return {
      ...{ models, versions, experiments, runs, loggedModels, files: files.body },
      webhooks: await mlflow(server, 'GET', 'webhooks'),
      settings: await native(server, 'GET', 'settings'),
      deleted: await native(server, 'GET', 'deleted-models'),
      // A checkpoint may be made meanwhile, by the clock.
      events: { ...(await native(server, 'GET', 'events/verification')), checkpoints: undefined },
      blobs: storedBlobs(server.dataDir)
        .map(({ path }) => path)
        .sort(),
      underWay: temporaryFiles(server.dataDir),
    };
  }

  /** What is wrong with the answer; undefined for a fine refusal. */
  function complaint(title: string, { status, text }: Refusal, mayBeTaken: boolean): string | undefined {
    const shown = `${title.slice(0, 200)} → ${status} ${text.slice(0, 300)}`;
    if (STACK.test(text)) return `shows its insides: ${shown}`;
    for (const place of [server.dataDir, process.cwd()]) if (text.includes(place)) return `shows a local path: ${shown}`;
    if (status >= 200 && status < 300) return mayBeTaken ? undefined : `taken: ${shown}`;
    if (status < 400 || status >= 500 || status === 408 || status === 429) return `wrong status: ${shown}`;
    try {
      const { error_code: code, message } = JSON.parse(text) as { error_code?: unknown; message?: unknown }; // looked into right here
      if (typeof code === 'string' && typeof message === 'string' && message.length > 10) return undefined;
    } catch {
      // Told below.
    }
    return `wrong shape: ${shown}`;
  }

  async function expectRefused(requests: readonly Hostile[], mayBeTaken: (hostile: Hostile) => boolean = () => false): Promise<void> {
    const before = await everything();
    const complaints: string[] = [];
    for (const hostile of requests) {
      const title = `${hostile.method} ${hostile.path} ${hostile.headers?.['content-type'] ?? ''} ${hostile.body?.toString() ?? ''}`;
      const answer = await send(server, hostile).catch((error: Error) => ({ status: 0, text: error.message }));
      const wrong = complaint(title, answer, mayBeTaken(hostile));
      if (wrong) complaints.push(wrong);
    }
    expect(complaints).toEqual([]);
    expect(await everything()).toEqual(before);
  }

  test('hostile requests of every family are refused', { timeout: 120_000 }, async () => {
    await expectRefused(hostileRequests(existing));
  });

  test('every MLflow call refuses bodies that are none', { timeout: 120_000 }, async () => {
    const routes = RPCS.flatMap((rpc) => rpc.methods.filter((method) => method !== 'GET').map((method) => ({ method, path: rpc.path })));
    const requests = routes.flatMap(({ method, path }) =>
      BROKEN_BODIES.map(([, body, type]) => ({
        method,
        path: at(path, method),
        body,
        headers: { 'content-type': type ?? 'application/json' },
      })),
    );
    await expectRefused(requests);
  });

  /** Reads without a condition may answer; what changes something may not. */
  const isRead = ({ method, path }: Hostile): boolean => method === 'GET' || /\/search|search-datasets/.test(path);

  test('every MLflow call refuses members of the wrong type', { timeout: 120_000 }, async () => {
    const names = [
      'name',
      'new_name',
      'run_id',
      'run_uuid',
      'experiment_id',
      'experiment_name',
      'model_id',
      'version',
      'key',
      'value',
      'stage',
      'alias',
      'source',
    ];
    const more = [
      'tags',
      'params',
      'metrics',
      'status',
      'datasets',
      'models',
      'model_json',
      'webhook_id',
      'url',
      'events',
      'filter',
      'order_by',
      'max_results',
      'experiment_ids',
      'page_token',
      'event',
      'stages',
    ];
    const junk = [{}, [[]], 1.5, true, { a: { b: 1 } }];
    const requests = RPCS.flatMap((rpc) =>
      rpc.methods.flatMap((method): Hostile[] =>
        method === 'GET'
          ? ['%00', '%ed%a0%80', '-1', "'", '../..', ''].map((value) => ({
              method,
              path: `${at(rpc.path)}?${[...names, ...more, 'metric_key', 'path', 'view_type', 'start_step', 'end_step'].map((name) => `${name}=${value}`).join('&')}`,
            }))
          : junk.map((value) => ({
              method,
              path: at(rpc.path, method),
              body: JSON.stringify(Object.fromEntries([...names, ...more].map((name) => [name, value]))),
              headers: JSON_TYPE,
            })),
      ),
    );
    await expectRefused(requests, isRead);
  });

  /** What deletes has nothing to delete: the path alone says what. */
  function at(path: string, method = 'POST'): string {
    return `/api/2.0${path}`
      .replace(':model_id', method === 'DELETE' ? 'm-nothing' : existing.loggedModelId)
      .replace(':tag_key', 'none')
      .replace(/:\w+/g, 'nothing');
  }

  test('every call of the native API refuses junk', { timeout: 120_000 }, async () => {
    const { paths } = (await call(server, 'GET', '/api/v1/openapi.json')).body;
    const requests: Hostile[] = [];
    for (const [template, operations] of Object.entries(
      paths as Record<string, Record<string, { requestBody?: object; parameters?: { name: string; in: string }[] }>>,
    )) {
      // the shape of OpenAPI 3.1
      for (const [method, { requestBody, parameters = [] }] of Object.entries(operations)) {
        const fill = (name: string, number: string): string =>
          template
            .replace(/\{(version|id)\}/g, number)
            .replace(/\{stage\}/g, 'Production')
            .replace(/\{\w+\}/g, name);
        const ask = (path: string, body?: string | Buffer, type = 'application/json'): void => {
          requests.push({ method: method.toUpperCase(), path, ...(body === undefined ? {} : { body, headers: { 'content-type': type } }) });
        };
        const right = fill('M', '1');
        if (requestBody) {
          for (const [, body, type] of BROKEN_BODIES) ask(right, body, type);
          ask(right, '{"no_such_member":1}');
          ask(right, JSON.stringify({ name: 5, version: {}, stage: [], value: 1, source: true, description: 9, refuse_unsealed: 'x' }));
        }
        if (template.includes('{') && !requestBody) {
          for (const name of ['nothing', '%00', '%ff', '__proto__', '..%2f..%2fetc%2fpasswd', '%20']) ask(fill(name, '999999'));
          for (const number of ['x', '-1', '1.5', '99999999999999999999', '%00', '1e3']) ask(fill('nothing', number));
        }
        for (const { name } of parameters.filter((each) => each.in === 'query')) {
          for (const value of ['%00', '%ff', "';--", '']) ask(`${fill('nothing', '999999')}?${name}=${value}`);
        }
        if (method === 'get') ask(`${right}?no_such_parameter=1`);
      }
    }
    expect(requests.length).toBeGreaterThan(300);
    await expectRefused(
      requests,
      // A permission is called what somebody calls it: of any name there may be no holders yet.
      ({ method, path }) =>
        method === 'GET' && /\?(with|filter|name|as_of|order_by|page_token|limit|order)=|named-permissions\/[^/]+\/holders$/.test(path),
    );
  });

  test('a body that is too large is answered 413', async () => {
    const large = Buffer.alloc(BODY_BYTES_MAX + 1, 0x20);
    const before = await everything();
    for (const hostile of [post('runs/create', {}), post('registered-models/create', {}), { ...post('x', {}), path: '/api/v1/models' }]) {
      const answer = await send(server, { ...hostile, body: large }).catch(() => undefined);
      // The server closes while the client still sends, so some clients see the answer and some the end.
      if (answer) expect(answer).toMatchObject({ status: 413, text: expect.stringContaining('REQUEST_TOO_LARGE') });
    }
    const announced = await announce(
      `POST /api/2.0/mlflow/runs/create HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: ${BODY_BYTES_MAX + 1}`,
    );
    expect(announced).toMatch(/^HTTP\/1\.1 413 .*REQUEST_TOO_LARGE/s);
    expect(await everything()).toEqual(before);
  });

  /** Sends a head and the beginning of a body; answers what came back until the connection closed. */
  function announce(head: string, body = '', leave = false): Promise<string> {
    const { hostname, port } = new URL(server.url);
    return new Promise((resolve) => {
      let text = '';
      const socket = connect(Number(port), hostname);
      socket.on('data', (piece) => {
        text += piece;
      });
      socket.on('error', () => {});
      socket.on('close', () => resolve(text));
      socket.write(`${head}\r\nHost: ${hostname}:${port}\r\nConnection: close\r\n\r\n${body}`, () => {
        if (leave) socket.end();
      });
    });
  }

  test('bodies that are cut off write nothing', async () => {
    const before = await everything();
    const json = '{"name":"cut off"}';
    for (const path of ['/api/2.0/mlflow/registered-models/create', '/api/v1/models', '/api/2.0/mlflow/runs/create']) {
      await announce(`POST ${path} HTTP/1.1\r\nContent-Type: application/json\r\nContent-Length: ${json.length + 10}`, json, true);
      await announce(
        `POST ${path} HTTP/1.1\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked`,
        `${json.length.toString(16)}\r\n${json}\r\n`,
        true,
      );
    }
    for (const path of ['cut/off.bin', `0/${existing.runId}/artifacts/model/a.txt`]) {
      await announce(`PUT /api/2.0/mlflow-artifacts/artifacts/${path} HTTP/1.1\r\nContent-Length: 3000000`, 'x'.repeat(2_000_000), true);
      await announce(`PUT /api/2.0/mlflow-artifacts/artifacts/${path} HTTP/1.1\r\nTransfer-Encoding: chunked`, '5\r\nhello\r\n', true);
    }
    expect(await announce('NONSENSE', '', true)).toMatch(/^HTTP\/1\.1 400 .*error_code/s);
    await expect.poll(() => temporaryFiles(server.dataDir)).toEqual([]);
    expect(await everything()).toEqual(before);
  });

  test('a file: source with a host answers as MLflow does', async () => {
    const answer = await call(server, 'POST', '/api/2.0/mlflow/model-versions/create', { name: 'M', source: 'file://host/path' });
    expect(answer).toMatchObject({
      status: 500,
      body: { error_code: 'INTERNAL_ERROR', message: expect.stringContaining('is not a valid remote uri') },
    });
  });

  test('names that mean something to JavaScript are names like others', async () => {
    const words = ['__proto__', 'constructor', 'toString', 'hasOwnProperty', 'prototype'];
    const { runId } = existing;
    for (const name of words) {
      const tags = [{ key: name, value: 'v' }];
      await mlflow(server, 'POST', 'registered-models/create', { name, tags });
      expect((await mlflow(server, 'GET', `registered-models/get?name=${name}`)).registered_model).toMatchObject({ name, tags });
      expect(await native(server, 'GET', `models/${name}`)).toMatchObject({ name, tags });
      await native(server, 'PUT', `models/${name}/tags/second`, { value: 'w' });
      await mlflow(server, 'POST', 'runs/log-batch', {
        run_id: runId,
        metrics: [{ key: name, value: 1, timestamp: 1 }],
        params: [{ key: name, value: 'p' }],
        tags,
      });
      const found = await mlflow(server, 'POST', 'runs/search', {
        experiment_ids: ['0'],
        filter: `tags.${name} = 'v' AND params.${name} = 'p' AND metrics.${name} = 1`,
      });
      expect(found.runs).toHaveLength(1);
    }
    const { data } = (await mlflow(server, 'GET', `runs/get?run_id=${runId}`)).run;
    for (const list of [data.metrics, data.params, data.tags])
      expect(list.map((each: { key: string }) => each.key)).toEqual(expect.arrayContaining(words));
    expect(({} as Record<string, unknown>).v).toBeUndefined();
  });

  test('integers beyond 2^53 and up to the ends of int64 come back digit by digit', async () => {
    const steps = ['9007199254740993', '9223372036854775807', '-9223372036854775808', '-9007199254740993'];
    for (const [n, step] of steps.entries()) {
      const body = `{"run_id":"${existing.runId}","key":"exact","value":${n},"timestamp":${9007199254740993n + BigInt(n)},"step":${step}}`;
      expect((await send(server, { method: 'POST', path: '/api/2.0/mlflow/runs/log-metric', body, headers: JSON_TYPE })).status).toBe(200);
    }
    // PostgreSQL writes JSON with spaces.
    const history = await send(server, {
      method: 'GET',
      path: `/api/2.0/mlflow/metrics/get-history?run_id=${existing.runId}&metric_key=exact`,
    });
    for (const [n, step] of steps.entries()) {
      expect(history.text.replaceAll(' ', '')).toContain(`"step":${step}`);
      expect(history.text.replaceAll(' ', '')).toContain(`"timestamp":${9007199254740993n + BigInt(n)}`);
    }
    const latest = await send(server, { method: 'GET', path: `/api/2.0/mlflow/runs/get?run_id=${existing.runId}` });
    expect(latest.text.replaceAll(' ', '')).toContain('"step":9223372036854775807');
  });
});
