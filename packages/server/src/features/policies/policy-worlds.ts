/** Facts for the tests of this room: a small company, and random ones. */
import type { Policy } from '@countersign/contract/policies.ts';
import { checkPolicy } from '@countersign/contract/policy-document.ts';
import { compileExpression } from '@countersign/contract/policy-expressions.ts';
import type { Approval, CheckReport, PolicyFacts, PolicyPrincipal, Standing, VersionEvidence } from '@countersign/contract/policy-facts.ts';
import fc from 'fast-check';
import { decide } from './decision-rules.ts';
import { type NamedPolicy, namePolicy } from './policy-hash-rules.ts';

export const NOW = Date.UTC(2026, 4, 6, 10);
export const DAY = 86_400_000;
export const DIGEST = 'd'.repeat(64);
export const EVIDENCE = 'e'.repeat(64);

export const ALICE = 1;
export const BOB = 2;
export const CAROL = 3;
export const DAVE = 4;
export const ERIN = 5;
/** A service account of Bob's. */
export const BOBS_ROBOT = 12;
/** A job of the trust `main` that Alice started. */
export const ALICES_JOB = 101;
/** One of the trust `quality`, started by nobody who is known. */
export const NIGHTLY_JOB = 102;
export const SERVING = 13;

export function principal(id: number, name: string, more: Partial<PolicyPrincipal> = {}): PolicyPrincipal {
  const nobody = { permissions: [], isServingController: false, trust: undefined, level: undefined, groups: [] };
  return { id, account: id, kind: 'user', name, isActive: true, persons: [id], ...nobody, ...more };
}

export const COMPANY: readonly PolicyPrincipal[] = [
  principal(ALICE, 'alice', { groups: ['data-science'], level: 'EDIT' }),
  principal(BOB, 'bob', { groups: ['risk'], level: 'MANAGE_PRODUCTION' }),
  principal(CAROL, 'carol', { groups: ['risk', 'legal'], level: 'READ' }),
  principal(DAVE, 'dave', { groups: ['on-call', 'admins'], level: 'MANAGE', permissions: ['break-glass'] }),
  principal(ERIN, 'erin', { groups: ['legal', 'admins'], level: 'READ', permissions: ['break-glass'] }),
  principal(BOBS_ROBOT, 'bobs-robot', { kind: 'service', persons: [BOB], groups: ['risk'] }),
  principal(SERVING, 'serving', { kind: 'service', persons: [], isServingController: true }),
  principal(ALICES_JOB, 'ci:main', { kind: 'ci', account: 20, persons: [ALICE], trust: 'main' }),
  principal(NIGHTLY_JOB, 'ci:quality', { kind: 'ci', account: 21, persons: [], trust: 'quality', groups: ['risk'] }),
];

export function check(name: string, more: Partial<CheckReport> = {}): CheckReport {
  const green = { digest: DIGEST, by: NIGHTLY_JOB, isEntitled: true, at: NOW - 3_600_000, conclusion: 'success', metrics: {} } as const;
  return { id: 1, name, dataset: undefined, ...green, ...more };
}

export function approval(policy: NamedPolicy, by: number, more: Partial<Approval> = {}): Approval {
  const bound = { digest: DIGEST, evidence: EVIDENCE, policies: [policy.hash] };
  return { id: by, by, at: NOW - 3_600_000, subject: 'stage:Production', ...bound, ...more };
}

export const VERSION: VersionEvidence = {
  isSealed: true,
  registeredBy: ALICES_JOB,
  lineage: 'verified',
  metrics: [
    { name: 'accuracy', value: 0.95, dataset: 'holdout' },
    { name: 'latency_ms', value: 40, dataset: undefined },
  ],
  params: { depth: '6', learning_rate: '0.05' },
  checks: [check('ci/tests'), check('ci/bias', { metrics: { disparity: 0.02 }, dataset: 'census' })],
  tags: { ticket: 'ML-7' },
  hasDescription: true,
  modelCardSections: ['Intended use', 'Limitations'],
  hasSignature: true,
  hasInputExample: true,
  breaksSignature: false,
  stays: [{ place: 'stage', name: 'Staging', digest: DIGEST, from: NOW - 10 * DAY, until: null, admittedBy: 'ungoverned' }],
};

export const STANDING: Standing = {
  name: 'Fraud/6',
  metrics: [{ name: 'accuracy', value: 0.94, dataset: 'holdout' }],
  checks: [check('ci/bias', { metrics: { disparity: 0.03 }, dataset: 'census' })],
};

export function facts(more: Partial<PolicyFacts> = {}, version: Partial<VersionEvidence> = {}): PolicyFacts {
  return {
    now: NOW,
    hasAccounts: true,
    target: { kind: 'stage', stage: 'Production' },
    change: 'enter',
    subject: 'stage:Production',
    binding: { digest: DIGEST, evidence: EVIDENCE },
    principals: COMPANY,
    requesters: [ALICE],
    requestedAt: NOW - DAY,
    creators: [],
    runAuthors: [],
    lastEditors: [],
    approvals: [],
    accessChanges: [],
    version: { ...VERSION, ...version },
    standing: [STANDING],
    blocked: undefined,
    ...more,
  };
}

/** A policy in enforce on Production, with these requirements and other members. */
export function policy(requirements: object, more: object = {}): NamedPolicy {
  return withExpressions(checkPolicy({ name: 'p', mode: 'enforce', match: { target: { stage: 'Production' } }, requirements, ...more }));
}

export function withExpressions(document: Policy): NamedPolicy {
  return namePolicy(
    document,
    document.requirements.expressions?.map(({ that }) => compileExpression(that)),
  );
}

/** The sentences of what is missing. */
export function missing(rule: NamedPolicy, more: Partial<PolicyFacts> = {}, version: Partial<VersionEvidence> = {}): string[] {
  return decide(rule, facts(more, version)).missing.map((each) => each.what);
}

const GROUPS = ['g0', 'g1', 'g2'];

export interface RandomWorld {
  readonly policy: NamedPolicy;
  readonly facts: PolicyFacts;
}

/** Worlds in which something is bad everywhere show little. */
const mostly = fc.nat(7).map((drawn) => drawn > 0);

/** Users of several persons with service accounts and jobs; a policy that asks for approvals; approvals good and bad. */
export function randomWorld(persons: number): fc.Arbitrary<RandomWorld> {
  const person = fc.record({ groups: fc.subarray(GROUPS), robots: fc.integer({ min: 0, max: 2 }), isActive: mostly });
  const asked = fc.record({
    approvals: fc.uniqueArray(fc.record({ group: fc.constantFrom(...GROUPS), count: fc.integer({ min: 1, max: 2 }) }), {
      minLength: 1,
      maxLength: 2,
      selector: (each) => each.group,
    }),
    count_person_in: fc.constantFrom('one', 'each'),
    exclude: fc.subarray(['run_author', 'last_editor']),
    checks: fc.subarray([{ name: 'a' }, { name: 'b', max_age: '1d' }], { maxLength: 1 }),
  });
  return fc.tuple(fc.array(person, { minLength: persons, maxLength: persons }), asked).chain(([people, requirements]) => {
    const principals = people.flatMap((each, index) => accountsOf(index + 1, each));
    const rule = policy(requirements);
    const someone = fc.constantFrom(...principals.map((each) => each.id));
    const who = fc.array(someone, { maxLength: 2 });
    const approvals = fc.array(fc.record({ by: someone, ageDays: fc.constantFrom(0, 1, 5, 13, 14), isBound: mostly }), {
      maxLength: 8,
    });
    const reports = fc.array(randomReport(someone), { maxLength: 5 });
    return fc.record({ approvals, requester: someone, creator: someone, runAuthors: who, lastEditors: who, reports }).map((each) => ({
      policy: rule,
      facts: facts(
        {
          principals,
          requesters: [each.requester],
          runAuthors: each.runAuthors,
          lastEditors: each.lastEditors,
          approvals: each.approvals.map(({ by, ageDays, isBound }, id) =>
            approval(rule, by, { id, at: NOW - ageDays * DAY, ...(isBound ? {} : { digest: 'other' }) }),
          ),
        },
        { registeredBy: each.creator, checks: each.reports.map((report, id) => ({ ...report, id })) },
      ),
    }));
  });
}

function accountsOf(
  person: number,
  { groups, robots, isActive }: { groups: string[]; robots: number; isActive: boolean },
): PolicyPrincipal[] {
  const robot = (index: number): PolicyPrincipal =>
    principal(person * 100 + index, `robot ${person}/${index}`, { kind: 'service', persons: [person], groups: GROUPS });
  return [principal(person, `user ${person}`, { groups, isActive }), ...Array.from({ length: robots }, (_, index) => robot(index))];
}

function randomReport(someone: fc.Arbitrary<number>): fc.Arbitrary<CheckReport> {
  const conclusion = fc.constantFrom('success' as const, 'success' as const, 'failure' as const, null);
  return fc
    .record({ name: fc.constantFrom('a', 'b'), by: someone, conclusion, ageDays: fc.integer({ min: 0, max: 2 }) })
    .map(({ ageDays, ...report }) => check(report.name, { ...report, at: NOW - ageDays * DAY }));
}
