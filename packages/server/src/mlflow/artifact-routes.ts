import type { Ctx } from '../platform/context.ts';
import type { Exchange, Route } from '../platform/http/exchange.ts';

export function artifactRoutes(_contextOf: (exchange: Exchange) => Ctx): Route[] {
  return [];
}
