/** Which reports of checks count for a version's bytes, and what the required ones say. Pure. */
import { durationMs, type RequiredCheck } from '@countersign/contract/policies.ts';
import type { MissingItem, SatisfiedItem } from '@countersign/contract/policy-decisions.ts';
import type { CheckReport, PolicyFacts } from '@countersign/contract/policy-facts.ts';
import { actorsOf, peopleOf } from './person-rules.ts';

export type Judged = { readonly ok: SatisfiedItem } | { readonly missing: MissingItem };

const GREEN: readonly unknown[] = ['success'];

/** Whether a report counts; else why not. */
type Counting = (check: CheckReport, rule: Pick<RequiredCheck, 'reporter' | 'own_report'>) => string | undefined;

/** What holds whatever the rule: bytes, entitlement, and that nobody reports on his own behalf. `digest`: of the bytes that it must be for. */
export function countingOf(facts: PolicyFacts, digest = facts.binding.digest): Counting {
  const people = peopleOf(facts);
  const own = [...actorsOf(facts, 'requester'), ...actorsOf(facts, 'version_creator')];
  const ownAccounts = new Set(own.flatMap(people.actingAs));
  return (check, rule) => {
    const reporter = people.find(check.by);
    if (check.digest === null || check.digest !== digest) return 'it was reported for other bytes';
    if (!check.isEntitled || reporter === undefined) return `${people.nameOf(check.by)} may not report it`;
    if (rule.reporter !== undefined && rule.reporter !== people.accountNameOf(check.by))
      return `it was reported by ${reporter.name}, not by ${rule.reporter}`;
    // A job acts by its workflow, whoever started it: only the very account that registered or asks is its own reporter.
    const acting = reporter.kind === 'ci' ? [reporter.account] : people.actingAs(reporter.id);
    const isOwn = acting.some((id) => ownAccounts.has(id));
    return isOwn && !rule.own_report ? `${reporter.name} reported it, for a version or request of its own` : undefined;
  };
}

/** The newest of the reports; a later one replaces an earlier one, also where it is not done or has failed. */
export function newestOf(checks: readonly CheckReport[]): CheckReport | undefined {
  return checks.reduce<CheckReport | undefined>((newest, each) => (newest === undefined || each.id > newest.id ? each : newest), undefined);
}

export function judgeCheck(rule: RequiredCheck, facts: PolicyFacts, checks: readonly CheckReport[], counting: Counting): Judged {
  const named = checks.filter((each) => each.name === rule.name);
  const newest = newestOf(named.filter((each) => counting(each, rule) === undefined));
  if (newest === undefined) {
    const last = newestOf(named);
    const why = last && counting(last, rule);
    return missing(rule, why === undefined ? 'was not reported' : `has no report that counts: ${why}`);
  }
  if (newest.conclusion === null) return missing(rule, 'is not completed');
  if (!GREEN.includes(newest.conclusion)) return missing(rule, `ended with ${newest.conclusion}`);
  if (rule.max_age !== undefined && facts.now - newest.at >= durationMs(rule.max_age))
    return missing(rule, `is older than ${rule.max_age}`);
  return { ok: { requirement: 'checks', what: `check '${rule.name}' is green for these bytes` } };
}

function missing(rule: RequiredCheck, what: string): Judged {
  const who = rule.reporter ?? `whoever may report '${rule.name}'`;
  return {
    missing: {
      requirement: 'checks',
      what: `check '${rule.name}' ${what}`,
      who: rule.own_report ? who : `${who}, not the requester nor who made the version`,
      how: `Run it for the version's digest and report it as '${rule.name}'.`,
      candidates: [],
      until: null,
    },
  };
}
