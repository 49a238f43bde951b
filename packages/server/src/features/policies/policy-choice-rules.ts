/** Which policy applies: one, the most specific, and the answer says why. Pure. */
import type { GovernedTarget } from '@countersign/contract/permit.ts';
import { POLICY_MODES, type Policy } from '@countersign/contract/policies.ts';
import { coversPattern, isExact, literalLength, matchesPattern } from './pattern-rules.ts';
import type { NamedPolicy } from './policy-hash-rules.ts';
import { coversTarget, matchTarget, stageNamed, type TargetMatch } from './target-rules.ts';

export interface PolicyQuestion {
  readonly target: GovernedTarget;
  readonly isPrompt: boolean;
  /** Name and tags of the registered model; empty where the target is a setting. */
  readonly model: string;
  readonly tags: Readonly<Record<string, string>>;
  /** Those of the workspace. */
  readonly stages: readonly string[];
}

export interface PolicyChoice {
  /** undefined: the target is not governed. */
  readonly policy: NamedPolicy | undefined;
  /** Why this one. */
  readonly why: string;
  /** All the others in force, and why each is not the one; nearest first. */
  readonly others: readonly { readonly policy: NamedPolicy; readonly why: string }[];
}

interface Candidate {
  readonly policy: NamedPolicy;
  readonly target: TargetMatch;
}

/** Bytes order names as every client sees them; compared by code points, so the same everywhere. */
function compareText(a: string, b: string): number {
  return a === b ? 0 : a < b ? -1 : 1;
}

interface Criterion {
  readonly says: string;
  /** The greater one wins. */
  readonly rank: (candidate: Candidate) => number;
}

const match = ({ policy }: Candidate): Policy['match'] => policy.document.match;

/** In this order; the first in which two differ decides. The name, unique in a workspace, makes it total. */
const CRITERIA: readonly Criterion[] = [
  { says: 'is on the stage itself, as which the alias counts', rank: ({ target }) => Number(target.isProper) },
  { says: 'names the model itself', rank: (each) => Number(isExact(match(each).model)) },
  { says: 'asks for more tags of the model', rank: (each) => Object.keys(match(each).tags).length },
  { says: 'says more of the name of the model', rank: (each) => literalLength(match(each).model) },
  { says: 'names the target itself', rank: ({ target }) => Number(target.isExact) },
  { says: 'says more of the target', rank: ({ target }) => target.literals },
  { says: 'is stricter in its mode', rank: ({ policy }) => POLICY_MODES.indexOf(policy.document.mode) },
];

interface Comparison {
  readonly order: number;
  readonly says: string;
}

function compare(a: Candidate, b: Candidate): Comparison {
  for (const { rank, says } of CRITERIA) {
    const order = rank(b) - rank(a);
    if (order !== 0) return { order, says };
  }
  const order = compareText(a.policy.document.name, b.policy.document.name) || compareText(a.policy.hash, b.policy.hash);
  return { order, says: 'comes first by its name' };
}

/** Of all policies that are in force in the workspace. Their order doesn't matter. */
export function choosePolicy(policies: readonly NamedPolicy[], question: PolicyQuestion): PolicyChoice {
  const candidates: Candidate[] = [];
  const mismatched: { readonly policy: NamedPolicy; readonly why: string }[] = [];
  for (const policy of policies) {
    const target = matchTarget(policy.document.match.target, question, question.stages);
    const why = target === undefined ? 'is about another target' : mismatchOf(policy.document, question);
    if (target !== undefined && why === undefined) candidates.push({ policy, target });
    else mismatched.push({ policy, why: why ?? '' });
  }
  candidates.sort((a, b) => compare(a, b).order);
  mismatched.sort((a, b) => compareText(a.policy.document.name, b.policy.document.name) || compareText(a.policy.hash, b.policy.hash));
  const [first, ...rest] = candidates;
  if (first === undefined) return { policy: undefined, why: 'No policy is about this.', others: mismatched };
  const name = first.policy.document.name;
  const [second] = rest;
  const why = second === undefined ? 'It is the only one about this.' : `It ${compare(first, second).says}.`;
  const lost = rest.map((each) => ({ policy: each.policy, why: `'${name}' ${compare(first, each).says}` }));
  return { policy: first.policy, why, others: [...lost, ...mismatched] };
}

function mismatchOf(document: Policy, question: PolicyQuestion): string | undefined {
  const { model, tags } = document.match;
  if (!matchesPattern(model, question.model)) return `'${model}' is not the name of the model`;
  for (const [key, value] of Object.entries(tags)) {
    const actual = Object.hasOwn(question.tags, key) ? question.tags[key] : undefined;
    if (actual !== value) return `the model's tag '${key}' is ${actual === undefined ? 'not set' : `not '${value}'`}`;
  }
  return undefined;
}

/**
 * Who must allow a change that alters which policy applies (rename, tag edit, workspace move, stage definition, policy): the one before and
 * the one after, so that nobody leaves a strict one through a mild one.
 */
export function policiesToAsk(before: PolicyChoice, after: PolicyChoice): readonly NamedPolicy[] {
  const both = [before.policy, after.policy].filter((policy) => policy !== undefined);
  return [...new Map(both.map((policy) => [policy.hash, policy])).values()];
}

/** Keys of model tags that decide which policy applies: these are governed by themselves. */
export function decidingTagKeys(policies: readonly NamedPolicy[]): ReadonlySet<string> {
  return new Set(policies.flatMap(({ document }) => Object.keys(document.match.tags)));
}

/** Why a set of policies must not come into force together; each says what to do. Empty where it may. */
export function publishingObjections(policies: readonly NamedPolicy[], stages: readonly string[]): readonly string[] {
  const documents = policies.map(({ document }) => document);
  const names = documents.map(({ name }) => name);
  return [
    ...names
      .filter((name, at) => names.indexOf(name) < at)
      .map((name) => `Two policies are called '${name}'. Withdraw one, or give it another name.`),
    ...stages
      .filter((stage) => /^(latest|\d+)$/i.test(stage))
      .map((stage) => `Clients read 'models:/<name>/${stage}' as something else than the stage '${stage}'. Rename the stage.`),
    ...documents.flatMap((document) => unknownStages(document, stages)),
    ...documents.flatMap((document) => uncovered(document, documents, stages) ?? []),
  ];
}

/** Stages that it names as they are, not by a pattern. */
export function stagesNamedBy({ match: { target }, requirements }: Policy): readonly string[] {
  return [(target.prompt ?? target).stage, requirements.soak?.stage].filter((each) => each !== undefined && isExact(each)) as string[]; // filtered
}

function unknownStages(document: Policy, stages: readonly string[]): readonly string[] {
  return stagesNamedBy(document)
    .filter((stage) => stageNamed(stages, stage) === undefined)
    .map((stage) => `Policy '${document.name}' names the stage '${stage}', which isn't there. The stages are ${stages.join(', ')}.`);
}

/** Without one for what lacks the tag, taking the tag away would be a way around. */
function uncovered(document: Policy, all: readonly Policy[], stages: readonly string[]): string | undefined {
  const { name, match: own, mode } = document;
  if (Object.keys(own.tags).length === 0) return undefined;
  const isCovered = all.some(
    (other) =>
      Object.keys(other.match.tags).length === 0 &&
      POLICY_MODES.indexOf(other.mode) >= POLICY_MODES.indexOf(mode) &&
      coversPattern(other.match.model, own.model) &&
      coversTarget(other.match.target, own.target, stages),
  );
  if (isCovered) return undefined;
  return `Policy '${name}' matches by tag, and no policy in mode ${mode} or stricter holds for the same models and target without the tag. Publish one.`;
}
