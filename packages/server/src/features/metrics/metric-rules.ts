/** What a metric point may be, how it is stored, and which steps a sampled history shows. Pure. */
import type { Int64 } from '@countersign/contract/mlflow/message.ts';
import { checkKey, checkLength } from '@countersign/contract/names.ts';
import { invalid } from '@countersign/contract/problem.ts';

const KEY_MAX = 250;

export interface NewPoint {
  readonly key: string;
  readonly value: number;
  readonly timestamp: Int64;
  readonly step: Int64;
}

/** `path` is how the request calls the point: empty, or `metrics[0]`. Throws INVALID_PARAMETER_VALUE. */
export function checkPoint(point: NewPoint, path: string): void {
  const prefix = path === '' ? '' : `${path}.`;
  checkKey(point.key, `${prefix}name`);
  if (point.timestamp < 0) {
    throw invalid(
      `Invalid value ${point.timestamp} for parameter '${prefix}timestamp' supplied: metric '${point.key}' (value=${point.value}). ` +
        'Timestamp must be a nonnegative long (64-bit integer) ',
    );
  }
  checkLength(point.key, KEY_MAX, 'Metric name');
}

/** NaN is a flag beside the value 0; infinities are the greatest doubles. */
export function toStored(value: number): { readonly value: number; readonly isNan: 0 | 1 } {
  if (Number.isNaN(value)) return { value: 0, isNan: 1 };
  if (value === Infinity) return { value: Number.MAX_VALUE, isNan: 0 };
  if (value === -Infinity) return { value: -Number.MAX_VALUE, isNan: 0 };
  return { value, isNan: 0 };
}

export interface StoredPoint {
  readonly key: string;
  readonly value: number;
  readonly isNan: 0 | 1;
  readonly timestamp: Int64;
  readonly step: Int64;
}

/** Of each key, the point with the greatest (step, timestamp, value). */
export function latestOf(points: readonly StoredPoint[]): StoredPoint[] {
  const latest = new Map<string, StoredPoint>();
  for (const point of points) {
    const held = latest.get(point.key);
    if (held === undefined || isLater(point, held)) latest.set(point.key, point);
  }
  return [...latest.values()];
}

function isLater(a: StoredPoint, b: StoredPoint): boolean {
  if (a.step !== b.step) return a.step > b.step;
  if (a.timestamp !== b.timestamp) return a.timestamp > b.timestamp;
  return a.value > b.value;
}

/**
 * The steps that a history of at most about `max` points shows: evenly spaced ones of all runs' `steps` (ascending, distinct), and each
 * run's first and last, as upstream samples (sqlalchemy_store.py get_metric_history_bulk_interval). Ascending.
 */
export function sampleSteps(steps: readonly Int64[], bounds: readonly Int64[], max: number): Int64[] {
  if (steps.length <= max) return [...steps];
  const sampled = new Set<Int64>(bounds);
  const interval = steps.length / max;
  for (let i = 0; i < max; i++) {
    const step = steps[Math.floor(i * interval)];
    if (step !== undefined) sampled.add(step);
  }
  const last = steps[steps.length - 1];
  if (last !== undefined) sampled.add(last);
  return [...sampled].sort((a, b) => (a < b ? -1 : a > b ? 1 : 0));
}
