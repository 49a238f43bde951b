import { type Scope, seesAll } from '@countersign/contract/access.ts';
import { GRANT_LEVELS, type GrantLevel, RANK, type Rank } from '@countersign/contract/levels.ts';
import fc from 'fast-check';
import { describe, expect, test } from 'vitest';
import { type AccessFacts, compileAccess, NO_ACCESS, type ReachingGrant } from './access-rules.ts';

interface Thing {
  readonly id: number;
  readonly name: string;
}

const THINGS: readonly Thing[] = ['a', 'ab', 'abc', 'b', 'B', 'ä', '😀x', '%', ''].map((name, i) => ({ id: i + 1, name }));
const ABSENT: Thing = { id: 99, name: 'ab-absent' };
const KINDS = ['experiment', 'registered-model'] as const;
const FOLLOWERS: Readonly<Record<(typeof KINDS)[number], readonly string[]>> = {
  experiment: ['experiment', 'run', 'logged-model'],
  'registered-model': ['registered-model', 'registered-model-version', 'prompt'],
};
const EVERYTHING = { objectId: -1, objectName: null, prefix: '' };

const level = fc.oneof({ weight: 2, arbitrary: fc.constantFrom<GrantLevel>('VIEW', 'READ', 'EDIT') }, fc.constantFrom(...GRANT_LEVELS));
const place = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...THINGS).map(({ id, name }) => ({ objectId: id, objectName: name, prefix: '' })) },
  { weight: 3, arbitrary: fc.constantFrom('a', 'ab', 'B', '😀', 'ä', 'zz').map((prefix) => ({ ...EVERYTHING, prefix })) },
  { weight: 1, arbitrary: fc.constant(EVERYTHING) },
);
const kind = fc.constantFrom('experiment', 'registered-model', 'run', 'logged-model', 'registered-model-version', 'prompt', 'review-queue');
const onObjects = fc.tuple(kind, level, place).map(([of, at, where]): ReachingGrant => ({ kind: of, level: at, ...where }));
const onWorkspace = level.map((at): ReachingGrant => ({ kind: 'workspace', level: at, ...EVERYTHING }));
const grants = fc.array(fc.oneof({ weight: 9, arbitrary: onObjects }, { weight: 1, arbitrary: onWorkspace }), { maxLength: 10 });
const facts: fc.Arbitrary<AccessFacts> = fc.record({
  isAdmin: fc.constantFrom(false, false, false, true),
  isBornMember: fc.boolean(),
  memberRank: fc.constantFrom<Rank>(0, 0, RANK.VIEW, RANK.READ, RANK.EDIT),
});

function levelsOfWorkspace(all: readonly ReachingGrant[]): GrantLevel[] {
  return all.filter((each) => each.kind === 'workspace').map((each) => each.level);
}

/** DENY takes all, else the highest; administrators and managers stand above; whom the workspace denies has nothing. */
function naiveRank(of: AccessFacts, all: readonly ReachingGrant[], about: (typeof KINDS)[number], { id, name }: Thing): Rank {
  const ofWorkspace = levelsOfWorkspace(all);
  if (of.isAdmin || ofWorkspace.includes('MANAGE')) return RANK.MANAGE;
  if (ofWorkspace.includes('DENY')) return 0;
  const matching = all.filter((each) => {
    if (!FOLLOWERS[about].includes(each.kind)) return false;
    if (each.objectId >= 0) return each.objectId === id;
    return name.startsWith(each.prefix) && !(each.kind === 'prompt' && each.prefix === '');
  });
  if (matching.some((each) => each.level === 'DENY')) return 0;
  const isMember = of.isBornMember || ofWorkspace.length > 0;
  const levels = [...ofWorkspace.filter((each) => each !== 'USE'), ...matching.map((each) => each.level)];
  return Math.max(isMember ? of.memberRank : 0, ...levels.map((each) => (each === 'DENY' ? 0 : RANK[each])));
}

function shows({ everything, shown, hidden }: Scope, { id, name }: Thing): boolean {
  const isIn = (set: Scope['shown']): boolean => set.ids.includes(id) || set.prefixes.some((prefix) => name.startsWith(prefix));
  return (everything || isIn(shown)) && !isIn(hidden);
}

describe('compiled access', () => {
  test('gives each object what the grants say, by its id and name and by its name alone', () => {
    fc.assert(
      fc.property(facts, grants, (of, all) => {
        const access = compileAccess(of, all);
        for (const about of KINDS) {
          for (const thing of [...THINGS, ABSENT]) {
            const wanted = naiveRank(of, all, about, thing);
            expect(access.rankOf(about, thing)).toBe(wanted);
            expect(access.rankOfName(about, thing.name)).toBe(wanted);
            if (!access.looksAtNames(about)) expect(access.rankOf(about, { id: thing.id })).toBe(wanted);
          }
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('has no floor above what any object has, so that nothing is let through without a look', () => {
    fc.assert(
      fc.property(facts, grants, (of, all) => {
        const access = compileAccess(of, all);
        for (const about of KINDS) {
          for (const thing of [...THINGS, ABSENT]) expect(access.floorOf(about)).toBeLessThanOrEqual(naiveRank(of, all, about, thing));
        }
      }),
    );
  });

  test('has a scope that shows exactly what may be seen', () => {
    fc.assert(
      fc.property(facts, grants, (of, all) => {
        const access = compileAccess(of, all);
        for (const about of KINDS) {
          const scope = access.scopeOf(about);
          for (const thing of [...THINGS, ABSENT]) {
            const isVisible = naiveRank(of, all, about, thing) > 0;
            expect(shows(scope, thing)).toBe(isVisible);
            if (seesAll(scope)) expect(isVisible).toBe(true);
          }
        }
      }),
      { numRuns: 2000 },
    );
  });

  test('lets members create, and those with USE of the workspace; nobody whom it denies', () => {
    fc.assert(
      fc.property(facts, grants, (of, all) => {
        const access = compileAccess(of, all);
        const ofWorkspace = levelsOfWorkspace(all);
        const manages = of.isAdmin || ofWorkspace.includes('MANAGE');
        const isBarred = !manages && ofWorkspace.includes('DENY');
        const hasUse = ofWorkspace.some((each) => each !== 'DENY' && RANK[each] >= RANK.USE);
        expect(access.isAdmin).toBe(of.isAdmin);
        expect(access.isManager).toBe(manages);
        expect(access.mayCreate).toBe(manages || (!isBarred && (of.isBornMember || hasUse)));
        expect(access.isMember).toBe(manages || (!isBarred && (of.isBornMember || all.some((each) => each.level !== 'DENY'))));
      }),
    );
  });

  test('without a grant has nothing', () => {
    expect(NO_ACCESS.isMember || NO_ACCESS.mayCreate || NO_ACCESS.isManager || NO_ACCESS.isAdmin).toBe(false);
    for (const about of KINDS) {
      expect(NO_ACCESS.floorOf(about)).toBe(0);
      expect(THINGS.filter((thing) => shows(NO_ACCESS.scopeOf(about), thing))).toEqual([]);
    }
  });

  test('an account whom one object is denied has no floor, and sees all others', () => {
    const denied: ReachingGrant = { kind: 'registered-model', level: 'DENY', objectId: 1, objectName: 'a', prefix: '' };
    const access = compileAccess({ isAdmin: false, isBornMember: true, memberRank: RANK.READ }, [denied]);
    expect(access.floorOf('registered-model')).toBe(0);
    expect(access.floorOf('experiment')).toBe(RANK.READ);
    expect(access.rankOf('registered-model', { id: 2, name: 'b' })).toBe(RANK.READ);
    expect(access.rankOfName('registered-model', 'a')).toBe(0);
    expect(access.scopeOf('registered-model')).toMatchObject({ everything: true, hidden: { ids: [1], prefixes: [] } });
  });
});
