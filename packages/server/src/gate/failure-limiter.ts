/** Slows down whoever tries passwords: failures are counted by name and address together, and by each alone. */
import { Lru } from './lru.ts';

const WINDOW_MS = 15 * 60_000;
const LIMITS = { pair: 10, address: 300, name: 100 } as const;
/** Many people may sign in at once from one address, after a restart behind a proxy: those who didn't fail yet count less there. */
const ADDRESS_AT_ONCE = 1000;
const COUNTED_MAX = 100_000;

interface Count {
  failures: number;
  /** Passwords that are being looked at. */
  underWay: number;
  readonly until: number;
}

interface Limit {
  readonly key: string;
  readonly failures: number;
  /** Failures and those under way. */
  readonly together: number;
}

export interface Attempt {
  end(isRight: boolean): void;
}

export class FailureLimiter {
  readonly #counts = new Lru<string, Count>(COUNTED_MAX);
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /**
   * Undefined: to be answered as a wrong password, without looking. Looking takes a while, so what is under way counts: else any number at once
   * would be looked at before the first is known to be wrong.
   */
  begin(name: string, address: string): Attempt | undefined {
    const limits = limitsOf(name, address);
    if (limits.some((limit) => isReached(limit, this.#find(limit.key)))) return undefined;
    const counts = limits.map(({ key }) => ({ key, count: this.#find(key) ?? this.#start(key) }));
    for (const { count } of counts) count.underWay += 1;
    return {
      end: (isRight) => {
        for (const { key, count } of counts) {
          count.underWay -= 1;
          if (!isRight) count.failures += 1;
          else if (count.failures === 0 && count.underWay === 0 && this.#counts.get(key) === count) this.#counts.delete(key);
        }
      },
    };
  }

  #find(key: string): Count | undefined {
    const count = this.#counts.get(key);
    return count !== undefined && count.until > this.#now() ? count : undefined;
  }

  #start(key: string): Count {
    const count: Count = { failures: 0, underWay: 0, until: this.#now() + WINDOW_MS };
    this.#counts.set(key, count);
    return count;
  }
}

function isReached(limit: Limit, count: Count | undefined): boolean {
  return count !== undefined && (count.failures >= limit.failures || count.failures + count.underWay >= limit.together);
}

/** No account has a longer name, and what is remembered stays small. */
const NAME_CHARACTERS_KEPT = 300;

function limitsOf(given: string, address: string): Limit[] {
  const name = given.slice(0, NAME_CHARACTERS_KEPT);
  return [
    { key: `pair ${address} ${name}`, failures: LIMITS.pair, together: LIMITS.pair },
    { key: `address ${address}`, failures: LIMITS.address, together: ADDRESS_AT_ONCE },
    { key: `name ${name}`, failures: LIMITS.name, together: LIMITS.name },
  ];
}
