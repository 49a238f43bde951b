/** The people of a drill: requesters, approvers, administrators, service accounts with owners, jobs of a CI system, and strangers with high levels. */
import { accessIn, EVERY_WORKSPACE, NO_OBJECT, setGrant } from '@countersign/server/features/access/access.ts';
import * as accounts from '@countersign/server/features/accounts/accounts.ts';
import * as ciIdentities from '@countersign/server/features/ci-identities/ci-identities.ts';
import * as groups from '@countersign/server/features/groups/groups.ts';
import * as namedPermissions from '@countersign/server/features/named-permissions/named-permissions.ts';
import * as transitions from '@countersign/server/features/transitions/transitions.ts';
import * as workspaces from '@countersign/server/features/workspaces/workspaces.ts';
import { type Ctx, type Principal, transaction, type WorkspaceRef } from '@countersign/server/platform/context.ts';
import type { Identity } from './acts.ts';

export interface Member extends Identity {
  readonly account: number;
  /** Of the token that it comes with. */
  readonly checks: readonly string[];
}

export interface Staff {
  readonly members: readonly Member[];
  /** Beside the default one. Another takes its place where it is removed. */
  other(): WorkspaceRef;
  setOther(other: WorkspaceRef): void;
  byName(name: string): Member;
  find(id: number): Member | undefined;
  /** With the access of this moment; undefined for an account that can't sign in. */
  contextOf(member: Member, workspace?: WorkspaceRef, at?: Ctx): Promise<Ctx | undefined>;
}

type Level = 'READ' | 'EDIT' | 'MANAGE_PRODUCTION' | 'MANAGE';
interface Wish {
  readonly level?: Level;
  readonly isAdmin?: boolean;
  readonly groups?: readonly string[];
  readonly owner?: string;
  readonly checks?: readonly string[];
}

export const CHECK = 'ci/tests';
const ISSUER = 'https://ci.example';

/** The first is an administrator. */
const WISHES: Readonly<Record<string, Wish>> = {
  root: { isAdmin: true },
  second: { isAdmin: true, groups: ['legal'] },
  alice: { level: 'EDIT' },
  bob: { level: 'EDIT', groups: ['risk'] },
  carol: { level: 'READ', groups: ['risk', 'legal'] },
  dora: { level: 'MANAGE_PRODUCTION' },
  erin: { level: 'MANAGE', groups: ['risk'] },
  mallory: { level: 'MANAGE' },
  'bobs-robot': { level: 'MANAGE', owner: 'bob', groups: ['risk'], checks: [CHECK] },
  'dora-robot': { level: 'EDIT', owner: 'dora', checks: [CHECK] },
};

export async function hire(ctx: Ctx): Promise<Staff> {
  accounts.setGovernor(ctx.db, transitions.governSetting);
  const members: Member[] = [];
  const byName = (name: string): Member => {
    const found = members.find((each) => each.name === name);
    if (found === undefined) throw new TypeError(`${name} is of the staff`);
    return found;
  };
  for (const [name, wish] of Object.entries(WISHES)) {
    const account =
      wish.owner === undefined
        ? await accounts.createUser(ctx, { name, isAdmin: wish.isAdmin ?? false })
        : await accounts.createServiceAccount(ctx, { name, ownerId: byName(wish.owner).id });
    if (wish.level !== undefined) await grant(ctx, account.id, wish.level);
    for (const group of wish.groups ?? []) await groups.addMember(ctx, await groupOf(ctx, group), account);
    const person = wish.owner === undefined ? account.id : byName(wish.owner).id;
    members.push({
      id: account.id,
      account: account.id,
      name,
      kind: wish.owner === undefined ? 'user' : 'service',
      person,
      checks: wish.checks ?? [],
    });
  }
  for (const name of ['dora', 'mallory', 'root']) {
    await namedPermissions.give(ctx, 'break-glass', { kind: 'user', id: byName(name).id, name });
  }
  const trust = await transaction(ctx, (inner) => accounts.createCiAccount(inner, { name: 'ci:main' }));
  await grant(ctx, trust.id, 'MANAGE');
  // As adding it does, which asks the issuer for its keys.
  await ctx.db.write((tx) =>
    tx.run(
      "INSERT INTO ci_trusts (name, kind, issuer, audience, claims, scopes, principal_id, created_at, written_by) VALUES ('main', 'custom', ?, 'a', '{}', '[]', ?, 0, 0)",
      ISSUER,
      trust.id,
    ),
  );
  await ciIdentities.link(ctx, await accounts.getByName(ctx, 'alice'), { issuer: ISSUER, actorId: '1' });
  for (const [name, starterId, person] of [
    ['alices-job', '1', byName('alice').id],
    ['orphan-job', '2', undefined],
  ] as const) {
    const job = await transaction(ctx, (inner) => accounts.actAsJob(inner, trust, { name, issuer: ISSUER, starterId }));
    members.push({ id: job.id, account: trust.id, name, kind: 'ci', person, checks: [CHECK] });
  }
  let other = await workspaces.createWorkspace(ctx, { name: 'vision' });
  return {
    members,
    other: () => ({ id: other.id, name: other.name }),
    setOther: (next) => {
      other = { ...other, ...next };
    },
    byName,
    find: (id) => members.find((each) => each.id === id),
    contextOf: (member, workspace = ctx.workspace, at = ctx) => contextOf(workspaces.within(at, workspace), member),
  };
}

async function groupOf(ctx: Ctx, name: string): Promise<groups.Group> {
  return (await groups.find(ctx, name)) ?? groups.create(ctx, { name, workspaceId: groups.SERVER_WIDE });
}

async function grant(ctx: Ctx, subjectId: number, level: Level): Promise<void> {
  for (const kind of ['registered-model', 'experiment']) {
    const key = { workspaceId: EVERY_WORKSPACE, subjectKind: 'principal', subjectId, kind, objectId: NO_OBJECT, prefix: '' } as const;
    await setGrant(ctx, key, level);
  }
}

async function contextOf(ctx: Ctx, member: Member): Promise<Ctx | undefined> {
  const account = await accounts.findById(ctx, member.account);
  if (account?.state !== 'active') return undefined;
  const { id, kind, name } = member;
  const principal: Principal = { id, kind, name, ...(kind === 'ci' ? { accountId: member.account } : {}) };
  const access = await accessIn(ctx, account, ctx.workspace.id);
  const asks = new Set(['read', 'write', 'admin']);
  const tokenScope = kind === 'user' ? undefined : { asks, runs: new Set<string>(), checks: new Set(member.checks) };
  return { ...ctx, principal, access, tokenScope };
}
