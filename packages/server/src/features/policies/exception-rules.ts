/** The two ways past a policy's requirements: bringing a version back, and breaking the glass. Each is a rule of its own. Pure. */
import { durationMs } from '@countersign/contract/policies.ts';
import type { MissingItem, PolicyDecision, RequirementName, SatisfiedItem } from '@countersign/contract/policy-decisions.ts';
import type { BreakGlassFacts, BreakGlassUse, PolicyFacts, RollbackFacts, Stay } from '@countersign/contract/policy-facts.ts';
import { blockedItems, decisionOf } from './decision-rules.ts';
import { type People, peopleOf, roleWords } from './person-rules.ts';
import type { NamedPolicy } from './policy-hash-rules.ts';

type Step = SatisfiedItem | MissingItem;

function step(has: boolean, requirement: RequirementName, yes: string, no: Pick<MissingItem, 'what' | 'who' | 'how'>): Step {
  return has ? { requirement, what: yes } : { requirement, ...no, candidates: [], until: null };
}

function outcome(policy: NamedPolicy, path: PolicyDecision['path'], facts: PolicyFacts, steps: readonly Step[]): PolicyDecision {
  const missing = [...blockedItems(facts), ...steps.filter((each): each is MissingItem => 'who' in each)];
  const satisfied = steps.filter((each) => !('who' in each));
  // Neither way is opened by waiting, and a freeze closes neither: they are for when something is wrong.
  const next = missing.length === 0 ? facts.now : null;
  const decision = decisionOf(policy, path, facts, { missing, satisfied, stale: [] }, next);
  // A policy that only observes has nothing to be gone past: whoever doesn't meet these rules goes by the requirements.
  return { ...decision, isAllowed: decision.isSatisfied };
}

/**
 * A version that held this target may come back: with the same bytes, let in by a policy in enforce (not by break-glass, not by a rollback), gone for
 * no longer than the policy says, not blocked, by somebody in a named role, with a reason.
 */
export function decideRollback(policy: NamedPolicy, facts: PolicyFacts, asked: RollbackFacts): PolicyDecision {
  const { rollback } = policy.document;
  if (rollback === undefined)
    return outcome(policy, 'rollback', facts, [
      step(false, 'rollback', '', {
        what: `policy '${policy.document.name}' knows no rollback`,
        who: 'whoever publishes policies',
        how: 'Open a request as for any other change.',
      }),
    ]);
  const people = peopleOf(facts);
  const since = facts.now - rollback.within_days * durationMs('1d');
  const mayDo = rollback.serving_controller
    ? [...rollback.roles.map((role) => roleWords(role, facts.target)), 'the serving controller']
    : rollback.roles.map((role) => roleWords(role, facts.target));
  const isEntitled = mayRollBack(policy, people, asked.caller);
  return outcome(policy, 'rollback', facts, [
    step(facts.change === 'enter' && facts.version !== undefined, 'rollback', 'a version comes back', {
      what: 'only versions come back',
      who: 'the requester',
      how: 'Open a request as for any other change.',
    }),
    step(
      heldBefore(facts, asked, since),
      'rollback',
      `these bytes were there in the last ${rollback.within_days} days, let in by a policy`,
      {
        what: `these bytes were not there in the last ${rollback.within_days} days, let in by a policy in enforce`,
        who: 'the requester',
        how: 'Open a request as for any other change.',
      },
    ),
    step(isEntitled, 'rollback', `${people.nameOf(asked.caller)} may do it`, {
      what: `${people.nameOf(asked.caller)} is not in a role that rolls back`,
      who: mayDo.join(' or '),
      how: 'They do it, with a reason.',
    }),
    step(asked.reason.trim() !== '', 'rollback', 'a reason', { what: 'no reason', who: 'who rolls back', how: 'Say why.' }),
  ]);
}

function mayRollBack({ document: { rollback } }: NamedPolicy, people: People, caller: number): boolean {
  const principal = people.find(caller);
  if (rollback === undefined || principal === undefined || !principal.isActive) return false;
  if (rollback.serving_controller && principal.kind === 'service' && principal.isServingController) return true;
  return principal.kind !== 'ci' && rollback.roles.some((role) => people.holds(principal.persons, role));
}

function heldBefore(facts: PolicyFacts, asked: RollbackFacts, since: number): boolean {
  const { binding, version, target } = facts;
  if (version === undefined || binding.digest === null) return false;
  return version.stays.some(
    (stay) =>
      isSamePlace(stay, target) &&
      stay.digest === binding.digest &&
      (stay.until ?? facts.now) >= since &&
      wasLetIn(stay, asked.listedDigests),
  );
}

function wasLetIn({ admittedBy, digest }: Stay, listed: readonly string[]): boolean {
  if (admittedBy === 'ungoverned') return digest !== null && listed.includes(digest);
  return admittedBy === 'policy';
}

function isSamePlace(stay: Stay, target: PolicyFacts['target']): boolean {
  if (target.kind === 'stage') return stay.place === 'stage' && stay.name.toLowerCase() === target.stage.toLowerCase();
  if (target.kind === 'alias') return stay.place === 'alias' && stay.name === target.alias;
  return target.kind === 'entry' && stay.place === 'entry';
}

/**
 * Past all requirements but a block: by somebody with the named permission who opened it himself, with reason and ticket, not long ago, and only
 * once until a second person has reviewed it.
 */
export function decideBreakGlass(policy: NamedPolicy, facts: PolicyFacts, asked: BreakGlassFacts): PolicyDecision {
  const { break_glass: rule, name } = policy.document;
  const people = peopleOf(facts);
  const caller = people.find(asked.caller);
  const isPerson = caller?.kind === 'user' && caller.isActive;
  if (rule === undefined)
    return outcome(policy, 'break-glass', facts, [
      step(false, 'break_glass', '', { what: `policy '${name}' has no break-glass`, who: 'nobody', how: 'Open a request.' }),
    ]);
  const { opened } = asked;
  const isOpen = opened !== undefined && opened.by === asked.caller && isWithin(facts.now, opened.at, rule.minutes);
  const unreviewed = asked.uses.filter((use) => !isReviewed(use, people));
  return outcome(policy, 'break-glass', facts, [
    step(
      isPerson && caller.permissions.includes(rule.permission),
      'break_glass',
      `${people.nameOf(asked.caller)} has '${rule.permission}'`,
      {
        what: `${people.nameOf(asked.caller)} is no person with the permission '${rule.permission}'`,
        who: `somebody with '${rule.permission}'`,
        how: 'They open it and make the change.',
      },
    ),
    step(isOpen, 'break_glass', 'opened by the caller, and still open', {
      what: `not opened by the caller in the last ${rule.minutes} minutes`,
      who: `somebody with '${rule.permission}'`,
      how: 'Open it, with reason and ticket.',
    }),
    step(opened !== undefined && opened.reason.trim() !== '' && opened.ticket.trim() !== '', 'break_glass', 'reason and ticket', {
      what: 'no reason, or no ticket',
      who: 'who opens it',
      how: 'Give both.',
    }),
    step(unreviewed.length === 0, 'break_glass', 'every earlier use was reviewed', {
      what: 'an earlier use was not reviewed by a second person',
      who: `anybody but ${unreviewed.map((use) => people.nameOf(use.by)).join(', ')}`,
      how: 'Review it first.',
    }),
  ]);
}

function isWithin(now: number, openedAt: number, minutes: number): boolean {
  return openedAt <= now && now < openedAt + minutes * durationMs('1m');
}

function isReviewed({ by, reviewedBy }: BreakGlassUse, people: People): boolean {
  if (reviewedBy === undefined) return false;
  const reviewer = people.find(reviewedBy);
  if (reviewer === undefined || reviewer.kind === 'ci') return false;
  const used = new Set(people.actingAs(by));
  return reviewer.persons.length > 0 && !people.actingAs(reviewedBy).some((id) => used.has(id));
}
