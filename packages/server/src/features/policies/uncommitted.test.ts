/** What a transaction saw that was undone is remembered by nobody. */

import { Problem } from '@countersign/contract/problem.ts';
import { expect, it } from 'vitest';
import { openContext } from '../../../../../test/support/context.ts';
import { transaction } from '../../platform/context.ts';
import * as accounts from '../accounts/accounts.ts';
import * as people from '../people/people.ts';
import * as policies from './policies.ts';

it('who can sign in is read anew after a change of access that was undone', async () => {
  const ctx = await openContext();
  await accounts.createUser(ctx, { name: 'root', isAdmin: true });
  const bob = await accounts.createUser(ctx, { name: 'bob', isAdmin: false });
  const isActive = async (inner = ctx): Promise<boolean | undefined> => {
    const { principals } = await people.readPeople(inner, { ids: [bob.id], groups: [], model: undefined, changedSince: 0 });
    return principals.find(({ id }) => id === bob.id)?.isActive;
  };
  const undone = transaction(ctx, async (inner) => {
    await accounts.announceChange(inner);
    await policies.getInForce(inner);
    await isActive(inner);
    throw new Problem('INVALID_STATE', 'Undone.');
  });
  await expect(undone).rejects.toThrow('Undone.');
  await accounts.setState(ctx, bob, 'disabled');
  await policies.getInForce(ctx);
  await expect(isActive()).resolves.toBe(false);
  await ctx.db.close();
});
