import type { GovernedTarget } from '@countersign/contract/permit.ts';
import { checkPolicy } from '@countersign/contract/policy-document.ts';
import fc from 'fast-check';
import { describe, expect, it } from 'vitest';
import { coversPattern, matchesPattern } from './pattern-rules.ts';
import { choosePolicy, decidingTagKeys, type PolicyQuestion, policiesToAsk, publishingObjections } from './policy-choice-rules.ts';
import { type NamedPolicy, namePolicy } from './policy-hash-rules.ts';

const STAGES = ['None', 'Staging', 'Production', 'Archived', 'UAT'];
const PRODUCTION: GovernedTarget = { kind: 'stage', stage: 'Production' };

function policy(name: string, match: object, mode = 'enforce'): NamedPolicy {
  return namePolicy(checkPolicy({ name, mode, match: { target: { stage: 'Production' }, ...match } }));
}

function ask(policies: readonly NamedPolicy[], more: Partial<PolicyQuestion> = {}): string | undefined {
  return choose(policies, more).policy?.document.name;
}

function choose(policies: readonly NamedPolicy[], more: Partial<PolicyQuestion> = {}): ReturnType<typeof choosePolicy> {
  return choosePolicy(policies, { target: PRODUCTION, isPrompt: false, model: 'fraud-eu', tags: {}, stages: STAGES, ...more });
}

describe('a pattern with stars', () => {
  it('matches as the regular expression that it stands for', () => {
    const text = fc.string({ unit: fc.constantFrom('a', 'b', '.', '-'), maxLength: 8 });
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '.', '*'), maxLength: 6 });
    fc.assert(
      fc.property(pattern, text, (each, name) => {
        expect(matchesPattern(each, name)).toBe(new RegExp(`^${each.replaceAll('.', '\\.').replaceAll('*', '.*')}$`).test(name));
      }),
    );
  });

  it('that covers another matches whatever that one matches', () => {
    const pattern = fc.string({ unit: fc.constantFrom('a', 'b', '*'), maxLength: 5 });
    fc.assert(
      fc.property(pattern, pattern, fc.string({ unit: fc.constantFrom('a', 'b'), maxLength: 6 }), (wide, narrow, name) => {
        if (coversPattern(wide, narrow) && matchesPattern(narrow, name)) expect(matchesPattern(wide, name)).toBe(true);
      }),
      { numRuns: 1000 },
    );
  });

  it('is no way to keep the server busy', () => {
    expect(matchesPattern(`${'*a'.repeat(240)}b`, 'a'.repeat(500))).toBe(false);
  });
});

describe('which policy applies', () => {
  it('is the most specific, and the answer says why the others lost', () => {
    const all = policy('all', {});
    const wide = policy('wide', { model: 'f*' });
    const near = policy('near', { model: 'fraud-*' });
    const tagged = policy('tagged', { model: '*', tags: { risk: 'high' } });
    const exact = policy('exact', { model: 'fraud-eu' }, 'observe');
    const other = policy('other', { model: 'churn' });
    const alias = policy('alias', { target: { alias: 'champion' } });
    const every = [all, wide, near, tagged, exact, other, alias];
    expect(ask(every)).toBe('exact');
    expect(ask(every.filter((each) => each !== exact))).toBe('near');
    expect(
      ask(
        every.filter((each) => each !== exact),
        { tags: { risk: 'high' } },
      ),
    ).toBe('tagged');
    expect(choose(every)).toMatchObject({
      why: 'It names the model itself.',
      others: [
        { policy: near, why: "'exact' names the model itself" },
        { policy: wide },
        { policy: all },
        { policy: alias, why: 'is about another target' },
        { policy: other, why: "'churn' is not the name of the model" },
        { policy: tagged, why: "the model's tag 'risk' is not set" },
      ],
    });
    expect(choose([])).toEqual({ policy: undefined, why: 'No policy is about this.', others: [] });
    expect(choose([all])).toMatchObject({ why: 'It is the only one about this.' });
  });

  it('of two alike is the stricter, then the first by name', () => {
    expect(ask([policy('a', {}, 'observe'), policy('b', {}, 'enforce'), policy('c', {}, 'warn')])).toBe('b');
    expect(ask([policy('b', {}), policy('a', {})])).toBe('a');
  });

  it('does not depend on the order in which they were published', () => {
    const match = fc.record({
      model: fc.constantFrom('*', 'f*', 'fraud-*', '*-eu', 'fraud-eu'),
      tags: fc.constantFrom({}, { a: '1' }, { a: '1', b: '2' }),
      target: fc.constantFrom({ stage: 'production' }, { stage: '*' }, { alias: 'Production' }, { alias: '*' }),
    });
    const policies = fc.uniqueArray(fc.tuple(fc.stringMatching(/^[a-c]{1,2}$/), match, fc.constantFrom('observe', 'warn', 'enforce')), {
      selector: ([name]) => name,
      maxLength: 8,
    });
    const target = fc.constantFrom<GovernedTarget>(PRODUCTION, { kind: 'alias', alias: 'production' }, { kind: 'alias', alias: 'x' });
    fc.assert(
      fc.property(policies, target, fc.gen(), (drawn, kind, gen) => {
        const named = drawn.map(([name, each, mode]) => policy(name, each, mode));
        const shuffled = gen(fc.shuffledSubarray, named, { minLength: named.length, maxLength: named.length });
        const question = { target: kind, tags: { a: '1', b: '2' } };
        expect(choose(shuffled, question)).toEqual(choose(named, question));
      }),
      { numRuns: 300 },
    );
  });

  it('counts an alias named like a stage as that stage, in the target and in the policy', () => {
    const onStage = policy('stage', { target: { stage: 'Production' } });
    const onAlias = policy('alias', { target: { alias: 'production' } });
    const onAnyAlias = policy('any', { model: 'fraud-eu', target: { alias: '*' } });
    const target: GovernedTarget = { kind: 'alias', alias: 'pRoduction' };
    expect(ask([onStage], { target })).toBe('stage');
    expect(ask([onAlias], {})).toBe('alias');
    expect(ask([onStage, onAnyAlias], { target })).toBe('stage');
    expect(ask([onAnyAlias], { target })).toBe('any');
    expect(ask([onAnyAlias], {})).toBeUndefined();
    expect(ask([onStage], { target, stages: ['None'] })).toBeUndefined();
    expect(ask([policy('uat', { target: { stage: 'uat' } })], { target: { kind: 'alias', alias: 'UAT' } })).toBe('uat');
  });

  it('keeps targets of each kind, prompts and models apart', () => {
    const targets: readonly object[] = [
      { entry: true },
      { tag: 'risk' },
      { setting: 'memberships' },
      { prompt: { alias: 'production' } },
      { prompt: { entry: true } },
      { alias: 'champion' },
    ];
    const policies = targets.map((target, index) => policy(`p${index}`, { target }));
    const asked = (target: GovernedTarget, isPrompt = false): string | undefined => ask(policies, { target, isPrompt });
    expect(asked({ kind: 'entry' })).toBe('p0');
    expect(asked({ kind: 'tag', key: 'risk' })).toBe('p1');
    expect(asked({ kind: 'tag', key: 'risk' }, true)).toBe('p1');
    expect(asked({ kind: 'tag', key: 'Risk' })).toBeUndefined();
    expect(asked({ kind: 'setting', setting: 'memberships' })).toBe('p2');
    expect(asked({ kind: 'setting', setting: 'policies' })).toBeUndefined();
    expect(asked({ kind: 'alias', alias: 'production' }, true)).toBe('p3');
    expect(asked({ kind: 'entry' }, true)).toBe('p4');
    expect(asked({ kind: 'alias', alias: 'champion' })).toBe('p5');
    expect(asked({ kind: 'alias', alias: 'champion' }, true)).toBeUndefined();
    expect(asked({ kind: 'stage', stage: 'Staging' })).toBeUndefined();
  });

  it('is asked before and after a change that alters it', () => {
    const strict = policy('strict', { model: 'prod.*' });
    const mild = policy('mild', { model: 'dev.*' });
    const before = choose([strict, mild], { model: 'prod.churn' });
    const after = choose([strict, mild], { model: 'dev.churn' });
    const nowhere = choose([strict, mild], { model: 'x' });
    expect(policiesToAsk(before, after)).toEqual([strict, mild]);
    expect(policiesToAsk(before, before)).toEqual([strict]);
    expect(policiesToAsk(before, nowhere)).toEqual([strict]);
    expect(policiesToAsk(nowhere, after)).toEqual([mild]);
    expect(policiesToAsk(nowhere, nowhere)).toEqual([]);
  });
});

describe('policies that come into force together', () => {
  it('by tags need one that is at least as strict for what lacks the tag', () => {
    const tagged = policy('tagged', { model: 'fraud-*', tags: { risk: 'high' } });
    const objection = /matches by tag.*Publish one/;
    expect(publishingObjections([tagged], STAGES)).toEqual([expect.stringMatching(objection)]);
    expect(publishingObjections([tagged, policy('x', { model: 'fraud-e*' })], STAGES)).toEqual([expect.stringMatching(objection)]);
    expect(publishingObjections([tagged, policy('x', {}, 'warn')], STAGES)).toEqual([expect.stringMatching(objection)]);
    expect(publishingObjections([tagged, policy('x', { target: { alias: '*' } })], STAGES)).toEqual([expect.stringMatching(objection)]);
    expect(publishingObjections([tagged, policy('x', { model: 'fraud*' })], STAGES)).toEqual([]);
    expect(decidingTagKeys([tagged, policy('x', { tags: { owner: 'a' } })])).toEqual(new Set(['risk', 'owner']));
  });

  it.each([{ stage: 'UAT' }, { alias: 'champion' }, { alias: 'production' }, { entry: true }, { tag: 'a' }, { prompt: { entry: true } }])(
    'by tags are covered on the same target: %j',
    (target) => {
      const tagged = policy('tagged', { tags: { a: '1' }, target });
      expect(publishingObjections([tagged, policy('all', { target })], STAGES)).toEqual([]);
      expect(publishingObjections([tagged, policy('all', { target: { stage: 'Staging' } })], STAGES)).toHaveLength(1);
    },
  );

  it('have different names, and stages that are there and can be read', () => {
    expect(publishingObjections([policy('a', {}), policy('a', { model: 'x' })], STAGES)).toEqual([expect.stringMatching(/Two policies/)]);
    expect(publishingObjections([policy('a', { target: { stage: 'Canary' } })], STAGES)).toEqual([
      expect.stringMatching(/'Canary', which isn't/),
    ]);
    const soak = checkPolicy({
      name: 'b',
      mode: 'warn',
      match: { target: { entry: true } },
      requirements: { soak: { stage: 'Beta', at_least: '1d' } },
    });
    expect(publishingObjections([namePolicy(soak)], STAGES)).toEqual([expect.stringMatching(/'Beta', which isn't/)]);
    expect(publishingObjections([], ['Latest', '12', 'v1'])).toHaveLength(2);
  });
});
