import { expect, test } from 'vitest';
import { addUser, grant } from '../../../../../test/support/app.ts';
import { openContext } from '../../../../../test/support/context.ts';
import { transaction } from '../../platform/context.ts';
import * as accounts from '../accounts/accounts.ts';
import * as groups from '../groups/groups.ts';
import * as models from '../models/models.ts';
import * as transitions from '../transitions/transitions.ts';
import * as audit from './audit.ts';

test('who could move a model to Production, at each time that something about it changed', async () => {
  let now = 1_700_000_000_000;
  const ctx = await openContext({ clock: { now: () => now++, randomBytes: (size) => Buffer.alloc(size, now & 0xff) } });
  const could = async (asOf?: number): Promise<string[]> => {
    const { answer } = await audit.listAccess(ctx, { name: 'churn' }, 'MANAGE_PRODUCTION', asOf);
    const known = await accounts.listPrincipals(
      ctx,
      answer.map((each) => each.accountId),
    );
    return answer.map((each) => known.get(each.accountId)?.name ?? '');
  };
  const times: [number, string[]][] = [];
  const expectNow = async (names: string[]): Promise<void> => {
    expect(await could()).toEqual(names);
    times.push([now++, names]);
  };

  const root = await addUser(ctx, 'root', { isAdmin: true });
  const ann = await addUser(ctx, 'ann');
  const bob = await addUser(ctx, 'bob');
  const model = await models.create(ctx, { name: 'dev.churn', tags: [] });
  await transitions.renameModel(ctx, 'dev.churn', 'churn');
  await expectNow(['root']);

  await grant(ctx, { accountId: ann.account.id }, { kind: 'registered-model', id: model.id }, 'MANAGE_PRODUCTION');
  await expectNow(['root', 'ann']);

  const team = await groups.create(ctx, { name: 'release managers', workspaceId: groups.SERVER_WIDE });
  await grant(ctx, { groupId: team.id }, { kind: 'registered-model', prefix: 'chu' }, 'MANAGE');
  await groups.addMember(ctx, team, bob.account);
  await groups.addMember(ctx, team, bob.account, 'provider:1');
  await expectNow(['root', 'ann', 'bob']);

  await groups.removeMember(ctx, team, bob.account.id);
  await expectNow(['root', 'ann', 'bob']);
  await groups.removeMember(ctx, team, bob.account.id, 'provider:1');
  await expectNow(['root', 'ann']);

  await accounts.setState(ctx, ann.account, 'disabled');
  await expectNow(['root']);
  await accounts.setState(ctx, ann.account, 'active');
  await grant(ctx, { accountId: ann.account.id }, { kind: 'registered-model', prefix: '' }, 'DENY');
  await expectNow(['root']);

  await groups.addMember(ctx, team, bob.account);
  await expectNow(['root', 'bob']);
  await groups.remove(ctx, team);
  await expectNow(['root']);
  await accounts.setAdmin(ctx, bob.account, true);
  await accounts.setAdmin(ctx, root.account, false);
  await expectNow(['bob']);

  for (const [time, names] of times) expect(await could(time)).toEqual(names);
});

test('who was in a group, at each time that something about it changed', async () => {
  let now = 1_700_000_000_000;
  const ctx = await openContext({ clock: { now: () => now++, randomBytes: (size) => Buffer.alloc(size, now & 0xff) } });
  const root = await addUser(ctx, 'root', { isAdmin: true });
  const [ann, bob] = [await addUser(ctx, 'ann'), await addUser(ctx, 'bob')];
  const risk = await groups.create(ctx, { name: 'risk', workspaceId: groups.SERVER_WIDE });
  const other = await groups.create(ctx, { name: 'other', workspaceId: groups.SERVER_WIDE });
  const then = async (asOf: number) =>
    (await audit.listMembers(ctx, risk.id, asOf)).map(({ accountId, sources }) => [accountId, ...sources]);
  const changes: (() => Promise<unknown>)[] = [
    () => groups.addMember(ctx, other, root.account),
    () => groups.addMember(ctx, risk, ann.account),
    () => groups.addMember(ctx, risk, bob.account, 'provider:1'),
    () => groups.addMember(ctx, risk, bob.account),
    () => groups.removeMember(ctx, risk, bob.account.id, 'provider:1'),
    () => groups.removeMember(ctx, risk, ann.account.id),
    () => groups.addMember(ctx, risk, ann.account),
    () => transaction(ctx, (inner) => accounts.remove(inner, ann.account)),
    () => groups.remove(ctx, risk),
  ];
  const times: number[] = [];
  for (const change of changes) {
    await change();
    times.push(now++);
  }
  const [a, b] = [ann.account.id, bob.account.id];
  expect(await Promise.all(times.map(then))).toEqual([
    [],
    [[a, 'direct']],
    [
      [a, 'direct'],
      [b, 'provider:1'],
    ],
    [
      [a, 'direct'],
      [b, 'provider:1', 'direct'],
    ],
    [
      [a, 'direct'],
      [b, 'direct'],
    ],
    [[b, 'direct']],
    [
      [a, 'direct'],
      [b, 'direct'],
    ],
    [[b, 'direct']],
    [],
  ]);
  const [, first] = times;
  expect((await audit.listMembers(ctx, risk.id, first ?? 0))[0]?.addedAt).toBeLessThan(first ?? 0);
});
