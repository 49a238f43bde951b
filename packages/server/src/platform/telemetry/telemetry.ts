/** What the operator sees of requests: their count and time on /metrics, a line each when debugging, errors always. No bodies, no queries. */
import type { Logger } from 'pino';
import type { Exchange, Route } from '../http/exchange.ts';
import { createMetricsPage, type Reading } from './metrics-page.ts';
import { RequestMetrics } from './request-metrics.ts';

/** No answer was sent, since nobody was there any more; the number is nginx's. */
const CLIENT_LEFT = 499;

export interface Telemetry {
  readonly onError: (error: unknown, exchange: Exchange) => void;
  readonly onDone: (route: Route | undefined, exchange: Exchange, elapsedMs: number) => void;
  readonly routes: readonly Route[];
}

export function createTelemetry(log: Logger, readings: readonly Reading[] = []): Telemetry {
  const requests = new RequestMetrics();
  const page = createMetricsPage(requests, readings);
  const logsRequests = log.isLevelEnabled('debug');
  return {
    onError: (error, exchange) =>
      log.error({ err: error, request_id: exchange.requestId, method: exchange.req.method, path: exchange.path }, 'a request failed'),
    onDone: (route, exchange, elapsedMs) => {
      const status = exchange.res.headersSent ? exchange.res.statusCode : CLIENT_LEFT;
      requests.count(route, status, elapsedMs);
      if (logsRequests) {
        const duration_ms = Math.round(elapsedMs * 100) / 100;
        log.debug({ request_id: exchange.requestId, method: exchange.req.method, path: exchange.path, status, duration_ms }, 'request');
      }
    },
    routes: [{ method: 'GET', path: '/metrics', permission: 'account', handle: () => page() }],
  };
}
