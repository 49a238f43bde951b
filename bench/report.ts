// The bench's tables in Markdown: every figure beside its target, so that a reader sees what holds and what doesn't.
import type { FlowMeasurement } from './client-flow.ts';
import type { MachineFacts } from './machine-facts.ts';
import type { Measurement } from './measuring.ts';
import type { ServerFacts } from './prepared-server.ts';
import type { Workload } from './workloads.ts';

export type LoadedFacts = ServerFacts & { readonly loaded: { readonly residentMb: number; readonly proportionalMb: number } };

export type BenchResults = {
  readonly machine: MachineFacts;
  readonly options: Readonly<Record<string, unknown>>;
  readonly servers: readonly LoadedFacts[];
  readonly measurements: readonly Measurement[];
  readonly flows: readonly FlowMeasurement[];
  readonly absent: readonly string[];
};

const targetConnections = 16;
const flowTarget = { ofDefault: 7, ofLeanest: 1.7 };
const memoryTarget = { idleMb: 100, loadedMb: 250, startMs: 500 };

function figure(value: number | undefined): string {
  if (value === undefined || !Number.isFinite(value)) return '–';
  if (value >= 1000) return Math.round(value).toLocaleString('en-US');
  if (value >= 10) return value.toFixed(1);
  return value >= 1 ? value.toFixed(2) : value.toFixed(3);
}

function ratio(top: number | undefined, bottom: number | undefined): number | undefined {
  return top === undefined || bottom === undefined || bottom === 0 ? undefined : top / bottom;
}

function judged(value: number | undefined, target: number, text: (value: number) => string): string {
  if (value === undefined) return '–';
  return `${text(value)} ${value >= target ? '✓' : '✗'}`;
}

export function markdownTable(head: readonly string[], rows: readonly (readonly string[])[]): string {
  const line = (cells: readonly string[]): string => `| ${cells.join(' | ')} |`;
  return [line(head), line(head.map((_, index) => (index === 0 ? '---' : '---:'))), ...rows.map(line)].join('\n');
}

function isMlflow(server: string): boolean {
  return server.startsWith('mlflow');
}

/** The better of MLflow's settings: the higher rate and the lower CPU, each from whichever setting has it. */
function bestOfMlflow(found: readonly Measurement[]): { rate: number; cpu: number } | undefined {
  const good = found.filter((each) => isMlflow(each.server) && each.completed > each.errors);
  if (good.length === 0) return undefined;
  return { rate: Math.max(...good.map((each) => each.requestsPerSecond)), cpu: Math.min(...good.map((each) => each.cpuMsPerRequest)) };
}

function workloadRow(workload: Workload, found: readonly Measurement[], isJudged: boolean): string[] {
  const of = (server: string): Measurement | undefined => found.find((each) => each.server === server && each.errors === 0);
  const [ours, bare, mlflow] = [of('countersign'), of('bare'), bestOfMlflow(found)];
  const { target } = workload;
  const text = (value: number | undefined, goal: number, suffix: string, percent = 1): string => {
    const show = (shown: number): string => `${percent === 100 ? Math.round(shown * 100) : figure(shown)}${suffix}`;
    return isJudged ? judged(value, goal, show) : value === undefined ? '–' : show(value);
  };
  return [
    workload.name,
    figure(ours?.requestsPerSecond),
    figure(bare?.requestsPerSecond),
    figure(mlflow?.rate),
    text(ratio(ours?.requestsPerSecond, mlflow?.rate), target.rateRatio, '×'),
    figure(target.rateRatio),
    figure(ours?.cpuMsPerRequest),
    figure(bare?.cpuMsPerRequest),
    figure(mlflow?.cpu),
    text(ratio(mlflow?.cpu, ours?.cpuMsPerRequest), target.cpuRatio, ''),
    figure(target.cpuRatio),
    text(ratio(ours?.requestsPerSecond, bare?.requestsPerSecond), target.ofBare / 100, ' %', 100),
    text(ratio(bare?.cpuMsPerRequest, ours?.cpuMsPerRequest), target.ofBare / 100, ' %', 100),
    `${target.ofBare} %`,
  ];
}

const workloadHead = [
  'workload',
  'requests/s',
  'bare',
  'MLflow',
  'vs MLflow',
  'wanted ≥',
  'CPU ms per request',
  'bare',
  'MLflow',
  'MLflow ÷ ours',
  'wanted ≥',
  'of bare, rate',
  'of bare, CPU',
  'wanted ≥',
];

function workloadTables(results: BenchResults, workloads: readonly Workload[]): string[] {
  const connectionCounts = [...new Set(results.measurements.map((each) => each.connections))].sort((a, b) => b - a);
  return connectionCounts.flatMap((connections) => {
    const rows = workloads.map((workload) => {
      const found = results.measurements.filter((each) => each.connections === connections && each.workload === workload.name);
      return workloadRow(workload, found, connections === targetConnections);
    });
    const note = connections === targetConnections ? '' : ' (the wanted figures are for 16 connections)';
    return [`\n### ${connections} connection${connections === 1 ? '' : 's'}${note}\n`, markdownTable(workloadHead, rows)];
  });
}

function serverTable(results: BenchResults): string {
  const head = [
    'server',
    'processes',
    'idle MB (PSS)',
    'idle MB (RSS)',
    'loaded MB (PSS)',
    'loaded MB (RSS)',
    'first start ms',
    'start on data ms',
  ];
  const limit = (value: number, most: number, isJudged: boolean): string => figure(value) + (isJudged ? (value <= most ? ' ✓' : ' ✗') : '');
  const rows = results.servers.map((facts) => {
    const isOurs = facts.server === 'countersign';
    return [
      facts.server,
      String(facts.idle.processes),
      figure(facts.idle.proportionalMb),
      limit(facts.idle.residentMb, memoryTarget.idleMb, isOurs),
      figure(facts.loaded.proportionalMb),
      limit(facts.loaded.residentMb, memoryTarget.loadedMb, isOurs),
      figure(facts.firstStartMs),
      limit(facts.startMs, memoryTarget.startMs, isOurs),
    ];
  });
  return `${markdownTable(head, rows)}\n\nWanted: idle ≤ ${memoryTarget.idleMb} MB, loaded ≤ ${memoryTarget.loadedMb} MB, start ≤ ${memoryTarget.startMs} ms.`;
}

function flowTable(flows: readonly FlowMeasurement[]): string {
  const ours = flows.find((flow) => flow.server === 'countersign' && flow.error === undefined);
  const rows = flows.map((flow) => {
    if (flow.error !== undefined) return [flow.server, `failed: ${flow.error}`, '–', '–', '–'];
    const goal =
      flow.server === 'mlflow-default' ? flowTarget.ofDefault : flow.server === 'mlflow-leanest' ? flowTarget.ofLeanest : undefined;
    const gain = goal === undefined ? undefined : ratio(flow.medianMs, ours?.medianMs);
    const gainText = goal === undefined ? '–' : judged(gain, goal, (value) => `${figure(value)}×`);
    return [flow.server, figure(flow.medianMs), figure(flow.serverCpuMs), gainText, goal === undefined ? '–' : `${goal}×`];
  });
  return markdownTable(['server', 'ms per flow (median)', 'server CPU ms', 'Countersign is faster by', 'wanted ≥'], rows);
}

function inWords(each: Measurement): string {
  const of = each.errors > 0 ? `${each.errors} of ${each.errors + each.completed} answers were wrong` : 'nothing was answered';
  return `${each.workload} on ${each.server}, ${each.connections} connections: ${of}${each.firstError === undefined ? '' : ` (${each.firstError})`}`;
}

/** Workloads that failed, in words. Writes that MLflow refuses under load are no failure of the bench, see `refusals`. */
export function failures(results: BenchResults): string[] {
  const failed = results.measurements.filter((each) =>
    isMlflow(each.server) ? each.completed <= each.errors : each.errors > 0 || each.completed === 0,
  );
  const flows = results.flows.filter((flow) => flow.error !== undefined).map((flow) => `client flow on ${flow.server}: ${flow.error}`);
  return [...failed.map(inWords), ...flows];
}

function refusals(results: BenchResults): string[] {
  return results.measurements.filter((each) => isMlflow(each.server) && each.errors > 0 && each.completed > each.errors).map(inWords);
}

export function report(results: BenchResults, workloads: readonly Workload[]): string {
  const { machine } = results;
  const sealed = results.servers.filter(
    (facts) => facts.server !== 'bare' && !facts.server.startsWith('mlflow') && !facts.isSealedElsewhere,
  );
  const parts = [
    '## Bench',
    `${machine.cpuModel}, ${machine.cores} cores, ${machine.memoryGb} GB; load ${machine.loadAverage.join(' ')} at the start; ` +
      `Node ${machine.node}, SQLite ${machine.sqlite}${machine.mlflow === undefined ? '' : `, mlflow ${machine.mlflow}`}; ${machine.startedAt}.`,
    'MLflow is the better of its defaults and its leanest setting; ✓ and ✗ compare with the wanted figure. CPU is that of the whole process tree.',
    ...workloadTables(results, workloads),
    '\n### Start and memory\n',
    serverTable(results),
  ];
  if (results.flows.length > 0) parts.push('\n### log_model → transition → load_model with the real client\n', flowTable(results.flows));
  if (sealed.length > 0) parts.push('\nNote: the registered version was not sealed in time, so "sealed" reads the plain file.');
  for (const line of results.absent) parts.push(`\nNot measured: ${line}`);
  const refused = refusals(results);
  if (refused.length > 0) parts.push('\n### Refused by MLflow under load (counted as answered)\n', ...refused.map((line) => `- ${line}`));
  const failed = failures(results);
  if (failed.length > 0) parts.push('\n### Failed\n', ...failed.map((line) => `- ${line}`));
  return parts.join('\n');
}
