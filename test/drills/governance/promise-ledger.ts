/**
 * A second reading of the promise, naive and slow: keeps its own ledger of who approved what, for which bytes and under which policy, who reported
 * which check, and who broke which glass; and says of every change of a governed place whether its policy allowed it.
 */
import { type Act, type Identity, ms } from './acts.ts';
import { askedBy } from './coverage.ts';
import { isFrozen } from './freeze-reading.ts';
import { openRequests, readPeople, requestersOf } from './people-reading.ts';
import { type PlaceChange, placeChanges } from './place-changes.ts';
import { isPromptTagged, policiesAbout, policiesOf, wordsOf } from './policy-choice.ts';
import { type EndingCounts, wrongEndings } from './request-endings.ts';
import { type Report, type RequirementReading, readRequirements } from './requirement-reading.ts';
import type { Seen, SeenPolicy } from './seen.ts';
import { type SettingChange, settingChanges } from './setting-changes.ts';
import { wrongMoves } from './stage-moves.ts';
import { openStays } from './stay-ledger.ts';

interface GivenApproval {
  readonly about: string;
  readonly subject: string;
  readonly by: number;
  readonly at: number;
  readonly seen: Seen;
}

interface Opening {
  readonly id: number;
  readonly policy: string;
  readonly by: number;
  readonly at: number;
  isUsed: boolean;
  isReviewed: boolean;
}

export interface Ledger extends Pick<RequirementReading, 'noteRun' | 'noteAccuracy'> {
  /** What was not allowed of a step, in words; empty where all was. */
  judge(act: Act, before: Seen, after: Seen): readonly string[];
  noteReport(report: Report): void;
  noteOpening(opening: { id: number; policy: string; by: number; at: number }): void;
  noteReview(id: number, by: number): void;
  /** How many governed changes were allowed, by what; and of those that a policy allowed, how many had which requirement. */
  readonly counts: ReadonlyMap<string, number>;
}

export function openLedger(identityOf: (id: number) => Identity | undefined): Ledger {
  let approvals: readonly GivenApproval[] = [];
  const people = readPeople(identityOf);
  const { personsOf, withSelf, isInRole } = people;
  const stays = openStays();
  const requirementsOf = readRequirements(people, stays);
  const openings = new Map<number, Opening>();
  const accessChanges: { readonly about: number; readonly by: number; readonly at: number }[] = [];
  const counts = new Map<string, number>();
  const endings: EndingCounts = { superseded: 0, expired: 0 };
  const count = (what: string): unknown => counts.set(what, (counts.get(what) ?? 0) + 1);

  function hasApprovals(act: Act, seen: Seen, policy: SeenPolicy, change: PlaceChange): boolean {
    const { requirements, expiry } = policy.document;
    const extra = requirements.breaking_signature_needs;
    const roles =
      extra !== undefined && requirementsOf.breaksSignature(seen, change) ? [...requirements.approvals, extra] : requirements.approvals;
    if (roles.length === 0) return true;
    return change.asked.some(([about, subject]) => {
      const requesters = requestersOf(seen, [[about, subject]], act.by.id);
      const barred = people.excluded(seen, requirements, requesters, change.version);
      if (barred === undefined) return false;
      const isQuiet = (by: number): boolean =>
        !accessChanges.some(
          (each) =>
            each.at > act.at - ms(requirements.quiet_after_change) &&
            [by, ...personsOf(seen, by)].includes(each.about) &&
            requesters.some((requester) => overlap(withSelf(seen, requester), withSelf(seen, each.by))),
        );
      const counted = approvals.filter(
        (each) =>
          each.about === about &&
          each.subject === subject &&
          act.at < each.at + ms(expiry.approval) &&
          isStillBound(seen, each, policy, change) &&
          ['user', 'service'].includes(identityOf(each.by)?.kind ?? '') &&
          seen.accounts.get(each.by)?.isActive === true &&
          isQuiet(each.by) &&
          !personsOf(seen, each.by).some((person) => barred.has(person)),
      );
      const persons = [...new Set(counted.flatMap((each) => personsOf(seen, each.by)))];
      const places = roles.map((role) => Array.from({ length: role.count }, () => role));
      const isEach = requirements.count_person_in === 'each';
      return isEach ? places.every((each) => people.fill(seen, each, persons)) : people.fill(seen, places.flat(), persons);
    });
  }

  /** The same bytes, the same evidence, and the same policy when it was given. */
  function isStillBound(seen: Seen, given: GivenApproval, policy: SeenPolicy, change: PlaceChange): boolean {
    const { version, place, model, isAnew } = change;
    const then = isAnew === true ? model : (given.seen.models.get(model.id) ?? model);
    // Of what may come into a model later, the policy that is asked may be about another kind than the model is.
    const isLater = isAnew === true && version === undefined;
    const asked = isLater ? policiesOf(given.seen, policy.workspace) : policiesAbout(given.seen, then, version, place);
    if (!asked.some(({ hash }) => hash === policy.hash)) return false;
    if (version === undefined) return true;
    const [kind = '', id = ''] = given.about.split(':');
    const candidate = given.seen.candidates.get(Number(id));
    if (kind === 'candidate')
      return candidate?.digest === version.digest && candidate.evidence === seen.candidates.get(Number(id))?.evidence;
    const old = given.seen.versions.get(version.id);
    const now = seen.versions.get(version.id);
    return old !== undefined && old.digest === now?.digest && old.evidence === now.evidence;
  }

  /** Nothing changes in a freeze, and nothing is carried out for a request that is older than the policy lets it be. */
  function isInTime(act: Act, seen: Seen, { document }: SeenPolicy, change: PlaceChange): boolean {
    if (isFrozen(document.freeze, act.at) && isFrozen(document.freeze, act.until)) return false;
    const open = change.asked.flatMap(([about, subject]) => openRequests(seen, about, subject));
    return open.length === 0 || open.some((each) => act.at < each.createdAt + ms(document.expiry.request));
  }

  function brokenGlass(act: Act, seen: Seen, policy: SeenPolicy): Opening | undefined {
    const rule = policy.document.break_glass;
    if (rule === undefined || act.by.kind !== 'user' || seen.accounts.get(act.by.id)?.isActive !== true) return undefined;
    if (!seen.permissions.has(`${policy.workspace} ${rule.permission} ${act.by.id}`)) return undefined;
    const own = [...openings.values()].filter((each) => each.policy === `${policy.workspace} ${policy.name}`);
    if (own.some((each) => each.isUsed && !each.isReviewed)) return undefined;
    // Whoever opened twice uses what he opened last.
    return own.findLast((each) => each.by === act.by.id && !each.isUsed && act.at < each.at + rule.minutes * 60_000);
  }

  function mayReturn(act: Act, seen: Seen, policy: SeenPolicy, { version, direction, place }: PlaceChange): boolean {
    const rule = policy.document.rollback;
    if (act.kind !== 'rollback' || rule === undefined || version === undefined || direction === 'leave' || act.by.kind === 'ci')
      return false;
    if (!personsOf(seen, act.by.id).some((person) => rule.roles.some((role) => isInRole(seen, person, role)))) return false;
    return stays.wasLetIn(act, version, wordsOf(place), rule.within_days);
  }

  function isSatisfied(act: Act, seen: Seen, policy: SeenPolicy, change: PlaceChange): boolean {
    const { requirements } = policy.document;
    return (
      isInTime(act, seen, policy, change) &&
      requirementsOf.isMet(act, seen, requirements, change) &&
      hasApprovals(act, seen, policy, change)
    );
  }

  /** What let it happen by one policy; undefined where nothing did. */
  function admissionBy(policy: SeenPolicy, act: Act, before: Seen, change: PlaceChange, used: Set<Opening>): string | undefined {
    const { version, direction, model } = change;
    const isBlocked =
      version?.digest != null && [-1, model.workspace].some((workspace) => before.blocks.has(`${workspace} ${version.digest}`));
    if (isBlocked && direction === 'enter') return undefined;
    if (mayReturn(act, before, policy, change)) return 'rollback';
    const isAll = isSatisfied(act, before, policy, change);
    if (policy.document.mode !== 'enforce') return act.kind === 'rollback' && !isAll ? undefined : isAll ? 'satisfied' : 'unenforced';
    if (isAll) return 'policy';
    const glass = brokenGlass(act, before, policy);
    if (glass === undefined) return undefined;
    used.add(glass);
    return 'break-glass';
  }

  /** Each of its policies must let it happen; what says most of it is how. */
  function admission(act: Act, before: Seen, change: PlaceChange, used: Set<Opening>): string | undefined {
    const ways = change.policies.map((policy) => admissionBy(policy, act, before, change, used));
    if (ways.includes(undefined)) return undefined;
    return ['rollback', 'break-glass', 'policy', 'unenforced', 'satisfied'].find((each) => ways.includes(each)) ?? 'free';
  }

  function judgePlaces(act: Act, before: Seen, after: Seen): readonly string[] {
    const used = new Set<Opening>();
    const wrong: string[] = [];
    const admitted = placeChanges(before, after).map((change) => {
      const ways = [change, ...(change.or ?? [])].map((each) => ({ change: each, how: admission(act, before, each, used) }));
      const { how } = ways.find((each) => each.how !== undefined) ?? { how: undefined };
      const words = `${change.direction} ${wordsOf(change.place)} of ${change.model.name} version ${change.version?.id ?? '-'}`;
      if (how === undefined) wrong.push(`${act.kind} by ${act.by.kind} ${act.by.id}: ${words}`);
      else countAllowed(change, how);
      if (how === 'unenforced') wrong.push(...untold(act, before, change).map((each) => `${act.kind}: ${words}: ${each}`));
      stays.note(act, change, how ?? 'nothing');
      return { change, how };
    });
    for (const opening of used) opening.isUsed = true;
    const isAnswered = (move: readonly PlaceChange[]): boolean =>
      move.some(({ policies }) => policies.some(({ document }) => document.requirements.approvals.length > 0)) &&
      move.every((change) => change.policies.every((policy) => isSatisfied(act, before, policy, change)));
    wrong.push(...wrongMoves(act, before, after, { admitted, isAnswered, count }));
    return [...wrong, ...wrongEndings(act, before, after, admitted, endings)];
  }

  /** A policy that warns does so, and one that only looks on doesn't. */
  function untold(act: Act, before: Seen, change: PlaceChange): readonly string[] {
    const told = act.warnings;
    if (told === undefined) return [];
    return change.policies.flatMap((policy) => {
      const { mode } = policy.document;
      const isTold = told.some((text) => text.includes(`Policy '${policy.name}' only warns`));
      if (mode === 'observe' && isTold) return [`'${policy.name}' only observes, and told it`];
      if (mode === 'warn' && !isTold && change.or === undefined && !isSatisfied(act, before, policy, change))
        return [`'${policy.name}' warns, and nobody was told`];
      if (isTold) count('warned');
      return [];
    });
  }

  function countAllowed(change: PlaceChange, how: string): void {
    count(how);
    if (how !== 'policy') return;
    for (const { document } of change.policies) {
      if (document.mode !== 'enforce') continue;
      for (const each of askedBy(document)) count(`policy with ${each}`);
    }
    if (change.version !== undefined && isPromptTagged(change.version.tags)) count('policy on a prompt');
    if (change.place.kind === 'stage' && !['None', 'Staging', 'Production', 'Archived'].includes(change.place.word))
      count('policy on a stage of its own');
  }

  /** Another who manages, or whom a policy on the setting names, said yes to a request that this very step answered. */
  function isSettingAllowed(before: Seen, after: Seen, { setting, workspace }: SettingChange): boolean {
    const policy = policiesOf(before, workspace).find(({ document }) => document.match.target.setting !== undefined);
    // What only observes takes nothing from the rule that holds where nothing is published: another who manages agrees.
    const isEnforced = policy?.document.mode === 'enforce';
    const roles = isEnforced ? policy.document.requirements.approvals : [{ level: 'MANAGE', count: 1 }];
    return [...before.requests.values()].some((request) => {
      if (request.state !== 'open' || after.requests.get(request.id)?.state !== 'approved') return false;
      if (request.about !== `workspace:${workspace}` || !request.subject.startsWith(`setting:${setting}#`)) return false;
      const isWeak = isEnforced && policy.document.requirements.self_approval;
      const asking = openRequests(before, request.about, request.subject);
      const barred = isWeak ? [] : asking.flatMap((each) => personsOf(before, each.by));
      const persons = approvals
        .filter((each) => each.about === request.about && each.subject === request.subject)
        .flatMap((each) => personsOf(before, each.by))
        .filter((person) => !barred.includes(person));
      return roles.every((role) => new Set(persons.filter((person) => isInRole(before, person, role))).size >= role.count);
    });
  }

  return {
    counts,
    judge: (act, before, after) => {
      const request = act.approves === undefined ? undefined : before.requests.get(act.approves);
      // A round of approvals is over with its last open request.
      approvals = approvals.filter(({ about, subject }) => openRequests(before, about, subject).length > 0);
      if (request !== undefined) {
        const { about, subject } = request;
        approvals = [...approvals, { about, subject, by: act.by.id, at: act.at, seen: before }];
      }
      const wrong = [
        ...judgePlaces(act, before, after),
        ...settingChanges(act, before, after, accessChanges)
          .filter((change) => {
            const isAllowed = isSettingAllowed(before, after, change);
            if (isAllowed) count(change.setting === 'stages' ? 'setting of stages' : 'setting');
            return !isAllowed;
          })
          .map(({ setting, what }) => `${act.kind} by ${act.by.kind} ${act.by.id}: setting ${setting}: ${what}`),
      ];
      stays.look(act, before, after);
      requirementsOf.look(before, after);
      for (const [ending, total] of Object.entries(endings)) counts.set(ending, total);
      return wrong;
    },
    noteReport: requirementsOf.noteReport,
    noteRun: requirementsOf.noteRun,
    noteAccuracy: requirementsOf.noteAccuracy,
    noteOpening: (opening) => openings.set(opening.id, { ...opening, isUsed: false, isReviewed: false }),
    noteReview: (id, by) => {
      const opening = openings.get(id);
      const reviewer = identityOf(by);
      if (opening === undefined || reviewer === undefined || reviewer.kind === 'ci') return;
      if (reviewer.person !== undefined && reviewer.person !== identityOf(opening.by)?.person) opening.isReviewed = true;
    },
  };
}

function overlap(a: readonly number[], b: readonly number[]): boolean {
  return a.some((each) => b.includes(each));
}
