/** What would come into a model: who asks for it, and to whom it is given once it is let in. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type GovernedModels, openGovernedModels, registerFrom } from '../../../../../test/support/governed-models.ts';
import { contextOf, openPeople } from '../../../../../test/support/people.ts';
import type { Ctx } from '../../platform/context.ts';
import { EVERY_WORKSPACE, NO_OBJECT, setGrant } from '../access/access.ts';
import * as accounts from '../accounts/accounts.ts';
import * as audit from '../audit/audit.ts';
import * as models from '../models/models.ts';
import { readScopes } from '../tokens/tokens.ts';
import * as versions from '../versions/versions.ts';
import * as requests from './requests.ts';

type Name = 'root' | 'second' | 'alice' | 'bob' | 'carol' | 'dora';
let store: GovernedModels;
let people: Readonly<Record<Name, Ctx>>;

beforeEach(async () => {
  store = await openGovernedModels();
  people = await openPeople(store.ctx, {
    root: { isAdmin: true },
    second: { isAdmin: true },
    alice: { level: 'EDIT' },
    bob: { level: 'READ', groups: ['risk'] },
    carol: { level: 'READ', groups: ['risk'] },
    dora: { level: 'MANAGE_PRODUCTION' },
  });
});
afterEach(() => store.close());

const publish = (...texts: readonly string[]): Promise<unknown> =>
  requests.replacePolicies(people.root, { published: texts.map((text) => ({ text, listedDigests: [] })), withdrawn: [] });

const registerRun = async (by: Ctx, name: string): Promise<versions.ModelVersion> =>
  registerFrom(by, name, `runs:/${await store.logRun(by)}/model`);

describe('entry into a model', () => {
  const ENTRY = `
name: prod-entry
mode: enforce
match: { model: 'prod.*', target: { entry: true } }
requirements: { approvals: [{ group: risk }] }
on_refused: open_request
`;
  it('is of a candidate, and gives the version to whoever asked', async () => {
    await models.create(people.root, { name: 'dev.churn', tags: [] });
    await models.create(people.root, { name: 'prod.churn', tags: [] });
    await registerRun(people.alice, 'dev.churn');
    await publish(ENTRY);
    const copy = (): Promise<versions.ModelVersion> =>
      requests.registerVersion(people.alice, {
        name: 'prod.churn',
        source: 'models:/dev.churn/1',
        runId: '',
        loggedModelId: undefined,
        runLink: '',
        description: undefined,
        tags: [],
      });
    await expect(copy()).rejects.toThrow(/Request 1 was opened/);
    expect((await requests.approve(people.bob, 1)).state).toBe('approved');
    const entered = await copy();
    expect(entered).toMatchObject({ name: 'prod.churn', version: 1, registeredBy: people.alice.principal.id });
    expect(await audit.listDecisions(store.ctx, entered)).toMatchObject([{ admission: 'policy', target: 'entry', approvals: [1] }]);
    await expect(copy()).rejects.toThrow(/Request 2 was opened/);
    await expect(requests.deleteVersion(people.root, 'prod.churn', 1)).rejects.toThrow(/Request 3/);
    await expect(requests.renameModel(people.root, 'dev.churn', 'prod.other')).rejects.toThrow(/Request 4/);
    expect((await requests.approve(people.bob, 4)).state).toBe('approved');
    expect((await models.get(store.ctx, 'prod.other')).name).toBe('prod.other');
  });
});

describe('entry that several people ask for', () => {
  const ENTRY = `
name: prod-entry
mode: enforce
match: { model: 'prod.*', target: { entry: true } }
requirements: { approvals: [{ group: risk }], checks: [{ name: ci/tests }] }
on_refused: open_request
`;
  const CHAMPION = `
name: prod-champion
mode: enforce
match: { model: 'prod.*', target: { alias: champion } }
requirements: { approvals: [{ group: risk }], checks: [{ name: ci/tests }] }
`;
  const everyModel = {
    workspaceId: EVERY_WORKSPACE,
    subjectKind: 'principal',
    kind: 'registered-model',
    objectId: NO_OBJECT,
    prefix: '',
  } as const;
  const free = { tags: [] as readonly models.Tag[], description: undefined as string | undefined };
  const copy = (by: Ctx, more: Partial<typeof free> = {}, source = 'models:/dev.churn/1'): Promise<versions.ModelVersion> =>
    requests.registerVersion(by, { name: 'prod.churn', source, runId: '', loggedModelId: undefined, runLink: '', ...free, ...more });
  /** By a job: what people report of the source says nothing of the copy. */
  const green = async (): Promise<void> => {
    const robot = await accounts.createServiceAccount(people.root, { name: 'robot', ownerId: people.root.principal.id });
    const { id: accountId } = robot;
    await setGrant(store.ctx, { ...everyModel, subjectId: accountId }, 'READ');
    const by = { ...(await contextOf(store.ctx, robot)), tokenScope: readScopes(['check:ci/tests']) };
    const report = { name: 'ci/tests', externalId: '1', status: 'completed', conclusion: 'success', metrics: {} } as never;
    await requests.reportCheck(by, 'dev.churn', 1, report);
  };
  const count = async (): Promise<number> =>
    (await versions.listOfModel(store.ctx, await models.get(store.ctx, 'prod.churn'), { limit: 9 })).length;

  beforeEach(async () => {
    await models.create(people.root, { name: 'dev.churn', tags: [] });
    await models.create(people.root, { name: 'prod.churn', tags: [] });
    await registerRun(people.alice, 'dev.churn');
  });
  const SIGNED = ENTRY.replace(', checks: [{ name: ci/tests }]', '');

  it('is of one candidate, and one version that each of them is given once', async () => {
    await publish(SIGNED);
    await expect(copy(people.alice)).rejects.toThrow(/Request 1 was opened/);
    await expect(copy(people.dora)).rejects.toThrow(/Request 2 was opened/);
    await expect(copy(people.dora)).rejects.toThrow(/Request 2 is open/);
    expect((await requests.approve(people.bob, 2)).state).toBe('approved');
    expect((await requests.get(people.alice, 1)).state).toBe('approved');
    expect(await copy(people.dora)).toMatchObject({ version: 1, registeredBy: people.alice.principal.id });
    expect(await copy(people.alice)).toMatchObject({ version: 1 });
    expect(await count()).toBe(1);
    await expect(copy(people.dora)).rejects.toThrow(/Request \d+ was opened/);
  });

  it('is approved by none of them', async () => {
    await publish(SIGNED);
    await expect(copy(people.alice)).rejects.toThrow(/Request 1/);
    await requests.create(people.bob, 'prod.churn', {
      target: { kind: 'entry' },
      registration: { source: 'models:/dev.churn/1', runId: '', loggedModelId: undefined, runLink: '', description: undefined, tags: [] },
    });
    await expect(requests.approve(people.bob, 1)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    expect((await requests.approve(people.carol, 1)).state).toBe('approved');
    expect(await count()).toBe(1);
  });

  it('is the next one’s where the first takes it back, and given to him no more', async () => {
    await publish(SIGNED);
    await expect(copy(people.alice)).rejects.toThrow(/Request 1/);
    await expect(copy(people.dora)).rejects.toThrow(/Request 2/);
    await requests.cancel(people.alice, 1);
    expect((await requests.approve(people.bob, 2)).state).toBe('approved');
    await expect(copy(people.alice)).rejects.toThrow(/Request 3 was opened/);
    expect(await copy(people.dora)).toMatchObject({ version: 1, registeredBy: people.dora.principal.id });
  });

  it('in other words tells of the request that is open', async () => {
    await publish(SIGNED);
    await expect(copy(people.alice)).rejects.toThrow(/Request 1 was opened/);
    await expect(copy(people.dora, { description: 'mine' })).rejects.toThrow(
      /Request 1 is open for the same bytes, with another description/,
    );
    await expect(copy(people.dora, { tags: [{ key: 'team', value: 'x' }] })).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    expect((await requests.list(people.root, { beforeId: undefined, limit: 9 })).requests).toHaveLength(1);
  });

  it('is told of also where no refused call opens a request', async () => {
    await publish(SIGNED.replace('on_refused: open_request', ''));
    await expect(copy(people.alice)).rejects.toThrow(/Ask for it: countersign request create prod\.churn --entry models:\/dev\.churn\/1 /);
    const registration = { source: 'models:/dev.churn/1', runId: '', loggedModelId: undefined, runLink: '', ...free };
    const { id } = await requests.create(people.alice, 'prod.churn', { target: { kind: 'entry' }, registration });
    await expect(copy(people.dora)).rejects.toThrow(`Request ${id} is open for it`);
  });

  it('comes about with the check on its source that it waited for', async () => {
    await publish(ENTRY);
    await expect(copy(people.alice)).rejects.toThrow(/Request 1 was opened/);
    expect((await requests.approve(people.bob, 1)).state).toBe('open');
    await green();
    expect((await requests.get(people.alice, 1)).state).toBe('approved');
    expect(await count()).toBe(1);
  });

  it('and so do copies of copies, and what waits for a copy', async () => {
    await models.create(people.root, { name: 'staging.churn', tags: [] });
    await requests.registerVersion(people.alice, {
      name: 'staging.churn',
      source: 'models:/dev.churn/1',
      runId: '',
      loggedModelId: undefined,
      runLink: '',
      ...free,
    });
    await publish(SIGNED, CHAMPION);
    await expect(copy(people.alice, {}, 'models:/staging.churn/1')).rejects.toThrow(/Request 1/);
    await requests.approve(people.bob, 1);
    const { id } = await requests.create(people.alice, 'prod.churn', { target: { kind: 'alias', alias: 'champion' }, version: 1 });
    expect((await requests.approve(people.bob, id)).state).toBe('open');
    await green();
    expect((await requests.get(people.alice, id)).state).toBe('approved');
  });
});
