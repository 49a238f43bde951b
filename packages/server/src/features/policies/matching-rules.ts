/** Which persons fill which places, so that as many as possible are filled. Pure. */

/**
 * A maximum matching (Kuhn). `candidates[place]`: the persons that fit it, as numbers from 0. Answers for each place the person that fills it.
 * Places are filled in their order: what an earlier one can have, a later one never takes away.
 */
export function matchPlaces(candidates: readonly (readonly number[])[]): readonly (number | undefined)[] {
  const placeOf = new Map<number, number>();
  for (let place = 0; place < candidates.length; place++) seat(place, candidates, placeOf, new Set());
  const persons: (number | undefined)[] = candidates.map(() => undefined);
  for (const [person, place] of placeOf) persons[place] = person;
  return persons;
}

function seat(place: number, candidates: readonly (readonly number[])[], placeOf: Map<number, number>, tried: Set<number>): boolean {
  for (const person of candidates[place] ?? []) {
    if (tried.has(person)) continue;
    tried.add(person);
    const taken = placeOf.get(person);
    if (taken === undefined || seat(taken, candidates, placeOf, tried)) {
      placeOf.set(person, place);
      return true;
    }
  }
  return false;
}
