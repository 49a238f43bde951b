/** Registered models, and their aliases, as upstream asks for them (model_registry.proto, 3.17.2). */
import * as messages from '@countersign/contract/mlflow/registry-messages.ts';
import { parseVersionNumber } from '@countersign/contract/names.ts';
import { stageOf } from '@countersign/contract/stages.ts';
import type { RegisteredModel } from '../features/models/models.ts';
import * as models from '../features/models/models.ts';
import * as requests from '../features/requests/requests.ts';
import * as versions from '../features/versions/versions.ts';
import * as workspaces from '../features/workspaces/workspaces.ts';
import type { Ctx } from '../platform/context.ts';
import { modelToWire, NO_PARTS, versionToWire } from './registry-wire.ts';
import { type Rpc, rpc } from './rpc.ts';

const PREVIEW = { preview: true } as const;
const AT = '/mlflow/registered-models';

async function whole(ctx: Ctx, model: RegisteredModel): Promise<object> {
  const [parts] = await versions.listPlacedOfModels(ctx, [model]);
  return modelToWire(model, parts ?? NO_PARTS);
}

async function search(
  ctx: Ctx,
  input: { filter?: string | undefined; max_results: number | bigint; order_by: readonly string[]; page_token?: string | undefined },
): Promise<object> {
  const page = await models.search(ctx, {
    filter: input.filter,
    limit: Number(input.max_results),
    orderBy: input.order_by,
    pageToken: input.page_token,
  });
  const placed = await versions.listPlacedOfModels(ctx, page.items);
  const wire = page.items.map((model, i) => modelToWire(model, placed[i] ?? NO_PARTS));
  return { registered_models: wire.length > 0 ? wire : undefined, next_page_token: page.nextPageToken };
}

export const modelRpcs: readonly Rpc[] = [
  rpc(
    'POST',
    `${AT}/create`,
    'registered-model.create',
    messages.CreateRegisteredModel,
    async (ctx, input) => {
      const tags = models.lastWins(input.tags);
      const model = await requests.createModel(ctx, { name: input.name, description: input.description || undefined, tags });
      return { registered_model: modelToWire(model, NO_PARTS) };
    },
    PREVIEW,
  ),
  rpc(
    'GET',
    `${AT}/get`,
    'registered-model.view',
    messages.GetRegisteredModel,
    async (ctx, { name }) => ({ registered_model: await whole(ctx, await models.get(ctx, name)) }),
    PREVIEW,
  ),
  rpc(
    'PATCH|POST',
    `${AT}/update`,
    'registered-model.edit',
    messages.UpdateRegisteredModel,
    async (ctx, input) => ({ registered_model: await whole(ctx, await models.setDescription(ctx, input.name, input.description)) }),
    PREVIEW,
  ),
  rpc(
    'POST',
    `${AT}/rename`,
    'registered-model.rename',
    messages.RenameRegisteredModel,
    async (ctx, input) => ({ registered_model: await whole(ctx, await requests.renameModel(ctx, input.name, input.new_name)) }),
    PREVIEW,
  ),
  rpc(
    'DELETE',
    `${AT}/delete`,
    'registered-model.manage',
    messages.DeleteRegisteredModel,
    async (ctx, { name }) => done(requests.deleteModel(ctx, name)),
    PREVIEW,
  ),
  rpc('GET', `${AT}/search`, 'registered-model.list', messages.SearchRegisteredModels, search, PREVIEW),
  // databricks-sdk `list_models`, and `list_registered_models` of 1.x clients.
  rpc(
    'GET',
    `${AT}/list`,
    'registered-model.list',
    messages.ListRegisteredModels,
    (ctx, input) => search(ctx, { ...input, order_by: [] }),
    PREVIEW,
  ),
  rpc(
    'POST|GET',
    `${AT}/get-latest-versions`,
    'registered-model.view',
    messages.GetLatestVersions,
    async (ctx, input) => {
      const model = await models.get(ctx, input.name);
      const defined = await workspaces.getStages(ctx);
      const stages = new Set(input.stages.map((word) => stageOf(defined, word)));
      const latest = await versions.listLatest(ctx, model, stages.size > 0 ? [...stages] : undefined);
      return { model_versions: latest.length > 0 ? latest.map((version) => versionToWire(version)) : undefined };
    },
    PREVIEW,
  ),
  rpc(
    'POST',
    `${AT}/set-tag`,
    'registered-model.edit',
    messages.SetRegisteredModelTag,
    async (ctx, input) => done(requests.setModelTag(ctx, input.name, input.key, input.value)),
    PREVIEW,
  ),
  rpc(
    'DELETE',
    `${AT}/delete-tag`,
    'registered-model.edit',
    messages.DeleteRegisteredModelTag,
    async (ctx, input) => done(requests.setModelTag(ctx, input.name, input.key, null)),
    PREVIEW,
  ),
  rpc('POST', `${AT}/alias`, 'registered-model.edit', messages.SetRegisteredModelAlias, async (ctx, input) =>
    done(requests.setAlias(ctx, input.name, input.alias, parseVersionNumber(input.version))),
  ),
  rpc('DELETE', `${AT}/alias`, 'registered-model.manage', messages.DeleteRegisteredModelAlias, async (ctx, input) =>
    done(requests.deleteAlias(ctx, input.name, input.alias)),
  ),
  rpc('GET', `${AT}/alias`, 'registered-model.view', messages.GetModelVersionByAlias, async (ctx, input) => ({
    model_version: versionToWire(await versions.getByAlias(ctx, input.name, input.alias)),
  })),
];

export async function done(change: Promise<unknown>): Promise<object> {
  await change;
  return {};
}
