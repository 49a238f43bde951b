/**
 * Who is asked before a change of administration: the policies stand further up, so they are given in where the server is put together. Without a
 * governor, as in commands of the host's owner who has the data to himself, nobody is asked.
 */

import type { Level } from '@countersign/contract/levels.ts';
import type { GOVERNED_SETTINGS } from '@countersign/contract/policies.ts';
import type { TxCtx } from '../../platform/context.ts';
import type { Database } from '../../platform/db/database.ts';

export interface SettingChange {
  readonly setting: (typeof GOVERNED_SETTINGS)[number];
  /** What would change, in full: an approval is of these words. */
  readonly words: string;
  /** -1: of the whole server. */
  readonly workspaceId: number;
  /** The change is governed only where a policy in force names one of these; always, where none is given. */
  readonly names?: {
    readonly group?: string;
    /** One that is there: what it has, its members get. */
    readonly groupId?: number;
    readonly permission?: string;
    readonly level?: Level;
    readonly checks?: readonly string[];
    /** Names of accounts whose reports policies ask for. */
    readonly reporters?: readonly string[];
  };
  /** The account that can decide less afterwards; 'group': whoever is in the group that is named. */
  readonly loses?: number | 'group';
}

export type Governor = (ctx: TxCtx, change: SettingChange) => Promise<void>;

/** What a change takes away beside what is read of people afterwards. */
export interface Loss {
  /** Who can't sign in any more. */
  readonly accounts?: readonly number[];
  /** An identity provider says so as somebody signs in: that is told, and not refused. */
  readonly isClaimed?: boolean;
}

/** Does what takes something away from people; throws where too few would be left who can decide settings. */
export type Keeper = <T>(ctx: TxCtx, work: () => Promise<T>, loss: Loss) => Promise<T>;

const governors = new WeakMap<Database, Governor>();
const keepers = new WeakMap<Database, Keeper>();

export function setGovernor(db: Database, governor: Governor, keeper?: Keeper): void {
  governors.set(db, governor);
  if (keeper !== undefined) keepers.set(db, keeper);
}

/** As the words of a change name an account: a name may be another's by the time that the change is made. */
export function accountWords({ id, name }: { readonly id: number; readonly name: string }): string {
  return `${name} (account ${id})`;
}

/** Throws where the policies in force don't allow it. In the transaction of the change, before it. */
export async function governSetting(ctx: TxCtx, change: SettingChange): Promise<void> {
  await governors.get(ctx.db)?.(ctx, change);
}

/** For each change that takes something away: in its transaction, with the change as the work. Inside of another one, that one looks. */
export async function takingAway<T>(ctx: TxCtx, work: () => Promise<T>, loss: Loss = {}): Promise<T> {
  const keeper = keepers.get(ctx.db);
  if (keeper === undefined || underWay.has(ctx.tx)) return work();
  underWay.add(ctx.tx);
  try {
    return await keeper(ctx, work, loss);
  } finally {
    underWay.delete(ctx.tx);
  }
}

const underWay = new WeakSet<object>();
