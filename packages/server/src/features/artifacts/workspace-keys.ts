/** Keys of workspaces: the newest is for new blobs, all are for reading. Each is stored wrapped by the master key. */
import type { DomainKey } from '../../platform/blobs/blob-store.ts';
import { type Ctx, reading, type TxCtx } from '../../platform/context.ts';
import * as events from '../events/events.ts';
import * as store from './workspace-key-store.ts';

export { type ListedKey, WORKSPACE_KEYS } from './workspace-key-store.ts';

export interface WorkspaceKey extends DomainKey {
  readonly pk: number;
}

export function findCurrentKey(ctx: Ctx): Promise<WorkspaceKey | undefined> {
  return store.findCurrent(reading(ctx), ctx.workspace.id);
}

export async function makeKey(ctx: TxCtx): Promise<WorkspaceKey> {
  const key = ctx.blobs.newDomainKey();
  const pk = await store.insert(ctx.tx, { ...key, workspaceId: ctx.workspace.id, createdAt: ctx.clock.now(), by: ctx.principal.id });
  events.record(ctx, { type: 'workspace-key.created', data: { key_id: key.id } });
  return { ...key, pk };
}

export function listKeys(ctx: Ctx): Promise<store.ListedKey[]> {
  return store.list(reading(ctx));
}
