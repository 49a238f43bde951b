/** The count of changes of access: as of which what decisions rest on is remembered, and under which it is held until a commit. */
import type { Ctx, TxCtx } from '../../platform/context.ts';
import type { Database } from '../../platform/db/database.ts';
import * as store from './account-store.ts';

/** More changes than this behind, and whoever follows them starts anew. */
export const CHANGES_KEPT = 10_000;

export interface ConcernedByChange {
  /** Undefined: everyone. */
  readonly principalId?: number;
  /** It only adds this grant. */
  readonly grantId?: number;
  /** It is about something that nobody else knows yet, so that nobody decides by it. */
  readonly isOfNewObject?: boolean;
}

/** The highest count that this process gave out; its transaction may be under way, or undone. */
const announced = new WeakMap<Database, number>();
/** The highest count that this process read. */
const read = new WeakMap<Database, number>();
/** On PostgreSQL, by batch: the count under which a transaction holds access. */
const held = new WeakMap<object, Promise<number>>();

/** Counts a change of access in the caller's transaction. Whoever decides by what it changes is done before it, or sees it. */
export async function announceChange(ctx: TxCtx, concerned: ConcernedByChange = {}): Promise<void> {
  if (concerned.isOfNewObject !== true) await lockAccess(ctx);
  const epoch = await store.nextEpoch(ctx.tx);
  held.delete(ctx.tx.batch);
  announced.set(ctx.db, Math.max(announced.get(ctx.db) ?? 0, epoch));
  await store.insertChange(ctx.tx, epoch, concerned.principalId ?? null, concerned.grantId ?? null);
  if (epoch % 1000 === 0) await store.forgetChanges(ctx.tx, epoch - CHANGES_KEPT);
}

/** How many changes of access were committed. `known`: where no other process can have made one, it is read only after one of this process. */
export async function getEpoch(db: Database, known: number): Promise<number> {
  if (db.dialect === 'sqlite' && known >= (announced.get(db) ?? 0)) return known;
  const epoch = await store.getEpoch(db);
  // Answers come in any order, and the count never goes back.
  read.set(db, Math.max(read.get(db) ?? 0, epoch));
  return epoch;
}

/**
 * The count that holds for whatever asks now, as far as it is known without a statement: on SQLite, where it can't have moved since it was read; on
 * PostgreSQL, what the last request read when it came in. Undefined: it must be read.
 */
export function knownEpoch(db: Database): number | undefined {
  const epoch = read.get(db);
  return epoch !== undefined && epoch >= (announced.get(db) ?? 0) ? epoch : undefined;
}

/**
 * The count as of which what is read here may be remembered, and what was remembered holds; in a transaction it holds until the commit, whichever
 * process would change anything. Undefined where it isn't known, or where the transaction may see what isn't committed.
 */
export async function standingEpoch({ db, tx }: Pick<Ctx, 'db' | 'tx'>): Promise<number | undefined> {
  if (tx?.dialect !== 'postgres') {
    // One process changes SQLite, one transaction after another.
    if (tx === undefined && knownEpoch(db) === undefined) await getEpoch(db, -1);
    return knownEpoch(db);
  }
  let epoch = held.get(tx.batch);
  if (epoch === undefined) {
    // Read after the lock is there, with what was committed while it was waited for.
    epoch = Promise.all([store.holdAccess(tx), store.getEpoch(tx)]).then(([, found]) => found);
    held.set(tx.batch, epoch);
  }
  // Nothing uncommitted is behind a count that a request read.
  return (await epoch) === knownEpoch(db) ? epoch : undefined;
}

/** For a change of access that is decided about first: by then nobody else decides. */
export function lockAccess(ctx: TxCtx): Promise<void> {
  return store.lockAccess(ctx.tx);
}

export function listChanges(db: Database, afterEpoch: number): Promise<store.AccessChange[]> {
  return store.listChanges(db, afterEpoch, CHANGES_KEPT);
}
