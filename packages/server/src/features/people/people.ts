/** Who stands behind which account: what a decision about a governed change must know of people. */
import type { AccessChangeFact, PolicyPrincipal } from '@countersign/contract/policy-facts.ts';
import type { Ctx } from '../../platform/context.ts';

export interface PeopleQuestion {
  /** As rows name them. */
  readonly ids: readonly number[];
  /** Names of groups (of the workspace or server-wide) whose members must be known. */
  readonly groups: readonly string[];
  /** Whose levels are asked; undefined where the change is of no model. */
  readonly model: { readonly id: number; readonly name: string } | undefined;
  /** Epoch ms: changes of anybody's credentials or groups since then. */
  readonly changedSince: number;
}

export interface PeopleFacts {
  readonly principals: readonly PolicyPrincipal[];
  readonly accessChanges: readonly AccessChangeFact[];
}

export function readPeople(_ctx: Ctx, _question: PeopleQuestion): Promise<PeopleFacts> {
  throw new Error('not there yet');
}
