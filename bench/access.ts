// What signing in and permissions cost: the same requests on an open server, on one with accounts and 100,000 grants, and on MLflow with and
// without its basic authentication.
import { cpSync } from 'node:fs';
import { join } from 'node:path';
import { type Callers, populate } from './access-accounts.ts';
import { apiRoute, modelName, quickSizes, standardSizes, teamOf } from './dataset.ts';
import type { LoadGenerator } from './load-generator.ts';
import { type MeasuredServer, type Measurement, measure, measuredServer } from './measuring.ts';
import type { BenchOptions } from './options.ts';
import { discardServer, prepareServer } from './prepared-server.ts';
import { scratchDir } from './project-paths.ts';
import { markdownTable } from './report.ts';
import { authorized, getRequest } from './request-template.ts';
import { prepareProgram, startServer } from './server-process.ts';
import type { Workload } from './workloads.ts';

const connections = 16;
const addedMaxMs = 0.035;
const addedToSearchMax = 0.15;
const againstMlflowMin = 40;
const bareWorkloads = ['model-versions/get'];

const sizes = { ...standardSizes, models: 10_000, versionsPerModel: 3, versionsOfLargestModel: 3, runs: 20 };

export type AccessRow = { readonly workload: string; readonly caller: string; readonly measurement: Measurement };

/** Of the models that the caller with few grants sees, so that all callers ask for the same. */
function workloadFor(name: string, authorization: string | undefined, path: (index: number) => string): Workload {
  const none = { rateRatio: 0, cpuRatio: 0, ofBare: 0 };
  return {
    name,
    target: none,
    expectedBody: 'json',
    fillerBytes: 0,
    requestsPerConnectionMax: Number.MAX_SAFE_INTEGER,
    requests: (port) => Array.from({ length: 10 }, (_, i) => authorized(getRequest(port, apiRoute + path(i)), authorization)),
  };
}

const questions: readonly { readonly name: string; readonly path: (modelCount: number) => (index: number) => string }[] = [
  {
    name: 'model-versions/get',
    path: (modelCount) => (index) => `/model-versions/get?name=${modelName(Math.floor((index * modelCount) / 10))}&version=1`,
  },
  {
    name: 'registered-models/search (LIKE + tag)',
    path: () => (index) => {
      const filter = `name LIKE 'model-0%' AND tags.team = '${teamOf(index)}'`;
      return `/registered-models/search?max_results=10&filter=${encodeURIComponent(filter)}`;
    },
  },
];

type Asking = { readonly caller: string; readonly server: MeasuredServer; readonly authorization: string | undefined };

/** Callers take turns, several times, and each one's cheapest turn counts: what else the machine does only adds. */
async function ask(generator: LoadGenerator, asking: readonly Asking[], chosen: typeof questions, seconds: number): Promise<AccessRow[]> {
  const rows: AccessRow[] = [];
  for (const question of chosen) {
    const best = new Map<string, Measurement>();
    for (let turn = 0; turn < 3; turn++) {
      for (const { caller, server, authorization } of asking) {
        process.stderr.write(`bench: ${question.name}, ${caller} …\n`);
        const workload = workloadFor(question.name, authorization, question.path(server.data.sizes.models));
        const measured = await measure(generator, server, workload, { connections, seconds });
        const before = best.get(caller);
        if (before === undefined || measured.errors > 0 || measured.cpuMsPerRequest < before.cpuMsPerRequest) best.set(caller, measured);
      }
    }
    for (const [caller, measurement] of best) rows.push({ workload: question.name, caller, measurement });
  }
  return rows;
}

async function measureCountersign(generator: LoadGenerator, options: BenchOptions): Promise<AccessRow[]> {
  prepareProgram('countersign', options.countersignProgram);
  const open = await prepareServer('countersign', options.isQuick ? { ...sizes, models: 1_000 } : sizes, 'access-open');
  try {
    const { data } = open.server;
    const folder = join(scratchDir, 'access-closed');
    // SQLite's files are whole between two transactions, and nothing is written meanwhile.
    cpSync(join(scratchDir, 'access-open'), folder, { recursive: true, filter: (file) => !file.endsWith('.lock') });
    const callers: Callers = await populate(folder, data);
    const running = await startServer('countersign', folder);
    try {
      const closed = measuredServer(running, data);
      const asking: Asking[] = [
        { caller: 'open server', server: open.server, authorization: undefined },
        { caller: 'administrator, token', server: closed, authorization: `Bearer ${callers.administrator}` },
        { caller: 'member of 20 groups, token', server: closed, authorization: `Bearer ${callers.member}` },
        { caller: `sees 10 of ${data.sizes.models} models, token`, server: closed, authorization: `Bearer ${callers.few}` },
        { caller: 'password', server: closed, authorization: callers.password },
      ];
      return await ask(generator, asking, questions, options.secondsPerMeasurement);
    } finally {
      await running.stop();
    }
  } finally {
    await discardServer(open, 'access-open');
  }
}

async function measureMlflow(generator: LoadGenerator, options: BenchOptions): Promise<AccessRow[]> {
  const open = await prepareServer('mlflow-leanest', options.isQuick ? quickSizes : standardSizes);
  let rows: AccessRow[];
  try {
    const asking = [{ caller: 'MLflow, open', server: open.server, authorization: undefined }];
    rows = await ask(generator, asking, named(bareWorkloads), options.secondsPerMeasurement);
  } finally {
    await discardServer(open);
  }
  const closed = await prepareServer('mlflow-basic-auth', options.isQuick ? quickSizes : standardSizes);
  try {
    const authorization = `Basic ${Buffer.from('admin:bench-password-0').toString('base64')}`;
    const asking = [{ caller: 'MLflow, basic auth', server: closed.server, authorization }];
    return [...rows, ...(await ask(generator, asking, named(bareWorkloads), options.secondsPerMeasurement))];
  } finally {
    await discardServer(closed);
  }
}

function named(names: readonly string[]): typeof questions {
  return questions.filter((each) => names.includes(each.name));
}

export async function measureAccess(generator: LoadGenerator, options: BenchOptions): Promise<AccessRow[]> {
  const rows = await measureCountersign(generator, options);
  return options.servers.includes('mlflow') ? [...rows, ...(await measureMlflow(generator, options))] : rows;
}

export function accessFailures(rows: readonly AccessRow[]): string[] {
  return rows
    .filter((row) => row.measurement.errors > 0)
    .map((row) => `${row.workload}, ${row.caller}: ${row.measurement.errors} errors (${row.measurement.firstError ?? ''})`);
}

export function accessReport(rows: readonly AccessRow[]): string {
  const costOf = (workload: string, caller: string): number | undefined =>
    rows.find((row) => row.workload === workload && row.caller === caller)?.measurement.cpuMsPerRequest;
  const cells = rows.map(({ workload, caller, measurement }) => {
    const cost = measurement.cpuMsPerRequest;
    const isMlflow = caller.startsWith('MLflow');
    const open = costOf(workload, isMlflow ? 'MLflow, open' : 'open server') ?? cost;
    const added = cost - open;
    const isMet = workload.includes('search') ? added <= open * addedToSearchMax : added <= addedMaxMs;
    return [
      workload,
      caller,
      cost.toFixed(3),
      `${(added * 1000).toFixed(0)} µs${isMlflow || added === 0 ? '' : isMet ? ' ✓' : ' ✗'}`,
      `${((added / open) * 100).toFixed(0)} %`,
    ];
  });
  const table = markdownTable(['workload', 'caller', 'CPU ms', 'added', 'of open'], cells);
  const theirs = costOf('model-versions/get', 'MLflow, basic auth');
  const ours = costOf('model-versions/get', 'administrator, token');
  const ratio = theirs !== undefined && ours !== undefined ? theirs / ours : undefined;
  const verdict =
    ratio === undefined
      ? ''
      : `\n\nMLflow with basic auth against Countersign with a token, CPU per request: ${ratio.toFixed(0)}× (≥ ${againstMlflowMin}) ${ratio >= againstMlflowMin ? '✓' : '✗'}`;
  return (
    `## Access\n\n${connections} connections, 100,000 grants; wanted: ≤ ${addedMaxMs * 1000} µs more for model-versions/get, ` +
    `≤ ${addedToSearchMax * 100} % more for a search.\n\n${table}${verdict}`
  );
}
