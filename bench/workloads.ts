// The measured workloads: the requests of each, and what a good answer is.
import { randomBytes } from 'node:crypto';
import {
  apiRoute,
  artifactRoute,
  historyMetric,
  largeArtifactBytes,
  modelName,
  type SeededDataset,
  servedSource,
  smallArtifactBytes,
  teamOf,
} from './dataset.ts';
import type { ExpectedBody } from './load-job.ts';
import { counterMark, countingNumber, getRequest, jsonRequest, putRequest, type RequestTemplate } from './request-template.ts';

/** What is asked of Countersign at 16 connections, against MLflow (rate, CPU) and against the bare server (share of its rate). */
export type Target = { readonly rateRatio: number; readonly cpuRatio: number; readonly ofBare: number };

export type Workload = {
  readonly name: string;
  readonly target: Target;
  readonly expectedBody: ExpectedBody;
  readonly fillerBytes: number;
  /** Requests per connection at most; large uploads would fill the disk. */
  readonly requestsPerConnectionMax: number;
  readonly requests: (port: number, data: SeededDataset) => RequestTemplate[];
};

const variety = 200;
const filterVariety = 20;
const counterDigitBytes = 16;
const stageCycle = ['Staging', 'Archived'] as const;

function times<T>(count: number, make: (index: number) => T): T[] {
  return Array.from({ length: count }, (_, index) => make(index));
}

function query(parameters: Readonly<Record<string, string>>): string {
  return new URLSearchParams(parameters).toString();
}

function reads(paths: (data: SeededDataset) => string[]): Workload['requests'] {
  return (port, data) => paths(data).map((path) => getRequest(port, apiRoute + path));
}

function writes(path: string, bodies: (data: SeededDataset) => unknown[]): Workload['requests'] {
  return (port, data) => bodies(data).map((body) => jsonRequest(port, apiRoute + path, body));
}

/** Models other than the largest, spread over all; neighbours differ, so that concurrent writes meet on no row. */
function someModels(data: SeededDataset): string[] {
  const usable = Math.max(1, data.sizes.models - 1);
  const stride = Math.max(1, Math.floor(usable / variety));
  return times(variety, (index) => modelName((index * stride) % usable));
}

function someRuns(data: SeededDataset): string[] {
  return times(variety, (index) => data.runIds[1 + (index % (data.runIds.length - 1))] ?? '');
}

function artifactReads(paths: (data: SeededDataset) => string[]): Workload['requests'] {
  return (port, data) => paths(data).map((path) => getRequest(port, `${artifactRoute}/${path}`));
}

function hundredMetrics() {
  return times(100, (index) => ({ key: `batch-${index}`, value: index / 7, timestamp: countingNumber, step: countingNumber }));
}

function stageMoves(data: SeededDataset) {
  const names = someModels(data);
  const versions = times(data.sizes.versionsPerModel - 2, (index) => String(index + 3));
  // Every version goes to the one stage before any goes to the other, so that each request is a real change.
  return stageCycle.flatMap((stage) =>
    versions.flatMap((version) => [...new Set(names)].map((name) => ({ name, version, stage, archive_existing_versions: false }))),
  );
}

const pointRead: Target = { rateRatio: 35, cpuRatio: 70, ofBare: 65 };
const rowsRead: Target = { rateRatio: 20, cpuRatio: 35, ofBare: 70 };
const search: Target = { rateRatio: 15, cpuRatio: 30, ofBare: 75 };
const write: Target = { rateRatio: 30, cpuRatio: 70, ofBare: 60 };
const json = { expectedBody: 'json', fillerBytes: 0, requestsPerConnectionMax: Number.MAX_SAFE_INTEGER } as const;
const large = { fillerBytes: 0, requestsPerConnectionMax: 4 } as const;

export const workloads: readonly Workload[] = [
  {
    name: 'model-versions/get',
    target: pointRead,
    ...json,
    requests: reads((data) =>
      someModels(data).map((name, index) => `/model-versions/get?${query({ name, version: String(1 + (index % 10)) })}`),
    ),
  },
  {
    name: 'registered-models/alias',
    target: pointRead,
    ...json,
    requests: reads((data) => someModels(data).map((name) => `/registered-models/alias?${query({ name, alias: 'champion' })}`)),
  },
  {
    name: 'runs/get',
    target: pointRead,
    ...json,
    requests: reads((data) => someRuns(data).map((runId) => `/runs/get?${query({ run_id: runId, run_uuid: runId })}`)),
  },
  {
    name: 'registered-models/get',
    target: rowsRead,
    ...json,
    requests: reads((data) => someModels(data).map((name) => `/registered-models/get?${query({ name })}`)),
  },
  {
    name: 'model-versions/search',
    target: rowsRead,
    ...json,
    requests: reads((data) =>
      someModels(data).map((name) => `/model-versions/search?${query({ filter: `name='${name}'`, max_results: '10' })}`),
    ),
  },
  {
    name: 'metrics/get-history (1,000 points)',
    target: rowsRead,
    ...json,
    requests: reads(({ runIds }) => {
      const runId = runIds[0] ?? '';
      const parameters = { run_id: runId, run_uuid: runId, metric_key: historyMetric, max_results: '25000' };
      return [`/metrics/get-history?${query(parameters)}`];
    }),
  },
  {
    name: 'registered-models/search (LIKE + tag)',
    target: search,
    ...json,
    requests: reads(() =>
      times(filterVariety, (index) => {
        const filter = `name LIKE 'model-000%' AND tags.team = '${teamOf(index)}'`;
        return `/registered-models/search?${query({ filter, max_results: '10' })}`;
      }),
    ),
  },
  {
    name: 'runs/search (metric + order)',
    target: search,
    ...json,
    requests: writes('/runs/search', ({ experimentId }) =>
      times(filterVariety, (index) => ({
        experiment_ids: [experimentId],
        filter: `metrics.m0 > 0.${String(30 + index)}`,
        order_by: ['metrics.m1 DESC'],
        max_results: 20,
        run_view_type: 'ACTIVE_ONLY',
      })),
    ),
  },
  {
    name: 'runs/create',
    target: write,
    ...json,
    requests: writes('/runs/create', ({ experimentId }) => [
      {
        experiment_id: experimentId,
        user_id: 'bench',
        run_name: `run-${counterMark}`,
        start_time: 1_700_000_000_000,
        tags: [
          { key: 'mlflow.user', value: 'bench' },
          { key: 'mlflow.source.name', value: 'train.py' },
        ],
      },
    ]),
  },
  {
    name: 'runs/log-metric',
    target: write,
    ...json,
    requests: writes('/runs/log-metric', (data) =>
      someRuns(data).map((runId) => ({
        run_id: runId,
        run_uuid: runId,
        key: 'live',
        value: 0.5,
        timestamp: countingNumber,
        step: countingNumber,
      })),
    ),
  },
  {
    name: 'model-versions/create',
    target: write,
    ...json,
    requests: writes('/model-versions/create', (data) =>
      someModels(data).map((name) => ({
        name,
        source: servedSource,
        description: `Try ${counterMark}`,
        tags: [{ key: 'validated', value: 'no' }],
      })),
    ),
  },
  { name: 'model-versions/transition-stage', target: write, ...json, requests: writes('/model-versions/transition-stage', stageMoves) },
  {
    name: 'model-versions/set-tag',
    target: write,
    ...json,
    requests: writes('/model-versions/set-tag', (data) =>
      someModels(data).map((name) => ({ name, version: '1', key: 'checked', value: `at ${counterMark}` })),
    ),
  },
  {
    name: 'runs/log-batch (100 metrics)',
    target: { rateRatio: 15, cpuRatio: 25, ofBare: 85 },
    ...json,
    requests: writes('/runs/log-batch', (data) =>
      someRuns(data).map((runId) => ({ run_id: runId, metrics: hundredMetrics(), params: [], tags: [] })),
    ),
  },
  {
    name: 'artifact PUT 64 KiB',
    target: { rateRatio: 2.5, cpuRatio: 3, ofBare: 70 },
    ...json,
    expectedBody: 'empty',
    requests: (port, { artifactFolder }) => {
      const start = Buffer.from(counterMark.padEnd(counterDigitBytes));
      const body = Buffer.concat([start, randomBytes(smallArtifactBytes - counterDigitBytes)]);
      return [putRequest(port, `${artifactRoute}/${artifactFolder}/written/${counterMark}.bin`, body, 0)];
    },
  },
  {
    name: 'artifact GET 64 KiB',
    target: { rateRatio: 3, cpuRatio: 3, ofBare: 80 },
    ...json,
    expectedBody: smallArtifactBytes,
    requests: artifactReads(({ artifactFolder }) => times(16, (index) => `${artifactFolder}/read/${index}.bin`)),
  },
  {
    name: 'artifact PUT 100 MiB',
    target: { rateRatio: 0.9, cpuRatio: 1.5, ofBare: 80 },
    ...large,
    requestsPerConnectionMax: 1,
    expectedBody: 'empty',
    fillerBytes: largeArtifactBytes - counterDigitBytes,
    requests: (port, { artifactFolder }) => {
      const start = Buffer.from(counterMark.padEnd(counterDigitBytes));
      return times(16, (index) =>
        putRequest(port, `${artifactRoute}/${artifactFolder}/large/written-${index}.bin`, start, largeArtifactBytes - counterDigitBytes),
      );
    },
  },
  {
    name: 'artifact GET 100 MiB',
    target: { rateRatio: 2, cpuRatio: 1.5, ofBare: 80 },
    ...large,
    expectedBody: largeArtifactBytes,
    requests: artifactReads(({ artifactFolder }) => [`${artifactFolder}/large/weights.bin`]),
  },
  {
    name: 'artifact GET 100 MiB, sealed',
    target: { rateRatio: 1.3, cpuRatio: 1.5, ofBare: 80 },
    ...large,
    expectedBody: largeArtifactBytes,
    requests: artifactReads(({ sealedFolder }) => [`${sealedFolder}/weights.bin`]),
  },
];

/** The workloads whose name contains one of the given parts; all when none is given. */
export function selectWorkloads(parts: readonly string[]): readonly Workload[] {
  return parts.length === 0 ? workloads : workloads.filter((workload) => parts.some((part) => workload.name.includes(part)));
}
