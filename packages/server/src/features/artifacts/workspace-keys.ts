/** Keys of workspaces: the newest is for new blobs, all are for reading. Each is stored wrapped by the master key. */
import { Problem } from '@countersign/contract/problem.ts';
import type { DomainKey } from '../../platform/blobs/blob-store.ts';
import { type Ctx, reading, type TxCtx } from '../../platform/context.ts';
import * as events from '../events/events.ts';
import * as store from './workspace-key-store.ts';

export type { ListedKey } from './workspace-key-store.ts';

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

interface Rewrapped {
  readonly pk: number;
  readonly before: Uint8Array;
  readonly wrapped: Uint8Array;
}

/** The next page of keys that aren't under the master key, wrapped anew. `last` is undefined behind the last page. */
export async function nextToRewrap(
  ctx: Ctx,
  masterKeyId: string,
  afterPk: number,
): Promise<{ keys: Rewrapped[]; unreadable: number; last: number | undefined }> {
  const rows = await store.listUnderOthers(ctx.db, masterKeyId, afterPk);
  const rewrapped: Rewrapped[] = [];
  for (const { pk, id, wrapped } of rows) {
    const anew = await ctx.blobs.rewrapDomainKey({ id, wrapped }).catch(undefinedIfLost);
    if (anew) rewrapped.push({ pk, before: wrapped, wrapped: anew });
  }
  return { keys: rewrapped, unreadable: rows.length - rewrapped.length, last: rows.at(-1)?.pk };
}

/** A key that no master key here opens must not keep the others from being rewrapped; it is counted. */
function undefinedIfLost(error: unknown): undefined {
  if (!(error instanceof Problem)) throw error;
  return undefined;
}

/** Answers how many were still as they were read. */
export async function putRewrapped(ctx: TxCtx, masterKeyId: string, keys: readonly Rewrapped[]): Promise<number> {
  let changed = 0;
  for (const { pk, before, wrapped } of keys) changed += await store.replaceWrapped(ctx.tx, pk, before, wrapped);
  if (changed > 0) events.record(ctx, { type: 'master-key.rotated', data: { key_id: masterKeyId, of: 'workspace-keys', count: changed } });
  return changed;
}
