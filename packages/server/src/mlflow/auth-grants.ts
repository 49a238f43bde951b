/** Between upstream's `resource_type` and `resource_pattern` and the grants that are kept. */
import { RANK } from '@countersign/contract/levels.ts';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { invalid, notFound } from '@countersign/contract/problem.ts';
import * as access from '../features/access/access.ts';
import * as experiments from '../features/experiments/experiments.ts';
import * as models from '../features/models/models.ts';
import type { Ctx } from '../platform/context.ts';
import { checkPattern, kindOfType, showLevel, typeOfKind } from './auth-resources.ts';

/** What a grant is about, in the context's workspace. */
export type Place = Pick<access.GrantKey, 'kind' | 'objectId' | 'prefix'>;

/** Undefined for an experiment or a model that isn't there. A name that ends with `*` and is nobody's stands for all that begin so. */
export async function findPlace(ctx: Ctx, type: string, pattern: string): Promise<Place | undefined> {
  checkPattern(type, pattern);
  const kind = kindOfType(type);
  if (pattern === '*') return { kind, objectId: access.NO_OBJECT, prefix: '' };
  switch (kind) {
    case 'experiment':
      if (!/^\d{1,15}$/.test(pattern)) return byPrefix(kind, pattern);
      // One of another workspace is none: its grant would come into force where the workspaces are put together.
      if ((await experiments.findExperiment(ctx, Number(pattern))) === undefined) return undefined;
      return { kind, objectId: Number(pattern), prefix: '' };
    case 'registered-model':
    case 'prompt': {
      const model = await models.find(ctx, pattern);
      return model ? { kind, objectId: model.id, prefix: '' } : byPrefix(kind, pattern);
    }
    default:
      // Kept for those who read it back; it decides nothing here.
      return { kind, objectId: access.NO_OBJECT, prefix: pattern };
  }
}

function byPrefix(kind: string, pattern: string): Place | undefined {
  return pattern.endsWith('*') ? { kind, objectId: access.NO_OBJECT, prefix: pattern.slice(0, -1) } : undefined;
}

/** Throws RESOURCE_DOES_NOT_EXIST. */
export async function getPlace(ctx: Ctx, type: string, pattern: string): Promise<Place> {
  return (await findPlace(ctx, type, pattern)) ?? refuse(type, pattern);
}

function refuse(type: string, pattern: string): never {
  if (type === 'experiment') throw notFound(`No Experiment with id=${clip(pattern)} exists. It was not found in this workspace.`);
  throw notFound(`Registered Model with name=${clip(pattern)} not found`);
}

/** Prompts are kept among the models, so nothing could be told apart here. */
export function checkEnforceable(place: Place, level: string): void {
  if (place.kind !== 'prompt' || place.objectId >= 0 || place.prefix !== '' || level !== 'DENY') return;
  throw invalid(
    "All prompts can't be denied at once: they are kept among the registered models. Deny registered_model '*', or each prompt.",
  );
}

/** Whoever manages the object or the workspace; nobody else grants on everything, or on what isn't there. */
export async function mayManage(ctx: Ctx, place: Place | undefined): Promise<boolean> {
  if (ctx.access.isManager) return true;
  if (place === undefined || place.objectId < 0) return false;
  if (place.kind === 'experiment') {
    const experiment = await experiments.findExperiment(ctx, place.objectId);
    return experiment !== undefined && ctx.access.rankOf('experiment', experiment) >= RANK.MANAGE;
  }
  const model = await models.findById(ctx, place.objectId);
  return model !== undefined && ctx.access.rankOf('registered-model', model) >= RANK.MANAGE;
}

export interface WireGrant {
  readonly id: number;
  readonly resource_type: string;
  readonly resource_pattern: string;
  readonly permission: string;
}

/** Grants in upstream's words, of whatever workspace. Those on models that were deleted are left out, as they are gone there. */
export async function toWire<G extends access.Grant>(ctx: Ctx, grants: readonly G[]): Promise<{ grant: G; wire: WireGrant }[]> {
  const ids = grants.filter((each) => isOfModels(each.kind) && each.objectId >= 0).map((each) => each.objectId);
  const found = await models.listByIds(ctx, [...new Set(ids)]);
  const names = new Map(found.filter((model) => model.deletedAt === null).map((model) => [model.id, model.name]));
  return grants.flatMap((grant) => {
    const pattern = patternOf(grant, names);
    if (pattern === undefined) return [];
    return {
      grant,
      wire: { id: grant.id, resource_type: typeOfKind(grant.kind), resource_pattern: pattern, permission: showLevel(grant.level) },
    };
  });
}

function patternOf(grant: access.Grant, modelNames: ReadonlyMap<number, string>): string | undefined {
  if (grant.objectId >= 0) return isOfModels(grant.kind) ? modelNames.get(grant.objectId) : String(grant.objectId);
  if (grant.prefix === '') return '*';
  return isOfModels(grant.kind) || grant.kind === 'experiment' ? `${grant.prefix}*` : grant.prefix;
}

function isOfModels(kind: string): boolean {
  return kind === 'registered-model' || kind === 'prompt';
}
