/** Who stands behind whom, as the oracle of a drill reads it. */
import type { Identity } from './acts.ts';
import type { PolicyWords, Seen, SeenVersion } from './seen.ts';

export interface PeopleReading {
  find(id: number): Identity | undefined;
  isJob(id: number): boolean;
  personsOf(seen: Seen, id: number): readonly number[];
  withSelf(seen: Seen, id: number): readonly number[];
  isInRole(seen: Seen, person: number, role: { readonly group?: string }): boolean;
  /** Of it, and of whatever it was copied from. */
  creatorsOf(seen: Seen, version: SeenVersion | undefined): readonly number[];
  /** Persons that don't count, or undefined where it isn't known who they are and that must be known. */
  excluded(
    seen: Seen,
    rules: PolicyWords['requirements'],
    requesters: readonly number[],
    version: SeenVersion | undefined,
  ): ReadonlySet<number> | undefined;
  /** Whether so many different persons fill the places, each one of them. */
  fill(seen: Seen, places: readonly { readonly group?: string }[], persons: readonly number[]): boolean;
}

export function readPeople(find: (id: number) => Identity | undefined): PeopleReading {
  const personsOf = (seen: Seen, id: number): readonly number[] => {
    const identity = find(id);
    if (identity?.kind === 'service') return [seen.accounts.get(id)?.owner ?? -1].filter((owner) => owner >= 0);
    return identity?.person === undefined ? [] : [identity.person];
  };
  const isInRole = (seen: Seen, person: number, role: { readonly group?: string }): boolean =>
    seen.accounts.get(person)?.isActive === true &&
    (role.group === undefined ? seen.accounts.get(person)?.isAdmin === true : seen.members.has(`${role.group} ${person}`));
  const creatorsOf = (seen: Seen, version: SeenVersion | undefined): readonly number[] => {
    const found: number[] = [];
    for (let at = version; at !== undefined; at = at.origin === null ? undefined : seen.versions.get(at.origin))
      found.push(at.registeredBy);
    return found;
  };
  const fill = (seen: Seen, places: readonly { readonly group?: string }[], persons: readonly number[]): boolean => {
    const [place, ...rest] = places;
    if (place === undefined) return true;
    return persons.some((person, at) => isInRole(seen, person, place) && fill(seen, rest, persons.toSpliced(at, 1)));
  };
  return {
    find,
    isJob: (id) => find(id)?.kind === 'ci',
    personsOf,
    withSelf: (seen, id) => [id, ...personsOf(seen, id)],
    isInRole,
    creatorsOf,
    fill,
    excluded: (seen, rules, requesters, version) => {
      const actors = rules.self_approval ? [] : [...requesters, ...creatorsOf(seen, version)];
      if (rules.exclude.includes('last_editor') && version !== undefined)
        actors.push(seen.versions.get(version.id)?.editedBy ?? version.editedBy);
      const persons = actors.map((id) => personsOf(seen, id));
      if (rules.unlinked === 'refuse' && persons.some((each) => each.length === 0)) return undefined;
      return new Set(persons.flat());
    },
  };
}

/** Who has an open request for the change; whoever makes it, where nobody has. */
export function requestersOf(seen: Seen, asked: readonly (readonly [string, string])[], caller: number): readonly number[] {
  const open = asked.flatMap(([about, subject]) => openRequests(seen, about, subject));
  return open.length === 0 ? [caller] : open.map((each) => each.by);
}

export function openRequests(seen: Seen, about: string, subject: string) {
  return [...seen.requests.values()].filter((each) => each.about === about && each.subject === subject && each.state === 'open');
}
