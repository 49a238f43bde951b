/** Numbers that look random and come again with their seed, so that a drill that failed can be looked at. */
export interface Chance {
  below(end: number): number;
  is(probability: number): boolean;
  pick<T>(from: readonly T[]): T;
  maybe<T>(from: readonly T[]): T | undefined;
}

/** Mulberry32. */
export function chanceOf(seed: number): Chance {
  let state = seed >>> 0;
  const next = (): number => {
    state = (state + 0x6d2b79f5) >>> 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 2 ** 32;
  };
  const maybe = <T>(from: readonly T[]): T | undefined => from[Math.floor(next() * from.length)];
  return {
    below: (end) => Math.floor(next() * end),
    is: (probability) => next() < probability,
    maybe,
    pick: (from) => {
      const found = maybe(from);
      if (found === undefined) throw new TypeError('something can be picked');
      return found;
    },
  };
}
