/** `get_model` and `transition_stage` of databricks-sdk: what MLflow's own calls answer, with ids, people and the caller's level. */
import * as messages from '@countersign/contract/databricks/workspace-messages.ts';
import { levelOf } from '@countersign/contract/levels.ts';
import { parseVersionNumber } from '@countersign/contract/names.ts';
import { isActiveStage } from '@countersign/contract/stages.ts';
import * as audit from '../features/audit/audit.ts';
import * as catalog from '../features/catalog/catalog.ts';
import * as models from '../features/models/models.ts';
import * as requests from '../features/requests/requests.ts';
import type { ModelVersion } from '../features/versions/versions.ts';
import * as versions from '../features/versions/versions.ts';
import * as workspaces from '../features/workspaces/workspaces.ts';
import { modelToWire, NO_PARTS, versionToWire } from '../mlflow/registry-wire.ts';
import { type Rpc, rpc } from '../mlflow/rpc.ts';
import type { Ctx } from '../platform/context.ts';
import { requestActivities } from './activity-wire.ts';
import { showLevel } from './permission-levels.ts';

/** What the caller may do to a model. */
function permissionLevel(ctx: Ctx, model: { readonly id: number; readonly name: string }): string | undefined {
  const level = levelOf(ctx.access.rankOf('registered-model', model));
  return level && showLevel('registered-model', level);
}

async function getModel(ctx: Ctx, name: string): Promise<object> {
  const model = await models.get(ctx, name);
  const [parts] = await versions.listPlacedOfModels(ctx, [model]);
  const [created] = await audit.listEvents(ctx, { modelId: model.id, newestFirst: false, limit: 1 });
  const nameOf = await catalog.listPrincipals(ctx, created ? [created.principalId] : []);
  return {
    registered_model_databricks: {
      ...modelToWire(model, parts ?? NO_PARTS),
      id: String(model.id),
      user_id: created && nameOf(created.principalId).name,
      permission_level: permissionLevel(ctx, model),
    },
  };
}

async function versionToDatabricks(ctx: Ctx, version: ModelVersion): Promise<object> {
  const nameOf = await catalog.listPrincipals(ctx, [version.writtenBy]);
  return {
    ...versionToWire(version),
    user_id: nameOf(version.writtenBy).name,
    permission_level: permissionLevel(ctx, { id: version.modelId, name: version.name }),
    open_requests: await requestActivities(ctx, await requests.listOpen(ctx, version)),
  };
}

export const databricksRegistryRpcs: readonly Rpc[] = [
  rpc(
    'GET',
    '/mlflow/databricks/registered-models/get',
    'registered-model.view',
    messages.GetModel,
    (ctx, { name }) => getModel(ctx, name),
    {
      audience: 'api',
    },
  ),
  rpc(
    'POST',
    '/mlflow/databricks/model-versions/transition-stage',
    'model-version.transition',
    messages.TransitionStage,
    async (ctx, input) => {
      const moved = await requests.moveStage(ctx, {
        name: input.name,
        version: parseVersionNumber(input.version),
        stage: input.stage,
        // The SDK always says something; where nothing is to be archived, nothing is.
        archiveExisting: input.archive_existing_versions && isActiveStage(await workspaces.getStages(ctx), input.stage),
        comment: input.comment,
      });
      return { model_version_databricks: await versionToDatabricks(ctx, moved) };
    },
    { audience: 'api' },
  ),
];
