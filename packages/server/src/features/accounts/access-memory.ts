/** What is read at almost every call and changed rarely: remembered as of a count of changes of access, which every change of it moves. */
import type { Ctx } from '../../platform/context.ts';
import type { Database } from '../../platform/db/database.ts';
import { standingEpoch } from './access-epoch.ts';

interface Entries<V> {
  readonly epoch: number;
  readonly found: Map<string, V>;
}

/** Of one kind, by whatever was asked. Whoever changes it calls `announceChange` first, so nothing is remembered that may be undone. */
export class AccessMemory<V extends NonNullable<unknown>> {
  readonly #entries = new WeakMap<Database, Entries<V>>();
  readonly #max: number;

  constructor(max: number) {
    this.#max = max;
  }

  /** As of now; in a transaction it stays so until the commit. `isKept`: what may change without being announced isn't remembered. */
  async recall(
    ctx: Pick<Ctx, 'db' | 'tx'>,
    question: string,
    read: () => Promise<V>,
    isKept: (found: V) => boolean = () => true,
  ): Promise<V> {
    const epoch = await standingEpoch(ctx);
    if (epoch === undefined) return read();
    const entries = this.#of(ctx.db, epoch);
    const known = entries.found.get(question);
    if (known !== undefined) return known;
    const found = await read();
    // Outside of a transaction it may have changed meanwhile.
    if (!isKept(found) || (await standingEpoch(ctx)) !== epoch) return found;
    if (entries.found.size >= this.#max) entries.found.clear();
    entries.found.set(question, found);
    return found;
  }

  #of(db: Database, epoch: number): Entries<V> {
    const known = this.#entries.get(db);
    if (known?.epoch === epoch) return known;
    const entries = { epoch, found: new Map<string, V>() };
    this.#entries.set(db, entries);
    return entries;
  }
}
