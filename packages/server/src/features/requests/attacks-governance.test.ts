/** Ways around policies, each tried at the doors by whoever could want to: none of them leads anywhere. */
import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { onBothDatabases } from '../../../../../test/support/databases.ts';
import { type GovernedModels, logAccuracy, openGovernedModels } from '../../../../../test/support/governed-models.ts';
import { contextOf, openPeople } from '../../../../../test/support/people.ts';
import { type Ctx, transaction } from '../../platform/context.ts';
import { PostgresDatabase } from '../../platform/db/postgres.ts';
import * as access from '../access/access.ts';
import * as accounts from '../accounts/accounts.ts';
import * as artifacts from '../artifacts/artifacts.ts';
import * as breakGlass from '../break-glass/break-glass.ts';
import * as evidence from '../evidence/evidence.ts';
import * as groups from '../groups/groups.ts';
import * as models from '../models/models.ts';
import * as namedPermissions from '../named-permissions/named-permissions.ts';
import * as tokens from '../tokens/tokens.ts';
import { readScopes } from '../tokens/tokens.ts';
import * as transitions from '../transitions/transitions.ts';
import * as versions from '../versions/versions.ts';
import * as requests from './requests.ts';

type Name = 'root' | 'second' | 'alice' | 'bob' | 'carol' | 'dora';
let store: GovernedModels;
let people: Readonly<Record<Name, Ctx>>;

const publish = (...texts: readonly string[]): Promise<unknown> =>
  requests.replacePolicies(people.root, { published: texts.map((text) => ({ text, listedDigests: [] })), withdrawn: [] });

const policy = (name: string, match: string, requirements = 'approvals: [{ group: risk }]'): string =>
  `{ name: ${name}, mode: enforce, match: ${match}, requirements: { ${requirements} } }`;

const logRun = (by: Ctx, accuracy = 0.95, text = 'flavors: {}'): Promise<string> => store.logRun(by, { accuracy, text });

interface Wish {
  readonly runId?: string;
  readonly source?: string;
  readonly tags?: readonly models.Tag[];
}
async function register(by: Ctx, name: string, { runId, source, tags = [] }: Wish = {}): Promise<versions.ModelVersion> {
  const id = runId ?? (source === undefined ? await logRun(by) : '');
  return requests.registerVersion(by, {
    name,
    source: source ?? `runs:/${id}/model`,
    runId: id,
    loggedModelId: undefined,
    runLink: '',
    description: undefined,
    tags,
  });
}

const DENIED = { code: 'PERMISSION_DENIED' };
const PROMPT = { key: 'mlflow.prompt.is_prompt', value: 'true' };
const prompt = (by: Ctx, name: string): Promise<versions.ModelVersion> =>
  register(by, name, { source: 's3://dummy/source', tags: [PROMPT, { key: 'mlflow.prompt.text', value: 'Hello' }] });

async function open(url: string | undefined): Promise<void> {
  store = await openGovernedModels(url === undefined ? undefined : new PostgresDatabase(url));
  people = await openPeople(store.ctx, {
    root: { isAdmin: true },
    second: { isAdmin: true },
    alice: { level: 'MANAGE' },
    bob: { level: 'READ', groups: ['risk'] },
    carol: { level: 'READ', groups: ['risk'] },
    dora: { level: 'MANAGE_PRODUCTION' },
  });
  accounts.setGovernor(store.ctx.db, transitions.governSetting);
}

describe('ways around policies', () => {
  beforeEach(() => open(undefined));
  afterEach(() => store.close());

  describe('what a model calls itself', () => {
    it('a model doesn’t leave its policies by being called a prompt', async () => {
      await models.create(people.alice, { name: 'prod.churn', tags: [] });
      await register(people.alice, 'prod.churn');
      await publish(policy('champion', '{ target: { alias: champion } }'));
      await requests.setModelTag(people.alice, 'prod.churn', PROMPT.key, 'true').catch(() => {});
      await expect(requests.setAlias(people.alice, 'prod.churn', 'champion', 1)).rejects.toMatchObject(DENIED);
    });

    it('nor does a version enter a governed model that was made as a prompt', async () => {
      await models.create(people.alice, { name: 'prod.churn', tags: [PROMPT] });
      await publish(policy('entry', "{ model: 'prod.*', target: { entry: true } }"));
      await expect(register(people.alice, 'prod.churn')).rejects.toMatchObject(DENIED);
    });

    it('a version with the tag of prompts isn’t out of their policies by standing in a model without it', async () => {
      await models.create(people.alice, { name: 'greeting', tags: [] });
      await prompt(people.alice, 'greeting');
      await publish(policy('prompts', '{ target: { prompt: { alias: champion } } }'));
      await expect(requests.setAlias(people.alice, 'greeting', 'champion', 1)).rejects.toMatchObject(DENIED);
      await requests.setModelTag(people.alice, 'greeting', PROMPT.key, 'true');
      await expect(requests.setAlias(people.alice, 'greeting', 'champion', 1)).rejects.toMatchObject(DENIED);
    });
  });

  describe('tags', () => {
    it('a governed tag isn’t given to a model where it is made', async () => {
      await publish(policy('risk-tag', '{ target: { tag: risk } }'));
      await expect(requests.createModel(people.alice, { name: 'm', tags: [{ key: 'risk', value: 'low' }] })).rejects.toMatchObject(DENIED);
      await expect(models.find(store.ctx, 'm')).resolves.toBeUndefined();
      await requests.createModel(people.alice, { name: 'm', tags: [{ key: 'team', value: 'a' }] });
    });
  });

  describe('the configuration of a prompt’s model', () => {
    it('changed after somebody approved, his approval is of something else', async () => {
      await models.create(people.alice, { name: 'greeting', tags: [PROMPT] });
      await prompt(people.alice, 'greeting');
      await publish(policy('prompts', '{ target: { prompt: { alias: champion } } }', 'approvals: [{ group: risk, count: 2 }]'));
      const { id } = await requests.create(people.alice, 'greeting', { target: { kind: 'alias', alias: 'champion' }, version: 1 });
      await requests.approve(people.bob, id);
      await requests.setVersionTag(people.alice, 'greeting', 1, '_mlflow_prompt_model_config', '{"temperature": 2}');
      expect((await requests.approve(people.carol, id)).state).toBe('open');
      expect((await requests.approve(people.bob, id)).state).toBe('approved');
    });
  });

  describe('what stands in the target', () => {
    it('is to be beaten by an alias that is called as the stage, too', async () => {
      await models.create(people.alice, { name: 'm', tags: [] });
      for (const accuracy of [0.95, 0.5]) await register(people.alice, 'm', { runId: await logRun(people.alice, accuracy) });
      await requests.moveStage(people.alice, { name: 'm', version: 1, stage: 'Production', archiveExisting: false });
      const metric = "metrics: [{ name: accuracy, op: '>=', current: { tolerance: 0.01 } }]";
      await publish(policy('p', '{ target: { stage: Production } }', metric));
      await expect(requests.setAlias(people.alice, 'm', 'production', 2)).rejects.toMatchObject(DENIED);
      await requests.setAlias(people.alice, 'm', 'production', 1);
    });

    it('isn’t made easier to beat by numbers that are logged while it stands there', async () => {
      await models.create(people.alice, { name: 'm', tags: [] });
      const first = await logRun(people.alice, 0.95);
      await register(people.alice, 'm', { runId: first });
      await publish(
        policy('p', '{ target: { stage: Production } }', "metrics: [{ name: accuracy, op: '>=', current: { tolerance: 0.01 } }]"),
      );
      await requests.moveStage(people.alice, { name: 'm', version: 1, stage: 'Production', archiveExisting: false });
      await register(people.alice, 'm', { runId: await logRun(people.alice, 0.5) });
      const move = (): Promise<unknown> =>
        requests.moveStage(people.alice, { name: 'm', version: 2, stage: 'Production', archiveExisting: true });
      await expect(move()).rejects.toMatchObject(DENIED);
      store.wait(1000);
      await logAccuracy(people.alice, first, 0.1);
      await requests.create(people.alice, 'm', { target: { kind: 'alias', alias: 'any' }, version: 1 });
      await evidence.renew(people.alice, 'm', 1);
      await expect(move()).rejects.toMatchObject(DENIED);
    });
  });

  describe('names', () => {
    it('a governed name isn’t given to other bytes under the same policy unasked', async () => {
      await publish(policy('champion', '{ target: { alias: champion } }'));
      for (const name of ['prod', 'test']) {
        await models.create(people.alice, { name, tags: [] });
        await register(people.alice, name);
        const { id } = await requests.create(people.alice, name, { target: { kind: 'alias', alias: 'champion' }, version: 1 });
        await requests.approve(people.bob, id);
      }
      await expect(requests.renameModel(people.alice, 'prod', 'old')).rejects.toMatchObject(DENIED);
      await models.create(people.alice, { name: 'free', tags: [] });
      await register(people.alice, 'free');
      await requests.renameModel(people.alice, 'free', 'freer');
    });
  });

  describe('rollback', () => {
    it('brings nothing back that stood there under another name', async () => {
      await publish(
        policy('dev', "{ model: 'dev.*', target: { alias: champion } }", 'approvals: []'),
        `{ name: prod, mode: enforce, match: { model: 'prod.*', target: { alias: champion } }, requirements: { approvals: [{ group: risk }] },
        rollback: { within_days: 30, roles: [{ group: risk }] } }`,
      );
      await models.create(people.alice, { name: 'dev.m', tags: [] });
      for (const version of [1, 2]) {
        await register(people.alice, 'dev.m', { runId: await logRun(people.alice, 0.9, `bytes: ${version}`) });
        await requests.setAlias(people.alice, 'dev.m', 'champion', version);
      }
      const { id } = await requests.create(people.alice, 'dev.m', { target: { kind: 'rename', newName: 'prod.m' } });
      expect((await requests.approve(people.bob, id)).state).toBe('approved');
      await expect(requests.rollback(people.bob, 'prod.m', 1, 'alias:champion', 'better')).rejects.toMatchObject(DENIED);
      await register(people.alice, 'prod.m', { runId: await logRun(people.alice, 0.9, 'bytes: 3') });
      const next = await requests.create(people.alice, 'prod.m', { target: { kind: 'alias', alias: 'champion' }, version: 3 });
      expect((await requests.approve(people.bob, next.id)).state).toBe('approved');
      await requests.rollback(people.bob, 'prod.m', 2, 'alias:champion', 'worse');
    });
  });

  describe('accounts', () => {
    const user = async (name: string): Promise<accounts.Account> => accounts.createUser(people.root, { name });
    const manageDefault = (group: groups.Group) =>
      ({ workspaceId: 0, subjectKind: 'group', subjectId: group.id, kind: 'workspace', objectId: access.NO_OBJECT, prefix: '' }) as const;

    it('nobody approves what an account asks for that he made himself', async () => {
      await models.create(people.alice, { name: 'm', tags: [] });
      await register(people.alice, 'm');
      await groups.addMember(people.root, await groups.getByName(people.root, 'risk'), await accounts.getByName(people.root, 'root'));
      await publish(policy('p', '{ target: { stage: Production } }'));
      const puppet = await contextOf(store.ctx, await user('puppet'));
      const { id } = await requests.create(puppet, 'm', { target: { kind: 'stage', stage: 'Production' }, version: 1 });
      await expect(requests.approve(people.root, id)).rejects.toMatchObject(DENIED);
      expect((await requests.approve(people.bob, id)).state).toBe('approved');
    });

    it('nobody becomes a manager by joining a group of managers, unless another one agrees', async () => {
      const leads = await groups.create(people.root, { name: 'leads', workspaceId: groups.SERVER_WIDE });
      await access.setGrant(people.root, manageDefault(leads), 'MANAGE');
      await publish(policy('p', '{ target: { stage: Production } }'));
      const puppet = await user('puppet');
      await expect(groups.addMember(people.root, leads, puppet)).rejects.toMatchObject(DENIED);
    });

    it('nor gets a level or a permission that a policy names by joining a group', async () => {
      const [staff, oncall] = [
        await groups.create(people.root, { name: 'staff', workspaceId: groups.SERVER_WIDE }),
        await groups.create(people.root, { name: 'oncall', workspaceId: groups.SERVER_WIDE }),
      ];
      await access.setGrant(people.root, { ...manageDefault(staff), kind: 'registered-model' }, 'MANAGE');
      await namedPermissions.give(people.root, 'break', { kind: 'group', id: oncall.id, name: 'oncall' });
      await publish(`{ name: p, mode: enforce, match: { target: { stage: Production } }, requirements: { approvals: [{ level: MANAGE }] },
      break_glass: { permission: break, minutes: 5 } }`);
      const puppet = await user('puppet');
      await expect(groups.addMember(people.root, staff, puppet)).rejects.toMatchObject(DENIED);
      await expect(groups.addMember(people.root, oncall, puppet)).rejects.toMatchObject(DENIED);
      const other = await groups.create(people.root, { name: 'choir', workspaceId: groups.SERVER_WIDE });
      await groups.addMember(people.root, other, puppet);
    });

    it('nor by being denied it no more', async () => {
      const [staff, guests] = [
        await groups.create(people.root, { name: 'staff', workspaceId: groups.SERVER_WIDE }),
        await groups.create(people.root, { name: 'guests', workspaceId: groups.SERVER_WIDE }),
      ];
      const puppet = await user('puppet');
      for (const group of [staff, guests]) await groups.addMember(people.root, group, puppet);
      const models_ = { kind: 'registered-model' } as const;
      await access.setGrant(people.root, { ...manageDefault(staff), ...models_ }, 'MANAGE');
      const denied = await access.setGrant(people.root, { ...manageDefault(guests), ...models_ }, 'DENY');
      await publish(policy('p', '{ target: { stage: Production } }', 'approvals: [{ level: MANAGE }]'));
      await expect(access.removeGrant(people.root, denied)).rejects.toMatchObject(DENIED);
      await expect(access.setGrant(people.root, denied, 'READ')).rejects.toMatchObject(DENIED);
      await expect(groups.removeMember(people.root, guests, puppet.id)).rejects.toMatchObject(DENIED);
    });

    it('what was approved of one account is not of another that has its name now', async () => {
      await publish(policy('p', '{ target: { stage: Production } }'));
      const [dave, eve] = [await user('dave'), await user('eve')];
      const risk = await groups.getByName(people.root, 'risk');
      const add = (account: accounts.Account): Promise<void> =>
        requests.asking(people.root, () => groups.addMember(people.root, risk, account));
      await expect(add(dave)).rejects.toThrow(/Request 1 was opened/);
      await requests.approve(people.second, 1);
      const profile = { displayName: null, email: null };
      await accounts.setProfile(people.root, dave, { ...profile, name: 'gone' });
      await accounts.setProfile(people.root, eve, { ...profile, name: 'dave' });
      await expect(add({ ...eve, name: 'dave' })).rejects.toMatchObject(DENIED);
      await accounts.setProfile(people.root, eve, { ...profile, name: 'eve' });
      await accounts.setProfile(people.root, dave, { ...profile, name: 'dave' });
      await add(dave);
    });

    it('what was approved for one workspace is not for all of them', async () => {
      await publish(policy('p', '{ target: { stage: Production } }'));
      const group = await groups.create(people.root, { name: 'leads', workspaceId: groups.SERVER_WIDE });
      const give = (workspaceId: number): Promise<unknown> =>
        requests.asking(people.root, () => access.setGrant(people.root, { ...manageDefault(group), workspaceId }, 'MANAGE'));
      await expect(give(0)).rejects.toThrow(/Request 1 was opened/);
      await requests.approve(people.second, 1);
      await expect(give(access.EVERY_WORKSPACE)).rejects.toMatchObject(DENIED);
      await give(0);
    });
  });

  it('nobody takes the name of an account whose reports a policy asks for', async () => {
    const robot = (name: string): Promise<accounts.Account> =>
      accounts.createServiceAccount(people.root, { name, ownerId: people.root.principal.id });
    const [named, other] = [await robot('nightly'), await robot('other')];
    await publish(policy('p', '{ target: { stage: Production } }', 'checks: [{ name: ci/tests, reporter: nightly }]'));
    const call = (account: accounts.Account, name: string): Promise<void> =>
      accounts.setProfile(people.root, account, { name, displayName: null, email: null });
    await expect(call(named, 'daily')).rejects.toMatchObject(DENIED);
    await transaction(people.root, (inner) => accounts.remove(inner, named));
    await expect(robot('nightly')).rejects.toMatchObject(DENIED);
    await expect(call(other, 'nightly')).rejects.toMatchObject(DENIED);
    await call(other, 'weekly');
  });

  it('nobody gives himself a token for the check whose metrics a policy asks for', async () => {
    const robot = await accounts.createServiceAccount(people.root, { name: 'nightly', ownerId: people.root.principal.id });
    const metric = (check: string): string => `metrics: [{ name: accuracy, op: '>=', value: 0.9, reported_by: check${check} }]`;
    await publish(policy('p', '{ target: { stage: Production } }', metric(', check: ci/eval')));
    const mint = (scope: string): Promise<unknown> =>
      tokens.mint(people.root, robot, { kind: 'personal', name: 't', scopes: [scope], expiresAt: null });
    await expect(mint('check:ci/eval')).rejects.toMatchObject(DENIED);
    await mint('check:other');
  });

  it('who broke the glass reviews it by no account that he made', async () => {
    const user = { kind: 'user', id: people.root.principal.id, name: 'root' } as const;
    await namedPermissions.give(people.root, 'break', user);
    await models.create(people.alice, { name: 'm', tags: [] });
    await register(people.alice, 'm');
    await publish(`{ name: p, mode: enforce, match: { target: { stage: Production } }, requirements: { approvals: [{ group: risk }] },
      break_glass: { permission: break, minutes: 5 } }`);
    const { id } = await transitions.openBreakGlass(people.root, { policyName: 'p', reason: 'down', ticket: '1' });
    await requests.moveStage(people.root, { name: 'm', version: 1, stage: 'Production', archiveExisting: false });
    const puppet = await accounts.createUser(people.root, { name: 'puppet' });
    const key = {
      workspaceId: 0,
      subjectKind: 'principal',
      subjectId: puppet.id,
      kind: 'registered-model',
      objectId: 1,
      prefix: '',
    } as const;
    await access.setGrant(people.root, key, 'MANAGE_PRODUCTION');
    await expect(breakGlass.review(await contextOf(store.ctx, puppet), id, 'fine')).rejects.toMatchObject(DENIED);
    await breakGlass.review(people.second, id, 'fine');
  });

  it('who made the bytes approves of no copy of a copy, also where what it was copied from is purged', async () => {
    await groups.addMember(people.root, await groups.getByName(people.root, 'risk'), await accounts.getByName(people.root, 'alice'));
    await publish(policy('p', '{ target: { stage: Production } }'));
    for (const name of ['dev.m', 'test.m', 'prod.m']) await models.create(people.dora, { name, tags: [] });
    await register(people.alice, 'dev.m');
    await register(people.dora, 'test.m', { source: 'models:/dev.m/1' });
    await register(people.dora, 'prod.m', { source: 'models:/test.m/1' });
    const { id } = await requests.create(people.dora, 'prod.m', { target: { kind: 'stage', stage: 'Production' }, version: 1 });
    for (const name of ['dev.m', 'test.m']) {
      await requests.deleteModel(people.root, name);
      const [gone] = await models.listDeleted(people.root, name);
      await transitions.purgeModel(people.root, gone?.id ?? 0);
      await expect(requests.approve(people.alice, id)).rejects.toMatchObject(DENIED);
    }
    expect((await requests.approve(people.bob, id)).state).toBe('approved');
  });

  describe('policies on settings', () => {
    it('one that only observes takes nothing from what holds where there is none', async () => {
      await publish(
        `{ name: admin, mode: observe, match: { target: { setting: '*' } }, requirements: { approvals: [{ level: MANAGE }] } }`,
        policy('p', '{ target: { stage: Production } }'),
      );
      const risk = await groups.getByName(people.root, 'risk');
      await expect(groups.addMember(people.root, risk, await accounts.getByName(people.root, 'root'))).rejects.toMatchObject(DENIED);
      await expect(requests.replacePolicies(people.root, { published: [], withdrawn: ['p'] })).rejects.toMatchObject(DENIED);
    });
  });

  it('more versions than are judged one by one don’t come into a governed name together', async () => {
    await models.create(people.alice, { name: 'dev.m', tags: [] });
    await publish(policy('entry', "{ model: 'prod.*', target: { entry: true } }", 'sealed: false, approvals: [{ group: risk }]'));
    for (let n = 0; n <= 500; n++) await register(people.alice, 'dev.m', { source: 's3://elsewhere/m' });
    await expect(requests.renameModel(people.alice, 'dev.m', 'prod.m')).rejects.toThrow(/more than 500 versions/);
  });
});

onBothDatabases('approvals and candidates', (databaseUrl) => {
  beforeEach(async () => open(await databaseUrl()));
  afterEach(() => store.close());

  describe('approvals', () => {
    const asked = async (by: Ctx): Promise<number> =>
      (await requests.create(by, 'm', { target: { kind: 'stage', stage: 'Production' }, version: 1 })).id;
    const stage = async (): Promise<string> => (await versions.get(store.ctx, 'm', 1)).stage;

    beforeEach(async () => {
      await models.create(people.alice, { name: 'm', tags: [] });
      await register(people.alice, 'm');
      await publish(policy('p', '{ target: { stage: Production } }', 'approvals: [{ group: risk, count: 2 }]'));
    });

    it.each(['reject', 'cancel'] as const)('given before a request ended by %s count for none that is made later', async (ending) => {
      const first = await asked(people.dora);
      await requests.approve(people.bob, first);
      await (ending === 'reject' ? requests.reject : requests.cancel)(people.dora, first);
      expect((await requests.approve(people.carol, await asked(people.dora))).state).toBe('open');
      expect(await stage()).toBe('None');
    });

    it('given before a version was deleted don’t come back with it', async () => {
      await requests.approve(people.bob, await asked(people.dora));
      await requests.deleteVersion(people.alice, 'm', 1);
      await requests.restoreVersion(people.alice, 'm', 1);
      expect((await requests.approve(people.carol, await asked(people.dora))).state).toBe('open');
    });

    it('given of a model are not of another one that has its name now', async () => {
      await requests.approve(people.bob, await asked(people.dora));
      await requests.renameModel(people.alice, 'm', 'old');
      await models.create(people.alice, { name: 'm', tags: [] });
      await register(people.alice, 'm', { runId: await logRun(people.alice, 0.9, 'other: bytes') });
      expect((await requests.approve(people.carol, await asked(people.dora))).state).toBe('open');
      expect((await requests.approve(people.carol, 1)).state).toBe('approved');
      expect((await versions.get(store.ctx, 'old', 1)).stage).toBe('Production');
      expect(await stage()).toBe('None');
    });

    it('of an account that can’t sign in any more don’t count', async () => {
      const id = await asked(people.dora);
      await requests.approve(people.bob, id);
      await accounts.setState(people.root, await accounts.getByName(people.root, 'bob'), 'disabled');
      expect((await requests.approve(people.carol, id)).state).toBe('open');
    });

    it('of somebody who left the group don’t count', async () => {
      const id = await asked(people.dora);
      await requests.approve(people.bob, id);
      const risk = await groups.getByName(people.root, 'risk');
      const take = (): Promise<boolean> =>
        requests.asking(people.root, () => groups.removeMember(people.root, risk, people.bob.principal.id));
      await expect(take()).rejects.toMatchObject(DENIED);
      await requests.approve(people.second, id + 1);
      await take();
      expect((await requests.approve(people.carol, id)).state).toBe('open');
    });
  });

  describe('a candidate', () => {
    beforeEach(async () => {
      await models.create(people.alice, { name: 'prod.m', tags: [] });
      await publish(
        `{ name: entry, mode: enforce, match: { model: 'prod.*', target: { entry: true } }, on_refused: open_request,
        requirements: { approvals: [{ group: risk }] } }`,
        policy('tags', "{ target: { tag: '*' } }"),
      );
    });

    it('whose source gives other bytes by the time that somebody approves stays outside', async () => {
      const runId = await logRun(people.alice);
      await expect(register(people.alice, 'prod.m', { runId })).rejects.toThrow(/Request 1 was opened/);
      await artifacts.put(people.alice, `0/${runId}/artifacts/model/MLmodel`, Readable.from([Buffer.from('changed: bytes')]));
      await expect(requests.approve(people.bob, 1)).rejects.toMatchObject({ code: 'INVALID_STATE' });
      await expect(register(people.alice, 'prod.m', { runId })).rejects.toMatchObject(DENIED);
      await expect(versions.get(store.ctx, 'prod.m', 1)).rejects.toMatchObject({ code: 'RESOURCE_DOES_NOT_EXIST' });
    });

    it('that was let in is given to whoever asked, once', async () => {
      const runId = await logRun(people.alice);
      await expect(register(people.alice, 'prod.m', { runId })).rejects.toMatchObject(DENIED);
      await requests.approve(people.bob, 1);
      await expect(register(people.dora, 'prod.m', { runId })).rejects.toMatchObject(DENIED);
      await expect(register(people.alice, 'prod.m', { runId })).resolves.toMatchObject({ version: 1 });
      await expect(register(people.alice, 'prod.m', { runId })).rejects.toMatchObject(DENIED);
    });

    it('that two ask for is one, which neither of them approves, and which a check on its source carries out', async () => {
      const source = 'models:/dev.m/1';
      const checked = `{ name: checked, mode: enforce, match: { model: 'prod.checked', target: { entry: true } }, on_refused: open_request,
        requirements: { approvals: [{ group: risk }], checks: [{ name: ci/tests }] } }`;
      await requests
        .replacePolicies(people.root, { published: [{ text: checked, listedDigests: [] }], withdrawn: [] })
        .catch(() => undefined);
      await requests.approve(people.second, 1);
      await requests.replacePolicies(people.root, { published: [{ text: checked, listedDigests: [] }], withdrawn: [] });
      for (const name of ['dev.m', 'prod.checked']) await models.create(people.alice, { name, tags: [] });
      await register(people.alice, 'dev.m');
      await expect(register(people.alice, 'prod.checked', { source })).rejects.toThrow(/Request \d+ was opened/);
      await expect(register(people.dora, 'prod.checked', { source })).rejects.toThrow(/Request \d+ was opened/);
      const both = (await requests.list(people.root, { state: 'open', target: 'entry', beforeId: undefined, limit: 9 })).requests;
      expect(new Set(both.map(({ candidateId }) => candidateId)).size).toBe(1);
      const [{ id = 0 } = {}] = both;
      await expect(requests.approve(people.dora, id)).rejects.toMatchObject(DENIED);
      expect((await requests.approve(people.bob, id)).state).toBe('open');
      const robot = await accounts.createServiceAccount(people.root, { name: 'robot', ownerId: people.root.principal.id });
      const by = {
        ...people.root,
        principal: { id: robot.id, kind: 'service', name: 'robot' },
        tokenScope: readScopes(['check:ci/tests']),
      } as const;
      const green = { name: 'ci/tests', externalId: '1', status: 'completed', conclusion: 'success', metrics: {} } as never;
      await requests.reportCheck(by, 'dev.m', 1, green);
      for (const each of both) expect((await requests.get(people.root, each.id)).state).toBe('approved');
      for (const who of [people.dora, people.alice]) expect((await register(who, 'prod.checked', { source })).version).toBe(1);
    });

    it('of a long source, tag or name is asked for as any other', async () => {
      const wide = (length: number): string =>
        Array.from({ length }, () => String.fromCodePoint(0x1f300 + Math.floor(Math.random() * 700))).join('');
      const runId = await logRun(people.alice);
      const path = wide(450);
      await artifacts.put(people.alice, `0/${runId}/artifacts/${path}/MLmodel`, Readable.from([Buffer.from('flavors: {}')]));
      const source = `mlflow-artifacts:/0/${runId}/artifacts/${encodeURIComponent(path)}`;
      await expect(register(people.alice, 'prod.m', { runId, source })).rejects.toThrow(/Request 1 was opened/);
      await expect(requests.setModelTag(people.alice, 'prod.m', 'note', wide(2000))).rejects.toMatchObject(DENIED);
      await requests.create(people.alice, 'prod.m', { target: { kind: 'tag', key: 'note', value: wide(2000) } });
    });
  });
});
