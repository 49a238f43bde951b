/** Which policies a change of a place must ask: a second reading of how they are matched, from the tables alone. */
import { type PolicyWords, type Seen, type SeenModel, type SeenPolicy, type SeenVersion, stagesOf } from './seen.ts';

export type Place =
  | { readonly kind: 'stage' | 'alias'; readonly word: string }
  | { readonly kind: 'entry' }
  | { readonly kind: 'tag'; readonly word: string };

export const PROMPT_TAG = 'mlflow.prompt.is_prompt';

export function wordsOf(place: Place): string {
  return place.kind === 'entry' ? 'entry' : `${place.kind}:${place.word}`;
}

function fits(pattern: string, word: string): boolean {
  const at = pattern.indexOf('*');
  if (at < 0) return pattern === word;
  const [head = '', tail = ''] = [pattern.slice(0, at), pattern.slice(at + 1)];
  return word.length >= head.length + tail.length && word.startsWith(head) && word.endsWith(tail);
}

interface Asked {
  readonly place: Place;
  readonly isPrompt: boolean;
  /** Of the workspace, in lower case. */
  readonly stages: ReadonlySet<string>;
}

/** How closely a target of a policy names a place; undefined where it is about another. An alias named like a stage is that stage. */
function closeness(target: PolicyWords['match']['target'], { place, isPrompt, stages }: Asked): readonly number[] | undefined {
  const close = (pattern: string | undefined, word: string, isProper = 1): readonly number[] | undefined =>
    pattern !== undefined && fits(pattern, word) ? [isProper, pattern.includes('*') ? 0 : 1, pattern.replace('*', '').length] : undefined;
  if (place.kind === 'tag') return close(target.tag, place.word);
  const places = isPrompt ? target.prompt : target;
  if (places === undefined) return undefined;
  if (place.kind === 'entry') return places.entry === true ? [1, 1, 0] : undefined;
  const { stage, alias } = places;
  const asStage = place.word.toLowerCase();
  if (place.kind === 'alias' && !stages.has(asStage)) return close(alias, place.word);
  const named = stage ?? (alias !== undefined && stages.has(alias.toLowerCase()) ? alias : undefined);
  if (named !== undefined) return close(named.toLowerCase(), asStage);
  return place.kind === 'alias' ? close(alias, place.word, 0) : undefined;
}

const MODES = ['observe', 'warn', 'enforce'];

/** Nearest by the model, then by the target, then the stricter. */
function policyFor(policies: readonly SeenPolicy[], model: SeenModel, asked: Asked): SeenPolicy | undefined {
  let best: { readonly policy: SeenPolicy; readonly rank: readonly number[] } | undefined;
  for (const policy of [...policies].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const { match, mode } = policy.document;
    const near = closeness(match.target, asked);
    const tags = Object.entries(match.tags);
    if (near === undefined || !fits(match.model, model.name) || tags.some(([key, value]) => model.tags.get(key) !== value)) continue;
    const [isProper = 0, ...target] = near;
    const isExact = match.model.includes('*') ? 0 : 1;
    const rank = [isProper, isExact, tags.length, match.model.replace('*', '').length, ...target, MODES.indexOf(mode)];
    if (best === undefined || isGreater(rank, best.rank)) best = { policy, rank };
  }
  return best?.policy;
}

function isGreater(a: readonly number[], b: readonly number[]): boolean {
  const at = a.findIndex((each, index) => each !== b[index]);
  return at >= 0 && (a[at] ?? 0) > (b[at] ?? 0);
}

export function policiesOf(seen: Seen, workspace: number): readonly SeenPolicy[] {
  return seen.policies.get(workspace) ?? [];
}

export function isPromptTagged(tags: ReadonlyMap<string, string>): boolean {
  return tags.get(PROMPT_TAG)?.toLowerCase() === 'true';
}

/** More than one where a version isn't what its model calls itself: whoever reads it may read it as either. By the policies of that moment. */
export function policiesAbout(seen: Seen, model: SeenModel, version: SeenVersion | undefined, place: Place): readonly SeenPolicy[] {
  const kinds = new Set([isPromptTagged(model.tags)]);
  if (version !== undefined) kinds.add(version.isPrompt).add(isPromptTagged(version.tags));
  const found = new Map<string, SeenPolicy>();
  for (const isPrompt of kinds) {
    const policy = policyOn(seen, model, place, isPrompt);
    if (policy !== undefined) found.set(policy.hash, policy);
  }
  return [...found.values()];
}

export function policyOn(seen: Seen, model: SeenModel, place: Place, isPrompt: boolean): SeenPolicy | undefined {
  const stages = new Set(stagesOf(seen, model.workspace).names.map((name) => name.toLowerCase()));
  return policyFor(policiesOf(seen, model.workspace), model, { place, isPrompt, stages });
}
