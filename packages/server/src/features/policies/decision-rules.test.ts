import type { PolicyDecision } from '@countersign/contract/policy-decisions.ts';
import type { PolicyFacts, VersionEvidence } from '@countersign/contract/policy-facts.ts';
import { describe, expect, it } from 'vitest';
import { decide, decideAll } from './decision-rules.ts';
import type { NamedPolicy } from './policy-hash-rules.ts';
import {
  ALICE,
  ALICES_JOB,
  approval,
  BOB,
  BOBS_ROBOT,
  CAROL,
  check,
  DAVE,
  DAY,
  ERIN,
  facts,
  NIGHTLY_JOB,
  NOW,
  policy,
  principal,
  VERSION,
} from './policy-worlds.ts';

/** The sentences of what is missing. */
function missing(rule: NamedPolicy, more: Partial<PolicyFacts> = {}, version: Partial<VersionEvidence> = {}): string[] {
  return decide(rule, facts(more, version)).missing.map((each) => each.what);
}

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

describe('a check', () => {
  const rule = policy({ checks: [{ name: 't', max_age: '1d' }] });
  const report = (more: Parameters<typeof check>[1]): Partial<VersionEvidence> => ({ checks: [check('t', more)] });

  it.each([
    [{}, []],
    [{ digest: 'other' }, [/it was reported for other bytes/]],
    [{ digest: null }, [/it was reported for other bytes/]],
    [{ isEntitled: false }, [/ci:quality may not report it/]],
    [{ by: 999 }, [/account 999 may not report it/]],
    [{ conclusion: null }, [/is not completed/]],
    [{ conclusion: 'failure' }, [/ended with failure/]],
    [{ conclusion: 'skipped' }, [/ended with skipped/]],
    [{ at: NOW - DAY }, [/is older than 1d/]],
    [{ by: ALICE }, [/alice reported it, for a version or request of its own/]],
    [{ by: ALICES_JOB }, [/ci:main reported it, for a version or request of its own/]],
    [{ by: BOBS_ROBOT }, []],
  ] as const)('%j: %j', (more, sentences) => {
    expect(missing(rule, {}, report(more))).toEqual(sentences.map((each) => expect.stringMatching(each)));
  });

  it('of the requester’s service account does not count either; of a job that he started it does', () => {
    expect(missing(rule, { requesters: [BOB] }, report({ by: BOBS_ROBOT }))).toHaveLength(1);
    const other = principal(103, 'ci:other', { kind: 'ci', account: 22, persons: [ALICE] });
    expect(missing(rule, { principals: [...facts().principals, other] }, report({ by: 103 }))).toEqual([]);
    const own = policy({ checks: [{ name: 't', own_report: true }] });
    expect(missing(own, {}, report({ by: ALICE }))).toEqual([]);
  });

  it('that is reported again counts as it is now; what does not count replaces nothing', () => {
    const green = check('t', { id: 1 });
    expect(missing(rule, {}, { checks: [check('t', { id: 2, conclusion: 'failure' }), green] })).toHaveLength(1);
    expect(missing(rule, {}, { checks: [green, check('t', { id: 2, conclusion: null })] })).toHaveLength(1);
    expect(missing(rule, {}, { checks: [green, check('t', { id: 2, conclusion: 'failure', by: ALICE })] })).toEqual([]);
    expect(missing(rule, {}, { checks: [check('t', { id: 1, conclusion: 'failure' }), check('t', { id: 2 })] })).toEqual([]);
  });

  it('counts from the named reporter alone', () => {
    const named = policy({ checks: [{ name: 't', reporter: 'ci:quality' }] });
    expect(missing(named, {}, report({}))).toEqual([]);
    expect(missing(named, {}, report({ by: BOBS_ROBOT }))).toEqual([expect.stringMatching(/reported by bobs-robot, not by ci:quality/)]);
  });
});

describe('a metric', () => {
  const on = (rule: object): NamedPolicy => policy({ metrics: [{ name: 'accuracy', op: '>=', ...rule }] });
  const value = (n: number, dataset?: string): Partial<VersionEvidence> => ({ metrics: [{ name: 'accuracy', value: n, dataset }] });

  it.each([
    ['>=', 0.95, true],
    ['>', 0.95, false],
    ['<=', 0.95, true],
    ['<', 0.95, false],
    ['<', 0.96, true],
  ])('%s %d', (op, bound, holds) => {
    expect(missing(on({ op, value: bound }), {}, value(0.95))).toHaveLength(holds ? 0 : 1);
    expect(missing(on({ op, value: bound }), {}, value(Number.NaN))).toHaveLength(1);
  });

  it('is that on the named dataset; without one, on every dataset', () => {
    const metrics = [
      { name: 'accuracy', value: 0.9, dataset: 'train' },
      { name: 'accuracy', value: 0.8, dataset: 'holdout' },
    ];
    expect(missing(on({ value: 0.85, dataset: 'train' }), {}, { metrics })).toEqual([]);
    expect(missing(on({ value: 0.85, dataset: 'other' }), {}, { metrics })).toEqual([
      "metric 'accuracy' on 'other' is not in the evidence",
    ]);
    expect(missing(on({ value: 0.85 }), {}, { metrics })).toEqual(["metric 'accuracy' is 0.8; >= 0.85 is asked"]);
  });

  it('is compared with every version that stands in the target now', () => {
    const standing = [0.94, 0.97].map((each, index) => ({
      name: `M/${index}`,
      metrics: [{ name: 'accuracy', value: each, dataset: undefined }],
      checks: [],
    }));
    expect(missing(on({ current: { tolerance: 0.01 } }), { standing }, value(0.96))).toEqual([]);
    expect(missing(on({ current: {} }), { standing }, value(0.96))).toEqual([
      "metric 'accuracy' is 0.96; >= 0.97 is asked, by M/1, which stands there now with 0.97",
    ]);
    expect(missing(on({ op: '<=', current: { tolerance: 0.02 } }), { standing }, value(0.96))).toEqual([]);
    expect(missing(on({ op: '<=', current: { tolerance: 0.01 } }), { standing }, value(0.96))).toHaveLength(1);
    expect(missing(on({ current: {} }), { standing: [] }, value(0.1))).toEqual([]);
    const without = [{ name: 'M/0', metrics: [], checks: [] }];
    expect(missing(on({ current: {} }), { standing: without }, value(0.1))).toEqual([
      expect.stringMatching(/M\/0, which stands there now, has none/),
    ]);
    expect(missing(on({ current: { without_metric: 'pass' } }), { standing: without }, value(0.1))).toEqual([]);
  });

  it('of a run counts only where the bytes were uploaded under it', () => {
    expect(missing(on({ value: 0.9 }), {}, { lineage: 'claimed' })).toEqual([expect.stringMatching(/only claimed/)]);
    expect(missing(on({ value: 0.9 }), {}, { lineage: 'none' })).toEqual([expect.stringMatching(/no run/)]);
  });

  it('may be taken from checks that count: of a named one, or of all that report it', () => {
    const reported = (id: number, name: string, accuracy: number, more = {}): ReturnType<typeof check> =>
      check(name, { id, metrics: { accuracy }, ...more });
    const any = on({ value: 0.9, reported_by: 'check' });
    const named = on({ value: 0.9, reported_by: 'check', check: 'a' });
    const both = [reported(1, 'a', 0.95), reported(2, 'b', 0.5)];
    expect(missing(named, {}, { checks: both, lineage: 'claimed' })).toEqual([]);
    expect(missing(any, {}, { checks: both })).toEqual([expect.stringMatching(/is 0.5/)]);
    expect(missing(any, {}, { checks: [reported(1, 'a', 0.5), reported(2, 'a', 0.95)] })).toEqual([]);
    expect(missing(any, {}, { checks: [reported(1, 'a', 0.95, { by: ALICE })] })).toEqual([expect.stringMatching(/in no report/)]);
    expect(missing(any, {}, { checks: [reported(1, 'a', 0.95, { digest: 'x' })] })).toHaveLength(1);
    const required = policy({
      checks: [{ name: 'a', own_report: true }],
      metrics: [{ name: 'accuracy', op: '>=', value: 0.9, reported_by: 'check', check: 'a' }],
    });
    expect(missing(required, {}, { checks: [reported(1, 'a', 0.95, { by: ALICE })] })).toEqual([]);
    const relative = on({ current: {}, reported_by: 'check' });
    const standing = [{ name: 'M/1', metrics: [], checks: [reported(1, 'a', 0.96), reported(2, 'b', 0.99, { isEntitled: false })] }];
    expect(missing(relative, { standing }, { checks: [reported(1, 'a', 0.95)] })).toEqual([expect.stringMatching(/>= 0.96 is asked/)]);
  });
});

describe('what else is asked of a version', () => {
  it.each<[object, Partial<VersionEvidence>, string]>([
    [{ sealed: true }, { isSealed: false }, 'not sealed'],
    [{ description: true }, { hasDescription: false }, 'no description'],
    [{ signature: true }, { hasSignature: false }, 'no signature'],
    [{ input_example: true }, { hasInputExample: false }, 'no input example'],
    [{ tags: [{ key: 'ticket' }] }, { tags: {} }, "no tag 'ticket'"],
    [{ tags: [{ key: 'ticket', value: 'ML-7' }] }, { tags: { ticket: 'ML-8' } }, "no tag 'ticket' = 'ML-7'"],
    [{ model_card_sections: ['intended use'] }, { modelCardSections: ['Limitations'] }, "no section 'intended use' in the model card"],
    [{ registered_by: { trust: 'main' } }, { registeredBy: ALICE }, "registered by alice, not by jobs of 'main'"],
    [{ registered_by: { trust: 'main' } }, { registeredBy: NIGHTLY_JOB }, "registered by ci:quality, not by jobs of 'main'"],
  ])('%j', (requirements, version, sentence) => {
    expect(missing(policy(requirements))).toEqual([]);
    expect(missing(policy(requirements), {}, version)).toEqual([sentence]);
  });

  it('may be how long it has stood somewhere, as these bytes', () => {
    const rule = policy({ soak: { stage: 'staging', at_least: '14d' } });
    const decision = decide(rule, facts());
    expect(decision.missing).toMatchObject([{ requirement: 'soak', until: NOW + 4 * DAY, who: 'time' }]);
    expect(decision.nextPossibleAt).toBe(NOW + 4 * DAY);
    const [stay] = VERSION.stays;
    expect(stay).toBeDefined();
    if (stay === undefined) return;
    const long = { ...stay, from: NOW - 20 * DAY };
    expect(missing(rule, {}, { stays: [long] })).toEqual([]);
    for (const other of [{ digest: 'other' }, { until: NOW - DAY }, { name: 'Archived' }, { place: 'alias' as const }])
      expect(missing(rule, {}, { stays: [{ ...long, ...other }] })).toEqual([expect.stringMatching(/^not in stage 'staging'/)]);
    const alias = policy({ soak: { alias: 'challenger', at_least: '1d' } });
    expect(missing(alias, {}, { stays: [{ ...long, place: 'alias', name: 'challenger' }] })).toEqual([]);
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
