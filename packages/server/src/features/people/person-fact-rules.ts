/** Which persons stand behind an account or a job. Pure. */
import type { Level } from '@countersign/contract/levels.ts';
import type { PolicyPrincipal } from '@countersign/contract/policy-facts.ts';

export interface AccountFacts {
  readonly id: number;
  readonly kind: PolicyPrincipal['kind'];
  readonly name: string;
  readonly state: string;
  readonly owner_id: number | null;
  readonly job_of: number | null;
  readonly starter_account: number | null;
  readonly trust: string | null;
}

/** Ids of the accounts of the person; empty where nobody is known. */
export function personsBehind(row: AccountFacts, byId: ReadonlyMap<number, AccountFacts>): readonly number[] {
  if (row.kind === 'user') return [row.id];
  if (row.kind === 'local') return [];
  // Behind a job of which it isn't known who started it stands nobody, not whoever made the trust.
  const person = byId.get((row.kind === 'service' ? row.owner_id : row.starter_account) ?? -1);
  // The person of a deleted account may have another one now, which nobody knows.
  return person === undefined || person.kind !== 'user' || person.state === 'deleted' ? [] : [person.id];
}

export interface PersonFacts {
  /** Itself, or the account whose access a job has. */
  readonly account: AccountFacts;
  readonly persons: readonly number[];
  readonly groups: readonly string[];
  readonly permissions: readonly string[];
  readonly level: Level | undefined;
}

export function toPrincipal(row: AccountFacts, { account, persons, groups, permissions, level }: PersonFacts): PolicyPrincipal {
  return {
    id: row.id,
    account: account.id,
    kind: row.kind,
    name: row.name,
    isActive: row.state === 'active' && account.state === 'active',
    persons,
    groups,
    level,
    permissions,
    isServingController: false,
    trust: row.trust ?? undefined,
  };
}
