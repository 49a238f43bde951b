/** Whose CI jobs are whose, and who holds permissions that policies name. */
import type { ciIdentityEndpoints } from '@countersign/contract/ci-identities.ts';
import { clip } from '@countersign/contract/mlflow/message.ts';
import type { HolderKind, namedPermissionEndpoints } from '@countersign/contract/named-permissions.ts';
import { notFound } from '@countersign/contract/problem.ts';
import * as accounts from '../features/accounts/accounts.ts';
import * as ciIdentities from '../features/ci-identities/ci-identities.ts';
import * as groups from '../features/groups/groups.ts';
import * as namedPermissions from '../features/named-permissions/named-permissions.ts';
import type { Ctx } from '../platform/context.ts';
import { getUser } from './account-answers.ts';
import { done } from './answers.ts';
import type { Handlers } from './handlers.ts';

function answerIdentity({ issuer, actorId, linkedAt }: ciIdentities.CiIdentity) {
  return { issuer, actor_id: actorId, linked_at: linkedAt };
}

export const ciIdentityHandlers: Handlers<(typeof ciIdentityEndpoints)[number]['id']> = {
  listCiIdentities: async (ctx, { params }) => ({
    identities: (await ciIdentities.listOf(ctx, (await getUser(ctx, params.name)).id)).map(answerIdentity),
  }),
  linkCiIdentity: async (ctx, { params, body }) =>
    answerIdentity(await ciIdentities.link(ctx, await getUser(ctx, params.name), { issuer: body.issuer, actorId: body.actor_id })),
  unlinkCiIdentity: async (ctx, { params, query }) =>
    done(ciIdentities.unlink(ctx, await getUser(ctx, params.name), { issuer: query.issuer, actorId: query.actor_id })),
};

/** As policies read the name of a group. */
async function findHolder(ctx: Ctx, kind: HolderKind, name: string): Promise<namedPermissions.Holder> {
  if (kind === 'user') return { kind, id: (await getUser(ctx, name)).id, name };
  const group = (await groups.find(ctx, name)) ?? (await groups.find(ctx, name, ctx.workspace.id));
  if (group === undefined) throw notFound(`There is no group named '${clip(name)}'.`);
  return { kind, id: group.id, name };
}

async function answerHoldings(ctx: Ctx, found: readonly namedPermissions.Holding[]) {
  const idsOf = (kind: HolderKind): number[] => found.filter((each) => each.holderKind === kind).map((each) => each.holderId);
  const users = await accounts.listPrincipals(ctx, idsOf('user'));
  const groupNames = await groups.listNames(ctx, [...new Set(idsOf('group'))]);
  return {
    holdings: found.map(({ permission, holderKind: kind, holderId: id, givenAt }) => ({
      permission,
      holder: { kind, id, name: (kind === 'user' ? users.get(id)?.name : groupNames.get(id)) ?? '' },
      given_at: givenAt,
    })),
  };
}

export const namedPermissionHandlers: Handlers<(typeof namedPermissionEndpoints)[number]['id']> = {
  listNamedPermissions: async (ctx) => answerHoldings(ctx, await namedPermissions.list(ctx)),
  listPermissionHolders: async (ctx, { params }) => answerHoldings(ctx, await namedPermissions.list(ctx, params.permission)),
  giveNamedPermission: async (ctx, { params }) =>
    done(namedPermissions.give(ctx, params.permission, await findHolder(ctx, params.kind, params.holder))),
  takeNamedPermission: async (ctx, { params }) =>
    done(namedPermissions.take(ctx, params.permission, await findHolder(ctx, params.kind, params.holder))),
};
