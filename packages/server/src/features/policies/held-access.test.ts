/** Who decides about a change under a policy is known until its commit, whichever process would change that. */
import { setTimeout } from 'node:timers/promises';
import { invalid } from '@countersign/contract/problem.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { openContext } from '../../../../../test/support/context.ts';
import { type PostgresCluster, startPostgres } from '../../../../../test/support/postgres.ts';
import { type Ctx, type TxCtx, transaction } from '../../platform/context.ts';
import { PostgresDatabase } from '../../platform/db/postgres.ts';
import * as accounts from '../accounts/accounts.ts';
import * as groups from '../groups/groups.ts';
import * as models from '../models/models.ts';
import * as transitions from '../transitions/transitions.ts';
import * as policies from './policies.ts';

const POLICY = 'name: p\nmode: enforce\nmatch: { target: { stage: Production } }\nrequirements: { approvals: [{ group: risk }] }\n';

let cluster: PostgresCluster;
let here: Ctx;
let there: Ctx;
let visitor: accounts.Account;
let risk: groups.Group;
beforeAll(async () => {
  cluster = await startPostgres();
  const url = await cluster.createDatabase();
  here = await openContext({ db: new PostgresDatabase(url) });
  there = await openContext({ db: new PostgresDatabase(url) });
  for (const name of ['root', 'second']) await accounts.createUser(here, { name, isAdmin: true });
  visitor = await accounts.createUser(here, { name: 'visitor' });
  risk = await groups.create(here, { name: 'risk', workspaceId: groups.SERVER_WIDE });
  await transitions.replacePolicies(here, { published: [{ text: POLICY, listedDigests: [] }], withdrawn: [] });
}, 120_000);
afterAll(async () => {
  for (const ctx of [here, there]) await ctx.db.close();
  await cluster.stop();
});

/** What happened first, where the other process begins while a decision is under way here. */
async function orderOf(change: () => Promise<unknown>): Promise<readonly string[]> {
  const order: string[] = [];
  const { changed } = await transaction(here, async (inner: TxCtx) => {
    await policies.getInForce(inner);
    const changing = change().then(() => order.push('changed'));
    await setTimeout(150);
    order.push('decided');
    return { changed: changing };
  });
  await changed;
  return order;
}

it('whoever joins or leaves a group waits for the decision', async () => {
  expect(await orderOf(() => groups.addMember(there, risk, visitor))).toEqual(['decided', 'changed']);
  expect(await orderOf(() => groups.removeMember(there, risk, visitor.id))).toEqual(['decided', 'changed']);
});

it('an account that is closed waits for it', async () => {
  expect(await orderOf(() => accounts.setState(there, visitor, 'disabled'))).toEqual(['decided', 'changed']);
});

it('whoever makes something that nobody knows yet waits for nobody', async () => {
  const { id, name } = visitor;
  const maker: Ctx = { ...there, principal: { id, kind: 'user', name } };
  expect(await orderOf(() => models.create(maker, { name: 'new', tags: [] }))).toEqual(['changed', 'decided']);
});

it('a decision holds for itself what one before it in the batch held, and lost as it was undone', async () => {
  const order: string[] = [];
  let changing: Promise<unknown> | undefined;
  const undone = transaction(here, async (inner) => {
    await policies.getInForce(inner);
    await inner.tx.run('UPDATE principals SET display_name = ? WHERE id = ?', 'another', visitor.id);
    throw invalid('undone');
  });
  const decided = transaction(here, async (inner) => {
    await policies.getInForce(inner);
    changing ??= accounts.setState(there, visitor, 'active').then(() => order.push('changed'));
    await setTimeout(150);
    order.push('decided');
  });
  await expect(undone).rejects.toThrow('undone');
  await decided;
  await changing;
  expect(order).toEqual(['decided', 'changed']);
});

it('names that change in two processes at once don’t wait for each other', async () => {
  const pairs = [...Array(10).keys()];
  for (const n of pairs) for (const which of ['a', 'b', 'c']) await models.create(here, { name: `${which}${n}`, tags: [] });
  const deadlocks = async (): Promise<number> => {
    // The server tells of them within a second of the transaction's end.
    await setTimeout(1500);
    const sql = 'SELECT deadlocks::int AS n FROM pg_stat_database WHERE datname = current_database()';
    return (await here.db.one<{ n: number }>(sql))?.n ?? -1;
  };
  const before = await deadlocks();
  for (const n of pairs) {
    await Promise.all([
      transitions.renameModel(here, `a${n}`, `A${n}`),
      transitions.renameModel(there, `b${n}`, `B${n}`),
      transitions.deleteModel(there, `c${n}`),
    ]);
  }
  expect(await deadlocks()).toBe(before);
}, 60_000);
