/**
 * Who may give and see grants. The routes declare only that somebody is signed in, since what is asked for depends on what the grant is about:
 * on one object MANAGE, on more than one a manager of the workspace, in every workspace an administrator of the server. As MANAGE is the highest
 * level and a manager has it on everything of the workspace, nobody grants more than he has.
 */
import type { ObjectKind } from '@countersign/contract/access.ts';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { notFound, Problem } from '@countersign/contract/problem.ts';
import * as access from '../features/access/access.ts';
import * as experiments from '../features/experiments/experiments.ts';
import * as models from '../features/models/models.ts';
import { DEFAULT_WORKSPACE_ID } from '../features/workspaces/workspaces.ts';
import type { Ctx } from '../platform/context.ts';

/** Whoever isn't a member doesn't learn that the workspace exists. */
export function demandMember(ctx: Ctx): void {
  if (ctx.access.isMember || ctx.workspace.id === DEFAULT_WORKSPACE_ID) return;
  throw notFound(`Workspace '${clip(ctx.workspace.name)}' not found`);
}

export function demandManager(ctx: Ctx): void {
  demandMember(ctx);
  if (!ctx.access.isManager) throw denied(ctx, `an administrator of the workspace '${ctx.workspace.name}'`);
}

export function demandAdmin(ctx: Ctx): void {
  if (!ctx.access.isAdmin) throw denied(ctx, 'an administrator of the server');
}

function denied(ctx: Ctx, who: string): Problem {
  return new Problem('PERMISSION_DENIED', `Permission denied: only ${who} may do this, and '${clip(ctx.principal.name)}' is not one.`);
}

/** What isn't there is refused as what may not be managed, but to those who manage all. */
export async function getManaged(ctx: Ctx, kind: ObjectKind, name: string): Promise<{ readonly id: number; readonly name: string }> {
  demandMember(ctx);
  const found = kind === 'experiment' ? await experiments.findByName(ctx, name) : await models.find(ctx, name);
  access.demand(ctx, kind, found ?? { id: access.NO_OBJECT, name }, 'MANAGE');
  if (found !== undefined) return found;
  throw notFound(`There is no ${kind === 'experiment' ? 'experiment' : 'registered model'} named '${clip(name)}' in the workspace.`);
}

/** The grant, if the caller could have given it. Whoever couldn't learns nothing about it, not even whether it is there. */
export async function getGivable(ctx: Ctx, id: number): Promise<access.Grant> {
  const grant = await access.findGrantById(ctx, id);
  if (grant !== undefined && (await couldGive(ctx, grant))) return grant;
  if (ctx.access.isManager) throw notFound(`There is no grant with the id ${id} in the workspace '${clip(ctx.workspace.name)}'.`);
  throw denied(ctx, `whoever manages what the grant ${id} is about`);
}

async function couldGive(ctx: Ctx, grant: access.Grant): Promise<boolean> {
  if (grant.workspaceId === access.EVERY_WORKSPACE) return ctx.access.isAdmin;
  if (grant.workspaceId !== ctx.workspace.id) return false;
  if (ctx.access.isManager) return true;
  if (grant.objectId === access.NO_OBJECT) return false;
  return isManaged(ctx, grant);
}

async function isManaged(ctx: Ctx, { kind, objectId }: access.Grant): Promise<boolean> {
  const found =
    kind === 'experiment'
      ? await experiments.findExperiment(ctx, objectId)
      : kind === 'registered-model'
        ? await models.findById(ctx, objectId)
        : undefined;
  if (found === undefined) return false;
  try {
    access.demand(ctx, kind === 'experiment' ? 'experiment' : 'registered-model', found, 'MANAGE');
    return true;
  } catch (error) {
    if (error instanceof Problem && error.code === 'PERMISSION_DENIED') return false;
    throw error;
  }
}
