import type { WorkspaceAnswer, workspaceEndpoints } from '@countersign/contract/workspaces.ts';
import * as access from '../features/access/access.ts';
import { updateWorkspace } from '../features/stage-removal/stage-removal.ts';
import { removeWorkspace } from '../features/workspace-removal/workspace-removal.ts';
import * as workspaces from '../features/workspaces/workspaces.ts';
import type { Ctx } from '../platform/context.ts';
import { done } from './answers.ts';
import type { Handlers } from './handlers.ts';

function answerSummary(workspace: workspaces.Workspace) {
  return {
    id: workspace.id,
    name: workspace.name,
    description: workspace.description,
    default_artifact_root: workspace.defaultArtifactRoot,
    created_at: workspace.createdAt,
  };
}

async function answerWorkspace(ctx: Ctx, workspace: workspaces.Workspace): Promise<WorkspaceAnswer> {
  const inside = workspaces.within(ctx, workspace);
  return { ...answerSummary(workspace), settings: await workspaces.getSettings(inside), usage: await workspaces.getUsage(inside) };
}

export const workspaceHandlers: Handlers<(typeof workspaceEndpoints)[number]['id']> = {
  listWorkspaces: async (ctx) => ({ workspaces: (await access.listOwn(ctx, await workspaces.listWorkspaces(ctx))).map(answerSummary) }),
  createWorkspace: async (ctx, { body }) =>
    answerWorkspace(
      ctx,
      await workspaces.createWorkspace(ctx, { ...body, defaultArtifactRoot: body.default_artifact_root, settings: body.settings }),
    ),
  getWorkspace: async (ctx, { params }) => answerWorkspace(ctx, await access.getOwn(ctx, params.workspace)),
  updateWorkspace: async (ctx, { params, body }) =>
    answerWorkspace(
      ctx,
      await updateWorkspace(ctx, params.workspace, {
        description: body.description,
        defaultArtifactRoot: body.default_artifact_root,
        settings: body.settings,
      }),
    ),
  deleteWorkspace: (ctx, { params, query }) => done(removeWorkspace(ctx, params.workspace, query.mode ?? 'RESTRICT')),
};
