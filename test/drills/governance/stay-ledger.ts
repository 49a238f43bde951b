/** Where versions stood and since when, and what let them in: what rollbacks and soak times are judged by. */
import type { Act } from './acts.ts';
import type { PlaceChange } from './place-changes.ts';
import { wordsOf } from './policy-choice.ts';
import type { PolicyWords, Seen, SeenVersion } from './seen.ts';

interface PlaceStay {
  readonly version: number;
  readonly model: number;
  readonly place: string;
  readonly digest: string | null;
  readonly admission: string;
  readonly since: number;
  until: number | undefined;
}

export interface StayLedger {
  note(act: Act, change: PlaceChange, how: string): void;
  /** By a policy in enforce, with the same bytes, and gone for no longer. */
  wasLetIn(act: Act, version: SeenVersion, place: string, withinDays: number): boolean;
  /** As the tables have it, whatever was judged. */
  look(act: Act, before: Seen, after: Seen): void;
  hasSoaked(act: Act, version: SeenVersion, soak: PolicyWords['requirements']['soak'], atLeastMs: number): boolean;
}

const DAY = 86_400_000;

export function openStays(): StayLedger {
  const stays: PlaceStay[] = [];
  /** Of what stands there now, with the bytes that it came with. */
  const standing = new Map<string, { readonly since: number; readonly digest: string | null }>();
  return {
    note: (act, { version, place, direction, model }, how) => {
      if (version === undefined || (place.kind !== 'stage' && place.kind !== 'alias')) return;
      const words = wordsOf(place);
      if (place.kind === 'alias' && direction === 'enter') {
        // It leaves whoever had it.
        for (const stay of stays) if (stay.place === words && stay.model === model.id) stay.until ??= act.at;
      }
      const own = stays.findLast((each) => each.version === version.id && each.place === words && each.until === undefined);
      if (own !== undefined) own.until = act.at;
      const common = { version: version.id, model: model.id, place: words, digest: version.digest, since: act.at };
      if (direction === 'enter') stays.push({ ...common, admission: how, until: undefined });
    },
    wasLetIn: (act, version, place, withinDays) =>
      stays.some(
        (each) =>
          each.version === version.id &&
          each.place === place &&
          each.admission === 'policy' &&
          each.digest === version.digest &&
          (each.until ?? act.at) >= act.at - withinDays * DAY,
      ),
    look: (act, before, after) => {
      const [then, now] = [placesIn(before), placesIn(after)];
      for (const key of standing.keys()) if (!now.has(key)) standing.delete(key);
      for (const [key, digest] of now)
        if (!then.has(key) || !standing.has(key)) standing.set(key, { since: act.at, digest: then.get(key) ?? digest });
    },
    hasSoaked: (act, version, soak, atLeastMs) => {
      const place = soak?.stage === undefined ? `alias:${soak?.alias}` : `stage:${soak.stage}`;
      const there = standing.get(`${version.id} ${place}`.toLowerCase());
      return there !== undefined && there.digest === version.digest && act.until >= there.since + atLeastMs;
    },
  };
}

function placesIn(seen: Seen): ReadonlyMap<string, string | null> {
  const alive = [...seen.versions.values()].filter((each) => each.isAlive);
  const aliased = [...seen.aliases].map(([key, id]) => [`${id} alias:${key.slice(key.indexOf(' ') + 1)}`, id] as const);
  return new Map([
    ...alive.map((each) => [`${each.id} stage:${each.stage}`.toLowerCase(), each.digest] as const),
    ...aliased.map(([key, id]) => [key.toLowerCase(), seen.versions.get(id)?.digest ?? null] as const),
  ]);
}
