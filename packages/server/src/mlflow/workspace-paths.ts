/**
 * Which path of the artifact root a request means: those of a workspace other than the default one are in `workspaces/<name>/`, whether the
 * client says so or not (mlflow/server/handlers.py, 3.17.2).
 */
import { clip } from '@countersign/contract/mlflow/message.ts';
import { invalid } from '@countersign/contract/problem.ts';
import * as artifacts from '../features/artifacts/artifacts.ts';
import * as experiments from '../features/experiments/experiments.ts';
import type { Ctx } from '../platform/context.ts';

/** `path` is parsed. INVALID_PARAMETER_VALUE for one of another workspace. */
export async function pathInWorkspace(ctx: Ctx, path: string): Promise<string> {
  const { workspace } = ctx;
  const [top, name] = path.split('/', 2);
  if (top !== artifacts.WORKSPACES_ROOT) return artifacts.joinPath(artifacts.rootOfWorkspace(workspace), path);
  if (name === undefined) {
    throw invalid("Artifact paths prefixed with 'workspaces/' must include a workspace name.");
  }
  if (name === workspace.name && workspace.id !== 0) return path;
  // What was handed over by a workspace that is gone keeps the places of its files.
  if ((await experiments.findByServedPath(ctx, path)) !== undefined) return path;
  throw invalid(
    `Artifact path targets workspace '${clip(name)}' but the workspace specified in the request is '${workspace.name}'. ` +
      `Send its name in the header X-MLFLOW-WORKSPACE, as mlflow.set_workspace does.`,
  );
}
