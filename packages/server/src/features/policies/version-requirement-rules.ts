/** What a policy asks of the version itself. Pure. */
import { durationMs, type Policy } from '@countersign/contract/policies.ts';
import type { MissingItem, RequirementName } from '@countersign/contract/policy-decisions.ts';
import type { PolicyFacts, VersionEvidence } from '@countersign/contract/policy-facts.ts';
import { countingOf, type Judged, judgeCheck } from './check-rules.ts';
import { judgeMetric } from './metric-rules.ts';
import { peopleOf } from './person-rules.ts';

export function judgeVersion({ requirements }: Policy, facts: PolicyFacts, version: VersionEvidence): readonly Judged[] {
  const counting = countingOf(facts);
  return [
    ...judgeNature(requirements, version),
    ...requirements.checks.map((rule) => judgeCheck(rule, facts, version.checks, counting)),
    ...requirements.metrics.map((rule) => judgeMetric(rule, requirements.checks, facts, version)),
    ...(requirements.soak === undefined ? [] : [judgeSoak(requirements.soak, facts, version)]),
    ...(requirements.registered_by === undefined ? [] : [judgeRegistrar(requirements.registered_by.trust, facts, version)]),
  ];
}

type Asked = Policy['requirements'];

/** The tag of a model, where the policy on it asks for what only a version has: it is no way around what the tag of a version takes. */
export function judgeWithoutVersion({ requirements: asked, match }: Policy, { change }: PolicyFacts): readonly Judged[] {
  if (match.target.tag === undefined || change === 'leave') return [];
  const wanted: readonly (readonly [RequirementName, boolean])[] = [
    ['description', asked.description],
    ['signature', asked.signature],
    ['input_example', asked.input_example],
    ['model_card', asked.model_card_sections.length > 0],
    ['tags', asked.tags.length > 0],
    ['checks', asked.checks.length > 0],
    ['metrics', asked.metrics.length > 0],
    ['soak', asked.soak !== undefined],
    ['registered_by', asked.registered_by !== undefined],
    ['expression', (asked.expressions ?? []).length > 0],
  ];
  return wanted
    .filter(([, isAsked]) => isAsked)
    .map(([requirement]) => ({
      missing: {
        requirement,
        what: `what the policy asks of a version (${requirement.replaceAll('_', ' ')}) can't be known of a model`,
        who: 'whoever may edit a version',
        how: 'Set the tag on the version.',
        candidates: [],
        until: null,
      },
    }));
}

/** Decisions are about evidence that was taken, not about what is written since. */
const THEN_TAKEN = 'then open a request or renew the evidence';

function judgeNature(asked: Asked, version: VersionEvidence): readonly Judged[] {
  const editor = 'whoever may edit the version';
  const maker = 'who makes the version';
  const judged: (Judged | undefined)[] = [
    asked.sealed
      ? judge(version.isSealed, 'sealed', ['sealed', 'not sealed'], editor, 'Upload all files through the server and seal it.')
      : undefined,
    asked.description
      ? judge(version.hasDescription, 'description', ['a description', 'no description'], editor, `Write one, ${THEN_TAKEN}.`)
      : undefined,
    asked.signature
      ? judge(
          version.hasSignature,
          'signature',
          ['a signature', 'no signature'],
          maker,
          'Log the model with a signature and register it again.',
        )
      : undefined,
    asked.input_example
      ? judge(
          version.hasInputExample,
          'input_example',
          ['an input example', 'no input example'],
          maker,
          'Log the model with one and register it again.',
        )
      : undefined,
    ...asked.model_card_sections.map((title) => {
      const has = version.modelCardSections.some((each) => each.toLowerCase() === title.toLowerCase());
      return judge(
        has,
        'model_card',
        [`model card: '${title}'`, `no section '${title}' in the model card`],
        editor,
        `Write it, ${THEN_TAKEN}.`,
      );
    }),
    ...asked.tags.map(({ key, value }) => {
      const actual = Object.hasOwn(version.tags, key) ? version.tags[key] : undefined;
      const has = actual !== undefined && (value === undefined || actual === value);
      const wanted = value === undefined ? `tag '${key}'` : `tag '${key}' = '${value}'`;
      return judge(has, 'tags', [wanted, `no ${wanted}`], editor, `Set it, ${THEN_TAKEN}.`);
    }),
  ];
  return judged.filter((each) => each !== undefined);
}

function judge(has: boolean, requirement: RequirementName, [yes, no]: readonly [string, string], who: string, how: string): Judged {
  return has ? { ok: { requirement, what: yes } } : { missing: { requirement, what: no, who, how, candidates: [], until: null } };
}

function judgeSoak({ stage, alias, at_least }: NonNullable<Asked['soak']>, facts: PolicyFacts, version: VersionEvidence): Judged {
  const name = stage ?? alias ?? '';
  const kind = stage === undefined ? 'alias' : 'stage';
  const matches = (word: string): boolean => (kind === 'stage' ? word.toLowerCase() === name.toLowerCase() : word === name);
  // What was there before as other bytes proves nothing of these.
  const standing = version.stays.filter(
    (stay) => stay.until === null && stay.place === kind && matches(stay.name) && stay.digest === facts.binding.digest,
  );
  const since = Math.min(...standing.map((stay) => stay.from));
  const until = since + durationMs(at_least);
  if (facts.now >= until) return { ok: { requirement: 'soak', what: `${at_least} in ${kind} '${name}'` } };
  const isThere = standing.length > 0;
  const item: Omit<MissingItem, 'how' | 'until'> = {
    requirement: 'soak',
    what: isThere ? `less than ${at_least} in ${kind} '${name}' so far` : `not in ${kind} '${name}', where it must have stood ${at_least}`,
    who: isThere ? 'time' : 'whoever may move it there',
    candidates: [],
  };
  return { missing: { ...item, how: isThere ? 'Wait.' : `Move it to '${name}' and wait ${at_least}.`, until: isThere ? until : null } };
}

function judgeRegistrar(trust: string, facts: PolicyFacts, version: VersionEvidence): Judged {
  const people = peopleOf(facts);
  const registrar = people.find(version.registeredBy);
  const has = registrar?.kind === 'ci' && registrar.trust === trust;
  const was = `registered by ${people.nameOf(version.registeredBy)}, not by jobs of '${trust}'`;
  return judge(has, 'registered_by', [`registered by a job of '${trust}'`, was], `a job of '${trust}'`, 'Let the job register it.');
}
