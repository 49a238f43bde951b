/** Which routes an operator left on; the others answer why they are off, instead of vanishing. */
import { clip } from '@countersign/contract/mlflow/message.ts';
import { Problem } from '@countersign/contract/problem.ts';
import type { ServerConfig } from '../platform/config/server-config.ts';
import type { Route } from '../platform/http/exchange.ts';

export function servedOnly(serves: ServerConfig['serves'], routes: readonly Route[]): readonly Route[] {
  switch (serves) {
    case 'all':
      return routes;
    case 'all-but-artifacts':
      return routes.map((route) => (isArtifactProxy(route.path) ? switchedOff(route, '--no-serve-artifacts') : route));
    case 'artifacts':
      return routes.map((route) => (isForArtifacts(route.path) ? route : switchedOff(route, '--artifacts-only')));
  }
}

/** The routes of `mlflow-artifacts:` locations. Upstream serves them without the static prefix too. */
export function isArtifactProxy(path: string): boolean {
  return path.includes('/mlflow-artifacts/');
}

/** With what a client or a probe asks of any server. */
function isForArtifacts(path: string): boolean {
  return isArtifactProxy(path) || !/^\/(ajax-)?api\//.test(path) || path.endsWith('/mlflow/server-info');
}

function switchedOff(route: Route, option: string): Route {
  return {
    ...route,
    handle: (exchange) => {
      throw new Problem('ENDPOINT_NOT_FOUND', `'${clip(exchange.path)}' is switched off: the server runs with ${option}.`);
    },
  };
}
