/** Roles as upstream's auth API asks for them (mlflow/server/auth, 3.17.2): groups of a workspace, and the private roles of accounts. */
import * as messages from '@countersign/contract/mlflow/auth-messages.ts';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { invalid, notFound, Problem } from '@countersign/contract/problem.ts';
import * as access from '../features/access/access.ts';
import * as accounts from '../features/accounts/accounts.ts';
import * as groups from '../features/groups/groups.ts';
import { type Ctx, reading } from '../platform/context.ts';
import { denied, getWorkspaceId, inManaged, isSelf, managedBy, workspaceNames } from './auth-callers.ts';
import { checkEnforceable, getPlace, toWire } from './auth-grants.ts';
import { checkPattern, readLevel, typeOfKind } from './auth-resources.ts';
import { absentRole, findRole, listRolesOf, type Role, roleOfGrant, roleOfGroup, type ShownRole, showRoles } from './auth-roles.ts';
import { done } from './model-rpcs.ts';
import { type Rpc, rpc } from './rpc.ts';

const AT = '/mlflow/roles';
const V3 = { versions: ['3.0'] } as const;
const PAGE = 1000;

type Id = number | bigint;

/** To whoever may not manage it, a role that isn't there is one of others. */
async function getManaged(ctx: Ctx, id: Id): Promise<Role> {
  const role = await findRole(ctx, Number(id));
  if (role === undefined && ctx.access.isAdmin) throw absentRole(id);
  if (role === undefined || !(await managedBy(ctx))(role.workspaceId)) throw deniedManager(ctx);
  return role;
}

function deniedManager(ctx: Ctx): Problem {
  return denied(ctx, 'an administrator of the server or of the workspace');
}

async function getGroup(ctx: Ctx, id: Id): Promise<{ role: Role; group: groups.Group }> {
  const role = await getManaged(ctx, id);
  if (role.group) return { role, group: role.group };
  throw invalid(
    `The role '${role.name}' shows what was granted to one account: it can't be renamed, deleted or assigned. Change its grants.`,
  );
}

/** Whoever manages the workspace, and whose role it is: its grants name objects that others may not see. */
async function getVisible(ctx: Ctx, id: Id): Promise<Role> {
  const role = await findRole(ctx, Number(id));
  if (role && ((await managedBy(ctx))(role.workspaceId) || (await listOwn(ctx)).some((own) => own.role.id === role.id))) return role;
  if (role === undefined && ctx.access.isAdmin) throw absentRole(id);
  throw denied(ctx, 'an administrator of the server or of the workspace, or whose role it is,');
}

async function listOwn(ctx: Ctx): Promise<readonly ShownRole[]> {
  return (await listRolesOf(ctx, [ctx.principal.id])).get(ctx.principal.id) ?? [];
}

async function shown(ctx: Ctx, role: Role): Promise<ShownRole> {
  const [one] = await showRoles(ctx, [role]);
  if (one === undefined) throw absentRole(role.id);
  return one;
}

function checkRoleName(name: string): void {
  if (name.trim() === '') throw invalid('Role name cannot be empty.');
  if (!name.startsWith('__user_')) return;
  throw invalid(
    `Role name '${clip(name)}' uses the reserved '__user_' prefix, which shows what was granted to one account. Choose another.`,
  );
}

async function createRole(ctx: Ctx, input: { workspace: string; name: string; description?: string | undefined }): Promise<object> {
  const manages = await managedBy(ctx);
  if (input.workspace.trim() === '') throw invalid('Workspace cannot be empty.');
  const workspaceId = await findManaged(ctx, manages, input.workspace);
  checkRoleName(input.name);
  if (await groups.find(ctx, input.name, workspaceId)) {
    throw new Problem(
      'RESOURCE_ALREADY_EXISTS',
      `Role (name=${clip(input.name)}, workspace=${clip(input.workspace)}) already exists. Choose another name.`,
    );
  }
  const group = await groups.create(await inManaged(ctx, workspaceId), {
    name: input.name,
    description: input.description,
    workspaceId,
  });
  return { role: (await shown(ctx, roleOfGroup(group))).wire };
}

/** A workspace that isn't there is refused as one that the caller doesn't manage, unless it administers the server. */
async function findManaged(ctx: Ctx, manages: (id: number) => boolean, name: string): Promise<number> {
  try {
    const id = await getWorkspaceId(ctx, name);
    if (manages(id)) return id;
  } catch (error) {
    if (!(error instanceof Problem) || ctx.access.isAdmin) throw error;
  }
  throw deniedManager(ctx);
}

/** Managers see the roles of the workspace, and its other members those that they have. */
async function listRoles(ctx: Ctx, names: readonly string[]): Promise<object> {
  if (names.length === 0) {
    if (!ctx.access.isAdmin) throw denied(ctx, 'an administrator of the server');
    return { roles: (await showRoles(ctx, (await listGroups(ctx)).map(roleOfGroup))).map((each) => each.wire) };
  }
  const manages = await managedBy(ctx);
  const own = await listOwn(ctx);
  const found: ShownRole[] = [];
  for (const name of new Set(names)) {
    const id = await getWorkspaceId(ctx, name).catch((error: unknown) => {
      if (ctx.access.isAdmin || !(error instanceof Problem)) throw error;
      return undefined;
    });
    if (id !== undefined && manages(id)) {
      found.push(...(await showRoles(ctx, (await groups.listInWorkspace(ctx, id)).map(roleOfGroup))));
      continue;
    }
    const ownHere = own.filter(({ role }) => role.workspaceId === id && role.group !== undefined);
    if (id === undefined || (ownHere.length === 0 && !(await isMemberOf(ctx, id)))) throw deniedManager(ctx);
    found.push(...ownHere);
  }
  return { roles: found.map((each) => each.wire) };
}

async function isMemberOf(ctx: Ctx, workspaceId: number): Promise<boolean> {
  if (workspaceId === ctx.workspace.id) return ctx.access.isMember;
  const account = await accounts.findAccount(reading(ctx), ctx.principal.id);
  return account !== undefined && (await access.accessIn(ctx, account, workspaceId)).isMember;
}

async function listGroups(ctx: Ctx): Promise<groups.Group[]> {
  const all: groups.Group[] = [];
  for (let afterId = 0; ; ) {
    const page = await groups.list(ctx, { afterId, limit: PAGE });
    all.push(...page);
    const last = page.at(-1);
    if (last === undefined || page.length < PAGE) return all;
    afterId = last.id;
  }
}

async function updateRole(ctx: Ctx, input: { role_id: Id; name?: string | undefined; description?: string | undefined }): Promise<object> {
  const { role, group } = await getGroup(ctx, input.role_id);
  const { name, description } = input;
  if (name === undefined && description === undefined) {
    throw invalid("At least one of 'name' or 'description' must be provided to update a role.");
  }
  if (name !== undefined) checkRoleName(name);
  const other = name === undefined ? undefined : await groups.find(ctx, name, group.workspaceId);
  if (other && other.id !== group.id) {
    const workspace = (await workspaceNames(ctx)).get(group.workspaceId) ?? '';
    throw new Problem('RESOURCE_ALREADY_EXISTS', `Role with name=${clip(name ?? '')} already exists in workspace=${workspace}`);
  }
  const changed = await groups.update(await inManaged(ctx, role.workspaceId), group, {
    ...(name === undefined ? {} : { name }),
    ...(description === undefined ? {} : { description }),
  });
  return { role: (await shown(ctx, roleOfGroup(changed))).wire };
}

async function deleteRole(ctx: Ctx, id: Id): Promise<object> {
  const { role, group } = await getGroup(ctx, id);
  return done(groups.remove(await inManaged(ctx, role.workspaceId), group));
}

async function addPermission(
  ctx: Ctx,
  input: { role_id: Id; resource_type: string; resource_pattern: string; permission: string },
): Promise<object> {
  const role = await getManaged(ctx, input.role_id);
  const { resource_type: type, resource_pattern: pattern } = input;
  const level = readLevel(input.permission, type);
  checkPattern(type, pattern);
  const there = await inManaged(ctx, role.workspaceId);
  const place = await getPlace(there, type, pattern);
  checkEnforceable(place, level);
  // A role of every workspace holds everywhere what it holds on everything; one object is in one workspace.
  const workspaceId = place.objectId >= 0 ? there.workspace.id : role.workspaceId;
  const { subjectKind, subjectId } = role;
  const taken = `Role permission (role_id=${role.id}, resource_type=${type}, resource_pattern=${clip(pattern)}) already exists.`;
  const grant = await access.addGrant(there, { workspaceId, subjectKind, subjectId, ...place }, level, taken);
  return { role_permission: await grantToWire(ctx, role, grant) };
}

async function grantToWire(ctx: Ctx, role: Role, grant: access.Grant): Promise<object> {
  const [shown] = await toWire(ctx, [grant]);
  if (shown === undefined) throw notFound(`Role permission with id=${grant.id} not found`);
  return { ...shown.wire, role_id: role.id };
}

async function getManagedGrant(ctx: Ctx, id: Id): Promise<{ role: Role; grant: access.Grant; there: Ctx }> {
  const grant = await access.findGrantById(ctx, Number(id));
  const role = grant && (await roleOfGrant(ctx, grant));
  if (grant === undefined || role === undefined) {
    if (ctx.access.isAdmin) throw notFound(`Role permission with id=${id} not found`);
    throw deniedManager(ctx);
  }
  const manages = await managedBy(ctx);
  if (!manages(role.workspaceId) || !manages(grant.workspaceId)) throw deniedManager(ctx);
  return { role, grant, there: await inManaged(ctx, grant.workspaceId) };
}

async function updatePermission(ctx: Ctx, input: { role_permission_id: Id; permission: string }): Promise<object> {
  const { role, grant, there } = await getManagedGrant(ctx, input.role_permission_id);
  const level = readLevel(input.permission, typeOfKind(grant.kind));
  checkEnforceable(grant, level);
  const { workspaceId, subjectKind, subjectId, kind, objectId, prefix } = grant;
  const changed = await access.setGrant(there, { workspaceId, subjectKind, subjectId, kind, objectId, prefix }, level);
  return { role_permission: await grantToWire(ctx, role, changed) };
}

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

export const authRoleRpcs: readonly Rpc[] = [
  rpc('POST', `${AT}/create`, 'access.manage', messages.CreateRole, createRole, V3),
  rpc('GET', `${AT}/get`, 'access.read', messages.RoleById, async (ctx, input) => roleOf(ctx, input.role_id), V3),
  rpc('GET', `${AT}/list`, 'access.read', messages.ListRoles, (ctx, input) => listRoles(ctx, input.workspace), V3),
  rpc('PATCH', `${AT}/update`, 'access.manage', messages.UpdateRole, updateRole, V3),
  rpc('DELETE', `${AT}/delete`, 'access.manage', messages.RoleById, (ctx, input) => deleteRole(ctx, input.role_id), V3),
  rpc('POST', `${AT}/permissions/add`, 'access.manage', messages.AddRolePermission, addPermission, V3),
  rpc('PATCH', `${AT}/permissions/update`, 'access.manage', messages.UpdateRolePermission, updatePermission, V3),
  rpc(
    'DELETE',
    `${AT}/permissions/remove`,
    'access.manage',
    messages.RemoveRolePermission,
    async (ctx, input) => {
      const { grant, there } = await getManagedGrant(ctx, input.role_permission_id);
      return done(access.removeGrant(there, grant));
    },
    V3,
  ),
  rpc(
    'GET',
    `${AT}/permissions/list`,
    'access.read',
    messages.RoleById,
    async (ctx, input) => ({ role_permissions: (await shown(ctx, await getVisible(ctx, input.role_id))).wire.permissions }),
    V3,
  ),
  rpc('POST', `${AT}/assign`, 'access.manage', messages.RoleOfUser, assign, V3),
  rpc('DELETE', `${AT}/unassign`, 'access.manage', messages.RoleOfUser, unassign, V3),
  rpc('GET', `${AT}/users/list`, 'access.read', messages.RoleById, (ctx, input) => listUsersOf(ctx, input.role_id), V3),
  rpc('GET', '/mlflow/users/roles/list', 'access.read', messages.GetUser, (ctx, input) => listRolesOfUser(ctx, input.username), V3),
];

async function roleOf(ctx: Ctx, id: Id): Promise<object> {
  return { role: (await shown(ctx, await getVisible(ctx, id))).wire };
}
