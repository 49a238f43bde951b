/** Whoever gives grants gives nobody more than he has himself, whatever grants he has. */
import type { ObjectKind } from '@countersign/contract/access.ts';
import { GRANT_LEVELS, type GrantLevel } from '@countersign/contract/levels.ts';
import { Problem } from '@countersign/contract/problem.ts';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { openContext } from '../../../../test/support/context.ts';
import * as access from '../features/access/access.ts';
import * as accounts from '../features/accounts/accounts.ts';
import * as experiments from '../features/experiments/experiments.ts';
import * as models from '../features/models/models.ts';
import * as workspaces from '../features/workspaces/workspaces.ts';
import type { Ctx } from '../platform/context.ts';
import { grantHandlers } from './grant-handlers.ts';

const NAMES = ['a.one', 'a.two', 'b.one'];
const PREFIXES = ['a.', 'a.o', 'b'];

interface Target {
  readonly kind: ObjectKind | 'workspace';
  readonly name?: string;
  readonly prefix?: string;
  readonly everywhere?: true;
}

const kinds = ['registered-model', 'experiment'] as const;
const TARGETS: readonly Target[] = [
  ...kinds.flatMap((kind): Target[] => [
    ...NAMES.map((name) => ({ kind, name })),
    ...PREFIXES.map((prefix) => ({ kind, prefix })),
    ...PREFIXES.map((prefix) => ({ kind, prefix, everywhere: true as const })),
    { kind },
    { kind, everywhere: true },
  ]),
  { kind: 'workspace' },
  { kind: 'workspace', everywhere: true },
];

const target = fc.constantFrom(...TARGETS);
const level = fc.oneof(fc.constant<GrantLevel>('MANAGE'), fc.constantFrom(...GRANT_LEVELS));
const held = fc.array(fc.record({ target, level }), { maxLength: 8 });

it('nobody grants more than he has', async () => {
  const ctx = await openContext();
  const ids = new Map<string, number>();
  for (const name of NAMES) {
    ids.set(`registered-model ${name}`, (await models.create(ctx, { name, tags: [] })).id);
    ids.set(`experiment ${name}`, await experiments.create(ctx, { name, artifactLocation: undefined, tags: [] }));
  }
  await accounts.createUser(ctx, { name: 'root', isAdmin: true });
  const [giver, taker] = [await accounts.createUser(ctx, { name: 'giver' }), await accounts.createUser(ctx, { name: 'taker' })];

  const ranksOf = async (account: accounts.Account): Promise<number[]> => {
    const may = await access.accessIn(ctx, account, ctx.workspace.id);
    const ofObjects = kinds.flatMap((kind) => NAMES.map((name) => may.rankOf(kind, { id: ids.get(`${kind} ${name}`) ?? -1, name })));
    // Names that nobody has yet, and the workspace itself.
    const later = kinds.flatMap((kind) => ['a.later', 'b.later', 'c'].map((name) => may.rankOf(kind, { id: 999_999, name })));
    return [...ofObjects, ...later, may.mayCreate ? 1 : 0, may.isManager ? 1 : 0, may.isAdmin ? 1 : 0];
  };
  const forget = async (account: accounts.Account): Promise<void> => {
    for (const each of await access.listOfSubject(ctx, 'principal', account.id)) await access.removeGrant(ctx, each);
  };
  const set = (by: Ctx, to: string, { kind, name, prefix, everywhere }: Target, what: GrantLevel) =>
    grantHandlers.setGrant(
      by,
      {
        params: {},
        query: {},
        body: {
          subject_kind: 'user',
          subject: to,
          kind,
          level: what,
          ...(name === undefined ? {} : { name }),
          ...(prefix === undefined ? {} : { prefix }),
          ...(everywhere === undefined ? {} : { everywhere }),
        },
      },
      { address: '' },
    );

  let given = 0;
  await fc.assert(
    fc.asyncProperty(held, fc.constantFrom('NONE' as const, 'READ' as const), async (grants, memberLevel) => {
      await workspaces.changeSettings(ctx, { member_level: memberLevel });
      await forget(giver);
      for (const each of grants) await set(ctx, giver.name, each.target, each.level);
      const may = await access.accessIn(ctx, giver, ctx.workspace.id);
      const asGiver: Ctx = { ...ctx, principal: { id: giver.id, kind: 'user', name: giver.name }, access: may };
      const own = await ranksOf(giver);
      for (const each of TARGETS) {
        await forget(taker);
        const before = await ranksOf(taker);
        try {
          await set(asGiver, taker.name, each, 'MANAGE');
          given += 1;
        } catch (error) {
          expect(error).toBeInstanceOf(Problem);
          expect((error as Problem).code).toBe('PERMISSION_DENIED');
        }
        const after = await ranksOf(taker);
        after.forEach((rank, i) => {
          if (rank > (before[i] ?? 0))
            expect(rank, `${JSON.stringify(each)} by ${JSON.stringify(grants)}`).toBeLessThanOrEqual(own[i] ?? 0);
        });
      }
    }),
    { numRuns: 150 },
  );
  // The property says something: many were given.
  expect(given).toBeGreaterThan(20);
  await ctx.db.close();
});
