/** From which address and by which token callers do what is recorded. */
import type { Clock, Origin, Principal } from '../../platform/context.ts';
import type { OriginRow } from './event-origin-store.ts';
import { commitment } from './event-rules.ts';

/** One commitment for what a caller does from one address in an hour: an erased address is told by no event, and those of other hours are apart. */
const LASTS_MS = 3_600_000;
const KNOWN_MAX = 5000;

export interface KnownOrigin extends OriginRow {
  readonly madeAt: number;
  /** Whether its row is committed. */
  isStored: boolean;
}

/** What stands for whoever came over the network; undefined for what the server does by itself, also while it answers somebody. */
export function originOf(principal: Principal, origin: Origin | undefined): CallerOrigin | undefined {
  if (origin === undefined || (origin.principalId ?? principal.id) !== principal.id) return undefined;
  return { ...origin, principalId: principal.id };
}

export interface CallerOrigin extends Origin {
  readonly principalId: number;
}

export class KnownOrigins {
  readonly #clock: Clock;
  readonly #known = new Map<string, KnownOrigin>();

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  of({ principalId, address }: CallerOrigin): KnownOrigin {
    const key = `${principalId} ${address}`;
    const madeAt = this.#clock.now();
    const before = this.#known.get(key);
    if (before !== undefined && madeAt - before.madeAt < LASTS_MS) return before;
    const salt = this.#clock.randomBytes(16);
    const made = { commitment: commitment(salt, address), principalId, salt, address, madeAt, isStored: false };
    this.#known.delete(key);
    this.#known.set(key, made);
    if (this.#known.size > KNOWN_MAX) for (const [oldest] of this.#known.entries().take(1)) this.#known.delete(oldest);
    return made;
  }

  /** After rows were erased: what comes is committed to anew. */
  forget(): void {
    this.#known.clear();
  }
}
