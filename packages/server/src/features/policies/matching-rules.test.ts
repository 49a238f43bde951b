import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { matchPlaces } from './matching-rules.ts';

/** Tries everything. */
function mostPlaces(candidates: readonly (readonly number[])[], used: ReadonlySet<number> = new Set()): number {
  const [first, ...rest] = candidates;
  if (first === undefined) return 0;
  const with_ = first.filter((person) => !used.has(person)).map((person) => 1 + mostPlaces(rest, new Set([...used, person])));
  return Math.max(mostPlaces(rest, used), ...with_);
}

describe('persons in places', () => {
  it('fill as many as trying everything finds, each person one and only what fits', () => {
    const candidates = fc.array(fc.uniqueArray(fc.nat(4), { maxLength: 5 }), { maxLength: 6 });
    fc.assert(
      fc.property(candidates, (places) => {
        const persons = matchPlaces(places);
        const filled = persons.filter((person) => person !== undefined);
        expect(filled.length).toBe(mostPlaces(places));
        expect(new Set(filled).size).toBe(filled.length);
        persons.forEach((person, place) => {
          if (person !== undefined) expect(places[place]).toContain(person);
        });
      }),
      { numRuns: 500 },
    );
  });

  it('make room for each other', () => {
    expect(matchPlaces([[1, 2], [1]])).toEqual([2, 1]);
    expect(matchPlaces([[1], [1]])).toEqual([1, undefined]);
  });
});
