/** What a change of a model itself does: to the places of its versions, to their tags and its own, and to what may come into it later. */
import { asked, modelOf, type PlaceChange, placesOf } from './place-changes.ts';
import { type Place, policiesAbout, policiesOf, policyOn } from './policy-choice.ts';
import type { PolicyWords, Seen, SeenModel, SeenPolicy, SeenVersion } from './seen.ts';

type TagChange = readonly [string, string | undefined];

export function tagChanges(then: ReadonlyMap<string, string>, now: ReadonlyMap<string, string>): readonly TagChange[] {
  return [...new Set([...then.keys(), ...now.keys()])]
    .filter((key) => then.get(key) !== now.get(key))
    .map((key) => [key, now.get(key)] as const);
}

/** How a change of a model is asked for. */
function subjectsOf(then: SeenModel, now: SeenModel): PlaceChange['asked'] {
  const about = `model:${now.id}`;
  return [
    ...(then.name === now.name ? [] : [[about, `renamed:${now.name}`] as const]),
    ...tagChanges(then.tags, now.tags).map(
      ([key, value]) => [about, value === undefined ? `tag:${key}#removed` : `tag:${key}=${value}`] as const,
    ),
  ];
}

/** Whoever reads by the name finds other bytes there than before. */
function isElsewhere(then: SeenModel, now: SeenModel): boolean {
  return then.name !== now.name || then.workspace !== now.workspace;
}

/** It is where it was, and another policy is about that place since the model changed: the old one lets it go, the new one lets it in. */
export function governedAnew(before: Seen, version: SeenVersion, after: SeenVersion, now: SeenModel): readonly PlaceChange[] {
  const then = modelOf(before, version);
  const common = { version, asked: subjectsOf(then, now) };
  if (!isElsewhere(then, now) && common.asked.length === 0) return [];
  const kept = [...version.tags.keys()].filter((key) => after.tags.has(key)).map((word) => ({ kind: 'tag', word }) as const);
  return [...placesOf(before, version), ...kept].flatMap((place): readonly PlaceChange[] => {
    const old = policiesAbout(before, then, version, place);
    const next = policiesAbout(before, now, version, place);
    // A tag says the same wherever it is.
    return between(old, next, isElsewhere(then, now) && place.kind !== 'tag').map(([direction, policies]) => ({
      ...common,
      ...{ place, direction, policies, model: direction === 'leave' ? then : now },
      ...(direction === 'enter' ? { isAnew: true } : {}),
    }));
  });
}

function between(
  old: readonly SeenPolicy[],
  next: readonly SeenPolicy[],
  isAll: boolean,
): readonly (readonly ['enter' | 'leave', readonly SeenPolicy[]])[] {
  const without = (all: readonly SeenPolicy[], others: readonly SeenPolicy[]): readonly SeenPolicy[] =>
    all.filter(({ hash }) => others.every((each) => each.hash !== hash));
  const changes = [['leave', without(old, next)] as const, ['enter', isAll ? next : without(next, old)] as const];
  return changes.filter(([, policies]) => policies.length > 0);
}

/** Its own tags, and which policies hold for whatever comes into it. */
export function changesOfModel(before: Seen, now: SeenModel): readonly PlaceChange[] {
  const then = before.models.get(now.id);
  if (!now.isAlive) return [];
  const tagged = (word: string, value: string | undefined, subjects: PlaceChange['asked']): PlaceChange =>
    asked(before, {
      ...{ version: undefined, model: now, asked: subjects },
      ...{ place: { kind: 'tag', word }, direction: value === undefined ? 'leave' : 'enter' },
    });
  // What comes back, comes without governed tags; nobody asks for one.
  if (then?.isAlive === false) return [...now.tags].map(([word, value]) => tagged(word, value, []));
  const own = tagChanges(then?.tags ?? new Map(), now.tags).map(([word, value]) =>
    tagged(word, value, [[`model:${now.id}`, value === undefined ? `tag:${word}#removed` : `tag:${word}=${value}`]]),
  );
  return [...own, ...(then === undefined ? [] : keptTags(before, then, now)), ...comingAnew(before, then, now)];
}

function keptTags(before: Seen, then: SeenModel, now: SeenModel): readonly PlaceChange[] {
  return [...now.tags.keys()]
    .filter((key) => then.tags.get(key) === now.tags.get(key))
    .flatMap((word) => {
      const place = { kind: 'tag', word } as const;
      const [old, next] = [policiesAbout(before, then, undefined, place), policiesAbout(before, now, undefined, place)];
      return between(old, next, false).map(([direction, policies]) => ({
        ...{ version: undefined, place, direction, policies, asked: subjectsOf(then, now), isAnew: true },
        model: direction === 'leave' ? then : now,
      }));
    });
}

/** Tags that say which policy applies are nobody's alone, also where nothing stands there yet. */
function comingAnew(before: Seen, existing: SeenModel | undefined, now: SeenModel): readonly PlaceChange[] {
  const then = existing ?? { ...now, tags: new Map() };
  const byTags = [...policiesOf(before, then.workspace), ...policiesOf(before, now.workspace)].filter(
    ({ document }) => Object.keys(document.match.tags).length > 0,
  );
  return byTags.flatMap(({ document }): readonly PlaceChange[] => {
    const { place, isPrompt } = placeIn(document.match.target);
    const [old, next] = [then, now].map((model) => policyOn(before, model, place, isPrompt));
    const bare = isElsewhere(then, now) ? policyOn(before, { ...now, tags: new Map() }, place, isPrompt) : old;
    if (next?.hash === old?.hash || next?.hash === bare?.hash) return [];
    const common = { version: undefined, place, asked: subjectsOf(then, now), model: now, isAnew: true };
    return [
      ...(bare === undefined ? [] : [{ ...common, direction: 'leave', policies: [bare] } as const]),
      ...(next === undefined ? [] : [{ ...common, direction: 'enter', policies: [next] } as const]),
    ];
  });
}

function placeIn({ prompt, tag, ...own }: PolicyWords['match']['target']): { readonly place: Place; readonly isPrompt: boolean } {
  const { stage, alias } = prompt ?? own;
  const isPrompt = prompt !== undefined;
  if (stage !== undefined) return { place: { kind: 'stage', word: stage }, isPrompt };
  if (alias !== undefined) return { place: { kind: 'alias', word: alias }, isPrompt };
  return { place: tag === undefined ? { kind: 'entry' } : { kind: 'tag', word: tag }, isPrompt };
}
