/** People with accounts, each as the context that the doors are called with. */
import type { Level } from '@countersign/contract/levels.ts';
import { accessIn, EVERY_WORKSPACE, NO_OBJECT, setGrant } from '@countersign/server/features/access/access.ts';
import * as accounts from '@countersign/server/features/accounts/accounts.ts';
import * as groups from '@countersign/server/features/groups/groups.ts';
import type { Ctx } from '@countersign/server/platform/context.ts';

export interface PersonWish {
  readonly isAdmin?: boolean;
  /** On every model and experiment. */
  readonly level?: Level;
  /** Made where they aren't there. */
  readonly groups?: readonly string[];
}

/** In this order: the first must be an administrator. */
export async function openPeople<Name extends string>(
  ctx: Ctx,
  wishes: Readonly<Record<Name, PersonWish>>,
): Promise<Readonly<Record<Name, Ctx>>> {
  const made: [string, Ctx][] = [];
  for (const [name, { isAdmin = false, level, groups: wanted = [] }] of Object.entries<PersonWish>(wishes)) {
    const account = await accounts.createUser(ctx, { name, isAdmin });
    if (level !== undefined) {
      for (const kind of ['registered-model', 'experiment']) {
        const key = {
          workspaceId: EVERY_WORKSPACE,
          subjectKind: 'principal',
          subjectId: account.id,
          kind,
          objectId: NO_OBJECT,
          prefix: '',
        } as const;
        await setGrant(ctx, key, level);
      }
    }
    for (const group of wanted) {
      const found = (await groups.find(ctx, group)) ?? (await groups.create(ctx, { name: group, workspaceId: groups.SERVER_WIDE }));
      await groups.addMember(ctx, found, account);
    }
    made.push([name, await contextOf(ctx, account)]);
  }
  return Object.fromEntries(made) as Readonly<Record<Name, Ctx>>; // one for each wish
}

/** With the access that the account has now. */
export async function contextOf(ctx: Ctx, account: accounts.Account): Promise<Ctx> {
  const kind = account.kind === 'service' ? 'service' : 'user';
  return { ...ctx, principal: { id: account.id, kind, name: account.name }, access: await accessIn(ctx, account, ctx.workspace.id) };
}
