/** `/metrics` in Prometheus' text format. prom-client is loaded when somebody first asks. */
import type { Metric, Registry } from 'prom-client';
import type { RequestMetrics } from './request-metrics.ts';

/** Gauges of prom-client that are named as counters, which promtool refuses; the counts by type remain. */
const MISNAMED = ['nodejs_active_handles_total', 'nodejs_active_requests_total', 'nodejs_active_resources_total'];

export interface MetricsPage {
  readonly type: string;
  readonly body: string;
}

/** Gauges and counters beside the requests: name, help and what they are now. */
export interface Reading {
  readonly name: string;
  readonly help: string;
  readonly type: 'gauge' | 'counter';
  readonly read: () => number;
}

export function createMetricsPage(requests: RequestMetrics, readings: readonly Reading[]): () => Promise<MetricsPage> {
  let registry: Promise<Registry> | undefined;
  return async () => {
    registry ??= createRegistry(requests, readings);
    const ready = await registry;
    return { type: ready.contentType, body: await ready.metrics() };
  };
}

async function createRegistry(requests: RequestMetrics, readings: readonly Reading[]): Promise<Registry> {
  // The default export, since a bundle knows no names of a CommonJS module that is loaded on demand.
  const { default: prometheus } = await import('prom-client');
  const registry = new prometheus.Registry();
  prometheus.collectDefaultMetrics({ register: registry });
  for (const name of MISNAMED) registry.removeSingleMetric(name);
  const duration = 'countersign_http_request_duration_seconds';
  register(registry, duration, 'histogram', 'Time from the request to its answer.', () => requests.histogram(duration));
  register(registry, 'countersign_http_requests_total', 'counter', 'Requests answered.', () => requests.totals());
  for (const { name, type, help, read } of readings) register(registry, name, type, help, () => [{ value: read(), labels: {} }]);
  return registry;
}

function register(
  registry: Registry,
  name: string,
  type: 'histogram' | 'counter' | 'gauge',
  help: string,
  values: () => readonly object[],
): void {
  const metric = { name, help, type, aggregator: 'sum', get: async () => ({ name, help, type, aggregator: 'sum', values: values() }) };
  registry.registerMetric(metric as unknown as Metric); // the registry asks a metric for these members only
}
