/** Whether the record and its checkpoints are whole where they are stored. */
import { type Ctx, reading } from '../../platform/context.ts';
import type { Queries } from '../../platform/db/database.ts';
import * as events from '../events/events.ts';
import { CheckpointAudit } from './checkpoint-audit-rules.ts';
import * as store from './checkpoint-store.ts';
import { frontierBytes } from './merkle-rules.ts';

interface BadCheckpoint {
  /** Over how many events. */
  readonly size: number;
  readonly reason: string;
}

export interface RecordVerdict extends events.ChainVerdict {
  /** How many were held against the events. */
  readonly checkpoints: number;
  readonly firstBadCheckpoint?: BadCheckpoint;
}

/** Recomputes every hash, and holds every checkpoint and every key against them. */
export async function verifyRecord(ctx: Ctx): Promise<RecordVerdict> {
  const db = reading(ctx);
  const { serverId } = await events.findEnd(db);
  // Before the keys: later ones may be signed by a key that isn't there yet.
  const newest = await store.findNewest(db);
  const check = new CheckpointCheck(db, serverId, newest?.size ?? 0);
  await check.takeKeys();
  const chain = await events.verifyChain(db, (stretch) => check.take(stretch));
  if (chain.ok) check.end(chain.events);
  const { bad, count } = check;
  return { ...chain, ok: chain.ok && bad === undefined, checkpoints: count, ...(bad === undefined ? {} : { firstBadCheckpoint: bad }) };
}

class CheckpointCheck {
  readonly #db: Queries;
  readonly #serverId: string;
  readonly #newestSize: number;
  readonly #audit: CheckpointAudit;
  count = 0;
  bad: BadCheckpoint | undefined;

  constructor(db: Queries, serverId: string, newestSize: number) {
    this.#db = db;
    this.#serverId = serverId;
    this.#newestSize = newestSize;
    this.#audit = new CheckpointAudit({ serverId });
  }

  async takeKeys(): Promise<void> {
    for (const key of await store.listKeys(this.#db)) {
      const reason = this.#audit.takeKey(key);
      if (reason !== undefined) this.bad ??= { size: this.#newestSize, reason: `can't be trusted: checkpoint key ${key.number} ${reason}` };
    }
  }

  /** Events in order; every checkpoint that one of them completes. */
  async take(stretch: readonly events.VerifiedEvent[]): Promise<void> {
    const [first, last] = [stretch[0], stretch.at(-1)];
    if (this.bad !== undefined || first === undefined || last === undefined) return;
    const untilSize = Math.min(last.seq, this.#newestSize);
    const due = await store.list(this.#db, { afterSize: first.seq - 1, untilSize, newestFirst: false, limit: stretch.length });
    const bySize = new Map(due.map((row) => [row.size, row]));
    for (const { seq, hash } of stretch) {
      this.#audit.takeEvent(hash);
      const row = bySize.get(seq);
      if (row !== undefined) this.#takeCheckpoint(row);
      if (this.bad !== undefined) return;
    }
  }

  #takeCheckpoint(row: store.CheckpointRow): void {
    const isFrontier = frontierBytes(this.#audit.frontier).equals(row.frontier);
    const reason =
      this.#audit.takeCheckpoint({ ...row, serverId: this.#serverId }) ??
      (isFrontier ? undefined : 'is kept with the frontier of another tree');
    if (reason === undefined) this.count += 1;
    else this.bad = { size: row.size, reason };
  }

  end(events: number): void {
    if (this.#newestSize > events)
      this.bad ??= {
        size: this.#newestSize,
        reason: `is over ${this.#newestSize} events, and there are ${events}: the record was cut off`,
      };
  }
}
