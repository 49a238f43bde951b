/** Which roles a caller may see and change: those of workspaces that it manages, and its own. */
import { invalid, type Problem } from '@countersign/contract/problem.ts';
import type * as groups from '../features/groups/groups.ts';
import { accountIdOf, type Ctx } from '../platform/context.ts';
import { denied, managedBy } from './auth-callers.ts';
import { absentRole, findRole, listRolesOf, type Role, type ShownRole, showRoles } from './auth-roles.ts';

export type Id = number | bigint;

/** To whoever may not manage it, a role that isn't there is one of others. */
export async function getManaged(ctx: Ctx, id: Id): Promise<Role> {
  const role = await findRole(ctx, Number(id));
  if (role === undefined && ctx.access.isAdmin) throw absentRole(id);
  if (role === undefined || !(await managedBy(ctx))(role.workspaceId)) throw deniedManager(ctx);
  return role;
}

export function deniedManager(ctx: Ctx): Problem {
  return denied(ctx, 'an administrator of the server or of the workspace');
}

export async function getGroup(ctx: Ctx, id: Id): Promise<{ role: Role; group: groups.Group }> {
  const role = await getManaged(ctx, id);
  if (role.group) return { role, group: role.group };
  throw invalid(
    `The role '${role.name}' shows what was granted to one account: it can't be renamed, deleted or assigned. Change its grants.`,
  );
}

/** Whoever manages the workspace, and whose role it is: its grants name objects that others may not see. */
export async function getVisible(ctx: Ctx, id: Id): Promise<Role> {
  const role = await findRole(ctx, Number(id));
  if (role && ((await managedBy(ctx))(role.workspaceId) || (await listOwn(ctx)).some((own) => own.role.id === role.id))) return role;
  if (role === undefined && ctx.access.isAdmin) throw absentRole(id);
  throw denied(ctx, 'an administrator of the server or of the workspace, or whose role it is,');
}

export async function listOwn(ctx: Ctx): Promise<readonly ShownRole[]> {
  const own = accountIdOf(ctx.principal);
  return (await listRolesOf(ctx, [own])).get(own) ?? [];
}

export async function shown(ctx: Ctx, role: Role): Promise<ShownRole> {
  const [one] = await showRoles(ctx, [role]);
  if (one === undefined) throw absentRole(role.id);
  return one;
}
