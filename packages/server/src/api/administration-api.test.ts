/** What administrators do, over real HTTP, through the real gate, on both databases. Every answer is held against its schema. */
import type { Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { ask as askApp } from '../../../../test/support/app.ts';
import { openContext } from '../../../../test/support/context.ts';
import { onBothDatabases } from '../../../../test/support/databases.ts';
import type { Answer } from '../../../../test/support/server.ts';
import * as accounts from '../features/accounts/accounts.ts';
import * as events from '../features/events/events.ts';
import * as groups from '../features/groups/groups.ts';
import * as models from '../features/models/models.ts';
import * as tokens from '../features/tokens/tokens.ts';
import { createGate } from '../gate/gate.ts';
import { type Ctx, transaction } from '../platform/context.ts';
import { openDatabase } from '../platform/db/open.ts';
import { createHttpServer } from '../platform/http/server.ts';
import { apiRoutes } from './api-routes.ts';

const PASSWORD = 'correct horse battery';
const basic = (name: string, password: string): string => `Basic ${Buffer.from(`${name}:${password}`).toString('base64')}`;

onBothDatabases('the administration over the native API', (databaseUrl) => {
  let ctx: Ctx;
  let server: Server;
  let url: string;
  const failures: unknown[] = [];

  beforeAll(async () => {
    const postgres = await databaseUrl();
    ctx = await openContext(postgres === undefined ? {} : { db: await openDatabase({ kind: 'postgres', url: postgres }) });
    const gate = createGate({ base: ctx, onError: (error) => failures.push(error) });
    server = createHttpServer({
      routes: apiRoutes(gate, { checkAnswers: true }),
      guards: [],
      fallback: () => ({ status: 404, body: '{}' }),
      onError: (error) => failures.push(error),
    });
    await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
    url = `http://127.0.0.1:${(server.address() as AddressInfo).port}`; // it listens on TCP
  });

  afterAll(async () => {
    await new Promise((resolve) => server.close(resolve).closeAllConnections());
    await ctx.db.close();
    expect(failures).toEqual([]);
  });

  const as = (authorization: string, method: string, path: string, body?: unknown): Promise<Answer> =>
    askApp({ url }, method, `/api/v1${path}`, { headers: { authorization }, ...(body === undefined ? {} : { body }) });
  const root = (method: string, path: string, body?: unknown): Promise<Answer> => as(basic('root', PASSWORD), method, path, body);
  // biome-ignore lint/suspicious/noExplicitAny: the server holds every answer against its schema
  const ok = async (answer: Promise<Answer>): Promise<any> => {
    const { status, body } = await answer;
    expect([status, body]).toEqual([expect.toBeOneOf([200, 201]), expect.anything()]);
    return body;
  };
  const refused = async (answer: Promise<Answer>): Promise<[number, string]> => {
    const { status, body } = await answer;
    return [status, body.error_code];
  };
  let made = 0;
  /** A user of its own for each test. */
  const addUser = async (prefix = 'user'): Promise<{ name: string; credentials: string }> => {
    const name = `${prefix}-${++made}`;
    await ok(root('POST', '/users', { name, password: PASSWORD, display_name: `Display of ${name}`, email: `${name}@example.org` }));
    return { name, credentials: basic(name, PASSWORD) };
  };

  it('begins with an administrator, and is closed from then on', async () => {
    const open = (method: string, path: string, body?: unknown) => askApp({ url }, method, `/api/v1${path}`, { body });
    expect((await ok(open('GET', '/me'))).principal).toEqual({ id: 0, kind: 'local', name: 'local' });
    expect(await refused(open('POST', '/users', { name: 'root', password: PASSWORD }))).toEqual([400, 'INVALID_STATE']);
    expect(await refused(open('POST', '/users', { name: 'root', password: 'short', is_admin: true }))).toEqual([
      400,
      'INVALID_PARAMETER_VALUE',
    ]);
    const user = await ok(open('POST', '/users', { name: 'root', password: PASSWORD, is_admin: true }));
    expect(user).toMatchObject({ name: 'root', is_admin: true, has_password: true, state: 'active' });
    expect(JSON.stringify(user)).not.toContain(PASSWORD);
    expect((await open('GET', '/users')).status).toBe(401);
    expect(await ok(root('GET', '/me'))).toMatchObject({
      principal: { kind: 'user', name: 'root' },
      workspace: 'default',
      access: { is_admin: true, is_manager: true, level_on_models: 'MANAGE' },
      token: null,
    });
  });

  it('keeps users: paged, described, renamed, found by odd names', async () => {
    const odd = ['a/b', 'Zoë 👩‍🔬', "o'hara%20", 'ﬁle', '日本'];
    for (const name of odd.filter((each) => !each.includes('\u200d'))) {
      await ok(root('POST', '/users', { name }));
      expect((await ok(root('GET', `/users/${encodeURIComponent(name)}`))).name).toBe(name);
    }
    for (const name of ['a:b', ' a', 'a\u0000', 'a\u200d', '', '..', 'x'.repeat(251)])
      expect(await refused(root('POST', '/users', { name })), name).toEqual([400, 'INVALID_PARAMETER_VALUE']);
    expect(await refused(root('POST', '/users', { name: 'a/b' }))).toEqual([400, 'RESOURCE_ALREADY_EXISTS']);
    expect(await refused(root('POST', '/users', { name: 'c', role: 'x' }))).toEqual([400, 'INVALID_PARAMETER_VALUE']);
    const names: string[] = [];
    for (let token: string | null = ''; token !== null; ) {
      const page: { users: { name: string }[]; next_page_token: string | null } = await ok(
        root('GET', `/users?limit=2${token ? `&page_token=${encodeURIComponent(token)}` : ''}`),
      );
      names.push(...page.users.map((each) => each.name));
      token = page.next_page_token;
    }
    expect(names).toEqual(['root', ...odd.filter((each) => !each.includes('\u200d'))]);
    await ok(root('PATCH', '/users/a%2Fb', { name: 'renamed', email: 'a@example.org' }));
    expect(await ok(root('PATCH', '/users/renamed', { display_name: 'A' }))).toMatchObject({ display_name: 'A', email: 'a@example.org' });
    expect(await refused(root('GET', '/users/a%2Fb'))).toEqual([404, 'RESOURCE_DOES_NOT_EXIST']);
    expect(await refused(root('PATCH', '/users/renamed', { name: 'root' }))).toEqual([400, 'RESOURCE_ALREADY_EXISTS']);
  });

  it('lets everybody see and change himself, and nobody else', async () => {
    const { name, credentials } = await addUser();
    expect(await ok(as(credentials, 'GET', '/me'))).toMatchObject({
      principal: { name },
      access: { is_admin: false, level_on_models: 'READ' },
    });
    expect(await ok(as(credentials, 'PATCH', '/me', { display_name: 'Me' }))).toMatchObject({ name, display_name: 'Me' });
    for (const [method, path, body] of [
      ['GET', '/users'],
      ['GET', `/users/${name}`],
      ['POST', '/users', { name: 'x' }],
      ['PUT', `/users/${name}/admin`, { is_admin: true }],
      ['PUT', '/users/root/password', { password: PASSWORD }],
      ['POST', '/users/root/erase', { confirm: 'root' }],
      ['POST', '/groups', { name: 'x' }],
      ['DELETE', '/events/1/texts/name'],
    ] as const)
      expect(await refused(as(credentials, method, path, body)), path).toEqual([403, 'PERMISSION_DENIED']);
    const change = (current_password: string | undefined) =>
      as(credentials, 'PUT', '/me/password', {
        ...(current_password === undefined ? {} : { current_password }),
        password: 'another long one',
      });
    expect(await refused(change(undefined))).toEqual([401, 'UNAUTHENTICATED']);
    expect(await refused(change('wrong password!'))).toEqual([401, 'UNAUTHENTICATED']);
    await ok(change(PASSWORD));
    expect((await as(credentials, 'GET', '/me')).status).toBe(401);
    expect((await as(basic(name, 'another long one'), 'GET', '/me')).status).toBe(200);
  });

  it('ends what somebody is signed in with: browsers by a new password, everything by disabling', async () => {
    const { name, credentials } = await addUser();
    const token = (await ok(as(credentials, 'POST', '/tokens', { name: 't', scopes: ['read'], expires_at: null }))).secret;
    const account = await accounts.getByName(ctx, name);
    const mintSession = async (): Promise<string> =>
      (await tokens.mint(ctx, account, { kind: 'session', name: 'browser', scopes: ['admin'], expiresAt: null })).secret;
    const status = async (headers: Record<string, string>): Promise<number> =>
      (await askApp({ url }, 'GET', '/api/v1/me', { headers })).status;
    let session = await mintSession();
    const states = () => Promise.all([status({ cookie: `countersign_session=${session}` }), status({ authorization: `Bearer ${token}` })]);
    expect(await states()).toEqual([200, 200]);
    await ok(root('PUT', `/users/${name}/password`, { password: 'another long one' }));
    expect(await states()).toEqual([401, 200]);
    session = await mintSession();
    expect(await ok(root('POST', `/users/${name}/disable`, {}))).toMatchObject({ state: 'disabled' });
    expect(await states()).toEqual([401, 401]);
    expect((await as(basic(name, 'another long one'), 'GET', '/me')).status).toBe(401);
    await ok(root('POST', `/users/${name}/enable`, {}));
    expect(await states()).toEqual([401, 200]);
    await ok(root('POST', `/users/${name}/disable`, { revoke_tokens: true }));
    await ok(root('POST', `/users/${name}/enable`, {}));
    expect(await states()).toEqual([401, 401]);
    await ok(root('PUT', `/users/${name}/password`, { password: null }));
    expect((await as(basic(name, 'another long one'), 'GET', '/me')).status).toBe(401);
  });

  it('keeps one administrator who can sign in', async () => {
    for (const [method, path, body] of [
      ['PUT', '/users/root/admin', { is_admin: false }],
      ['POST', '/users/root/disable', {}],
      ['DELETE', '/users/root'],
      ['POST', '/users/root/erase', { confirm: 'root' }],
    ] as const)
      expect(await refused(root(method, path, body)), path).toEqual([400, 'INVALID_STATE']);
    const other = await addUser();
    await ok(root('PUT', `/users/${other.name}/admin`, { is_admin: true }));
    // Each takes the other's office at once: one of them stays.
    const both = await Promise.all([
      root('PUT', `/users/${other.name}/admin`, { is_admin: false }),
      as(other.credentials, 'PUT', '/users/root/admin', { is_admin: false }),
    ]);
    expect(both.map((answer) => answer.status).sort()).toEqual([200, expect.toBeOneOf([400, 403])]);
    const kept = both[0]?.status === 200 ? basic('root', PASSWORD) : other.credentials;
    await ok(as(kept, 'PUT', '/users/root/admin', { is_admin: true }));
    await ok(root('PUT', `/users/${other.name}/admin`, { is_admin: false }));
  });

  it('has service accounts, whose tokens their owner and administrators make', async () => {
    const [owner, stranger] = [await addUser('owner'), await addUser('stranger')];
    const name = `job-${++made}`;
    expect(await ok(root('POST', '/service-accounts', { name, owner: owner.name }))).toMatchObject({ name, owner: { name: owner.name } });
    expect(await refused(root('POST', '/service-accounts', { name: 'other', owner: 'nobody' }))).toEqual([404, 'RESOURCE_DOES_NOT_EXIST']);
    const token = { name: 'nightly', scopes: ['write'], expires_at: null, account: name };
    const { secret, token: shown } = await ok(as(owner.credentials, 'POST', '/tokens', token));
    expect(shown).toMatchObject({ kind: 'service', account: { name }, hint: secret.slice(0, 10) });
    expect((await ok(as(`Bearer ${secret}`, 'GET', '/me'))).token).toEqual({ scopes: ['write'] });
    await ok(root('POST', '/tokens', token));
    expect(await refused(as(stranger.credentials, 'POST', '/tokens', token))).toEqual([403, 'PERMISSION_DENIED']);
    expect(await refused(as(stranger.credentials, 'GET', `/tokens?account=${name}`))).toEqual([403, 'PERMISSION_DENIED']);
    expect(await refused(as(stranger.credentials, 'DELETE', `/tokens/${shown.id}`))).toEqual([403, 'PERMISSION_DENIED']);
    expect(await refused(as(stranger.credentials, 'GET', `/service-accounts/${name}`))).toEqual([404, 'RESOURCE_DOES_NOT_EXIST']);
    expect((await ok(as(stranger.credentials, 'GET', '/service-accounts'))).service_accounts).toEqual([]);
    expect((await ok(as(owner.credentials, 'GET', '/service-accounts'))).service_accounts).toHaveLength(1);
    expect(await refused(root('DELETE', `/users/${owner.name}`))).toEqual([400, 'INVALID_STATE']);
    await ok(root('PATCH', `/service-accounts/${name}`, { owner: stranger.name, display_name: 'Job' }));
    expect(await refused(as(owner.credentials, 'DELETE', `/tokens/${shown.id}`))).toEqual([403, 'PERMISSION_DENIED']);
    await ok(root('DELETE', `/users/${owner.name}`));
    await ok(as(stranger.credentials, 'DELETE', `/tokens/${shown.id}`));
    expect((await as(`Bearer ${secret}`, 'GET', '/me')).status).toBe(401);
    await ok(root('DELETE', `/service-accounts/${name}`));
    expect(await refused(root('GET', `/service-accounts/${name}`))).toEqual([404, 'RESOURCE_DOES_NOT_EXIST']);
  });

  it('shows a token once, and gives it no more than it was made with', async () => {
    const { name, credentials } = await addUser();
    const mint = (by: string, scopes: readonly string[], more: object = {}) =>
      as(by, 'POST', '/tokens', { name: 'laptop', scopes, expires_at: null, ...more });
    const { secret, token } = await ok(mint(credentials, ['admin']));
    const listed = await ok(as(credentials, 'GET', '/tokens'));
    expect(listed.tokens).toEqual([token]);
    expect(JSON.stringify(listed)).not.toContain(secret);
    await ok(mint(`Bearer ${secret}`, ['read', 'run:0123', 'check:tests']));
    const writer = (await ok(mint(credentials, ['write', 'check:tests']))).secret;
    expect((await ok(as(`Bearer ${writer}`, 'GET', '/me'))).token).toEqual({ scopes: ['write', 'check:tests'] });
    const ofOneRun = (await ok(mint(credentials, ['run:0123']))).secret;
    expect((await ok(as(`Bearer ${ofOneRun}`, 'GET', '/me'))).token).toEqual({ scopes: ['run:0123'] });
    expect(await refused(as(`Bearer ${ofOneRun}`, 'GET', '/tokens'))).toEqual([403, 'PERMISSION_DENIED']);
    for (const scopes of [['read'], ['admin']]) expect(await refused(mint(`Bearer ${writer}`, scopes))).toEqual([403, 'PERMISSION_DENIED']);
    for (const scopes of [[], ['everything'], ['run:'], ['read '], Array.from({ length: 51 }, () => 'read')])
      expect(await refused(mint(credentials, scopes)), String(scopes)).toEqual([400, 'INVALID_PARAMETER_VALUE']);
    expect(await refused(mint(credentials, ['read'], { expires_at: 1 }))).toEqual([400, 'INVALID_PARAMETER_VALUE']);
    // An administrator sees and revokes it, and makes none that would act as somebody else.
    expect((await ok(root('GET', `/tokens?account=${name}`))).tokens).toHaveLength(4);
    expect(await refused(mint(basic('root', PASSWORD), ['read'], { account: name }))).toEqual([403, 'PERMISSION_DENIED']);
    await ok(root('DELETE', `/tokens/${token.id}`));
    await ok(root('DELETE', `/tokens/${token.id}`));
    expect((await as(`Bearer ${secret}`, 'GET', '/me')).status).toBe(401);
    expect(await refused(root('DELETE', '/tokens/999999'))).toEqual([404, 'RESOURCE_DOES_NOT_EXIST']);
    expect(await refused(as(credentials, 'DELETE', '/tokens/999999'))).toEqual([403, 'PERMISSION_DENIED']);
  });

  it('has groups, and says what makes somebody a member', async () => {
    const [first, second] = [await addUser(), await addUser()];
    const name = `group/${++made}`;
    const path = `/groups/${encodeURIComponent(name)}`;
    await ok(root('POST', '/groups', { name, description: 'for tests' }));
    expect(await refused(root('POST', '/groups', { name }))).toEqual([400, 'RESOURCE_ALREADY_EXISTS']);
    for (const member of [first, second]) await ok(root('PUT', `${path}/members/${member.name}`, {}));
    const group = await groups.getByName(ctx, name);
    await groups.addMember(ctx, group, await accounts.getByName(ctx, second.name), 'provider:1');
    const page = await ok(root('GET', `${path}/members?limit=1`));
    expect(page.members).toMatchObject([{ account: { name: first.name }, sources: ['direct'] }]);
    const rest = await ok(root('GET', `${path}/members?limit=1&page_token=${encodeURIComponent(page.next_page_token)}`));
    expect(rest).toMatchObject({ members: [{ account: { name: second.name }, sources: ['direct', 'provider:1'] }], next_page_token: null });
    expect((await ok(as(first.credentials, 'GET', '/me'))).groups).toEqual([name]);
    await ok(root('DELETE', `${path}/members/${first.name}`));
    await ok(root('DELETE', `${path}/members/${second.name}`));
    expect(await refused(root('DELETE', `${path}/members/${second.name}`))).toEqual([400, 'INVALID_STATE']);
    expect(await refused(root('DELETE', `${path}/members/${first.name}`))).toEqual([404, 'RESOURCE_DOES_NOT_EXIST']);
    expect(await ok(root('PATCH', path, { name: `${name}-2`, description: null }))).toMatchObject({ name: `${name}-2`, description: null });
    expect((await ok(root('GET', '/groups'))).groups).toHaveLength(1);
    await ok(root('DELETE', `${path}-2`));
    expect((await ok(root('GET', '/groups'))).groups).toEqual([]);
  });

  describe('grants', () => {
    it('are given on an object by whoever manages it, on more by managers, everywhere by administrators', async () => {
      const [manager, other] = [await addUser('manager'), await addUser('other')];
      const model = `m-${++made}`;
      await ok(root('POST', '/models', { name: model }));
      await ok(root('POST', '/groups', { name: `g-${made}` }));
      const to = (level: string, on: object, subject: object = { subject_kind: 'user', subject: other.name }) => ({
        ...subject,
        ...on,
        level,
      });
      const onModel = { kind: 'registered-model', name: model };
      const inGroup = { subject_kind: 'group', subject: `g-${made}` };
      const give = (by: string, body: object) => as(by, 'PUT', '/grants', body);
      expect(await refused(give(manager.credentials, to('READ', onModel)))).toEqual([403, 'PERMISSION_DENIED']);
      const own = await ok(root('PUT', '/grants', { subject_kind: 'user', subject: manager.name, ...onModel, level: 'MANAGE' }));
      expect(own).toMatchObject({
        workspace: 'default',
        name: model,
        prefix: null,
        level: 'MANAGE',
        subject: { kind: 'user', name: manager.name },
      });
      const given = await ok(give(manager.credentials, to('EDIT', onModel)));
      expect(await ok(give(manager.credentials, to('USE', onModel)))).toMatchObject({ id: given.id, level: 'USE' });
      await ok(give(manager.credentials, to('DENY', onModel, inGroup)));
      for (const on of [
        { kind: 'registered-model' },
        { kind: 'registered-model', prefix: 'm-' },
        { kind: 'experiment' },
        { kind: 'workspace' },
      ])
        expect(await refused(give(manager.credentials, to('READ', on))), JSON.stringify(on)).toEqual([403, 'PERMISSION_DENIED']);
      await ok(root('PUT', '/grants', { subject_kind: 'user', subject: manager.name, kind: 'workspace', level: 'MANAGE' }));
      for (const on of [
        { kind: 'registered-model' },
        { kind: 'registered-model', prefix: 'm-' },
        { kind: 'experiment' },
        { kind: 'workspace' },
      ])
        await ok(give(manager.credentials, to('READ', on)));
      expect(await refused(give(manager.credentials, to('READ', { kind: 'experiment', everywhere: true })))).toEqual([
        403,
        'PERMISSION_DENIED',
      ]);
      expect(await ok(root('PUT', '/grants', to('READ', { kind: 'experiment', everywhere: true })))).toMatchObject({ workspace: null });
      for (const [body, code] of [
        [to('READ', { kind: 'registered-model', name: 'absent' }), 404],
        [to('READ', onModel, { subject_kind: 'group', subject: 'absent' }), 404],
        [to('READ', onModel, { subject_kind: 'service-account', subject: other.name }), 404],
        [to('OWN', onModel), 400],
        [to('READ', { ...onModel, prefix: 'm' }), 400],
        [to('READ', { kind: 'workspace', name: model }), 400],
        [to('READ', { ...onModel, everywhere: true }), 400],
        [to('READ', { kind: 'registered-model', prefix: '' }), 400],
      ] as const)
        expect((await root('PUT', '/grants', body)).status, JSON.stringify(body)).toBe(code);
      const onObject = await ok(as(manager.credentials, 'GET', `/grants?kind=registered-model&name=${model}`));
      expect(onObject.grants.map((each: { level: string }) => each.level).sort()).toEqual(['DENY', 'MANAGE', 'MANAGE', 'USE']);
      const inherited = await ok(as(manager.credentials, 'GET', `/grants?kind=registered-model&name=${model}&inherited=true`));
      expect(inherited.grants).toHaveLength(8);
      const halves = await ok(as(manager.credentials, 'GET', `/grants?kind=registered-model&name=${model}&inherited=true&limit=4`));
      const rest = await ok(
        as(
          manager.credentials,
          'GET',
          `/grants?kind=registered-model&name=${model}&inherited=true&page_token=${encodeURIComponent(halves.next_page_token)}`,
        ),
      );
      expect([...halves.grants, ...rest.grants]).toEqual(inherited.grants);
      const ofSelf = await ok(as(other.credentials, 'GET', `/grants?subject_kind=user&subject=${other.name}`));
      expect(ofSelf.grants.map((each: { kind: string }) => each.kind)).toHaveLength(6);
      expect(await refused(as(other.credentials, 'GET', `/grants?subject_kind=user&subject=${manager.name}`))).toEqual([
        403,
        'PERMISSION_DENIED',
      ]);
      expect(await refused(as(other.credentials, 'GET', '/grants'))).toEqual([403, 'PERMISSION_DENIED']);
      expect((await ok(as(manager.credentials, 'GET', '/grants?limit=2'))).next_page_token).not.toBeNull();
      expect((await ok(root('GET', '/grants?everywhere=true'))).grants).toHaveLength(1);
      expect(await refused(root('GET', '/grants?kind=registered-model'))).toEqual([400, 'INVALID_PARAMETER_VALUE']);
      // Whoever couldn't have given it learns nothing of it.
      const unknown = await as(other.credentials, 'DELETE', '/grants/999999');
      const known = await as(other.credentials, 'DELETE', `/grants/${own.id}`);
      expect([unknown.status, known.status]).toEqual([403, 403]);
      expect(known.body.message.replace(`grant ${own.id} `, 'grant N ')).toBe(unknown.body.message.replace('grant 999999 ', 'grant N '));
      await ok(as(manager.credentials, 'DELETE', `/grants/${given.id}`));
      expect(await refused(as(manager.credentials, 'DELETE', `/grants/${given.id}`))).toEqual([404, 'RESOURCE_DOES_NOT_EXIST']);
    });

    it('stay in their workspace, which strangers don’t learn of', async () => {
      const [manager, other] = [await addUser('manager'), await addUser('other')];
      const workspace = `team-${++made}`;
      await ok(root('POST', '/workspaces', { name: workspace }));
      const there = (by: string, method: string, path: string, body?: unknown): Promise<Answer> =>
        askApp({ url }, method, `/api/v1${path}`, {
          headers: { authorization: by, 'x-mlflow-workspace': workspace },
          ...(body === undefined ? {} : { body }),
        });
      const grant = { subject_kind: 'user', subject: other.name, kind: 'workspace', level: 'USE' };
      for (const [method, path, body] of [
        ['GET', '/me'],
        ['GET', '/grants'],
        ['PUT', '/grants', grant],
        ['GET', `/grants?subject_kind=user&subject=${manager.name}`],
      ] as const)
        expect(await refused(there(manager.credentials, method, path, body)), path).toEqual([404, 'RESOURCE_DOES_NOT_EXIST']);
      await ok(there(basic('root', PASSWORD), 'PUT', '/grants', { ...grant, subject: manager.name, level: 'MANAGE' }));
      expect(await ok(there(manager.credentials, 'GET', '/me'))).toMatchObject({
        workspace,
        access: { is_manager: true, is_admin: false },
      });
      const given = await ok(there(manager.credentials, 'PUT', '/grants', grant));
      expect(given.workspace).toBe(workspace);
      expect(await ok(there(other.credentials, 'GET', '/me'))).toMatchObject({ access: { may_create: true, level_on_models: null } });
      // The manager of one workspace is nobody in another.
      expect(await refused(as(manager.credentials, 'PUT', '/grants', grant))).toEqual([403, 'PERMISSION_DENIED']);
      expect(await refused(as(manager.credentials, 'DELETE', `/grants/${given.id}`))).toEqual([403, 'PERMISSION_DENIED']);
      expect(await refused(root('DELETE', `/grants/${given.id}`))).toEqual([404, 'RESOURCE_DOES_NOT_EXIST']);
      expect((await ok(there(manager.credentials, 'GET', '/grants'))).grants).toHaveLength(2);
      const page = await ok(there(manager.credentials, 'GET', `/grants?subject_kind=user&subject=${other.name}&limit=1`));
      expect(page).toMatchObject({ grants: [{ id: given.id }], next_page_token: null });
      await ok(there(manager.credentials, 'DELETE', `/grants/${given.id}`));
      expect(await refused(there(other.credentials, 'GET', '/me'))).toEqual([404, 'RESOURCE_DOES_NOT_EXIST']);
    });

    it('on what isn’t there are refused as on what may not be managed', async () => {
      const { name, credentials } = await addUser();
      const hidden = `hidden-${++made}`;
      await ok(root('POST', '/models', { name: hidden }));
      const give = async (model: string) => {
        const body = { subject_kind: 'user', subject: name, kind: 'registered-model', name: model, level: 'READ' };
        const answer = await as(credentials, 'PUT', '/grants', body);
        return [answer.status, answer.body.message.replaceAll(model, 'X')];
      };
      expect(await give(hidden)).toEqual(await give('absent-model'));
    });
  });

  describe('erasure', () => {
    const chainIsWhole = async (): Promise<void> => expect(await events.verifyChain(ctx.db)).toMatchObject({ ok: true });
    const everything = async (): Promise<string> => {
      const { events: all } = await ok(root('GET', '/events?limit=1000'));
      const tables = await Promise.all([
        accounts.list(ctx, { kind: undefined, afterId: 0, limit: 1000 }),
        ctx.db.all('SELECT name, display_name, email FROM principals'),
        ctx.db.all('SELECT name FROM tokens'),
        ctx.db.all('SELECT text FROM event_texts'),
      ]);
      return JSON.stringify([all, tables]);
    };

    it('takes a person out of everything that says who it was, and leaves the chain whole', async () => {
      const { name, credentials } = await addUser('person');
      await ok(as(credentials, 'POST', '/tokens', { name: `laptop of ${name}`, scopes: ['read'], expires_at: null }));
      await ok(root('PATCH', `/users/${name}`, { display_name: `Later of ${name}` }));
      await models.create(ctx, { name: `kept-${name.length}-${made}`, description: 'kept', tags: [] });
      expect(await everything()).toContain(name);
      expect(await refused(root('POST', `/users/${name}/erase`, { confirm: 'other' }))).toEqual([400, 'INVALID_PARAMETER_VALUE']);
      const erased = await ok(root('POST', `/users/${name}/erase`, { confirm: name }));
      expect(erased).toEqual({ id: expect.any(Number), name: `erased-${erased.id}`, erased_texts: 7 });
      expect(await everything()).not.toContain(name);
      expect((await as(credentials, 'GET', '/me')).status).toBe(401);
      await chainIsWhole();
      const { events: latest } = await ok(root('GET', '/events?limit=1'));
      expect(latest).toMatchObject([{ type: 'account.erased', data: { account_id: erased.id }, texts: {} }]);
    });

    it('finds somebody who was deleted before, and asks which where several had the name', async () => {
      const first = await addUser('gone');
      await ok(root('DELETE', `/users/${first.name}`));
      await ok(root('POST', '/users', { name: first.name }));
      const ambiguous = await root('POST', `/users/${first.name}/erase`, { confirm: first.name });
      expect([ambiguous.status, ambiguous.body.message]).toEqual([400, expect.stringContaining("Choose one by 'id'")]);
      const ids = [...ambiguous.body.message.matchAll(/(\d+) \(/g)].map((match) => Number(match[1]));
      for (const id of ids) await ok(root('POST', `/users/${first.name}/erase`, { confirm: first.name, id }));
      expect(await everything()).not.toContain(first.name);
      expect(await refused(root('POST', `/users/${first.name}/erase`, { confirm: first.name }))).toEqual([404, 'RESOURCE_DOES_NOT_EXIST']);
      await chainIsWhole();
    });

    it('takes one text from beside an event, once', async () => {
      const name = `texts-${++made}`;
      await ok(root('POST', '/models', { name, description: 'a secret slipped in', tags: [{ key: 'a/b', value: 'v' }] }));
      const { events: recorded } = await ok(root('GET', `/models/${name}/events`));
      const event = recorded.find((each: { texts: object }) => 'description' in each.texts);
      const erase = (field: string, seq = event.seq) => root('DELETE', `/events/${seq}/texts/${encodeURIComponent(field)}`);
      for (const field of Object.keys(event.texts)) await ok(erase(field));
      await ok(erase('description'));
      const after = (await ok(root('GET', `/models/${name}/events`))).events.find((each: { seq: number }) => each.seq === event.seq);
      expect(Object.values(after.texts).every((text) => text === null)).toBe(true);
      expect(after.body).toBe(event.body);
      const { events: latest } = await ok(root('GET', '/events?limit=100'));
      const erasures = latest.filter(
        (each: { type: string; data: { seq: number } }) => each.type === 'event.text-erased' && each.data.seq === event.seq,
      );
      expect(erasures).toHaveLength(Object.keys(event.texts).length);
      expect(await refused(erase('nothing'))).toEqual([404, 'RESOURCE_DOES_NOT_EXIST']);
      expect(await refused(erase('description', 999_999))).toEqual([404, 'RESOURCE_DOES_NOT_EXIST']);
      await chainIsWhole();
    });
  });

  it('changes an account, its tokens, memberships and grants together or not at all', async () => {
    const { name } = await addUser();
    const account = await accounts.getByName(ctx, name);
    const head = await events.lastSeqAt(ctx.db, Date.now());
    await expect(
      transaction(ctx, async (inner) => {
        const { removeAccount } = await import('../features/administration/administration.ts');
        await removeAccount(inner, account);
        throw new Error('the disk is gone');
      }),
    ).rejects.toThrow('the disk is gone');
    expect((await accounts.getByName(ctx, name)).state).toBe('active');
    expect(await events.lastSeqAt(ctx.db, Date.now())).toBe(head);
  });
});
