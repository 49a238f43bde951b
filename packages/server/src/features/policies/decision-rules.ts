/** What a policy says to a change. Pure: the same facts lead to the same decision, with the same reasons. */
import { durationMs, type Policy } from '@countersign/contract/policies.ts';
import type { MissingItem, PolicyDecision, SatisfiedItem, Weakness } from '@countersign/contract/policy-decisions.ts';
import type { PolicyFacts } from '@countersign/contract/policy-facts.ts';
import { type ApprovalVerdict, judgeApprovals } from './approval-rules.ts';
import { judgeExpressions } from './expression-rules.ts';
import { freezeAt, thawAfter } from './freeze-rules.ts';
import type { NamedPolicy } from './policy-hash-rules.ts';
import { judgeVersion, judgeWithoutVersion } from './version-requirement-rules.ts';

/** Of one policy. Rollback and break-glass are asked apart. */
export function decide(policy: NamedPolicy, facts: PolicyFacts): PolicyDecision {
  const findings = findingsAt(policy, facts);
  return decisionOf(policy, 'requirements', facts, findings, nextPossibleAt(policy, facts, findings));
}

/** Of all policies that must be asked, each with its decision. Where none is asked, everything is allowed. */
export function decideAll(
  policies: readonly NamedPolicy[],
  facts: PolicyFacts,
): { readonly isAllowed: boolean; readonly decisions: readonly PolicyDecision[] } {
  const decisions = policies.map((policy) => decide(policy, facts));
  return { isAllowed: decisions.every((each) => each.isAllowed), decisions };
}

export interface Findings {
  readonly missing: readonly MissingItem[];
  readonly satisfied: readonly SatisfiedItem[];
  readonly stale: ApprovalVerdict['stale'];
}

function findingsAt(policy: NamedPolicy, facts: PolicyFacts): Findings {
  const { document } = policy;
  // What leaves a place may be as bad as it likes.
  const version = facts.change === 'enter' ? facts.version : undefined;
  const judged =
    version === undefined
      ? judgeWithoutVersion(document, facts)
      : [...judgeVersion(document, facts, version), ...judgeExpressions(policy, facts, version)];
  const approvals = judgeApprovals(policy, facts);
  return {
    missing: [
      ...blockedItems(facts),
      ...judged.flatMap((each) => ('missing' in each ? [each.missing] : [])),
      ...approvals.missing,
      ...requestItems(document, facts),
      ...freezeItems(document, facts),
    ],
    satisfied: [...judged.flatMap((each) => ('ok' in each ? [each.ok] : [])), ...approvals.satisfied],
    stale: approvals.stale,
  };
}

export function decisionOf(
  { document, hash }: NamedPolicy,
  path: PolicyDecision['path'],
  facts: PolicyFacts,
  findings: Findings,
  next: number | null,
): PolicyDecision {
  const isSatisfied = findings.missing.length === 0;
  // A block is no requirement of the policy, so its mode doesn't soften it.
  const isBlocked = blockedItems(facts).length > 0;
  return {
    policy: { name: document.name, hash },
    path,
    mode: document.mode,
    isAllowed: isSatisfied || (document.mode !== 'enforce' && !isBlocked),
    isSatisfied,
    missing: findings.missing,
    satisfied: findings.satisfied,
    weaknesses: weaknessesOf(document),
    staleApprovals: findings.stale,
    nextPossibleAt: next,
  };
}

export function blockedItems(facts: PolicyFacts): readonly MissingItem[] {
  if (facts.blocked === undefined || facts.change === 'leave') return [];
  return [
    {
      requirement: 'blocked',
      what: `these bytes are blocked: ${facts.blocked.reason}`,
      who: 'whoever may lift the block',
      how: 'Lift the block, which is governed itself; or register other bytes.',
      candidates: [],
      until: null,
    },
  ];
}

function requestItems({ expiry }: Policy, { now, requestedAt }: PolicyFacts): readonly MissingItem[] {
  if (requestedAt === undefined || now < requestedAt + durationMs(expiry.request)) return [];
  const what = `the request is older than ${expiry.request}`;
  return [{ requirement: 'request', what, who: 'the requester', how: 'Open another one.', candidates: [], until: null }];
}

function freezeItems({ freeze }: Policy, { now }: PolicyFacts): readonly MissingItem[] {
  const frozen = freezeAt(freeze, now);
  if (frozen === undefined) return [];
  const { window } = frozen;
  const span = window.weekly ?? window.dated;
  const what = `nothing changes from ${span?.from} to ${span?.to} (${window.time_zone})${window.reason === undefined ? '' : `: ${window.reason}`}`;
  return [{ requirement: 'freeze', what, who: 'time', how: 'Wait.', candidates: [], until: thawAfter(freeze, now) }];
}

/** More moments than this are not tried. */
const MOMENTS_MAX = 100;

/**
 * What is missing can come by itself only where a soak is over, a freeze, or the time after a change of an approver's account: so the first moment
 * at which all is there, if there is one, is the thaw after now or after one of the other two.
 */
function nextPossibleAt(policy: NamedPolicy, facts: PolicyFacts, findings: Findings): number | null {
  if (findings.missing.length === 0) return facts.now;
  const { freeze, requirements } = policy.document;
  const soaked = findings.missing.flatMap((each) => (each.requirement === 'soak' && each.until !== null ? [each.until] : []));
  const isQuiet = findings.stale.some(({ reason }) => reason === 'changed-by-requester' || reason === 'changed-requester');
  const quiet = isQuiet ? facts.accessChanges.map((each) => each.at + durationMs(requirements.quiet_after_change)) : [];
  const starts = [facts.now, ...soaked, ...quiet].filter((at) => at >= facts.now).sort((a, b) => a - b);
  for (const start of starts.slice(0, MOMENTS_MAX)) {
    const at = thawAfter(freeze, start);
    if (at !== null && findingsAt(policy, { ...facts, now: at }).missing.length === 0) return at;
  }
  return null;
}

/** What the policy itself leaves open. */
export function weaknessesOf({ requirements: asked, match }: Policy): readonly Weakness[] {
  const isOfVersion = match.target.setting === undefined;
  const found: (Weakness | undefined)[] = [
    isOfVersion && !asked.sealed ? { member: 'sealed', what: 'what is approved need not be what is served' } : undefined,
    asked.self_approval ? { member: 'self_approval', what: 'whoever asks or made the version may approve it' } : undefined,
    asked.approvals.length === 0 ? { member: 'approvals', what: 'nobody is asked: one person may do it alone' } : undefined,
    asked.approvals.length > 0 && asked.unlinked === 'pass'
      ? { member: 'unlinked', what: 'who stands behind a CI identity may approve unseen' }
      : undefined,
    ...asked.checks
      .filter((each) => each.own_report)
      .map(({ name }): Weakness => ({ member: 'own_report', what: `whoever asks or made the version may report '${name}'` })),
  ];
  return found.filter((each) => each !== undefined);
}
