import { checkPolicy } from '@countersign/contract/policy-document.ts';
import type { EvidenceMetric } from '@countersign/contract/policy-facts.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { decide } from './decision-rules.ts';
import { STEPS_MAX } from './expression-rules.ts';
import { type NamedPolicy, namePolicy } from './policy-hash-rules.ts';
import { ALICES_JOB, BOB, check, DAY, facts, missing, NOW, policy, STANDING, VERSION } from './policy-worlds.ts';

function that(...texts: readonly string[]): NamedPolicy {
  return policy({ expressions: texts.map((text, at) => ({ name: `e${at}`, that: text, says: 'It is not as it must be.' })) });
}

const holds = (text: string, ...world: Parameters<typeof facts>): boolean => decide(that(text), facts(...world)).isAllowed;

describe('an expression', () => {
  it.each([
    'version.sealed && version.lineage == "verified" && version.has_description && version.has_signature && version.has_input_example',
    'version.registered_by == "ci:main" && version.registered_by_trust == "main" && requesters == ["alice"]',
    'version.tags["ticket"].startsWith("ML-") && !("secret" in version.tags) && version.tags.size() == 1',
    'int(version.params["depth"]) <= 8 && double(version.params["learning_rate"]) < 0.1',
    'version.metrics["accuracy"] > 0.9 && version.metrics["latency_ms"] <= 40',
    'version.metrics_on["holdout"]["accuracy"] >= 0.95',
    'version.model_card_sections.exists(title, title.lowerAscii() == "limitations")',
    'checks["ci/tests"].conclusion == "success" && checks["ci/tests"].reporter == "ci:quality"',
    'checks.all(name, checks[name].conclusion == "success") && checks["ci/bias"].dataset == "census"',
    'checks.all(name, checks[name].metrics.all(metric, checks[name].metrics[metric] < 0.05))',
    'now - checks["ci/tests"].at < duration("2h") && now > timestamp("2026-05-06T00:00:00Z") && now.getDayOfWeek() == 3',
    'standing.all(each, version.metrics["accuracy"] >= each.metrics["accuracy"]) && standing[0].name == "Fraud/6"',
    'target.kind == "stage" && target.name in ["Production", "Staging"]',
  ])('speaks of the facts: %s', (text) => {
    expect(missing(that(text))).toEqual([]);
  });

  it('that is false is told by the sentence of the policy, with who and how', () => {
    expect(decide(that('!version.sealed'), facts()).missing).toEqual([
      {
        requirement: 'expression',
        what: 'e0: It is not as it must be',
        who: 'whoever can make it so',
        how: 'It must be true that !version.sealed.',
        candidates: [],
        until: null,
      },
    ]);
  });

  it.each([
    ['version.tags["owner"] == "x"', 'No such key: owner'],
    ['standing[1].name == "x"', 'No such key: index out of bounds, index 1 >= size 1'],
    ['int(version.tags["ticket"]) > 1', 'int() type error: cannot convert to int'],
    ['1 / (version.tags.size() - 1) > 0', 'division by zero'],
  ])('%s, which can’t be told, is not satisfied, and says why', (text, why) => {
    expect(missing(that(text))).toEqual([`e0: It is not as it must be; it can't be told: ${why}`]);
  });

  it('that nobody has read is not satisfied', () => {
    const { document } = that('version.sealed');
    expect(missing(namePolicy(document))).toEqual(["e0: It is not as it must be; it can't be told: it was not read"]);
  });

  it('is asked of what enters, not of what leaves', () => {
    expect(decide(that('false'), facts({ change: 'leave' })).isAllowed).toBe(true);
    expect(decide(that('false'), facts({ version: undefined })).isAllowed).toBe(true);
  });

  it('sees no numbers of a run that is only claimed, and none that has several values', () => {
    expect(holds('version.params.size() + version.metrics.size() + version.metrics_on.size() == 0', {}, { lineage: 'claimed' })).toBe(true);
    const metrics: EvidenceMetric[] = [...VERSION.metrics, { name: 'accuracy', value: 0.5, dataset: 'train' }];
    expect(holds('"accuracy" in version.metrics', {}, { metrics })).toBe(false);
    expect(holds('version.metrics_on["train"]["accuracy"] == 0.5', {}, { metrics })).toBe(true);
  });

  it('sees the newest report that counts, and no other', () => {
    const green = 'checks["ci/tests"].conclusion == "success"';
    expect(holds(green, {}, { checks: [check('ci/tests'), check('ci/tests', { id: 2, conclusion: 'failure' })] })).toBe(false);
    expect(holds(green, {}, { checks: [check('ci/tests', { digest: 'other' })] })).toBe(false);
    expect(holds(green, {}, { checks: [check('ci/tests', { by: ALICES_JOB })] })).toBe(false);
    expect(holds(green, {}, { checks: [check('ci/tests', { isEntitled: false })] })).toBe(false);
    expect(holds(green, {}, { checks: [check('ci/tests', { by: BOB })] })).toBe(true);
    expect(holds('checks["ci/tests"].conclusion == ""', {}, { checks: [check('ci/tests', { conclusion: null })] })).toBe(true);
  });

  it('is decided by the facts, names that objects have by themselves among them', () => {
    const names = fc.constantFrom('a', 'b', 'c', '__proto__', 'constructor', 'toString');
    const world = fc.record({
      tags: fc.dictionary(names, fc.constantFrom('x', 'y'), { noNullPrototype: true }),
      numbers: fc.uniqueArray(fc.record({ name: names, value: fc.double() }), { selector: ({ name }) => name }),
      standing: fc.array(fc.double({ noNaN: true }), { maxLength: 3 }),
      asked: names,
    });
    let held = 0;
    fc.assert(
      fc.property(world, ({ tags, numbers, standing, asked }) => {
        const text =
          `"${asked}" in version.tags && version.tags["${asked}"] == "x" || ` +
          `"${asked}" in version.metrics && standing.all(s, version.metrics["${asked}"] >= s.metrics["m"])`;
        const metrics = numbers.map((each) => ({ ...each, dataset: undefined }));
        const there = standing.map((value) => ({ ...STANDING, metrics: [{ name: 'm', value, dataset: undefined }] }));
        const number = numbers.find(({ name }) => name === asked)?.value;
        const expected =
          (Object.hasOwn(tags, asked) && tags[asked] === 'x') || (number !== undefined && standing.every((value) => number >= value));
        const before = facts({ standing: there }, { tags, metrics });
        const turned = facts({ standing: there.toReversed() }, { tags, metrics: metrics.toReversed() });
        const rule = that(text);
        expect(decide(rule, before).isAllowed).toBe(expected);
        expect(decide(rule, turned)).toEqual(decide(rule, before));
        if (expected) held++;
      }),
      { numRuns: 500 },
    );
    expect(held).toBeGreaterThan(20);
  });

  it('ends soon, however many facts there are', () => {
    const many = Array.from({ length: 2000 }, (_, at) => [`tag-${at}`, 'v'.repeat(100)]);
    const once = 'version.tags.all(a, version.tags[a] != "x")';
    const twice = 'version.tags.all(a, version.tags.all(b, version.tags[a] == version.tags[b]))';
    const tags = Object.fromEntries(many);
    const startedAt = performance.now();
    expect(holds(once, {}, { tags })).toBe(true);
    const whole = 'version.tags.all(a, version.tags == version.params || a in version.tags)';
    expect(missing(that(whole), {}, { tags, params: tags })).toEqual([expect.stringContaining('it takes more than')]);
    expect(holds('["tag-1", "tag-2"].all(a, a in version.tags)', {}, { tags })).toBe(true);
    expect(missing(that(twice), {}, { tags })).toEqual([expect.stringContaining(`it takes more than ${STEPS_MAX} steps`)]);
    expect(missing(that(...Array.from({ length: 20 }, () => once)), {}, { tags }).length).toBeGreaterThan(0);
    expect(performance.now() - startedAt).toBeLessThan(5000);
  });

  it('of the hour becomes true by waiting, which nobody promises', () => {
    const rule = that('now.getHours() >= 12');
    expect(decide(rule, facts())).toMatchObject({ isAllowed: false, nextPossibleAt: null });
    expect(decide(rule, facts({ now: NOW + DAY / 12 })).isAllowed).toBe(true);
  });

  it('leaves the hash of a policy without one as it was, and is part of its own', () => {
    const plain = checkPolicy({ name: 'p', mode: 'enforce', match: { target: { stage: 'Production' } } });
    expect(Object.hasOwn(plain.requirements, 'expressions')).toBe(false);
    expect(that('version.sealed').hash).not.toBe(that('!version.sealed').hash);
  });
});
