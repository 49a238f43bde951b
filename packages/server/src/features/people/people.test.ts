import type { PolicyPrincipal } from '@countersign/contract/policy-facts.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openContext } from '../../../../../test/support/context.ts';
import { type PostgresCluster, startPostgres } from '../../../../../test/support/postgres.ts';
import { type Ctx, type Principal, systemClock, transaction } from '../../platform/context.ts';
import { PostgresDatabase } from '../../platform/db/postgres.ts';
import * as access from '../access/access.ts';
import * as accounts from '../accounts/accounts.ts';
import * as administration from '../administration/administration.ts';
import * as ciIdentities from '../ci-identities/ci-identities.ts';
import * as events from '../events/events.ts';
import * as groups from '../groups/groups.ts';
import * as namedPermissions from '../named-permissions/named-permissions.ts';
import * as tokens from '../tokens/tokens.ts';
import * as workspaces from '../workspaces/workspaces.ts';
import { type PeopleQuestion, readPeople } from './people.ts';

const ISSUER = 'https://ci.example';
const MODEL = { id: 700, name: 'churn' };

let cluster: PostgresCluster;
beforeAll(async () => {
  cluster = await startPostgres();
}, 120_000);
afterAll(() => cluster?.stop());

describe.each(['sqlite', 'postgres'] as const)('people on %s', (dialect) => {
  let ctx: Ctx;
  let now = 1_700_000_000_000;
  let root: accounts.Account;
  let alice: accounts.Account;
  let bob: accounts.Account;
  let robot: accounts.Account;
  let trust: accounts.Account;

  const as = ({ id, kind, name }: accounts.Account): Ctx => ({ ...ctx, principal: { id, kind, name } });
  const user = (name: string): Promise<accounts.Account> => accounts.createUser(ctx, { name, isAdmin: name === 'root' });
  const job = (name: string, starterId: string): Promise<Principal> =>
    transaction(ctx, (inner) => accounts.actAsJob(inner, trust, { name, issuer: ISSUER, starterId }));
  const ask = (question: Partial<PeopleQuestion>, at = ctx) =>
    readPeople(at, { ids: [], groups: [], model: undefined, changedSince: 0, ...question });
  const one = async (id: number, question: Partial<PeopleQuestion> = {}): Promise<PolicyPrincipal | undefined> =>
    (await ask({ ids: [id], ...question })).principals.find((each) => each.id === id);

  beforeAll(async () => {
    const clock = { ...systemClock, now: () => now };
    ctx = await openContext(dialect === 'sqlite' ? { clock } : { clock, db: new PostgresDatabase(await cluster.createDatabase()) });
    root = await user('root');
    alice = await user('alice');
    bob = await user('bob');
    robot = await accounts.createServiceAccount(ctx, { name: 'robot', ownerId: bob.id });
    trust = await transaction(ctx, (inner) => accounts.createCiAccount(inner, { name: 'ci:main' }));
  });
  afterAll(() => ctx.db.close());

  it('stand behind themselves, their service accounts, and the jobs that they started once they are linked', async () => {
    expect(await one(alice.id)).toMatchObject({ account: alice.id, kind: 'user', isActive: true, persons: [alice.id] });
    expect(await one(robot.id)).toMatchObject({ kind: 'service', persons: [bob.id] });
    expect(await one(0)).toMatchObject({ kind: 'local', persons: [] });
    const alices = await job('ci:github:octo/churn@release.yml#1', '583231');
    expect(await one(alices.id)).toMatchObject({ account: trust.id, kind: 'ci', persons: [], isActive: true });
    await ciIdentities.link(as(root), alice, { issuer: ISSUER, actorId: '583231' });
    expect(await one(alices.id)).toMatchObject({ name: 'ci:github:octo/churn@release.yml#1', persons: [alice.id] });
    const others = await job('ci:github:octo/churn@release.yml#2', '9');
    const unknown = await job('ci:github:octo/churn@release.yml#3', '');
    for (const { id } of [others, unknown]) expect(await one(id)).toMatchObject({ account: trust.id, persons: [] });
    expect((await one(trust.id))?.persons).toEqual([]);
    // The same number at another issuer is somebody else.
    await ciIdentities.link(as(root), bob, { issuer: 'https://other.example', actorId: '9' });
    expect((await one(others.id))?.persons).toEqual([]);
    // Those behind are there too.
    const there = new Set((await ask({ ids: [alices.id, robot.id], changedSince: now + 1 })).principals.map((each) => each.id));
    expect(there).toEqual(new Set([alices.id, robot.id, alice.id, bob.id, trust.id]));
  });

  it('a job that comes again is the same, and another starter makes it another', async () => {
    const first = await job('ci:x#5', '1');
    expect(await job('ci:x#5', '1')).toEqual(first);
    expect((await job('ci:x#5', '2')).id).not.toBe(first.id);
    // It is no account.
    expect(await accounts.findByName(ctx, 'ci:x#5')).toBeUndefined();
    expect((await accounts.list(ctx, { kind: 'ci', afterId: 0, limit: 100 })).map((each) => each.name)).toEqual(['ci:main']);
  });

  it('a number is one account’s, until it is unlinked there or that account is gone', async () => {
    const key = { issuer: ISSUER, actorId: '77' };
    const gone = await user('gone');
    await ciIdentities.link(as(root), gone, key);
    await ciIdentities.link(as(root), gone, key);
    await expect(ciIdentities.link(as(root), alice, key)).rejects.toMatchObject({ code: 'RESOURCE_ALREADY_EXISTS' });
    await expect(ciIdentities.unlink(as(root), alice, key)).rejects.toMatchObject({ code: 'RESOURCE_DOES_NOT_EXIST' });
    await expect(ciIdentities.link(as(root), robot, key)).rejects.toThrow('is no person');
    await expect(ciIdentities.link(as(root), alice, { ...key, actorId: 'monalisa' })).rejects.toThrow('must be the number');
    const { id } = await job('ci:y#1', '77');
    expect((await one(id))?.persons).toEqual([gone.id]);
    await administration.removeAccount(as(root), gone);
    expect((await one(id))?.persons).toEqual([]);
    await ciIdentities.link(as(root), alice, key);
    expect((await one(id))?.persons).toEqual([alice.id]);
    await ciIdentities.unlink(as(root), alice, key);
    expect((await one(id))?.persons).toEqual([]);
  });

  it('erasing a person takes the number from the jobs, and the claims from beside their events', async () => {
    const carl = await user('carl');
    await ciIdentities.link(as(root), carl, { issuer: ISSUER, actorId: '4242' });
    const { id } = await job('ci:github:carl/churn@release.yml#1', '4242');
    await transaction(ctx, async (inner) => {
      accounts.recordAccess(inner, {
        type: 'ci-token.exchanged',
        data: { job_id: id, account_id: trust.id },
        texts: { claims: 'carl-4242' },
      });
    });
    await administration.eraseAccount(as(root), carl);
    expect((await one(id))?.persons).toEqual([]);
    expect((await one(id))?.name).toBe(`erased-${id}`);
    expect(JSON.stringify(await ctx.db.all('SELECT * FROM principals'))).not.toContain('4242');
    expect(JSON.stringify(await ctx.db.all('SELECT * FROM ci_identities'))).not.toContain('4242');
    expect(JSON.stringify(await ctx.db.all('SELECT text FROM event_texts'))).not.toContain('4242');
    expect((await events.verifyChain(ctx.db)).ok).toBe(true);
  });

  it('groups are the server’s, and the workspace’s where the server has none of the name', async () => {
    const vision = workspaces.within(ctx, await workspaces.createWorkspace(ctx, { name: 'vision' }));
    const risk = await groups.create(ctx, { name: 'risk', workspaceId: groups.SERVER_WIDE });
    const shadow = await groups.create(ctx, { name: 'risk', workspaceId: vision.workspace.id });
    const leads = await groups.create(ctx, { name: 'leads', workspaceId: vision.workspace.id });
    await groups.addMember(as(root), risk, alice);
    await groups.addMember(as(root), risk, robot);
    await groups.addMember(as(root), shadow, bob);
    await groups.addMember(as(root), leads, bob);
    const there = await ask({ groups: ['risk', 'leads', 'nobody'] }, vision);
    const shown = there.principals.filter((each) => each.kind === 'user').map(({ id, groups: names }) => [id, names]);
    expect(new Map(shown as [number, string[]][])).toEqual(
      new Map([
        [alice.id, ['risk']],
        [bob.id, ['leads']],
        [root.id, []],
      ]),
    );
    const here = await ask({ groups: ['risk', 'leads'] });
    expect(here.principals.find((each) => each.id === bob.id)?.groups).toEqual([]);
    expect(here.principals.find((each) => each.id === robot.id)?.groups).toEqual(['risk']);
  });

  it('levels are what grants compile to, of accounts and of the jobs that act for them', async () => {
    const on = { workspaceId: ctx.workspace.id, kind: 'registered-model', prefix: '' } as const;
    const staff = await groups.create(ctx, { name: 'staff', workspaceId: groups.SERVER_WIDE });
    await groups.addMember(ctx, staff, bob);
    await access.setGrant(ctx, { ...on, subjectKind: 'group', subjectId: staff.id, objectId: -1, prefix: 'chu' }, 'MANAGE_STAGING');
    await access.setGrant(ctx, { ...on, subjectKind: 'principal', subjectId: bob.id, objectId: MODEL.id }, 'EDIT');
    await access.setGrant(ctx, { ...on, subjectKind: 'principal', subjectId: bob.id, objectId: 701 }, 'MANAGE');
    await access.setGrant(ctx, { ...on, subjectKind: 'principal', subjectId: trust.id, objectId: MODEL.id }, 'EDIT');
    await access.setGrant(ctx, { ...on, subjectKind: 'principal', subjectId: alice.id, objectId: MODEL.id }, 'DENY');
    const { id } = await job('ci:level#1', '');
    const { principals } = await ask({ ids: [root.id, alice.id, bob.id, robot.id, id, 0], model: MODEL });
    const levels = Object.fromEntries(principals.map((each) => [each.name, each.level]));
    expect(levels).toMatchObject({
      root: 'MANAGE',
      bob: 'MANAGE_STAGING',
      robot: 'READ',
      'ci:main': 'EDIT',
      'ci:level#1': 'EDIT',
      local: 'MANAGE',
    });
    expect(levels.alice).toBeUndefined();
    for (const account of [root, alice, bob, robot, trust]) {
      const rank = (await access.accessIn(ctx, account, ctx.workspace.id)).rankOf('registered-model', MODEL);
      expect(
        (await access.listLevelsOn(ctx, [account], await access.readGeneralAccess(ctx, [account]), MODEL)).has(account.id),
        account.name,
      ).toBe(rank > 0);
    }
    expect((await one(bob.id))?.level).toBeUndefined();
  });

  it('hold named permissions themselves or through a group, and never as a robot', async () => {
    const onCall = await groups.create(ctx, { name: 'on-call', workspaceId: groups.SERVER_WIDE });
    await groups.addMember(ctx, onCall, robot);
    await groups.addMember(ctx, onCall, bob);
    const holder = { kind: 'group', id: onCall.id, name: 'on-call' } as const;
    const direct = { kind: 'user', id: alice.id, name: 'alice' } as const;
    for (const each of [holder, holder, direct]) await namedPermissions.give(ctx, 'break-glass', each);
    const { principals } = await ask({ ids: [alice.id, bob.id, robot.id], changedSince: now + 1 });
    expect(principals.map((each) => [each.name, ...each.permissions])).toEqual([
      ['alice', 'break-glass'],
      ['bob', 'break-glass'],
      ['robot'],
    ]);
    expect((await namedPermissions.list(ctx)).length).toBe(2);
    await namedPermissions.take(ctx, 'break-glass', direct);
    await expect(namedPermissions.take(ctx, 'break-glass', direct)).rejects.toMatchObject({ code: 'RESOURCE_DOES_NOT_EXIST' });
    expect((await one(alice.id))?.permissions).toEqual([]);
    await groups.remove(ctx, onCall);
    expect((await one(bob.id))?.permissions).toEqual([]);
    expect(await namedPermissions.list(ctx)).toEqual([]);
    await namedPermissions.give(ctx, 'break-glass', direct);
    const types = (await ctx.db.all<{ type: string }>("SELECT type FROM events WHERE type LIKE 'permission.%' ORDER BY seq")).map(
      (each) => each.type,
    );
    expect(types).toEqual(['permission.given', 'permission.given', 'permission.taken', 'permission.given']);
  });

  it('changes of credentials and groups are told with who made them, but for one’s own and for what a sign-in says', async () => {
    const changes = async (about: accounts.Account): Promise<number[]> =>
      (await ask({ ids: [about.id], changedSince: now })).accessChanges.filter((each) => each.about === about.id).map((each) => each.by);
    const dora = await user('dora');
    const staff = await groups.getByName(ctx, 'staff');
    const minted = () => tokens.mint(as(dora), dora, { kind: 'personal', name: 't', scopes: ['read'], expiresAt: null });
    const count: [string, (by: Ctx) => Promise<unknown>][] = [
      ['password', (by) => accounts.setPassword(by, dora, 'a long enough password')],
      ['enabled', (by) => accounts.setState(by, dora, 'active')],
      ['joined', (by) => groups.addMember(by, staff, dora)],
      ['left', (by) => groups.removeMember(by, staff, dora.id)],
      ['token revoked', async (by) => tokens.revoke(by, (await minted()).token)],
      ['linked', (by) => ciIdentities.link(by, dora, { issuer: ISSUER, actorId: '31337' })],
      ['unlinked', (by) => ciIdentities.unlink(by, dora, { issuer: ISSUER, actorId: '31337' })],
    ];
    for (const [what, change] of count) {
      now += 1000;
      await change(as(dora));
      expect(await changes(dora), `${what} by dora`).toEqual([]);
      if (what === 'joined') await groups.removeMember(as(dora), staff, dora.id);
      if (what === 'left') await groups.addMember(as(dora), staff, dora);
      if (what === 'linked') await ciIdentities.unlink(as(dora), dora, { issuer: ISSUER, actorId: '31337' });
      if (what === 'unlinked') await ciIdentities.link(as(dora), dora, { issuer: ISSUER, actorId: '31337' });
      await change(as(root));
      expect(await changes(dora), `${what} by root`).toEqual([root.id]);
    }
    now += 1000;
    await groups.setMembershipsFrom(as(root), dora, 'provider:1', ['staff']);
    await accounts.setProfile(as(root), dora, { name: 'dora', displayName: 'Dora', email: null });
    expect(await changes(dora)).toEqual([]);
    await tokens.mint(as(root), robot, { kind: 'service', name: 't', scopes: ['read'], expiresAt: null });
    await accounts.setOwner(as(root), robot, alice.id);
    const facts = await ask({ ids: [robot.id], changedSince: now });
    expect(facts.accessChanges).toEqual([{ about: robot.id, by: root.id, at: now }]);
    expect(facts.principals.find((each) => each.id === root.id)).toMatchObject({ persons: [root.id] });
    expect((await ask({ ids: [robot.id], changedSince: now + 1 })).accessChanges).toEqual([]);
  });

  it('are read in as many statements, however many they are', async () => {
    const team = await groups.create(ctx, { name: 'team', workspaceId: groups.SERVER_WIDE });
    const counted = async (): Promise<[number, number]> => {
      let statements = 0;
      const db = new Proxy(ctx.db, {
        get: (target, name) => {
          if (name === 'all' || name === 'one') statements += 1;
          const value: unknown = Reflect.get(target, name);
          return typeof value === 'function' ? value.bind(target) : value;
        },
      });
      const { principals } = await ask({ ids: [alice.id], groups: ['team'], model: MODEL }, { ...ctx, db });
      return [principals.length, statements];
    };
    await groups.addMember(as(root), team, alice);
    const [, few] = await counted();
    for (let n = 0; n < 30; n++) await groups.addMember(as(root), team, await user(`member ${n}`));
    const [people, many] = await counted();
    expect(people).toBeGreaterThan(30);
    expect(many).toBe(few);
    expect(many).toBeLessThanOrEqual(10);
  });
});
