/** Which requests somebody sees, and what he may do with them. */
import { type Level, RANK } from '@countersign/contract/levels.ts';
import { notFound, Problem } from '@countersign/contract/problem.ts';
import { levelOfStages } from '@countersign/contract/stages.ts';
import type { Ctx, TxCtx } from '../../platform/context.ts';
import { demand } from '../access/access.ts';
import * as approvals from '../approvals/approvals.ts';
import * as groups from '../groups/groups.ts';
import * as models from '../models/models.ts';
import * as policies from '../policies/policies.ts';
import * as transitions from '../transitions/transitions.ts';
import type { ModelVersion } from '../versions/versions.ts';
import * as versions from '../versions/versions.ts';
import { getStages } from '../workspaces/workspaces.ts';
import { levelOf } from './request-rules.ts';

/** RESOURCE_DOES_NOT_EXIST also for one that the caller may not see. */
export async function get(ctx: Ctx, id: number): Promise<approvals.Request> {
  const request = await approvals.get(ctx, id);
  if (await maySee(ctx, request)) return request;
  throw notFound(`There is no request ${id}.`);
}

async function maySee(ctx: Ctx, request: approvals.Request): Promise<boolean> {
  if (request.createdBy === ctx.principal.id || ctx.access.isManager) return true;
  if (request.modelId === null) return isApprover(ctx, request);
  const model = await models.findById(ctx, request.modelId);
  return model !== undefined && ctx.access.rankOf('registered-model', model) >= RANK.VIEW;
}

export interface RequestFilter {
  readonly versionId?: number | undefined;
  readonly modelId?: number | undefined;
  readonly createdBy?: number | undefined;
  readonly state?: approvals.RequestState | undefined;
  readonly target?: string | undefined;
  readonly beforeId: number | undefined;
  readonly limit: number;
}

const LOOKED_AT_MAX = 1000;

/** Newest first, those that the caller may see; `nextId` where more may follow. */
export async function list(
  ctx: Ctx,
  filter: RequestFilter,
): Promise<{ readonly requests: readonly approvals.Request[]; readonly nextId: number | undefined }> {
  const found: approvals.Request[] = [];
  let beforeId = filter.beforeId ?? Number.MAX_SAFE_INTEGER;
  for (let lookedAt = 0; lookedAt < LOOKED_AT_MAX; ) {
    const page = await approvals.list(ctx, { ...filter, beforeId, limit: filter.limit + 1 });
    for (const request of page) {
      if (found.length === filter.limit) return { requests: found, nextId: beforeId };
      if (await maySee(ctx, request)) found.push(request);
      beforeId = request.id;
    }
    if (page.length <= filter.limit) return { requests: found, nextId: undefined };
    lookedAt += page.length;
  }
  return { requests: found, nextId: beforeId };
}

/** Open ones of a version, oldest first. */
export function listOpen(ctx: Ctx, version: Pick<ModelVersion, 'id'>): Promise<readonly approvals.Request[]> {
  return approvals.listOpenOfVersion(ctx, version.id);
}

export type RequestAction = 'approve' | 'reject' | 'cancel' | 'apply';

/** What the caller may do with a request now. */
export async function actionsOn(ctx: Ctx, request: approvals.Request): Promise<readonly RequestAction[]> {
  if (request.state !== 'open') return [];
  const isOwn = request.createdBy === ctx.principal.id;
  const mayMake = await mayMakeIt(ctx, request);
  const mayReject = mayMake || (await isApprover(ctx, request));
  const mayApprove = mayReject && (await couldApprove(ctx, request, mayMake));
  const mayCancel = isOwn || (await managesIt(ctx, request));
  // A change of a setting is made again by whoever asked for it.
  const isCarriedOut = request.modelId !== null;
  return [
    ...(mayApprove ? (['approve'] as const) : []),
    ...(mayReject ? (['reject'] as const) : []),
    ...(mayCancel ? (['cancel'] as const) : []),
    ...(isCarriedOut && (mayMake || isOwn) ? (['apply'] as const) : []),
  ];
}

/** Nobody approves what he asks for or made, unless its policy says so; who is named by no policy that asks somebody only carries out what is allowed. */
async function couldApprove(ctx: Ctx, request: approvals.Request, mayMake: boolean): Promise<boolean> {
  const asked = await judged(ctx, request);
  const asks = asked?.filter(({ policy }) => policy.document.requirements.approvals.length > 0);
  if (asked === undefined || asks === undefined) return false;
  if (mayMake && asked.every(({ decision }) => decision.isAllowed)) return true;
  if (asks.length === 0) return mayMake;
  return asks.some(({ policy, facts }) => !policies.isExcluded(policy, facts, ctx.principal.id)) && isApprover(ctx, request);
}

/** Undefined where what it is about is gone. */
async function judged(ctx: Ctx, request: approvals.Request): Promise<transitions.Judgement['asked'] | undefined> {
  try {
    return (await transitions.judge(ctx, await transitions.operationOf(ctx, request))).asked;
  } catch (error) {
    if (error instanceof Problem) return undefined;
    throw error;
  }
}

/** Whether the caller has the level that the change itself asks for. */
export async function mayMakeIt(ctx: Ctx, request: approvals.Request): Promise<boolean> {
  if (request.modelId === null) return ctx.access.isManager;
  const model = await models.findById(ctx, request.modelId);
  if (model === undefined) return false;
  const version = request.versionId === null ? undefined : await versions.findById(ctx, request.versionId);
  return ctx.access.rankOf('registered-model', model) >= RANK[await levelFor(ctx, request, version)];
}

async function levelFor(ctx: Ctx, request: approvals.Request, version: ModelVersion | undefined): Promise<Level> {
  const stages = await getStages(ctx);
  const target = transitions.readTarget(request.target);
  if (target?.kind === 'stage' && version !== undefined) return levelOfStages(stages, version.stage, target.stage);
  return levelOf(stages, JSON.parse(request.proposal) as transitions.Proposal); // written by `open` alone
}

export async function managesIt(ctx: Ctx, request: approvals.Request): Promise<boolean> {
  if (request.modelId === null) return ctx.access.isManager;
  const model = await models.findById(ctx, request.modelId);
  return model !== undefined && ctx.access.rankOf('registered-model', model) >= RANK.MANAGE;
}

/** Whether a policy that is about it names a role of the caller. */
export async function isApprover(ctx: Ctx, request: approvals.Request): Promise<boolean> {
  if (ctx.principal.kind !== 'user' && ctx.principal.kind !== 'service') return false;
  const roles = (await transitions.policiesAbout(ctx, request)).flatMap(({ document: { requirements } }) => [
    ...requirements.approvals,
    ...(requirements.breaking_signature_needs === undefined ? [] : [requirements.breaking_signature_needs]),
  ]);
  if (roles.length === 0) return false;
  const own = new Set((await groups.listOf(ctx, ctx.principal.id)).map(({ name }) => name));
  const model = request.modelId === null ? undefined : await models.findById(ctx, request.modelId);
  const rank = model === undefined ? (ctx.access.isManager ? RANK.MANAGE : 0) : ctx.access.rankOf('registered-model', model);
  return roles.some((role) => {
    if (role.group !== undefined) return own.has(role.group);
    return 'level' in role && role.level !== undefined && rank >= RANK[role.level];
  });
}

/** Throws PERMISSION_DENIED. */
export async function demandMaking(ctx: TxCtx, operation: transitions.Operation, request: approvals.Request): Promise<void> {
  const { version } = operation;
  if (request.modelId === null) throw new Problem('PERMISSION_DENIED', 'Only managers of the workspace answer this request.');
  const name = 'name' in operation.proposal ? operation.proposal.name : '';
  demand(ctx, 'registered-model', { id: request.modelId, name: version?.name ?? name }, await levelFor(ctx, request, version));
}
