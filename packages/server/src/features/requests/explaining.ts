/** Why a change would be allowed or not, for whoever looks: the same question to the same policies as the change itself. */
import { RANK } from '@countersign/contract/levels.ts';
import { Problem } from '@countersign/contract/problem.ts';
import type { Ctx } from '../../platform/context.ts';
import * as models from '../models/models.ts';
import * as policies from '../policies/policies.ts';
import * as transitions from '../transitions/transitions.ts';
import { getStages } from '../workspaces/workspaces.ts';
import type { WayToAsk } from './asking-rules.ts';
import { findWayToAsk, operationFor } from './opening.ts';
import { levelOf, type Wish } from './request-rules.ts';

interface ExplainedChoice {
  readonly change: transitions.TargetChange;
  readonly choice: policies.PolicyChoice;
}

/** Which policy is asked for each place that an operation touches, and why that one. */
async function choicesOf(ctx: Ctx, operation: transitions.Operation): Promise<readonly ExplainedChoice[]> {
  const inForce = await policies.getInForce(ctx);
  const model = await operation.model?.();
  const stages = await transitions.stagesOf(ctx);
  return operation.changes.map((change) => ({
    change,
    choice: policies.choosePolicy(inForce.policies, {
      target: change.target,
      isPrompt: model?.isPrompt ?? false,
      model: model?.name ?? '',
      tags: Object.fromEntries(model?.tags.map(({ key, value }) => [key, value]) ?? []),
      stages,
    }),
  }));
}

export interface Explanation {
  readonly operation: transitions.Operation;
  readonly choices: readonly ExplainedChoice[];
  readonly asked: transitions.Judgement['asked'];
  /** Why the call would be refused; undefined where it would succeed. */
  readonly refusal: Problem | undefined;
  /** The request that is open for it; else, where the caller would be refused and may ask, how he does. */
  readonly asking: WayToAsk | undefined;
  /** Whether the refused call opens the request by itself. */
  readonly isOpenedByCall: boolean;
}

/** Makes the change and undoes it, so that what it says is what the call would answer. */
export async function explain(ctx: Ctx, name: string, wish: Wish): Promise<Explanation> {
  const asked = { ...wish, isSame: true };
  let found: Omit<Explanation, 'refusal' | 'asking' | 'isOpenedByCall'> | undefined;
  let model: { readonly id: number; readonly name: string } | undefined;
  const unseen = await transitions.rehearse(ctx, async (inner) => {
    const operation = await operationFor(inner, await models.getIdentity(inner, name), asked);
    model = await operation.model?.();
    found = { operation, choices: await choicesOf(inner, operation), asked: (await transitions.judge(inner, operation)).asked };
  });
  if (unseen !== undefined || found === undefined) throw unseen ?? new TypeError('what was looked at is known');
  const refused = await transitions.rehearse(ctx, async (inner) => {
    if (wish.registration !== undefined) return transitions.registerVersion(inner, { ...wish.registration, name });
    const operation = await operationFor(inner, await models.getIdentity(inner, name), asked);
    return transitions.carryOut(inner, askedFor(operation), transitions.AS_CALLER);
  });
  const refusal = refused ?? (await missingLevel(ctx, found.operation, model));
  const asking = await findWayToAsk(ctx, found.operation);
  // What is wrong in itself is refused to whoever asks, too.
  const mayAsk = refusal?.code === 'PERMISSION_DENIED' && model !== undefined && ctx.access.rankOf('registered-model', model) >= RANK.READ;
  return {
    ...found,
    refusal,
    asking: mayAsk || asking?.requestId !== undefined ? asking : undefined,
    isOpenedByCall: refused instanceof transitions.Refused && refused.opensRequest,
  };
}

function askedFor({ proposal, version, about }: transitions.Operation): transitions.AskedFor {
  const modelId = version?.modelId ?? Number(about.replace(/^model:/, ''));
  return { id: 0, proposal: JSON.stringify(proposal), modelId, versionId: version?.id ?? null, candidateId: null };
}

/** What the route of the change asks before it comes to the door. */
async function missingLevel(
  ctx: Ctx,
  { proposal }: transitions.Operation,
  model: { readonly id: number; readonly name: string } | undefined,
): Promise<Problem | undefined> {
  if (model === undefined || proposal.op === 'stage') return undefined;
  const level = levelOf(await getStages(ctx), proposal);
  return ctx.access.rankOf('registered-model', model) >= RANK[level]
    ? undefined
    : new Problem('PERMISSION_DENIED', `Permission denied: this asks for ${level} on '${model.name}'. Open a request.`);
}
