/** Why a change would be allowed or not, for whoever looks: the same question to the same policies as the change itself. */
import type { PolicyDecision } from '@countersign/contract/policy-decisions.ts';
import type { Ctx, TxCtx } from '../../platform/context.ts';
import * as models from '../models/models.ts';
import * as policies from '../policies/policies.ts';
import * as transitions from '../transitions/transitions.ts';
import type { ModelVersion } from '../versions/versions.ts';
import * as versions from '../versions/versions.ts';

export interface ExplainedChoice {
  readonly change: transitions.TargetChange;
  readonly choice: policies.PolicyChoice;
}

/** Which policy is asked for each place that an operation touches, and why that one. */
export async function choicesOf(ctx: Ctx, operation: transitions.Operation): Promise<readonly ExplainedChoice[]> {
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

/** How one change stands under one set of policies. */
export interface Outcome {
  readonly isSatisfied: boolean;
  readonly policies: readonly string[];
  readonly missing: readonly string[];
}

/** One thing that a plan looks at: an open request, or a version that stands in a governed place. */
export interface Looked {
  readonly key: string;
  readonly name: string;
  readonly version: number | undefined;
  readonly target: string;
  readonly requestId: number | undefined;
  readonly outcome: Outcome;
}

export function outcomeOf(decisions: readonly PolicyDecision[]): Outcome {
  return {
    isSatisfied: decisions.every((each) => each.isSatisfied),
    policies: [...new Set(decisions.map((each) => each.policy.name))],
    missing: decisions.flatMap((each) => each.missing.map(({ what }) => what)),
  };
}

/** As if each version that stands somewhere came there now. Bounded: answers whether there was more. */
export async function lookAtPlaces(
  ctx: TxCtx,
  max: number,
): Promise<{ readonly looked: readonly Looked[]; readonly isTruncated: boolean }> {
  const looked: Looked[] = [];
  for (let afterId = 0; ; ) {
    const page = await models.listActive(ctx, { afterId, limit: MODELS_PAGE });
    for (const model of page) {
      for (const version of await versions.listPlaced(ctx, model)) {
        for (const [target, operation] of await standingOperations(ctx, version)) {
          if (looked.length >= max) return { looked, isTruncated: true };
          const { asked } = await transitions.judge(ctx, operation);
          const outcome = outcomeOf(asked.map(({ decision }) => decision));
          looked.push({
            key: `${version.id} ${target}`,
            name: version.name,
            version: version.version,
            target,
            requestId: undefined,
            outcome,
          });
        }
      }
    }
    const last = page.at(-1);
    if (last === undefined) return { looked, isTruncated: false };
    afterId = last.id;
  }
}

const MODELS_PAGE = 200;

async function standingOperations(ctx: TxCtx, version: ModelVersion): Promise<readonly [string, transitions.Operation][]> {
  const { operations } = transitions;
  const stage = operations.replacementOperation(ctx, version, version.stage);
  return [
    ...(version.stage === 'None' ? [] : [[`stage:${version.stage}`, stage] as [string, transitions.Operation]]),
    ...version.aliases.map((alias): [string, transitions.Operation] => [`alias:${alias}`, operations.aliasOperation(ctx, version, alias)]),
  ];
}
