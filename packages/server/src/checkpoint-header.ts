/** Answers to changes of what the record is about carry the newest checkpoint, so that whoever keeps them can show later that it was cut. */
import { PERMISSIONS, type Permission } from '@countersign/contract/permissions.ts';
import type { Reply, Route } from './platform/http/exchange.ts';

export const CHECKPOINT_HEADER = 'Countersign-Checkpoint';

/** Tracking writes are no events, and there are many of them. */
const TRACKING = /^(experiment|run|logged-model|artifact)\./;

/** `newestLine` answers from memory. */
export function withCheckpoint(routes: readonly Route[], newestLine: () => string | undefined): Route[] {
  return routes.map((route) => (carries(route) ? { ...route, handle: carrying(route, newestLine) } : route));
}

function carries({ method, permission }: { readonly method: string; readonly permission: Permission }): boolean {
  const { asks } = PERMISSIONS[permission];
  return method !== 'GET' && (asks === 'write' || asks === 'admin') && !TRACKING.test(permission);
}

function carrying({ handle }: Route, newestLine: () => string | undefined): Route['handle'] {
  return async (exchange): Promise<Reply | undefined> => {
    const reply = await handle(exchange);
    const line = newestLine();
    return reply === undefined || line === undefined ? reply : { ...reply, headers: { ...reply.headers, [CHECKPOINT_HEADER]: line } };
  };
}
