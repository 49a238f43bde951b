/** Who asks the auth API, and what for: administrators, managers of workspaces, and everybody about themselves. */
import { clip } from '@countersign/contract/mlflow/message.ts';
import { notFound, Problem } from '@countersign/contract/problem.ts';
import * as access from '../features/access/access.ts';
import * as workspaces from '../features/workspaces/workspaces.ts';
import { accountIdOf, type Ctx, reading } from '../platform/context.ts';

/** Whether the caller administers a workspace; `EVERY_WORKSPACE`: all of them. */
export type Manages = (workspaceId: number) => boolean;

export async function managedBy(ctx: Ctx): Promise<Manages> {
  if (ctx.access.isAdmin) return () => true;
  const grants = await access.listReaching(reading(ctx), accountIdOf(ctx.principal));
  const managed = new Set(grants.filter((each) => each.kind === 'workspace' && each.level === 'MANAGE').map((each) => each.workspaceId));
  // What is above workspaces, the server's groups and grants in every workspace, is the administrators' alone.
  return (id) => id !== access.EVERY_WORKSPACE && (managed.has(id) || managed.has(access.EVERY_WORKSPACE));
}

/** Of any workspace. */
export async function isManagerSomewhere(ctx: Ctx): Promise<boolean> {
  if (ctx.access.isAdmin) return true;
  const grants = await access.listReaching(reading(ctx), accountIdOf(ctx.principal));
  return grants.some((each) => each.kind === 'workspace' && each.level === 'MANAGE');
}

export function isSelf(ctx: Ctx, username: string): boolean {
  return ctx.principal.kind !== 'ci' && ctx.principal.name === username;
}

/** Throws PERMISSION_DENIED. */
export function demandAdmin(ctx: Ctx): void {
  if (!ctx.access.isAdmin) throw denied(ctx, 'an administrator of the server');
}

export function demandSelfOrAdmin(ctx: Ctx, username: string): void {
  if (!ctx.access.isAdmin && !isSelf(ctx, username)) throw denied(ctx, 'an administrator of the server, or whose account it is,');
}

export function denied(ctx: Ctx, who: string): Problem {
  return new Problem('PERMISSION_DENIED', `Permission denied: only ${who} may do this, and '${clip(ctx.principal.name)}' is not one.`);
}

/** What upstream has no name for. */
const EVERYWHERE = '*';

/** Names by id. */
export async function workspaceNames(ctx: Ctx): Promise<ReadonlyMap<number, string>> {
  const all = await workspaces.listWorkspaces(ctx);
  return new Map([[access.EVERY_WORKSPACE, EVERYWHERE], ...all.map(({ id, name }): [number, string] => [id, name])]);
}

/** RESOURCE_DOES_NOT_EXIST. */
export async function getWorkspaceId(ctx: Ctx, name: string): Promise<number> {
  if (name === EVERYWHERE) return access.EVERY_WORKSPACE;
  const workspace = await workspaces.findWorkspace(reading(ctx), name);
  if (workspace === undefined) throw notFound(`Workspace '${clip(name)}' not found`);
  return workspace.id;
}

/** The same caller in a workspace that it manages; what is in every workspace is looked up in the request's own. */
export async function inManaged(ctx: Ctx, workspaceId: number): Promise<Ctx> {
  if (workspaceId === ctx.workspace.id || workspaceId === access.EVERY_WORKSPACE) return ctx;
  const name = (await workspaceNames(ctx)).get(workspaceId) ?? String(workspaceId);
  return { ...ctx, workspace: { id: workspaceId, name }, access: access.fullAccess(ctx.access.isAdmin) };
}
