/** Who has which role, as upstream's auth API asks for it (mlflow/server/auth, 3.17.2). */
import * as messages from '@countersign/contract/mlflow/auth-messages.ts';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { notFound, Problem } from '@countersign/contract/problem.ts';
import * as accounts from '../features/accounts/accounts.ts';
import * as groups from '../features/groups/groups.ts';
import type { Ctx } from '../platform/context.ts';
import { denied, inManaged, isSelf, managedBy } from './auth-callers.ts';
import { getGroup, getVisible, type Id } from './auth-role-callers.ts';
import { listRolesOf } from './auth-roles.ts';
import { type Rpc, rpc } from './rpc.ts';

const AT = '/mlflow/roles';
const V3 = { versions: ['3.0'] } as const;
const PAGE = 1000;

/** Memberships have no number of their own; both ids are in it. */
function assignmentToWire(roleId: number, userId: number): object {
  return { id: roleId * 2 ** 26 + userId, user_id: userId, role_id: roleId };
}

async function assign(ctx: Ctx, input: { username: string; role_id: Id }): Promise<object> {
  const { role, group } = await getGroup(ctx, input.role_id);
  const account = await accounts.getByName(ctx, input.username);
  if ((await groups.listOf(ctx, account.id)).some((each) => each.id === group.id)) {
    throw new Problem('RESOURCE_ALREADY_EXISTS', `User role assignment (user_id=${account.id}, role_id=${role.id}) already exists`);
  }
  await groups.addMember(await inManaged(ctx, role.workspaceId), group, account);
  return { assignment: assignmentToWire(role.id, account.id) };
}

async function unassign(ctx: Ctx, input: { username: string; role_id: Id }): Promise<object> {
  const { role, group } = await getGroup(ctx, input.role_id);
  const account = await accounts.getByName(ctx, input.username);
  if (await groups.removeMember(await inManaged(ctx, role.workspaceId), group, account.id)) return {};
  if ((await groups.listOf(ctx, account.id)).some((each) => each.id === group.id)) {
    throw new Problem('INVALID_STATE', `'${clip(account.name)}' has the role by an identity provider. Take it away there.`);
  }
  throw notFound(`User role assignment (user_id=${account.id}, role_id=${role.id}) not found`);
}

async function listUsersOf(ctx: Ctx, id: Id): Promise<object> {
  const role = await getVisible(ctx, id);
  if (role.group === undefined) return { assignments: [{ id: role.subjectId, user_id: role.subjectId, role_id: role.id }] };
  const ids = new Set<number>();
  for (let afterId = 0; ; ) {
    const page = await groups.listMembers(ctx, role.group.id, { afterId, limit: PAGE });
    for (const { principal_id } of page) ids.add(principal_id);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) break;
    // A member by several sources is told once for each: the last one may go on on the next page.
    afterId = last.principal_id;
  }
  return { assignments: [...ids].map((userId) => assignmentToWire(role.id, userId)) };
}

/** Of oneself all; of others those in workspaces that the caller manages. */
async function listRolesOfUser(ctx: Ctx, username: string): Promise<object> {
  const isOwn = isSelf(ctx, username);
  const account = await (isOwn || ctx.access.isAdmin ? accounts.getByName(ctx, username) : accounts.findByName(ctx, username));
  const roles = account ? ((await listRolesOf(ctx, [account.id])).get(account.id) ?? []) : [];
  const manages = await managedBy(ctx);
  const visible = isOwn ? roles : roles.filter(({ role }) => manages(role.workspaceId));
  if (!isOwn && !ctx.access.isAdmin && visible.length === 0) {
    throw denied(ctx, 'an administrator of the server or of a workspace, or whose account it is,');
  }
  return { roles: visible.map((each) => each.wire) };
}

export const authRoleMemberRpcs: readonly Rpc[] = [
  rpc('POST', `${AT}/assign`, 'access.manage', messages.RoleOfUser, assign, V3),
  rpc('DELETE', `${AT}/unassign`, 'access.manage', messages.RoleOfUser, unassign, V3),
  rpc('GET', `${AT}/users/list`, 'access.read', messages.RoleById, (ctx, input) => listUsersOf(ctx, input.role_id), V3),
  rpc('GET', '/mlflow/users/roles/list', 'access.read', messages.GetUser, (ctx, input) => listRolesOfUser(ctx, input.username), V3),
];
