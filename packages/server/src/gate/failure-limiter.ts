/** Slows down whoever tries passwords: failures are counted by name and address together, and by each alone. */
import { Lru } from './lru.ts';

const WINDOW_MS = 15 * 60_000;
const LIMITS = { pair: 10, address: 300, name: 100 } as const;
const COUNTED_MAX = 100_000;

interface Count {
  failures: number;
  readonly until: number;
}

export class FailureLimiter {
  readonly #counts = new Lru<string, Count>(COUNTED_MAX);
  readonly #now: () => number;

  constructor(now: () => number) {
    this.#now = now;
  }

  /** Such an attempt is answered as a wrong password, without looking. */
  isLimited(name: string, address: string): boolean {
    return keysOf(name, address).some(([key, limit]) => (this.#count(key)?.failures ?? 0) >= limit);
  }

  note(name: string, address: string): void {
    for (const [key] of keysOf(name, address)) {
      const count = this.#count(key);
      if (count) count.failures += 1;
      else this.#counts.set(key, { failures: 1, until: this.#now() + WINDOW_MS });
    }
  }

  #count(key: string): Count | undefined {
    const count = this.#counts.get(key);
    return count !== undefined && count.until > this.#now() ? count : undefined;
  }
}

function keysOf(name: string, address: string): [string, number][] {
  return [
    [`pair ${address} ${name}`, LIMITS.pair],
    [`address ${address}`, LIMITS.address],
    [`name ${name}`, LIMITS.name],
  ];
}
