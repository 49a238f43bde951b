import { expect, it } from 'vitest';
import { ALICE, COMPANY, policy, principal } from './policy-worlds.ts';
import { unreachable } from './reach-rules.ts';

const PRODUCTION = { kind: 'stage', stage: 'Production' } as const;
const POLICIES = { kind: 'setting', setting: 'policies' } as const;
const bob = principal(20, 'bob', { groups: ['deciders'], level: 'MANAGE' });
const carol = principal(30, 'carol', { groups: ['deciders'], level: 'MANAGE' });

it('groups with too few active people are named, in the best case of who asks', () => {
  const reached = (requirements: object): readonly string[] => unreachable(policy(requirements), COMPANY, PRODUCTION);
  expect(reached({ approvals: [{ group: 'risk', count: 2 }] })).toEqual([]);
  expect(reached({ approvals: [{ group: 'risk', count: 3 }] })).toEqual(["2 of 3 approvals of group 'risk'"]);
  expect(reached({ approvals: [{ group: 'nobodies' }] })).toEqual(["0 of 1 approvals of group 'nobodies'"]);
  const left = COMPANY.map((each) => (each.name === 'carol' ? { ...each, isActive: false } : each));
  expect(unreachable(policy({ approvals: [{ group: 'risk', count: 2 }] }), left, PRODUCTION)).toEqual(["1 of 2 approvals of group 'risk'"]);
});

it('a person fills one place, where the policy doesn’t say otherwise', () => {
  const both = {
    approvals: [
      { group: 'risk', count: 2 },
      { group: 'legal', count: 2 },
    ],
  };
  expect(unreachable(policy(both), COMPANY, PRODUCTION)).toHaveLength(1);
  expect(unreachable(policy({ ...both, count_person_in: 'each' }), COMPANY, PRODUCTION)).toEqual([]);
});

it('who has a level on a model isn’t known; what a breaking signature needs is counted', () => {
  expect(unreachable(policy({ approvals: [{ level: 'MANAGE', count: 5 }] }), COMPANY, PRODUCTION)).toEqual([]);
  const breaking = { approvals: [{ group: 'risk' }], breaking_signature_needs: { group: 'nobodies', count: 1 } };
  expect(unreachable(policy(breaking), COMPANY, PRODUCTION)).toEqual(["0 of 1 approvals of group 'nobodies'"]);
});

it('of a setting whoever asks is one of those who manage, and his own doesn’t count', () => {
  const asks = policy({ approvals: [{ group: 'deciders', count: 2 }] });
  expect(unreachable(asks, [bob, carol], POLICIES, bob)).toEqual(["1 of 2 approvals of group 'deciders'"]);
  expect(unreachable(asks, [bob, carol, COMPANY[0] ?? bob], POLICIES, principal(ALICE, 'alice'))).toEqual([]);
  expect(unreachable(policy({ approvals: [{ level: 'MANAGE' }] }), [bob, carol], POLICIES, bob)).toEqual([]);
});
