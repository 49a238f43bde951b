import type { PolicyFacts } from '@countersign/contract/policy-facts.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from './decision-rules.ts';
import type { NamedPolicy } from './policy-hash-rules.ts';
import { approval, check, DAY, facts, NOW, policy, principal, type RandomWorld, randomWorld } from './policy-worlds.ts';

const RUNS = { numRuns: 300 };

/** By trying every way of seating the persons. */
function fits(places: readonly string[], persons: readonly (readonly string[])[]): boolean {
  const [place, ...rest] = places;
  if (place === undefined) return true;
  return persons.some((groups, index) => groups.includes(place) && fits(rest, persons.toSpliced(index, 1)));
}

/** A second reading of the rules for approvals and checks: slower, and by other means. */
function oracle({ policy: { document, hash }, facts: { principals, ...world } }: RandomWorld): boolean {
  const personOf = (id: number): number => principals.find((each) => each.id === id)?.persons[0] ?? -1;
  const version = world.version;
  if (version === undefined) throw new Error('a version is expected');
  const asked = document.requirements;
  const barred = new Set(
    [
      world.requesters,
      [version.registeredBy],
      asked.exclude.includes('run_author') ? world.runAuthors : [],
      asked.exclude.includes('last_editor') ? world.lastEditors : [],
    ].flatMap((ids) => ids.map(personOf)),
  );
  const approvers = new Set(
    world.approvals
      .filter((each) => each.digest === world.binding.digest && each.policies[0] === hash && world.now - each.at < 14 * DAY)
      .filter((each) => principals.find(({ id }) => id === each.by)?.isActive)
      .map((each) => personOf(each.by))
      .filter((person) => !barred.has(person)),
  );
  const groups = [...approvers].map((person) => {
    const user = principals.find((each) => each.id === person);
    return user?.isActive ? user.groups : [];
  });
  const places = asked.approvals.map(({ group = '', count }) => Array.from({ length: count }, () => group));
  const hasApprovals = asked.count_person_in === 'each' ? places.every((each) => fits(each, groups)) : fits(places.flat(), groups);
  const own = new Set([...world.requesters, version.registeredBy].map(personOf));
  const hasChecks = asked.checks.every(({ name, max_age }) => {
    const last = version.checks.filter((each) => each.name === name && !own.has(personOf(each.by))).at(-1);
    return last?.conclusion === 'success' && (max_age === undefined || world.now - last.at < DAY);
  });
  return hasApprovals && hasChecks;
}

describe('decisions', () => {
  it('are those of a second reading of the rules', () => {
    let allowed = 0;
    fc.assert(
      fc.property(randomWorld(4), (world) => {
        const { isAllowed } = decide(world.policy, world.facts);
        if (isAllowed) allowed++;
        expect(isAllowed).toBe(oracle(world));
      }),
      { numRuns: 1000 },
    );
    // Otherwise nothing was shown.
    expect(allowed).toBeGreaterThan(20);
  });

  it('never let a person alone satisfy a policy that asks for an approval and has no weakness', () => {
    fc.assert(
      fc.property(randomWorld(1), (world) => {
        const decision = decide(world.policy, world.facts);
        expect(decision.weaknesses).toEqual([]);
        expect(decision.isAllowed).toBe(false);
      }),
      RUNS,
    );
    fc.assert(
      fc.property(randomWorld(4), fc.integer({ min: 1, max: 4 }), (world, person) => {
        // Only what this person's accounts did is left; who made the version counts as another's doing where it was another.
        const isHis = (id: number): boolean => world.facts.principals.some((each) => each.id === id && each.persons.includes(person));
        const his = { ...world.facts, requesters: [person] as const, approvals: world.facts.approvals.filter((each) => isHis(each.by)) };
        expect(decide(world.policy, his).isAllowed).toBe(false);
      }),
      RUNS,
    );
  });

  it('stay allowed when an approval comes, or a green report of a check', () => {
    fc.assert(
      fc.property(randomWorld(4), fc.nat(), fc.constantFrom('a', 'b'), (world, seed, name) => {
        const { policy: rule, facts: before } = world;
        const someone = before.principals[seed % before.principals.length]?.id ?? 0;
        const added = approval(rule, someone, { id: 99 });
        const green = check(name, { id: 99, by: someone, at: before.now });
        const version = before.version && { ...before.version, checks: [...before.version.checks, green] };
        if (!decide(rule, before).isAllowed) return;
        expect(decide(rule, { ...before, approvals: [...before.approvals, added] }).isAllowed).toBe(true);
        expect(decide(rule, { ...before, version }).isAllowed).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it('do not depend on the order of the facts', () => {
    fc.assert(
      fc.property(randomWorld(4), (world) => {
        const { policy: rule, facts: before } = world;
        const version = before.version && { ...before.version, checks: before.version.checks.toReversed() };
        const turned = { ...before, version, approvals: before.approvals.toReversed(), principals: before.principals.toReversed() };
        expect(decide(rule, turned).isAllowed).toBe(decide(rule, before).isAllowed);
      }),
      RUNS,
    );
  });

  it('are allowed exactly where nothing is missing', () => {
    fc.assert(
      fc.property(randomWorld(3), (world) => {
        const decision = decide(world.policy, world.facts);
        expect(decision.isAllowed).toBe(decision.missing.length === 0);
        expect(decision.isSatisfied).toBe(decision.isAllowed);
        if (decision.isAllowed) expect(decision.nextPossibleAt).toBe(NOW);
      }),
      RUNS,
    );
  });
});

describe('the next possible moment', () => {
  const hours = (n: number): number => n * 3_600_000;
  const world = fc.record({
    soakDays: fc.integer({ min: 1, max: 14 }),
    freezes: fc.array(fc.record({ day: fc.integer({ min: 1, max: 20 }), days: fc.integer({ min: 1, max: 4 }) }), { maxLength: 3 }),
    ageDays: fc.integer({ min: 0, max: 13 }),
    changedHoursAgo: fc.option(fc.integer({ min: 1, max: 200 }), { nil: undefined }),
    maxAge: fc.constantFrom('2d', '6d', '20d'),
  });

  it('is the first: then it is allowed, and at no hour before', () => {
    let waited = 0;
    fc.assert(
      fc.property(world, ({ soakDays, freezes, ageDays, changedHoursAgo, maxAge }) => {
        const pad = (n: number): string => String(n).padStart(2, '0');
        const freeze = freezes.map(({ day, days }) => ({
          dated: { from: `2026-05-${pad(day)} 00:00`, to: `2026-05-${pad(day + days)} 06:00` },
          time_zone: 'UTC',
        }));
        const requirements = {
          approvals: [{ group: 'g' }],
          soak: { stage: 'Staging', at_least: `${soakDays}d` },
          checks: [{ name: 'ci/tests', max_age: maxAge }],
        };
        const rule = policy(requirements, { freeze });
        const base = facts({
          principals: [...facts().principals, principal(50, 'gert', { groups: ['g'] })],
          approvals: [approval(rule, 50, { at: NOW - ageDays * DAY })],
          accessChanges: changedHoursAgo === undefined ? [] : [{ about: 50, by: 1, at: NOW - hours(changedHoursAgo) }],
          requestedAt: NOW,
        });
        const next = decide(rule, base).nextPossibleAt;
        const isAllowedAt = (now: number): boolean => decide(rule, { ...base, now }).isAllowed;
        if (next !== null) expect(isAllowedAt(next)).toBe(true);
        if (next !== null && next > NOW) waited++;
        const end = next ?? NOW + 30 * DAY;
        for (let now = NOW; now < end; now += hours(6)) expect(isAllowedAt(now)).toBe(false);
      }),
      { numRuns: 60 },
    );
    expect(waited).toBeGreaterThan(3);
  });
});

describe('every small world', () => {
  const GROUP = 'g';
  const accounts = [
    principal(1, 'one', { groups: [GROUP] }),
    principal(2, 'two', { groups: [GROUP] }),
    principal(3, 'three'),
    principal(11, 'robot of one', { kind: 'service', persons: [1], groups: [GROUP] }),
    principal(12, 'job of two', { kind: 'ci', account: 90, persons: [2], groups: [GROUP] }),
    principal(13, 'job of nobody', { kind: 'ci', account: 91, persons: [], groups: [GROUP] }),
  ];
  const ids = accounts.map((each) => each.id);
  const subsets = Array.from({ length: 2 ** ids.length }, (_, bits) => ids.filter((_id, at) => bits & (1 << at)));
  const variants = [1, 2].flatMap((count) =>
    [false, true].flatMap((self_approval) =>
      ['refuse', 'pass'].map((unlinked) => ({ self_approval, unlinked, approvals: [{ group: GROUP, count }] })),
    ),
  );

  function expected(rule: NamedPolicy, requester: number, creator: number, approving: readonly number[]): boolean {
    const { self_approval, unlinked, approvals } = rule.document.requirements;
    const person = new Map([
      [1, 1],
      [2, 2],
      [3, 3],
      [11, 1],
      [12, 2],
    ]);
    if (!self_approval && unlinked === 'refuse' && (requester === 13 || creator === 13)) return false;
    const barred = self_approval ? [] : [person.get(requester), person.get(creator)];
    const counted = new Set(approving.filter((id) => id < 12 && id !== 3).map((id) => person.get(id)));
    for (const each of barred) counted.delete(each);
    return counted.size >= (approvals[0]?.count ?? 0);
  }

  it('of two approvers, a bystander, a robot and two jobs is decided by what its persons did', () => {
    for (const requirements of variants) {
      const rule = policy(requirements);
      const given = new Map(ids.map((id) => [id, approval(rule, id)]));
      for (const requester of ids)
        for (const creator of ids)
          for (const approving of subsets) {
            const approvals = approving.map((id) => given.get(id)).filter((each) => each !== undefined);
            const world: PolicyFacts = facts({ principals: accounts, requesters: [requester], approvals }, { registeredBy: creator });
            if (decide(rule, world).isAllowed !== expected(rule, requester, creator, approving))
              expect({ requirements, requester, creator, approving }).toBe('decided otherwise');
          }
    }
  });
});
