/** Ten thousand accounts, a thousand groups, a hundred thousand grants: who may do what is known by an index, and then by heart. */
import * as access from '@countersign/server/features/access/access.ts';
import * as groups from '@countersign/server/features/groups/groups.ts';
import * as models from '@countersign/server/features/models/models.ts';
import * as tokens from '@countersign/server/features/tokens/tokens.ts';
import type { Ctx } from '@countersign/server/platform/context.ts';
import type { Database } from '@countersign/server/platform/db/database.ts';
import { PostgresDatabase } from '@countersign/server/platform/db/postgres.ts';
import { SqliteDatabase } from '@countersign/server/platform/db/sqlite.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { addToken, addUser, ask, grant, openApp, type Person, type RunningApp } from '../support/app.ts';
import { onBothDatabases } from '../support/databases.ts';

const USERS = 10_000;
const GROUPS = 1_000;
const GRANTS = 100_000;
const MODEL = '/api/2.0/mlflow/registered-models/get?name=scale';

/** Counts what is asked of a database outside of transactions. */
function counting(db: Database): { db: Database; asked: () => number } {
  let count = 0;
  const counted = new Proxy(db, {
    get: (target, name) => {
      const member: unknown = Reflect.get(target, name, target);
      if (typeof member !== 'function') return member;
      return (...values: unknown[]) => {
        if (name === 'one' || name === 'all') count += 1;
        return Reflect.apply(member, target, values);
      };
    },
  });
  return { db: counted, asked: () => count };
}

/** Rows as the doors write them, without an event for each. */
async function writeCrowd(ctx: Ctx): Promise<void> {
  await ctx.db.write(async (tx) => {
    const series = (count: number): string =>
      `WITH RECURSIVE series (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM series WHERE i < ${count}) `;
    const text = tx.dialect === 'sqlite' ? 'i' : 'i::text';
    await tx.run(`INSERT INTO principals (kind, name) ${series(USERS)}SELECT 'user', 'crowd ' || ${text} FROM series`);
    await tx.run(
      `INSERT INTO account_groups (workspace_id, name, created_at, written_by) ${series(GROUPS)}SELECT -1, 'crowd ' || ${text}, 0, 0 FROM series`,
    );
    await tx.run(
      `INSERT INTO grants (workspace_id, subject_kind, subject_id, kind, object_id, prefix, level, created_at, written_by) ${series(GRANTS)}` +
        `SELECT 0, CASE i % 10 WHEN 0 THEN 'group' ELSE 'principal' END, 100 + i % ${USERS}, 'registered-model', 1000 + i, '', 'READ', 0, 0 FROM series`,
    );
  });
}

onBothDatabases('access at scale', (databaseUrl) => {
  let app: RunningApp;
  let replica: RunningApp | undefined;
  let root: Person;
  let ann: Person;
  let asked: () => number;
  let isPostgres = false;

  beforeAll(async () => {
    const url = await databaseUrl();
    isPostgres = url !== undefined;
    const counted = counting(url === undefined ? new SqliteDatabase(':memory:') : new PostgresDatabase(url));
    asked = counted.asked;
    app = await openApp({ db: counted.db });
    if (url !== undefined) replica = await openApp({ db: new PostgresDatabase(url) });
    root = await addUser(app.ctx, 'root', { isAdmin: true });
    ann = await addUser(app.ctx, 'ann');
    const model = await models.create(app.ctx, { name: 'scale', tags: [] });
    const team = await groups.create(app.ctx, { name: 'team', workspaceId: groups.SERVER_WIDE });
    await groups.addMember(app.ctx, team, ann.account);
    await grant(app.ctx, { groupId: team.id }, { kind: 'registered-model', id: model.id }, 'EDIT');
    await writeCrowd(app.ctx);
  });

  afterAll(async () => {
    await replica?.close();
    await app.close();
  });

  const get = (at: RunningApp, as: string): Promise<number> => ask(at, 'GET', MODEL, { as }).then((answer) => answer.status);

  it('asks one statement at most once it knows a caller, and an index for what it has to look up', async () => {
    expect(await get(app, ann.secret)).toBe(200);
    const before = asked();
    await get(app, ann.secret);
    const withAccounts = asked() - before;
    // The handler asks for the model, its versions and its aliases; the gate, on PostgreSQL, for the count of changes, which another replica may have moved.
    expect(withAccounts).toBe(isPostgres ? 4 : 3);
    const reaching = await access.listReaching(app.ctx.db, ann.account.id);
    expect(reaching.map((each) => each.level)).toEqual(['EDIT']);
    if (isPostgres) return;
    const plan = await app.ctx.db.all<{ detail: string }>(
      "EXPLAIN QUERY PLAN SELECT g.level FROM grants g WHERE g.subject_kind = 'group' AND g.subject_id IN (SELECT group_id FROM group_members WHERE principal_id = 5)",
    );
    expect(plan.filter(({ detail }) => detail.startsWith('SCAN'))).toEqual([]);
  });

  it('ends what is revoked at once, on another replica too', async () => {
    const other = replica ?? app;
    const secret = await addToken(app.ctx, ann.account, ['read']);
    expect(await get(other, secret)).toBe(200);
    const token = (await tokens.list(app.ctx, ann.account.id)).at(-1);
    if (token) await tokens.revoke(app.ctx, token);
    expect(await get(other, secret)).toBe(401);

    const rename = () =>
      ask(other, 'POST', '/api/2.0/mlflow/registered-models/set-tag', { as: ann.secret, body: { name: 'scale', key: 'a', value: 'b' } });
    expect((await rename()).status).toBe(200);
    const team = await groups.getByName(app.ctx, 'team');
    await groups.removeMember(app.ctx, team, ann.account.id);
    expect((await rename()).status).toBe(403);
    expect(await get(other, root.secret)).toBe(200);
  });
});
