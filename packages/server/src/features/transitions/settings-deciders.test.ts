/** Two who can decide settings remain, whatever takes them away. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { onBothDatabases } from '../../../../../test/support/databases.ts';
import { type GovernedModels, openGovernedModels } from '../../../../../test/support/governed-models.ts';
import { openPeople } from '../../../../../test/support/people.ts';
import { type Ctx, transaction } from '../../platform/context.ts';
import { PostgresDatabase } from '../../platform/db/postgres.ts';
import * as access from '../access/access.ts';
import * as accounts from '../accounts/accounts.ts';
import * as groups from '../groups/groups.ts';
import * as requests from '../requests/requests.ts';
import * as providers from '../sign-in/provider-store.ts';
import * as signIn from '../sign-in/sign-in.ts';
import * as signInStore from '../sign-in/sign-in-store.ts';
import * as workspaces from '../workspaces/workspaces.ts';
import * as transitions from './transitions.ts';

type Name = 'root' | 'second' | 'bob' | 'carol' | 'dora';
let store: GovernedModels;
let people: Readonly<Record<Name, Ctx>>;

const TOO_FEW = { code: 'INVALID_STATE', message: expect.stringContaining('two persons') };
const ENFORCED = `{ name: p, mode: enforce, match: { target: { stage: Production } }, requirements: { approvals: [{ group: risk }] } }`;
const BY_DECIDERS = `{ name: settings, mode: enforce, match: { target: { setting: '*' } }, requirements: { approvals: [{ group: deciders }] } }`;

const publish = (ctx: Ctx, ...texts: readonly string[]): Promise<unknown> =>
  requests.replacePolicies(ctx, { published: texts.map((text) => ({ text, listedDigests: [] })), withdrawn: [] });
const accountOf = (name: string): Promise<accounts.Account> => accounts.getByName(store.ctx, name);
const groupOf = (name: string): Promise<groups.Group> => groups.getByName(store.ctx, name);
const fromProvider = async (name: Name, names: readonly string[]): Promise<void> =>
  groups.setMembershipsFrom(store.ctx, await accountOf(name), 'provider:1', names);

async function open(url: string | undefined): Promise<void> {
  store = await openGovernedModels(url === undefined ? undefined : new PostgresDatabase(url));
  people = await openPeople(store.ctx, {
    root: { isAdmin: true },
    second: { isAdmin: true },
    bob: { groups: ['deciders'] },
    carol: {},
    dora: {},
  });
  accounts.setGovernor(store.ctx.db, transitions.governSetting, transitions.keepDeciders);
}

/** A provider without anybody behind it, and these people known there. */
async function addProvider(...names: readonly Name[]): Promise<void> {
  const row = {
    key: '1f',
    name: 'corp',
    issuer: 'https://id.example',
    clientId: 'c',
    clientSecret: null,
    scopes: ['openid'],
    nameClaim: 'name',
    groupsClaim: 'groups',
    groups: [],
    groupsByName: true,
    createsAccounts: false,
    asksVerifiedEmail: false,
    createdAt: 1,
    updatedAt: 1,
  };
  await transaction(store.ctx, async (inner) => {
    const providerId = (await providers.insert(inner.tx, row, 0)) ?? 0;
    for (const name of names) {
      const { id: principalId } = await accountOf(name);
      await signInStore.putIdentity(inner.tx, { issuer: row.issuer, subject: name, providerId, principalId, linkedAt: 1 }, 0);
    }
  });
}

onBothDatabases('those who decide settings by a group', (databaseUrl) => {
  beforeEach(async () => {
    await open(await databaseUrl());
    await fromProvider('carol', ['deciders']);
    await publish(people.root, ENFORCED, BY_DECIDERS);
  });
  afterEach(() => store.close());

  it('keep it', async () => {
    await expect(groups.remove(people.root, await groupOf('deciders'))).rejects.toMatchObject(TOO_FEW);
    await expect(groups.update(people.root, await groupOf('deciders'), { name: 'others' })).rejects.toMatchObject(TOO_FEW);
    await expect(groups.removeMember(people.root, await groupOf('deciders'), people.bob.principal.id)).rejects.toMatchObject(TOO_FEW);
    expect((await groups.listOf(store.ctx, people.bob.principal.id)).map(({ name }) => name)).toEqual(['deciders']);
  });

  it('are counted where a provider takes them away, but for what it says as somebody signs in', async () => {
    await expect(fromProvider('carol', [])).rejects.toMatchObject(TOO_FEW);
    const atSignIn = async (): Promise<void> =>
      transaction(store.ctx, async (inner) => {
        const carol = await accountOf('carol');
        await accounts.takingAway(inner, () => groups.setMembershipsFrom(inner, carol, 'provider:1', []), { isClaimed: true });
      });
    await atSignIn();
    expect(await groups.listOf(store.ctx, people.carol.principal.id)).toEqual([]);
    const told = await store.ctx.db.all<{ body: string }>("SELECT body FROM events WHERE type = 'setting.deciders-lost'");
    expect(told.map(({ body }) => JSON.parse(body).data)).toEqual([{ left: 1 }]);
    // The one who is left stays; and who comes back is let in as any other.
    await expect(groups.removeMember(people.root, await groupOf('deciders'), people.bob.principal.id)).rejects.toMatchObject(TOO_FEW);
    await fromProvider('carol', ['deciders']);
  });

  it('are counted where their provider is removed: its groups, and those who sign in by it alone', async () => {
    await addProvider('carol');
    await expect(signIn.removeProvider(people.root, 'corp')).rejects.toMatchObject(TOO_FEW);
    // Also where those who decide let it happen.
    accounts.setGovernor(store.ctx.db, async () => {}, transitions.keepDeciders);
    await expect(signIn.unlinkIdentity(people.root, 'corp', 'carol')).rejects.toMatchObject(TOO_FEW);
    expect(await groups.listOf(store.ctx, people.carol.principal.id)).toHaveLength(1);
  });
});

describe('those who manage a workspace', () => {
  beforeEach(() => open(undefined));
  afterEach(() => store.close());

  it('are counted where they sign in by a provider alone', async () => {
    await addProvider('second');
    await publish(people.root, ENFORCED);
    await expect(signIn.removeProvider(people.root, 'corp')).rejects.toMatchObject(TOO_FEW);
    await accounts.setPassword(people.second, await accountOf('second'), 'a long enough pass phrase');
    await signIn.removeProvider(people.root, 'corp');
  });

  it('are counted in every workspace that refuses anything', async () => {
    const risk = await workspaces.createWorkspace(people.root, { name: 'risk' });
    await fromProvider('carol', ['deciders']);
    await publish(workspaces.within(people.root, risk), ENFORCED, BY_DECIDERS);
    await expect(fromProvider('carol', [])).rejects.toMatchObject(TOO_FEW);
    await fromProvider('dora', ['deciders']);
    await fromProvider('carol', []);
  });

  it('by a grant keep it', async () => {
    await accounts.setAdmin(people.root, await accountOf('second'), false);
    const key = { workspaceId: access.EVERY_WORKSPACE, kind: 'workspace', objectId: access.NO_OBJECT, prefix: '' } as const;
    const doras = { ...key, subjectKind: 'principal', subjectId: people.dora.principal.id } as const;
    const grant = await access.setGrant(people.root, doras, 'MANAGE');
    await publish(people.root, ENFORCED);
    await expect(access.removeGrant(people.root, grant)).rejects.toMatchObject(TOO_FEW);
    await expect(access.setGrant(people.root, doras, 'DENY')).rejects.toMatchObject(TOO_FEW);
    await expect(access.changeGrants(people.root, { set: [], remove: [grant] })).rejects.toMatchObject(TOO_FEW);
  });
});

describe('a policy that nobody could ever satisfy', () => {
  const BY_TWO = BY_DECIDERS.replace('group: deciders', 'group: deciders, count: 2');
  beforeEach(async () => {
    await open(undefined);
    await fromProvider('carol', ['deciders']);
  });
  afterEach(() => store.close());

  it('is no policy on policies: it would stay for ever', async () => {
    // Those who may ask are those who approve, and their own approval doesn't count.
    for (const name of ['bob', 'carol']) await accounts.setAdmin(people.root, await accountOf(name), true);
    for (const name of ['second', 'root']) await accounts.setAdmin(people.bob, await accountOf(name), false);
    const locked = { code: 'INVALID_STATE', message: expect.stringContaining("at most 1 of 2 approvals of group 'deciders' can be given") };
    await expect(publish(people.bob, ENFORCED, BY_TWO)).rejects.toMatchObject(locked);
    await fromProvider('dora', ['deciders']);
    await publish(people.bob, ENFORCED, BY_TWO);
    await expect(fromProvider('dora', [])).rejects.toMatchObject(locked);
  });

  it('is told of in a plan, and where it is published', async () => {
    const three = ENFORCED.replace('group: risk', 'group: deciders, count: 3');
    const plan = await requests.plan(people.root, { texts: [three], withdraw: [] });
    const what = expect.stringContaining("nobody could ever satisfy 'p': at most 2 of 3 approvals of group 'deciders' can be given.");
    expect(plan.warnings).toEqual([{ policyName: 'p', what }]);
    await expect(publish(people.root, three)).resolves.toHaveLength(1);
    expect((await requests.plan(people.root, { texts: [ENFORCED.replace('risk', 'deciders')], withdraw: [] })).warnings).toEqual([]);
  });
});
