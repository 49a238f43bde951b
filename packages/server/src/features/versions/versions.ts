/** Model versions: numbered, immutable, sealed over their files; with stages and aliases. Every move demands a Permit. */
import { checkAlias, checkRegistryTag } from '@countersign/contract/names.ts';
import { type Permit, permitFacts } from '@countersign/contract/permit.ts';
import { invalid, notFound, Problem } from '@countersign/contract/problem.ts';
import type { Filter } from '@countersign/contract/search.ts';
import { namesOf, type Stage } from '@countersign/contract/stages.ts';
import { type Ctx, reading, type TxCtx, transaction, type WorkspaceRef } from '../../platform/context.ts';
import { parseModelVersionFilter, parseModelVersionOrderBy } from '../../platform/search/model-version-search-grammar.ts';
import * as artifacts from '../artifacts/artifacts.ts';
import { digestOf, record } from '../events/events.ts';
import type { ModelIdentity, RegisteredModel } from '../models/models.ts';
import * as models from '../models/models.ts';
import { getStages } from '../workspaces/workspaces.ts';
import * as aliasStore from './alias-store.ts';
import { demandReadable, isSealedPromptTag } from './sealing.ts';
import { sealedUri } from './version-rules.ts';
import { searchPage } from './version-search.ts';
import type { ModelVersion, VersionIdentity } from './version-store.ts';
import * as store from './version-store.ts';

export { create, isCopy, isPromptOf, type NewVersion, resolve } from './registering.ts';
export type { Resolved } from './sealing.ts';
export { isSealedPromptTag } from './sealing.ts';
export { deleteAlias, eraseAll, getDeleted, listPlaced, remove, removeAll, restore, restoreAll } from './version-removal.ts';
export { demandSource, outsideFolder, seal, sealWaiting } from './version-seals.ts';
export type { ModelVersion, VersionIdentity } from './version-store.ts';

/** Throws RESOURCE_DOES_NOT_EXIST. */
export async function get(ctx: Ctx, name: string, version: number): Promise<ModelVersion> {
  return (await store.find(reading(ctx), ctx.workspace.id, name, version)) ?? refuseUnknown(name, version);
}

/** As `get`, without what a change of tags or aliases doesn't ask: a third of its cost. */
export async function getIdentity(ctx: Ctx, name: string, version: number): Promise<VersionIdentity> {
  return (await store.findIdentity(reading(ctx), ctx.workspace.id, name, version)) ?? refuseUnknown(name, version);
}

function refuseUnknown(name: string, version: number): never {
  throw notFound(`Model Version (name=${name}, version=${version}) not found`);
}

export function findById(ctx: Ctx, id: number): Promise<ModelVersion | undefined> {
  return store.findById(reading(ctx), ctx.workspace.id, id);
}

/** What copies are of may be purged: who registered it stays known. */
export function findPurged(ctx: Ctx, id: number): Promise<store.PurgedVersion | undefined> {
  return store.findPurged(reading(ctx), id);
}

export function listByIds(ctx: Ctx, ids: readonly number[]): Promise<ModelVersion[]> {
  return store.listByIds(reading(ctx), ids);
}

/** `latest` is the highest number. Throws MLflow's INVALID_PARAMETER_VALUE where the alias isn't set. */
export async function getByAlias(ctx: Ctx, name: string, alias: string): Promise<ModelVersion> {
  const isLatest = /^latest$/i.test(alias);
  const db = reading(ctx);
  const found = isLatest ? await store.findNewest(db, ctx.workspace.id, name) : await store.findByAlias(db, ctx.workspace.id, name, alias);
  if (found) return found;
  await models.get(ctx, name);
  if (isLatest) throw notFound(`Registered model ${name} has no versions.`);
  throw invalid(`Registered model alias ${alias} not found.`);
}

const SEARCH_LIMIT_MAX = 200_000;

/** Aliases are filled in, which MLflow's own search leaves out. */
export async function search(ctx: Ctx, query: models.SearchQuery): Promise<models.Page<ModelVersion>> {
  models.checkLimit(query.limit, SEARCH_LIMIT_MAX);
  const db = reading(ctx);
  const filter = parseModelVersionFilter(query.filter);
  const { pks, nextPageToken } = await searchPage(db, ctx.searches, {
    workspaceId: ctx.workspace.id,
    filter,
    orderBy: parseModelVersionOrderBy(query.orderBy),
    size: query.limit,
    token: query.pageToken ?? '',
    scope: namesVisible(ctx, filter) ? undefined : models.scopeOf(ctx, db.dialect),
  });
  return { items: await store.listByIds(db, pks), nextPageToken };
}

/** Of one model, which the caller may see: nothing is left to be asked of its versions. */
function namesVisible(ctx: Ctx, filter: Filter): boolean {
  return filter.some(
    ({ entity, key, operator, value }) =>
      entity === 'attribute' &&
      key === 'name' &&
      operator === '=' &&
      value?.kind === 'string' &&
      ctx.access.rankOfName('registered-model', value.text) > 0,
  );
}

/** The newest of each stage, as the workspace writes it; of all its stages where none are named. */
export async function listLatest(ctx: Ctx, model: RegisteredModel, stages?: readonly Stage[]): Promise<ModelVersion[]> {
  return store.listLatest(reading(ctx), [model.id], stages ?? namesOf(await getStages(ctx)));
}

/** A page of a model's versions, newest first: those below a number, or from the newest. */
export function listOfModel(
  ctx: Ctx,
  model: Pick<RegisteredModel, 'id'>,
  page: { belowVersion?: number | undefined; limit: number },
): Promise<ModelVersion[]> {
  return store.listOfModel(reading(ctx), model.id, page.belowVersion ?? Number.MAX_SAFE_INTEGER, page.limit);
}

/** Ids of the copies of a version, and of theirs; at most so many. */
export async function listCopyIds(ctx: Ctx, id: number, limit: number): Promise<number[]> {
  const found = new Set<number>();
  for (let origins = [id]; origins.length > 0 && found.size < limit; ) {
    const copies = await store.listCopyIds(reading(ctx), origins, limit - found.size);
    origins = copies.filter((each) => each !== id && !found.has(each));
    for (const each of origins) found.add(each);
  }
  return [...found];
}

export interface Placed {
  /** The newest version of each stage, by number. */
  readonly latest: readonly ModelVersion[];
  readonly aliases: readonly aliasStore.AliasRow[];
}

/** What a registered model shows of its versions, for a page of models in two statements; in the order of the models. */
export async function listPlacedOfModels(ctx: Ctx, pageOfModels: readonly RegisteredModel[]): Promise<Placed[]> {
  const ids = pageOfModels.map((model) => model.id);
  const db = reading(ctx);
  const stages = namesOf(await getStages(ctx));
  const [latest, aliases] = await Promise.all([store.listLatest(db, ids, stages), aliasStore.listOfModels(db, ids)]);
  const latestOf = Map.groupBy(latest, (version) => version.modelId);
  const aliasesOf = Map.groupBy(aliases, (alias) => alias.modelId);
  return ids.map((id) => ({ latest: latestOf.get(id) ?? [], aliases: aliasesOf.get(id) ?? [] }));
}

export function listInStage(ctx: Ctx, model: Pick<RegisteredModel, 'id'>, stage: Stage): Promise<ModelVersion[]> {
  return store.listInStage(reading(ctx), model.id, stage);
}

/** Which versions of the workspace stand in a stage, as `name/version`, by both; at most so many. */
export async function listStanding(ctx: Ctx, stage: Stage, limit: number): Promise<string[]> {
  return (await store.listStanding(reading(ctx), ctx.workspace.id, stage, limit)).map(({ name, version }) => `${name}/${version}`);
}

/** Which aliases of the workspace are called so, in any case, as `name@alias`, by both; at most so many. */
export async function listAliasesNamed(ctx: Ctx, word: string, limit: number): Promise<string[]> {
  return (await aliasStore.listNamed(reading(ctx), ctx.workspace.id, word, limit)).map(({ name, alias }) => `${name}@${alias}`);
}

export function listAliases(ctx: Ctx, model: RegisteredModel): Promise<aliasStore.AliasRow[]> {
  return aliasStore.listOfModels(reading(ctx), [model.id]);
}

export async function findAlias(ctx: Ctx, model: Pick<RegisteredModel, 'id'>, alias: string): Promise<aliasStore.AliasRow | undefined> {
  return aliasStore.find(reading(ctx), model.id, alias);
}

/** The sealed tree, or the source where nothing is sealed. */
export async function getDownloadUri(ctx: Ctx, name: string, number: number): Promise<string> {
  return downloadUriOf(ctx, await get(ctx, name, number));
}

/**
 * The same for who reads there at once. What isn't sealed is read where it lies, and stays the run's or logged model's: PERMISSION_DENIED for
 * whoever may not read those, though he may read versions of the model.
 */
export async function getReadableUri(ctx: Ctx, name: string, number: number): Promise<string> {
  const version = await get(ctx, name, number);
  if (version.treeId === null && !version.isPrompt) await demandReadable(ctx, version);
  return downloadUriOf(ctx, version);
}

function downloadUriOf(ctx: Ctx, version: ModelVersion): string {
  return version.treeId === null || version.isPrompt
    ? version.storageLocation
    : sealedUri(artifacts.rootOfWorkspace(ctx.workspace), version.id);
}

export function setDescription(ctx: Ctx, name: string, number: number, description: string | undefined): Promise<ModelVersion> {
  return transaction(ctx, async (inner) => {
    const version = await get(inner, name, number);
    const at = inner.clock.now();
    await store.setDescription(inner.tx, version.id, description ?? null, at, inner.principal.id);
    record(inner, {
      type: 'model-version.described',
      modelId: version.modelId,
      versionId: version.id,
      data: {},
      texts: { description: description ?? '' },
    });
    return { ...version, description: description ?? null, editedBy: inner.principal.id, updatedAt: at };
  });
}

/** Why a version moves. */
export interface MoveNote {
  /** Of whoever moves it. */
  readonly comment?: string | undefined;
  /** The number of the version that it makes room for. */
  readonly replacedBy?: number;
}

/** Moves one version. `target` of the event is the stage entered; leaving is an event on the stage left. */
export async function setStage(
  ctx: TxCtx,
  permit: Permit,
  version: ModelVersion,
  stage: Stage,
  at: number,
  { comment, replacedBy }: MoveNote = {},
): Promise<ModelVersion> {
  await store.setStage(ctx.tx, version.id, stage, at, ctx.principal.id);
  const ids = { modelId: version.modelId, versionId: version.id };
  const facts = { number: version.version, from: version.stage, to: stage, ...permitFacts(permit) };
  if (version.stage !== stage) record(ctx, { type: 'model-version.stage-left', ...ids, target: `stage:${version.stage}`, data: facts });
  record(ctx, {
    type: 'model-version.stage-entered',
    ...ids,
    target: `stage:${stage}`,
    data: { ...facts, sealed: version.treeId !== null, ...(replacedBy === undefined ? {} : { replaced_by: replacedBy }) },
    ...(comment ? { texts: { comment } } : {}),
  });
  return { ...version, stage, updatedAt: at };
}

export async function setAlias(ctx: TxCtx, permit: Permit, model: ModelIdentity, alias: string, number: number): Promise<void> {
  checkAlias(alias);
  const version = await getIdentity(ctx, model.name, number);
  const before = await aliasStore.find(ctx.tx, model.id, alias);
  await aliasStore.upsert(ctx.tx, model.id, alias, version.id, ctx.principal.id);
  record(ctx, {
    type: 'alias.set',
    modelId: model.id,
    versionId: version.id,
    target: `alias:${alias}`,
    data: { alias, number, from: before?.version ?? null, sealed: version.treeId !== null, ...permitFacts(permit) },
  });
}

export async function listDeleted(ctx: Ctx, model: RegisteredModel): Promise<ModelVersion[]> {
  return store.listDeleted(reading(ctx), model.id);
}

/** All of the workspace, with their models. */
export async function moveAll(ctx: TxCtx, _permit: Permit, to: WorkspaceRef): Promise<void> {
  await store.moveAll(ctx.tx, ctx.workspace.id, to.id);
}

/** A rename shows on every version. */
export async function touchAll(ctx: TxCtx, model: RegisteredModel, at: number): Promise<void> {
  await store.touchAll(ctx.tx, model.id, at);
}

export async function setTag(ctx: TxCtx, _permit: Permit, version: VersionIdentity, key: string, value: string): Promise<void> {
  checkRegistryTag(key, value);
  await refuseSealedPromptTag(ctx, version, key);
  if (key === models.PROMPT_TAG) refuseOtherKind(version, value.toLowerCase() === 'true');
  await store.upsertTag(ctx.tx, version.id, key, value, ctx.principal.id);
  await noteEditor(ctx, version);
  record(ctx, { type: 'model-version.tag-set', modelId: version.modelId, versionId: version.id, data: { key }, texts: { value } });
}

export async function deleteTag(ctx: TxCtx, _permit: Permit, version: VersionIdentity, key: string): Promise<void> {
  await refuseSealedPromptTag(ctx, version, key);
  if (key === models.PROMPT_TAG) refuseOtherKind(version, false);
  if (!(await store.removeTag(ctx.tx, version.id, key))) return;
  await noteEditor(ctx, version);
  record(ctx, { type: 'model-version.tag-deleted', modelId: version.modelId, versionId: version.id, data: { key } });
}

/** Written only where it was somebody else before: who sets many tags rewrites the version once. */
async function noteEditor(ctx: TxCtx, version: VersionIdentity): Promise<void> {
  if (version.editedBy !== ctx.principal.id) await store.setEditor(ctx.tx, version.id, ctx.principal.id);
}

/** Clients read the text of whatever calls itself a prompt, also of what was registered in a model that didn't, and is sealed over files. */
async function refuseSealedPromptTag(ctx: TxCtx, version: VersionIdentity, key: string): Promise<void> {
  if (!isSealedPromptTag(key)) return;
  const isPrompt = version.isPrompt || models.isPromptTagged((await findById(ctx, version.id))?.tags ?? []);
  if (isPrompt) {
    throw new Problem(
      'INVALID_STATE',
      `Tag '${key}' is part of the sealed content of prompt '${version.name}' version ${version.version}. Register a new version instead.`,
    );
  }
}

/** A prompt is sealed over its texts, any other version over its files: a tag that said otherwise would lead readers around the seal. */
function refuseOtherKind(version: VersionIdentity, isPrompt: boolean): void {
  if (version.isPrompt === isPrompt) return;
  throw new Problem(
    'INVALID_STATE',
    `Version ${version.version} of '${version.name}' ${isPrompt ? 'was not registered as a prompt' : 'was registered as a prompt'}, which its tag ` +
      `'${models.PROMPT_TAG}' can't change. Register a new version instead.`,
  );
}

export async function findSealedTree(ctx: Ctx, versionId: number): Promise<{ readonly treeId: number } | undefined> {
  const version = await findById(ctx, versionId);
  return version?.treeId ? { treeId: version.treeId } : undefined;
}

/** For the collection of trees: those that are still needed. */
export function listReferredTrees(ctx: Ctx, treeIds: readonly number[]): Promise<number[]> {
  return store.listReferredTrees(reading(ctx), treeIds);
}

/** A sealed file whose bytes are no longer what was sealed: shown from now on, told once. */
export async function reportDamage(ctx: Ctx, versionId: number, path: string): Promise<void> {
  await transaction(ctx, async (inner) => {
    const version = await findById(inner, versionId);
    if (!version || !(await store.setDamaged(inner.tx, versionId, inner.clock.now()))) return;
    record(inner, {
      type: 'model-version.damaged',
      modelId: version.modelId,
      versionId,
      data: { number: version.version, path_digest: digestOf(path) },
    });
  });
}
