import { Problem } from '@countersign/contract/problem.ts';
import type { tokenEndpoints } from '@countersign/contract/tokens.ts';
import * as accounts from '../features/accounts/accounts.ts';
import * as tokens from '../features/tokens/tokens.ts';
import { accountIdOf, type Ctx } from '../platform/context.ts';
import { getOwnAccount, principalOf } from './account-answers.ts';
import { done } from './answers.ts';
import type { Handlers } from './handlers.ts';

/** The caller himself, or a service account that answers to him. */
function isOwn(ctx: Ctx, account: accounts.Account): boolean {
  return ctx.principal.kind !== 'local' && (account.id === accountIdOf(ctx.principal) || account.ownerId === ctx.principal.id);
}

/** Nobody learns who else there is. */
function notYours(): Problem {
  return new Problem(
    'PERMISSION_DENIED',
    'Permission denied: these are tokens of somebody else, or of nobody. You look after your own and those of service accounts that you own; administrators revoke any.',
  );
}

async function findAccount(ctx: Ctx, name: string | undefined): Promise<accounts.Account> {
  if (name === undefined) return getOwnAccount(ctx);
  const account = await accounts.findByName(ctx, name);
  if (ctx.access.isAdmin) return account ?? accounts.getByName(ctx, name);
  if (account === undefined || !isOwn(ctx, account)) throw notYours();
  return account;
}

function answerToken(token: tokens.Token, account: accounts.Account) {
  return {
    id: token.id,
    account: principalOf(account),
    kind: token.kind,
    name: token.name,
    hint: token.hint,
    scopes: token.scopes,
    created_at: token.createdAt,
    expires_at: token.expiresAt,
    last_used_at: token.lastUsedAt,
    revoked_at: token.revokedAt,
  };
}

export const tokenHandlers: Handlers<(typeof tokenEndpoints)[number]['id']> = {
  listTokens: async (ctx, { query }) => {
    const account = await findAccount(ctx, query.account);
    return { tokens: (await tokens.list(ctx, account.id)).map((token) => answerToken(token, account)) };
  },
  createToken: async (ctx, { body }) => {
    const account = await findAccount(ctx, body.account);
    if (account.kind !== 'service' && !isOwn(ctx, account)) {
      throw new Problem(
        'PERMISSION_DENIED',
        `Permission denied: a token of '${account.name}' would act as that person, so only '${account.name}' makes one. Make a service account for a job or a program.`,
      );
    }
    const { token, secret } = await tokens.mint(ctx, account, {
      kind: account.kind === 'service' ? 'service' : 'personal',
      name: body.name,
      scopes: body.scopes,
      expiresAt: body.expires_at,
    });
    return { token: answerToken(token, account), secret };
  },
  revokeToken: async (ctx, { params }) => {
    const token = await tokens.find(ctx, params.id);
    const account = token && (await accounts.findById(ctx, token.principalId));
    if (!ctx.access.isAdmin && (account === undefined || !isOwn(ctx, account))) throw notYours();
    return done(tokens.revoke(ctx, token ?? (await tokens.get(ctx, params.id))));
  },
};
