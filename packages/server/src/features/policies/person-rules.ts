/** Who stands behind an account: a person counts once, through whatever token or service account. Pure. */
import { RANK } from '@countersign/contract/levels.ts';
import type { GovernedTarget } from '@countersign/contract/permit.ts';
import type { Excludable, PolicyRole } from '@countersign/contract/policies.ts';
import type { PolicyFacts, PolicyPrincipal } from '@countersign/contract/policy-facts.ts';

export interface People {
  find(id: number): PolicyPrincipal | undefined;
  /** Ids of the accounts of the person behind an account. A job has those of who started it; empty where nobody is known. */
  personsOf(id: number): readonly number[];
  /** The account itself and those of `personsOf`. */
  actingAs(id: number): readonly number[];
  /** As a sentence names it. */
  nameOf(id: number): string;
  /** The same of the account: a job has a name of its own, and acts by the account of its trust. */
  accountNameOf(id: number): string;
  /** Whether a person is in a role, by whatever account of his own; service accounts and jobs give him none. */
  holds(persons: readonly number[], role: PolicyRole): boolean;
  /** Active users who are in a role, in the order of the facts. */
  inRole(role: PolicyRole): readonly PolicyPrincipal[];
}

export function peopleOf(facts: PolicyFacts): People {
  const byId = new Map(facts.principals.map((each) => [each.id, each]));
  return {
    find: (id) => byId.get(id),
    personsOf: (id) => byId.get(id)?.persons ?? [],
    actingAs: (id) => [byId.get(id)?.account ?? id, ...(byId.get(id)?.persons ?? [])],
    nameOf: (id) => byId.get(id)?.name ?? `account ${id}`,
    accountNameOf: (id) => (byId.get(byId.get(id)?.account ?? id) ?? byId.get(id))?.name ?? `account ${id}`,
    holds: (persons, role) => persons.some((id) => isInRole(byId.get(id), role)),
    inRole: (role) => facts.principals.filter((each) => isInRole(each, role)),
  };
}

function isInRole(principal: PolicyPrincipal | undefined, role: PolicyRole): boolean {
  if (principal === undefined || principal.kind !== 'user' || !principal.isActive) return false;
  if (role.group !== undefined) return principal.groups.includes(role.group);
  if (role.level === undefined || principal.level === undefined) return false;
  return RANK[principal.level] >= RANK[role.level];
}

export function roleWords(role: PolicyRole, target: GovernedTarget): string {
  if (role.group !== undefined) return `a member of group '${role.group}'`;
  return target.kind === 'setting' ? 'somebody who manages the workspace' : `somebody with ${role.level ?? 'no level'} on the model`;
}

/** Who is excluded from approving, and as what. */
export interface Exclusion {
  /** Ids of accounts of excluded persons, and of what acted itself. */
  readonly ids: ReadonlyMap<number, Excludable>;
  /** Those of whom nobody knows which person they are. */
  readonly unlinked: readonly { readonly id: number; readonly as: Excludable }[];
}

const AS_WORDS: Readonly<Record<Excludable, string>> = {
  requester: 'the requester',
  version_creator: 'who made the version',
  run_author: 'the author of the run',
  last_editor: 'the last editor',
};

export function excludedWords(as: Excludable): string {
  return AS_WORDS[as];
}

export function exclusionOf(facts: PolicyFacts, people: People, roles: readonly Excludable[]): Exclusion {
  const ids = new Map<number, Excludable>();
  const unlinked: { id: number; as: Excludable }[] = [];
  for (const as of roles) {
    for (const id of new Set(actorsOf(facts, as))) {
      const persons = people.personsOf(id);
      for (const each of people.actingAs(id)) if (!ids.has(each)) ids.set(each, as);
      if (persons.length === 0) unlinked.push({ id, as });
    }
  }
  return { ids, unlinked };
}

export function actorsOf(facts: PolicyFacts, as: Excludable): readonly number[] {
  switch (as) {
    case 'requester':
      return facts.requesters;
    case 'version_creator':
      return facts.version === undefined ? facts.creators : [facts.version.registeredBy, ...facts.creators];
    case 'run_author':
      return facts.runAuthors;
    case 'last_editor':
      return facts.lastEditors;
  }
}
