/** Accounts as upstream's auth API asks for them (mlflow/server/auth, 3.17.2 and 2.22). */
import { RANK } from '@countersign/contract/levels.ts';
import * as messages from '@countersign/contract/mlflow/auth-messages.ts';
import { invalid, Problem } from '@countersign/contract/problem.ts';
import * as access from '../features/access/access.ts';
import * as accounts from '../features/accounts/accounts.ts';
import * as administration from '../features/administration/administration.ts';
import * as workspaces from '../features/workspaces/workspaces.ts';
import { accountIdOf, type Ctx, reading } from '../platform/context.ts';
import type { Exchange, Reply } from '../platform/http/exchange.ts';
import { demandAdmin, demandSelfOrAdmin, denied, isManagerSomewhere, isSelf, managedBy } from './auth-callers.ts';
import { toWire } from './auth-grants.ts';
import { showOldLevel } from './auth-resources.ts';
import { listRolesOf, type ShownRole } from './auth-roles.ts';
import { done } from './model-rpcs.ts';
import { type Rpc, rpc } from './rpc.ts';

const AT = '/mlflow/users';
const LIST_PAGE = 1000;
const LIST_MAX = 100_000;

interface WireUser {
  readonly id: number;
  readonly username: string;
  readonly is_admin: boolean;
}

function userToWire({ id, name, isAdmin }: Pick<accounts.Account, 'id' | 'name' | 'isAdmin'>): WireUser {
  return { id, username: name, is_admin: isAdmin };
}

/** With what clients of 2.x read of every user, even where there is nothing. */
async function userWithGrants(ctx: Ctx, account: accounts.Account): Promise<object> {
  const direct = await access.listOfSubject(ctx, 'principal', account.id);
  const here = direct.filter((grant) => grant.workspaceId === ctx.workspace.id && grant.objectId >= 0);
  const shown = await toWire(ctx, here);
  const of = (kind: string, key: string): object[] =>
    shown
      .filter(({ grant }) => grant.kind === kind)
      .map(({ grant, wire }) => ({ [key]: wire.resource_pattern, user_id: account.id, permission: showOldLevel(grant.level) }));
  return {
    user: {
      ...userToWire(account),
      experiment_permissions: of('experiment', 'experiment_id'),
      registered_model_permissions: of('registered-model', 'name'),
    },
  };
}

/** The first account administers the server: from then on everybody signs in. */
async function createUser(ctx: Ctx, input: { username: string; password: string }): Promise<object> {
  if (!(await isManagerSomewhere(ctx))) throw denied(ctx, 'an administrator of the server or of a workspace');
  if (!(await hasWhatNewcomersHave(ctx))) throw denied(ctx, 'an administrator of the server, or who has what every newcomer gets,');
  const isAdmin = !(await accounts.hasAccounts(reading(ctx)));
  return userWithGrants(ctx, await accounts.createUser(ctx, { name: input.username, password: input.password, isAdmin }));
}

/** Upstream, a new account may do nothing; here it belongs to the default workspace, from which its maker may be kept out. */
async function hasWhatNewcomersHave(ctx: Ctx): Promise<boolean> {
  if (ctx.access.isAdmin) return true;
  const account = await accounts.findAccount(reading(ctx), accountIdOf(ctx.principal));
  if (account === undefined) return false;
  const own = await access.accessIn(ctx, account, workspaces.DEFAULT_WORKSPACE_ID);
  const { member_level: level } = await workspaces.settingsOf(reading(ctx), workspaces.DEFAULT_WORKSPACE_ID);
  const rank = level === 'NONE' ? 0 : RANK[level];
  return own.mayCreate && own.floorOf('experiment') >= rank && own.floorOf('registered-model') >= rank;
}

async function listUsers(ctx: Ctx): Promise<object> {
  if (!ctx.access.mayCreate) throw denied(ctx, 'a member of the workspace with USE');
  const manages = await managedBy(ctx);
  const users: object[] = [];
  for (let afterId = 0; users.length < LIST_MAX; ) {
    const page = await accounts.list(ctx, { kind: undefined, afterId, limit: LIST_PAGE });
    const roles = await listRolesOf(
      ctx,
      page.map((account) => account.id),
    );
    for (const account of page) {
      // The identities of CI jobs are in no role, and no client may ask for them.
      if (account.kind === 'ci') continue;
      const isShown = ({ role }: ShownRole): boolean => isSelf(ctx, account.name) || manages(role.workspaceId);
      users.push({ ...userToWire(account), roles: (roles.get(account.id) ?? []).filter(isShown).map((each) => each.wire) });
    }
    const last = page.at(-1);
    if (last === undefined || page.length < LIST_PAGE) break;
    afterId = last.id;
  }
  return { users };
}

async function deleteUser(ctx: Ctx, username: string): Promise<object> {
  demandAdmin(ctx);
  if (isSelf(ctx, username)) {
    throw new Problem('BAD_REQUEST', 'Users cannot delete their own account. Ask another admin to delete this user instead.');
  }
  return done(administration.removeAccount(ctx, await accounts.getByName(ctx, username)));
}

/** Whoever changes the own password says the old one once more, so that a session that was left open doesn't change it. */
const updatePassword: Rpc = {
  ...rpc('PATCH', `${AT}/update-password`, 'account.edit', messages.UpdatePassword, async () => ({})),
  serve: async (gate, exchange: Exchange): Promise<Reply> => {
    const ctx = await gate.admit(exchange, 'account.edit');
    const input = messages.UpdatePassword.decode(await exchange.json());
    await gate.authorize(ctx, 'account.edit', {});
    demandSelfOrAdmin(ctx, input.username);
    if (isSelf(ctx, input.username)) {
      if (!input.current_password) throw invalid('Current password is required when changing your own password.');
      if (!(await gate.isPassword(exchange, input.username, input.current_password))) throw invalid('Current password does not match.');
      if (input.password === input.current_password) throw invalid('New password must differ from the current password.');
    }
    const account = await accounts.getByName(ctx, input.username);
    await administration.setPassword(ctx, account, input.password, { revokesTokens: false });
    return { body: '{}' };
  },
};

export const authUserRpcs: readonly Rpc[] = [
  rpc('POST', `${AT}/create`, 'access.manage', messages.CreateUser, createUser),
  rpc('GET', `${AT}/get`, 'access.read', messages.GetUser, async (ctx, { username }) => {
    demandSelfOrAdmin(ctx, username);
    return userWithGrants(ctx, await accounts.getByName(ctx, username));
  }),
  rpc('GET', `${AT}/list`, 'access.read', messages.NoFields, listUsers),
  rpc('GET', `${AT}/current`, 'account', messages.NoFields, async (ctx) => ({
    user: { id: ctx.principal.id, username: ctx.principal.name, is_admin: ctx.access.isAdmin },
    // Of upstream's two ways to sign in, the one that lets a page offer to change the password.
    is_basic_auth: true,
  })),
  updatePassword,
  rpc('PATCH', `${AT}/update-admin`, 'access.manage', messages.UpdateAdmin, async (ctx, input) => {
    demandAdmin(ctx);
    return done(accounts.setAdmin(ctx, await accounts.getByName(ctx, input.username), input.is_admin));
  }),
  rpc('DELETE', `${AT}/delete`, 'access.manage', messages.DeleteUser, (ctx, { username }) => deleteUser(ctx, username)),
];
