import { execFileSync } from 'node:child_process';
import { cpus, loadavg, totalmem } from 'node:os';
import { join } from 'node:path';
import { ensurePythonEnvironment } from './python-environment.ts';

export type MachineFacts = {
  readonly cpuModel: string;
  readonly cores: number;
  readonly memoryGb: number;
  /** Over 1, 5 and 15 minutes, before the bench began. */
  readonly loadAverage: readonly number[];
  readonly node: string;
  readonly sqlite: string;
  readonly mlflow?: string;
  readonly startedAt: string;
};

function mlflowVersion(): string {
  const script = 'import importlib.metadata; print(importlib.metadata.version("mlflow"))';
  return execFileSync(join(ensurePythonEnvironment(), 'python'), ['-c', script], { encoding: 'utf8' }).trim();
}

/** What a reader must know to compare figures. */
export function machineFacts(withMlflow: boolean): MachineFacts {
  return {
    cpuModel: cpus()[0]?.model ?? 'unknown processor',
    cores: cpus().length,
    memoryGb: Math.round(totalmem() / 1024 ** 3),
    loadAverage: loadavg().map((load) => Math.round(load * 100) / 100),
    node: process.versions.node,
    sqlite: process.versions.sqlite ?? 'unknown',
    ...(withMlflow ? { mlflow: mlflowVersion() } : {}),
    startedAt: new Date().toISOString(),
  };
}
