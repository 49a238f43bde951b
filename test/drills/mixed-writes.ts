/** Writes of many kinds, and a ledger of what the server acknowledged of them. */
import { createModel, type MadeRun, makeModelRun, move, native, noise, put, register, sha256 } from '../acceptance/logged-files.ts';
import { type Address, download, mlflow } from '../support/server.ts';

export const WRITERS = 8;
const METRICS_OF_BATCH = 40;
export const SHARED = 'shared';
const FILE_BYTES_MAX = 3 << 20;

/**
 * A thing that is written whole or not at all. After a kill it reads as what was acknowledged last, or as what was being written; anything
 * else is a lost or a half write.
 */
interface Cell {
  readonly name: string;
  acknowledged: string | undefined;
  attempted: string | undefined;
  readonly read: (server: Address) => Promise<string | undefined>;
}

export class Ledger {
  readonly cells = new Map<string, Cell>();
  acknowledged = 0;
  /** Whose files all versions are registered from. */
  readonly run: MadeRun;

  constructor(run: MadeRun) {
    this.run = run;
  }

  /** Throws where the server doesn't acknowledge. */
  async write(name: string, value: string, send: () => Promise<unknown>, read: Cell['read']): Promise<void> {
    const cell = this.cells.get(name) ?? { name, acknowledged: undefined, attempted: undefined, read };
    this.cells.set(name, cell);
    cell.attempted = value;
    await send();
    cell.acknowledged = value;
    cell.attempted = undefined;
    this.acknowledged += 1;
  }
}

/** What is there now stays there: the undecided are decided by the first look. */
export async function check(server: Address, cells: readonly Cell[]): Promise<string[]> {
  const wrong: string[] = [];
  for (const cell of cells) {
    const found = await cell.read(server);
    const isAttempted = cell.attempted !== undefined && found === cell.attempted;
    if (found !== cell.acknowledged && !isAttempted) {
      wrong.push(`${cell.name}: acknowledged ${cell.acknowledged}, attempted ${cell.attempted}, found ${found}`);
    }
    cell.acknowledged = found;
    cell.attempted = undefined;
  }
  return wrong;
}

export const random = (max: number): number => Math.floor(Math.random() * max);
export const query = (text: string): string => encodeURIComponent(text);

type Kind = (server: Address, ledger: Ledger, writer: number, id: string) => Promise<void>;

async function writeRun(server: Address, ledger: Ledger, _writer: number, id: string): Promise<void> {
  const read = async (at: Address): Promise<string | undefined> => {
    const { runs = [] } = await mlflow(at, 'POST', 'runs/search', { experiment_ids: ['0'], filter: `tags.write = '${id}'` });
    return runs.length === 0 ? undefined : `${runs.length} run, ${runs[0].data.tags.some((tag: { key: string }) => tag.key === 'second')}`;
  };
  const tags = [
    { key: 'write', value: id },
    { key: 'second', value: 'x' },
  ];
  let runId = '';
  const create = async (): Promise<void> => {
    runId = (await mlflow(server, 'POST', 'runs/create', { experiment_id: '0', run_name: id, tags })).run.info.run_id;
  };
  await ledger.write(`run ${id}`, '1 run, true', create, read);
  const batch = {
    run_id: runId,
    metrics: Array.from({ length: METRICS_OF_BATCH }, (_each, step) => ({ key: `m${step % 4}`, value: step, timestamp: step, step })),
    params: [{ key: 'p', value: id }],
    tags: [{ key: 'batch', value: id }],
  };
  const readBatch = async (at: Address): Promise<string | undefined> => {
    const { data } = (await mlflow(at, 'GET', `runs/get?run_id=${runId}`)).run;
    const history = await mlflow(at, 'GET', `metrics/get-history?run_id=${runId}&metric_key=m0`);
    const isTagged = data.tags.some((tag: { key: string }) => tag.key === 'batch');
    const keys = (data.metrics ?? []).filter((metric: { key: string }) => metric.key !== 'single');
    if (keys.length === 0 && !data.params && !isTagged && !history.metrics) return undefined;
    return `${keys.length} keys, ${history.metrics?.length} points, ${data.params?.length} params, ${isTagged}`;
  };
  await ledger.write(
    `batch ${id}`,
    `4 keys, ${METRICS_OF_BATCH / 4} points, 1 params, true`,
    () => mlflow(server, 'POST', 'runs/log-batch', batch),
    readBatch,
  );
  const readMetric = async (at: Address): Promise<string | undefined> =>
    (await mlflow(at, 'GET', `metrics/get-history?run_id=${runId}&metric_key=single`)).metrics?.length.toString();
  await ledger.write(
    `metric ${id}`,
    '1',
    () => mlflow(server, 'POST', 'runs/log-metric', { run_id: runId, key: 'single', value: 1, timestamp: 1 }),
    readMetric,
  );
}

async function writeModel(server: Address, ledger: Ledger, _writer: number, id: string): Promise<void> {
  const tags = ['a', 'b', 'c'].map((key) => ({ key, value: id }));
  const read = async (at: Address): Promise<string | undefined> => {
    const { registered_models: found } = await mlflow(at, 'GET', `registered-models/search?filter=${query(`name = 'm-${id}'`)}`);
    return found && `${found.length} model, ${found[0].tags?.length} tags, ${found[0].description}`;
  };
  const send = (): Promise<unknown> => mlflow(server, 'POST', 'registered-models/create', { name: `m-${id}`, tags, description: id });
  await ledger.write(`model ${id}`, `1 model, 3 tags, ${id}`, send, read);
}

async function writeVersion(server: Address, ledger: Ledger, writer: number, id: string): Promise<void> {
  const read = async (at: Address): Promise<string | undefined> => {
    const { model_versions: found } = await mlflow(
      at,
      'GET',
      `model-versions/search?filter=${query(`name = '${SHARED}' AND tag.write = '${id}'`)}`,
    );
    if (!found) return undefined;
    const { seal } = await native(at, 'GET', `models/${SHARED}/versions/${found[0].version}`);
    return `${found.length} version, ${found[0].tags.length} tags, ${seal.state}`;
  };
  const tags = [
    { key: 'write', value: id },
    { key: 'second', value: 'x' },
  ];
  let number = 0;
  const send = async (): Promise<void> => {
    number = await register(server, SHARED, ledger.run, tags);
  };
  await ledger.write(`version ${id}`, '1 version, 2 tags, sealed', send, read);
  const readAlias = async (at: Address): Promise<string | undefined> =>
    (await native(at, 'GET', `models/${SHARED}/aliases/a-${writer}`)).holder?.version.toString();
  const setAlias = (): Promise<unknown> =>
    mlflow(server, 'POST', 'registered-models/alias', { name: SHARED, alias: `a-${writer}`, version: String(number) });
  await ledger.write(`alias ${writer}`, String(number), setAlias, readAlias);
}

async function moveBetweenStages(server: Address, ledger: Ledger, writer: number): Promise<void> {
  const name = `staged-${writer}`;
  const read = async (at: Address): Promise<string | undefined> => {
    const { model_versions: found } = await mlflow(
      at,
      'GET',
      `model-versions/search?filter=${query(`name = '${name}'`)}&order_by=${query('version_number ASC')}`,
    );
    return found
      .map((each: { version: string; current_stage: string }) => `${each.version} ${each.current_stage}`)
      .sort()
      .join(', ');
  };
  for (const [version, staged] of [
    ['1', '1 Production, 2 Archived'],
    ['2', '1 Archived, 2 Production'],
  ] as const) {
    const change = { name, version, stage: 'Production', archive_existing_versions: true };
    await ledger.write(`stage ${writer}`, staged, () => mlflow(server, 'POST', 'model-versions/transition-stage', change), read);
  }
}

async function writeFiles(server: Address, ledger: Ledger, writer: number, id: string): Promise<void> {
  const bytes = noise(random(2) ? random(FILE_BYTES_MAX) : random(20_000));
  // Some are new, some replace what was there.
  for (const path of [`kill/${id}.bin`, `kill/again-${writer}.bin`]) {
    const read = async (at: Address): Promise<string | undefined> => {
      const answer = await download(at, path);
      const found = new Uint8Array(await answer.arrayBuffer());
      return answer.status === 404 ? undefined : `${answer.status} ${sha256(found)}`;
    };
    await ledger.write(`file ${path}`, `200 ${sha256(bytes)}`, () => put(server, path, bytes), read);
  }
}

export const kinds: readonly Kind[] = [writeRun, writeModel, writeVersion, moveBetweenStages, writeFiles];

export async function prepare(server: Address, writers = WRITERS): Promise<Ledger> {
  const ledger = new Ledger(await makeModelRun(server, { 'model.pkl': 'the same for all' }));
  await createModel(server, SHARED);
  for (let writer = 0; writer < writers; writer++) {
    const name = `staged-${writer}`;
    await createModel(server, name);
    for (let version = 0; version < 2; version++) await register(server, name, ledger.run);
    await move(server, name, 1, 'Production', true);
    await moveBetweenStages(server, ledger, writer);
  }
  return ledger;
}
