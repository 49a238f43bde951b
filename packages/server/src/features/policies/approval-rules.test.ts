import type { PolicyDecision } from '@countersign/contract/policy-decisions.ts';
import type { PolicyFacts } from '@countersign/contract/policy-facts.ts';
import { describe, expect, it } from 'vitest';
import { decide } from './decision-rules.ts';
import type { NamedPolicy } from './policy-hash-rules.ts';
import {
  ALICE,
  ALICES_JOB,
  approval,
  BOB,
  BOBS_ROBOT,
  CAROL,
  DAVE,
  DAY,
  ERIN,
  facts,
  missing,
  NIGHTLY_JOB,
  NOW,
  policy,
  principal,
} from './policy-worlds.ts';

describe('an approval', () => {
  const two = policy({ approvals: [{ group: 'risk', count: 2 }] });
  const reasons = (decision: PolicyDecision): string[] => decision.staleApprovals.map((each) => each.reason);

  it.each([
    ['another-subject', { subject: 'stage:Staging' }],
    ['digest-changed', { digest: 'other' }],
    ['unsealed', { digest: null }],
    ['evidence-changed', { evidence: 'other' }],
    ['policy-changed', { policies: ['other'] }],
    ['expired', { at: NOW - 14 * DAY }],
  ] as const)('is stale: %s', (reason, more) => {
    const decision = decide(two, facts({ approvals: [approval(two, BOB, more), approval(two, CAROL)] }));
    expect(decision).toMatchObject({ isAllowed: false, staleApprovals: [{ id: BOB, by: BOB, reason }] });
    expect(decision.missing.map((each) => each.what)).toEqual(["1 of 2 approvals of group 'risk'"]);
  });

  it.each([
    ['ci', NIGHTLY_JOB],
    ['excluded', ALICE],
    ['no-role', DAVE],
    ['no-person', 999],
    ['inactive', 77],
    ['no-person', 78],
  ] as const)('does not count: %s', (reason, by) => {
    const more = [
      principal(77, 'gone', { isActive: false, groups: ['risk'] }),
      principal(78, 'orphan', { kind: 'service', persons: [], groups: ['risk'] }),
    ];
    const decision = decide(two, facts({ principals: [...facts().principals, ...more], approvals: [approval(two, by)] }));
    expect(reasons(decision)).toEqual([reason]);
  });

  it('of one person counts once, through whatever account', () => {
    const approvals = [approval(two, BOB), approval(two, BOBS_ROBOT)];
    expect(missing(two, { approvals })).toEqual(["1 of 2 approvals of group 'risk'"]);
    expect(missing(two, { approvals: [approval(two, BOBS_ROBOT), approval(two, CAROL)] })).toEqual([]);
  });

  it('of whoever asks, made the version or started the job that made it does not count, through no account', () => {
    const one = policy({ approvals: [{ group: 'risk' }] });
    const by = (id: number): Partial<PolicyFacts> => ({ approvals: [approval(one, id)] });
    expect(missing(one, { ...by(BOBS_ROBOT), requesters: [BOB] })).toHaveLength(1);
    expect(missing(one, { ...by(BOB), requesters: [BOBS_ROBOT] })).toHaveLength(1);
    expect(missing(one, { ...by(BOB), requesters: [ALICE, BOB] })).toHaveLength(1);
    expect(missing(one, by(BOB), { registeredBy: BOBS_ROBOT })).toHaveLength(1);
    expect(missing(one, { ...by(BOB), creators: [BOB] })).toHaveLength(1);
    expect(missing(one, by(BOB))).toEqual([]);
    const principals = facts().principals.map((each) => (each.id === ALICES_JOB ? { ...each, persons: [BOB] } : each));
    expect(missing(one, { ...by(BOB), principals })).toHaveLength(1);
  });

  it('of the author of the run or the last editor counts unless the policy excludes them', () => {
    const one = policy({ approvals: [{ group: 'risk' }] });
    const strict = policy({ approvals: [{ group: 'risk' }], exclude: ['run_author', 'last_editor'] });
    const roles: Partial<PolicyFacts>[] = [{ runAuthors: [BOB] }, { lastEditors: [BOBS_ROBOT] }];
    for (const more of roles) {
      expect(missing(one, { ...more, approvals: [approval(one, BOB)] })).toEqual([]);
      expect(missing(strict, { ...more, approvals: [approval(strict, BOB)] })).toHaveLength(1);
    }
  });

  it('of the requester counts where the policy allows it', () => {
    const self = policy({ self_approval: true, approvals: [{ group: 'risk' }] });
    expect(missing(self, { requesters: [BOB], approvals: [approval(self, BOB)] })).toEqual([]);
  });

  it('counts for nothing where nobody knows who started the job that made the version, unless the policy lets that pass', () => {
    const one = policy({ approvals: [{ group: 'risk' }] });
    const pass = policy({ approvals: [{ group: 'risk' }], unlinked: 'pass' });
    const version = { registeredBy: NIGHTLY_JOB };
    expect(missing(one, { approvals: [approval(one, BOB)] }, version)).toEqual([
      expect.stringMatching(/^ci:quality was who made the version/),
    ]);
    expect(missing(pass, { approvals: [approval(pass, BOB)] }, version)).toEqual([]);
    expect(missing(policy({}), {}, version)).toEqual([]);
  });

  it('does not count so soon after the requester changed the account, and is counted later by itself', () => {
    const one = policy({ approvals: [{ group: 'risk' }], quiet_after_change: '2d' });
    const changed = (by: number, about = BOB): Partial<PolicyFacts> => ({
      approvals: [approval(one, BOB)],
      accessChanges: [{ about, by, at: NOW - DAY }],
    });
    const decision = decide(one, facts(changed(ALICE)));
    expect(reasons(decision)).toEqual(['changed-by-requester']);
    expect(decision.nextPossibleAt).toBe(NOW + DAY);
    expect(decide(one, facts({ ...changed(ALICE), now: NOW + DAY })).isAllowed).toBe(true);
    expect(missing(one, changed(ALICES_JOB))).toHaveLength(1);
    expect(missing(one, changed(DAVE))).toEqual([]);
    expect(missing(one, changed(ALICE, CAROL))).toEqual([]);
  });

  it('satisfies nothing on a server without accounts', () => {
    const one = policy({ approvals: [{ group: 'risk' }] });
    const decision = decide(one, facts({ hasAccounts: false, approvals: [approval(one, BOB)] }));
    expect(decision).toMatchObject({ isAllowed: false, missing: [{ who: 'nobody' }], staleApprovals: [{ reason: 'no-person' }] });
  });

  it('fills one place, and the places are shared out so that most are filled', () => {
    const asked = [{ group: 'risk' }, { group: 'legal' }];
    const once = policy({ approvals: asked });
    const each = policy({ approvals: asked, count_person_in: 'each' });
    const by = (rule: NamedPolicy, ...ids: number[]): Partial<PolicyFacts> => ({ approvals: ids.map((id) => approval(rule, id)) });
    expect(missing(once, by(once, CAROL))).toEqual(["0 of 1 approvals of group 'legal'"]);
    expect(missing(each, by(each, CAROL))).toEqual([]);
    // Carol is in both; she leaves the place that only Erin or only Bob can fill.
    expect(missing(once, by(once, CAROL, ERIN))).toEqual([]);
    expect(missing(once, by(once, CAROL, BOB))).toEqual([]);
    expect(missing(once, by(once, BOB))).toEqual(["0 of 1 approvals of group 'legal'"]);
  });

  it('may be asked of anyone with a level on the model', () => {
    const level = policy({ approvals: [{ level: 'MANAGE_PRODUCTION', count: 2 }] });
    expect(missing(level, { approvals: [approval(level, BOB), approval(level, CAROL)] })).toEqual([
      '1 of 2 approvals of people with MANAGE_PRODUCTION on the model',
    ]);
    expect(missing(level, { approvals: [approval(level, BOB), approval(level, DAVE)] })).toEqual([]);
  });

  it('of another group is asked as well where the signature breaks callers', () => {
    const rule = policy({ approvals: [{ group: 'risk' }], breaking_signature_needs: { group: 'legal' } });
    const approvals = [approval(rule, BOB)];
    expect(missing(rule, { approvals })).toEqual([]);
    expect(missing(rule, { approvals }, { breaksSignature: true })).toEqual([
      expect.stringMatching(/^0 of 1 approvals of group 'legal', since/),
    ]);
    expect(missing(rule, { approvals: [...approvals, approval(rule, ERIN)] }, { breaksSignature: true })).toEqual([]);
  });

  it('on an unsealed version holds until it is sealed, where the policy lets unsealed ones in', () => {
    const rule = policy({ sealed: false, approvals: [{ group: 'risk' }] });
    const open = { evidence: facts().binding.evidence, digest: null };
    const approvals = [approval(rule, BOB, { digest: null })];
    expect(missing(rule, { binding: open, approvals }, { isSealed: false })).toEqual([]);
    expect(decide(rule, facts({ approvals })).staleApprovals).toMatchObject([{ reason: 'unsealed' }]);
    const strict = policy({ approvals: [{ group: 'risk' }] });
    const early = facts({ binding: open, approvals: [approval(strict, BOB, { digest: null })] }, { isSealed: false });
    expect(decide(strict, early).staleApprovals).toMatchObject([{ reason: 'unsealed' }]);
  });

  it('of an unsealed version that leaves counts: what leaves need not be sealed', () => {
    const rule = policy({ approvals: [{ group: 'risk' }] });
    const leaving = { change: 'leave', binding: { ...facts().binding, digest: null } } as const;
    expect(missing(rule, { ...leaving, approvals: [approval(rule, BOB, { digest: null })] }, { isSealed: false })).toEqual([]);
  });

  it('of a change in administration is bound to what is changed', () => {
    const rule = policy({ approvals: [{ group: 'admins' }] }, { match: { target: { setting: 'policies' } } });
    const setting: Partial<PolicyFacts> = {
      target: { kind: 'setting', setting: 'policies' },
      subject: 'setting:policies#1',
      binding: { digest: null, evidence: '' },
      version: undefined,
    };
    const bound = { subject: 'setting:policies#1', digest: null, evidence: '' };
    expect(missing(rule, { ...setting, approvals: [approval(rule, ERIN, bound)] })).toEqual([]);
    expect(missing(rule, { ...setting, approvals: [approval(rule, ERIN, { ...bound, subject: 'setting:policies#2' })] })).toHaveLength(1);
  });
});
