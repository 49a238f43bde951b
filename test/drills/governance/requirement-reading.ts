/** What a policy asks of a version, read once more: from what a drill logged, reported and wrote itself, and never from what the product made of it. */
import { type Act, ms } from './acts.ts';
import { EXPRESSIONS, type ExpressionFacts } from './expression-family.ts';
import { breaksCallers, DESCRIPTIONS, type ModelFile } from './model-files.ts';
import { type PeopleReading, requestersOf } from './people-reading.ts';
import type { PlaceChange } from './place-changes.ts';
import { type PolicyWords, type Seen, type SeenVersion, stagesOf } from './seen.ts';
import type { StayLedger } from './stay-ledger.ts';

export interface Report {
  readonly version: number;
  readonly name: string;
  readonly by: number;
  readonly at: number;
  readonly isEntitled: boolean;
  readonly isGreen: boolean;
  readonly digest: string | null;
}

export interface RequirementReading {
  /** Nothing is asked of what leaves. */
  isMet(act: Act, seen: Seen, requirements: PolicyWords['requirements'], change: PlaceChange): boolean;
  breaksSignature(seen: Seen, change: PlaceChange): boolean;
  noteReport(report: Report): void;
  noteRun(run: string, file: ModelFile): void;
  noteAccuracy(run: string, value: number): void;
  /** What evidence that was taken in a step may say: what was so before it, or after. */
  look(before: Seen, after: Seen): void;
}

/** Of the moments at which a snapshot may have been taken. */
interface Noted {
  readonly moments: readonly Pick<SeenVersion, 'tags' | 'description'>[];
  readonly accuracy: number | undefined;
}

const A_JOB = -2;
const NO_FILE: ModelFile = { signature: 'none', hasExample: false };

export function readRequirements(people: PeopleReading, stays: StayLedger): RequirementReading {
  const reports: Report[] = [];
  const files = new Map<string, ModelFile>();
  const accuracies = new Map<string, { readonly first: number; readonly last: number }>();
  /** By the digest of the evidence. */
  const noted = new Map<string, Noted>();

  /** The run whose files it has, or what it was copied from. */
  function bytesRun(seen: Seen, version: SeenVersion): string | undefined {
    const run = /^runs:\/([^/]+)\//.exec(version.source)?.[1];
    const origin = version.origin === null ? undefined : seen.versions.get(version.origin);
    return run ?? (origin && bytesRun(seen, origin));
  }
  /** The same where it is named as the run, too: else it is a claim, and its numbers say nothing. */
  function lineageRun(seen: Seen, version: SeenVersion): string | undefined {
    const run = /^runs:\/([^/]+)\//.exec(version.source)?.[1];
    if (run !== undefined) return run === version.runId ? run : undefined;
    const origin = version.origin === null ? undefined : seen.versions.get(version.origin);
    return origin && lineageRun(seen, origin);
  }
  const fileOf = (seen: Seen, version: SeenVersion): ModelFile =>
    (version.digest === null ? undefined : files.get(bytesRun(seen, version) ?? '')) ?? NO_FILE;
  function originsOf(seen: Seen, version: SeenVersion): readonly number[] {
    const origin = version.origin === null ? undefined : seen.versions.get(version.origin);
    return origin === undefined ? [] : [origin.id, ...originsOf(seen, origin)];
  }

  function knownOf(seen: Seen, version: SeenVersion): Noted {
    const known = seen.versions.get(version.id);
    const now = accuracies.get(lineageRun(seen, version) ?? '')?.last;
    if (known === undefined) return { moments: [version], accuracy: now };
    return noted.get(known.evidence ?? '') ?? { moments: [known, version], accuracy: now };
  }

  function newestReport(act: Act, seen: Seen, change: PlaceChange, version: SeenVersion, name: string): Report | undefined {
    const own = new Set([...requestersOf(seen, change.asked, act.by.id), ...people.creatorsOf(seen, version)]);
    const ownPersons = new Set([...own].flatMap((id) => [...people.withSelf(seen, id), ...(people.isJob(id) ? [A_JOB] : [])]));
    const copiedFrom = originsOf(seen, version);
    return reports.findLast(
      (each) =>
        (each.version === version.id ||
          (copiedFrom.includes(each.version) && ['service', 'ci'].includes(people.find(each.by)?.kind ?? ''))) &&
        each.name === name &&
        each.isEntitled &&
        each.digest === version.digest &&
        // A job reports what its workflow found, whoever started it.
        !(people.isJob(each.by) ? [each.by, A_JOB] : people.withSelf(seen, each.by)).some((id) => ownPersons.has(id)),
    );
  }

  function standingIn(seen: Seen, { version, place, model }: PlaceChange): readonly SeenVersion[] {
    const alive = [...seen.versions.values()].filter((each) => each.isAlive && each.model === model.id);
    const there = (): readonly SeenVersion[] => {
      if (place.kind === 'entry') return alive.sort((a, b) => b.number - a.number).slice(0, 1);
      if (place.kind === 'stage') return alive.filter((each) => each.stage === place.word);
      if (place.kind !== 'alias') return [];
      // Called like a stage, it is that stage, too.
      const stage = stagesOf(seen, model.workspace).names.find((name) => name.toLowerCase() === place.word.toLowerCase());
      return alive.filter((each) => seen.aliases.get(`${model.id} ${place.word}`) === each.id || each.stage === stage);
    };
    return there().filter((each) => each.id !== version?.id);
  }

  function hasNumbers(seen: Seen, rules: PolicyWords['requirements'], change: PlaceChange, accuracy: number | undefined): boolean {
    return rules.metrics.every(({ value = 0, current }) => {
      if (accuracy === undefined) return false;
      if (current === undefined) return accuracy >= value;
      return standingIn(seen, change).every((each) => {
        const least = accuracies.get(lineageRun(seen, each) ?? '')?.first;
        return least === undefined || accuracy + current.tolerance >= least;
      });
    });
  }

  /** Of what somebody wrote of it, at one moment. */
  function isWritten(rules: PolicyWords['requirements'], { tags, description }: Pick<SeenVersion, 'tags' | 'description'>): boolean {
    const sections = (DESCRIPTIONS.get(description ?? undefined) ?? []).map((each) => each.toLowerCase());
    return (
      rules.tags.every(({ key, value }) => (value === undefined ? tags.has(key) : tags.get(key) === value)) &&
      (!rules.description || (description ?? '').trim() !== '') &&
      rules.model_card_sections.every((title) => sections.includes(title.toLowerCase()))
    );
  }

  return {
    isMet: (act, seen, rules, change) => {
      const { version, direction, place } = change;
      if (direction === 'leave') return true;
      if (version === undefined) return place.kind !== 'tag' || !asksOfVersion(rules);
      if (rules.sealed && version.digest === null) return false;
      const { moments, accuracy } = knownOf(seen, version);
      const file = fileOf(seen, version);
      const hasChecks = rules.checks.every(({ name, max_age }) => {
        const last = newestReport(act, seen, change, version, name);
        return last?.isGreen === true && (max_age === undefined || act.at - last.at < ms(max_age));
      });
      const facts: Omit<ExpressionFacts, 'tags' | 'description'> = {
        accuracy,
        isVerified: lineageRun(seen, version) !== undefined,
        hasSignature: file.signature !== 'none',
        registeredBy: people.find(version.registeredBy)?.name,
        requesters: requestersOf(seen, change.asked, act.by.id).map((id) => people.find(id)?.name),
        standing: standingIn(seen, change).length,
        isTestGreen: newestReport(act, seen, change, version, 'ci/tests')?.isGreen === true,
      };
      return (
        hasChecks &&
        hasNumbers(seen, rules, change, accuracy) &&
        (!rules.signature || file.signature !== 'none') &&
        (!rules.input_example || file.hasExample) &&
        (rules.registered_by === undefined || (people.isJob(version.registeredBy) && rules.registered_by.trust === 'main')) &&
        (rules.soak === undefined || stays.hasSoaked(act, version, rules.soak, ms(rules.soak.at_least))) &&
        moments.some(
          (moment) =>
            isWritten(rules, moment) &&
            (rules.expressions ?? []).every(({ name }) => EXPRESSIONS[name]?.holds({ ...facts, ...moment }) === true),
        )
      );
    },
    breaksSignature: (seen, change) => {
      const { version, direction } = change;
      if (version === undefined || direction === 'leave') return false;
      return standingIn(seen, change).some((each) => breaksCallers(fileOf(seen, each).signature, fileOf(seen, version).signature));
    },
    noteReport: (report) => reports.push(report),
    noteRun: (run, file) => files.set(run, file),
    // Numbers of a drill only grow.
    noteAccuracy: (run, value) => accuracies.set(run, { first: accuracies.get(run)?.first ?? value, last: value }),
    look: (before, after) => {
      for (const version of after.versions.values()) {
        if (version.evidence === undefined || noted.has(version.evidence)) continue;
        const then = before.versions.get(version.id);
        noted.set(version.evidence, {
          moments: then === undefined ? [version] : [then, version],
          accuracy: accuracies.get(lineageRun(after, version) ?? '')?.last,
        });
      }
    },
  };
}

/** What the tag of a model can't have. */
function asksOfVersion(rules: PolicyWords['requirements']): boolean {
  const { checks, metrics, tags, model_card_sections, expressions = [] } = rules;
  const lists: readonly (readonly unknown[])[] = [checks, metrics, tags, model_card_sections, expressions];
  const isFlagged = rules.description || rules.signature || rules.input_example;
  return isFlagged || lists.some((each) => each.length > 0) || rules.soak !== undefined || rules.registered_by !== undefined;
}
