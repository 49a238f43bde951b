// What encryption at rest costs: the same uploads and downloads on a server that keeps files in clear and on one that encrypts them.
import { mkdirSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { quickSizes, type SeededDataset } from './dataset.ts';
import type { LoadGenerator } from './load-generator.ts';
import { type MeasuredServer, type Measurement, measure, measuredServer } from './measuring.ts';
import type { BenchOptions } from './options.ts';
import { scratchDir } from './project-paths.ts';
import { markdownTable } from './report.ts';
import { seed } from './seeding.ts';
import { prepareProgram, type RunningServer, startServer } from './server-process.ts';
import { WireClient } from './wire-client.ts';
import { type Workload, workloads } from './workloads.ts';

const wanted = 0.7;
const connections = 16;
/** Turns of each server at each workload; its best one counts, for what else the machine does only takes away. */
const turns = 3;
/** Files are all that matters. */
const sizes = { ...quickSizes, models: 1, versionsPerModel: 3, versionsOfLargestModel: 3, runs: 2, historyPoints: 1 };

export type EncryptionRow = { readonly workload: string; readonly clear: Measurement; readonly encrypted: Measurement };

async function encrypt(server: RunningServer): Promise<void> {
  const client = new WireClient(server.port, 1);
  const change = Buffer.from(JSON.stringify({ encrypt_artifacts: true }));
  await client.send('PATCH', '/api/v1/settings', change, 'application/json');
  client.close();
}

async function prepare(name: 'clear' | 'encrypted'): Promise<MeasuredServer> {
  const dataDir = join(scratchDir, name);
  mkdirSync(dataDir, { recursive: true });
  const running = await startServer('countersign', dataDir);
  if (name === 'encrypted') await encrypt(running);
  const data: SeededDataset = await seed(running.port, sizes, true);
  return measuredServer(running, data);
}

async function discard(server: MeasuredServer, name: string): Promise<void> {
  await server.running.stop();
  rmSync(join(scratchDir, name), { recursive: true, force: true });
}

function better(one: Measurement | undefined, other: Measurement): Measurement {
  if (one === undefined || other.errors > 0) return other;
  return one.errors > 0 || one.requestsPerSecond >= other.requestsPerSecond ? one : other;
}

async function compare(
  generator: LoadGenerator,
  pair: { clear: MeasuredServer; encrypted: MeasuredServer },
  workload: Workload,
  seconds: number,
) {
  let clear: Measurement | undefined;
  let encrypted: Measurement | undefined;
  for (let turn = 0; turn < turns; turn += 1) {
    clear = better(clear, await measure(generator, pair.clear, workload, { connections, seconds }));
    encrypted = better(encrypted, await measure(generator, pair.encrypted, workload, { connections, seconds }));
  }
  return clear && encrypted && { workload: workload.name, clear, encrypted };
}

/** Both servers run at once and take turns. */
export async function measureEncryption(generator: LoadGenerator, options: BenchOptions): Promise<EncryptionRow[]> {
  const files = workloads.filter((each) => each.name.startsWith('artifact'));
  const chosen = options.only.length === 0 ? files : files.filter((each) => options.only.some((part) => each.name.includes(part)));
  prepareProgram('countersign', options.countersignProgram);
  const clear = await prepare('clear');
  try {
    const encrypted = await prepare('encrypted');
    try {
      const rows: EncryptionRow[] = [];
      for (const workload of chosen) {
        process.stderr.write(`bench: ${workload.name}, in clear and encrypted …\n`);
        const row = await compare(generator, { clear, encrypted }, workload, options.secondsPerMeasurement);
        if (row) rows.push(row);
      }
      return rows;
    } finally {
      await discard(encrypted, 'encrypted');
    }
  } finally {
    await discard(clear, 'clear');
  }
}

export function encryptionFailures(rows: readonly EncryptionRow[]): string[] {
  return rows.flatMap(({ workload, clear, encrypted }) =>
    [clear, encrypted].filter((each) => each.errors > 0).map((each) => `${workload}: ${each.errors} errors (${each.firstError ?? ''})`),
  );
}

export function encryptionReport(rows: readonly EncryptionRow[]): string {
  const cells = rows.map(({ workload, clear, encrypted }) => {
    const share = encrypted.requestsPerSecond / clear.requestsPerSecond;
    const rates = [clear, encrypted].map((each) => each.requestsPerSecond.toFixed(each.requestsPerSecond < 100 ? 1 : 0));
    const cpu = [clear, encrypted].map((each) => each.cpuMsPerRequest.toFixed(2));
    return [workload, ...rates, `${Math.round(share * 100)} % ${share >= wanted ? '✓' : '✗'}`, ...cpu];
  });
  const head = ['workload', 'requests/s in clear', 'encrypted', `share (≥ ${wanted * 100} %)`, 'CPU ms in clear', 'encrypted'];
  return [`## Encryption at rest, ${connections} connections`, '', markdownTable(head, cells)].join('\n');
}
