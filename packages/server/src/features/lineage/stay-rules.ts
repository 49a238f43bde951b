/** From when until when a version stood in stages and behind aliases, as a fold of events. Pure. */

export const PLACE_EVENTS = ['model-version.stage-entered', 'model-version.stage-left', 'alias.set', 'alias.deleted'] as const;

/** The part of an event that stays follow from. */
export interface PlaceEvent {
  readonly recordedAt: number;
  readonly type: string;
  /** The version that entered, left or is pointed at now. */
  readonly versionId: number | undefined;
  /** Of the event: `stage:Production`, `alias:champion`. */
  readonly target: string | undefined;
}

export interface Stay {
  readonly place: 'stage' | 'alias';
  readonly name: string;
  readonly since: number;
  /** null: it still stands there. */
  readonly until: number | null;
}

/**
 * Of one version, in the order in which they began. The events are the version's own, and those of others on the same aliases: an alias that
 * is set to another version has left this one. A version stands in stage None without having been put there, so None is no place.
 */
export function staysOf(versionId: number, events: readonly PlaceEvent[]): Stay[] {
  const stays: { place: Stay['place']; name: string; since: number; until: number | null }[] = [];
  const find = (place: Stay['place'], name: string) =>
    stays.findLast((stay) => stay.place === place && stay.name === name && stay.until === null);
  for (const event of events) {
    const [place, name] = placeOf(event.target);
    if (place === undefined) continue;
    const isIn = event.versionId === versionId && (event.type === 'alias.set' || event.type === 'model-version.stage-entered');
    const open = find(place, name);
    if (!isIn) {
      if (open && (place === 'alias' || event.versionId === versionId)) open.until = event.recordedAt;
    } else if (open === undefined && name !== 'None') {
      stays.push({ place, name, since: event.recordedAt, until: null });
    }
  }
  return stays;
}

/** Undefined for what is no place. */
function placeOf(target: string | undefined): readonly [Stay['place'] | undefined, string] {
  const [, place, name = ''] = /^(stage|alias):(.+)$/s.exec(target ?? '') ?? [];
  return [place === 'stage' || place === 'alias' ? place : undefined, name];
}
