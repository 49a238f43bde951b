import type { VersionEvidence } from '@countersign/contract/policy-facts.ts';
import { describe, expect, it } from 'vitest';
import { decide } from './decision-rules.ts';
import type { NamedPolicy } from './policy-hash-rules.ts';
import {
  ALICE,
  ALICES_JOB,
  BOB,
  BOBS_ROBOT,
  check,
  DAY,
  facts,
  missing,
  NIGHTLY_JOB,
  NOW,
  policy,
  principal,
  VERSION,
} from './policy-worlds.ts';

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
    const job = principal(301, 'ci:github:acme/fraud@quality.yml#7', { kind: 'ci', account: 302, persons: [], trust: 'quality' });
    const trust = principal(302, 'ci:quality', { kind: 'ci', persons: [], trust: 'quality' });
    const principals = [...facts().principals, job, trust];
    expect(missing(named, { principals }, report({ by: 301 }))).toEqual([]);
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

  it('may be which job made it: an account that is none is none, whatever is said of it', () => {
    const principals = [...facts().principals, principal(60, 'mallory', { trust: 'main' })];
    expect(missing(policy({ registered_by: { trust: 'main' } }), { principals }, { registeredBy: 60 })).toHaveLength(1);
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
