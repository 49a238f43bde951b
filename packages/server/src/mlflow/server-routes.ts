import type { Route } from '../platform/http/exchange.ts';

/** The upstream version whose wire this server speaks. */
export const MLFLOW_VERSION = '3.17.2';

export function serverRoutes(): Route[] {
  return [{ method: 'GET', path: '/health', permission: 'public', handle: () => ({ type: 'text/plain; charset=utf-8', body: 'OK' }) }];
}
