/** Several servers on one database: what one of them decides, the others' transactions see. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openContext } from '../../../../../test/support/context.ts';
import { type PostgresCluster, startPostgres } from '../../../../../test/support/postgres.ts';
import type { Ctx } from '../../platform/context.ts';
import { openDatabase } from '../../platform/db/open.ts';
import * as accounts from '../accounts/accounts.ts';
import * as administration from './administration.ts';

describe('two servers on one PostgreSQL', () => {
  let postgres: PostgresCluster;
  let contexts: readonly [Ctx, Ctx];

  beforeAll(async () => {
    postgres = await startPostgres();
    const url = await postgres.createDatabase();
    const open = async (): Promise<Ctx> => openContext({ db: await openDatabase({ kind: 'postgres', url }) });
    contexts = [await open(), await open()];
  });
  afterAll(async () => {
    for (const ctx of contexts) await ctx.db.close();
    await postgres.stop();
  });

  const ways: Readonly<Record<string, (ctx: Ctx, account: accounts.Account) => Promise<unknown>>> = {
    'no longer one': (ctx, account) => accounts.setAdmin(ctx, account, false),
    disabled: (ctx, account) => administration.disable(ctx, account, { revokesTokens: true }),
    deleted: administration.removeAccount,
    erased: administration.eraseAccount,
  };

  it.each(Object.keys(ways))('of two administrators that are %s at once, one stays', async (way) => {
    const [first, second] = contexts;
    for (let round = 0; round < 5; round += 1) {
      const found = await accounts.list(first, { kind: 'user', afterId: 0, limit: 100 });
      for (const each of found.filter((account) => !account.isAdmin)) await administration.removeAccount(first, each);
      const one = found.find((account) => account.isAdmin && account.state === 'active');
      const a = one ?? (await accounts.createUser(first, { name: `first-${way}-${round}`, isAdmin: true }));
      const b = await accounts.createUser(second, { name: `second-${way}-${round}`, isAdmin: true });
      for (const each of found) if (each.state === 'disabled') await administration.removeAccount(first, each);
      const ended = await Promise.allSettled([ways[way]?.(first, a), ways[way]?.(second, b)]);
      expect(ended.map((each) => each.status).sort()).toEqual(['fulfilled', 'rejected']);
      expect(ended.find((each) => each.status === 'rejected')?.reason).toMatchObject({ code: 'INVALID_STATE' });
    }
  });
});
