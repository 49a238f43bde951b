/** What was granted to one account, as upstream's auth API asks for it since 3.x. */
import type { Access } from '@countersign/contract/access.ts';
import { RANK, type Rank } from '@countersign/contract/levels.ts';
import * as messages from '@countersign/contract/mlflow/auth-messages.ts';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { notFound } from '@countersign/contract/problem.ts';
import * as access from '../features/access/access.ts';
import * as accounts from '../features/accounts/accounts.ts';
import * as experiments from '../features/experiments/experiments.ts';
import * as models from '../features/models/models.ts';
import { accountIdOf, type Ctx, reading } from '../platform/context.ts';
import { denied, isSelf, managedBy, workspaceNames } from './auth-callers.ts';
import { checkEnforceable, findPlace, getPlace, mayManage, type Place } from './auth-grants.ts';
import { checkPattern, checkResourceType, type MlflowLevel, readLevel, refuseWorkspaceType } from './auth-resources.ts';
import { listRolesOf } from './auth-roles.ts';
import { done } from './model-rpcs.ts';
import { type Rpc, rpc } from './rpc.ts';

const AT = '/mlflow/users';
const V3 = { versions: ['3.0'] } as const;

/** Whose grants the caller sees: all of its own, and of others those in workspaces that it manages. */
async function listPermissions(ctx: Ctx, account: accounts.Account): Promise<object> {
  const roles = (await listRolesOf(ctx, [account.id])).get(account.id) ?? [];
  const manages = await managedBy(ctx);
  const isOwn = isSelf(ctx, account.name);
  const names = await workspaceNames(ctx);
  const rows = roles.flatMap(({ role, grants, wire }) =>
    wire.permissions.flatMap((permission, i) => {
      const workspaceId = grants[i]?.workspaceId ?? role.workspaceId;
      if (!isOwn && !manages(workspaceId)) return [];
      const { resource_type, resource_pattern } = permission;
      const workspace = names.get(workspaceId) ?? String(workspaceId);
      return { permission: permission.permission, resource_type, resource_pattern, role_id: role.id, role_name: role.name, workspace };
    }),
  );
  if (!isOwn && !ctx.access.isAdmin && rows.length === 0) throw deniedOther(ctx);
  return { is_admin: account.isAdmin, permissions: rows };
}

/** Whoever may not see another account's grants doesn't learn by a 404 that there is none. */
async function getVisible(ctx: Ctx, username: string): Promise<accounts.Account> {
  if (isSelf(ctx, username) || ctx.access.isAdmin) return accounts.getByName(ctx, username);
  const account = await accounts.findByName(ctx, username);
  if (account === undefined) throw deniedOther(ctx);
  return account;
}

function deniedOther(ctx: Ctx): Error {
  return denied(ctx, 'an administrator of the server or of a workspace, or whose account it is,');
}

/** The local administrator of a server without accounts has no row that could be looked up by name. */
async function callersAccount(ctx: Ctx): Promise<accounts.Account | undefined> {
  return accounts.findAccount(reading(ctx), accountIdOf(ctx.principal));
}

async function getPermission(ctx: Ctx, input: { username: string; resource_type: string; resource_id: string }): Promise<object> {
  refuseWorkspaceType(input.resource_type);
  if (!isSelf(ctx, input.username) && !ctx.access.isManager) throw deniedOther(ctx);
  const account = await accounts.getByName(ctx, input.username);
  checkPattern(input.resource_type, input.resource_id);
  const of = await access.accessIn(ctx, account, ctx.workspace.id);
  const place = await findPlace(ctx, input.resource_type, input.resource_id);
  const rank = await rankAt(ctx, account, of, place);
  return { allowed: rank >= RANK.USE, permission: showRank(rank) };
}

function showRank(rank: Rank): MlflowLevel {
  if (rank >= RANK.MANAGE) return 'MANAGE';
  if (rank >= RANK.EDIT) return 'EDIT';
  if (rank >= RANK.USE) return 'USE';
  return rank > 0 ? 'READ' : 'NO_PERMISSIONS';
}

/** What a request would find, for objects of this server; what it only keeps grants for goes by those grants. */
async function rankAt(ctx: Ctx, account: accounts.Account, of: Access, place: Place | undefined): Promise<Rank> {
  const nothing = { id: access.NO_OBJECT };
  switch (place?.kind ?? 'registered-model') {
    case 'experiment':
    case 'run':
    case 'logged-model': {
      const experiment = place && place.objectId >= 0 ? await experiments.findExperiment(ctx, place.objectId) : undefined;
      return of.rankOf('experiment', experiment ?? nothing);
    }
    case 'registered-model':
    case 'registered-model-version':
    case 'prompt': {
      const model = place && place.objectId >= 0 ? await models.findById(ctx, place.objectId) : undefined;
      return of.rankOf('registered-model', model ?? nothing);
    }
    default:
      return rankOfKept(ctx, account, of, place);
  }
}

async function rankOfKept(ctx: Ctx, account: accounts.Account, of: Access, place: Place | undefined): Promise<Rank> {
  if (of.isManager) return RANK.MANAGE;
  const reaching = (await access.listReaching(reading(ctx), account.id)).filter(
    (each) =>
      each.kind === place?.kind &&
      (each.prefix === '' || each.prefix === place.prefix) &&
      (each.workspaceId === ctx.workspace.id || each.workspaceId === access.EVERY_WORKSPACE),
  );
  if (reaching.some((each) => each.level === 'DENY')) return 0;
  const member = of.floorOf('experiment') > 0 ? RANK.READ : 0;
  return Math.max(member, ...reaching.map((each) => (each.level === 'DENY' ? 0 : RANK[each.level])));
}

interface Resource {
  readonly username: string;
  readonly resource_type: string;
  readonly resource_id: string;
}

/** What is asked about, by whoever may change grants on it. */
async function managedPlace(ctx: Ctx, { resource_type: type, resource_id: id }: Resource): Promise<Place | undefined> {
  refuseWorkspaceType(type);
  checkResourceType(type);
  checkPattern(type, id);
  const place = await findPlace(ctx, type, id);
  if (!(await mayManage(ctx, place)))
    throw denied(ctx, `whoever has MANAGE on ${type} '${clip(id)}', or an administrator of the workspace,`);
  return place;
}

function keyOf(ctx: Ctx, account: accounts.Account, place: Place): access.GrantKey {
  return { workspaceId: ctx.workspace.id, subjectKind: 'principal', subjectId: account.id, ...place };
}

function about(input: Resource): string {
  return `Permission for user=${clip(input.username)} on resource_type=${input.resource_type}, resource_id=${clip(input.resource_id)}`;
}

async function grant(ctx: Ctx, input: Resource & { readonly permission: string }): Promise<object> {
  await managedPlace(ctx, input);
  const account = await accounts.getByName(ctx, input.username);
  const level = readLevel(input.permission, input.resource_type);
  const place = await getPlace(ctx, input.resource_type, input.resource_id);
  checkEnforceable(place, level);
  return done(access.addGrant(ctx, keyOf(ctx, account, place), level, `${about(input)} already exists.`));
}

async function revoke(ctx: Ctx, input: Resource): Promise<object> {
  const place = await managedPlace(ctx, input);
  const account = await accounts.getByName(ctx, input.username);
  const found = place && (await access.findGrant(ctx, keyOf(ctx, account, place)));
  if (found === undefined) throw notFound(`${about(input)} not found.`);
  return done(access.removeGrant(ctx, found));
}

export const authPermissionRpcs: readonly Rpc[] = [
  rpc(
    'GET',
    `${AT}/current/permissions`,
    'account',
    messages.NoFields,
    async (ctx) => {
      const account = await callersAccount(ctx);
      return account ? listPermissions(ctx, account) : { is_admin: ctx.access.isAdmin, permissions: [] };
    },
    V3,
  ),
  rpc(
    'GET',
    `${AT}/permissions/list`,
    'access.read',
    messages.GetUser,
    async (ctx, { username }) => listPermissions(ctx, await getVisible(ctx, username)),
    V3,
  ),
  rpc('GET', `${AT}/permissions/get`, 'access.read', messages.GetUserPermission, getPermission, V3),
  rpc('POST', `${AT}/permissions/grant`, 'access.manage', messages.GrantUserPermission, grant, V3),
  rpc('POST', `${AT}/permissions/revoke`, 'access.manage', messages.RevokeUserPermission, revoke, V3),
];
