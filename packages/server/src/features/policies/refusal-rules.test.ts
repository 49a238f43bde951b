import { describe, expect, it } from 'vitest';
import { decide } from './decision-rules.ts';
import { ALICE, approval, DAY, facts, NOW, policy } from './policy-worlds.ts';
import { refusalText, warningText } from './refusal-rules.ts';

describe('a refusal', () => {
  it('says what is missing, who can give it, and how', () => {
    const rule = policy({ approvals: [{ group: 'risk', count: 2 }], checks: [{ name: 'ci/slow' }] });
    const decision = decide(rule, facts({ approvals: [approval(rule, ALICE)] }));
    expect(refusalText([decision])).toBe(
      "Policy 'p' doesn't allow it. Missing: check 'ci/slow' was not reported (from whoever may report 'ci/slow', not the requester nor who made the " +
        "version. Run it for the version's digest and report it as 'ci/slow'.) 0 of 2 approvals of group 'risk' (from a member of group 'risk' who is " +
        "not excluded: bob, carol. They approve the request.) Approvals that don't count: alice is the requester, or acts for that person.",
    );
  });

  it('says from when on it is possible', () => {
    const soak = policy({ soak: { stage: 'Staging', at_least: '11d' } });
    const when = new Date(NOW + DAY).toISOString();
    expect(refusalText([decide(soak, facts())])).toBe(
      `Policy 'p' doesn't allow it. Missing: less than 11d in stage 'Staging' so far (until ${when}) It is possible from ${when} on.`,
    );
  });

  it('is cut where much is missing, and empty where all allow', () => {
    const checks = Array.from({ length: 12 }, (_, index) => ({ name: `c${index}` }));
    expect(refusalText([decide(policy({ checks }), facts())])).toMatch(/And 2 more\.$/);
    expect(refusalText([decide(policy({}), facts()), decide(policy({ checks }, { mode: 'warn' }), facts())])).toBe('');
  });

  it('is a warning where the policy only warns, and nothing where it only observes', () => {
    const judged = (mode: 'observe' | 'warn' | 'enforce') =>
      decide(policy({ description: true, checks: [{ name: 'c' }] }, { mode }), facts());
    expect(warningText([judged('warn')])).toMatch(
      /^Policy 'p' only warns: in enforce it would not allow it. Missing: check 'c' was not reported/,
    );
    expect(warningText([judged('observe'), judged('enforce'), decide(policy({}, { mode: 'warn' }), facts())])).toBe('');
  });
});
