import { describe, expect, it } from 'vitest';
import { decide, decideAll } from './decision-rules.ts';
import type { NamedPolicy } from './policy-hash-rules.ts';
import { approval, BOB, CAROL, DAY, facts, missing, NOW, policy } from './policy-worlds.ts';

const STORY = policy({
  approvals: [{ group: 'risk', count: 2 }],
  exclude: ['run_author'],
  checks: [{ name: 'ci/tests' }, { name: 'ci/bias', reporter: 'ci:quality', max_age: '7d' }],
  metrics: [
    { name: 'accuracy', op: '>=', value: 0.92 },
    { name: 'accuracy', op: '>=', current: { tolerance: 0.01 } },
  ],
  description: true,
  signature: true,
});

describe('a decision', () => {
  it('allows what has everything, and says what it has', () => {
    const decision = decide(STORY, facts({ approvals: [approval(STORY, BOB), approval(STORY, CAROL)] }));
    expect(decision).toMatchObject({
      policy: { name: 'p', hash: STORY.hash },
      path: 'requirements',
      mode: 'enforce',
      isAllowed: true,
      isSatisfied: true,
      missing: [],
      weaknesses: [],
      staleApprovals: [],
      nextPossibleAt: NOW,
    });
    expect(decision.satisfied.map((each) => each.what)).toEqual([
      'sealed',
      'a description',
      'a signature',
      "check 'ci/tests' is green for these bytes",
      "check 'ci/bias' is green for these bytes",
      "metric 'accuracy' is 0.95, as asked",
      "metric 'accuracy' is 0.95, as asked",
      "2 of 2 approvals of group 'risk'",
    ]);
  });

  it('names all that is missing, who can give it, and how', () => {
    const poor = { isSealed: false, hasDescription: false, checks: [], lineage: 'claimed', hasSignature: false } as const;
    const decision = decide(STORY, facts({ approvals: [approval(STORY, BOB)] }, poor));
    expect(decision).toMatchObject({ isAllowed: false, isSatisfied: false, nextPossibleAt: null });
    expect(decision.missing.map((each) => each.what)).toEqual([
      'not sealed',
      'no description',
      'no signature',
      "check 'ci/tests' was not reported",
      "check 'ci/bias' was not reported",
      "metric 'accuracy' is of a run that is only claimed",
      "metric 'accuracy' is of a run that is only claimed",
      "1 of 2 approvals of group 'risk'",
    ]);
    expect(decision.missing.at(-1)).toMatchObject({
      who: "a member of group 'risk' who is not excluded: carol",
      how: 'They approve the request.',
      candidates: [CAROL],
      until: null,
    });
    for (const each of decision.missing) expect([each.who, each.how].every((words) => words.length > 2)).toBe(true);
  });

  it('in observe and warn allows what lacks something, and says what; blocked bytes never', () => {
    for (const mode of ['observe', 'warn']) {
      const rule = policy({ approvals: [{ group: 'risk' }] }, { mode });
      expect(decide(rule, facts())).toMatchObject({ mode, isAllowed: true, isSatisfied: false, missing: [{ requirement: 'approvals' }] });
      expect(decide(rule, facts({ blocked: { reason: 'leaks names' } }))).toMatchObject({ isAllowed: false });
    }
    expect(missing(policy({}), { blocked: { reason: 'leaks names' } })).toEqual(['these bytes are blocked: leaks names']);
  });

  it('lets blocked bytes leave, and asks nothing of their quality for it, but approvals', () => {
    const leaving = { change: 'leave', blocked: { reason: 'x' } } as const;
    expect(missing(policy({ checks: [{ name: 'none' }] }), leaving, { isSealed: false })).toEqual([]);
    expect(missing(STORY, leaving)).toEqual(["0 of 2 approvals of group 'risk'"]);
  });

  it('of several policies needs all', () => {
    const lax = policy({}, { name: 'lax' });
    const approvals = [{ ...approval(STORY, BOB), policies: [STORY.hash, lax.hash] }, approval(STORY, CAROL)];
    expect(decideAll([STORY, lax], facts({ approvals })).isAllowed).toBe(true);
    expect(decideAll([STORY, lax], facts())).toMatchObject({ isAllowed: false, decisions: [{ isAllowed: false }, { isAllowed: true }] });
    expect(decideAll([], facts())).toEqual({ isAllowed: true, decisions: [] });
  });

  it('shows what a policy is weak in', () => {
    const weak = {
      sealed: false,
      self_approval: true,
      unlinked: 'pass',
      approvals: [{ group: 'risk' }],
      checks: [{ name: 'a', own_report: true }],
    };
    const membersOf = (rule: NamedPolicy): string[] => decide(rule, facts()).weaknesses.map((each) => each.member);
    expect(membersOf(policy(weak))).toEqual(['sealed', 'self_approval', 'unlinked', 'own_report']);
    expect(membersOf(policy({}))).toEqual(['approvals']);
    expect(membersOf(policy({ sealed: false, approvals: [{ group: 'a' }] }, { match: { target: { setting: '*' } } }))).toEqual([]);
  });
});

describe('time', () => {
  const freeze = [{ dated: { from: '2026-05-06 00:00', to: '2026-05-08 00:00' }, time_zone: 'UTC', reason: 'release week' }];

  it('of a freeze refuses, whatever else there is, and says until when', () => {
    const decision = decide(policy({}, { freeze }), facts());
    expect(decision.missing).toMatchObject([
      {
        requirement: 'freeze',
        what: 'nothing changes from 2026-05-06 00:00 to 2026-05-08 00:00 (UTC): release week',
        until: Date.UTC(2026, 4, 8),
      },
    ]);
    expect(decision.nextPossibleAt).toBe(Date.UTC(2026, 4, 8));
  });

  it('runs out: what would have expired by then is not possible by waiting', () => {
    const rule = policy({ checks: [{ name: 'ci/tests', max_age: '1d' }] }, { freeze });
    expect(decide(rule, facts()).nextPossibleAt).toBeNull();
    const soaking = policy({ soak: { stage: 'Staging', at_least: '11d' } }, { freeze });
    expect(decide(soaking, facts()).nextPossibleAt).toBe(Date.UTC(2026, 4, 8));
  });

  it('of a request is over', () => {
    const rule = policy({}, { expiry: { request: '2d' } });
    expect(missing(rule, { requestedAt: NOW - 2 * DAY })).toEqual(['the request is older than 2d']);
    expect(missing(rule, { requestedAt: NOW - DAY })).toEqual([]);
    expect(missing(rule, { requestedAt: undefined })).toEqual([]);
    const asking = policy({ approvals: [{ group: 'risk' }] });
    expect(decide(asking, facts({ requestedAt: undefined })).missing).toMatchObject([{ how: 'Open a request; they approve it.' }]);
  });
});
