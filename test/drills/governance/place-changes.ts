/** Which governed places changed between two moments, and by what they could have been asked for: read from the tables alone. */
import { changesOfModel, governedAnew, tagChanges } from './model-changes.ts';
import { isPromptTagged, type Place, policiesAbout } from './policy-choice.ts';
import type { Seen, SeenModel, SeenPolicy, SeenVersion } from './seen.ts';

export interface PlaceChange {
  readonly version: SeenVersion | undefined;
  readonly place: Place;
  readonly direction: 'enter' | 'leave';
  /** Under which the policies are chosen. */
  readonly model: SeenModel;
  /** Each must allow it; none where it is governed by nothing. */
  readonly policies: readonly SeenPolicy[];
  /** How a request for it would name it: `about` and `subject`. */
  readonly asked: readonly (readonly [string, string])[];
  /** It is where it was, and its model is another or in another place: approvals were given for the model as it is to be. */
  readonly isAnew?: boolean;
  /** One of these suffices: what comes where it is already makes room for itself, too. */
  readonly or?: readonly PlaceChange[];
}

type Bare = Omit<PlaceChange, 'policies'>;

/** By the policies before the change. */
export function asked(before: Seen, change: Bare): PlaceChange {
  return { ...change, policies: policiesAbout(before, change.model, change.version, change.place) };
}

/** The configuration of a prompt's model is no part of its seal, so it is governed where the prompt stands. */
export const PROMPT_CONFIG = '_mlflow_prompt_model_config';

/** All places of versions and tags that changed. A tag of a model is no version's. */
export function placeChanges(before: Seen, after: Seen): readonly PlaceChange[] {
  return [
    ...[...after.versions.values()].flatMap((version) => changesOfVersion(before, after, version)),
    ...[...before.versions.values()].flatMap((version) =>
      after.versions.has(version.id) || !version.isAlive ? [] : gone(before, version),
    ),
    ...aliasChanges(before, after),
    ...[...after.models.values()].flatMap((model) => changesOfModel(before, model)),
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
  const changes: Bare[] = tagChanges(then.tags, now.tags).flatMap(([key, value]) => {
    const common = { version: now, model, asked: [[about, value === undefined ? `tag:${key}#removed` : `tag:${key}=${value}`] as const] };
    const configured = (then.isPrompt || isPromptTagged(then.tags)) && key === PROMPT_CONFIG ? placesOf(before, then) : [];
    return [
      { ...common, place: { kind: 'tag', word: key }, direction: value === undefined ? 'leave' : 'enter' } as const,
      ...configured.map((place) => ({ ...common, place, direction: 'enter' }) as const),
    ];
  });
  if (then.stage !== now.stage) {
    const common = { version: now, model, asked: [[about, `stage:${now.stage}`] as const] };
    changes.push({ ...common, place: { kind: 'stage', word: now.stage }, direction: 'enter' });
    const isReplaced = now.stage === 'Archived' && hasEntered(before, after, now.model, then.stage);
    if (then.stage !== 'None' && !isReplaced) {
      const or = now.stage === 'Archived' ? staying(before, after, now.model, then.stage) : [];
      changes.push({ ...common, place: { kind: 'stage', word: then.stage }, direction: 'leave', or });
    }
  }
  return [...changes.map((change) => asked(before, change)), ...governedAnew(before, then, now, model)];
}

/** As if each came again that is there before and after. */
function staying(before: Seen, after: Seen, model: number, stage: string): readonly PlaceChange[] {
  return [...after.versions.values()]
    .filter((each) => each.model === model && each.isAlive && each.stage === stage && before.versions.get(each.id)?.stage === stage)
    .map((version) =>
      asked(before, {
        version,
        place: { kind: 'stage', word: stage },
        direction: 'enter',
        model: modelOf(after, version),
        asked: [[`version:${version.id}`, `stage:${stage}`]],
      }),
    );
}

function hasEntered(before: Seen, after: Seen, model: number, stage: string): boolean {
  return [...after.versions.values()].some(
    (each) => each.model === model && each.isAlive && each.stage === stage && before.versions.get(each.id)?.stage !== stage,
  );
}

export function placesOf(seen: Seen, version: SeenVersion): readonly Place[] {
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
  const subjects = [[`version:${version.id}`, 'deleted'] as const, [`model:${model.id}`, 'deleted'] as const];
  return placesOf(before, version).map((place) => asked(before, { version, place, direction: 'leave', model, asked: subjects }));
}

/** New, or back: with nothing but itself, where it is back. */
function came(before: Seen, after: Seen, version: SeenVersion, model: SeenModel): readonly PlaceChange[] {
  const isBack = before.versions.has(version.id);
  const subjects = isBack
    ? [[`version:${version.id}`, 'restored'] as const]
    : [...before.candidates.values()]
        .filter((each) => each.model === model.id && each.digest === version.digest && each.by === version.registeredBy)
        .map((each) => [`candidate:${each.id}`, 'entry'] as const);
  return [...placesOf(after, version), ...[...version.tags.keys()].map((word) => ({ kind: 'tag', word }) as const)].map((place) =>
    asked(before, {
      version,
      place,
      direction: 'enter',
      model,
      // Nobody asks for a stage, an alias or a tag that comes back.
      asked: isBack && place.kind !== 'entry' ? [] : subjects,
    }),
  );
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
    const direction = now === undefined ? 'leave' : 'enter';
    changes.push(asked(before, { version, place: { kind: 'alias', word }, direction, model, asked: [[`version:${version.id}`, subject]] }));
  }
  return changes;
}

export function modelOf(seen: Seen, version: SeenVersion): SeenModel {
  const model = seen.models.get(version.model);
  if (model === undefined) throw new TypeError(`version ${version.id} is of a model`);
  return model;
}
