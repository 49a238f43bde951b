/** A session of many kinds of calls that a server answers from its database: names of many alphabets, numbers at their ends, pages. */

const MLFLOW = '/api/2.0/mlflow';

/** Steps ask one after another; `remember` keeps what later steps need. */
export interface Session {
  readonly ask: (method: string, path: string, body?: unknown) => Promise<Reply>;
  readonly put: (path: string, bytes: Uint8Array<ArrayBuffer>) => Promise<void>;
}

// biome-ignore lint/suspicious/noExplicitAny: black-box tests look into whatever came back
type Reply = any;

const WORDS = [
  'Äpfel',
  'äpfel',
  'ÄPFEL',
  'apfel',
  'Apfel',
  'zebra',
  'Zebra',
  'Ωmega',
  'ωmega',
  'ΩMEGA',
  'straße',
  'STRASSE',
  'İstanbul',
  'istanbul',
  'a_b',
  'aXb',
  'a%b',
  'a\\b',
  '日本',
  '日本語',
  '😀',
  '😀😀',
  '\uffee',
  "it's",
  'a b',
  'a-b',
  'a.b',
  '10',
  '9',
  'é',
  'e\u0301',
];
const PATTERNS = [
  '%pfel',
  'Ä%',
  'ä%',
  'a_b',
  'a\\_b',
  '%\\%%',
  '%ß%',
  '%SS%',
  'ω%',
  'Ω%',
  'i%',
  'İ%',
  '日_',
  '日%',
  '😀',
  '_',
  '__',
  "%'%",
  '%',
  '',
  'É',
  'z%a',
  '%.%',
  'A%',
];
const ORDERS = ['name ASC', 'name DESC', 'last_updated_timestamp ASC', 'last_updated_timestamp DESC, name DESC'];

const quoted = (text: string): string => (text.includes("'") ? `"${text}"` : `'${text}'`);
const query = (members: Readonly<Record<string, string | number>>): string =>
  new URLSearchParams(Object.fromEntries(Object.entries(members).map(([key, value]) => [key, String(value)]))).toString();

async function playRegistry({ ask }: Session): Promise<void> {
  for (const [n, name] of WORDS.entries()) {
    await ask('POST', `${MLFLOW}/registered-models/create`, {
      name,
      tags: [
        { key: 'word', value: name },
        { key: 'n', value: String(n % 3) },
      ],
      ...(n % 2 ? { description: `${name}?` } : {}),
    });
  }
  for (const pattern of PATTERNS) {
    for (const operator of ['LIKE', 'ILIKE']) {
      await ask('GET', `${MLFLOW}/registered-models/search?${query({ filter: `name ${operator} ${quoted(pattern)}` })}`);
      await ask(
        'GET',
        `${MLFLOW}/registered-models/search?${query({ filter: `tags.word ${operator} ${quoted(pattern)} AND tags.n = '1'` })}`,
      );
    }
  }
  for (const order_by of ORDERS) await ask('GET', `${MLFLOW}/registered-models/search?${query({ order_by, max_results: 7 })}`);
  await playPages(ask, (page_token) => [
    'GET',
    `${MLFLOW}/registered-models/search?${query({ max_results: 4, order_by: 'name DESC', ...(page_token ? { page_token } : {}) })}`,
  ]);
  for (const name of ["name = 'Äpfel'", "name != 'zebra' AND name != 'Zebra'", "tags.n != '1'", "tags.absent = 'x'", "name = ''"])
    await ask('GET', `${MLFLOW}/registered-models/search?${query({ filter: name })}`);
}

/** All pages, in order. */
async function playPages(
  ask: Session['ask'],
  page: (token: string | undefined) => readonly [method: string, path: string, body?: unknown],
): Promise<void> {
  let token: string | undefined;
  do {
    const answer = await ask(...page(token));
    token = answer?.next_page_token ?? undefined;
  } while (token);
}

async function playVersions({ ask, put }: Session): Promise<void> {
  const { run } = await ask('POST', `${MLFLOW}/runs/create`, { experiment_id: '0', start_time: 1, run_name: 'source' });
  const root = run.info.artifact_uri.replace('mlflow-artifacts:/', '');
  await put(`${root}/model/MLmodel`, new Uint8Array(Buffer.from('flavors: {}\n')));
  for (const file of ['ä.txt', 'z.txt', 'Z.txt', 'a/b.txt', 'a.txt'])
    await put(`${root}/model/${encodeURIComponent(file).replace('%2F', '/')}`, new Uint8Array(Buffer.from(file)));
  await ask('GET', `/api/2.0/mlflow-artifacts/artifacts?path=${root}/model`);
  for (let n = 0; n < 6; n++) {
    const source = n % 3 === 2 ? 's3://bucket/model' : `runs:/${run.info.run_id}/model`;
    await ask('POST', `${MLFLOW}/model-versions/create`, {
      name: 'zebra',
      source,
      run_id: run.info.run_id,
      tags: [{ key: 'n', value: `${n}` }],
      description: n % 2 ? 'odd' : '',
    });
  }
  await ask('POST', `${MLFLOW}/model-versions/create`, { name: 'Zebra', source: 'models:/zebra/2' });
  const move = (version: number, stage: string, archive_existing_versions = false): Promise<Reply> =>
    ask('POST', `${MLFLOW}/model-versions/transition-stage`, { name: 'zebra', version: String(version), stage, archive_existing_versions });
  await move(1, 'Staging');
  await move(2, 'production');
  await move(3, 'Production', true);
  await move(4, 'Nowhere');
  for (const [alias, version] of [
    ['champion', '3'],
    ['Champion', '2'],
    ['größe', '1'],
    ['latest', '1'],
    ['old', '99'],
  ])
    await ask('POST', `${MLFLOW}/registered-models/alias`, { name: 'zebra', alias, version });
  for (const alias of ['champion', 'Champion', 'größe', 'none', 'latest'])
    await ask('GET', `${MLFLOW}/registered-models/alias?${query({ name: 'zebra', alias })}`);
  await ask('GET', `${MLFLOW}/registered-models/get?name=zebra`);
  await ask('POST', `${MLFLOW}/registered-models/get-latest-versions`, { name: 'zebra' });
  const filters = [
    "name = 'zebra'",
    "name ILIKE 'ZEBRA'",
    "run_id = 'none'",
    "tags.n = '3'",
    "tag.n != '3'",
    'version_number > 3',
    'version_number IN (1, 2)',
    "source_path LIKE 's3:%'",
    "name LIKE '%bra' AND version_number <= 2",
  ];
  for (const filter of filters) await ask('GET', `${MLFLOW}/model-versions/search?${query({ filter })}`);
  for (const order_by of ['version_number ASC', 'version_number DESC', 'name DESC', 'creation_timestamp ASC'])
    await ask('GET', `${MLFLOW}/model-versions/search?${query({ order_by, max_results: 3 })}`);
  await playPages(ask, (page_token) => [
    'GET',
    `${MLFLOW}/model-versions/search?${query({ max_results: 2, order_by: 'version_number ASC', ...(page_token ? { page_token } : {}) })}`,
  ]);
  await ask('DELETE', `${MLFLOW}/model-versions/delete`, { name: 'zebra', version: '2' });
  await ask('GET', '/api/v1/models/zebra/deleted-versions');
  await ask('POST', '/api/v1/models/zebra/deleted-versions/2/restore');
  await ask('GET', '/api/v1/models/zebra/versions?limit=4');
  await ask('GET', '/api/v1/models/zebra/versions/1/files');
  await ask('GET', '/api/v1/models/zebra/versions/1/comparison?with=2');
  await ask('GET', '/api/v1/models/zebra/stages/Archived');
  await ask('POST', `${MLFLOW}/registered-models/rename`, { name: 'zebra', new_name: 'Zebra' });
  await ask('POST', `${MLFLOW}/registered-models/rename`, { name: 'zebra', new_name: 'Žebra' });
  await ask('DELETE', `${MLFLOW}/registered-models/delete`, { name: 'Žebra' });
  await ask('POST', `${MLFLOW}/registered-models/create`, { name: 'Žebra' });
  await ask('GET', '/api/v1/deleted-models');
}

const VALUES = [
  0,
  -0,
  1.5,
  -1e308,
  1e-320,
  0.1,
  123456789.12345679,
  1e21,
  'NaN',
  'Infinity',
  '-Infinity',
  4.9e-324,
  1.7976931348623157e308,
];

async function playTracking({ ask }: Session): Promise<void> {
  const { experiment_id } = await ask('POST', `${MLFLOW}/experiments/create`, { name: 'Ordnung', tags: [{ key: 'größe', value: 'ä' }] });
  for (const name of ['ordnung', 'ORDNUNG', 'Ördnung']) await ask('POST', `${MLFLOW}/experiments/create`, { name });
  for (const filter of ["name LIKE 'ord%'", "name ILIKE 'örd%'", "name ILIKE 'ORD%'", "tags.größe = 'ä'"])
    await ask('POST', `${MLFLOW}/experiments/search`, { filter, order_by: ['name ASC'] });
  const runIds: string[] = [];
  for (const [n, value] of VALUES.entries()) {
    const { run } = await ask('POST', `${MLFLOW}/runs/create`, {
      experiment_id,
      start_time: 1000 + (n % 4),
      run_name: WORDS[n],
      user_id: n % 2 ? 'ada' : 'Ada',
    });
    runIds.push(run.info.run_id);
    const metrics = [{ key: 'm', value, timestamp: 5, step: 0 }, ...(n % 3 ? [{ key: 'sparse', value: n, timestamp: 1, step: n }] : [])];
    await ask('POST', `${MLFLOW}/runs/log-batch`, {
      run_id: run.info.run_id,
      metrics,
      params: [{ key: 'p', value: WORDS[n] ?? '' }],
      tags: [{ key: 't', value: WORDS[(n * 7) % WORDS.length] ?? '' }],
    });
  }
  for (const run_id of runIds) await ask('GET', `${MLFLOW}/metrics/get-history?${query({ run_id, metric_key: 'm' })}`);
  const [first = ''] = runIds;
  for (const [step, value] of [
    ['9223372036854775807', 1],
    ['-9223372036854775808', 2],
    ['9007199254740993', 'NaN'],
    ['0', 3],
    ['0', 'Infinity'],
    ['0', -1],
  ] as const) {
    await ask('POST', `${MLFLOW}/runs/log-metric`, { run_id: first, key: 'history', value, timestamp: 7, step });
  }
  await ask('POST', `${MLFLOW}/runs/log-metric`, { run_id: first, key: 'history', value: 9, timestamp: '9223372036854775807', step: 1 });
  await ask('GET', `${MLFLOW}/metrics/get-history?${query({ run_id: first, metric_key: 'history' })}`);
  await playPages(ask, (page_token) => [
    'GET',
    `${MLFLOW}/metrics/get-history?${query({ run_id: first, metric_key: 'history', max_results: 2, ...(page_token ? { page_token } : {}) })}`,
  ]);
  await ask('GET', `/ajax-api/2.0/mlflow/metrics/get-history-bulk?${query({ run_id: first, metric_key: 'history' })}`);
  await ask(
    'GET',
    `/ajax-api/2.0/mlflow/metrics/get-history-bulk-interval?${query({ run_ids: first, metric_key: 'history', max_results: 3 })}`,
  );
  await ask('GET', `${MLFLOW}/runs/get?run_id=${first}`);
  await ask('POST', `${MLFLOW}/runs/log-parameter`, { run_id: first, key: 'p', value: 'other' });
  const search = (members: object): Promise<Reply> => ask('POST', `${MLFLOW}/runs/search`, { experiment_ids: [experiment_id], ...members });
  for (const filter of [
    'metrics.m > 0',
    'metrics.m < 1',
    'metrics.m != 0',
    'metrics.m = 0',
    'metrics.m >= 1.5',
    'metrics.sparse > 3',
    "params.p LIKE '%pfel'",
    "params.p ILIKE 'äp%'",
    "tags.t != 'zebra'",
    "attributes.run_name ILIKE 'ä%'",
    "attributes.user_id = 'ada'",
    'attributes.start_time > 1001',
    "attributes.status = 'RUNNING'",
    'tags.t IS NULL',
    "params.p = 'Äpfel' AND metrics.m = 0",
  ]) {
    await search({ filter, order_by: ['attributes.run_name ASC'] });
  }
  for (const order of [
    'metrics.m ASC',
    'metrics.m DESC',
    'metrics.sparse ASC',
    'metrics.sparse DESC',
    'params.p ASC',
    'params.p DESC',
    'tags.t ASC',
    'attributes.start_time ASC',
    'attributes.user_id DESC',
    'attributes.run_name DESC',
  ]) {
    await search({ order_by: [order, 'attributes.run_name ASC'] });
    await playPages(ask, (page_token) => [
      'POST',
      `${MLFLOW}/runs/search`,
      {
        experiment_ids: [experiment_id],
        order_by: [order, 'attributes.run_name ASC'],
        max_results: 5,
        ...(page_token ? { page_token } : {}),
      },
    ]);
  }
  await ask('POST', `${MLFLOW}/runs/update`, { run_id: first, status: 'FINISHED', end_time: '9007199254740993' });
  await ask('POST', `${MLFLOW}/runs/delete`, { run_id: first });
  await search({ run_view_type: 'DELETED_ONLY' });
  await ask('POST', `${MLFLOW}/runs/set-tag`, { run_id: first, key: 't', value: 'x' });
  await ask('POST', `${MLFLOW}/experiments/delete`, { experiment_id });
  await ask('POST', `${MLFLOW}/experiments/search`, { view_type: 'DELETED_ONLY' });
}

async function playLoggedModels({ ask }: Session): Promise<void> {
  for (const [n, name] of ['b', 'B', 'ä', 'Ä', 'a'].entries()) {
    const made = await ask('POST', `${MLFLOW}/logged-models`, {
      experiment_id: '0',
      name,
      params: [{ key: 'depth', value: String(n) }],
      tags: [{ key: 'n', value: WORDS[n] }],
    });
    if (n % 2) await ask('PATCH', `${MLFLOW}/logged-models/${made.model.info.model_id}`, { status: 'LOGGED_MODEL_READY' });
  }
  const search = (members: object): Promise<Reply> => ask('POST', `${MLFLOW}/logged-models/search`, { experiment_ids: ['0'], ...members });
  for (const field_name of ['name', 'creation_timestamp'])
    for (const ascending of [true, false]) await search({ order_by: [{ field_name, ascending }] });
  for (const filter of ["name = 'b'", "name LIKE 'ä'", "name ILIKE 'Ä'", "params.depth = '2'", "tags.n != 'Äpfel'", "status = 'READY'"])
    await search({ filter, order_by: [{ field_name: 'name' }] });
  await playPages(ask, (page_token) => [
    'POST',
    `${MLFLOW}/logged-models/search`,
    { experiment_ids: ['0'], max_results: 2, order_by: [{ field_name: 'name' }], ...(page_token ? { page_token } : {}) },
  ]);
}

export async function playSession(session: Session): Promise<void> {
  await playRegistry(session);
  await playVersions(session);
  await playTracking(session);
  await playLoggedModels(session);
  await session.ask('GET', '/api/v1/events/verification');
}
