// How much dearer requests become when the data grows: the same requests on small and on large data, side by side.
import { apiRoute, historyMetric, largeSizes, modelName, type SeededDataset, standardSizes } from './dataset.ts';
import type { LoadGenerator } from './load-generator.ts';
import { type Measurement, measure } from './measuring.ts';
import type { BenchOptions } from './options.ts';
import { discardServer, type PreparedServer, prepareServer } from './prepared-server.ts';
import { markdownTable } from './report.ts';
import { getRequest, jsonRequest } from './request-template.ts';
import { prepareProgram, type ServerKind } from './server-process.ts';
import { selectWorkloads, type Workload, workloads } from './workloads.ts';

const growthMax = 1.5;
const firstPageCpuMaxMs = 5;
const connections = 16;

export type GrowthRow = { readonly workload: string; readonly small: Measurement; readonly large: Measurement };

function page(name: string, path: (data: SeededDataset) => string): Workload {
  const none = { rateRatio: 0, cpuRatio: 0, ofBare: 0 };
  const json = { expectedBody: 'json', fillerBytes: 0, requestsPerConnectionMax: Number.MAX_SAFE_INTEGER } as const;
  return { name, target: none, ...json, requests: (port, data) => [getRequest(port, apiRoute + path(data))] };
}

function postPage(name: string, path: string, body: (data: SeededDataset) => unknown): Workload {
  return { ...page(name, () => path), requests: (port, data) => [jsonRequest(port, apiRoute + path, body(data))] };
}

function largestModel(data: SeededDataset): string {
  return modelName(data.sizes.models - 1);
}

/** Requests whose answers have the same size on both, but whose tables have not. */
const growthOnly: readonly Workload[] = [
  page('largest model: registered-models/get', (data) => `/registered-models/get?name=${largestModel(data)}`),
  page('largest model: first page of versions', (data) => {
    const filter = encodeURIComponent(`name='${largestModel(data)}'`);
    return `/model-versions/search?filter=${filter}&max_results=10`;
  }),
  page('largest model: a version', (data) => `/model-versions/get?name=${largestModel(data)}&version=7`),
  page('first page of all models', () => '/registered-models/search?max_results=10'),
  page('first page of all versions', () => '/model-versions/search?max_results=10'),
  page(
    'models by a rare substring',
    () => `/registered-models/search?max_results=10&filter=${encodeURIComponent("name LIKE '%el-00042%'")}`,
  ),
  page(
    'first 1,000 points of a history',
    (data) => `/metrics/get-history?run_id=${data.runIds[0]}&metric_key=${historyMetric}&max_results=1000`,
  ),
  postPage('first page of runs', '/runs/search', ({ experimentId }) => ({ experiment_ids: [experimentId], max_results: 20 })),
];

function isTimed(workload: Workload): boolean {
  return !workload.name.startsWith('artifact');
}

/** The small data has as many runs as the large: a run search reads them all, and their number isn't what grows. */
const smallSizes = { ...standardSizes, runs: largeSizes.runs };

async function compare(
  generator: LoadGenerator,
  pair: { small: PreparedServer; large: PreparedServer },
  chosen: readonly Workload[],
  seconds: number,
): Promise<GrowthRow[]> {
  const rows: GrowthRow[] = [];
  for (const workload of chosen) {
    process.stderr.write(`bench: ${workload.name} …\n`);
    const small = await measure(generator, pair.small.server, workload, { connections, seconds });
    const large = await measure(generator, pair.large.server, workload, { connections, seconds });
    rows.push({ workload: workload.name, small, large });
  }
  return rows;
}

/** Compares the cost on small and large data of one server. */
export async function measureGrowth(generator: LoadGenerator, kind: ServerKind, options: BenchOptions): Promise<GrowthRow[]> {
  const all = [...growthOnly, ...workloads].filter(isTimed);
  const named = options.only.length === 0 ? all : all.filter((each) => options.only.some((part) => each.name.includes(part)));
  const chosen = named.length > 0 ? named : selectWorkloads(options.only);
  prepareProgram(kind, options.countersignProgram);
  const small = await prepareServer(kind, smallSizes, `${kind}-small`);
  try {
    const large = await prepareServer(kind, largeSizes, `${kind}-large`);
    process.stderr.write(
      `bench: the large data took ${Math.round(large.facts.seededInSeconds ?? 0)} s; start on it ${Math.round(large.facts.startMs)} ms\n`,
    );
    try {
      return await compare(generator, { small, large }, chosen, options.secondsPerMeasurement);
    } finally {
      await discardServer(large, `${kind}-large`);
    }
  } finally {
    await discardServer(small, `${kind}-small`);
  }
}

export function growthFailures(rows: readonly GrowthRow[]): string[] {
  return rows.flatMap(({ workload, small, large }) =>
    [small, large].filter((each) => each.errors > 0).map((each) => `${workload}: ${each.errors} errors (${each.firstError ?? ''})`),
  );
}

export function growthReport(rows: readonly GrowthRow[]): string {
  const cells = rows.map(({ workload, small, large }) => {
    const growth = large.cpuMsPerRequest / small.cpuMsPerRequest;
    const bytes = `${Math.round(small.bytesPerAnswer)} / ${Math.round(large.bytesPerAnswer)}`;
    const isCheap = large.cpuMsPerRequest <= firstPageCpuMaxMs;
    const figures = [small.cpuMsPerRequest.toFixed(3), `${large.cpuMsPerRequest.toFixed(3)} ${isCheap ? '✓' : '✗'}`];
    return [workload, ...figures, `${growth.toFixed(2)} ${growth <= growthMax ? '✓' : '✗'}`, bytes];
  });
  const head = [
    'workload',
    'CPU ms, small data',
    `CPU ms, large data (≤ ${firstPageCpuMaxMs})`,
    `growth (≤ ${growthMax})`,
    'bytes per answer',
  ];
  const { models, versionsOfLargestModel, furtherMetricPoints } = largeSizes;
  const number = (value: number): string => value.toLocaleString('en-US');
  const sizes = `large: ${number(models)} models, ${number(models * 10)} versions and one model of ${number(versionsOfLargestModel)}, ${number(furtherMetricPoints)} metric points`;
  return `## Growth\n\n${connections} connections; small: ${smallSizes.models} models; ${sizes}.\n\n${markdownTable(head, cells)}`;
}
