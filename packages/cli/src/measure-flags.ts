/** Metrics as flags and files give them, and files that flags name. */
import { readFileSync } from 'node:fs';
import type { InputOf } from '@countersign/contract/endpoint.ts';
import type { EndpointOf } from '@countersign/contract/native-api.ts';
import { invalid } from '@countersign/contract/problem.ts';
import type { Command } from 'commander';
import { readPairs } from './pairs.ts';

type Report = InputOf<EndpointOf<'reportCheck'>>['body'];

export interface MeasureFlags {
  readonly metric: readonly string[];
  readonly metricsFile?: string;
  readonly dataset?: string;
}

export function addMeasureFlags(verb: Command): Command {
  const collect = (value: string, before: readonly string[]): string[] => [...before, value];
  return verb
    .option('--metric <NAME=VALUE>', 'what it measured; may be given several times', collect, [])
    .option('--metrics-file <FILE>', 'JSON with numbers by their names, read when the check ends')
    .option('--dataset <NAME>', 'what the metrics are on');
}

export function measuresOf({ metric, metricsFile, dataset }: MeasureFlags): Pick<Report, 'metrics' | 'dataset'> {
  const metrics = { ...(metricsFile === undefined ? {} : readMetricsFile(metricsFile)), ...readMetricPairs(metric) };
  return { ...(Object.keys(metrics).length === 0 ? {} : { metrics }), ...(dataset === undefined ? {} : { dataset }) };
}

type Metrics = NonNullable<Report['metrics']>;

const WORDS: Readonly<Record<string, 'NaN' | 'Infinity' | '-Infinity'>> = {
  nan: 'NaN',
  infinity: 'Infinity',
  '-infinity': '-Infinity',
  inf: 'Infinity',
  '-inf': '-Infinity',
};

function readMetric(from: string, name: string, value: unknown): Metrics[string] {
  const word = typeof value === 'string' ? WORDS[value.trim().toLowerCase()] : undefined;
  const number = typeof value === 'string' && value.trim() !== '' ? Number(value) : value;
  if (word !== undefined) return word;
  if (typeof number === 'number' && Number.isFinite(number)) return number;
  throw invalid(`${from} needs a number for '${name}', got '${String(value)}'.`);
}

export function readMetricPairs(texts: readonly string[]): Metrics {
  return Object.fromEntries(readPairs('--metric', texts).map(([name, value]) => [name, readMetric('--metric', name, value)]));
}

function readMetricsFile(path: string): Metrics {
  const text = readText('--metrics-file', path);
  let read: unknown;
  try {
    // As Python's json writes them, which JSON doesn't know.
    read = JSON.parse(text.replace(/(:\s*)(NaN|-?Infinity)(?=\s*[,}])/g, '$1"$2"'));
  } catch {
    throw invalid(`The file ${path} of --metrics-file is no JSON.`);
  }
  if (typeof read !== 'object' || read === null || Array.isArray(read))
    throw invalid(`The file ${path} of --metrics-file must hold one object: numbers by their names.`);
  return Object.fromEntries(Object.entries(read).map(([name, value]) => [name, readMetric(`The file ${path}`, name, value)]));
}

export function readText(flag: string, path: string): string {
  try {
    return readFileSync(path, 'utf8');
  } catch (error) {
    throw invalid(`The file ${path} of ${flag} can't be read (${(error as { code?: string }).code ?? 'unknown error'}).`);
  }
}
