/**
 * A second reading of the promise, naive and slow: keeps its own ledger of who approved what, for which bytes and under which policy, who reported
 * which check, and who broke which glass; and says of every change of a governed place whether its policy allowed it.
 */
import { type PlaceChange, placeChanges, policiesOf, policyFor, wordsOf } from './place-changes.ts';
import type { PolicyWords, Seen, SeenPolicy, SeenVersion } from './seen.ts';
import { type SettingChange, settingChanges } from './setting-changes.ts';

export interface Identity {
  readonly id: number;
  readonly kind: 'user' | 'service' | 'ci' | 'local';
  /** The account of who stands behind it, where that is known: of a service account its owner, who may change. */
  readonly person: number | undefined;
}

/** What somebody did, as far as the ledger must know. */
export interface Act {
  readonly kind: string;
  readonly by: Identity;
  readonly at: number;
  /** Of the request that is approved. */
  readonly approves?: number;
}

interface GivenApproval {
  readonly about: string;
  readonly subject: string;
  readonly by: number;
  readonly at: number;
  readonly seen: Seen;
}

interface Report {
  readonly version: number;
  readonly name: string;
  readonly by: number;
  readonly isEntitled: boolean;
  readonly isGreen: boolean;
  readonly digest: string | null;
}

interface Opening {
  readonly id: number;
  readonly policy: string;
  readonly by: number;
  readonly at: number;
  isUsed: boolean;
  isReviewed: boolean;
}

interface PlaceStay {
  readonly key: string;
  readonly digest: string | null;
  readonly admission: string;
  until: number | undefined;
}

export interface Ledger {
  /** What was not allowed of a step, in words; empty where all was. */
  judge(act: Act, before: Seen, after: Seen): readonly string[];
  noteReport(report: Report): void;
  noteOpening(opening: { id: number; policy: string; by: number; at: number }): void;
  noteReview(id: number, by: number): void;
  noteAccuracy(run: string, value: number): void;
  /** How many governed changes were allowed, by what. */
  readonly counts: ReadonlyMap<string, number>;
}

const UNITS: Readonly<Record<string, number>> = { m: 60_000, h: 3_600_000, d: 86_400_000, w: 604_800_000 };
const ms = (text: string): number => Number.parseInt(text, 10) * (UNITS[text.slice(-1)] ?? 0);

export function openLedger(identityOf: (id: number) => Identity | undefined): Ledger {
  let approvals: readonly GivenApproval[] = [];
  const reports: Report[] = [];
  const openings = new Map<number, Opening>();
  const stays: PlaceStay[] = [];
  const accuracies = new Map<string, number>();
  const accuracyOf = new Map<string, number | undefined>();
  const accessChanges: { readonly about: number; readonly by: number; readonly at: number }[] = [];
  const counts = new Map<string, number>();

  const personsOf = (seen: Seen, id: number): readonly number[] => {
    const identity = identityOf(id);
    if (identity?.kind === 'service') return [seen.accounts.get(id)?.owner ?? -1].filter((owner) => owner >= 0);
    return identity?.person === undefined ? [] : [identity.person];
  };
  const isInRole = (seen: Seen, person: number, role: { readonly group?: string; readonly level?: string }): boolean =>
    seen.accounts.get(person)?.isActive === true &&
    (role.group === undefined ? seen.accounts.get(person)?.isAdmin === true : seen.members.has(`${role.group} ${person}`));

  /** Persons that don't count, or undefined where it isn't known who they are and that must be known. */
  function excluded(seen: Seen, rules: PolicyWords['requirements'], requesters: readonly number[], version: SeenVersion | undefined) {
    const actors = rules.self_approval ? [] : [...requesters, ...creatorsOf(seen, version)];
    if (rules.exclude.includes('last_editor') && version !== undefined)
      actors.push(seen.versions.get(version.id)?.editedBy ?? version.editedBy);
    const persons = actors.map((id) => personsOf(seen, id));
    if (rules.unlinked === 'refuse' && persons.some((each) => each.length === 0)) return undefined;
    return new Set(persons.flat());
  }
  function creatorsOf(seen: Seen, version: SeenVersion | undefined): readonly number[] {
    const found: number[] = [];
    for (let at = version; at !== undefined; at = at.origin === null ? undefined : seen.versions.get(at.origin))
      found.push(at.registeredBy);
    return found;
  }

  function hasApprovals(act: Act, seen: Seen, policy: SeenPolicy, change: PlaceChange): boolean {
    const { requirements, expiry } = policy.document;
    if (requirements.approvals.length === 0) return true;
    return change.asked.some(([about, subject]) => {
      const open = [...seen.requests.values()].filter((each) => each.about === about && each.subject === subject && each.state === 'open');
      const requesters = open.length === 0 ? [act.by.id] : open.map((each) => each.by);
      const barred = excluded(seen, requirements, requesters, change.version);
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
      const places = requirements.approvals.map((role) => Array.from({ length: role.count }, () => role));
      const isEach = requirements.count_person_in === 'each';
      return isEach ? places.every((each) => fill(seen, each, persons)) : fill(seen, places.flat(), persons);
    });
  }
  function fill(seen: Seen, places: readonly { readonly group?: string }[], persons: readonly number[]): boolean {
    const [place, ...rest] = places;
    if (place === undefined) return true;
    return persons.some((person, at) => isInRole(seen, person, place) && fill(seen, rest, persons.toSpliced(at, 1)));
  }
  const withSelf = (seen: Seen, id: number): readonly number[] => [id, ...personsOf(seen, id)];

  /** The same bytes, the same evidence, and the same policy when it was given. */
  function isStillBound(seen: Seen, given: GivenApproval, policy: SeenPolicy, change: PlaceChange): boolean {
    const { version, place, model } = change;
    const then = given.seen.models.get(model.id);
    const asked = policyFor(policiesOf(given.seen, model.workspace), then?.name === model.name ? then : model, place);
    if (asked?.hash !== policy.hash) return false;
    if (version === undefined) return true;
    const [kind = '', id = ''] = given.about.split(':');
    const candidate = given.seen.candidates.get(Number(id));
    if (kind === 'candidate')
      return candidate?.digest === version.digest && candidate.evidence === seen.candidates.get(Number(id))?.evidence;
    const old = given.seen.versions.get(version.id);
    const now = seen.versions.get(version.id);
    return old !== undefined && old.digest === now?.digest && old.evidence === now.evidence;
  }

  function hasQuality(act: Act, seen: Seen, policy: SeenPolicy, change: PlaceChange): boolean {
    const { version, direction } = change;
    if (version === undefined || direction === 'leave') return true;
    const { requirements } = policy.document;
    if (requirements.sealed && version.digest === null) return false;
    const open = change.asked.flatMap(([about, subject]) =>
      [...seen.requests.values()].filter((each) => each.about === about && each.subject === subject && each.state === 'open'),
    );
    const own = new Set([...(open.length === 0 ? [act.by.id] : open.map((each) => each.by)), ...creatorsOf(seen, version)]);
    const ownPersons = new Set([...own].flatMap((id) => [...withSelf(seen, id), ...(isJob(id) ? [A_JOB] : [])]));
    const copiedFrom = originsOf(seen, version);
    const hasChecks = requirements.checks.every(({ name }) => {
      const last = reports.findLast(
        (each) =>
          (each.version === version.id ||
            (copiedFrom.includes(each.version) && ['service', 'ci'].includes(identityOf(each.by)?.kind ?? ''))) &&
          each.name === name &&
          each.isEntitled &&
          each.digest === version.digest &&
          // A job reports what its workflow found, whoever started it.
          !(isJob(each.by) ? [each.by, A_JOB] : withSelf(seen, each.by)).some((id) => ownPersons.has(id)),
      );
      return last?.isGreen === true;
    });
    const run = lineageRun(seen, version);
    const known = seen.versions.get(version.id);
    // Numbers of a drill only grow, so what is new has at least those of its evidence.
    const accuracy = known === undefined ? accuracies.get(run ?? '') : accuracyOf.get(`${run} ${known.evidence}`);
    return hasChecks && requirements.metrics.every(({ value = 0 }) => accuracy !== undefined && accuracy >= value);
  }
  const isJob = (id: number): boolean => identityOf(id)?.kind === 'ci';
  function originsOf(seen: Seen, version: SeenVersion): readonly number[] {
    const origin = version.origin === null ? undefined : seen.versions.get(version.origin);
    return origin === undefined ? [] : [origin.id, ...originsOf(seen, origin)];
  }
  /** The run under which the bytes of it, or of what it was copied from, were uploaded; a claim is none. */
  function lineageRun(seen: Seen, version: SeenVersion): string | undefined {
    const run = /^runs:\/([^/]+)\//.exec(version.source)?.[1];
    if (run !== undefined) return run === version.runId ? run : undefined;
    const origin = version.origin === null ? undefined : seen.versions.get(version.origin);
    return origin && lineageRun(seen, origin);
  }

  function brokenGlass(act: Act, seen: Seen, policy: SeenPolicy, workspace: number): Opening | undefined {
    const rule = policy.document.break_glass;
    if (rule === undefined || act.by.kind !== 'user' || seen.accounts.get(act.by.id)?.isActive !== true) return undefined;
    if (!seen.permissions.has(`${workspace} ${rule.permission} ${act.by.id}`)) return undefined;
    const own = [...openings.values()].filter((each) => each.policy === `${workspace} ${policy.name}`);
    if (own.some((each) => each.isUsed && !each.isReviewed)) return undefined;
    return own.find((each) => each.by === act.by.id && !each.isUsed && act.at < each.at + rule.minutes * 60_000);
  }

  const stayKey = (version: SeenVersion, change: PlaceChange): string => `${version.id} ${wordsOf(change.place)}`;
  function mayReturn(act: Act, seen: Seen, policy: SeenPolicy, change: PlaceChange): boolean {
    const { version, direction } = change;
    const rule = policy.document.rollback;
    if (act.kind !== 'rollback' || rule === undefined || version === undefined || direction === 'leave' || act.by.kind === 'ci')
      return false;
    if (!personsOf(seen, act.by.id).some((person) => rule.roles.some((role) => isInRole(seen, person, role)))) return false;
    return stays.some(
      (each) =>
        each.key === stayKey(version, change) &&
        each.admission === 'policy' &&
        each.digest === version.digest &&
        (each.until ?? act.at) >= act.at - rule.within_days * 86_400_000,
    );
  }

  /** What let it happen; undefined where nothing did. */
  function admission(act: Act, before: Seen, change: PlaceChange, used: Set<Opening>): string | undefined {
    const policy = policyFor(policiesOf(before, change.model.workspace), change.model, change.place);
    if (policy === undefined) return 'free';
    const { version, direction, model } = change;
    const isBlocked =
      version?.digest != null && [-1, model.workspace].some((workspace) => before.blocks.has(`${workspace} ${version.digest}`));
    if (isBlocked && direction === 'enter') return undefined;
    if (mayReturn(act, before, policy, change)) return 'rollback';
    const isSatisfied = hasQuality(act, before, policy, change) && hasApprovals(act, before, policy, change);
    if (policy.document.mode !== 'enforce') return act.kind === 'rollback' && !isSatisfied ? undefined : 'unenforced';
    if (isSatisfied) return 'policy';
    const glass = brokenGlass(act, before, policy, model.workspace);
    if (glass === undefined) return undefined;
    used.add(glass);
    return 'break-glass';
  }

  function noteStay(act: Act, change: PlaceChange, how: string): void {
    const { version, place, direction, model } = change;
    if (version === undefined || (place.kind !== 'stage' && place.kind !== 'alias')) return;
    if (place.kind === 'alias' && direction === 'enter') {
      // It leaves whoever had it.
      for (const stay of stays) if (stay.key.endsWith(` alias:${place.word}`) && isOfModel(stay, model.id)) stay.until ??= act.at;
    }
    const own = stays.findLast((each) => each.key === stayKey(version, change) && each.until === undefined);
    if (own !== undefined) own.until = act.at;
    if (direction === 'enter') stays.push({ key: stayKey(version, change), digest: version.digest, admission: how, until: undefined });
  }
  const modelOfVersion = new Map<number, number>();
  const isOfModel = (stay: PlaceStay, model: number): boolean => modelOfVersion.get(Number.parseInt(stay.key, 10)) === model;

  function judgePlaces(act: Act, before: Seen, after: Seen): readonly string[] {
    const used = new Set<Opening>();
    const wrong: string[] = [];
    for (const version of after.versions.values()) modelOfVersion.set(version.id, version.model);
    for (const change of placeChanges(before, after)) {
      const how = [change, ...(change.or ?? [])].map((each) => admission(act, before, each, used)).find((each) => each !== undefined);
      const { version, place, direction, model } = change;
      if (how === undefined) {
        wrong.push(
          `${act.kind} by ${act.by.kind} ${act.by.id}: ${direction} ${wordsOf(place)} of ${model.name} version ${version?.id ?? '-'}`,
        );
      } else counts.set(how, (counts.get(how) ?? 0) + 1);
      noteStay(act, change, how ?? 'nothing');
    }
    for (const opening of used) opening.isUsed = true;
    return wrong;
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
      const asking = [...before.requests.values()].filter(
        (each) => each.about === request.about && each.subject === request.subject && each.state === 'open',
      );
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
      const isOpen = ({ about, subject }: GivenApproval): boolean =>
        [...before.requests.values()].some((each) => each.about === about && each.subject === subject && each.state === 'open');
      approvals = approvals.filter(isOpen);
      if (request !== undefined) {
        const { about, subject } = request;
        approvals = [...approvals, { about, subject, by: act.by.id, at: act.at, seen: before }];
      }
      const wrong = [
        ...judgePlaces(act, before, after),
        ...settingChanges(act, before, after, accessChanges)
          .filter((change) => {
            const isAllowed = isSettingAllowed(before, after, change);
            if (isAllowed) counts.set('setting', (counts.get('setting') ?? 0) + 1);
            return !isAllowed;
          })
          .map(({ setting, what }) => `${act.kind} by ${act.by.kind} ${act.by.id}: setting ${setting}: ${what}`),
      ];
      for (const version of after.versions.values()) {
        const run = lineageRun(after, version);
        const key = `${run} ${version.evidence}`;
        if (run !== undefined && !accuracyOf.has(key)) accuracyOf.set(key, accuracies.get(run));
      }
      return wrong;
    },
    noteReport: (report) => reports.push(report),
    noteOpening: (opening) => openings.set(opening.id, { ...opening, isUsed: false, isReviewed: false }),
    noteReview: (id, by) => {
      const opening = openings.get(id);
      const reviewer = identityOf(by);
      if (opening === undefined || reviewer === undefined || reviewer.kind === 'ci') return;
      if (reviewer.person !== undefined && reviewer.person !== identityOf(opening.by)?.person) opening.isReviewed = true;
    },
    noteAccuracy: (run, value) => accuracies.set(run, value),
  };
}

/** All jobs of a drill have one account. */
const A_JOB = -2;

function overlap(a: readonly number[], b: readonly number[]): boolean {
  return a.some((each) => b.includes(each));
}
