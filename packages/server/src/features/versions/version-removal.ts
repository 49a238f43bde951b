/** How versions go and come back: they leave their places first, and come back to none. Each demands a Permit. */
import { type Permit, permitFacts } from '@countersign/contract/permit.ts';
import { notFound, Problem } from '@countersign/contract/problem.ts';
import { namesOf } from '@countersign/contract/stages.ts';
import { type Ctx, reading, type TxCtx } from '../../platform/context.ts';
import * as artifacts from '../artifacts/artifacts.ts';
import { record } from '../events/events.ts';
import type { ModelIdentity, RegisteredModel } from '../models/models.ts';
import * as models from '../models/models.ts';
import { countUsage, getSettings, getStages } from '../workspaces/workspaces.ts';
import * as aliasStore from './alias-store.ts';
import type { ModelVersion } from './version-store.ts';
import * as store from './version-store.ts';

export async function deleteAlias(ctx: TxCtx, permit: Permit, model: ModelIdentity, alias: string): Promise<void> {
  const before = await aliasStore.find(ctx.tx, model.id, alias);
  if (!before) return;
  await aliasStore.remove(ctx.tx, model.id, alias);
  record(ctx, {
    type: 'alias.deleted',
    modelId: model.id,
    versionId: before.versionId,
    target: `alias:${alias}`,
    data: { alias, from: before.version, ...permitFacts(permit) },
  });
}

/** Soft. Its stage is left and its aliases are taken away. */
export async function remove(ctx: TxCtx, permit: Permit, model: RegisteredModel, version: ModelVersion): Promise<void> {
  await refuseProtected(ctx, [version]);
  const at = ctx.clock.now();
  await leavePlaces(ctx, permit, model, version);
  await store.markDeleted(ctx.tx, version.id, at, ctx.principal.id);
  await countUsage(ctx, { versions: -1 });
  await models.touch(ctx, model.id, at);
  record(ctx, { type: 'model-version.deleted', modelId: model.id, versionId: version.id, data: { number: version.version } });
}

/** All versions of a model that is being deleted, at the time that the model is marked with. */
export async function removeAll(ctx: TxCtx, permit: Permit, model: RegisteredModel, at: number): Promise<void> {
  const placed = await listPlaced(ctx, model);
  await refuseProtected(ctx, placed);
  for (const version of placed) await leavePlaces(ctx, permit, model, version);
  await countUsage(ctx, { versions: -(await store.markAllDeleted(ctx.tx, model.id, at, ctx.principal.id)) });
}

/** All that are in a stage or have an alias. */
export async function listPlaced(ctx: Ctx, model: Pick<RegisteredModel, 'id'>): Promise<ModelVersion[]> {
  const placed = new Map<number, ModelVersion>();
  for (const stage of namesOf(await getStages(ctx))) {
    if (stage === 'None') continue;
    for (const version of await store.listInStage(reading(ctx), model.id, stage)) placed.set(version.id, version);
  }
  const aliased = await aliasStore.listOfModels(reading(ctx), [model.id]);
  for (const version of await store.listByIds(reading(ctx), [...new Set(aliased.map((each) => each.versionId))]))
    placed.set(version.id, version);
  return [...placed.values()];
}

async function leavePlaces(ctx: TxCtx, permit: Permit, model: RegisteredModel, version: ModelVersion): Promise<void> {
  for (const { alias } of await aliasStore.listOfVersion(ctx.tx, version.id)) await deleteAlias(ctx, permit, model, alias);
  if (version.stage === 'None') return;
  record(ctx, {
    type: 'model-version.stage-left',
    modelId: model.id,
    versionId: version.id,
    target: `stage:${version.stage}`,
    data: { number: version.version, from: version.stage, to: 'None', ...permitFacts(permit) },
  });
}

async function refuseProtected(ctx: TxCtx, versions: readonly ModelVersion[]): Promise<void> {
  const settings = await getSettings(ctx);
  for (const version of versions) {
    if (settings.protected_stages.includes(version.stage)) {
      throw new Problem(
        'INVALID_STATE',
        `Version ${version.version} of '${version.name}' is in ${version.stage}, which this workspace protects from deletion. Move it to another stage first.`,
      );
    }
    const alias = version.aliases[0];
    if (settings.protect_aliased && alias !== undefined) {
      throw new Problem(
        'INVALID_STATE',
        `Version ${version.version} of '${version.name}' has the alias '${alias}', which protects it from deletion in this workspace. Delete or move the alias first.`,
      );
    }
  }
}

/** RESOURCE_DOES_NOT_EXIST. */
export async function getDeleted(ctx: TxCtx, model: RegisteredModel, number: number): Promise<ModelVersion> {
  const version = await store.findDeleted(ctx.tx, model.id, number);
  if (version) return version;
  throw notFound(`Registered Model '${model.name}' has no deleted version ${number}.`);
}

/** Comes back in stage None and without alias. */
export async function restore(ctx: TxCtx, _permit: Permit, model: RegisteredModel, number: number): Promise<ModelVersion> {
  const version = await getDeleted(ctx, model, number);
  const at = ctx.clock.now();
  await store.markRestored(ctx.tx, version.id, at, ctx.principal.id);
  await countUsage(ctx, { versions: 1 });
  record(ctx, { type: 'model-version.restored', modelId: model.id, versionId: version.id, data: { number } });
  return { ...version, deletedAt: null, updatedAt: at };
}

/** The versions that were deleted together with their model. */
export async function restoreAll(ctx: TxCtx, _permit: Permit, modelId: number, deletedAt: number): Promise<void> {
  await countUsage(ctx, { versions: await store.markRestoredWith(ctx.tx, modelId, deletedAt) });
}

export async function eraseAll(ctx: TxCtx, modelId: number): Promise<void> {
  const trees = await store.listTrees(ctx.tx, modelId);
  await store.eraseAll(ctx.tx, modelId);
  let bytes = 0;
  for (const treeId of trees) bytes += (await artifacts.findTree(ctx, treeId))?.sizeBytes ?? 0;
  await countUsage(ctx, { bytes: -bytes });
}
