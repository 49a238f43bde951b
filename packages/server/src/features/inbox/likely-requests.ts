/** Which open requests may be the caller's to answer, told from a few statements for all of them. What is left out here isn't his for certain. */
import { RANK } from '@countersign/contract/levels.ts';
import type { Policy, PolicyRole } from '@countersign/contract/policies.ts';
import type { Ctx } from '../../platform/context.ts';
import type { Request } from '../approvals/approvals.ts';
import * as approvals from '../approvals/approvals.ts';
import * as groups from '../groups/groups.ts';
import type { RegisteredModel } from '../models/models.ts';
import * as models from '../models/models.ts';
import * as policies from '../policies/policies.ts';
import * as requests from '../requests/requests.ts';
import * as transitions from '../transitions/transitions.ts';

/** What the caller looks from. */
interface View {
  readonly policies: readonly policies.PublishedPolicy[];
  readonly stages: readonly string[];
  readonly groups: ReadonlySet<string>;
  readonly models: ReadonlyMap<number, RegisteredModel>;
  /** Requests that somebody has approved. */
  readonly approved: ReadonlySet<number>;
}

/** In the order given; without the caller's own. */
export async function listLikely(ctx: Ctx, rows: readonly Request[]): Promise<Request[]> {
  const others = rows.filter(({ createdBy }) => createdBy !== ctx.principal.id);
  if (others.length === 0) return [];
  const view = await viewOf(ctx, others);
  const likely: Request[] = [];
  for (const request of others) if (await isLikely(ctx, view, request)) likely.push(request);
  return likely;
}

async function viewOf(ctx: Ctx, rows: readonly Request[]): Promise<View> {
  const found = await models.listByIds(ctx, [...new Set(rows.flatMap(({ modelId }) => modelId ?? []))]);
  const given = await approvals.listOfRequests(
    ctx,
    rows.map(({ id }) => id),
  );
  return {
    policies: (await policies.getInForce(ctx)).policies,
    stages: await transitions.stagesOf(ctx),
    groups: new Set((await groups.listOf(ctx, ctx.principal.id)).map(({ name }) => name)),
    models: new Map(found.map((model) => [model.id, model])),
    approved: new Set(given.filter(({ closedAt }) => closedAt === null).map(({ requestId }) => requestId)),
  };
}

async function isLikely(ctx: Ctx, view: View, request: Request): Promise<boolean> {
  // Changes of settings are few.
  if (request.modelId === null) return ctx.access.isManager || requests.isApprover(ctx, request);
  const model = view.models.get(request.modelId);
  if (model === undefined) return false;
  const rank = ctx.access.rankOf('registered-model', model);
  const policy = policyFor(view, request, model);
  const roles = policy === undefined ? [] : rolesIn(policy.document);
  if (roles.some((role) => (role.group === undefined ? rank >= RANK[role.level ?? 'MANAGE'] : view.groups.has(role.group)))) return true;
  // Nothing is asked for that takes less. What others have approved may wait for whoever carries it out.
  const isRefused = policy?.document.mode === 'enforce' && roles.length > 0;
  return rank >= RANK.EDIT && (!isRefused || view.approved.has(request.id));
}

function policyFor(view: View, request: Request, model: RegisteredModel): policies.NamedPolicy | undefined {
  const target = transitions.readTarget(request.target);
  if (view.policies.length === 0 || target === undefined) return undefined;
  const tags = Object.fromEntries(model.tags.map(({ key, value }) => [key, value]));
  return policies.choosePolicy(view.policies, { target, isPrompt: model.isPrompt, model: model.name, tags, stages: view.stages }).policy;
}

function rolesIn({ requirements: { approvals: asked, breaking_signature_needs: extra } }: Policy): readonly PolicyRole[] {
  return extra === undefined ? asked : [...asked, { group: extra.group }];
}
