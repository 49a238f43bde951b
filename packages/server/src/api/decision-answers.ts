/** What policies say, as the native API shows it. */
import type { DecisionSchema } from '@countersign/contract/policy-endpoints.ts';
import type { Static } from 'typebox';
import * as catalog from '../features/catalog/catalog.ts';
import * as transitions from '../features/transitions/transitions.ts';
import type { Ctx } from '../platform/context.ts';

export async function answerDecisions(ctx: Ctx, asked: transitions.Judgement['asked']): Promise<Static<typeof DecisionSchema>[]> {
  const principalOf = await catalog.listPrincipals(
    ctx,
    asked.flatMap(({ decision }) => [
      ...decision.missing.flatMap((each) => each.candidates),
      ...decision.staleApprovals.map((each) => each.by),
    ]),
  );
  return asked.map(({ decision, change }) => ({
    policy: { ...decision.policy },
    target: transitions.targetWords(change.target),
    change: change.change,
    path: decision.path,
    mode: decision.mode,
    is_allowed: decision.isAllowed,
    is_satisfied: decision.isSatisfied,
    missing: decision.missing.map((each) => ({ ...each, candidates: each.candidates.map(principalOf) })),
    satisfied: decision.satisfied.map((each) => ({ ...each })),
    weaknesses: decision.weaknesses.map((each) => ({ ...each })),
    stale_approvals: decision.staleApprovals.map(({ id, by, reason, what }) => ({ id, by: principalOf(by), reason, what })),
    next_possible_at: decision.nextPossibleAt,
  }));
}
