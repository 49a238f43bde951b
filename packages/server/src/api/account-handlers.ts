import type { accountEndpoints } from '@countersign/contract/accounts.ts';
import { levelOf } from '@countersign/contract/levels.ts';
import { invalid, notFound, Problem } from '@countersign/contract/problem.ts';
import { PAGE_SIZE } from '@countersign/contract/schemas.ts';
import * as accounts from '../features/accounts/accounts.ts';
import * as administration from '../features/administration/administration.ts';
import * as groups from '../features/groups/groups.ts';
import * as tokens from '../features/tokens/tokens.ts';
import { FailureLimiter } from '../gate/failure-limiter.ts';
import { accountIdOf, type Ctx } from '../platform/context.ts';
import {
  answerServiceAccount,
  answerServiceAccounts,
  answerUser,
  getOwnAccount,
  getServiceAccount,
  getUser,
  pageById,
  reread,
} from './account-answers.ts';
import { done } from './answers.ts';
import { demandMember } from './grant-permissions.ts';
import type { Handlers } from './handlers.ts';

interface ProfileChange {
  readonly name?: string;
  readonly display_name?: string | null;
  readonly email?: string | null;
}

/** What is left out stays. */
function changeProfile(ctx: Ctx, account: accounts.Account, change: ProfileChange): Promise<void> {
  return accounts.setProfile(ctx, account, {
    name: change.name ?? account.name,
    displayName: change.display_name === undefined ? account.displayName : change.display_name || null,
    email: change.email === undefined ? account.email : change.email || null,
  });
}

async function changeUser(ctx: Ctx, name: string, change: (account: accounts.Account) => Promise<unknown>) {
  const account = await getUser(ctx, name);
  await change(account);
  return answerUser(await reread(ctx, account));
}

async function changeServiceAccount(ctx: Ctx, name: string, change: (account: accounts.Account) => Promise<unknown>) {
  const account = await getServiceAccount(ctx, name);
  await change(account);
  return answerServiceAccount(ctx, await reread(ctx, account));
}

async function ownerIdOf(ctx: Ctx, name: string | undefined): Promise<number> {
  if (name !== undefined) return (await getUser(ctx, name)).id;
  if (ctx.principal.kind !== 'user') throw invalid("Say who answers for the service account: 'owner' must be the name of a user.");
  return ctx.principal.id;
}

let attempts: FailureLimiter | undefined;

/** Whoever holds a signed-in browser or a token doesn't get the password by trying. */
async function checkCurrentPassword(ctx: Ctx, account: accounts.Account, given: string | undefined, address: string): Promise<void> {
  if (!account.hasPassword) {
    if (ctx.tokenScope?.endsAt === undefined) return;
    throw new Problem(
      'PERMISSION_DENIED',
      'Permission denied: a token that ends may not set the first password, which goes on. Sign in by the browser, or ask an administrator for one.',
    );
  }
  attempts ??= new FailureLimiter(() => ctx.clock.now());
  const attempt = given === undefined ? undefined : attempts.begin(account.name, address);
  if (given !== undefined && attempt !== undefined) {
    let isRight = false;
    try {
      isRight = (await accounts.findByPassword(ctx.db, account.name, given)) !== undefined;
    } finally {
      attempt.end(isRight);
    }
    if (isRight) return;
  }
  throw new Problem('UNAUTHENTICATED', "'current_password' must be the password you have now. An administrator can give you a new one.");
}

/** One that is there, or else one that was deleted and had the name. */
async function findToErase(ctx: Ctx, name: string, id: number | undefined): Promise<accounts.Account> {
  const current = await accounts.findByName(ctx, name);
  const all = [...(current === undefined ? [] : [current]), ...(await accounts.listDeleted(ctx, name))].filter(
    (each) => each.kind === 'user',
  );
  if (id !== undefined) {
    const chosen = all.find((each) => each.id === id);
    if (chosen === undefined) throw notFound(`No user with the id ${id} is, or was, named '${name}'.`);
    return chosen;
  }
  const [first, second] = all;
  if (first === undefined) throw notFound(`No user is, or was, named '${name}'.`);
  if (second !== undefined) {
    const list = all.map((each) => `${each.id} (${each.state}, made ${new Date(each.createdAt).toISOString()})`).join(', ');
    throw invalid(`Several users are, or were, named '${name}'. Choose one by 'id': ${list}.`);
  }
  return first;
}

export const accountHandlers: Handlers<(typeof accountEndpoints)[number]['id']> = {
  getMe: async (ctx) => {
    demandMember(ctx);
    const { access, principal, tokenScope } = ctx;
    const account = principal.kind === 'local' ? undefined : await accounts.findById(ctx, accountIdOf(principal));
    const memberships = account === undefined ? [] : await groups.listOf(ctx, account.id);
    return {
      principal: { id: principal.id, kind: principal.kind, name: principal.name },
      display_name: account?.displayName ?? null,
      email: account?.email ?? null,
      groups: memberships.filter((each) => each.workspaceId === groups.SERVER_WIDE).map((each) => each.name),
      workspace: ctx.workspace.name,
      access: {
        is_admin: access.isAdmin,
        is_manager: access.isManager,
        may_create: access.mayCreate,
        level_on_models: levelOf(access.floorOf('registered-model')) ?? null,
        level_on_experiments: levelOf(access.floorOf('experiment')) ?? null,
      },
      token: tokenScope === undefined ? null : { scopes: tokens.wordsOf(tokenScope) },
    };
  },
  updateMe: async (ctx, { body }) => {
    const account = await getOwnAccount(ctx);
    await changeProfile(ctx, account, body);
    return answerUser(await reread(ctx, account));
  },
  setMyPassword: async (ctx, { body }, { address }) => {
    const account = await getOwnAccount(ctx);
    await checkCurrentPassword(ctx, account, body.current_password, address);
    return done(administration.setPassword(ctx, account, body.password, { revokesTokens: body.revoke_tokens ?? false }));
  },

  listUsers: async (ctx, { query }) => {
    const page = await pageById(query.limit ?? PAGE_SIZE, query.page_token, (part) => accounts.list(ctx, { ...part, kind: 'user' }));
    return { users: page.items.map(answerUser), next_page_token: page.next };
  },
  createUser: async (ctx, { body }) => {
    const account = await accounts.createUser(ctx, {
      name: body.name,
      displayName: body.display_name || undefined,
      email: body.email || undefined,
      isAdmin: body.is_admin,
      password: body.password,
    });
    return answerUser(account);
  },
  getUser: async (ctx, { params }) => answerUser(await getUser(ctx, params.name)),
  updateUser: (ctx, { params, body }) => changeUser(ctx, params.name, (account) => changeProfile(ctx, account, body)),
  setUserPassword: async (ctx, { params, body }) => {
    const account = await getUser(ctx, params.name);
    return done(administration.setPassword(ctx, account, body.password, { revokesTokens: body.revoke_tokens ?? false }));
  },
  setUserAdmin: (ctx, { params, body }) => changeUser(ctx, params.name, (account) => accounts.setAdmin(ctx, account, body.is_admin)),
  disableUser: (ctx, { params, body }) =>
    changeUser(ctx, params.name, (account) => administration.disable(ctx, account, { revokesTokens: body.revoke_tokens ?? false })),
  enableUser: (ctx, { params }) => changeUser(ctx, params.name, (account) => accounts.setState(ctx, account, 'active')),
  deleteUser: async (ctx, { params }) => done(administration.removeAccount(ctx, await getUser(ctx, params.name))),
  eraseUser: async (ctx, { params, body }) => {
    if (body.confirm !== params.name) throw invalid(`'confirm' must be the name of the user, '${params.name}'. Nobody was erased.`);
    const account = await findToErase(ctx, params.name, body.id);
    const { name, texts } = await administration.eraseAccount(ctx, account);
    return { id: account.id, name, erased_texts: texts };
  },

  listServiceAccounts: async (ctx, { query }) => {
    if (!ctx.access.isAdmin) {
      const own = await accounts.listOwnedBy(ctx, ctx.principal.id);
      return { service_accounts: await answerServiceAccounts(ctx, own), next_page_token: null };
    }
    const page = await pageById(query.limit ?? PAGE_SIZE, query.page_token, (part) => accounts.list(ctx, { ...part, kind: 'service' }));
    return { service_accounts: await answerServiceAccounts(ctx, page.items), next_page_token: page.next };
  },
  createServiceAccount: async (ctx, { body }) => {
    const ownerId = await ownerIdOf(ctx, body.owner);
    const account = await accounts.createServiceAccount(ctx, { name: body.name, displayName: body.display_name || undefined, ownerId });
    return answerServiceAccount(ctx, account);
  },
  getServiceAccount: async (ctx, { params }) => {
    // Others don't learn that it exists.
    const account = await accounts.findByName(ctx, params.name);
    if (!ctx.access.isAdmin && account?.ownerId !== ctx.principal.id)
      throw notFound(`There is no service account named '${params.name}' that is yours.`);
    return answerServiceAccount(ctx, await getServiceAccount(ctx, params.name));
  },
  updateServiceAccount: (ctx, { params, body }) =>
    changeServiceAccount(ctx, params.name, async (account) => {
      const ownerId = body.owner === undefined ? undefined : await ownerIdOf(ctx, body.owner);
      await administration.describeServiceAccount(ctx, account, {
        name: body.name ?? account.name,
        displayName: body.display_name === undefined ? account.displayName : body.display_name || null,
        ownerId,
      });
    }),
  disableServiceAccount: (ctx, { params, body }) =>
    changeServiceAccount(ctx, params.name, (account) =>
      administration.disable(ctx, account, { revokesTokens: body.revoke_tokens ?? false }),
    ),
  enableServiceAccount: (ctx, { params }) => changeServiceAccount(ctx, params.name, (account) => accounts.setState(ctx, account, 'active')),
  deleteServiceAccount: async (ctx, { params }) => done(administration.removeAccount(ctx, await getServiceAccount(ctx, params.name))),
};
