/** Registered models: names, descriptions, tags, life and death. Versions, stages and aliases are the next room's. */

import { checkModelName, checkRegistryTag } from '@countersign/contract/names.ts';
import type { Permit } from '@countersign/contract/permit.ts';
import { invalid, notFound, Problem } from '@countersign/contract/problem.ts';
import sql from 'sql-template-tag';
import { type Ctx, reading, type TxCtx, transaction, type WorkspaceRef } from '../../platform/context.ts';
import type { Dialect } from '../../platform/db/database.ts';
import { type SearchScope, searchScope } from '../../platform/db/search-scope.ts';
import { parseRegisteredModelFilter, parseRegisteredModelOrderBy } from '../../platform/search/registered-model-search-grammar.ts';
import { announceRename, grantCreator } from '../access/access.ts';
import { record } from '../events/events.ts';
import { checkNaming, countUsage } from '../workspaces/workspaces.ts';
import { driveNames as driveByNames, searchPage, splitPromptClauses as split } from './model-search.ts';
import type { ModelIdentity, RegisteredModel, Tag } from './model-store.ts';
import * as store from './model-store.ts';

export type { ModelIdentity, RegisteredModel, Tag } from './model-store.ts';

/** The target of events by which a model gets another name. */
export const NAME = 'name';

/** The tag that makes a registered model or a version a prompt (mlflow.prompt.constants IS_PROMPT_TAG_KEY). */
export const PROMPT_TAG = 'mlflow.prompt.is_prompt';

export function isPromptTagged(tags: readonly Tag[]): boolean {
  return tags.some((tag) => tag.key === PROMPT_TAG && tag.value.toLowerCase() === 'true');
}

/** Later tags win over earlier ones of the same key. */
export function lastWins(tags: readonly { key: string | undefined; value: string | undefined }[]): Tag[] {
  const byKey = new Map<string, string>();
  for (const tag of tags) {
    const key = tag.key ?? '';
    checkRegistryTag(key, tag.value ?? '');
    byKey.set(key, tag.value ?? '');
  }
  return [...byKey].map(([key, value]) => ({ key, value }));
}

export interface NewModel {
  readonly name: string;
  readonly description?: string | undefined;
  readonly tags: readonly Tag[];
}

/** Throws RESOURCE_ALREADY_EXISTS, with the words `register_model` of the client relies on. */
export function create(ctx: Ctx, input: NewModel): Promise<RegisteredModel> {
  checkModelName(input.name);
  return transaction(ctx, async (inner) => {
    await checkNaming(inner, input.name);
    const at = inner.clock.now();
    const isPrompt = isPromptTagged(input.tags);
    const id = await store.insert(inner.tx, {
      workspaceId: inner.workspace.id,
      name: input.name,
      description: input.description ?? null,
      isPrompt,
      at,
      by: inner.principal.id,
    });
    if (id === undefined) throw taken(input.name, isPrompt, (await find(inner, input.name))?.isPrompt ?? isPrompt);
    for (const tag of input.tags) await store.upsertTag(inner.tx, id, tag.key, tag.value, inner.principal.id);
    await countUsage(inner, { models: 1 });
    await grantCreator(inner, 'registered-model', id);
    record(inner, {
      type: 'registered-model.created',
      modelId: id,
      data: { name: input.name, tags: input.tags.map((tag) => tag.key) },
      texts: { ...textOf('description', input.description), ...tagTexts(input.tags) },
    });
    return {
      id,
      name: input.name,
      description: input.description ?? null,
      isPrompt,
      createdAt: at,
      updatedAt: at,
      deletedAt: null,
      tags: input.tags,
    };
  });
}

/** MLflow's words (mlflow/prompt/registry_utils.py handle_resource_already_exist_error). */
function taken(name: string, isPrompt: boolean, isTakenByPrompt: boolean): Problem {
  const [wanted, owner] = [isPrompt, isTakenByPrompt].map((each) => (each ? 'Prompt' : 'Registered Model'));
  if (wanted === owner) return new Problem('RESOURCE_ALREADY_EXISTS', `${owner} (name=${name}) already exists.`);
  return new Problem(
    'RESOURCE_ALREADY_EXISTS',
    `Tried to create a ${wanted?.toLowerCase()} with name '${name}', but the name is already taken by a ${owner?.toLowerCase()}. ` +
      'A model and a prompt cannot have the same name.',
  );
}

function textOf(field: string, text: string | undefined | null): Record<string, string> {
  return text ? { [field]: text } : {};
}

export function tagTexts(tags: readonly Tag[]): Record<string, string> {
  return Object.fromEntries(tags.map((tag) => [`tag:${tag.key}`, tag.value]));
}

export async function find(ctx: Ctx, name: string): Promise<RegisteredModel | undefined> {
  return store.findByName(reading(ctx), ctx.workspace.id, name);
}

/** Throws RESOURCE_DOES_NOT_EXIST. */
export async function get(ctx: Ctx, name: string): Promise<RegisteredModel> {
  return (await find(ctx, name)) ?? refuseUnknown(name);
}

/** As `get`, without what a change doesn't ask: a third of its cost. */
export async function getIdentity(ctx: Ctx, name: string): Promise<ModelIdentity> {
  return (await store.findIdentity(reading(ctx), ctx.workspace.id, name)) ?? refuseUnknown(name);
}

function refuseUnknown(name: string): never {
  checkModelName(name);
  throw notFound(`Registered Model with name=${name} not found`);
}

/** Keeps other replicas from changing the model, its versions' places and its aliases until the commit; what is read after this is so. */
export function hold(ctx: TxCtx, name: string): Promise<void> {
  return store.lockByName(ctx.tx, ctx.workspace.id, name);
}

/** The same for a model that may be deleted. */
export function holdById(ctx: TxCtx, id: number): Promise<void> {
  return store.lockById(ctx.tx, ctx.workspace.id, id);
}

/** Active or deleted. */
export function findById(ctx: Ctx, id: number): Promise<RegisteredModel | undefined> {
  return store.findById(reading(ctx), ctx.workspace.id, id);
}

export function listByIds(ctx: Ctx, ids: readonly number[]): Promise<RegisteredModel[]> {
  return store.listByIds(reading(ctx), ids);
}

/** Active ones of the workspace. */
export function countActive(ctx: Ctx): Promise<number> {
  return store.countActive(reading(ctx), ctx.workspace.id);
}

/** Active ones of the workspace by id. */
export function listActive(ctx: Ctx, page: { afterId: number; limit: number }): Promise<RegisteredModel[]> {
  return store.listActive(reading(ctx), ctx.workspace.id, page);
}

/** Names of the workspace's models that another workspace has as well. */
export function listNamesInBoth(ctx: Ctx, other: WorkspaceRef): Promise<string[]> {
  return store.listNamesInBoth(reading(ctx), ctx.workspace.id, other.id);
}

/** All of them, deleted ones too, are the other workspace's from now on: another policy may hold for them there. */
export async function moveAll(ctx: TxCtx, _permit: Permit, to: WorkspaceRef): Promise<void> {
  for (let afterId = 0; ; ) {
    const page = await listActive(ctx, { afterId, limit: MOVED_PAGE });
    for (const model of page) {
      await checkNaming({ ...ctx, workspace: to }, model.name);
      record(
        { ...ctx, workspace: to },
        { type: 'registered-model.moved', modelId: model.id, data: { name: model.name, from: ctx.workspace.id } },
      );
    }
    const last = page.at(-1);
    if (last === undefined) break;
    afterId = last.id;
  }
  await store.moveAll(ctx.tx, ctx.workspace.id, to.id, ctx.principal.id);
}

const MOVED_PAGE = 1000;

export interface SearchQuery {
  readonly filter: string | undefined;
  readonly orderBy: readonly string[];
  readonly limit: number;
  readonly pageToken: string | undefined;
}

export interface Page<T> {
  readonly items: readonly T[];
  readonly nextPageToken: string | undefined;
}

const SEARCH_LIMIT_MAX = 1000;

export async function search(ctx: Ctx, query: SearchQuery): Promise<Page<RegisteredModel>> {
  checkLimit(query.limit, SEARCH_LIMIT_MAX);
  const db = reading(ctx);
  const { pks, nextPageToken } = await searchPage(db, ctx.searches, {
    workspaceId: ctx.workspace.id,
    filter: parseRegisteredModelFilter(query.filter),
    orderBy: parseRegisteredModelOrderBy(query.orderBy),
    size: query.limit,
    token: query.pageToken ?? '',
    scope: scopeOf(ctx, db.dialect),
  });
  return { items: await store.listByIds(db, pks), nextPageToken };
}

/** Which models searches of the caller may look at; undefined: all of the workspace. */
export function scopeOf(ctx: Ctx, dialect: Dialect): SearchScope | undefined {
  const table = { name: 'registered_models', workspaceId: ctx.workspace.id, active: sql`r.deleted_at IS NULL` };
  return searchScope(dialect, ctx.access.scopeOf('registered-model'), table);
}

export const splitPromptClauses = split;
/** Where a clause on a model's name can lead to the models by an index: supersets, deleted models among them. */
export const driveNames = driveByNames;

export function checkLimit(limit: number, max: number): void {
  if (!(limit >= 1 && limit <= max)) {
    throw invalid(`Invalid value ${limit} for parameter 'max_results' supplied. It must be a positive integer, at most ${max}.`);
  }
}

export function setDescription(ctx: Ctx, name: string, description: string | undefined): Promise<RegisteredModel> {
  return transaction(ctx, async (inner) => {
    const model = await get(inner, name);
    const at = inner.clock.now();
    await store.setDescription(inner.tx, model.id, description ?? null, at, inner.principal.id);
    record(inner, { type: 'registered-model.described', modelId: model.id, data: {}, texts: { description: description ?? '' } });
    return { ...model, description: description ?? null, updatedAt: at };
  });
}

/** A rename may move versions under another policy, so it needs a Permit. */
export async function rename(ctx: TxCtx, _permit: Permit, model: RegisteredModel, newName: string): Promise<RegisteredModel> {
  const at = ctx.clock.now();
  if (newName !== model.name) await checkNaming(ctx, newName);
  if (newName !== model.name && (await find(ctx, newName))) throw taken(newName, model.isPrompt, model.isPrompt);
  await store.setName(ctx.tx, model.id, newName, at, ctx.principal.id);
  await announceRename(ctx);
  record(ctx, { type: 'registered-model.renamed', target: NAME, modelId: model.id, data: { from: model.name, to: newName } });
  return { ...model, name: newName, updatedAt: at };
}

/** Soft: it can be restored until it is purged. The caller takes the versions along. */
export async function remove(ctx: TxCtx, _permit: Permit, model: RegisteredModel, at: number): Promise<void> {
  await store.markDeleted(ctx.tx, model.id, at, ctx.principal.id);
  await countUsage(ctx, { models: -1 });
  await announceRename(ctx);
  record(ctx, { type: 'registered-model.deleted', modelId: model.id, data: { name: model.name } });
}

/** Those that the caller may see. */
export async function listDeleted(ctx: Ctx, name?: string): Promise<RegisteredModel[]> {
  const db = reading(ctx);
  return store.listDeleted(db, ctx.workspace.id, name, scopeOf(ctx, db.dialect));
}

/** A deleted model by its id. Throws RESOURCE_DOES_NOT_EXIST. */
export async function getDeleted(ctx: Ctx, id: number): Promise<RegisteredModel> {
  const model = await store.findById(reading(ctx), ctx.workspace.id, id);
  if (!model || model.deletedAt === null)
    throw notFound(`No deleted registered model has the id ${id}. List them with GET /api/v1/deleted-models.`);
  return model;
}

/** Under its old name, or a new one where that is taken. */
export async function restore(ctx: TxCtx, _permit: Permit, model: RegisteredModel, newName: string | undefined): Promise<RegisteredModel> {
  const name = newName ?? model.name;
  checkModelName(name);
  await checkNaming(ctx, name);
  if (await find(ctx, name)) {
    throw new Problem(
      'RESOURCE_ALREADY_EXISTS',
      `The name '${name}' is taken by another registered model. Restore it under a new name: {"name": "…"}.`,
    );
  }
  const at = ctx.clock.now();
  await store.markRestored(ctx.tx, model.id, name, at, ctx.principal.id);
  await countUsage(ctx, { models: 1 });
  await announceRename(ctx);
  record(ctx, { type: 'registered-model.restored', target: NAME, modelId: model.id, data: { name } });
  return { ...model, name, updatedAt: at, deletedAt: null };
}

/** Erases the rows of a deleted model; its events stay. The caller takes the versions along. */
export async function erase(ctx: TxCtx, model: RegisteredModel): Promise<void> {
  if (model.deletedAt === null) throw invalid(`Registered Model '${model.name}' isn't deleted. Delete it before purging it.`);
  await store.erase(ctx.tx, model.id);
  record(ctx, { type: 'registered-model.purged', modelId: model.id, data: { name: model.name } });
}

export async function setTag(ctx: TxCtx, _permit: Permit, model: ModelIdentity, key: string, value: string): Promise<void> {
  await store.upsertTag(ctx.tx, model.id, key, value, ctx.principal.id);
  if (key === PROMPT_TAG) await store.setPrompt(ctx.tx, model.id, value.toLowerCase() === 'true');
  record(ctx, { type: 'registered-model.tag-set', modelId: model.id, data: { key }, texts: { value } });
}

export async function deleteTag(ctx: TxCtx, _permit: Permit, model: ModelIdentity, key: string): Promise<void> {
  if (!(await store.removeTag(ctx.tx, model.id, key))) return;
  if (key === PROMPT_TAG) await store.setPrompt(ctx.tx, model.id, false);
  record(ctx, { type: 'registered-model.tag-deleted', modelId: model.id, data: { key } });
}

/** The next version number; numbers have no gaps, since it is given back when the transaction fails. */
export function takeNextVersion(ctx: TxCtx, model: ModelIdentity, at: number): Promise<number> {
  return store.takeNextVersion(ctx.tx, model.id, at);
}

export async function touch(ctx: TxCtx, modelId: number, at: number): Promise<void> {
  await store.touch(ctx.tx, modelId, at);
}
