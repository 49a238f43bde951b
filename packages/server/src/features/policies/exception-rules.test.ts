import type { BreakGlassFacts, PolicyFacts, RollbackFacts, Stay } from '@countersign/contract/policy-facts.ts';
import { describe, expect, it } from 'vitest';
import { decideBreakGlass, decideRollback } from './exception-rules.ts';
import { ALICE, BOB, BOBS_ROBOT, CAROL, DAVE, DAY, DIGEST, ERIN, facts, NIGHTLY_JOB, NOW, policy, SERVING } from './policy-worlds.ts';

const WAS: Stay = { place: 'stage', name: 'Production', digest: DIGEST, from: NOW - 40 * DAY, until: NOW - 5 * DAY, admittedBy: 'policy' };

describe('a rollback', () => {
  const rollback = { within_days: 30, roles: [{ group: 'on-call' }], serving_controller: true };
  const rule = policy({ approvals: [{ group: 'risk', count: 2 }], checks: [{ name: 'never' }] }, { rollback });
  const asked: RollbackFacts = { caller: DAVE, reason: 'errors rise', listedDigests: [] };

  function missing(more: { stay?: Partial<Stay>; asked?: Partial<RollbackFacts>; facts?: Partial<PolicyFacts> } = {}, by = rule): string[] {
    const world = facts(more.facts ?? {}, { stays: [{ ...WAS, ...more.stay }] });
    const decision = decideRollback(by, world, { ...asked, ...more.asked });
    expect(decision).toMatchObject({ path: 'rollback', isAllowed: decision.missing.length === 0, isSatisfied: decision.isAllowed });
    expect(decision.nextPossibleAt).toBe(decision.isAllowed ? NOW : null);
    return decision.missing.map((each) => each.what);
  }

  it('brings back what was there, by one person in the role, with a reason; a freeze doesn’t stop it', () => {
    expect(missing()).toEqual([]);
    const freeze = [{ dated: { from: '2026-05-01 00:00', to: '2026-06-01 00:00' }, time_zone: 'UTC' }];
    expect(missing({}, policy({}, { rollback, freeze }))).toEqual([]);
    expect(missing({ asked: { caller: SERVING } })).toEqual([]);
  });

  it.each<[string, Parameters<typeof missing>[0], RegExp]>([
    ['other bytes', { stay: { digest: 'other' } }, /not there in the last 30 days/],
    ['another place', { stay: { name: 'Staging' } }, /not there/],
    ['an alias of that name', { stay: { place: 'alias' } }, /not there/],
    ['long ago', { stay: { until: NOW - 31 * DAY } }, /not there/],
    ['let in by break-glass', { stay: { admittedBy: 'break-glass' } }, /not there/],
    ['let in by a rollback', { stay: { admittedBy: 'rollback' } }, /not there/],
    ['there before enforcement, not listed', { stay: { admittedBy: 'ungoverned' } }, /not there/],
    ['unsealed', { stay: { digest: null }, facts: { binding: { digest: null, evidence: '' } } }, /not there/],
    ['somebody else', { asked: { caller: BOB } }, /bob is not in a role/],
    ['a job', { asked: { caller: NIGHTLY_JOB } }, /ci:quality is not in a role/],
    ['an unknown account', { asked: { caller: 999 } }, /account 999 is not in a role/],
    ['no reason', { asked: { reason: ' ' } }, /no reason/],
    ['blocked bytes', { facts: { blocked: { reason: 'leaks names' } } }, /blocked: leaks names/],
    ['no version', { facts: { change: 'leave' } }, /only versions come back/],
  ])('is refused: %s', (_, more, sentence) => {
    expect(missing(more)).toEqual([expect.stringMatching(sentence)]);
  });

  it('may go to what stood there before enforcement, where the publication lists it', () => {
    expect(missing({ stay: { admittedBy: 'ungoverned' }, asked: { listedDigests: [DIGEST] } })).toEqual([]);
    expect(missing({ stay: { until: null } })).toEqual([]);
    expect(missing({}, policy({}))).toEqual([expect.stringMatching(/knows no rollback/)]);
    const people = policy({}, { rollback: { within_days: 30, roles: [{ level: 'MANAGE' }] } });
    expect(missing({}, people)).toEqual([]);
    expect(missing({ asked: { caller: SERVING } }, people)).toHaveLength(1);
  });

  it('knows aliases and entries, too', () => {
    const target = { kind: 'alias', alias: 'champion' } as const;
    expect(missing({ facts: { target }, stay: { place: 'alias', name: 'champion' } })).toEqual([]);
    expect(missing({ facts: { target: { kind: 'entry' } }, stay: { place: 'entry', name: '' } })).toEqual([]);
    expect(missing({ facts: { target: { kind: 'tag', key: 'x' } } })).toHaveLength(1);
  });
});

describe('breaking the glass', () => {
  const rule = policy({ approvals: [{ group: 'risk' }] }, { break_glass: { permission: 'break-glass', minutes: 60 } });
  const opened = { by: DAVE, at: NOW - 59 * 60_000, reason: 'outage', ticket: 'INC-1' };
  const asked: BreakGlassFacts = { caller: DAVE, opened, uses: [] };

  function missing(more: Partial<BreakGlassFacts> = {}, world: Partial<PolicyFacts> = {}, by = rule): string[] {
    const decision = decideBreakGlass(by, facts(world, { isSealed: false }), { ...asked, ...more });
    expect(decision).toMatchObject({ path: 'break-glass', isAllowed: decision.missing.length === 0 });
    return decision.missing.map((each) => each.what);
  }

  it('goes past everything but a block', () => {
    expect(missing()).toEqual([]);
    expect(missing({}, { blocked: { reason: 'x' } })).toEqual(['these bytes are blocked: x']);
  });

  it.each<[string, Partial<BreakGlassFacts>, RegExp]>([
    ['without the permission', { caller: BOB, opened: { ...opened, by: BOB } }, /bob is no person with the permission/],
    ['by a job', { caller: NIGHTLY_JOB, opened: { ...opened, by: NIGHTLY_JOB } }, /ci:quality is no person/],
    ['by a service account', { caller: BOBS_ROBOT, opened: { ...opened, by: BOBS_ROBOT } }, /is no person/],
    ['opened by another', { opened: { ...opened, by: ERIN } }, /not opened by the caller/],
    ['opened too long ago', { opened: { ...opened, at: NOW - 60 * 60_000 } }, /not opened by the caller in the last 60 minutes/],
    ['opened later', { opened: { ...opened, at: NOW + 1 } }, /not opened/],
    ['without a ticket', { opened: { ...opened, ticket: '' } }, /no reason, or no ticket/],
    ['without a reason', { opened: { ...opened, reason: ' ' } }, /no reason, or no ticket/],
    ['used before, not reviewed', { uses: [{ by: DAVE, at: 1, reviewedBy: undefined }] }, /not reviewed by a second person/],
    ['reviewed by whoever used it', { uses: [{ by: BOB, at: 1, reviewedBy: BOBS_ROBOT }] }, /not reviewed/],
    ['reviewed by a job', { uses: [{ by: BOB, at: 1, reviewedBy: NIGHTLY_JOB }] }, /not reviewed/],
    ['reviewed by a service account of nobody', { uses: [{ by: BOB, at: 1, reviewedBy: SERVING }] }, /not reviewed/],
    ['reviewed by nobody known', { uses: [{ by: BOB, at: 1, reviewedBy: 999 }] }, /not reviewed/],
  ])('is refused: %s', (_, more, sentence) => {
    expect(missing(more)).toEqual([expect.stringMatching(sentence)]);
  });

  it('is refused where it wasn’t opened, or the policy has none; a reviewed use closes nothing', () => {
    expect(missing({ opened: undefined })).toHaveLength(2);
    expect(missing({}, {}, policy({}))).toEqual([expect.stringMatching(/has no break-glass/)]);
    expect(missing({ uses: [{ by: DAVE, at: 1, reviewedBy: CAROL }] })).toEqual([]);
    expect(missing({ uses: [{ by: ALICE, at: 1, reviewedBy: DAVE }] })).toEqual([]);
  });
});
