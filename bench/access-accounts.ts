// Accounts and grants of the access bench, written into a data folder through the server's own doors; the many that nobody asks with, by one statement.
import { randomBytes } from 'node:crypto';
import * as access from '../packages/server/src/features/access/access.ts';
import * as accounts from '../packages/server/src/features/accounts/accounts.ts';
import * as groups from '../packages/server/src/features/groups/groups.ts';
import * as models from '../packages/server/src/features/models/models.ts';
import * as tokens from '../packages/server/src/features/tokens/tokens.ts';
import * as workspaces from '../packages/server/src/features/workspaces/workspaces.ts';
import type { Ctx } from '../packages/server/src/platform/context.ts';
import { modelName, type SeededDataset } from './dataset.ts';
import { atDoors } from './doors.ts';

export type Callers = {
  /** Tokens. */
  readonly administrator: string;
  readonly member: string;
  readonly few: string;
  /** An Authorization header. */
  readonly password: string;
};

const grantCount = 100_000;
const userCount = 1_000;
const groupCount = 100;

export function populate(folder: string, data: SeededDataset): Promise<Callers> {
  return atDoors(folder, undefined, (ctx) => write(ctx, data));
}

async function write(ctx: Ctx, data: SeededDataset): Promise<Callers> {
  const secret = randomBytes(18).toString('base64');
  const token = async (account: accounts.Account): Promise<string> =>
    (await tokens.mint(ctx, account, { kind: 'personal', name: 'bench', scopes: ['admin'], expiresAt: null })).secret;
  const administrator = await accounts.createUser(ctx, { name: 'administrator', isAdmin: true, password: secret });
  const member = await accounts.createUser(ctx, { name: 'member' });
  const few = await accounts.createUser(ctx, { name: 'few' });
  await workspaces.changeSettings(ctx, { member_level: 'NONE' });
  const base = { workspaceId: 0, prefix: '' };
  for (let i = 0; i < 20; i++) {
    const group = await groups.create(ctx, { name: `group of the member ${i}`, workspaceId: groups.SERVER_WIDE });
    await groups.addMember(ctx, group, member);
    const of = { ...base, subjectKind: 'group', subjectId: group.id } as const;
    if (i === 0) await access.setGrant(ctx, { ...of, kind: 'registered-model', objectId: access.NO_OBJECT }, 'READ');
    const model = await models.getIdentity(ctx, modelName(i * 3 + 1));
    await access.setGrant(ctx, { ...of, kind: 'registered-model', objectId: model.id }, 'EDIT');
  }
  for (let i = 0; i < 10; i++) {
    const model = await models.getIdentity(ctx, modelName(Math.floor((i * data.sizes.models) / 10)));
    const of = { ...base, subjectKind: 'principal', subjectId: few.id } as const;
    await access.setGrant(ctx, { ...of, kind: 'registered-model', objectId: model.id }, 'READ');
  }
  await writeCrowd(ctx, data.sizes.models);
  return {
    administrator: await token(administrator),
    member: await token(member),
    few: await token(few),
    password: `Basic ${Buffer.from(`administrator:${secret}`).toString('base64')}`,
  };
}

/** Rows as the doors write them, without an event for each: the measured server only has to find its own among them. */
async function writeCrowd(ctx: Ctx, modelCount: number): Promise<void> {
  await ctx.db.write(async (tx) => {
    const series = (count: number): string =>
      `WITH RECURSIVE series (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM series WHERE i < ${count})`;
    await tx.run(`${series(userCount)} INSERT INTO principals (kind, name) SELECT 'user', 'crowd ' || i FROM series`);
    await tx.run(
      `${series(groupCount)} INSERT INTO account_groups (workspace_id, name, created_at, written_by) SELECT -1, 'crowd ' || i, 0, 0 FROM series`,
    );
    await tx.run(
      `${series(grantCount)} INSERT INTO grants (workspace_id, subject_kind, subject_id, kind, object_id, prefix, level, created_at, written_by) ` +
        `SELECT 0, 'principal', 1000 + i % ${userCount}, 'registered-model', 1 + (i * 7) % ${modelCount}, 'p' || i, 'READ', 0, 0 FROM series`,
    );
  });
}
