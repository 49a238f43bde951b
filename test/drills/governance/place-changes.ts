/** Which governed places changed between two moments, and by what they could have been asked for: read from the tables alone. */
import type { PolicyWords, Seen, SeenModel, SeenPolicy, SeenVersion } from './seen.ts';

export type Place =
  | { readonly kind: 'stage' | 'alias'; readonly word: string }
  | { readonly kind: 'entry' }
  | { readonly kind: 'tag'; readonly word: string };

export interface PlaceChange {
  readonly version: SeenVersion | undefined;
  readonly place: Place;
  readonly direction: 'enter' | 'leave';
  /** Under which the policy is chosen. */
  readonly model: SeenModel;
  /** How a request for it would name it: `about` and `subject`. */
  readonly asked: readonly (readonly [string, string])[];
  /** One of these suffices: what comes where it is already makes room for itself, too. */
  readonly or?: readonly PlaceChange[];
}

export function wordsOf(place: Place): string {
  return place.kind === 'entry' ? 'entry' : `${place.kind}:${place.word}`;
}

const STAGES = new Set(['none', 'staging', 'production', 'archived']);

function fits(pattern: string, word: string): boolean {
  const at = pattern.indexOf('*');
  if (at < 0) return pattern === word;
  const [head = '', tail = ''] = [pattern.slice(0, at), pattern.slice(at + 1)];
  return word.length >= head.length + tail.length && word.startsWith(head) && word.endsWith(tail);
}

/** How closely a target of a policy names a place; undefined where it is about another. An alias named like a stage is that stage. */
function closeness({ stage, alias, entry, tag }: PolicyWords['match']['target'], place: Place): readonly number[] | undefined {
  const close = (pattern: string | undefined, word: string, isProper = 1): readonly number[] | undefined =>
    pattern !== undefined && fits(pattern, word) ? [isProper, pattern.includes('*') ? 0 : 1, pattern.replace('*', '').length] : undefined;
  if (place.kind === 'entry') return entry === true ? [1, 1, 0] : undefined;
  if (place.kind === 'tag') return close(tag, place.word);
  const asStage = place.word.toLowerCase();
  if (place.kind === 'alias' && !STAGES.has(asStage)) return close(alias, place.word);
  const named = stage ?? (alias !== undefined && STAGES.has(alias.toLowerCase()) ? alias : undefined);
  if (named !== undefined) return close(named.toLowerCase(), asStage);
  return place.kind === 'alias' ? close(alias, place.word, 0) : undefined;
}

const MODES = ['observe', 'warn', 'enforce'];

/** The one that a change of a place must ask: nearest by the model, then by the target, then the stricter. */
export function policyFor(policies: readonly SeenPolicy[], model: SeenModel, place: Place): SeenPolicy | undefined {
  let best: { readonly policy: SeenPolicy; readonly rank: readonly number[] } | undefined;
  for (const policy of [...policies].sort((a, b) => (a.name < b.name ? -1 : 1))) {
    const { match, mode } = policy.document;
    const near = closeness(match.target, place);
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

/** All places of versions and tags that changed. A tag of a model is no version's. */
export function placeChanges(before: Seen, after: Seen): readonly PlaceChange[] {
  return [
    ...[...after.versions.values()].flatMap((version) => changesOfVersion(before, after, version)),
    ...[...before.versions.values()].flatMap((version) =>
      after.versions.has(version.id) || !version.isAlive ? [] : gone(before, version),
    ),
    ...aliasChanges(before, after),
    ...[...after.models.values()].flatMap((model) => modelTagChanges(before.models.get(model.id), model)),
  ];
}

function changesOfVersion(before: Seen, after: Seen, now: SeenVersion): readonly PlaceChange[] {
  const then = before.versions.get(now.id);
  const model = modelOf(after, now);
  const wasAlive = then?.isAlive === true;
  if (wasAlive && !now.isAlive) return gone(before, then);
  if (!now.isAlive) return [];
  if (!wasAlive) return came(before, after, now, model);
  const about = `version:${now.id}`;
  const changes: PlaceChange[] = tagChanges(then.tags, now.tags).map(([key, value]) => ({
    version: now,
    place: { kind: 'tag', word: key },
    direction: value === undefined ? 'leave' : 'enter',
    model,
    asked: [[about, value === undefined ? `tag:${key}#removed` : `tag:${key}=${value}`]],
  }));
  if (then.stage !== now.stage) {
    const common = { version: now, model, asked: [[about, `stage:${now.stage}`] as const] };
    changes.push({ ...common, place: { kind: 'stage', word: now.stage }, direction: 'enter' });
    const isReplaced = now.stage === 'Archived' && hasEntered(before, after, now.model, then.stage);
    if (then.stage !== 'None' && !isReplaced) {
      const or = now.stage === 'Archived' ? staying(before, after, now.model, then.stage) : [];
      changes.push({ ...common, place: { kind: 'stage', word: then.stage }, direction: 'leave', or });
    }
  }
  return [...changes, ...governedAnew(before, then, model)];
}

/** As if each came again that is there before and after. */
function staying(before: Seen, after: Seen, model: number, stage: string): readonly PlaceChange[] {
  return [...after.versions.values()]
    .filter((each) => each.model === model && each.isAlive && each.stage === stage && before.versions.get(each.id)?.stage === stage)
    .map((version) => ({
      version,
      place: { kind: 'stage', word: stage },
      direction: 'enter',
      model: modelOf(after, version),
      asked: [[`version:${version.id}`, `stage:${stage}`]],
    }));
}

function hasEntered(before: Seen, after: Seen, model: number, stage: string): boolean {
  return [...after.versions.values()].some(
    (each) => each.model === model && each.isAlive && each.stage === stage && before.versions.get(each.id)?.stage !== stage,
  );
}

/** It is where it was, and another policy is about that place since the model changed: the old one lets it go, the new one lets it in. */
function governedAnew(before: Seen, version: SeenVersion, now: SeenModel): readonly PlaceChange[] {
  const then = modelOf(before, version);
  const about = `model:${now.id}`;
  const tags = tagChanges(then.tags, now.tags);
  if (then.name === now.name && then.workspace === now.workspace && tags.length === 0) return [];
  const asked = [
    ...(then.name === now.name ? [] : [[about, `renamed:${now.name}`] as const]),
    ...tags.map(([key, value]) => [about, value === undefined ? `tag:${key}#removed` : `tag:${key}=${value}`] as const),
  ];
  return placesOf(before, version).flatMap((place): readonly PlaceChange[] => {
    const old = policyFor(policiesOf(before, then.workspace), then, place);
    const next = policyFor(policiesOf(before, now.workspace), now, place);
    const isSame = old?.hash === next?.hash;
    // Whoever reads by the name finds other bytes there than before.
    const isElsewhere = then.name !== now.name || then.workspace !== now.workspace;
    return [
      ...(isSame ? [] : [{ version, place, direction: 'leave', model: then, asked } as const]),
      ...(isSame && !isElsewhere ? [] : [{ version, place, direction: 'enter', model: now, asked } as const]),
    ];
  });
}

function placesOf(seen: Seen, version: SeenVersion): readonly Place[] {
  return [
    { kind: 'entry' },
    ...(version.stage === 'None' ? [] : [{ kind: 'stage', word: version.stage } as const]),
    ...[...seen.aliases]
      .filter(([, id]) => id === version.id)
      .map(([key]) => ({ kind: 'alias', word: key.slice(key.indexOf(' ') + 1) }) as const),
  ];
}

function gone(before: Seen, version: SeenVersion): readonly PlaceChange[] {
  const model = modelOf(before, version);
  const asked = [[`version:${version.id}`, 'deleted'] as const, [`model:${model.id}`, 'deleted'] as const];
  return placesOf(before, version).map((place) => ({ version, place, direction: 'leave', model, asked }));
}

/** New, or back: with nothing but itself, where it is back. */
function came(before: Seen, after: Seen, version: SeenVersion, model: SeenModel): readonly PlaceChange[] {
  const isBack = before.versions.has(version.id);
  const asked = isBack
    ? [[`version:${version.id}`, 'restored'] as const]
    : [...before.candidates.values()]
        .filter((each) => each.model === model.id && each.digest === version.digest && each.by === version.registeredBy)
        .map((each) => [`candidate:${each.id}`, 'entry'] as const);
  return [...placesOf(after, version), ...[...version.tags.keys()].map((word) => ({ kind: 'tag', word }) as const)].map((place) => ({
    version,
    place,
    direction: 'enter',
    model,
    // Nobody asks for a stage, an alias or a tag that comes back.
    asked: isBack && place.kind !== 'entry' ? [] : asked,
  }));
}

function aliasChanges(before: Seen, after: Seen): readonly PlaceChange[] {
  const changes: PlaceChange[] = [];
  for (const key of new Set([...before.aliases.keys(), ...after.aliases.keys()])) {
    const [then, now] = [before.aliases.get(key), after.aliases.get(key)];
    const version = after.versions.get(now ?? then ?? -1);
    const held = before.versions.get(now ?? then ?? -1);
    // What came or went with its version is told there.
    if (then === now || version === undefined || !version.isAlive || held?.isAlive !== true) continue;
    const word = key.slice(key.indexOf(' ') + 1);
    const model = modelOf(after, version);
    const subject = now === undefined ? `alias:${word}#removed` : `alias:${word}`;
    changes.push({
      version,
      place: { kind: 'alias', word },
      direction: now === undefined ? 'leave' : 'enter',
      model,
      asked: [[`version:${version.id}`, subject]],
    });
  }
  return changes;
}

function modelTagChanges(then: SeenModel | undefined, now: SeenModel): readonly PlaceChange[] {
  if (!now.isAlive || then?.isAlive === false) return [];
  return tagChanges(then?.tags ?? new Map(), now.tags).map(([word, value]) => ({
    version: undefined,
    place: { kind: 'tag', word },
    direction: value === undefined ? 'leave' : 'enter',
    model: now,
    asked: [[`model:${now.id}`, value === undefined ? `tag:${word}#removed` : `tag:${word}=${value}`]],
  }));
}

function tagChanges(
  then: ReadonlyMap<string, string>,
  now: ReadonlyMap<string, string>,
): readonly (readonly [string, string | undefined])[] {
  return [...new Set([...then.keys(), ...now.keys()])]
    .filter((key) => then.get(key) !== now.get(key))
    .map((key) => [key, now.get(key)] as const);
}

function modelOf(seen: Seen, version: SeenVersion): SeenModel {
  const model = seen.models.get(version.model);
  if (model === undefined) throw new TypeError(`version ${version.id} is of a model`);
  return model;
}
