// Runs one workload against one server and says what it cost.
import type { SeededDataset } from './dataset.ts';
import type { LoadGenerator } from './load-generator.ts';
import { treeCpuMs, treeMemory } from './process-tree.ts';
import { counterFirst } from './request-template.ts';
import type { RunningServer } from './server-process.ts';
import type { Workload } from './workloads.ts';

export type Measurement = {
  readonly workload: string;
  readonly server: string;
  readonly connections: number;
  readonly completed: number;
  readonly requestsPerSecond: number;
  readonly cpuMsPerRequest: number;
  readonly medianMs: number;
  readonly p99Ms: number;
  readonly bytesPerAnswer: number;
  readonly errors: number;
  readonly firstError?: string;
};

export type MeasuredServer = {
  readonly running: RunningServer;
  readonly data: SeededDataset;
  /** Where the counts of sent requests continue, so that no write repeats an earlier one. */
  counterNext: number;
  /** The most memory seen after any workload. */
  loadedMb: { residentMb: number; proportionalMb: number };
};

const warmUpShare = 0.3;
/** Of workloads that are limited in number: one request says too little. */
const requestsMin = 6;

export function measuredServer(running: RunningServer, data: SeededDataset): MeasuredServer {
  return { running, data, counterNext: counterFirst, loadedMb: { residentMb: 0, proportionalMb: 0 } };
}

function rememberMemory(server: MeasuredServer): void {
  const { residentMb, proportionalMb } = treeMemory(server.running.pid);
  const { loadedMb } = server;
  server.loadedMb = {
    residentMb: Math.max(loadedMb.residentMb, residentMb),
    proportionalMb: Math.max(loadedMb.proportionalMb, proportionalMb),
  };
}

/** Measures after a warm-up. A measurement with errors is a failed one, whatever its figures. */
export async function measure(
  generator: LoadGenerator,
  server: MeasuredServer,
  workload: Workload,
  load: { readonly connections: number; readonly seconds: number },
): Promise<Measurement> {
  const { port, pid, kind } = server.running;
  const isLimited = workload.requestsPerConnectionMax < Number.MAX_SAFE_INTEGER;
  const job = {
    port,
    connections: load.connections,
    requestsMax: isLimited ? Math.max(requestsMin, workload.requestsPerConnectionMax * load.connections) : Number.MAX_SAFE_INTEGER,
    templates: workload.requests(port, server.data),
    fillerBytes: workload.fillerBytes,
    expectedBody: workload.expectedBody,
  };
  const warmUpMax = isLimited ? 1 : Number.MAX_SAFE_INTEGER;
  const warmUp = await generator.run({
    ...job,
    requestsMax: warmUpMax,
    seconds: load.seconds * warmUpShare,
    counterStart: server.counterNext,
  });
  const cpuBefore = treeCpuMs(pid);
  const result = await generator.run({ ...job, seconds: load.seconds, counterStart: warmUp.counterNext });
  const cpuMs = treeCpuMs(pid) - cpuBefore;
  server.counterNext = result.counterNext;
  rememberMemory(server);
  // A refusal is an answer too: MLflow refuses some concurrent writes, and leaving those out would flatter the others.
  const answered = result.completed + result.errors;
  const firstError = warmUp.firstError ?? result.firstError;
  return {
    workload: workload.name,
    server: kind,
    connections: load.connections,
    completed: result.completed,
    requestsPerSecond: answered / (result.elapsedMs / 1000),
    cpuMsPerRequest: cpuMs / Math.max(1, answered),
    medianMs: result.medianMs,
    p99Ms: result.p99Ms,
    bytesPerAnswer: result.bodyBytes / Math.max(1, result.completed),
    errors: warmUp.errors + result.errors,
    ...(firstError === undefined ? {} : { firstError }),
  };
}
