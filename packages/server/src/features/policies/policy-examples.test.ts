/** Every line of the examples' comments is evaluated: `# - <case>: allowed | allowed, for want of … | refused for …`. */
import { readdirSync, readFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import type { PolicyDecision } from '@countersign/contract/policy-decisions.ts';
import { parsePolicy } from '@countersign/contract/policy-document.ts';
import type { BreakGlassUse, PolicyFacts, Stay, VersionEvidence } from '@countersign/contract/policy-facts.ts';
import Schema from 'typebox/schema';
import { describe, expect, it } from 'vitest';
import yaml from 'yaml';
import { decide } from './decision-rules.ts';
import { decideBreakGlass, decideRollback } from './exception-rules.ts';
import { choosePolicy, publishingObjections } from './policy-choice-rules.ts';
import type { NamedPolicy } from './policy-hash-rules.ts';
import {
  ALICE,
  approval,
  BOB,
  BOBS_ROBOT,
  CAROL,
  check,
  DAVE,
  DAY,
  DIGEST,
  ERIN,
  facts,
  NOW,
  VERSION,
  withExpressions,
} from './policy-worlds.ts';

const FOLDER = resolve(import.meta.dirname, '../../../../../docs/policies/examples');
const COOKBOOK = resolve(FOLDER, '../cookbook.md');
const STAGES = ['None', 'Staging', 'Canary', 'Production', 'Archived'];

const examples = readdirSync(FOLDER)
  .filter((file) => file.endsWith('.yaml'))
  .map((file) => {
    const text = readFileSync(join(FOLDER, file), 'utf8');
    return { file, text, policy: withExpressions(parsePolicy(text)) };
  });

interface World {
  readonly facts: Partial<PolicyFacts>;
  readonly version?: Partial<VersionEvidence>;
}

const PEOPLE: Readonly<Record<string, readonly number[]>> = {
  'nobody approves': [],
  'bob approves': [BOB],
  'carol approves': [CAROL],
  'dave approves': [DAVE],
  'erin approves': [ERIN],
  'alice, who asks, approves': [ALICE],
  'alice, who asks, and bob approve': [ALICE, BOB],
  'bob approves, and his robot does': [BOB, BOBS_ROBOT],
  'bob and carol approve': [BOB, CAROL],
  'bob and erin approve': [BOB, ERIN],
  'carol and erin approve': [CAROL, ERIN],
  'dave and erin approve': [DAVE, ERIN],
};

const accuracy = (value: number): World => ({ facts: {}, version: { metrics: [{ name: 'accuracy', value, dataset: 'holdout' }] } });
const soaked: readonly Stay[] = VERSION.stays.map((stay) => ({ ...stay, from: NOW - 14 * DAY }));
const inCanary = (since: number, errors = 0): World => ({
  facts: {},
  version: {
    stays: [{ place: 'stage', name: 'Canary', digest: DIGEST, from: since, until: null, admittedBy: 'policy' }],
    checks: [check('canary/health', { metrics: { error_rate: errors } })],
  },
});
const SLOW = [{ name: 'latency_ms', value: 80, dataset: undefined }];
const [tests, bias] = VERSION.checks;
const rest = { tests: tests ? [tests] : [], bias: bias ? [bias] : [] };

const TWISTS: Readonly<Record<string, World>> = {
  'ci/bias has failed': { facts: {}, version: { checks: [...rest.tests, check('ci/bias', { conclusion: 'failure' })] } },
  'ci/tests is of other bytes': { facts: {}, version: { checks: [check('ci/tests', { digest: 'other' }), ...rest.bias] } },
  'ci/tests is a week old': { facts: {}, version: { checks: [check('ci/tests', { at: NOW - 7 * DAY })] } },
  'ci/bias is of other bytes': { facts: {}, version: { checks: [check('ci/bias', { digest: 'other', metrics: { disparity: 0.02 } })] } },
  'disparity is 0.2': { facts: {}, version: { checks: [check('ci/bias', { metrics: { disparity: 0.2 }, dataset: 'census' })] } },
  'accuracy is 0.91': accuracy(0.91),
  'accuracy is 0.935': accuracy(0.935),
  'accuracy is 0.925': accuracy(0.925),
  'the run is only claimed': { facts: {}, version: { lineage: 'claimed' } },
  'nothing stands there yet': { facts: { standing: [] } },
  'it is not sealed': { facts: {}, version: { isSealed: false } },
  'it has no description': { facts: {}, version: { hasDescription: false } },
  'it has no ticket': { facts: {}, version: { tags: {} } },
  'the model card says nothing of limits': { facts: {}, version: { modelCardSections: ['Intended use'] } },
  'the signature breaks callers': { facts: {}, version: { breaksSignature: true } },
  'alice registered it by hand': { facts: {}, version: { registeredBy: ALICE } },
  'nobody knows who started the job': {
    facts: { principals: facts().principals.map((each) => (each.trust === 'main' ? { ...each, persons: [] } : each)) },
  },
  'the approval is of another value': { facts: { subject: 'tag:validation_status=failed' } },
  'the evidence changed since': { facts: { binding: { digest: DIGEST, evidence: 'renewed' } } },
  'three days in Canary': inCanary(NOW - 3 * DAY),
  'an hour in Canary': inCanary(NOW - DAY / 24),
  'three days in Canary with too many errors': inCanary(NOW - 3 * DAY, 0.01),
  'it takes 80 ms': { facts: {}, version: { metrics: SLOW } },
  'it takes 80 ms and runs in batches': { facts: {}, version: { metrics: SLOW, tags: { runs: 'batch' } } },
  'nobody measured how long it takes': { facts: {}, version: { metrics: [] } },
  'it was validated': { facts: {}, version: { tags: { validation_status: 'approved' } } },
  'its validation failed': { facts: {}, version: { tags: { validation_status: 'failed' } } },
  'a minute before the holidays': { facts: { now: Date.UTC(2026, 11, 18, 22, 59), requestedAt: undefined } },
  'on the first day of the holidays': { facts: { now: Date.UTC(2026, 11, 18, 23), requestedAt: undefined } },
  'on the morning after them': { facts: { now: Date.UTC(2027, 0, 4, 13), requestedAt: undefined } },
  'two weeks in Staging': { facts: {}, version: { stays: soaked } },
  'two weeks in Staging, on a Saturday': { facts: { now: Date.UTC(2026, 4, 9, 12) }, version: { stays: soaked } },
  'two weeks in Staging, at Christmas': { facts: { now: Date.UTC(2026, 11, 23, 12), requestedAt: undefined }, version: { stays: soaked } },
  "alice changed dave's password yesterday": { facts: { accessChanges: [{ about: DAVE, by: ALICE, at: NOW - DAY }] } },
};

/** What isn't one of the people with, or without, a twist. */
const OTHERS: Readonly<Record<string, (policy: NamedPolicy) => PolicyDecision>> = {
  'bob, who made the version it is copied from, approves': (policy) => evaluate(policy, [BOB], { facts: { creators: [BOB] } }),
  'dave, who asks, and erin approve': (policy) => evaluate(policy, [DAVE, ERIN], { facts: { requesters: [DAVE] } }),
  'erin approves three days ago': (policy) => decide(policy, facts({ approvals: [approval(policy, ERIN, { at: NOW - 3 * DAY })] })),
  'dave brings back what was there last week': (policy) => bringBack(policy, DAVE, 'policy'),
  'bob brings back what was there last week': (policy) => bringBack(policy, BOB, 'policy'),
  'dave brings back what broken glass let in': (policy) => bringBack(policy, DAVE, 'break-glass'),
  'dave breaks the glass': (policy) => breakGlass(policy, DAVE),
  'bob breaks the glass': (policy) => breakGlass(policy, BOB),
  'dave breaks the glass again, unreviewed': (policy) => breakGlass(policy, DAVE, {}, [{ by: DAVE, at: NOW - DAY, reviewedBy: undefined }]),
  'dave breaks the glass for blocked bytes': (policy) => breakGlass(policy, DAVE, { blocked: { reason: 'poisoned' } }),
};

function bringBack(policy: NamedPolicy, caller: number, admittedBy: Stay['admittedBy']): PolicyDecision {
  const { alias } = policy.document.match.target;
  const place = alias === undefined ? ({ place: 'stage', name: 'Production' } as const) : ({ place: 'alias', name: alias } as const);
  const stay: Stay = { ...place, digest: DIGEST, from: NOW - 20 * DAY, until: NOW - 7 * DAY, admittedBy };
  const target = alias === undefined ? {} : { target: { kind: 'alias', alias } as const };
  return decideRollback(policy, facts(target, { stays: [stay] }), { caller, reason: 'errors rise', listedDigests: [] });
}

function breakGlass(
  policy: NamedPolicy,
  caller: number,
  more: Partial<PolicyFacts> = {},
  uses: readonly BreakGlassUse[] = [],
): PolicyDecision {
  const opened = { by: caller, at: NOW, reason: 'outage', ticket: 'INC-1' };
  return decideBreakGlass(policy, facts(more), { caller, opened, uses });
}

function evaluate(policy: NamedPolicy, approving: readonly number[], world: World): PolicyDecision {
  const isSetting = policy.document.match.target.setting !== undefined;
  const at = world.facts.now ?? NOW;
  const approvals = approving.map((by) => approval(policy, by, { at, ...(isSetting ? { digest: null } : {}) }));
  const { version, ...whole } = facts({ approvals, ...world.facts }, world.version);
  return decide(policy, {
    ...whole,
    version: isSetting ? undefined : version,
    binding: isSetting ? { ...whole.binding, digest: null } : whole.binding,
  });
}

function decideCase(policy: NamedPolicy, words: string): PolicyDecision {
  const other = OTHERS[words];
  if (other !== undefined) return other(policy);
  const who = Object.keys(PEOPLE)
    .filter((each) => words === each || words.startsWith(`${each}, `))
    .sort((a, b) => b.length - a.length)[0];
  const twist = who === undefined || words === who ? undefined : words.slice(who.length + 2);
  const world = twist === undefined ? { facts: {} } : TWISTS[twist];
  if (who === undefined || world === undefined) throw new Error(`nobody knows the case '${words}'`);
  return evaluate(policy, PEOPLE[who] ?? [], world);
}

describe('the examples', () => {
  it('are at least ten, and may be in force together', () => {
    expect(examples.length).toBeGreaterThanOrEqual(10);
    expect(
      publishingObjections(
        examples.map((each) => each.policy),
        STAGES,
      ),
    ).toEqual([]);
    for (const { file, policy } of examples) expect(`${policy.document.name}.yaml`).toBe(file);
  });

  it.each(examples)('$file stands in the cookbook as it is', ({ file, text }) => {
    const withoutComments = text.slice(text.indexOf('\nname:') + 1);
    expect(readFileSync(COOKBOOK, 'utf8')).toContain(`\`\`\`yaml\n# examples/${file}\n${withoutComments}\`\`\``);
  });

  it.each(examples)('$file satisfies the schema that editors check by', ({ text }) => {
    expect(Schema.Check(JSON.parse(readFileSync(join(FOLDER, '../policy.schema.json'), 'utf8')), yaml.parse(text))).toBe(true);
    expect(Schema.Check(JSON.parse(readFileSync(join(FOLDER, '../policy.schema.json'), 'utf8')), { ...yaml.parse(text), mod: 1 })).toBe(
      false,
    );
  });

  it.each(examples)('$file does what its comments say', ({ text, policy }) => {
    const cases = [...text.matchAll(/^# - (.+): (allowed|allowed, for want of [a-z_, ]+|refused for [a-z_, ]+)$/gm)];
    expect(cases.length).toBe([...text.matchAll(/^# - /gm)].length);
    expect(cases.length).toBeGreaterThanOrEqual(3);
    for (const [, words = '', outcome = ''] of cases) {
      const { isAllowed, missing } = decideCase(policy, words);
      const names = missing.map((each) => each.requirement).join(', ');
      const said = isAllowed ? (names === '' ? 'allowed' : `allowed, for want of ${names}`) : `refused for ${names}`;
      expect({ words, outcome: said }).toEqual({ words, outcome });
    }
  });

  it('are chosen by the most specific', () => {
    const policies = examples.map((each) => each.policy);
    const chosen = (model: string, tags: Readonly<Record<string, string>> = {}): string | undefined =>
      choosePolicy(policies, { target: { kind: 'stage', stage: 'Production' }, isPrompt: false, model, tags, stages: STAGES }).policy
        ?.document.name;
    expect(chosen('fraud-eu')).toBe('fraud-production');
    expect(chosen('churn')).toBe('everything-else');
    expect(chosen('churn', { risk: 'high' })).toBe('high-risk');
    expect(chosen('fraud-eu', { risk: 'high' })).toBe('high-risk');
    expect(chosen('checkout-eu')).toBe('checkout-freeze');
    const alias = (model: string, name: string): string | undefined =>
      choosePolicy(policies, { target: { kind: 'alias', alias: name }, isPrompt: false, model, tags: {}, stages: STAGES }).policy?.document
        .name;
    expect(['prod.churn', 'prod.scoring', 'pay.cards', 'dev.churn'].map((model) => alias(model, 'champion'))).toEqual([
      'prod-champion',
      'scoring-champion',
      'pay-champion',
      'observe-champion',
    ]);
    expect(alias('prod.churn', 'challenger')).toBeUndefined();
  });
});
