/** Requests made at random from the names, ids and words that the API knows: never a 5xx, never an answer without MLflow's shape. */
import { experimentRpcs } from '@countersign/server/mlflow/experiment-rpcs.ts';
import { loggedModelRpcs } from '@countersign/server/mlflow/logged-model-rpcs.ts';
import { modelRpcs } from '@countersign/server/mlflow/model-rpcs.ts';
import type { Rpc } from '@countersign/server/mlflow/rpc.ts';
import { runRpcs } from '@countersign/server/mlflow/run-rpcs.ts';
import { searchRpcs } from '@countersign/server/mlflow/search-rpcs.ts';
import { versionRpcs } from '@countersign/server/mlflow/version-rpcs.ts';
import fc from 'fast-check';
import { afterAll, beforeAll, expect, test } from 'vitest';
import { counts } from '../counts.ts';
import { onBothDatabases } from '../support/databases.ts';
import { type Answer, call, mlflow, type RunningServer, startServer } from '../support/server.ts';
import { createModel, makeModelRun, native, register } from './logged-files.ts';

// Only their paths and methods are read.
const noParts = {} as never;
const RPCS: readonly Rpc[] = [
  ...experimentRpcs,
  ...runRpcs,
  ...loggedModelRpcs(noParts),
  ...searchRpcs(noParts),
  ...modelRpcs,
  ...versionRpcs,
];
const TIMEOUT_MS = 300_000;

const junk = fc.oneof(
  fc.string({ unit: 'binary', maxLength: 30 }),
  fc.constantFrom(
    '',
    ' ',
    '0',
    '-1',
    '1',
    '9223372036854775807',
    '-9223372036854775808',
    '1e400',
    'NaN',
    'inf',
    '../x',
    '%2e%2e',
    "'",
    '"',
    '`',
    '\\',
    '%',
    '_',
    '😀',
    'ß',
    '\u0130',
  ),
  fc.integer(),
  fc.maxSafeInteger(),
  fc.double(),
  fc.boolean(),
  fc.constant(null),
  fc.array(fc.jsonValue({ maxDepth: 1 }), { maxLength: 3 }),
  fc.dictionary(fc.string({ maxLength: 8 }), fc.jsonValue({ maxDepth: 1 }), { maxKeys: 3 }),
);

const pair = fc.record({ key: fc.oneof(fc.constantFrom('k', 'm', 'n'), junk), value: fc.oneof(fc.constantFrom('v', '1', 'NaN'), junk) });
const point = fc.record({
  key: fc.constantFrom('k', 'm', 'n', 'a/b'),
  value: fc.oneof(fc.double(), fc.constantFrom('NaN', '-Infinity', '1'), junk),
  timestamp: fc.oneof(fc.maxSafeInteger(), fc.constantFrom('9223372036854775807', '-9223372036854775808'), junk),
  step: fc.oneof(fc.maxSafeInteger(), fc.constantFrom('9223372036854775807'), junk),
});

const WORDS = [
  'metrics.m',
  'metrics.`a b`',
  'params.k',
  'tags.k',
  'tag.k',
  'attributes.run_name',
  'attributes.start_time',
  'attribute.status',
  'name',
  'run_id',
  'version_number',
  'creation_timestamp',
  'last_updated_timestamp',
  'creation_time',
  'user_id',
  'source_path',
  'dataset.name',
  'model_id',
];
const OPERATORS = ['=', '!=', '>', '<=', 'LIKE', 'ILIKE', 'IN', 'NOT IN', 'IS NULL', 'IS NOT NULL', 'RLIKE'];
const VALUES = [
  "'v'",
  "'%'",
  "'_%\\'",
  '1',
  '-1.5',
  '1e400',
  '9223372036854775808',
  "('a', 'b')",
  "('a')",
  '(1, 2)',
  "''",
  '"v"',
  "'😀%'",
  "'İ'",
  'NaN',
  "'RUNNING'",
  '',
];
const clause = fc
  .tuple(fc.constantFrom(...WORDS), fc.constantFrom(...OPERATORS), fc.constantFrom(...VALUES))
  .map((parts) => parts.join(' '));
const filter = fc.array(clause, { minLength: 1, maxLength: 3 }).map((clauses) => clauses.join(' AND '));
const order = fc.tuple(fc.constantFrom(...WORDS), fc.constantFrom('', 'ASC', 'DESC', 'desc')).map((parts) => parts.join(' ').trim());

interface Known {
  readonly runId: string;
  readonly modelId: string;
}

/** A likely value for a member, or junk. */
function members({ runId, modelId }: Known): fc.Arbitrary<Record<string, unknown>> {
  const likely = (...values: (string | number | boolean)[]): fc.Arbitrary<unknown> =>
    fc.oneof({ weight: 4, arbitrary: fc.constantFrom(...values) }, { weight: 1, arbitrary: junk });
  const list = (item: fc.Arbitrary<unknown>): fc.Arbitrary<unknown> =>
    fc.oneof({ weight: 4, arbitrary: fc.array(item, { maxLength: 4 }) }, { weight: 1, arbitrary: junk });
  const all: Record<string, fc.Arbitrary<unknown>> = {
    name: likely('M', 'N', 'O'),
    new_name: likely('M', 'N', 'O'),
    run_name: likely('r'),
    experiment_name: likely('Default', 'E'),
    run_id: likely(runId),
    run_uuid: likely(runId),
    model_id: likely(modelId),
    experiment_id: likely('0', '1'),
    source_run_id: likely(runId, ''),
    version: likely('1', '2', '3'),
    stage: likely('Production', 'staging', 'None'),
    archive_existing_versions: likely(true, false),
    alias: likely('a', 'b'),
    source: likely(`runs:/${runId}/model`, `models:/${modelId}`, 's3://b/x', 'models:/M/1', 'models:/M@a'),
    description: likely('d'),
    status: likely('FINISHED', 'LOGGED_MODEL_READY', 2),
    key: likely('k', 'm'),
    value: likely('v', 1),
    timestamp: likely(1, '5'),
    step: likely(0, '7'),
    start_time: likely(1),
    end_time: likely(2),
    user_id: likely('u'),
    tags: list(pair),
    params: list(pair),
    metrics: list(point),
    models: list(fc.record({ model_id: likely(modelId), step: likely(0) })),
    stages: list(likely('None', 'Production')),
    datasets: list(
      fc.record({
        dataset: fc.record({ name: likely('d'), digest: likely('x'), source_type: likely('s'), source: likely('s') }),
        tags: list(pair),
      }),
    ),
    filter: fc.oneof(filter, junk),
    max_results: likely(1, 5, '3'),
    page_token: likely('', 'x'),
    experiment_ids: list(likely('0', '1')),
    view_type: likely('ALL', 1),
    run_view_type: likely('ALL', 'DELETED_ONLY'),
    metric_key: likely('m'),
    model_json: likely('{}', '{"run_id":"x","flavors":{},"artifact_path":"m","utc_time_created":"t"}'),
    path: likely('model', ''),
    run_ids: list(likely(runId)),
  };
  return fc.record(all, { requiredKeys: ['name', 'run_id', 'experiment_id', 'key', 'version'] });
}

onBothDatabases('random input', (databaseUrl) => {
  let server: RunningServer;
  let known: Known;

  beforeAll(async () => {
    server = await startServer({ databaseUrl: await databaseUrl() });
    const run = await makeModelRun(server);
    await createModel(server, 'M');
    await register(server, 'M', run);
    const { model } = await mlflow(server, 'POST', 'logged-models', { experiment_id: '0', name: 'logged' });
    await mlflow(server, 'POST', 'experiments/create', { name: 'E' });
    known = { runId: run.runId, modelId: model.info.model_id };
  });
  afterAll(async () => {
    await server?.stop();
  });

  function check(answer: Answer, asked: unknown): void {
    const isFine =
      answer.status === 200 ||
      (answer.status >= 400 && answer.status < 500 && typeof answer.body?.error_code === 'string' && answer.body.message.length > 0);
    if (!isFine) throw new Error(`${JSON.stringify(asked)} answered ${answer.status}: ${JSON.stringify(answer.body)}`);
  }

  test('every MLflow call answers or refuses', { timeout: TIMEOUT_MS }, async () => {
    const requests = fc.tuple(fc.constantFrom(...RPCS), members(known), fc.nat());
    await fc.assert(
      fc.asyncProperty(requests, async ([rpc, body, n]) => {
        const method = rpc.methods[n % rpc.methods.length] ?? 'POST';
        const path = `/api/2.0${rpc.path}`.replace(':model_id', known.modelId).replace(':tag_key', 'k');
        if (method !== 'GET') return check(await call(server, method, path, body), { method, path, body });
        const query = Object.entries(body).map(
          ([name, value]) => `${name}=${encodeURIComponent(typeof value === 'string' ? value.toWellFormed() : JSON.stringify(value))}`,
        );
        check(await call(server, method, `${path}?${query.join('&')}`), { method, path, query });
      }),
      { numRuns: counts.propertyRuns * 5 },
    );
  });

  test('every search answers or refuses', { timeout: TIMEOUT_MS }, async () => {
    const searches = fc.record({
      filter: fc.oneof({ weight: 5, arbitrary: filter }, { weight: 1, arbitrary: fc.string({ unit: 'binary' }) }),
      order_by: fc.array(order, { maxLength: 2 }),
      max_results: fc.integer({ min: 1, max: 20 }),
    });
    await fc.assert(
      fc.asyncProperty(searches, async ({ filter: text, order_by, max_results }) => {
        for (const path of ['runs/search', 'experiments/search', 'logged-models/search']) {
          const orders = path.startsWith('logged')
            ? order_by.map((each) => ({ field_name: each.split(' ')[0], ascending: !/desc/i.test(each) }))
            : order_by;
          const body = { experiment_ids: ['0', '1'], filter: text, order_by: orders, max_results };
          check(await call(server, 'POST', `/api/2.0/mlflow/${path}`, body), { path, body });
        }
        const query = `filter=${encodeURIComponent(text.toWellFormed())}&max_results=${max_results}${order_by.map((each) => `&order_by=${encodeURIComponent(each)}`).join('')}`;
        for (const path of ['registered-models/search', 'model-versions/search'])
          check(await call(server, 'GET', `/api/2.0/mlflow/${path}?${query}`), { path, query });
      }),
      { numRuns: counts.propertyRuns },
    );
  });

  test('after all of it the chain verifies, and the log has no error', async () => {
    expect(await native(server, 'GET', 'events/verification')).toMatchObject({ ok: true });
    expect(server.log()).not.toMatch(/"level":(50|60|"error"|"fatal")/);
  });
});
