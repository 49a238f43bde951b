// Measures Countersign, the bare server and the real `mlflow server` side by side: same data, same requests, one run.
import { mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { accessFailures, accessReport, measureAccess } from './access.ts';
import { type FlowMeasurement, measureClientFlow } from './client-flow.ts';
import { quickSizes, standardSizes } from './dataset.ts';
import { encryptionFailures, encryptionReport, measureEncryption } from './encryption.ts';
import { governedReport, measureGoverned } from './governed.ts';
import { growthFailures, growthReport, measureGrowth } from './growth.ts';
import { LoadGenerator } from './load-generator.ts';
import { machineFacts } from './machine-facts.ts';
import { type Measurement, measure } from './measuring.ts';
import { type BenchOptions, readOptions, usage } from './options.ts';
import { discardServer, type PreparedServer, prepareServer } from './prepared-server.ts';
import { deleteScratchDir, makeScratchDir, resultsDir } from './project-paths.ts';
import { type BenchResults, failures, type LoadedFacts, report } from './report.ts';
import { prepareProgram, type ServerKind } from './server-process.ts';
import { selectWorkloads, type Workload } from './workloads.ts';

const connectionCounts = [1, 16];
const flowName = 'client-flow';

type Collected = { servers: LoadedFacts[]; measurements: Measurement[]; flows: FlowMeasurement[]; absent: string[] };

/** Servers of one group run at the same time and take turns at each workload; MLflow's many processes would disturb the others. */
function serverGroups(options: BenchOptions): ServerKind[][] {
  const together = (['countersign', 'bare'] as const).filter((kind) => options.servers.includes(kind));
  const groups: ServerKind[][] = [together];
  if (options.servers.includes('mlflow')) groups.push(['mlflow-leanest'], ...(options.isQuick ? [] : [['mlflow-default'] as ServerKind[]]));
  return groups.filter((group) => group.length > 0);
}

async function prepareGroup(group: readonly ServerKind[], options: BenchOptions, absent: string[]): Promise<PreparedServer[]> {
  const prepared: PreparedServer[] = [];
  for (const kind of group) {
    try {
      prepareProgram(kind, options.countersignProgram);
      prepared.push(await prepareServer(kind, options.isQuick ? quickSizes : standardSizes));
    } catch (error) {
      absent.push(`${kind}: ${error instanceof Error ? error.message : String(error)}`);
    }
  }
  return prepared;
}

async function measureGroup(
  generator: LoadGenerator,
  group: readonly PreparedServer[],
  chosen: readonly Workload[],
  options: BenchOptions,
): Promise<Measurement[]> {
  const measurements: Measurement[] = [];
  for (const workload of chosen)
    for (const connections of connectionCounts)
      for (const { server } of group) {
        process.stderr.write(`bench: ${workload.name}, ${connections} connections, ${server.running.kind} …\n`);
        measurements.push(await measure(generator, server, workload, { connections, seconds: options.secondsPerMeasurement }));
      }
  return measurements;
}

async function measureFlows(group: readonly PreparedServer[], options: BenchOptions): Promise<FlowMeasurement[]> {
  const isWanted = options.only.length === 0 || options.only.some((part) => flowName.includes(part));
  const flows: FlowMeasurement[] = [];
  if (!isWanted) return flows;
  for (const { server } of group.filter((each) => each.facts.server !== 'bare')) {
    process.stderr.write(`bench: ${flowName}, ${server.running.kind} …\n`);
    flows.push(await measureClientFlow(server.running, options.isQuick ? 3 : 7));
  }
  return flows;
}

async function runGroup(generator: LoadGenerator, kinds: readonly ServerKind[], options: BenchOptions, into: Collected): Promise<void> {
  const group = await prepareGroup(kinds, options, into.absent);
  try {
    into.flows.push(...(await measureFlows(group, options)));
    into.measurements.push(...(await measureGroup(generator, group, selectWorkloads(options.only), options)));
  } finally {
    for (const prepared of group) {
      into.servers.push({ ...prepared.facts, loaded: prepared.server.loadedMb });
      await discardServer(prepared);
    }
  }
}

function keep(fileName: string, results: unknown): void {
  mkdirSync(resultsDir, { recursive: true });
  writeFileSync(join(resultsDir, fileName), `${JSON.stringify(results, undefined, 2)}\n`);
}

function conclude(failed: readonly string[]): void {
  if (failed.length > 0) process.stderr.write(`bench: ${failed.length} measurements had wrong answers\n`);
  process.exitCode = failed.length > 0 ? 1 : 0;
}

async function compareServers(generator: LoadGenerator, options: BenchOptions): Promise<void> {
  const machine = machineFacts(options.servers.includes('mlflow'));
  const collected: Collected = { servers: [], measurements: [], flows: [], absent: [] };
  for (const kinds of serverGroups(options)) await runGroup(generator, kinds, options, collected);
  const results: BenchResults = { machine, options, ...collected };
  keep('latest.json', results);
  process.stdout.write(`${report(results, selectWorkloads(options.only))}\n`);
  conclude([...failures(results), ...(options.servers.includes('countersign') ? collected.absent : [])]);
}

async function compareSizes(generator: LoadGenerator, options: BenchOptions): Promise<void> {
  const kind = options.servers[0] === 'bare' ? 'bare' : 'countersign';
  const machine = machineFacts(false);
  const rows = await measureGrowth(generator, kind, options);
  keep('latest-growth.json', { machine, options, rows });
  process.stdout.write(`${growthReport(rows)}\n`);
  conclude(growthFailures(rows));
}

async function compareAccess(generator: LoadGenerator, options: BenchOptions): Promise<void> {
  const machine = machineFacts(options.servers.includes('mlflow'));
  const rows = await measureAccess(generator, options);
  keep('latest-access.json', { machine, options, rows });
  process.stdout.write(`${accessReport(rows)}\n`);
  conclude(accessFailures(rows));
}

async function compareEncryption(generator: LoadGenerator, options: BenchOptions): Promise<void> {
  const machine = machineFacts(false);
  const rows = await measureEncryption(generator, options);
  keep('latest-encryption.json', { machine, options, rows });
  process.stdout.write(`${encryptionReport(rows)}\n`);
  conclude(encryptionFailures(rows));
}

async function compareGoverned(generator: LoadGenerator, options: BenchOptions): Promise<void> {
  const machine = machineFacts(false);
  const results = await measureGoverned(generator, options);
  keep('latest-governed.json', { machine, options, ...results });
  process.stdout.write(`${governedReport(results)}\n`);
}

function chosenRun(options: BenchOptions): (generator: LoadGenerator, options: BenchOptions) => Promise<void> {
  if (options.isAccess) return compareAccess;
  if (options.isEncryption) return compareEncryption;
  if (options.isGoverned) return compareGoverned;
  return options.isScale ? compareSizes : compareServers;
}

async function main(): Promise<void> {
  const options = readOptions(process.argv.slice(2));
  if (options === undefined) {
    process.stdout.write(usage);
    return;
  }
  makeScratchDir();
  const generator = new LoadGenerator();
  try {
    await chosenRun(options)(generator, options);
  } finally {
    generator.close();
    deleteScratchDir();
  }
}

await main().catch((error: unknown) => {
  process.stderr.write(`bench: ${error instanceof Error ? error.message : String(error)}\n`);
  process.exitCode = 1;
});
