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
  /** The account that can decide less afterwards. */
  readonly loses?: number;
}

export type Governor = (ctx: TxCtx, change: SettingChange) => Promise<void>;

const governors = new WeakMap<Database, Governor>();

export function setGovernor(db: Database, governor: Governor): void {
  governors.set(db, governor);
}

/** As the words of a change name an account: a name may be another's by the time that the change is made. */
export function accountWords({ id, name }: { readonly id: number; readonly name: string }): string {
  return `${name} (account ${id})`;
}

/** Throws where the policies in force don't allow it. In the transaction of the change, before it. */
export async function governSetting(ctx: TxCtx, change: SettingChange): Promise<void> {
  await governors.get(ctx.db)?.(ctx, change);
}
