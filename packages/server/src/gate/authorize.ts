/** Whether a caller may do what a route does to the objects that the request names. */
import { type Level, RANK, type Rank } from '@countersign/contract/levels.ts';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { PERMISSIONS, type Permission } from '@countersign/contract/permissions.ts';
import { Problem } from '@countersign/contract/problem.ts';
import { DEFAULT_EXPERIMENT_ID } from '../features/experiments/experiments.ts';
import type { Ctx } from '../platform/context.ts';
import type { ObjectRef, Objects } from './objects.ts';

/** The members of a request that can name an object, whatever its dialect calls them. */
export interface NamedObjects {
  readonly name?: unknown;
  readonly id?: unknown;
  readonly experiment_id?: unknown;
  readonly experiment_name?: unknown;
  readonly run_id?: unknown;
  readonly run_uuid?: unknown;
  readonly run_ids?: unknown;
  readonly model_id?: unknown;
  readonly models?: unknown;
  readonly metrics?: unknown;
  readonly source_run_id?: unknown;
  /** Of the artifact root, parsed. */
  readonly path?: unknown;
}

/** Throws PERMISSION_DENIED. Without a refusal the handler goes on, and answers for what isn't there. */
export function authorize(ctx: Ctx, objects: Objects, permission: Permission, input: NamedObjects): Promise<void> | undefined {
  const rule = PERMISSIONS[permission];
  if (!('level' in rule)) return undefined;
  const rank = RANK[rule.level];
  const kind = rule.on === 'registered-model' ? 'registered-model' : 'experiment';
  // Most callers may do it to every object: nothing is looked up.
  if (rule.on !== 'artifact' && ctx.access.floorOf(kind) >= rank) return undefined;
  switch (rule.on) {
    case 'experiment':
      return onExperiment(ctx, objects, input, rule.level);
    case 'run':
      return onRuns(ctx, objects, input, rule.level);
    case 'logged-model':
      return demand(ctx, () => objects.ofLoggedModel(ctx, text(input.model_id)), rule.level, 'logged model');
    case 'registered-model':
      return onModel(ctx, objects, input, rule.level);
    case 'artifact':
      return onArtifact(ctx, objects, input, rule.level);
  }
}

async function onExperiment(ctx: Ctx, objects: Objects, input: NamedObjects, level: Level): Promise<void> {
  const name = text(input.experiment_name);
  // Whoever names none means the first, as upstream's calls do.
  const id = text(input.experiment_id) || (name === '' ? String(DEFAULT_EXPERIMENT_ID) : '');
  if (name !== '' && id === '') {
    const found = await objects.experimentByName(ctx, name);
    // Whoever may create learns by creating that a name is free, and clients look before they create.
    if (found === undefined && ctx.access.mayCreate) return;
    return check(ctx, found, level, 'experiment', name);
  }
  const number = /^\d{1,15}$/.test(id) ? Number(id) : -1;
  if (number >= 0 && ctx.access.rankOf('experiment', { id: number }) >= RANK[level] && !ctx.access.looksAtNames('experiment')) return;
  return check(ctx, await objects.experiment(ctx, number), level, 'experiment', id);
}

async function onRuns(ctx: Ctx, objects: Objects, input: NamedObjects, level: Level): Promise<void> {
  for (const runId of runIdsOf(input)) await demand(ctx, () => objects.ofRun(ctx, runId), level, 'run');
  // What is logged to a model through a run changes the model.
  for (const modelId of loggedModelIdsOf(input)) await demand(ctx, () => objects.ofLoggedModel(ctx, modelId), level, 'logged model');
}

/** All that a request names, under whatever member: which of them the handler reads isn't known here. */
export function runIdsOf(input: NamedObjects): string[] {
  const named = [input.run_id, input.run_uuid, input.run_ids].flat();
  return [...new Set(named.map(text).filter((each) => each !== ''))];
}

export function loggedModelIdsOf(input: NamedObjects): string[] {
  const lists = [input.models, input.metrics].flatMap((each) => (Array.isArray(each) ? each : []));
  const listed = lists.map((each) => text((each as NamedObjects | null)?.model_id)); // whatever it is, `text` reads strings only
  return [...new Set([text(input.model_id), ...listed].filter((each) => each !== ''))];
}

async function onModel(ctx: Ctx, objects: Objects, input: NamedObjects, level: Level): Promise<void> {
  const name = text(input.name);
  if (name === '') return demand(ctx, () => objects.model(ctx, Number(input.id ?? -1)), level, 'registered model');
  if (ctx.access.rankOfName('registered-model', name) >= RANK[level]) return;
  if (ctx.access.mayCreate && level === 'VIEW' && !(await objects.hasModel(ctx, name))) return;
  throw denied(ctx, level, 'registered model', name);
}

/** By the path of the artifact root, or by the run, logged model or version that a browser names: each of them that is named. */
async function onArtifact(ctx: Ctx, objects: Objects, input: NamedObjects, level: Level): Promise<void> {
  if (typeof input.path === 'string') return onPath(ctx, objects, input.path, level);
  const runIds = runIdsOf(input);
  const modelId = text(input.model_id);
  for (const runId of runIds) await demand(ctx, () => objects.ofRun(ctx, runId), level, 'run');
  if (modelId !== '') await demand(ctx, () => objects.ofLoggedModel(ctx, modelId), level, 'logged model');
  if (text(input.name) !== '' || (runIds.length === 0 && modelId === '')) await onModel(ctx, objects, input, level);
}

async function onPath(ctx: Ctx, objects: Objects, path: string, level: Level): Promise<void> {
  const floor = Math.min(ctx.access.floorOf('experiment'), ctx.access.floorOf('registered-model'));
  if (floor >= RANK[level]) return;
  const owner = path === '' ? undefined : await objects.ofPath(ctx, path);
  if (owner !== undefined) return check(ctx, owner, level, 'artifact', path);
  // What belongs to nobody is seen by those who see everything, and written by those who manage.
  throw denied(ctx, level, 'artifact', path);
}

async function demand(ctx: Ctx, find: () => Promise<ObjectRef | undefined>, level: Level, what: string): Promise<void> {
  return check(ctx, await find(), level, what, undefined);
}

/** What isn't there is refused as what may not be seen, so that nobody learns which. */
function check(ctx: Ctx, object: ObjectRef | undefined, level: Level, what: string, called: string | undefined): void {
  const kind = object?.kind ?? (what === 'registered model' ? 'registered-model' : 'experiment');
  const rank: Rank = object === undefined ? ctx.access.floorOf(kind) : ctx.access.rankOf(kind, object);
  if (rank < RANK[level]) throw denied(ctx, level, what, called);
}

/** Where the client of somebody who names no experiment sends runs. */
const ONES_OWN = ' Runs that name no experiment go there: name your own with mlflow.set_experiment(NAME).';

function denied(ctx: Ctx, level: Level, what: string, called: string | undefined): Problem {
  const which = called === undefined || called === '' ? `this ${what}` : `the ${what} '${clip(called)}'`;
  return new Problem(
    'PERMISSION_DENIED',
    `Permission denied: '${clip(ctx.principal.name)}' needs ${level} on ${which} in workspace '${ctx.workspace.name}'. ` +
      `Ask whoever manages it, or an administrator of the workspace.${what === 'experiment' && called === '0' ? ONES_OWN : ''}`,
  );
}

function text(value: unknown): string {
  if (typeof value === 'number' || typeof value === 'bigint') return String(value);
  return typeof value === 'string' ? value : '';
}
