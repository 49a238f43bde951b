/** databricks-sdk's permissions over real HTTP: what the SDK's own script doesn't ask. */
import type { GrantLevel } from '@countersign/contract/levels.ts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { addToken, addUser, ask, grant, openApp, type Person, type RunningApp } from '../../../../test/support/app.ts';
import { onBothDatabases } from '../../../../test/support/databases.ts';
import type { Answer } from '../../../../test/support/server.ts';
import * as accounts from '../features/accounts/accounts.ts';
import * as groups from '../features/groups/groups.ts';
import * as models from '../features/models/models.ts';
import { openDatabase } from '../platform/db/open.ts';

onBothDatabases("databricks-sdk's permissions", (databaseUrl) => {
  let app: RunningApp;
  let root: Person;
  let ann: Person;
  let modelId: number;
  let made = 0;

  beforeAll(async () => {
    const url = await databaseUrl();
    app = await openApp(url === undefined ? {} : { db: await openDatabase({ kind: 'postgres', url }) });
    root = await addUser(app.ctx, 'root', { isAdmin: true });
    ann = await addUser(app.ctx, 'ann');
  });
  afterAll(() => app.close());
  beforeEach(async () => {
    modelId = (await models.create(app.ctx, { name: `team-${++made}`, tags: [] })).id;
  });

  const at = (id: number | string = modelId, rest = ''): string => `/api/2.0/permissions/registered-models/${id}${rest}`;

  function as(who: Person, method: string, path: string, list?: readonly object[]): Promise<Answer> {
    return ask(app, method, path, { as: who.secret, ...(list === undefined ? {} : { body: { access_control_list: list } }) });
  }

  async function refused(answer: Promise<Answer>): Promise<[number, string]> {
    const { status, body } = await answer;
    return [status, body.error_code];
  }

  /** `name level`, with `<` and where from for what is inherited. */
  async function listOf(answer: Promise<Answer>): Promise<string[]> {
    const { status, body } = await answer;
    expect([status, body]).toEqual([200, expect.anything()]);
    return body.access_control_list.flatMap(
      (row: {
        user_name?: string;
        group_name?: string;
        service_principal_name?: string;
        all_permissions: { permission_level: string; inherited: boolean; inherited_from_object?: string[] }[];
      }) =>
        row.all_permissions.map(({ permission_level: level, inherited, inherited_from_object: from }) => {
          const who = row.user_name ?? row.group_name ?? row.service_principal_name;
          return inherited ? `${who} ${level} < ${from?.join()}` : `${who} ${level}`;
        }),
    );
  }

  const EVERYBODY = ['users CAN_READ < /workspaces/default', 'admins CAN_MANAGE < /registered-models/root'];

  function giveAnn(level: GrantLevel): Promise<void> {
    return grant(app.ctx, { accountId: ann.account.id }, { kind: 'registered-model', id: modelId }, level);
  }

  describe('permissions of a model', () => {
    it('that read alike are left as they are when they are sent back', async () => {
      await giveAnn('VIEW');
      expect(await listOf(as(root, 'GET', at()))).toEqual(['ann CAN_READ', ...EVERYBODY]);
      for (const method of ['PUT', 'PATCH']) {
        await listOf(as(root, method, at(), [{ user_name: 'ann', permission_level: 'CAN_READ' }]));
        const { body } = await ask(app, 'GET', `/api/v1/grants?kind=registered-model&name=team-${made}`, { as: root.secret });
        expect(body.grants.map((each: { level: string }) => each.level)).toEqual(['VIEW']);
      }
    });

    it('that deny stay where they are not mentioned, since the SDK has no word for them', async () => {
      await giveAnn('DENY');
      expect(await listOf(as(root, 'PUT', at(), []))).toEqual(['ann DENY', ...EVERYBODY]);
      expect(await listOf(as(root, 'PUT', at(), [{ user_name: 'ann', permission_level: 'CAN_EDIT' }]))).toEqual([
        'ann CAN_EDIT',
        ...EVERYBODY,
      ]);
    });

    it('show what comes from above, and where from', async () => {
      await grant(app.ctx, { accountId: ann.account.id }, { kind: 'registered-model', prefix: `team-${made}` }, 'EDIT');
      await grant(app.ctx, { accountId: ann.account.id }, { kind: 'registered-model', prefix: 'other-' }, 'MANAGE');
      await grant(app.ctx, { accountId: ann.account.id }, { kind: 'registered-model', everywhere: true }, 'MANAGE_STAGING');
      await grant(app.ctx, { accountId: ann.account.id }, { kind: 'workspace' }, 'USE');
      const group = await groups.create(app.ctx, { name: `leads-${made}`, workspaceId: groups.SERVER_WIDE });
      await grant(app.ctx, { groupId: group.id }, { kind: 'workspace' }, 'MANAGE');
      expect(await listOf(as(root, 'GET', at()))).toEqual([
        `ann CAN_EDIT < /registered-models/team-${made}*`,
        'ann CAN_MANAGE_STAGING_VERSIONS < /registered-models/root',
        `leads-${made} CAN_MANAGE < /workspaces/default`,
        ...EVERYBODY,
      ]);
      await groups.remove(app.ctx, group);
    });

    it('are given to groups and to service principals by name', async () => {
      const bot = await accounts.createServiceAccount(app.ctx, { name: `bot-${made}`, ownerId: root.account.id });
      const role = await groups.create(app.ctx, { name: `role-${made}`, workspaceId: app.ctx.workspace.id });
      const list = [
        { service_principal_name: bot.name, permission_level: 'CAN_EDIT' },
        { group_name: role.name, permission_level: 'CAN_MANAGE_PRODUCTION_VERSIONS' },
      ];
      expect((await listOf(as(root, 'PUT', at(), list))).slice(0, 2)).toEqual([
        `${bot.name} CAN_EDIT`,
        `${role.name} CAN_MANAGE_PRODUCTION_VERSIONS`,
      ]);
      const bySecret = { account: bot, secret: await addToken(app.ctx, bot, ['write']) };
      const update = ask(app, 'PATCH', '/api/2.0/mlflow/registered-models/update', {
        as: bySecret.secret,
        body: { name: `team-${made}`, description: 'by a program' },
      });
      expect((await update).status).toBe(200);
    });

    it('change all at once or not at all', async () => {
      const list = [
        { user_name: 'ann', permission_level: 'CAN_MANAGE' },
        { user_name: 'nobody', permission_level: 'CAN_READ' },
      ];
      expect(await refused(as(root, 'PUT', at(), list))).toEqual([404, 'RESOURCE_DOES_NOT_EXIST']);
      expect(await listOf(as(root, 'GET', at()))).not.toContain('ann CAN_MANAGE');
    });

    it.each([
      ['an unknown level', [{ user_name: 'ann', permission_level: 'CAN_FLY' }], 400],
      ['the level that only the whole registry has', [{ user_name: 'ann', permission_level: 'CAN_CREATE_REGISTERED_MODEL' }], 400],
      ['nobody', [{ permission_level: 'CAN_READ' }], 400],
      ['two in one entry', [{ user_name: 'ann', group_name: 'x', permission_level: 'CAN_READ' }], 400],
      ['one twice', ['CAN_READ', 'CAN_EDIT'].map((level) => ({ user_name: 'ann', permission_level: level })), 400],
      ['a user as a service principal', [{ service_principal_name: 'ann', permission_level: 'CAN_READ' }], 404],
      ['an unknown group', [{ group_name: 'nobodies', permission_level: 'CAN_READ' }], 404],
      ['administrators, lowered', [{ group_name: 'admins', permission_level: 'CAN_READ' }], 400],
      ['all members', [{ group_name: 'users', permission_level: 'CAN_EDIT' }], 400],
    ])('refuse %s', async (_what, list, status) => {
      expect((await as(root, 'PATCH', at(), list)).status).toBe(status);
      expect((await as(root, 'PUT', at(), list)).status).toBe(status);
    });

    it('are seen and set by who manages it, and what is not there looks like what is another’s', async () => {
      for (const id of [modelId, 987654, 'x', 'root']) {
        expect(await refused(as(ann, 'GET', at(id))), String(id)).toEqual([403, 'PERMISSION_DENIED']);
        expect(await refused(as(ann, 'PUT', at(id), []))).toEqual([403, 'PERMISSION_DENIED']);
      }
      expect(await refused(as(root, 'GET', at(987654)))).toEqual([404, 'RESOURCE_DOES_NOT_EXIST']);
      expect((await as(ann, 'GET', at(modelId, '/permissionLevels'))).status).toBe(200);
      await giveAnn('MANAGE');
      expect(await listOf(as(ann, 'PATCH', at(), []))).toContain('ann CAN_MANAGE');
      // A token that may write doesn't hand out access.
      const writer = { account: ann.account, secret: await addToken(app.ctx, ann.account, ['write']) };
      expect(await refused(as(writer, 'PUT', at(), []))).toEqual([403, 'PERMISSION_DENIED']);
    });
  });

  describe('the current user', () => {
    it('is told its groups and its address', async () => {
      await accounts.setProfile(app.ctx, ann.account, { name: 'ann', displayName: 'Ann', email: 'ann@example.org' });
      const { body } = await as(ann, 'GET', '/api/2.0/preview/scim/v2/Me');
      expect(body).toMatchObject({
        id: String(ann.account.id),
        userName: 'ann',
        displayName: 'Ann',
        active: true,
        emails: [{ value: 'ann@example.org', primary: true }],
      });
      expect((await ask(app, 'GET', '/api/2.0/preview/scim/v2/Me')).status).toBe(401);
    });
  });
});
