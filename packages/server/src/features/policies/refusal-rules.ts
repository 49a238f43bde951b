/** What a refused caller reads: what is missing, who can give it, and how. Pure. */
import type { MissingItem, PolicyDecision } from '@countersign/contract/policy-decisions.ts';

/** Longer ones are cut: the whole decision is there to be asked for. */
const ITEMS_MAX = 10;

/** Of all decisions that don't allow; empty where each allows. */
export function refusalText(decisions: readonly PolicyDecision[]): string {
  return decisions
    .filter((each) => !each.isAllowed)
    .map((each) => `Policy '${each.policy.name}' doesn't allow it. Missing: ${reasonsText(each)}`)
    .join(' ');
}

/** Of those that allow, and tell the caller what a policy in enforce would refuse for; empty where there is none. */
export function warningText(decisions: readonly PolicyDecision[]): string {
  return decisions
    .filter((each) => each.mode === 'warn' && each.isAllowed && !each.isSatisfied)
    .map((each) => `Policy '${each.policy.name}' only warns: in enforce it would not allow it. Missing: ${reasonsText(each)}`)
    .join(' ');
}

function reasonsText({ missing, staleApprovals, nextPossibleAt }: PolicyDecision): string {
  const items = missing.slice(0, ITEMS_MAX).map(itemText);
  const more = missing.length > ITEMS_MAX ? ` And ${missing.length - ITEMS_MAX} more.` : '';
  const stale =
    staleApprovals.length === 0
      ? ''
      : ` Approvals that don't count: ${staleApprovals
          .slice(0, ITEMS_MAX)
          .map((each) => each.what)
          .join('; ')}.`;
  const when = nextPossibleAt === null ? '' : ` It is possible from ${new Date(nextPossibleAt).toISOString()} on.`;
  return `${items.join(' ')}${more}${stale}${when}`;
}

function itemText({ what, who, how, until }: MissingItem): string {
  return until === null ? `${what} (from ${who}. ${how})` : `${what} (until ${new Date(until).toISOString()})`;
}
