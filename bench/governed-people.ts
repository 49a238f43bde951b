// Who takes part in governed changes, and the policy that they are made under.
import * as access from '../packages/server/src/features/access/access.ts';
import * as accounts from '../packages/server/src/features/accounts/accounts.ts';
import * as groups from '../packages/server/src/features/groups/groups.ts';
import * as tokens from '../packages/server/src/features/tokens/tokens.ts';
import * as workspaces from '../packages/server/src/features/workspaces/workspaces.ts';
import type { Ctx } from '../packages/server/src/platform/context.ts';
import { atDoors } from './doors.ts';

/** No policy is in force in `free`. */
export const freeSpace = 'free';
export const governedSpace = 'governed';

export const checkNames = ['ci/tests', 'ci/bias', 'ci/latency'] as const;

/** Of models named `fraud-…` in the stage Production. Five requirements: approvals, checks, numbers, a description, a signature. */
export const policyText = `
name: fraud-production
mode: enforce
apply: manual
match: { model: 'fraud-*', target: { stage: Production } }
requirements:
  approvals: [{ group: risk, count: 2 }]
  checks: [${checkNames.map((name) => `{ name: ${name} }`).join(', ')}]
  metrics:
    - { name: accuracy, op: '>=', value: 0.92 }
    - { name: accuracy, op: '>=', current: { tolerance: 0.01 } }
  description: true
  signature: true
`;

/** Tokens. */
export type Tokens = {
  readonly administrator: string;
  /** Registers versions, and asks. */
  readonly author: string;
  /** Makes the changes. */
  readonly manager: string;
  readonly approvers: readonly [string, string];
  /** Reports checks. */
  readonly robot: string;
};

export function openOffice(folder: string, databaseUrl: string | undefined): Promise<Tokens> {
  return atDoors(folder, databaseUrl, staff);
}

async function staff(ctx: Ctx): Promise<Tokens> {
  const mint = async (account: accounts.Account, scopes: readonly string[] = ['admin']): Promise<string> =>
    (await tokens.mint(ctx, account, { kind: 'personal', name: 'bench', scopes, expiresAt: null })).secret;
  const administrator = await accounts.createUser(ctx, { name: 'administrator', isAdmin: true });
  // Two persons who can decide settings are the least that a governed workspace has.
  await accounts.createUser(ctx, { name: 'second', isAdmin: true });
  for (const name of [freeSpace, governedSpace]) await workspaces.createWorkspace(ctx, { name });
  const author = await person(ctx, 'author', 'EDIT');
  const manager = await person(ctx, 'manager', 'MANAGE');
  const approvers = [await person(ctx, 'bob', 'READ'), await person(ctx, 'carol', 'READ')] as const;
  const risk = await groups.create(ctx, { name: 'risk', workspaceId: groups.SERVER_WIDE });
  for (const approver of approvers) await groups.addMember(ctx, risk, approver);
  const robot = await accounts.createServiceAccount(ctx, { name: 'ci', ownerId: administrator.id });
  await admit(ctx, robot, 'READ');
  return {
    administrator: await mint(administrator),
    author: await mint(author),
    manager: await mint(manager),
    approvers: [await mint(approvers[0]), await mint(approvers[1])],
    robot: await mint(
      robot,
      checkNames.map((name) => `check:${name}`),
    ),
  };
}

async function person(ctx: Ctx, name: string, level: 'READ' | 'EDIT' | 'MANAGE'): Promise<accounts.Account> {
  const account = await accounts.createUser(ctx, { name });
  await admit(ctx, account, level);
  return account;
}

/** To both workspaces. */
async function admit(ctx: Ctx, account: accounts.Account, level: 'READ' | 'EDIT' | 'MANAGE'): Promise<void> {
  const to = { subjectKind: 'principal', subjectId: account.id, kind: 'workspace', objectId: access.NO_OBJECT, prefix: '' } as const;
  for (const name of [freeSpace, governedSpace]) {
    const { id } = await workspaces.getWorkspace(ctx, name);
    await access.setGrant(ctx, { ...to, workspaceId: id }, level);
  }
}
