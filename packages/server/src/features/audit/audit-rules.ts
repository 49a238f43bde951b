/** What a model looked like at a time, as a fold of its events. Pure. */
import type { Stage } from '@countersign/contract/stages.ts';

/** The part of an event that places follow from. */
export interface PlaceEvent {
  readonly seq: number;
  readonly recordedAt: number;
  readonly type: string;
  readonly versionId: number | undefined;
  readonly principalId: number;
  readonly data: Readonly<Record<string, unknown>>;
}

/** A version in a stage or behind an alias. */
export interface Holder {
  readonly versionId: number;
  readonly version: number;
  readonly sinceSeq: number;
  readonly sinceAt: number;
  readonly principalId: number;
}

export interface Places {
  /** By version id: where it stands. */
  readonly stages: ReadonlyMap<number, Holder & { readonly stage: Stage }>;
  readonly aliases: ReadonlyMap<string, Holder>;
  /** Version ids and numbers that are registered and not deleted. */
  readonly living: ReadonlyMap<number, number>;
  /** Those that were deleted together with the model, and come back with it. */
  readonly setAside: ReadonlyMap<number, number>;
}

interface Draft {
  readonly stages: Map<number, Holder & { readonly stage: Stage }>;
  readonly aliases: Map<string, Holder>;
  readonly living: Map<number, number>;
  setAside: ReadonlyMap<number, number>;
}

/**
 * The places after these events, oldest first. All events of the model give all places; the events on one target (`stage:Production`)
 * give that target's places rightly, except for stage None, which a version is born into without an event on it.
 */
export async function foldPlaces(events: AsyncIterable<PlaceEvent> | Iterable<PlaceEvent>): Promise<Places> {
  const draft: Draft = { stages: new Map(), aliases: new Map(), living: new Map(), setAside: new Map() };
  for await (const event of events) apply(draft, event);
  return draft;
}

function apply(draft: Draft, event: PlaceEvent): void {
  switch (event.type) {
    case 'model-version.created':
    case 'model-version.restored':
      enter(draft, event, 'None');
      return;
    case 'model-version.stage-entered':
      enter(draft, event, stageOf(event.data.to));
      return;
    case 'model-version.stage-left':
      leave(draft, event);
      return;
    case 'model-version.deleted':
      draft.living.delete(event.versionId ?? -1);
      draft.stages.delete(event.versionId ?? -1);
      return;
    case 'alias.set':
      draft.aliases.set(String(event.data.alias), holderOf(event));
      return;
    case 'alias.deleted':
      draft.aliases.delete(String(event.data.alias));
      return;
    case 'registered-model.deleted':
    case 'registered-model.purged':
      draft.setAside = event.type === 'registered-model.deleted' ? new Map(draft.living) : new Map();
      draft.living.clear();
      draft.stages.clear();
      draft.aliases.clear();
      return;
    case 'registered-model.restored':
      for (const [versionId, version] of draft.setAside) {
        enter(draft, { ...event, versionId, data: { number: version } }, 'None');
      }
      draft.setAside = new Map();
      return;
    default:
      return;
  }
}

function enter(draft: Draft, event: PlaceEvent, stage: Stage): void {
  const holder = holderOf(event);
  draft.living.set(holder.versionId, holder.version);
  draft.stages.set(holder.versionId, { ...holder, stage });
}

/** Leaving counts only for where it stands: a move writes the leaving before the entering. */
function leave(draft: Draft, event: PlaceEvent): void {
  const versionId = event.versionId ?? -1;
  if (draft.stages.get(versionId)?.stage === event.data.from) draft.stages.delete(versionId);
}

function holderOf(event: PlaceEvent): Holder {
  return {
    versionId: event.versionId ?? -1,
    version: Number(event.data.number),
    sinceSeq: event.seq,
    sinceAt: event.recordedAt,
    principalId: event.principalId,
  };
}

function stageOf(value: unknown): Stage {
  return value as Stage; // written by `versions.setStage` only, which takes nothing else
}

/** By number. */
export function occupants(places: Places, stage: Stage): Holder[] {
  return [...places.stages.values()].filter((holder) => holder.stage === stage).sort((a, b) => a.version - b.version);
}
