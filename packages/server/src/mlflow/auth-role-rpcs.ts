/** Roles as upstream's auth API asks for them (mlflow/server/auth, 3.17.2): groups of a workspace, and the private roles of accounts. */
import * as messages from '@countersign/contract/mlflow/auth-messages.ts';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { invalid, Problem } from '@countersign/contract/problem.ts';
import * as access from '../features/access/access.ts';
import * as accounts from '../features/accounts/accounts.ts';
import * as groups from '../features/groups/groups.ts';
import { accountIdOf, type Ctx, reading } from '../platform/context.ts';
import { denied, getWorkspaceId, inManaged, managedBy, workspaceNames } from './auth-callers.ts';
import { deniedManager, getGroup, getVisible, type Id, listOwn, shown } from './auth-role-callers.ts';
import { roleOfGroup, type ShownRole, showRoles } from './auth-roles.ts';
import { done } from './model-rpcs.ts';
import { type Rpc, rpc } from './rpc.ts';

const AT = '/mlflow/roles';
const V3 = { versions: ['3.0'] } as const;
const PAGE = 1000;

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
  const account = await accounts.findAccount(reading(ctx), accountIdOf(ctx.principal));
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

export const authRoleRpcs: readonly Rpc[] = [
  rpc('POST', `${AT}/create`, 'access.manage', messages.CreateRole, createRole, V3),
  rpc('GET', `${AT}/get`, 'access.read', messages.RoleById, async (ctx, input) => roleOf(ctx, input.role_id), V3),
  rpc('GET', `${AT}/list`, 'access.read', messages.ListRoles, (ctx, input) => listRoles(ctx, input.workspace), V3),
  rpc('PATCH', `${AT}/update`, 'access.manage', messages.UpdateRole, updateRole, V3),
  rpc('DELETE', `${AT}/delete`, 'access.manage', messages.RoleById, (ctx, input) => deleteRole(ctx, input.role_id), V3),
];

async function roleOf(ctx: Ctx, id: Id): Promise<object> {
  return { role: (await shown(ctx, await getVisible(ctx, id))).wire };
}
