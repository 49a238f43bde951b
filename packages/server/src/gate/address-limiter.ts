/** Slows down whoever asks too often from one address: attempts in a window that begins with the first. */
import { Lru } from './lru.ts';

const ADDRESSES_MAX = 100_000;

export interface AddressLimit {
  readonly most: number;
  readonly windowMs: number;
}

export class AddressLimiter {
  readonly #counts = new Lru<string, { attempts: number; readonly until: number }>(ADDRESSES_MAX);
  readonly #now: () => number;
  readonly #limit: AddressLimit;

  constructor(now: () => number, limit: AddressLimit) {
    this.#now = now;
    this.#limit = limit;
  }

  isLimited(address: string): boolean {
    const count = this.#counts.get(address);
    return count !== undefined && count.until > this.#now() && count.attempts >= this.#limit.most;
  }

  note(address: string): void {
    const count = this.#counts.get(address);
    if (count !== undefined && count.until > this.#now()) count.attempts += 1;
    else this.#counts.set(address, { attempts: 1, until: this.#now() + this.#limit.windowMs });
  }
}
