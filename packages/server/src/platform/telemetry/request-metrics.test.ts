import { Registry } from 'prom-client';
import { describe, expect, it } from 'vitest';
import { createMetricsPage } from './metrics-page.ts';
import { RequestMetrics } from './request-metrics.ts';

describe('request metrics', () => {
  it('put a request into every bucket that it fits, and count it once', () => {
    const metrics = new RequestMetrics();
    const route = { method: 'GET', path: '/a' };
    metrics.count(route, 200, 0.5);
    metrics.count(route, 200, 30);
    metrics.count(route, 404, 90_000);
    const samples = metrics.histogram('h');
    const bucket = (status: string, le: number | string): number | undefined =>
      samples.find((each) => each.labels.status === status && each.labels.le === le)?.value;
    expect([bucket('2xx', 0.001), bucket('2xx', 0.025), bucket('2xx', 0.05), bucket('2xx', '+Inf')]).toEqual([1, 1, 2, 2]);
    expect([bucket('4xx', 60), bucket('4xx', '+Inf')]).toEqual([0, 1]);
    expect(metrics.totals().map(({ value }) => value)).toEqual([2, 1]);
  });

  it('are a page that names things as Prometheus wants: counters end in _total, nothing else does', async () => {
    const metrics = new RequestMetrics();
    metrics.count(undefined, 404, 1);
    const page = await createMetricsPage(metrics, [{ name: 'countersign_x', help: 'X.', type: 'gauge', read: () => 7 }])();
    expect(page.type).toBe(new Registry().contentType);
    expect(page.body).toContain('\ncountersign_x 7\n');
    const types = [...page.body.matchAll(/^# TYPE (\S+) (\S+)$/gm)].map(([, name = '', type]) => ({ name, type }));
    expect(types.length).toBeGreaterThan(15);
    expect(types.filter(({ name, type }) => name.endsWith('_total') !== (type === 'counter'))).toEqual([]);
    expect(new Set(types.map(({ name }) => name)).size).toBe(types.length);
  });
});
