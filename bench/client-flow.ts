// Times the flow that a data scientist sees, with the real mlflow client.
import { execFile } from 'node:child_process';
import { join } from 'node:path';
import { promisify } from 'node:util';
import { treeCpuMs } from './process-tree.ts';
import { projectRoot, scratchDir } from './project-paths.ts';
import { ensurePythonEnvironment } from './python-environment.ts';
import type { RunningServer } from './server-process.ts';

export type FlowMeasurement = {
  readonly server: string;
  readonly medianMs: number;
  /** CPU of the server per round, its warm-up round included. */
  readonly serverCpuMs: number;
  readonly error?: string;
};

const run = promisify(execFile);
const limitMs = 300_000;

function median(values: readonly number[]): number {
  return [...values].sort((a, b) => a - b)[Math.floor(values.length / 2)] ?? 0;
}

function lastLine(text: string): string {
  return text.trim().split('\n').at(-1) ?? '';
}

/** A flow that fails is reported, not thrown: the other figures are still worth having. */
export async function measureClientFlow(server: RunningServer, rounds: number): Promise<FlowMeasurement> {
  const python = join(ensurePythonEnvironment(), 'python');
  const script = join(projectRoot, 'bench/client-flow.py');
  const cpuBefore = treeCpuMs(server.pid);
  try {
    const uri = `http://127.0.0.1:${server.port}`;
    const { stdout } = await run(python, [script, uri, String(rounds)], { cwd: scratchDir, timeout: limitMs });
    const rows: number[] = JSON.parse(lastLine(stdout));
    return { server: server.kind, medianMs: median(rows), serverCpuMs: (treeCpuMs(server.pid) - cpuBefore) / (rounds + 1) };
  } catch (error) {
    const text = error instanceof Error && 'stderr' in error && typeof error.stderr === 'string' ? error.stderr : String(error);
    return { server: server.kind, medianMs: 0, serverCpuMs: 0, error: lastLine(text) };
  }
}
