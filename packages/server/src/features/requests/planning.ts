/** What would become of open requests, and of what stands in governed places, under other policies. Comes into force in a transaction that is undone. */
import type { PolicyDecision, Weakness } from '@countersign/contract/policy-decisions.ts';
import type { Ctx, TxCtx } from '../../platform/context.ts';
import * as approvals from '../approvals/approvals.ts';
import * as models from '../models/models.ts';
import * as policies from '../policies/policies.ts';
import * as transitions from '../transitions/transitions.ts';
import type { ModelVersion } from '../versions/versions.ts';
import * as versions from '../versions/versions.ts';

/** How one change stands under one set of policies. */
export interface Outcome {
  readonly isSatisfied: boolean;
  readonly policies: readonly string[];
  readonly missing: readonly string[];
}

/** One thing that a plan looks at: an open request, or a version that stands in a governed place. */
interface Looked {
  readonly key: string;
  readonly name: string;
  readonly version: number | undefined;
  readonly target: string;
  readonly requestId: number | undefined;
  readonly outcome: Outcome;
}

function outcomeOf(decisions: readonly PolicyDecision[]): Outcome {
  return {
    isSatisfied: decisions.every((each) => each.isSatisfied),
    policies: [...new Set(decisions.map((each) => each.policy.name))],
    missing: decisions.flatMap((each) => each.missing.map(({ what }) => what)),
  };
}

/** As if each version that stands somewhere came there now. Bounded: answers whether there was more. */
async function lookAtPlaces(ctx: TxCtx, max: number): Promise<{ readonly looked: readonly Looked[]; readonly isTruncated: boolean }> {
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

export interface PlanInput {
  readonly texts: readonly string[];
  readonly withdraw: readonly string[];
}

export interface PlanLine {
  readonly now: Looked;
  readonly next: Looked;
}

export interface PlannedPolicy {
  readonly name: string;
  readonly hash: string;
  readonly replaces: string | null;
  readonly weaknesses: readonly Weakness[];
}

export interface Plan {
  readonly publish: readonly PlannedPolicy[];
  /** Of what would be published. */
  readonly warnings: readonly transitions.Unsatisfiable[];
  readonly lines: readonly PlanLine[];
  readonly isTruncated: boolean;
}

const PLANNED_MAX = 2000;

/** Comes into force and is undone: open requests, and what stands in governed places, under the policies before and after. */
export async function plan(ctx: Ctx, input: PlanInput): Promise<Plan> {
  const named = await Promise.all(input.texts.map(async (text) => ({ text, policy: await policies.readPolicy(text) })));
  const before = (await policies.getInForce(ctx)).policies;
  const publish = named.map(({ policy: { document, hash } }) => ({
    name: document.name,
    hash,
    replaces: before.find((each) => each.document.name === document.name)?.hash ?? null,
    weaknesses: policies.weaknessesOf(document),
  }));
  let lines: PlanLine[] = [];
  let warnings: readonly transitions.Unsatisfiable[] = [];
  let isTruncated = false;
  const problem = await transitions.rehearse(ctx, async (inner, rehearsal) => {
    const now = await lookAtAll(inner);
    await transitions.putInForce(inner, rehearsal, named, input.withdraw);
    warnings = await transitions.listUnsatisfiable(
      inner,
      named.map(({ policy }) => policy),
    );
    const next = await lookAtAll(inner);
    const byKey = new Map(next.looked.map((each) => [each.key, each]));
    lines = now.looked.flatMap((each) => {
      const later = byKey.get(each.key);
      return later === undefined || (each.outcome.policies.length === 0 && later.outcome.policies.length === 0)
        ? []
        : [{ now: each, next: later }];
    });
    isTruncated = now.isTruncated || next.isTruncated;
  });
  if (problem !== undefined) throw problem;
  return { publish, warnings, lines, isTruncated };
}

async function lookAtAll(ctx: TxCtx): Promise<{ readonly looked: readonly Looked[]; readonly isTruncated: boolean }> {
  const open = await approvals.list(ctx, { state: 'open', beforeId: Number.MAX_SAFE_INTEGER, limit: PLANNED_MAX });
  const asked: Looked[] = [];
  for (const request of open) {
    const operation = await transitions.operationOf(ctx, request);
    const decisions = (await transitions.judge(ctx, operation)).asked.map(({ decision }) => decision);
    const name = 'name' in operation.proposal ? operation.proposal.name : '';
    asked.push({
      key: `request ${request.id}`,
      name: operation.version?.name ?? name,
      version: operation.version?.version,
      target: request.target,
      requestId: request.id,
      outcome: outcomeOf(decisions),
    });
  }
  const places = await lookAtPlaces(ctx, PLANNED_MAX);
  return { looked: [...asked, ...places.looked], isTruncated: places.isTruncated || open.length === PLANNED_MAX };
}
