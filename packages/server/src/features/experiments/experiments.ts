/** Experiments: where runs belong, and where their artifacts lie. */
import { resolveLocation } from '@countersign/contract/artifact-location.ts';
import { type Level, RANK } from '@countersign/contract/levels.ts';
import { invalid, notFound, Problem } from '@countersign/contract/problem.ts';
import { type Ctx, reading, type TxCtx, transaction, type WorkspaceRef } from '../../platform/context.ts';
import { demand, demandNoGain, grantCreator } from '../access/access.ts';
import { record } from '../events/events.ts';
import { demandOpen, findArtifactRoot } from '../workspaces/workspaces.ts';
import {
  appendToLocation,
  checkExperimentName,
  checkExperimentTag,
  checkServedLocation,
  intoFolder,
  locationsAbove,
} from './experiment-rules.ts';
import { visibleExperiments } from './experiment-search-store.ts';
import type { Experiment } from './experiment-store.ts';
import * as store from './experiment-store.ts';

export { appendToLocation, parseExperimentId } from './experiment-rules.ts';
export { type ExperimentSearch, listVisibleIds, searchDatasets, searchExperiments } from './experiment-search.ts';
export type { Experiment } from './experiment-store.ts';

export const DEFAULT_EXPERIMENT_ID = 0;

/** Makes experiment 0 at the first start. Idempotent; several replicas may call it at once. */
export async function ensureDefaultExperiment(ctx: Ctx, artifactRoot: string): Promise<void> {
  await transaction(ctx, async (inner) => {
    await store.insert(inner.tx, {
      id: DEFAULT_EXPERIMENT_ID,
      workspaceId: 0,
      name: 'Default',
      artifactLocation: appendToLocation(artifactRoot, String(DEFAULT_EXPERIMENT_ID)),
      at: inner.clock.now(),
      by: inner.principal.id,
    });
  });
}

export interface NewExperiment {
  readonly name: string;
  /** Absent or empty: `<artifact root>/<id>`. */
  readonly artifactLocation?: string | undefined;
  readonly tags: readonly { readonly key: string; readonly value: string }[];
}

/** Answers the id. Throws RESOURCE_ALREADY_EXISTS where an active or deleted experiment has the name. */
export async function create(ctx: Ctx, input: NewExperiment): Promise<number> {
  checkExperimentName(input.name);
  for (const tag of input.tags) checkExperimentTag(tag.key, tag.value);
  const location = input.artifactLocation ? resolveLocation(input.artifactLocation, process.cwd(), locationMax()) : undefined;
  return transaction(ctx, async (inner) => {
    await demandOpen(inner);
    const id = await store.insert(inner.tx, {
      workspaceId: inner.workspace.id,
      name: input.name,
      artifactLocation: location ?? '',
      at: inner.clock.now(),
      by: inner.principal.id,
    });
    if (id === undefined) throw new Problem('RESOURCE_ALREADY_EXISTS', `Experiment(name=${input.name}) already exists.`);
    await settleLocation(inner, id, location);
    for (const tag of input.tags) await store.putTag(inner.tx, id, tag.key, tag.value, inner.principal.id);
    await grantCreator(inner, 'experiment', id);
    return id;
  });
}

async function settleLocation(ctx: TxCtx, id: number, given: string | undefined): Promise<void> {
  const folder = workspaceFolder(ctx);
  if (given === undefined) {
    const root = (await findArtifactRoot(ctx)) ?? rootBelow(ctx, folder);
    await store.setArtifactLocation(ctx.tx, id, appendToLocation(root, String(id)));
  } else if (given.toLowerCase().startsWith('mlflow-artifacts:')) {
    // One spelling, or the others would not be found beside it.
    const location = intoFolder(`mlflow-artifacts:${given.slice('mlflow-artifacts:'.length)}`, folder);
    checkServedLocation(location, rootBelow(ctx, folder), folder, await store.listServedLocations(ctx.tx, id));
    if (location !== given) await store.setArtifactLocation(ctx.tx, id, location);
  }
}

/** Workspaces other than the first have a folder of their own below the root, as upstream's. */
function workspaceFolder(ctx: Ctx): string {
  return ctx.workspace.id === 0 ? '' : `workspaces/${ctx.workspace.name}`;
}

function rootBelow(ctx: Ctx, folder: string): string {
  return folder === '' ? ctx.artifactRoot : appendToLocation(ctx.artifactRoot, folder);
}

function locationMax(): number | undefined {
  const configured = Number(process.env.MLFLOW_ARTIFACT_LOCATION_MAX_LENGTH);
  return Number.isInteger(configured) && configured > 0 ? configured : undefined;
}

export async function findExperiment(ctx: Ctx, id: number): Promise<Experiment | undefined> {
  return store.findById(reading(ctx), ctx.workspace.id, id);
}

/** Active or deleted. Throws RESOURCE_DOES_NOT_EXIST. */
export async function getExperiment(ctx: Ctx, id: number): Promise<Experiment> {
  const experiment = await findExperiment(ctx, id);
  if (experiment === undefined) throw absent(id);
  return experiment;
}

export function findByName(ctx: Ctx, name: string): Promise<Experiment | undefined> {
  return store.findByName(reading(ctx), ctx.workspace.id, name);
}

/** Throws PERMISSION_DENIED where the caller has less than `level` on it. */
export async function demandLevel(ctx: Ctx, id: number, level: Level): Promise<void> {
  if (ctx.access.floorOf('experiment') >= RANK[level]) return;
  demand(ctx, 'experiment', await namedIfNeeded(ctx, id), level);
}

export async function isVisible(ctx: Ctx, id: number): Promise<boolean> {
  return ctx.access.floorOf('experiment') > 0 || ctx.access.rankOf('experiment', await namedIfNeeded(ctx, id)) > 0;
}

async function namedIfNeeded(ctx: Ctx, id: number): Promise<{ id: number; name?: string }> {
  const name = ctx.access.looksAtNames('experiment') ? (await findExperiment(ctx, id))?.name : undefined;
  return name === undefined ? { id } : { id, name };
}

/** Whose artifact location a path of the served storage lies in. */
export function findByServedPath(ctx: Ctx, path: string): Promise<{ readonly id: number; readonly name: string } | undefined> {
  return store.findByLocations(reading(ctx), ctx.workspace.id, locationsAbove(path));
}

/** Active or deleted. Throws RESOURCE_DOES_NOT_EXIST. */
export async function getByName(ctx: Ctx, name: string): Promise<Experiment> {
  const experiment = await findByName(ctx, name);
  if (experiment === undefined) throw notFound(`Could not find experiment with name '${name}'`);
  return experiment;
}

/** In the order of `ids`; those that don't exist are left out. */
export function listByIds(ctx: Ctx, ids: readonly number[]): Promise<Experiment[]> {
  return store.listByIds(reading(ctx), ids);
}

/** Active ones of the workspace. */
export function countActive(ctx: Ctx): Promise<number> {
  return store.countActive(reading(ctx), ctx.workspace.id);
}

/** All active ones, with their runs, as events. */
export async function removeAll(ctx: TxCtx): Promise<void> {
  for (const id of await store.listActiveIds(ctx.tx, ctx.workspace.id)) await remove(ctx, id);
}

/** Names of the workspace's experiments, deleted ones too, that another workspace has as well. */
export function listNamesInBoth(ctx: Ctx, other: WorkspaceRef): Promise<string[]> {
  return store.listNamesInBoth(reading(ctx), ctx.workspace.id, other.id);
}

/** All of them, deleted ones too, are the other workspace's from now on; where their files lie stays. */
export async function moveAll(ctx: TxCtx, to: WorkspaceRef): Promise<void> {
  await store.moveAll(ctx.tx, ctx.workspace.id, to.id, ctx.principal.id);
}

export interface ExperimentPage {
  readonly lifecycle: 'active' | 'deleted' | undefined;
  readonly offset: number;
  readonly limit: number;
}

/** Those that the caller may see, newest first; one more than `limit` tells that there are more. */
export function list(ctx: Ctx, page: ExperimentPage): Promise<Experiment[]> {
  const db = reading(ctx);
  const visible = visibleExperiments(db.dialect, ctx.access.scopeOf('experiment'), ctx.workspace.id);
  return store.list(db, { workspaceId: ctx.workspace.id, ...page, limit: page.limit + 1, visible });
}

/** Throws INVALID_STATE on a deleted experiment, BAD_REQUEST where the name is taken. */
export async function rename(ctx: Ctx, id: number, newName: string): Promise<void> {
  checkExperimentName(newName);
  await transaction(ctx, async (inner) => {
    const experiment = await getExperiment(inner, id);
    if (experiment.lifecycle !== 'active') {
      throw new Problem('INVALID_STATE', `Cannot rename a non-active experiment. Restore the experiment ${id} first.`);
    }
    demandNoGain(inner, 'experiment', experiment, newName);
    const holder = await store.findByName(inner.tx, inner.workspace.id, newName);
    if (holder !== undefined && holder.id !== id) {
      throw new Problem('BAD_REQUEST', `Experiment(name=${newName}) already exists, active or deleted. Choose another name.`);
    }
    await store.setName(inner.tx, id, newName, inner.clock.now(), inner.principal.id);
  });
}

/** Its runs go with it. Throws RESOURCE_DOES_NOT_EXIST where it is deleted already. */
export function remove(ctx: Ctx, id: number): Promise<void> {
  return changeLifecycle(ctx, id, 'active', 'deleted');
}

/** All its runs come back, also those deleted one by one. Throws RESOURCE_DOES_NOT_EXIST where it isn't deleted. */
export function restore(ctx: Ctx, id: number): Promise<void> {
  return changeLifecycle(ctx, id, 'deleted', 'active');
}

async function changeLifecycle(ctx: Ctx, id: number, from: Experiment['lifecycle'], to: Experiment['lifecycle']): Promise<void> {
  await transaction(ctx, async (inner) => {
    const experiment = await findExperiment(inner, id);
    if (experiment?.lifecycle !== from) throw absent(id);
    await store.setLifecycle(inner.tx, id, to, inner.clock.now(), inner.principal.id);
    record(inner, { type: to === 'deleted' ? 'experiment.deleted' : 'experiment.restored', data: { experiment_id: id } });
  });
}

/** Last write wins. */
export async function setTag(ctx: Ctx, id: number, key: string, value: string): Promise<void> {
  checkExperimentTag(key, value);
  await transaction(ctx, async (inner) => {
    checkActive(await getExperiment(inner, id));
    await store.putTag(inner.tx, id, key, value, inner.principal.id);
  });
}

/** Throws RESOURCE_DOES_NOT_EXIST where there is no such tag. */
export async function deleteTag(ctx: Ctx, id: number, key: string): Promise<void> {
  await transaction(ctx, async (inner) => {
    checkActive(await getExperiment(inner, id));
    if (!(await store.deleteTag(inner.tx, id, key))) throw notFound(`No tag with name: ${key} in experiment with id ${id}`);
  });
}

/** Throws INVALID_PARAMETER_VALUE unless it is active. */
export function checkActive(experiment: Experiment): void {
  if (experiment.lifecycle === 'active') return;
  throw invalid(`The experiment ${experiment.id} must be in the 'active' state. Current state is ${experiment.lifecycle}.`);
}

function absent(id: number): Problem {
  return notFound(`No Experiment with id=${id} exists`);
}
