/** Upstream's auth API over real HTTP, through the real gate: what its clients' own scripts don't ask. */
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addUser, ask, grant, openApp, type Person, type RunningApp } from '../../../../test/support/app.ts';
import { onBothDatabases } from '../../../../test/support/databases.ts';
import type { Answer } from '../../../../test/support/server.ts';
import * as experiments from '../features/experiments/experiments.ts';
import * as groups from '../features/groups/groups.ts';
import * as models from '../features/models/models.ts';
import * as workspaces from '../features/workspaces/workspaces.ts';
import { openDatabase } from '../platform/db/open.ts';

const PASSWORD = 'correct horse battery';

onBothDatabases("MLflow's auth API", (databaseUrl) => {
  let app: RunningApp;
  let root: Person;
  let made = 0;

  beforeAll(async () => {
    const url = await databaseUrl();
    app = await openApp(url === undefined ? {} : { db: await openDatabase({ kind: 'postgres', url }) });
  });
  afterAll(() => app.close());

  const V2 = '/api/2.0/mlflow';
  const V3 = '/api/3.0/mlflow';

  function as(
    who: Person | undefined,
    method: string,
    path: string,
    body?: unknown,
    headers: Record<string, string> = {},
  ): Promise<Answer> {
    return ask(app, method, path, { as: who?.secret, headers, ...(body === undefined ? {} : { body }) });
  }

  // biome-ignore lint/suspicious/noExplicitAny: black-box tests look into whatever came back
  async function ok(answer: Promise<Answer>): Promise<any> {
    const { status, body } = await answer;
    expect([status, body]).toEqual([200, expect.anything()]);
    return body;
  }

  async function refused(answer: Promise<Answer>): Promise<[number, string, string]> {
    const { status, body } = await answer;
    return [status, body.error_code, body.message];
  }

  const DENIED = [403, 'PERMISSION_DENIED', expect.stringMatching(/^Permission denied/)];
  const badly = (text: string): unknown[] => [400, 'INVALID_PARAMETER_VALUE', expect.stringContaining(text)];
  const absent = (text: string): unknown[] => [404, 'RESOURCE_DOES_NOT_EXIST', expect.stringContaining(text)];

  function person(): Promise<Person> {
    return addUser(app.ctx, `person-${++made}`, { password: PASSWORD });
  }

  /** A workspace, and somebody who manages it. */
  async function workspaceWithManager(): Promise<{ name: string; id: number; manager: Person }> {
    const { id, name } = await workspaces.createWorkspace(app.ctx, { name: `space-${++made}` });
    const manager = await person();
    await grant({ ...app.ctx, workspace: { id, name } }, { accountId: manager.account.id }, { kind: 'workspace' }, 'MANAGE');
    return { name, id, manager };
  }

  async function modelNamed(name: string): Promise<number> {
    return (await models.create(app.ctx, { name, tags: [] })).id;
  }

  describe('the first account', () => {
    it('administers the server, and from then on everybody signs in', async () => {
      expect(await ok(as(undefined, 'GET', `${V2}/users/current`))).toEqual({
        user: { id: 0, username: 'local', is_admin: true },
        is_basic_auth: true,
      });
      const { user } = await ok(as(undefined, 'POST', `${V2}/users/create`, { username: 'root', password: PASSWORD }));
      expect(user).toEqual({ id: user.id, username: 'root', is_admin: true, experiment_permissions: [], registered_model_permissions: [] });
      const without = await as(undefined, 'GET', `${V2}/users/current`);
      expect(without.status).toBe(401);
      expect(without.headers.get('www-authenticate')).toBe('Basic realm="mlflow"');
      expect(without.body).toMatchObject({ error_code: 'UNAUTHENTICATED', message: expect.stringMatching(/^You are not authenticated\./) });
      root = await addUser(app.ctx, 'other-root', { isAdmin: true, password: PASSWORD });
    });
  });

  describe('users', () => {
    it('are refused with what was wrong', async () => {
      const create = (body: unknown): Promise<unknown[]> => refused(as(root, 'POST', `${V2}/users/create`, body));
      expect(await create({ username: 'x' })).toEqual(badly("Missing value for required parameter 'password'"));
      expect(await create({ username: '', password: PASSWORD })).toEqual(badly("'username'"));
      expect(await create({ username: 'a:b', password: PASSWORD })).toEqual(badly("Invalid user name 'a:b'"));
      expect(await create({ username: '__user_7__', password: PASSWORD })).toEqual(badly('kept for the server'));
      expect(await create({ username: 'x', password: 'short' })).toEqual(badly('Password must be at least 12 characters.'));
      expect(await create(null)).toEqual(badly('JSON object'));
      expect(await refused(as(root, 'GET', `${V2}/users/get`))).toEqual(badly("'username'"));
    });

    it('learn nothing of others, not even whether there are any', async () => {
      const [one, other] = [await person(), await person()];
      for (const username of [other.account.name, 'nobody']) {
        const query = `?username=${username}`;
        expect(await refused(as(one, 'GET', `${V2}/users/get${query}`))).toEqual(DENIED);
        expect(await refused(as(one, 'GET', `${V3}/users/permissions/list${query}`))).toEqual(DENIED);
        expect(await refused(as(one, 'GET', `${V3}/users/roles/list${query}`))).toEqual(DENIED);
        expect(await refused(as(one, 'GET', `${V3}/users/permissions/get${query}&resource_type=experiment&resource_id=0`))).toEqual(DENIED);
        expect(await refused(as(one, 'DELETE', `${V2}/users/delete`, { username }))).toEqual(DENIED);
        expect(await refused(as(one, 'PATCH', `${V2}/users/update-password`, { username, password: PASSWORD }))).toEqual(DENIED);
      }
      const { users } = await ok(as(one, 'GET', `${V2}/users/list`));
      expect(users.map((each: { username: string }) => each.username)).toContain(other.account.name);
      expect(users.filter((each: { roles: unknown[] }) => each.roles.length > 0)).toEqual([]);
    });

    it('are listed with their roles to administrators, to themselves, and of a workspace to its manager', async () => {
      const { name, id, manager } = await workspaceWithManager();
      const one = await person();
      const there = { ...app.ctx, workspace: { id, name } };
      await groups.addMember(there, await groups.create(there, { name: 'readers', workspaceId: id }), one.account);
      const modelId = await modelNamed(`of-${one.account.name}`);
      await grant(app.ctx, { accountId: one.account.id }, { kind: 'registered-model', id: modelId }, 'VIEW');
      const rolesSeenBy = async (who: Person): Promise<string[]> => {
        const { users } = await ok(as(who, 'GET', `${V2}/users/list`));
        const mine = users.find((each: { username: string }) => each.username === one.account.name);
        return mine.roles.map((role: { name: string; workspace: string }) => `${role.workspace}/${role.name}`);
      };
      const all = [`${name}/readers`, `default/__user_${one.account.id}__`];
      expect(await rolesSeenBy(root)).toEqual(all);
      expect(await rolesSeenBy(one)).toEqual(all);
      expect(await rolesSeenBy(manager)).toEqual([`${name}/readers`]);
      const seen = await ok(as(one, 'GET', `${V3}/users/current/permissions`));
      const [row] = seen.permissions;
      // What may be seen and not downloaded has no other name there.
      expect(row).toMatchObject({ resource_type: 'registered_model', resource_pattern: `of-${one.account.name}`, permission: 'READ' });
      expect(row.workspace).toBe('default');
    });

    it('take tokens, roles and grants along when they are deleted', async () => {
      const one = await person();
      await grant(app.ctx, { accountId: one.account.id }, { kind: 'experiment', id: 0 }, 'EDIT');
      await ok(as(root, 'DELETE', `${V2}/users/delete`, { username: one.account.name }));
      expect((await as(one, 'GET', `${V2}/users/current`)).status).toBe(401);
      const again = await ok(as(root, 'POST', `${V2}/users/create`, { username: one.account.name, password: PASSWORD }));
      expect(again.user).toMatchObject({ experiment_permissions: [] });
      expect(again.user.id).not.toBe(one.account.id);
    });

    it('say the old password again, and guessing it is limited as signing in is', async () => {
      const one = await person();
      const update = (body: object): Promise<Answer> =>
        as(one, 'PATCH', `${V2}/users/update-password`, { username: one.account.name, ...body });
      for (let i = 0; i < 10; i++) {
        expect(await refused(update({ password: 'another long one', current_password: 'wrong' }))).toEqual(
          badly('Current password does not match.'),
        );
      }
      expect(await refused(update({ password: 'another long one', current_password: PASSWORD }))).toEqual(
        badly('Current password does not match.'),
      );
    });
  });

  describe('grants', () => {
    const grantTo = (who: Person, by: Person, type: string, id: string, permission: string): Promise<Answer> =>
      as(by, 'POST', `${V3}/users/permissions/grant`, { username: who.account.name, resource_type: type, resource_id: id, permission });
    const revokeFrom = (who: Person, by: Person, type: string, id: string): Promise<Answer> =>
      as(by, 'POST', `${V3}/users/permissions/revoke`, { username: who.account.name, resource_type: type, resource_id: id });
    const levelOf = async (who: Person, type: string, id: string): Promise<string> => {
      const query = new URLSearchParams({ username: who.account.name, resource_type: type, resource_id: id });
      return (await ok(as(root, 'GET', `${V3}/users/permissions/get?${query}`))).permission;
    };
    const shown = async (who: Person): Promise<string[]> => {
      const { permissions } = await ok(as(who, 'GET', `${V3}/users/current/permissions`));
      return permissions.map(
        (row: { resource_type: string; resource_pattern: string; permission: string }) =>
          `${row.resource_type} ${row.resource_pattern} ${row.permission}`,
      );
    };

    it('of the three levels between are shown as EDIT, and EDIT moves versions into Production', async () => {
      const one = await person();
      const id = await modelNamed('levels');
      for (const level of ['EDIT', 'MANAGE_STAGING', 'MANAGE_PRODUCTION'] as const) {
        await grant(app.ctx, { accountId: one.account.id }, { kind: 'registered-model', id }, level);
        expect(await shown(one)).toEqual(['registered_model levels EDIT']);
      }
      await ok(revokeFrom(one, root, 'registered_model', 'levels'));
      await ok(grantTo(one, root, 'registered_model', 'levels', 'EDIT'));
      const native = await ok(as(root, 'GET', '/api/v1/grants?kind=registered-model&name=levels'));
      expect(native.grants.map((each: { level: string }) => each.level)).toContain('MANAGE_PRODUCTION');
    });

    it('on names that begin so are shown with a star, and given so where nothing has the name', async () => {
      const one = await person();
      await modelNamed('team-a');
      await ok(grantTo(one, root, 'registered_model', 'team-*', 'EDIT'));
      expect(await shown(one)).toEqual(['registered_model team-* EDIT']);
      expect(await levelOf(one, 'registered_model', 'team-a')).toBe('EDIT');
      expect(await levelOf(one, 'registered_model', 'levels')).toBe('READ');
      await ok(revokeFrom(one, root, 'registered_model', 'team-*'));
      expect(await shown(one)).toEqual([]);
    });

    it('of runs and logged models open their experiments, those of versions their models', async () => {
      for (const [type, opened] of [
        ['run', 'experiment'],
        ['logged_model', 'experiment'],
        ['registered_model_version', 'registered_model'],
      ] as const) {
        const one = await person();
        await ok(grantTo(one, root, type, '*', 'EDIT'));
        expect(await shown(one)).toEqual([`${type} * EDIT`]);
        expect(await levelOf(one, opened, '*'), type).toBe('EDIT');
        expect(await levelOf(one, opened === 'experiment' ? 'registered_model' : 'experiment', '*')).toBe('READ');
      }
    });

    it('of what this server only keeps are read back, and decide nothing else', async () => {
      const one = await person();
      for (const [type, id] of [
        ['scorer', '0/quality%2Fone'],
        ['gateway_endpoint', 'e-1'],
        ['mcp_server', '*'],
        ['trace', '*'],
        ['prompt', '*'],
      ] as const) {
        await ok(grantTo(one, root, type, id, 'MANAGE'));
        expect(await shown(one)).toContain(`${type} ${id} MANAGE`);
      }
      expect(await levelOf(one, 'gateway_endpoint', 'e-1')).toBe('MANAGE');
      expect(await levelOf(one, 'gateway_endpoint', 'e-2')).toBe('READ');
      expect(await levelOf(one, 'registered_model', '*')).toBe('READ');
      expect(await levelOf(one, 'experiment', '*')).toBe('READ');
      expect(await refused(grantTo(await person(), root, 'prompt', '*', 'DENY'))).toEqual(badly("All prompts can't be denied at once"));
    });

    it('on a prompt by its name are on that model, for every API', async () => {
      const one = await person();
      await modelNamed('a-prompt');
      await ok(grantTo(one, root, 'prompt', 'a-prompt', 'EDIT'));
      expect(await levelOf(one, 'registered_model', 'a-prompt')).toBe('EDIT');
      const native = await ok(as(root, 'GET', '/api/v1/grants?kind=registered-model&name=a-prompt'));
      expect(native.grants).toMatchObject([{ kind: 'prompt', level: 'MANAGE_PRODUCTION', subject: { name: one.account.name } }]);
    });

    it('that several give at once are given once', async () => {
      const one = await person();
      const answers = await Promise.all(['READ', 'EDIT', 'MANAGE', 'USE'].map((level) => grantTo(one, root, 'experiment', '0', level)));
      expect(answers.map((each) => each.status).sort()).toEqual([200, 400, 400, 400]);
      expect(await shown(one)).toHaveLength(1);
    });

    it('that deny take away, until they are revoked', async () => {
      const one = await person();
      await modelNamed('denied');
      await ok(grantTo(one, root, 'registered_model', 'denied', 'DENY'));
      expect((await as(one, 'GET', `${V2}/registered-models/get?name=denied`)).status).toBe(403);
      expect(await levelOf(one, 'registered_model', 'denied')).toBe('NO_PERMISSIONS');
      expect(await ok(as(root, 'GET', `${V2}/users/get?username=${one.account.name}`))).toMatchObject({
        user: { registered_model_permissions: [{ name: 'denied', user_id: one.account.id, permission: 'NO_PERMISSIONS' }] },
      });
      await ok(revokeFrom(one, root, 'registered_model', 'denied'));
      expect((await as(one, 'GET', `${V2}/registered-models/get?name=denied`)).status).toBe(200);
    });

    it('are given by whoever manages the object, and only there', async () => {
      const [owner, guest] = [await person(), await person()];
      const id = await modelNamed('owned');
      await grant(app.ctx, { accountId: owner.account.id }, { kind: 'registered-model', id }, 'MANAGE');
      await ok(grantTo(guest, owner, 'registered_model', 'owned', 'MANAGE'));
      for (const [type, pattern] of [
        ['registered_model', '*'],
        ['registered_model', 'own*'],
        ['registered_model', 'levels'],
        ['registered_model', 'nothing'],
        ['experiment', '0'],
        ['experiment', '4711'],
        ['gateway_secret', 's'],
      ] as const)
        expect(await refused(grantTo(guest, owner, type, pattern, 'READ')), pattern).toEqual(DENIED);
      expect(await refused(grantTo(guest, root, 'registered_model', 'nothing', 'READ'))).toEqual(absent('name=nothing not found'));
      expect(await refused(grantTo(guest, root, 'experiment', 'x', 'READ'))).toEqual(absent('No Experiment with id=x exists'));
      expect(await refused(grantTo(guest, root, 'scorer', 'x', 'READ'))).toEqual(badly('Invalid scorer resource_id'));
      expect(await refused(revokeFrom(guest, root, 'experiment', '0'))).toEqual(absent('not found'));
    });

    it('stay with the object: a model of the same name is another one, and a renamed one the same', async () => {
      const one = await person();
      await modelNamed('first-name');
      await ok(grantTo(one, root, 'registered_model', 'first-name', 'EDIT'));
      await ok(as(root, 'POST', `${V2}/registered-models/rename`, { name: 'first-name', new_name: 'second-name' }));
      expect(await shown(one)).toEqual(['registered_model second-name EDIT']);
      await ok(as(root, 'DELETE', `${V2}/registered-models/delete`, { name: 'second-name' }));
      expect(await shown(one)).toEqual([]);
      await modelNamed('second-name');
      expect(await levelOf(one, 'registered_model', 'second-name')).toBe('READ');
    });

    it('of one workspace are nothing in another', async () => {
      const { name, manager } = await workspaceWithManager();
      const one = await person();
      const inSpace = { 'x-mlflow-workspace': name };
      const body = { username: one.account.name, resource_type: 'experiment', resource_id: '*', permission: 'EDIT' };
      await ok(as(manager, 'POST', `${V3}/users/permissions/grant`, body, inSpace));
      expect(await refused(as(manager, 'POST', `${V3}/users/permissions/grant`, body))).toEqual(DENIED);
      expect(await levelOf(one, 'experiment', '*')).toBe('READ');
      const { permissions } = await ok(as(one, 'GET', `${V3}/users/current/permissions`));
      expect(permissions).toMatchObject([{ workspace: name, resource_pattern: '*', permission: 'EDIT' }]);
      expect((await ok(as(manager, 'GET', `${V3}/users/permissions/list?username=${one.account.name}`))).permissions).toHaveLength(1);
      // Ids are the server's: one of another workspace is none here, and gives nothing there.
      const planted = as(manager, 'POST', `${V3}/users/permissions/grant`, { ...body, resource_id: '0', permission: 'MANAGE' }, inSpace);
      expect(await refused(planted)).toEqual(absent('No Experiment with id=0 exists.'));
      expect(await levelOf(one, 'experiment', '0')).toBe('READ');
      const { access_control_list: list } = await ok(as(root, 'GET', '/api/2.0/permissions/experiments/0'));
      expect(list.map((row: { user_name?: string }) => row.user_name)).not.toContain(one.account.name);
    });
  });

  describe('roles', () => {
    it('are groups of a workspace, managed by whoever manages it', async () => {
      const [here, elsewhere] = [await workspaceWithManager(), await workspaceWithManager()];
      const create = (by: Person, workspace: string, name = 'editors'): Promise<Answer> =>
        as(by, 'POST', `${V3}/roles/create`, { workspace, name, description: 'who edits' });
      const { role } = await ok(create(here.manager, here.name));
      expect(role).toEqual({ id: role.id, name: 'editors', workspace: here.name, description: 'who edits', permissions: [] });
      expect(await refused(create(here.manager, elsewhere.name))).toEqual(DENIED);
      expect(await refused(create(here.manager, 'no-such-place'))).toEqual(DENIED);
      expect(await refused(create(root, 'no-such-place'))).toEqual(absent("Workspace 'no-such-place' not found"));
      expect(await refused(create(root, here.name))).toEqual([400, 'RESOURCE_ALREADY_EXISTS', expect.stringContaining('already exists')]);
      expect(await refused(create(root, here.name, '__user_9__'))).toEqual(badly("reserved '__user_' prefix"));
      expect(await refused(as(elsewhere.manager, 'GET', `${V3}/roles/get?role_id=${role.id}`))).toEqual(DENIED);
      expect(await refused(as(elsewhere.manager, 'DELETE', `${V3}/roles/delete`, { role_id: role.id }))).toEqual(DENIED);
      expect(await refused(as(elsewhere.manager, 'DELETE', `${V3}/roles/delete`, { role_id: 987654 }))).toEqual(DENIED);
      expect(await refused(as(root, 'GET', `${V3}/roles/get?role_id=987654`))).toEqual(absent('Role with id=987654 not found'));
      expect(await refused(as(root, 'GET', `${V3}/roles/get?role_id=x`))).toEqual(badly("'role_id'"));
      const lists = `${V3}/roles/list?workspace=${here.name}`;
      expect((await ok(as(here.manager, 'GET', lists))).roles).toHaveLength(1);
      expect(await refused(as(here.manager, 'GET', `${lists}&workspace=${elsewhere.name}`))).toEqual(DENIED);
      expect(await refused(as(here.manager, 'GET', `${V3}/roles/list`))).toEqual(DENIED);
      expect((await ok(as(root, 'GET', `${lists}&workspace=${elsewhere.name}`))).roles).toHaveLength(1);
    });

    it('hold grants that are changed by their number', async () => {
      const { name, manager } = await workspaceWithManager();
      const other = await workspaceWithManager();
      const { role } = await ok(as(manager, 'POST', `${V3}/roles/create`, { workspace: name, name: 'r' }));
      const add = (by: Person, type: string, pattern: string, permission: string): Promise<Answer> =>
        as(by, 'POST', `${V3}/roles/permissions/add`, {
          role_id: role.id,
          resource_type: type,
          resource_pattern: pattern,
          permission,
        });
      const { role_permission: added } = await ok(add(manager, 'experiment', '*', 'EDIT'));
      expect(added).toEqual({ id: added.id, role_id: role.id, resource_type: 'experiment', resource_pattern: '*', permission: 'EDIT' });
      expect(await refused(add(manager, 'experiment', '*', 'READ'))).toEqual([
        400,
        'RESOURCE_ALREADY_EXISTS',
        expect.stringContaining('already exists'),
      ]);
      expect(await refused(add(manager, 'workspace', '*', 'READ'))).toEqual(badly('Workspace-wide grants accept only'));
      expect(await refused(add(manager, 'workspace', 'x', 'USE'))).toEqual(badly('supports only wildcard'));
      expect(await refused(add(manager, 'registered_model', 'nothing', 'READ'))).toEqual(absent('not found'));
      const update = (by: Person, permission: string, id = added.id): Promise<Answer> =>
        as(by, 'PATCH', `${V3}/roles/permissions/update`, { role_permission_id: id, permission });
      expect(await refused(update(other.manager, 'MANAGE'))).toEqual(DENIED);
      expect(await refused(update(root, 'MANAGE', 987654))).toEqual(absent('Role permission with id=987654 not found'));
      expect((await ok(update(manager, 'MANAGE'))).role_permission.permission).toBe('MANAGE');
      const remove = (by: Person): Promise<Answer> => as(by, 'DELETE', `${V3}/roles/permissions/remove?role_permission_id=${added.id}`);
      expect(await refused(remove(other.manager))).toEqual(DENIED);
      await ok(remove(manager));
      expect((await ok(as(manager, 'GET', `${V3}/roles/permissions/list?role_id=${role.id}`))).role_permissions).toEqual([]);
    });

    it('are seen by those who have them, and by nobody else', async () => {
      const { name, id, manager } = await workspaceWithManager();
      const [member, stranger] = [await person(), await person()];
      const { role } = await ok(as(manager, 'POST', `${V3}/roles/create`, { workspace: name, name: 'r' }));
      await ok(as(manager, 'POST', `${V3}/roles/assign`, { username: member.account.name, role_id: role.id }));
      expect((await ok(as(member, 'GET', `${V3}/roles/get?role_id=${role.id}`))).role.id).toBe(role.id);
      expect(await refused(as(stranger, 'GET', `${V3}/roles/get?role_id=${role.id}`))).toEqual(DENIED);
      expect((await ok(as(member, 'GET', `${V3}/roles/list?workspace=${name}`))).roles).toHaveLength(1);
      expect(await refused(as(stranger, 'GET', `${V3}/roles/list?workspace=${name}`))).toEqual(DENIED);
      expect((await ok(as(member, 'GET', `${V3}/roles/users/list?role_id=${role.id}`))).assignments).toMatchObject([
        { user_id: member.account.id, role_id: role.id },
      ]);
      // A membership that a provider gave is the provider's to take.
      const there = { ...app.ctx, workspace: { id, name } };
      const group = await groups.get(there, role.id);
      await groups.removeMember(there, group, member.account.id);
      await groups.addMember(there, group, member.account, 'provider:corp');
      const unassign = { username: member.account.name, role_id: role.id };
      expect(await refused(as(manager, 'DELETE', `${V3}/roles/unassign`, unassign))).toEqual([
        400,
        'INVALID_STATE',
        expect.stringContaining('identity provider'),
      ]);
    });

    it('of one account alone show its own grants, and can be granted to', async () => {
      const one = await person();
      await ok(
        as(root, 'POST', `${V3}/users/permissions/grant`, {
          username: one.account.name,
          resource_type: 'experiment',
          resource_id: '0',
          permission: 'READ',
        }),
      );
      const [role] = (await ok(as(one, 'GET', `${V3}/users/roles/list?username=${one.account.name}`))).roles;
      expect(role).toMatchObject({ name: `__user_${one.account.id}__`, workspace: 'default' });
      const added = await ok(
        as(root, 'POST', `${V3}/roles/permissions/add`, {
          role_id: role.id,
          resource_type: 'registered_model',
          resource_pattern: '*',
          permission: 'EDIT',
        }),
      );
      expect(added.role_permission.role_id).toBe(role.id);
      expect((await ok(as(one, 'GET', `${V3}/roles/get?role_id=${role.id}`))).role.permissions).toHaveLength(2);
      for (const [method, path, body] of [
        ['DELETE', 'roles/delete', { role_id: role.id }],
        ['PATCH', 'roles/update', { role_id: role.id, name: 'x' }],
        ['POST', 'roles/assign', { role_id: role.id, username: root.account.name }],
      ] as const)
        expect(await refused(as(root, method, `${V3}/${path}`, body)), path).toEqual(badly('what was granted to one account'));
    });

    it('of the whole server are its groups, shown to administrators with a star', async () => {
      const group = await groups.create(app.ctx, { name: 'everywhere', workspaceId: groups.SERVER_WIDE });
      const { manager, name } = await workspaceWithManager();
      const all = (await ok(as(root, 'GET', `${V3}/roles/list`))).roles;
      expect(all.find((role: { id: number }) => role.id === group.id)).toMatchObject({ name: 'everywhere', workspace: '*' });
      const add = { role_id: group.id, resource_type: 'experiment', resource_pattern: '*', permission: 'READ' };
      expect(await refused(as(manager, 'POST', `${V3}/roles/permissions/add`, add))).toEqual(DENIED);
      await ok(as(root, 'POST', `${V3}/roles/permissions/add`, add));
      const one = await person();
      await ok(as(root, 'POST', `${V3}/roles/assign`, { username: one.account.name, role_id: group.id }));
      expect((await as(one, 'GET', `${V2}/experiments/search?max_results=5`, undefined, { 'x-mlflow-workspace': name })).status).toBe(200);
    });
  });

  describe('the twins for browsers', () => {
    it('are served alike', async () => {
      const experiment = await experiments.getExperiment(app.ctx, 0);
      for (const path of [
        '/ajax-api/2.0/mlflow/users/list',
        '/ajax-api/3.0/mlflow/roles/list',
        '/ajax-api/3.0/mlflow/users/current/permissions',
      ])
        await ok(as(root, 'GET', path));
      const query = `experiment_id=${experiment.id}&username=${root.account.name}`;
      expect(await refused(as(root, 'GET', `/ajax-api/2.0/mlflow/experiments/permissions/get?${query}`))).toEqual(absent('not found'));
      expect(await refused(as(await person(), 'GET', `/ajax-api/2.0/mlflow/experiments/permissions/get?${query}`))).toEqual(DENIED);
    });
  });
});
