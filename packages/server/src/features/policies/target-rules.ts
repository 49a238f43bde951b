/** Whether a policy is about a target. Pure. */
import type { GovernedTarget } from '@countersign/contract/permit.ts';
import type { PolicyTarget } from '@countersign/contract/policies.ts';
import { isExact, literalLength, matchesPattern } from './pattern-rules.ts';

/** How closely a policy names a target. */
export interface TargetMatch {
  /** It says what the target counts as: the stage, where an alias is named like one. */
  readonly isProper: boolean;
  readonly isExact: boolean;
  readonly literals: number;
}

/** The stage that a word names, in any case; undefined for another word. */
export function stageNamed(stages: readonly string[], word: string): string | undefined {
  const lower = word.toLowerCase();
  return stages.find((stage) => stage.toLowerCase() === lower);
}

/**
 * Undefined where the policy is about something else. An alias named like a stage counts as that stage, in a policy as in a target: so neither
 * is a way around a policy on the other.
 */
export function matchTarget(
  policy: PolicyTarget,
  asked: { readonly target: GovernedTarget; readonly isPrompt: boolean },
  stages: readonly string[],
): TargetMatch | undefined {
  const { target } = asked;
  if (target.kind === 'tag') return policy.tag === undefined ? undefined : matchWord(policy.tag, target.key, true);
  if (target.kind === 'setting') return policy.setting === undefined ? undefined : matchWord(policy.setting, target.setting, true);
  const places = asked.isPrompt ? policy.prompt : policy;
  if (places === undefined) return undefined;
  if (target.kind === 'entry') return places.entry ? { isProper: true, isExact: true, literals: 0 } : undefined;
  const word = target.kind === 'stage' ? target.stage : target.alias;
  const stage = stageNamed(stages, word) ?? (target.kind === 'stage' ? word : undefined);
  if (stage === undefined) return places.alias === undefined ? undefined : matchWord(places.alias, word, true);
  const named = places.stage ?? (places.alias === undefined ? undefined : stageNamed(stages, places.alias));
  if (named !== undefined) return matchWord(named.toLowerCase(), stage.toLowerCase(), true);
  // A policy on a pattern of aliases holds for this one, too, where none is on the stage.
  return target.kind === 'alias' && places.alias !== undefined ? matchWord(places.alias, word, false) : undefined;
}

function matchWord(pattern: string, word: string, isProper: boolean): TargetMatch | undefined {
  if (!matchesPattern(pattern, word)) return undefined;
  return { isProper, isExact: isExact(pattern), literals: literalLength(pattern) };
}

/** Whether the one is about whatever the other is about. */
export function coversTarget(wide: PolicyTarget, narrow: PolicyTarget, stages: readonly string[]): boolean {
  const { prompt, entry, tag, setting } = narrow;
  const about = (target: GovernedTarget, isPrompt = false): boolean => matchTarget(wide, { target, isPrompt }, stages) !== undefined;
  const { stage, alias } = prompt ?? narrow;
  if (tag !== undefined) return about({ kind: 'tag', key: tag });
  if (setting !== undefined) return about({ kind: 'setting', setting });
  const isPrompt = prompt !== undefined;
  if (stage !== undefined) return about({ kind: 'stage', stage }, isPrompt);
  if (alias !== undefined) return about({ kind: 'alias', alias }, isPrompt);
  return (prompt?.entry ?? entry) === true && about({ kind: 'entry' }, isPrompt);
}
