/** The story of governed models, at the doors: who asks, who answers, what is missing, and what is then allowed. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTestContext, type TestContext } from '../../../../../test/support/context.ts';
import { openPeople } from '../../../../../test/support/people.ts';
import type { Ctx } from '../../platform/context.ts';
import * as accounts from '../accounts/accounts.ts';
import * as audit from '../audit/audit.ts';
import * as groups from '../groups/groups.ts';
import * as models from '../models/models.ts';
import * as policies from '../policies/policies.ts';
import * as runs from '../runs/runs.ts';
import * as transitions from '../transitions/transitions.ts';
import * as versions from '../versions/versions.ts';
import type { Request, Wish } from './requests.ts';
import * as requests from './requests.ts';

type Name = 'root' | 'second' | 'alice' | 'bob' | 'carol' | 'dora';
let test: TestContext;
let people: Readonly<Record<Name, Ctx>>;

beforeEach(async () => {
  test = await openTestContext();
  people = await openPeople(test.ctx, {
    root: { isAdmin: true },
    second: { isAdmin: true },
    alice: { level: 'EDIT' },
    bob: { level: 'READ', groups: ['risk'] },
    carol: { level: 'READ', groups: ['risk'] },
    dora: { level: 'MANAGE_PRODUCTION' },
  });
});
afterEach(() => test.close());

const publish = (...texts: readonly string[]): Promise<unknown> =>
  requests.replacePolicies(people.root, { published: texts.map((text) => ({ text, listedDigests: [] })), withdrawn: [] });

/** Bytes under a run of Alice, and a version of them. */
async function logRun(by: Ctx, accuracy: number, text = 'flavors: {}'): Promise<string> {
  const run = await runs.create(by, { experimentId: 0, name: 'r', userId: '', startTime: 0, tags: [] });
  const { artifactUri, runId } = run.info;
  await test.upload(`${artifactUri.replace('mlflow-artifacts:/', '')}/model/MLmodel`, text);
  await runs.logMetric(by, runId, { key: 'accuracy', value: accuracy, timestamp: 1, step: 0 } as never);
  return runId;
}
const register = async (by: Ctx, name: string, accuracy = 0.95, text?: string): Promise<versions.ModelVersion> => {
  const runId = await logRun(by, accuracy, text);
  return requests.registerVersion(by, {
    name,
    source: `runs:/${runId}/model`,
    runId,
    loggedModelId: undefined,
    runLink: '',
    description: undefined,
    tags: [],
  });
};
const toProduction = (by: Ctx, name: string, version: number): Promise<unknown> =>
  requests.moveStage(by, { name, version, stage: 'Production', archiveExisting: true });

const FRAUD = `
name: fraud-production
mode: enforce
match: { model: 'fraud-*', target: { stage: Production } }
requirements:
  approvals: [{ group: risk, count: 2 }]
  exclude: [run_author]
  checks: [{ name: ci/tests }]
  metrics: [{ name: accuracy, op: '>=', value: 0.92 }, { name: accuracy, op: '>=', current: { tolerance: 0.01 } }]
on_refused: open_request
`;

describe('a governed stage', () => {
  it('lets a version in when all is there, and says what is missing until then', async () => {
    await models.create(people.root, { name: 'fraud-eu', tags: [] });
    const first = await register(people.alice, 'fraud-eu');
    await publish(FRAUD);
    await expect(toProduction(people.dora, 'fraud-eu', 1)).rejects.toThrow(/0 of 2 approvals of group 'risk'.*Request 1 was opened/s);
    await expect(requests.approve(people.alice, 1)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    expect((await requests.approve(people.bob, 1, { comment: 'fine' })).state).toBe('open');
    expect((await requests.approve(people.carol, 1)).state).toBe('open');
    const evaluation = await requests.evaluate(people.alice, await requests.get(people.alice, 1));
    expect(evaluation.asked.flatMap(({ decision }) => decision.missing.map((each) => each.requirement))).toEqual(['checks']);
    await requests.reportCheck(people.root, 'fraud-eu', 1, {
      name: 'ci/tests',
      externalId: '1',
      status: 'completed',
      conclusion: 'success',
      metrics: {},
    } as never);
    expect((await requests.get(people.alice, 1)).state).toBe('approved');
    expect((await versions.get(test.ctx, 'fraud-eu', 1)).stage).toBe('Production');
    const [decision] = await audit.listDecisions(test.ctx, first);
    expect(decision).toMatchObject({ admission: 'policy', target: 'stage:Production', approvals: [1, 2] });
    // Where it is already, nobody is asked and nothing happens.
    await toProduction(people.dora, 'fraud-eu', 1);
    expect(await audit.listDecisions(test.ctx, first)).toHaveLength(1);
    await expect(requests.get(people.alice, 2)).rejects.toMatchObject({ code: 'RESOURCE_DOES_NOT_EXIST' });
  });

  it('is asked for what would make room, too', async () => {
    await models.create(people.root, { name: 'fraud-eu', tags: [] });
    for (const version of [1, 2]) {
      await register(people.alice, 'fraud-eu');
      await requests.moveStage(people.root, { name: 'fraud-eu', version, stage: 'Production', archiveExisting: false });
    }
    await publish(FRAUD);
    await expect(toProduction(people.dora, 'fraud-eu', 2)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    expect((await versions.get(test.ctx, 'fraud-eu', 1)).stage).toBe('Production');
  });
});

describe('the evidence of a request', () => {
  const described = async (): Promise<readonly string[]> => {
    const request = await requests.get(people.alice, 1);
    const { asked } = await requests.evaluate(people.alice, request);
    return asked.flatMap(({ decision }) => decision.missing.map((each) => each.requirement));
  };

  it('is of the day it opens, and once somebody approved of it stays what he saw', async () => {
    await models.create(people.root, { name: 'm', tags: [] });
    await register(people.alice, 'm');
    await publish(`{ name: p, mode: enforce, match: { target: { stage: Production } },
      requirements: { description: true, approvals: [{ group: risk, count: 2 }] } }`);
    await versions.setDescription(people.alice, 'm', 1, 'Written after it was sealed.');
    const ask = (by: Ctx, stage: string): Promise<unknown> => requests.create(by, 'm', { target: { kind: 'stage', stage }, version: 1 });
    await ask(people.alice, 'Production');
    expect(await described()).toEqual(['approvals']);
    await requests.approve(people.bob, 1);
    await versions.setDescription(people.alice, 'm', 1, '');
    await ask(people.dora, 'Staging');
    expect(await described()).toEqual(['approvals']);
    await requests.approve(people.carol, 1);
    expect((await versions.get(test.ctx, 'm', 1)).stage).toBe('Production');
  });
});

describe('an alias whose removal is asked for', () => {
  const CHAMPION = `
name: champion
mode: enforce
match: { target: { alias: champion } }
requirements: { approvals: [{ group: risk }] }
`;
  it('is taken from the version that was named, and from no other', async () => {
    await models.create(people.root, { name: 'fraud-eu', tags: [] });
    await register(people.alice, 'fraud-eu');
    await register(people.alice, 'fraud-eu');
    await transitions.setAlias(people.root, 'fraud-eu', 'champion', 1);
    await publish(CHAMPION);
    const ask = (version: number, change: 'enter' | 'leave'): Promise<requests.Request> =>
      requests.create(people.alice, 'fraud-eu', { target: { kind: 'alias', alias: 'champion' }, version, change });
    const removal = await ask(1, 'leave');
    await requests.approve(people.carol, (await ask(2, 'enter')).id);
    await expect(requests.approve(people.bob, removal.id)).rejects.toThrow(/points at version 2 by now/);
    expect((await versions.getByAlias(test.ctx, 'fraud-eu', 'champion')).version).toBe(2);
    expect((await requests.get(people.alice, removal.id)).state).toBe('open');
  });
});

describe('what is carried out by itself', () => {
  it('is undone whole where it fails half-way', async () => {
    await models.create(people.root, { name: 'fraud-eu', tags: [] });
    for (let i = 0; i < 3; i++) await register(people.alice, 'fraud-eu');
    await transitions.setVersionTag(people.alice, 'fraud-eu', 1, 'retired', 'yes');
    for (const version of [1, 2]) {
      await transitions.moveStage(people.dora, { name: 'fraud-eu', version, stage: 'Production', archiveExisting: false });
    }
    await publish(`
name: in
mode: enforce
match: { model: 'fraud-*', target: { stage: Production } }
requirements: { approvals: [{ group: risk }], checks: [{ name: ci/tests }] }
`);
    const archive = `
name: away
mode: enforce
match: { model: 'fraud-*', target: { stage: Archived } }
requirements: { tags: [{ key: retired }] }
`;
    await expect(publish(archive)).rejects.toThrow(/Request 1/);
    await requests.approve(people.second, 1);
    await publish(archive);
    const target = { kind: 'stage', stage: 'Production' } as const;
    const { id } = await requests.create(people.alice, 'fraud-eu', { target, version: 3, archiveExisting: true });
    await requests.approve(people.bob, id);
    const report = { name: 'ci/tests', externalId: '1', status: 'completed', conclusion: 'success', metrics: {} } as never;
    await requests.reportCheck(people.root, 'fraud-eu', 3, report);
    const stages = await Promise.all([1, 2, 3].map(async (version) => (await versions.get(test.ctx, 'fraud-eu', version)).stage));
    expect(stages).toEqual(['Production', 'Production', 'None']);
    expect((await requests.get(people.alice, id)).state).toBe('open');
  });
});

describe('an approval that expired', () => {
  it('is given again by the same person', async () => {
    await models.create(people.root, { name: 'fraud-eu', tags: [] });
    await register(people.alice, 'fraud-eu');
    await publish(`
name: two
mode: enforce
match: { model: 'fraud-*', target: { stage: Production } }
requirements: { approvals: [{ group: risk, count: 2 }] }
`);
    const { id } = await requests.create(people.alice, 'fraud-eu', { target: { kind: 'stage', stage: 'Production' }, version: 1 });
    await requests.approve(people.bob, id);
    const later = (by: Ctx): Ctx => ({ ...by, clock: { ...by.clock, now: () => 1_700_000_000_000 + 15 * 86_400_000 } });
    expect((await requests.approve(later(people.carol), id)).state).toBe('open');
    expect((await requests.approve(later(people.bob), id)).state).toBe('approved');
  });
});

describe('a plan', () => {
  it('shows what a policy itself leaves open', async () => {
    const weak = FRAUD.replace('exclude: [run_author]', 'sealed: false\n  self_approval: true');
    const { publish: planned } = await requests.plan(people.root, {
      texts: [weak, FRAUD.replace('fraud-production', 'strict')],
      withdraw: [],
    });
    expect(planned.map(({ weaknesses }) => weaknesses.map(({ member }) => member))).toEqual([['sealed', 'self_approval'], []]);
  });
});

describe('a request that expired', () => {
  it('is approved no more, and another one is made, before anybody swept it', async () => {
    await models.create(people.root, { name: 'fraud-eu', tags: [] });
    await register(people.alice, 'fraud-eu');
    await publish(FRAUD);
    const wish: Wish = { target: { kind: 'stage', stage: 'Production' }, version: 1 };
    const { id } = await requests.create(people.alice, 'fraud-eu', wish);
    const later = (by: Ctx): Ctx => ({ ...by, clock: { ...by.clock, now: () => 1_700_000_000_000 + 31 * 86_400_000 } });
    await expect(requests.approve(later(people.bob), id)).rejects.toMatchObject({
      code: 'INVALID_STATE',
      message: expect.stringContaining('expired'),
    });
    const another = await requests.create(later(people.alice), 'fraud-eu', wish);
    expect([(await requests.get(people.alice, id)).state, another.state]).toEqual(['expired', 'open']);
  });
});

describe('a newer version', () => {
  it('supersedes what older ones asked for, where the policy says so', async () => {
    await models.create(people.root, { name: 'fraud-eu', tags: [] });
    for (let i = 0; i < 3; i++) await register(people.alice, 'fraud-eu');
    await publish(`
name: newest
mode: enforce
match: { model: 'fraud-*', target: { stage: Production } }
requirements: { approvals: [{ group: risk }] }
supersedes: older
`);
    for (const version of [1, 2, 3]) {
      await requests.create(people.alice, 'fraud-eu', { target: { kind: 'stage', stage: 'Production' }, version });
    }
    await requests.create(people.alice, 'fraud-eu', { target: { kind: 'stage', stage: 'Staging' }, version: 1 });
    await requests.approve(people.bob, 2);
    const states = await Promise.all([1, 2, 3, 4].map(async (id) => (await requests.get(people.alice, id)).state));
    expect(states).toEqual(['superseded', 'approved', 'open', 'open']);
  });
});

describe('settings', () => {
  beforeEach(() => accounts.setGovernor(test.ctx.db, transitions.governSetting));
  const addToRisk = async (by: Ctx, name: Name): Promise<void> =>
    requests.asking(by, async () => groups.addMember(by, await groups.getByName(by, 'risk'), await accounts.getByName(by, name)));

  it('are nobody’s alone as soon as a policy refuses anything', async () => {
    await addToRisk(people.root, 'dora');
    await publish(FRAUD);
    await expect(addToRisk(people.root, 'alice')).rejects.toThrow(/Request 1 was opened/);
    await expect(requests.approve(people.root, 1)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    await expect(requests.approve(people.dora, 1)).rejects.toMatchObject({ code: 'RESOURCE_DOES_NOT_EXIST' });
    await requests.approve(people.second, 1);
    await addToRisk(people.root, 'alice');
    expect((await requests.get(people.root, 1)).state).toBe('approved');
    await expect(addToRisk(people.root, 'alice')).resolves.toBeUndefined();
  });

  it('keep two who can decide them', async () => {
    await accounts.setAdmin(people.root, await accounts.getByName(people.root, 'second'), false);
    await expect(publish(FRAUD)).rejects.toMatchObject({ code: 'INVALID_STATE' });
    await accounts.setAdmin(people.root, await accounts.getByName(people.root, 'second'), true);
    await publish(FRAUD);
    await expect(accounts.setState(people.root, await accounts.getByName(people.root, 'second'), 'disabled')).rejects.toMatchObject({
      code: 'INVALID_STATE',
    });
  });

  it('a policy is withdrawn by two', async () => {
    await publish(FRAUD);
    const withdraw = (): Promise<unknown> => requests.replacePolicies(people.root, { published: [], withdrawn: ['fraud-production'] });
    await expect(withdraw()).rejects.toThrow(/Request 1 was opened/);
    await requests.approve(people.second, 1);
    await withdraw();
    expect((await policies.getInForce(test.ctx)).policies).toEqual([]);
  });
});

const TWO_MANAGERS = `
name: administration
mode: enforce
match: { target: { setting: '*' } }
requirements: { approvals: [{ level: MANAGE }] }
`;

describe('what somebody may do with a request', () => {
  const FRAUD_BY_ONE = FRAUD.replace('count: 2', 'count: 1');
  const ask = async (by: Ctx): Promise<Request> => {
    await publish(FRAUD_BY_ONE);
    await models.create(people.root, { name: 'fraud-cards', tags: [] });
    const { version } = await register(people.alice, 'fraud-cards');
    return requests.create(by, 'fraud-cards', { target: { kind: 'stage', stage: 'Production' }, version });
  };

  it('is not to approve what he asks for, made, or is not asked about', async () => {
    const request = await ask(people.alice);
    expect(await requests.actionsOn(people.alice, request)).toEqual(['cancel', 'apply']);
    expect(await requests.actionsOn(people.bob, request)).toEqual(['approve', 'reject']);
    // Who may make the change himself turns it down, or carries it out once it is allowed.
    expect(await requests.actionsOn(people.dora, request)).toEqual(['reject', 'apply']);
    await expect(requests.approve(people.dora, request.id)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    const another = await requests.create(people.bob, 'fraud-cards', { target: { kind: 'stage', stage: 'Production' }, version: 1 });
    expect(await requests.actionsOn(people.bob, another)).toEqual(['reject', 'cancel', 'apply']);
    expect(await requests.actionsOn(people.alice, another)).toEqual([]);
    expect(await requests.actionsOn(people.carol, another)).toEqual(['approve', 'reject']);
  });
});

describe('asking for what can’t be', () => {
  const NO_CHANGES: readonly Wish[] = [
    { target: { kind: 'alias', alias: 'latest' }, version: 1 },
    { target: { kind: 'alias', alias: 'a b' }, version: 1 },
    { target: { kind: 'alias', alias: 'champion' }, change: 'leave', version: 1 },
    { target: { kind: 'tag', key: 'k'.repeat(251), value: 'v' }, version: 1 },
    { target: { kind: 'tag', key: 'absent' }, change: 'leave', version: 1 },
    { target: { kind: 'tag', key: 'absent' }, change: 'leave' },
    { target: { kind: 'stage', stage: 'Staging' }, change: 'leave', version: 1 },
    { target: { kind: 'rename', newName: 'a/b' } },
    { target: { kind: 'rename', newName: 'fraud-cards' } },
  ];

  it.each(NO_CHANGES)('is refused at once: $target $change', async (wish) => {
    await models.create(people.root, { name: 'fraud-cards', tags: [] });
    await register(people.alice, 'fraud-cards');
    await expect(requests.create(people.alice, 'fraud-cards', wish)).rejects.toMatchObject({
      code: expect.stringMatching(/^(INVALID_PARAMETER_VALUE|RESOURCE_DOES_NOT_EXIST)$/),
    });
  });
});

describe('publishing again', () => {
  const change = (text: string, withdrawn: readonly string[] = []): Promise<unknown> =>
    requests.replacePolicies(people.root, { published: [{ text, listedDigests: [] }], withdrawn });
  const asked = async (): Promise<number> => (await requests.list(people.root, { beforeId: undefined, limit: 10 })).requests.length;

  it('asks nobody for what is in force already', async () => {
    await publish(FRAUD);
    await expect(publish(FRAUD)).resolves.toMatchObject([{ document: { name: 'fraud-production' } }]);
    await expect(change(FRAUD.replace('count: 2', 'count: 1'))).rejects.toThrow(/Request 1 was opened/);
  });

  it('is asked for by trying, whatever the policy on it says: there is no other way', async () => {
    await publish(TWO_MANAGERS);
    await expect(publish(FRAUD)).rejects.toThrow(/Policy 'administration'.*Request 1 was opened/s);
    const request = await requests.get(people.root, 1);
    expect(await requests.actionsOn(people.root, request)).toEqual(['reject', 'cancel']);
    expect(await requests.actionsOn(people.second, request)).toEqual(['approve', 'reject', 'cancel']);
    await requests.approve(people.second, 1);
    await expect(publish(FRAUD)).resolves.toHaveLength(1);
  });

  it('asks nobody for what can’t be', async () => {
    await publish(FRAUD);
    await expect(change(FRAUD, ['absent'])).rejects.toMatchObject({ code: 'RESOURCE_DOES_NOT_EXIST' });
    await expect(change(FRAUD.replace('stage: Production', 'stage: Nowhere'))).rejects.toMatchObject({ code: 'INVALID_PARAMETER_VALUE' });
    expect(await asked()).toBe(0);
  });
});
