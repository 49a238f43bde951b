/**
 * Permissions that a workspace names itself, for policies to ask for: who may break the glass. Users hold them, directly or through a group; service
 * accounts and jobs never do.
 */
import { clip } from '@countersign/contract/mlflow/message.ts';
import { invalid, notFound } from '@countersign/contract/problem.ts';
import { type Ctx, reading, type TxCtx, transaction } from '../../platform/context.ts';
import { announceChange, governSetting, noteCredentialChange, recordAccess } from '../accounts/accounts.ts';
import type { HolderKind, Holding } from './named-permission-store.ts';
import * as store from './named-permission-store.ts';

export type { HolderKind, Holding } from './named-permission-store.ts';

export const HOLDINGS_MAX = 10_000;
const NAME_CHARACTERS_MAX = 100;

export interface Holder {
  readonly kind: HolderKind;
  readonly id: number;
  readonly name: string;
}

/** Once more changes nothing. */
export async function give(ctx: Ctx, permission: string, holder: Holder): Promise<void> {
  checkPermission(permission);
  return transaction(ctx, async (inner) => {
    await governed(inner, permission, `give ${permission} to ${holderWords(holder)}`);
    const row: Holding = { permission, holderKind: holder.kind, holderId: holder.id, givenAt: inner.clock.now() };
    if (!(await store.insert(inner.tx, inner.workspace.id, row, inner.principal.id))) return;
    await tell(inner, 'permission.given', inner.workspace.id, row);
  });
}

/** RESOURCE_DOES_NOT_EXIST where it hasn't it. */
export function take(ctx: Ctx, permission: string, holder: Holder): Promise<void> {
  return transaction(ctx, async (inner) => {
    await governed(inner, permission, `take ${permission} from ${holderWords(holder)}`);
    if (!(await store.remove(inner.tx, inner.workspace.id, permission, holder.kind, holder.id)))
      throw notFound(`The ${holder.kind} '${clip(holder.name)}' doesn't hold the permission '${clip(permission)}' itself.`);
    await tell(inner, 'permission.taken', inner.workspace.id, { permission, holderKind: holder.kind, holderId: holder.id });
  });
}

function holderWords({ kind, id, name }: Holder): string {
  return `${kind} ${name} (${id})`;
}

function governed(ctx: TxCtx, permission: string, words: string): Promise<void> {
  return governSetting(ctx, { setting: 'memberships', words, workspaceId: ctx.workspace.id, names: { permission } });
}

async function tell(
  ctx: TxCtx,
  type: string,
  workspaceId: number,
  { permission, holderKind, holderId }: Omit<Holding, 'givenAt'>,
): Promise<void> {
  recordAccess(ctx, { type, data: { workspace: workspaceId, permission, subject_kind: holderKind, subject_id: holderId } });
  if (holderKind === 'group') return announceChange(ctx);
  await noteCredentialChange(ctx, holderId);
  await announceChange(ctx, { principalId: holderId });
}

function checkPermission(permission: string): void {
  if (permission.length <= NAME_CHARACTERS_MAX && permission !== '' && permission === permission.trim() && !/\p{C}/u.test(permission))
    return;
  throw invalid(
    `Invalid name of a permission '${clip(permission.toWellFormed())}'. It has 1 to ${NAME_CHARACTERS_MAX} characters, none of them invisible, and no space at its ends.`,
  );
}

/** Of the workspace: all, or those of one permission. */
export async function list(ctx: Ctx, permission?: string): Promise<Holding[]> {
  const db = reading(ctx);
  if (permission !== undefined) checkPermission(permission);
  return permission === undefined
    ? store.list(db, ctx.workspace.id, HOLDINGS_MAX)
    : store.listOfPermission(db, ctx.workspace.id, permission, HOLDINGS_MAX);
}

/** Names of those that a group holds, in whatever workspace. */
export async function listOfGroup(ctx: Ctx, groupId: number): Promise<readonly string[]> {
  return (await store.listOfHolder(reading(ctx), 'group', groupId)).map(({ permission }) => permission);
}

/** All of an account that goes, in every workspace. In the caller's transaction. */
export async function forgetUser(ctx: TxCtx, accountId: number): Promise<void> {
  for (const { workspaceId, ...holding } of await store.listOfHolder(ctx.tx, 'user', accountId)) {
    await store.remove(ctx.tx, workspaceId, holding.permission, 'user', accountId);
    await tell(ctx, 'permission.taken', workspaceId, holding);
  }
}

/** All in a workspace that goes. In the caller's transaction. */
export async function forgetWorkspace(ctx: TxCtx): Promise<void> {
  for (const holding of await store.list(ctx.tx, ctx.workspace.id, HOLDINGS_MAX)) {
    await store.remove(ctx.tx, ctx.workspace.id, holding.permission, holding.holderKind, holding.holderId);
    await tell(ctx, 'permission.taken', ctx.workspace.id, holding);
  }
}
