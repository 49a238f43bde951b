/** `current_user.me()` of databricks-sdk (RFC 7643 §4.1, as much as clients read). */
import { NoFields } from '@countersign/contract/mlflow/auth-messages.ts';
import * as accounts from '../features/accounts/accounts.ts';
import * as groups from '../features/groups/groups.ts';
import { type Rpc, rpc } from '../mlflow/rpc.ts';
import { accountIdOf, type Ctx, reading } from '../platform/context.ts';
import { ADMINS } from './access-control-list.ts';

async function me(ctx: Ctx): Promise<object> {
  const { principal } = ctx;
  const account = await accounts.findAccount(reading(ctx), accountIdOf(principal));
  const own = await groups.listOf(ctx, accountIdOf(principal));
  const admins = ctx.access.isAdmin ? [{ display: ADMINS, value: ADMINS, type: 'direct' }] : [];
  return {
    schemas: ['urn:ietf:params:scim:schemas:core:2.0:User'],
    id: String(principal.id),
    userName: principal.name,
    displayName: account?.displayName ?? principal.name,
    active: true,
    emails: account?.email ? [{ value: account.email, type: 'work', primary: true }] : undefined,
    groups: [...own.map((group) => ({ display: group.name, value: String(group.id), type: 'direct' })), ...admins],
  };
}

export const scimRpcs: readonly Rpc[] = [rpc('GET', '/preview/scim/v2/Me', 'account', NoFields, me, { audience: 'api' })];
