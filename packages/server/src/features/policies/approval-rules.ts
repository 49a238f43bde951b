/** Which approvals count now, and whether they suffice. Pure. */
import { durationMs, type Policy, type PolicyRole } from '@countersign/contract/policies.ts';
import type { MissingItem, SatisfiedItem, UncountedApproval } from '@countersign/contract/policy-decisions.ts';
import type { Approval, PolicyFacts } from '@countersign/contract/policy-facts.ts';
import { matchPlaces } from './matching-rules.ts';
import { type Exclusion, excludedWords, exclusionOf, type People, peopleOf, roleWords } from './person-rules.ts';
import type { NamedPolicy } from './policy-hash-rules.ts';

export interface ApprovalVerdict {
  readonly missing: readonly MissingItem[];
  readonly satisfied: readonly SatisfiedItem[];
  readonly stale: readonly UncountedApproval[];
}

type Places = PolicyRole & { readonly count: number };

/** One person that approved, by all its accounts. */
interface Approver {
  readonly ids: Set<number>;
}

/** How many names a sentence lists. */
const NAMES_MAX = 5;

export function judgeApprovals(policy: NamedPolicy, facts: PolicyFacts): ApprovalVerdict {
  const places = askedPlaces(policy.document, facts);
  if (places.length === 0) return { missing: [], satisfied: [], stale: [] };
  const people = peopleOf(facts);
  const exclusion = exclusionOf(facts, people, policy.document.requirements.exclude);
  const stale: UncountedApproval[] = [];
  const counted: Approval[] = [];
  for (const approval of facts.approvals) {
    const uncounted = whyNot(policy, facts, people, exclusion, approval, places);
    if (uncounted === undefined) counted.push(approval);
    else stale.push({ id: approval.id, by: approval.by, ...uncounted });
  }
  const approvers = personsWhoApproved(counted, people);
  const verdict = fill(policy.document, facts, people, exclusion, approvers, places);
  const unlinked = unlinkedItems(policy.document, people, exclusion);
  return { missing: [...verdict.missing, ...unlinked], satisfied: verdict.satisfied, stale };
}

/** Whether an approval of this account is none, as it acts for the requester or whoever else the policy leaves out. */
export function isExcluded({ document }: NamedPolicy, facts: PolicyFacts, id: number): boolean {
  const people = peopleOf(facts);
  const { ids } = exclusionOf(facts, people, document.requirements.exclude);
  return [id, ...people.personsOf(id)].some((each) => ids.has(each));
}

/** Beside the policy's own, those that a breaking signature asks for. */
function askedPlaces({ requirements }: Policy, facts: PolicyFacts): readonly Places[] {
  const extra = requirements.breaking_signature_needs;
  const isBreaking = extra !== undefined && facts.change === 'enter' && facts.version?.breaksSignature === true;
  return isBreaking ? [...requirements.approvals, { group: extra.group, count: extra.count }] : requirements.approvals;
}

type Uncounted = Pick<UncountedApproval, 'reason' | 'what'>;

/** Undefined where it counts. */
function whyNot(
  policy: NamedPolicy,
  facts: PolicyFacts,
  people: People,
  exclusion: Exclusion,
  approval: Approval,
  places: readonly Places[],
): Uncounted | undefined {
  return bindingLost(policy, facts, approval) ?? personRefused(policy.document, facts, people, exclusion, approval, places);
}

/** What it was given for is no longer what is asked. */
function bindingLost({ document, hash }: NamedPolicy, facts: PolicyFacts, approval: Approval): Uncounted | undefined {
  const { binding, subject, now } = facts;
  if (approval.subject !== subject) return { reason: 'another-subject', what: `it was given for ${approval.subject}` };
  // A setting has no bytes to be bound to, and of what leaves none are asked.
  const asksBytes = facts.version !== undefined && facts.change === 'enter' && document.requirements.sealed;
  if (approval.digest === null && (binding.digest !== null || asksBytes))
    return { reason: 'unsealed', what: 'it was given before the version was sealed, so for no bytes in particular' };
  if (approval.digest !== binding.digest) return { reason: 'digest-changed', what: 'it was given for other bytes' };
  if (approval.evidence !== binding.evidence) return { reason: 'evidence-changed', what: 'the evidence was renewed since' };
  if (!approval.policies.includes(hash))
    return { reason: 'policy-changed', what: `it was given under another policy than '${document.name}' is now` };
  const { approval: lasts } = document.expiry;
  if (now >= approval.at + durationMs(lasts)) return { reason: 'expired', what: `it is older than ${lasts}` };
  return undefined;
}

function personRefused(
  { requirements }: Policy,
  facts: PolicyFacts,
  people: People,
  exclusion: Exclusion,
  approval: Approval,
  places: readonly Places[],
): Uncounted | undefined {
  const principal = people.find(approval.by);
  if (!facts.hasAccounts || principal === undefined || principal.kind === 'local')
    return { reason: 'no-person', what: 'nobody was signed in, so nobody can be told from anybody' };
  if (principal.kind === 'ci') return { reason: 'ci', what: `${principal.name} is a CI identity, which never approves` };
  if (!principal.isActive) return { reason: 'inactive', what: `${principal.name} can no longer sign in` };
  const { persons } = principal;
  if (persons.length === 0) return { reason: 'no-person', what: `nobody is known to stand behind ${principal.name}` };
  const excluded = [principal.id, ...persons].find((id) => exclusion.ids.has(id));
  if (excluded !== undefined)
    return {
      reason: 'excluded',
      what: `${principal.name} is ${excludedWords(exclusion.ids.get(excluded) ?? 'requester')}, or acts for that person`,
    };
  const quiet = requirements.quiet_after_change;
  if (wasChangedByRequester(facts, people, [principal.id, ...persons], facts.now - durationMs(quiet)))
    return {
      reason: 'changed-by-requester',
      what: `the requester changed the credentials or groups of ${principal.name} less than ${quiet} ago`,
    };
  if (hasMadeExcluded(facts, people, exclusion, [principal.id, ...persons], facts.now - durationMs(quiet)))
    return {
      reason: 'changed-requester',
      what: `${principal.name} made the account of who asks or made the version, or changed its credentials or groups, less than ${quiet} ago`,
    };
  if (!places.some((each) => people.holds(persons, each)))
    return { reason: 'no-role', what: `${principal.name} is none of those who must approve` };
  return undefined;
}

function wasChangedByRequester(facts: PolicyFacts, people: People, approver: readonly number[], since: number): boolean {
  const requesters = new Set(facts.requesters.flatMap(people.actingAs));
  return facts.accessChanges.some(
    (change) => change.at > since && approver.includes(change.about) && people.actingAs(change.by).some((id) => requesters.has(id)),
  );
}

/**
 * Whoever sets another's credentials can act as him, so he isn't shown to be a second person. Settings are decided by managers, whom nobody makes alone
 * once it matters; the first two of a server have made each other.
 */
function hasMadeExcluded(facts: PolicyFacts, people: People, { ids }: Exclusion, approver: readonly number[], since: number): boolean {
  if (facts.target.kind === 'setting') return false;
  return facts.accessChanges.some(
    (change) => change.at > since && ids.has(change.about) && people.actingAs(change.by).some((id) => approver.includes(id)),
  );
}

function personsWhoApproved(approvals: readonly Approval[], people: People): readonly Approver[] {
  let approvers: Approver[] = [];
  for (const { by } of approvals) {
    const ids = new Set(people.personsOf(by));
    const same = approvers.filter((each) => !each.ids.isDisjointFrom(ids));
    for (const each of same) for (const id of each.ids) ids.add(id);
    approvers = [...approvers.filter((each) => !same.includes(each)), { ids }];
  }
  return approvers;
}

function fill(
  { requirements }: Policy,
  facts: PolicyFacts,
  people: People,
  exclusion: Exclusion,
  approvers: readonly Approver[],
  places: readonly Places[],
): Omit<ApprovalVerdict, 'stale'> {
  const fits = places.map((role) => approvers.flatMap((approver, index) => (people.holds([...approver.ids], role) ? [index] : [])));
  const filled =
    requirements.count_person_in === 'each'
      ? fits.map((each, at) => Math.min(each.length, places[at]?.count ?? 0))
      : matchOnce(places, fits);
  const missing: MissingItem[] = [];
  const satisfied: SatisfiedItem[] = [];
  for (const [at, role] of places.entries()) {
    const has = filled[at] ?? 0;
    const ofLevel = facts.target.kind === 'setting' ? 'people who manage the workspace' : `people with ${role.level} on the model`;
    const words = role.group === undefined ? ofLevel : `group '${role.group}'`;
    const isExtra = at >= requirements.approvals.length;
    const requirement = isExtra ? 'breaking_signature' : 'approvals';
    const because = isExtra ? ', since the signature breaks callers of what stands there now' : '';
    if (has >= role.count) {
      satisfied.push({ requirement, what: `${role.count} of ${role.count} approvals of ${words}` });
      continue;
    }
    const able = people
      .inRole(role)
      .filter(
        (each) => ![each.id, ...each.persons].some((id) => exclusion.ids.has(id) || approvers.some((approver) => approver.ids.has(id))),
      );
    const what = `${has} of ${role.count} approvals of ${words}${because}`;
    missing.push({ requirement, what, ...whoAndHow(facts, role, able), candidates: able.map((each) => each.id), until: null });
  }
  return { missing, satisfied };
}

/** How many places of each kind are filled where a person fills one in all. */
function matchOnce(places: readonly Places[], fits: readonly (readonly number[])[]): readonly number[] {
  const kinds = places.flatMap((role, at) => Array.from({ length: role.count }, () => at));
  const seats = matchPlaces(kinds.map((at) => fits[at] ?? []));
  return places.map((_, at) => seats.filter((person, seat) => person !== undefined && kinds[seat] === at).length);
}

function whoAndHow(facts: PolicyFacts, role: Places, able: readonly { readonly name: string }[]): Pick<MissingItem, 'who' | 'how'> {
  const names = able.slice(0, NAMES_MAX).map((each) => each.name);
  const more = able.length > NAMES_MAX ? ' and others' : '';
  // Of a level the facts don't name everybody who has it.
  const nobody = role.group === undefined ? '' : ', of whom nobody is left';
  const known = names.length === 0 ? nobody : `: ${names.join(', ')}${more}`;
  const how = facts.requestedAt === undefined ? 'Open a request; they approve it.' : 'They approve the request.';
  if (!facts.hasAccounts) return { who: 'nobody', how: 'Make accounts first: without them nobody can be told from anybody.' };
  return { who: `${roleWords(role, facts.target)} who is not excluded${known}`, how };
}

/** Of a job that nobody is linked to it can't be shown that the approver isn't behind it. */
function unlinkedItems({ requirements }: Policy, people: People, exclusion: Exclusion): readonly MissingItem[] {
  if (requirements.unlinked === 'pass') return [];
  return exclusion.unlinked.map(({ id, as }) => ({
    requirement: 'unlinked',
    what: `${people.nameOf(id)} was ${excludedWords(as)}, and which person that is isn't known, so nobody can be shown to be another`,
    who: 'an administrator',
    how: "Link the account of who started the job, or say 'unlinked: pass' in the policy.",
    candidates: [],
    until: null,
  }));
}
