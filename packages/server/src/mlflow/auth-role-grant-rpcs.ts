/** What roles hold, as upstream's auth API asks for it (mlflow/server/auth, 3.17.2). The number of a grant is that of the role permission. */
import * as messages from '@countersign/contract/mlflow/auth-messages.ts';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { notFound } from '@countersign/contract/problem.ts';
import * as access from '../features/access/access.ts';
import type { Ctx } from '../platform/context.ts';
import { inManaged, managedBy } from './auth-callers.ts';
import { checkEnforceable, getPlace, toWire } from './auth-grants.ts';
import { checkPattern, readLevel, typeOfKind } from './auth-resources.ts';
import { deniedManager, getManaged, getVisible, type Id, shown } from './auth-role-callers.ts';
import { type Role, roleOfGrant } from './auth-roles.ts';
import { done } from './model-rpcs.ts';
import { type Rpc, rpc } from './rpc.ts';

const AT = '/mlflow/roles';
const V3 = { versions: ['3.0'] } as const;

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
  const grant = Number.isSafeInteger(Number(id)) ? await access.findGrantById(ctx, Number(id)) : undefined;
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

export const authRoleGrantRpcs: readonly Rpc[] = [
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
];
