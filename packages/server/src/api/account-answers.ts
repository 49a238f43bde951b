/** Accounts as the native API shows them, and how their names are read. */
import type { ServiceAccountSchema, UserSchema } from '@countersign/contract/accounts.ts';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { notFound, Problem } from '@countersign/contract/problem.ts';
import type { PrincipalRef } from '@countersign/contract/schemas.ts';
import type { Static } from 'typebox';
import * as accounts from '../features/accounts/accounts.ts';
import { accountIdOf, type Ctx } from '../platform/context.ts';
import { decodeOffset, encodeOffset } from '../platform/db/page-token.ts';

export function answerUser(account: accounts.Account): Static<typeof UserSchema> {
  return { ...members(account), email: account.email, is_admin: account.isAdmin, has_password: account.hasPassword };
}

export async function answerServiceAccounts(ctx: Ctx, list: readonly accounts.Account[]): Promise<Static<typeof ServiceAccountSchema>[]> {
  const owners = await accounts.listPrincipals(
    ctx,
    list.flatMap((each) => each.ownerId ?? []),
  );
  return list.map((each) => ({ ...members(each), owner: (each.ownerId === null ? undefined : owners.get(each.ownerId)) ?? null }));
}

export async function answerServiceAccount(ctx: Ctx, account: accounts.Account): Promise<Static<typeof ServiceAccountSchema>> {
  const [answer] = await answerServiceAccounts(ctx, [account]);
  if (answer === undefined) throw new TypeError('one account is one answer');
  return answer;
}

function members(account: accounts.Account) {
  return {
    id: account.id,
    name: account.name,
    display_name: account.displayName,
    state: account.state,
    created_at: account.createdAt,
  };
}

export function principalOf(account: accounts.Account): Static<typeof PrincipalRef> {
  return { id: account.id, kind: account.kind, name: account.name };
}

/** RESOURCE_DOES_NOT_EXIST also for a service account. */
export async function getUser(ctx: Ctx, name: string): Promise<accounts.Account> {
  const account = await accounts.findByName(ctx, name);
  if (account?.kind !== 'user') throw notFound(`There is no user named '${clip(name)}'.`);
  return account;
}

export async function getServiceAccount(ctx: Ctx, name: string): Promise<accounts.Account> {
  const account = await accounts.findByName(ctx, name);
  if (account?.kind !== 'service') throw notFound(`There is no service account named '${clip(name)}'.`);
  return account;
}

/** The caller's. INVALID_STATE for the local administrator, who has none. */
export async function getOwnAccount(ctx: Ctx): Promise<accounts.Account> {
  const account = ctx.principal.kind === 'local' ? undefined : await accounts.findById(ctx, accountIdOf(ctx.principal));
  if (account !== undefined) return account;
  throw new Problem(
    'INVALID_STATE',
    'You act as the local administrator, who has no account, no password and no tokens. Sign in with an account, or name the one you mean. ' +
      'The first one is made by countersign user create NAME --admin.',
  );
}

/** As it is after a change. */
export async function reread(ctx: Ctx, { id }: accounts.Account): Promise<accounts.Account> {
  const account = await accounts.findById(ctx, id);
  if (account === undefined) throw notFound(`There is no account with the id ${id}.`);
  return account;
}

export interface PageQuery {
  readonly limit?: number;
  readonly page_token?: string;
}

/** `list` is asked for one more than fits, which says whether there is another page. */
export async function pageById<T extends { readonly id: number }>(
  limit: number,
  pageToken: string | undefined,
  list: (page: { afterId: number; limit: number }) => Promise<readonly T[]>,
): Promise<{ items: readonly T[]; next: string | null }> {
  const found = await list({ afterId: decodeOffset(pageToken), limit: limit + 1 });
  const items = found.slice(0, limit);
  const last = items.at(-1);
  return { items, next: found.length > limit && last ? encodeOffset(last.id) : null };
}
