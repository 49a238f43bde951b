/** kill -9 in the middle of mixed writes, again and again, on one data folder. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { expect, test } from 'vitest';
import { type Address, createModel, download, makeModelRun, native, noise, put, register, sha256 } from '../acceptance/logged-files.ts';
import { counts } from '../counts.ts';
import { mlflow, type RunningServer, startServer } from '../support/server.ts';
import { halfWritten, storedBlobs } from './blob-folder.ts';

const WRITERS = 8;
const METRICS_OF_BATCH = 40;
const SHARED = 'shared';
const KILL_AFTER_MS = { min: 150, max: 700 };
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

class Ledger {
  readonly cells = new Map<string, Cell>();
  acknowledged = 0;

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
async function check(server: Address, cells: readonly Cell[]): Promise<string[]> {
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

const random = (max: number): number => Math.floor(Math.random() * max);
const query = (text: string): string => encodeURIComponent(text);

type Kind = (server: Address, ledger: Ledger, writer: number, id: string) => Promise<void>;

const kinds: readonly Kind[] = [
  async function run(server, ledger, _writer, id) {
    const read = async (at: Address): Promise<string | undefined> => {
      const { runs = [] } = await mlflow(at, 'POST', 'runs/search', { experiment_ids: ['0'], filter: `tags.write = '${id}'` });
      return runs.length === 0
        ? undefined
        : `${runs.length} run, ${runs[0].data.tags.some((tag: { key: string }) => tag.key === 'second')}`;
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
  },
  async function model(server, ledger, _writer, id) {
    const tags = ['a', 'b', 'c'].map((key) => ({ key, value: id }));
    const read = async (at: Address): Promise<string | undefined> => {
      const { registered_models: found } = await mlflow(at, 'GET', `registered-models/search?filter=${query(`name = 'm-${id}'`)}`);
      return found && `${found.length} model, ${found[0].tags?.length} tags, ${found[0].description}`;
    };
    const send = (): Promise<unknown> => mlflow(server, 'POST', 'registered-models/create', { name: `m-${id}`, tags, description: id });
    await ledger.write(`model ${id}`, `1 model, 3 tags, ${id}`, send, read);
  },
  async function version(server, ledger, writer, id) {
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
      number = await register(server, SHARED, await sharedRun(server), tags);
    };
    await ledger.write(`version ${id}`, '1 version, 2 tags, sealed', send, read);
    const readAlias = async (at: Address): Promise<string | undefined> =>
      (await native(at, 'GET', `models/${SHARED}/aliases/a-${writer}`)).holder?.version.toString();
    const setAlias = (): Promise<unknown> =>
      mlflow(server, 'POST', 'registered-models/alias', { name: SHARED, alias: `a-${writer}`, version: String(number) });
    await ledger.write(`alias ${writer}`, String(number), setAlias, readAlias);
  },
  async function transition(server, ledger, writer) {
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
  },
  async function artifact(server, ledger, writer, id) {
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
  },
];

let theSharedRun: Awaited<ReturnType<typeof makeModelRun>> | undefined;

async function sharedRun(server: Address): Promise<Awaited<ReturnType<typeof makeModelRun>>> {
  theSharedRun ??= await makeModelRun(server, { 'model.pkl': 'the same for all' });
  return theSharedRun;
}

async function prepare(server: Address, ledger: Ledger): Promise<void> {
  const run = await sharedRun(server);
  await createModel(server, SHARED);
  for (let writer = 0; writer < WRITERS; writer++) {
    const name = `staged-${writer}`;
    await createModel(server, name);
    for (let version = 0; version < 2; version++) await register(server, name, run);
    const move = (version: string): Promise<unknown> =>
      mlflow(server, 'POST', 'model-versions/transition-stage', { name, version, stage: 'Production', archive_existing_versions: true });
    await move('1');
    await kinds[3]?.(server, ledger, writer, '');
  }
}

/** Writes until the server is gone. */
async function write(server: Address, ledger: Ledger, round: number, writer: number): Promise<void> {
  try {
    for (let n = 0; ; n++) await kinds[(n + writer) % kinds.length]?.(server, ledger, writer, `${round}-${writer}-${n}`);
  } catch (error) {
    if (!isGone(error)) throw error;
  }
}

/** What fetch says of a connection that broke. */
function isGone(error: unknown): boolean {
  return error instanceof TypeError && /fetch failed|terminated/.test(error.message);
}

async function numbersOfShared(server: Address): Promise<number[]> {
  const { model_versions: found = [] } = await mlflow(server, 'GET', `model-versions/search?filter=${query(`name = '${SHARED}'`)}`);
  return found.map((each: { version: string }) => Number(each.version)).sort((a: number, b: number) => a - b);
}

test(`${counts.killRounds} kills lose nothing that was acknowledged, and leave nothing half written`, async () => {
  const dataDir = mkdtempSync(join(tmpdir(), 'countersign-kill-'));
  const ledger = new Ledger();
  let server: RunningServer | undefined;
  try {
    server = await startServer({ dataDir });
    await prepare(server, ledger);
    for (let round = 0; round < counts.killRounds; round++) {
      const current: RunningServer = server;
      const before = new Set([...ledger.cells.values()].map((cell) => `${cell.name} ${cell.acknowledged}`));
      const writers = Array.from({ length: WRITERS }, (_each, writer) => write(current, ledger, round, writer));
      await new Promise((resume) => setTimeout(resume, KILL_AFTER_MS.min + random(KILL_AFTER_MS.max - KILL_AFTER_MS.min)));
      await current.kill9();
      await Promise.all(writers);

      server = await startServer({ dataDir });
      const touched = [...ledger.cells.values()].filter(
        (cell) => cell.attempted !== undefined || !before.has(`${cell.name} ${cell.acknowledged}`),
      );
      expect(await check(server, touched), `round ${round}`).toEqual([]);
      expect(await native(server, 'GET', 'events/verification')).toMatchObject({ ok: true, first_bad: null });
      const numbers = await numbersOfShared(server);
      expect(numbers).toEqual(numbers.map((_number, at) => at + 1));
      expect(storedBlobs(dataDir).length).toBeGreaterThan(0);
      expect(halfWritten(dataDir)).toEqual([]);
    }
    expect(await check(server, [...ledger.cells.values()])).toEqual([]);
    expect(ledger.acknowledged).toBeGreaterThan(counts.killRounds * WRITERS);
    process.stderr.write(`${counts.killRounds} kills, ${ledger.acknowledged} acknowledged writes, 0 lost\n`);
  } finally {
    await server?.kill9();
    rmSync(dataDir, { recursive: true, force: true });
  }
}, 900_000);
