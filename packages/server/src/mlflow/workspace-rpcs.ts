/** Workspaces as upstream asks for them (service.proto, 3.17.2). Administrators of the server change them; members see theirs. */
import * as messages from '@countersign/contract/mlflow/workspace-messages.ts';
import { invalid } from '@countersign/contract/problem.ts';
import { REMOVAL_MODES, type RemovalMode } from '@countersign/contract/workspaces.ts';
import * as access from '../features/access/access.ts';
import { removeWorkspace } from '../features/workspace-removal/workspace-removal.ts';
import * as workspaces from '../features/workspaces/workspaces.ts';
import { type Rpc, rpc } from './rpc.ts';

const AT = '/mlflow/workspaces';
const ONE = `${AT}/:workspace_name`;
const V3 = { versions: ['3.0'] } as const;

export const workspaceRpcs: readonly Rpc[] = [
  rpc(
    'GET',
    AT,
    'account',
    messages.ListWorkspaces,
    async (ctx) => {
      const own = await access.listOwn(ctx, await workspaces.listWorkspaces(ctx));
      return { workspaces: own.length > 0 ? own.map(toWire) : undefined };
    },
    V3,
  ),
  rpc(
    'POST',
    AT,
    'server.admin',
    messages.CreateWorkspace,
    async (ctx, input) => {
      refuseTraceArchive(input.trace_archival_config);
      const { name, description, default_artifact_root: defaultArtifactRoot } = input;
      return { workspace: toWire(await workspaces.createWorkspace(ctx, { name, description, defaultArtifactRoot })) };
    },
    { ...V3, status: 201 },
  ),
  rpc(
    'GET',
    ONE,
    'account',
    messages.GetWorkspace,
    async (ctx, input) => ({ workspace: toWire(await access.getOwn(ctx, input.workspace_name)) }),
    V3,
  ),
  rpc(
    'PATCH',
    ONE,
    'server.admin',
    messages.UpdateWorkspace,
    async (ctx, input) => {
      refuseTraceArchive(input.trace_archival_config);
      const change = { description: input.description, defaultArtifactRoot: input.default_artifact_root };
      if (change.description === undefined && change.defaultArtifactRoot === undefined) {
        throw invalid("Workspace update must have at least one key: 'description' or 'default_artifact_root'.");
      }
      return { workspace: toWire(await workspaces.updateWorkspace(ctx, input.workspace_name, change)) };
    },
    V3,
  ),
  rpc(
    'DELETE',
    ONE,
    'server.admin',
    messages.DeleteWorkspace,
    async (ctx, input) => {
      await removeWorkspace(ctx, input.workspace_name, readMode(input.mode));
      return {};
    },
    { ...V3, status: 204 },
  ),
];

function readMode(mode = 'RESTRICT'): RemovalMode {
  const found = REMOVAL_MODES.find((each) => each === mode);
  if (found === undefined) throw invalid(`Invalid deletion mode '${mode}'. Must be one of: ${REMOVAL_MODES.join(', ')}`);
  return found;
}

function refuseTraceArchive(config: { readonly location: string | undefined; readonly retention: string | undefined } | undefined): void {
  if (config?.location || config?.retention)
    throw invalid('Tracing is out of scope here, and so is its archive: leave trace_archival_config out.');
}

function toWire(workspace: workspaces.Workspace): object {
  return {
    name: workspace.name,
    description: workspace.description ?? undefined,
    default_artifact_root: workspace.defaultArtifactRoot ?? undefined,
  };
}
