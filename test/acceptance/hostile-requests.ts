/** Requests that no client should send, family by family. Each is to be refused; data only. */
import {
  BROKEN_FILTERS,
  BROKEN_LIMITS,
  BROKEN_ORDERS,
  BROKEN_TOKENS,
  EMPTY_PATHS,
  OUTSIDE_PATHS,
  UNTAKEN_KEYS,
  UNTAKEN_NAMES,
} from './hostile-inputs.ts';

export interface Hostile {
  readonly method: string;
  readonly path: string;
  readonly body?: string | Buffer;
  readonly headers?: Readonly<Record<string, string>>;
}

/** What exists already on the server that is asked. */
export interface Existing {
  readonly runId: string;
  readonly experimentId: string;
  readonly loggedModelId: string;
  /** Of a model with version 1. */
  readonly name: string;
}

const MLFLOW = '/api/2.0/mlflow';
const PROXY = '/api/2.0/mlflow-artifacts/artifacts';
export const JSON_TYPE = { 'content-type': 'application/json' };

export function post(path: string, body: unknown): Hostile {
  return { method: 'POST', path: `${MLFLOW}/${path}`, body: JSON.stringify(body), headers: JSON_TYPE };
}

function get(path: string): Hostile {
  return { method: 'GET', path };
}

export function hostileRequests(existing: Existing): Hostile[] {
  return [
    ...artifactRequests(existing),
    ...sourceRequests(existing),
    ...searchRequests(existing),
    ...nameRequests(existing),
    ...trackingRequests(existing),
    ...registryRequests(existing),
    ...nativeRequests(existing),
  ];
}

function artifactRequests({ runId, loggedModelId, name }: Existing): Hostile[] {
  const body = Buffer.from('bytes');
  return [
    ...[...OUTSIDE_PATHS, ...EMPTY_PATHS]
      .flatMap((path) => [
        { method: 'PUT', path: `${PROXY}/${path}`, body },
        { method: 'DELETE', path: `${PROXY}/${path}` },
        { method: 'POST', path: `/api/2.0/mlflow-artifacts/mpu/create/${path}`, body: '{"path":"x","num_parts":1}', headers: JSON_TYPE },
      ])
      .filter(({ method, path }) => method !== 'POST' || OUTSIDE_PATHS.some((outside) => path.endsWith(`/${outside}`))),
    ...OUTSIDE_PATHS.flatMap((path) => [
      get(`${PROXY}/${path}`),
      get(`${PROXY}?path=${path}`),
      get(`${MLFLOW}/artifacts/list?run_id=${runId}&path=${path}`),
      get(`/get-artifact?run_uuid=${runId}&path=${path}`),
      get(`/model-versions/get-artifact?name=${name}&version=1&path=${path}`),
      get(`${MLFLOW}/logged-models/${loggedModelId}/artifacts/directories?artifact_directory_path=${path}`),
      get(`/ajax-api/2.0/mlflow/logged-models/${loggedModelId}/artifacts/files?artifact_file_path=${path}`),
      { method: 'POST', path: `/ajax-api/2.0/mlflow/upload-artifact?run_uuid=${runId}&path=${path}`, body },
    ]),
    { method: 'PUT', path: `${PROXY}/0/${runId}/artifacts`, body },
    { method: 'PUT', path: `${PROXY}/0/${runId}/artifacts/model/MLmodel/below`, body },
    get(`${PROXY}/nothing/here.txt`),
    get(`${MLFLOW}/artifacts/list?run_id=nothing`),
    get('/get-artifact?path=x'),
    { method: 'POST', path: '/ajax-api/2.0/mlflow/upload-artifact?path=x', body },
  ];
}

function sourceRequests({ runId, loggedModelId, name }: Existing): Hostile[] {
  const sources = [
    '',
    'file:///etc/passwd',
    'file:/etc/passwd',
    'FILE:///etc/passwd',
    'file:///%2e%2e/etc',
    '/etc/passwd',
    '/tmp',
    './x',
    '../x',
    'x',
    'C:\\windows',
    'mlflow-artifacts:/../x',
    'mlflow-artifacts:/%2e%2e/x',
    'mlflow-artifacts:/%252e%252e/x',
    'mlflow-artifacts:/0/another/artifacts/model',
    `runs:/${runId}/../x`,
    `runs:/${runId}/%252e%252e/x`,
    `runs:/${runId}/a\\..\\..\\x`,
    'runs:/',
    'models:/../1',
    `models:/${name}`,
    `models:/${name}/99`,
    `models:/${name}/one`,
    `models:/${name}@nobody`,
    'models:/m-nothing',
    'models:/nothing/1',
    'http://127.0.0.1:1/x',
    'https://example.com/model',
    'ftp://example.com/model',
    's3://bucket/../x',
    's3://bucket/%2e%2e%2fx',
    's3://bucket/a\u0000',
    's3://bucket/a\nb',
    5,
    null,
    [],
  ];
  return [
    ...sources.map((source) => post('model-versions/create', { name, source })),
    ...sources.map((source) => native('POST', `models/${name}/versions`, { source })),
    ...['file:///etc/passwd', '/etc/passwd', 'mlflow-artifacts:/0/another/artifacts'].flatMap((source) => [
      post('model-versions/create', { name, source, run_id: runId }),
      post('model-versions/create', { name, source, model_id: loggedModelId }),
    ]),
    post('model-versions/create', { name, source: `models:/${loggedModelId}`, model_id: 'm-other' }),
    ...[
      's3://bucket/x?y=../..',
      's3://bucket/x#y',
      's3://bucket/x;y',
      'runs:/x',
      'mlflow-artifacts:/../x',
      'mlflow-artifacts:/%2e%2e/x',
      'mlflow-artifacts:/0',
      'mlflow-artifacts:/model-versions/1',
      'http://127.0.0.1:1/x',
      'x\u0000',
    ].map((artifact_location) => post('experiments/create', { name: 'e', artifact_location })),
  ];
}

function searchRequests({ experimentId }: Existing): Hostile[] {
  const experiments = { experiment_ids: [experimentId] };
  const searched = ['registered-models/search', 'model-versions/search'].flatMap((path) => [
    ...BROKEN_FILTERS.map((filter) => get(`${MLFLOW}/${path}?filter=${encodeURIComponent(filter)}`)).filter(
      (each) => each.path.length < 20_000,
    ),
    ...BROKEN_ORDERS.filter((order) => Array.isArray(order) && order.every((each) => typeof each === 'string')).map((order) =>
      get(`${MLFLOW}/${path}?order_by=${encodeURIComponent(String(order))}`),
    ),
    ...BROKEN_TOKENS.map((token) => get(`${MLFLOW}/${path}?page_token=${encodeURIComponent(token)}`)),
    ...['-1', 'x', '1.5', '10000000000', '9223372036854775808'].map((limit) => get(`${MLFLOW}/${path}?max_results=${limit}`)),
  ]);
  const posted = ['runs/search', 'experiments/search', 'logged-models/search'].flatMap((path) => [
    ...BROKEN_FILTERS.map((filter) => post(path, { ...experiments, filter })),
    ...BROKEN_ORDERS.map((order_by) => post(path, { ...experiments, order_by })),
    ...BROKEN_TOKENS.map((page_token) => post(path, { ...experiments, page_token })),
    ...BROKEN_LIMITS.map((max_results) => post(path, { ...experiments, max_results })),
  ]);
  return [
    ...searched,
    ...posted,
    post('runs/search', { experiment_ids: ['x'] }),
    post('runs/search', { ...experiments, run_view_type: 'NOWHERE' }),
    post('experiments/search', { view_type: 9 }),
    post('runs/search', { ...experiments, filter: "metrics.a = 'text'" }),
    post('runs/search', { ...experiments, filter: 'params.a > 1' }),
    get(`${MLFLOW}/metrics/get-history?run_id=nothing&metric_key=`),
    get(`${MLFLOW}/registered-models/search?filter=%ff`),
  ];
}

function nameRequests({ name, runId, experimentId }: Existing): Hostile[] {
  return [
    ...UNTAKEN_NAMES.flatMap((bad) => [
      post('registered-models/create', { name: bad }),
      post('registered-models/rename', { name, new_name: bad }),
      native('POST', 'models', { name: bad }),
      post('registered-models/get-latest-versions', { name: bad }),
      post('registered-models/alias', { name, alias: bad, version: '1' }),
    ]),
    ...UNTAKEN_KEYS.flatMap((key) => [
      post('registered-models/set-tag', { name, key, value: 'v' }),
      post('model-versions/set-tag', { name, version: '1', key, value: 'v' }),
      post('runs/set-tag', { run_id: runId, key, value: 'v' }),
      post('runs/log-parameter', { run_id: runId, key, value: 'v' }),
      post('runs/log-metric', { run_id: runId, key, value: 1, timestamp: 1 }),
      post('experiments/set-experiment-tag', { experiment_id: experimentId, key, value: 'v' }),
      post('runs/log-batch', { run_id: runId, metrics: [], params: [{ key: 'fine', value: '1' }], tags: [{ key, value: 'v' }] }),
      post('registered-models/create', { name: 'tagged', tags: [{ key, value: 'v' }] }),
    ]),
  ];
}

function trackingRequests({ runId, experimentId, loggedModelId }: Existing): Hostile[] {
  const point = { run_id: runId, key: 'k', value: 1, timestamp: 1, step: 0 };
  const integers = ['9223372036854775808', '-9223372036854775809', '99999999999999999999999'];
  const raw = (member: string, text: string): Hostile => ({
    ...post('runs/log-metric', {}),
    body: JSON.stringify({ ...point, [member]: '?' }).replace('"?"', text),
  });
  return [
    ...integers.flatMap((text) => [raw('step', text), raw('timestamp', text), raw('step', `"${text}"`)]),
    raw('step', '1e30'),
    raw('step', '1.5'),
    raw('value', '"text"'),
    raw('value', 'null'),
    raw('value', '{}'),
    raw('value', '1e'),
    raw('timestamp', '"tomorrow"'),
    post('runs/log-metric', { key: 'k', value: 1, timestamp: 1 }),
    post('runs/log-metric', { ...point, run_id: 'nothing' }),
    post('runs/log-metric', { ...point, run_id: ['x'] }),
    post('runs/update', { run_id: runId, status: 'DANCING' }),
    post('runs/update', { run_id: runId, status: 99 }),
    post('runs/update', { run_id: runId, end_time: 'late' }),
    post('runs/create', { experiment_id: 'x' }),
    post('runs/create', { experiment_id: '999999' }),
    post('runs/create', { experiment_id: '9999999999999999999999' }),
    post('runs/create', { experiment_id: experimentId, start_time: '9223372036854775808' }),
    post('runs/create', { experiment_id: experimentId, tags: { a: 'b' } }),
    post('runs/create', { experiment_id: experimentId, tags: [['a', 'b']] }),
    post('runs/create', { experiment_id: experimentId, tags: [null] }),
    post('runs/delete', { run_id: '../x' }),
    post('runs/restore', {}),
    post('runs/log-batch', { run_id: runId, metrics: Array.from({ length: 1001 }, () => ({ key: 'k', value: 1, timestamp: 1, step: 0 })) }),
    post('runs/log-batch', { run_id: runId, params: Array.from({ length: 101 }, (_each, n) => ({ key: `p${n}`, value: '1' })) }),
    post('runs/log-batch', {
      run_id: runId,
      params: [
        { key: 'p', value: '1' },
        { key: 'p', value: '2' },
      ],
    }),
    post('runs/log-batch', { run_id: runId, params: [{ key: 'whole', value: '1' }], metrics: [{ key: 'm', value: 'text', timestamp: 1 }] }),
    post('runs/log-model', { run_id: runId, model_json: '{' }),
    post('runs/log-inputs', { run_id: runId, datasets: [{}] }),
    post('runs/log-inputs', { run_id: runId, datasets: 'x' }),
    post('runs/outputs', { run_id: runId, models: [{}] }),
    post('experiments/create', { name: '' }),
    post('experiments/create', {}),
    post('experiments/create', { name: ['x'] }),
    post('experiments/create', { name: 'Default' }),
    post('experiments/delete', { experiment_id: '-1' }),
    post('experiments/update', { experiment_id: experimentId, new_name: 5 }),
    get(`${MLFLOW}/experiments/get?experiment_id=abc`),
    get(`${MLFLOW}/experiments/get-by-name?experiment_name=%00`),
    get(`${MLFLOW}/runs/get`),
    get(`${MLFLOW}/runs/get?run_id=%2e%2e`),
    post('logged-models', { experiment_id: 'x' }),
    post('logged-models', { experiment_id: experimentId, name: 'a/b' }),
    post('logged-models', { experiment_id: experimentId, params: [{ key: '', value: '' }] }),
    { method: 'PATCH', path: `${MLFLOW}/logged-models/${loggedModelId}`, body: '{"status":"FINE"}', headers: JSON_TYPE },
    { method: 'PATCH', path: `${MLFLOW}/logged-models/m-nothing`, body: '{"status":"LOGGED_MODEL_READY"}', headers: JSON_TYPE },
    get(`${MLFLOW}/logged-models/%2e%2e`),
    get(`${MLFLOW}/logged-models/a%00b`),
    get('/get-artifact?run_id=%00&path=a'),
    get('/model-versions/get-artifact?name=%00&version=1&path=a'),
    get('/ajax-api/2.0/mlflow/logged-models/%00/artifacts/files?artifact_file_path=a'),
    get('/login/start?provider=%00'),
  ];
}

function registryRequests({ name }: Existing): Hostile[] {
  const versions = ['0', '-1', '99', '1.5', 'one', '9223372036854775808', '99999999999999999999999999', '', ' ', '1;', '0x1', 'NaN'];
  const remove = (path: string, body: unknown): Hostile => ({ ...post(path, body), method: 'DELETE' });
  return [
    ...versions.flatMap((version) => [
      get(`${MLFLOW}/model-versions/get?name=${name}&version=${encodeURIComponent(version)}`),
      get(`${MLFLOW}/model-versions/get-download-uri?name=${name}&version=${encodeURIComponent(version)}`),
      post('model-versions/transition-stage', { name, version, stage: 'Production' }),
      post('registered-models/alias', { name, alias: 'a', version }),
      post('model-versions/set-tag', { name, version, key: 'k', value: 'v' }),
      post('model-versions/update', { name, version, description: 'd' }),
      remove('model-versions/delete', { name, version }),
      remove('model-versions/delete-tag', { name, version, key: 'k' }),
      native('PUT', `models/${name}/versions/${encodeURIComponent(version)}/stage`, { stage: 'Production' }),
      native('DELETE', `models/${name}/versions/${encodeURIComponent(version)}`),
      native('POST', `models/${name}/versions/${encodeURIComponent(version)}/seal`),
    ]),
    ...['Nowhere', '', 'production;', 5, null, ['Production'], '__proto__', 'constructor'].map((stage) =>
      post('model-versions/transition-stage', { name, version: '1', stage }),
    ),
    post('model-versions/transition-stage', { name, version: '1', stage: 'Production', archive_existing_versions: 'perhaps' }),
    ...['latest', 'LATEST', 'v1', 'a b', 'a/b', '../x', 'a.b', 'x'.repeat(300)].map((alias) =>
      post('registered-models/alias', { name, alias, version: '1' }),
    ),
    post('registered-models/create', { name }),
    post('registered-models/create', { name: 'x', tags: 'no' }),
    post('registered-models/create', { name: 'x', tags: [{ key: 'k', value: 'x'.repeat(200_000) }] }),
    post('registered-models/set-tag', { name, key: 'k', value: '\ud800' }),
    post('registered-models/update', { name, description: { a: 1 } }),
    post('registered-models/update', { name: 'nothing', description: 'x' }),
    remove('registered-models/delete', { name: '__proto__' }),
    remove('registered-models/delete', {}),
    remove('registered-models/alias', { name: 'nothing', alias: 'a' }),
    get(`${MLFLOW}/registered-models/get?name=`),
    get(`${MLFLOW}/registered-models/get?name=__proto__`),
    get(`${MLFLOW}/registered-models/get?name=%ED%A0%80`),
    post('webhooks', { name: 'w', url: 'file:///etc/passwd', events: [{ entity: 'MODEL_VERSION', action: 'CREATED' }] }),
    post('webhooks', { name: 'w', url: 'http://127.0.0.1/', events: [{ entity: 'MODEL_VERSION', action: 'CREATED' }] }),
    post('webhooks', { name: 'w', url: 'https://example.com', events: [{ entity: 'NOTHING', action: 'CREATED' }] }),
    post('webhooks', { name: 'w', url: 'https://example.com', events: [] }),
  ];
}

function native(method: string, path: string, body?: unknown): Hostile {
  return { method, path: `/api/v1/${path}`, ...(body === undefined ? {} : { body: JSON.stringify(body), headers: JSON_TYPE }) };
}

function nativeRequests({ name }: Existing): Hostile[] {
  return [
    ...['limit=0', 'limit=-1', 'limit=x', 'limit=1001', 'limit=1.5', 'page_token=zzz', 'page_token=%00', 'unknown=1', 'order=sideways'].map(
      (query) => get(`/api/v1/events?${query}`),
    ),
    ...['filter=name%20=', 'order_by=nowhere', 'limit=0', 'page_token=zzz', 'filter=%ff'].map((query) => get(`/api/v1/models?${query}`)),
    ...['yesterday', '-1', '1e99', '2026-02-30T00:00:00Z', '', '%00'].flatMap((at) => [
      get(`/api/v1/models/${name}/stages/Production?as_of=${at}`),
      get(`/api/v1/models/${name}/aliases/a?as_of=${at}`),
    ]),
    ...['2.5', 'x', '', 'nothing/1', `${name}/0`, '../1', '99'].map((other) =>
      get(`/api/v1/models/${name}/versions/1/comparison?with=${encodeURIComponent(other)}`),
    ),
    get(`/api/v1/models/${name}/stages/Nowhere`),
    get('/api/v1/models/by-id/x/events'),
    get('/api/v1/models/by-id/99999999999999999999/events'),
    get('/api/v1/models/nothing'),
    get('/api/v1/models/%00'),
    get('/api/v1/models/%ff'),
    get('/api/v1/models/..%2f..%2fetc'),
    get('/api/v1/nothing'),
    native('PATCH', 'settings', { refuse_unsealed: 'yes' }),
    native('PATCH', 'settings', { nothing: true }),
    native('PATCH', 'settings', { protected_stages: ['Nowhere'] }),
    native('PATCH', 'settings', { protected_stages: 'Production' }),
    native('PATCH', 'settings', { __proto__x: true }),
    native('POST', 'models', { name: 'x', tags: [{ key: 'k' }] }),
    native('POST', 'models', { name: 'x', extra: 1 }),
    native('POST', 'models', { name: 'x', tags: Array.from({ length: 101 }, (_each, n) => ({ key: `k${n}`, value: '' })) }),
    native('PUT', `models/${name}/aliases/a`, { version: '1' }),
    native('PUT', `models/${name}/aliases/latest`, { version: 1 }),
    native('PUT', `models/${name}/tags/a%00b`, { value: 'x' }),
    native('PUT', `models/${name}/tags/..%2fx`, { value: 'x' }),
    native('PUT', `models/${name}/tags/k`, { value: 'a\u0000' }),
    native('PUT', `models/${name}/tags/k`, { value: 5 }),
    native('POST', 'deleted-models/999999/restore', {}),
    native('DELETE', 'deleted-models/999999?confirm=x'),
    native('DELETE', 'deleted-models/x?confirm=x'),
    native('POST', `models/${name}/deleted-versions/1/restore`),
  ];
}
