/** Single sign-on from end to end: a real OpenID Connect provider, the whole application, a browser without windows. */
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import * as accounts from '@countersign/server/features/accounts/accounts.ts';
import { verifyChain } from '@countersign/server/features/events/events.ts';
import * as groups from '@countersign/server/features/groups/groups.ts';
import { PostgresDatabase } from '@countersign/server/platform/db/postgres.ts';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { addUser, ask, openApp, type Person, type RunningApp } from '../support/app.ts';
import { Browser } from '../support/browser.ts';
import { onBothDatabases } from '../support/databases.ts';
import { CLIENT, PUBLIC_CLIENT, startIdentityProvider, type TestIdentityProvider } from '../support/identity-provider.ts';
import { secretBox } from '../support/master-keys.ts';

onBothDatabases('single sign-on', (databaseUrl) => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-sign-in-'));
  let app: RunningApp;
  let provider: TestIdentityProvider;
  let root: Person;
  /** On the same database, where that has several. */
  let replica: RunningApp | undefined;

  beforeAll(async () => {
    const url = await databaseUrl();
    const open = () =>
      openApp({
        ...(url === undefined ? {} : { db: new PostgresDatabase(url) }),
        webhooks: {
          secrets: secretBox(join(folder, 'master.key')),
          urls: { schemes: ['https'], allowPrivate: false },
          timeoutMs: 1000,
          retriesMax: 0,
        },
      });
    app = await open();
    if (url !== undefined) replica = await open();
    provider = await startIdentityProvider({ redirectUri: `${app.url}/login/callback`, claimsInToken: url === undefined });
    await addProviderToOpenServer();
    root = await addUser(app.ctx, 'root', { isAdmin: true, password: 'correct horse battery' });
  });

  afterAll(async () => {
    await replica?.close();
    await app.close();
    await provider.close();
    rmSync(folder, { recursive: true });
  });

  /** Nobody becomes the first account by signing in: it would not administer, and nobody would. */
  async function addProviderToOpenServer(): Promise<void> {
    const body = { name: 'early', issuer: provider.issuer, client_id: CLIENT.id, client_secret: CLIENT.secret };
    expect((await ask(app, 'POST', '/api/v1/identity-providers', { body })).status).toBe(201);
    const browser = new Browser();
    expect((await browser.visit(`${app.url}/login`)).text).toContain('Sign in with early');
    provider.people.set('s-early', { preferred_username: 'early-bird' });
    provider.subject = 's-early';
    const visit = await browser.visit(`${app.url}/login/start?provider=early`);
    expect([visit.status, visit.text]).toEqual([400, expect.stringContaining('The first account must be an administrator')]);
    expect(await accounts.hasAccounts(app.ctx.db)).toBe(false);
    expect((await ask(app, 'DELETE', '/api/v1/identity-providers/early')).status).toBe(200);
  }

  const asRoot = (method: string, path: string, body?: unknown) => ask(app, method, path, { as: root.secret, body });

  async function signIn(subject: string, browser = new Browser()) {
    provider.subject = subject;
    const visit = await browser.visit(`${app.url}/login/start?provider=corp`);
    return { visit, browser };
  }

  async function groupsOf(name: string): Promise<string[]> {
    return (await groups.listOf(app.ctx, (await accounts.getByName(app.ctx, name)).id)).map((each) => each.name);
  }

  it('an administrator adds the provider; its secret is never shown and not stored in the clear', async () => {
    await groups.create(app.ctx, { name: 'ml-engineers', workspaceId: groups.SERVER_WIDE });
    await groups.create(app.ctx, { name: 'approvers', workspaceId: groups.SERVER_WIDE });
    const wrong = await asRoot('POST', '/api/v1/identity-providers', { name: 'corp', issuer: `${provider.issuer}/`, client_id: CLIENT.id });
    expect([wrong.status, wrong.body.message]).toEqual([400, expect.stringContaining('calls itself')]);
    const added = await asRoot('POST', '/api/v1/identity-providers', {
      name: 'corp',
      issuer: provider.issuer,
      client_id: CLIENT.id,
      client_secret: CLIENT.secret,
      scopes: ['openid', 'profile', 'email', 'groups'],
      groups: [
        { value: 'engineering', group: 'ml-engineers' },
        { value: 'leads', group: 'approvers' },
      ],
    });
    expect(added.status, JSON.stringify(added.body)).toBe(201);
    expect(added.body).toMatchObject({ name: 'corp', has_client_secret: true, name_claim: 'preferred_username', groups_claim: 'groups' });
    const { body } = await asRoot('GET', '/api/v1/identity-providers');
    expect(JSON.stringify(body)).not.toContain(CLIENT.secret);
    const stored = await app.ctx.db.one<{ client_secret: Uint8Array }>(
      'SELECT client_secret FROM identity_providers WHERE removed_at IS NULL',
    );
    expect(Buffer.from(stored?.client_secret ?? []).toString('latin1')).not.toContain(CLIENT.secret);
  });

  it('providers are an administrator’s business', async () => {
    const { secret } = await addUser(app.ctx, 'nobody-special');
    expect((await ask(app, 'GET', '/api/v1/identity-providers', { as: secret })).status).toBe(403);
    expect((await ask(app, 'GET', '/api/v1/identity-providers')).status).toBe(401);
  });

  it('a new person gets an account, groups by the claims, a session, and makes a token that MLflow’s client uses', async () => {
    provider.people.set('s-ada', {
      preferred_username: 'ada',
      name: 'Ada L.',
      email: 'ada@corp.example',
      groups: ['engineering', 'leads', 'unheard-of'],
    });
    const { visit, browser } = await signIn('s-ada');
    expect(visit.status, visit.text).toBe(200);
    expect(visit.url).toBe(`${app.url}/account`);
    expect(visit.text).toContain('Ada L.');
    expect(visit.headers.get('content-security-policy')).toContain("default-src 'none'");
    expect(browser.attributesOf('countersign_session')).toMatch(/HttpOnly; SameSite=Lax$/);
    expect((await groupsOf('ada')).sort()).toEqual(['approvers', 'ml-engineers']);

    const made = await browser.submit(`${app.url}/account/tokens`, { name: 'my <laptop>', scope: 'write', days: '30' });
    expect(made.status).toBe(200);
    const token = /csk_[\w-]{43}/.exec(made.text)?.[0];
    const search = await ask(app, 'GET', '/api/2.0/mlflow/experiments/search?max_results=1', { as: token });
    expect(search.status).toBe(200);
    const page = await browser.visit(`${app.url}/account`);
    expect(page.text).toContain('my &lt;laptop&gt;');
    expect(page.text).not.toContain(token);

    const id = /name="id" value="(\d+)"/.exec(page.text)?.[1] ?? '';
    const foreign = await browser.submit(`${app.url}/account/tokens/revoke`, { id }, 'http://127.0.0.1:1');
    expect(foreign.status).toBe(403);
    await browser.submit(`${app.url}/account/tokens/revoke`, { id });
    expect((await ask(app, 'GET', '/api/2.0/mlflow/experiments/search?max_results=1', { as: token })).status).toBe(401);
  });

  it('groups that the claims no longer name are left at the next sign-in, as events, and direct ones stay', async () => {
    await groups.addMember(app.ctx, await groups.getByName(app.ctx, 'approvers'), await accounts.getByName(app.ctx, 'ada'));
    provider.people.set('s-ada', { preferred_username: 'someone-else', groups: [] });
    await signIn('s-ada');
    expect(await groupsOf('ada')).toEqual(['approvers']);
    await groups.removeMember(
      app.ctx,
      await groups.getByName(app.ctx, 'approvers'),
      (await accounts.getByName(app.ctx, 'ada')).id,
      groups.DIRECT,
    );
    expect(await groupsOf('ada')).toEqual([]);
    const { body } = await asRoot('GET', '/api/v1/events?limit=50');
    const left = body.events.filter((event: { type: string }) => event.type === 'group.member-removed');
    expect(left.map((event: { data: { source: string } }) => event.data.source)).toContain('provider:2');
    expect(await accounts.findByName(app.ctx, 'someone-else')).toBeUndefined();
  });

  it('a name that a local account has leads to no account until an administrator links it', async () => {
    await addUser(app.ctx, 'grace', { password: 'a password of twelve' });
    provider.people.set('s-grace', { preferred_username: 'grace', groups: ['leads'] });
    const { visit, browser } = await signIn('s-grace');
    expect(visit.status).toBe(401);
    expect(visit.text).toContain('countersign provider link corp --user NAME --subject &#39;s-grace&#39;');
    expect(browser.cookie('countersign_session')).toBeUndefined();
    expect(await groupsOf('grace')).toEqual([]);

    const linked = await asRoot('POST', '/api/v1/identity-providers/corp/identities', { user: 'grace', subject: 's-grace' });
    expect(linked.status).toBe(201);
    const again = await signIn('s-grace');
    expect(again.visit.text).toContain('<code>grace</code>');
    expect(await groupsOf('grace')).toEqual(['approvers']);
    const { body } = await asRoot('GET', '/api/v1/identity-providers/corp/identities');
    expect(body.identities.map((each: { account: { name: string } }) => each.account.name)).toEqual(['ada', 'grace']);
  });

  it('an answer that is replayed, of no known attempt, or in another browser lets nobody in', async () => {
    const browser = new Browser();
    provider.subject = 's-ada';
    const isBack = (next: string): boolean => next.startsWith(`${app.url}/login/callback`);
    const { hops } = await browser.visit(`${app.url}/login/start?provider=corp`, isBack);
    const back = hops.at(-1) ?? '';
    expect((await new Browser().visit(back)).status).toBe(401);
    expect((await browser.visit(back.replace(/state=[^&]+/, 'state=guessed'))).status).toBe(401);
    expect((await browser.visit(back)).url).toBe(`${app.url}/account`);
    browser.forget('countersign_session');
    const replayed = await browser.visit(back);
    expect(replayed.status).toBe(401);
    expect(replayed.text).toContain('used already');
    expect(browser.cookie('countersign_session')).toBeUndefined();
  });

  it('an attempt ends after ten minutes, and a session after twelve hours', async () => {
    const browser = new Browser();
    const isBack = (next: string): boolean => next.startsWith(`${app.url}/login/callback`);
    const { hops } = await browser.visit(`${app.url}/login/start?provider=corp`, isBack);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 10 * 60_000 + 1000 });
    try {
      expect((await browser.visit(hops.at(-1) ?? '')).text).toContain('took too long');
    } finally {
      vi.useRealTimers();
    }
    await signIn('s-ada', browser);
    expect((await browser.visit(`${app.url}/account`)).url).toBe(`${app.url}/account`);
    vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + 12 * 3_600_000 + 1000 });
    try {
      expect((await browser.visit(`${app.url}/account`)).url).toContain('/login');
    } finally {
      vi.useRealTimers();
    }
  });

  it('a code of another flow is refused: wrong nonce, wrong verifier', async () => {
    for (const [name, value] of [
      ['nonce', 'another-nonce'],
      ['code_challenge', 'E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM'],
    ] as const) {
      const browser = new Browser();
      const begun = await browser.visit(`${app.url}/login/start?provider=corp`, () => true);
      const url = new URL(begun.hops[0] ?? '');
      expect(url.searchParams.get('code_challenge_method')).toBe('S256');
      url.searchParams.set(name, value);
      const visit = await browser.visit(url.href);
      expect([visit.status, visit.url.startsWith(`${app.url}/login/callback`)], name).toEqual([401, true]);
      expect(browser.cookie('countersign_session')).toBeUndefined();
    }
  });

  it('signing out ends the session at once, also for whoever kept the cookie', async () => {
    const { browser } = await signIn('s-ada');
    const cookie = browser.cookie('countersign_session') ?? '';
    const asCookie = () => ask(app, 'GET', '/api/v1/me', { headers: { cookie: `countersign_session=${cookie}` } });
    expect((await asCookie()).status).toBe(200);
    expect((await browser.submit(`${app.url}/logout`, {}, 'https://evil.example')).status).toBe(403);
    expect((await asCookie()).status).toBe(200);
    const left = await browser.submit(`${app.url}/logout`, {});
    expect(left.url).toBe(`${app.url}/login`);
    expect((await asCookie()).status).toBe(401);
    expect((await browser.visit(`${app.url}/account`)).url).toContain('/login?next=/account');
  });

  it('a disabled person gets no session', async () => {
    const grace = await accounts.getByName(app.ctx, 'grace');
    await accounts.setState(app.ctx, grace, 'disabled');
    expect((await signIn('s-grace')).visit.status).toBe(401);
    await accounts.setState(app.ctx, { ...grace, state: 'disabled' }, 'active');
  });

  it('a password signs in too; an unknown name and a wrong password are answered alike', async () => {
    const browser = new Browser();
    const page = await browser.visit(`${app.url}/login`);
    expect(page.text).toContain('Sign in with corp');
    expect(page.text).toContain('type="password"');
    const wrong = await browser.submit(`${app.url}/login`, { name: 'grace', password: 'not the password', next: '/account' });
    const unknown = await browser.submit(`${app.url}/login`, { name: 'no-such-person', password: 'not the password', next: '/account' });
    expect([wrong.status, unknown.status]).toEqual([401, 401]);
    expect(wrong.text).toBe(unknown.text);
    const foreign = await browser.submit(`${app.url}/login`, { name: 'grace', password: 'a password of twelve' }, 'http://localhost:1');
    expect(foreign.status).toBe(403);
    const elsewhere = await browser.submit(`${app.url}/login`, {
      name: 'grace',
      password: 'a password of twelve',
      next: '//evil.example/',
    });
    expect(elsewhere.url).toBe(`${app.url}/account`);
    expect(browser.cookie('countersign_session')).toMatch(/^csk_/);
  });

  it('what a provider asks and gives can be changed: verified addresses, no new accounts', async () => {
    provider.people.set('s-new', { preferred_username: 'newcomer', email: 'new@corp.example', email_verified: false });
    await asRoot('PATCH', '/api/v1/identity-providers/corp', { asks_verified_email: true });
    const unverified = await signIn('s-new');
    expect(unverified.visit.text).toContain('verified');
    provider.people.set('s-new', { preferred_username: 'newcomer', email: 'new@corp.example', email_verified: true });
    await asRoot('PATCH', '/api/v1/identity-providers/corp', { creates_accounts: false });
    const unknown = await signIn('s-new');
    expect([unknown.visit.status, unknown.visit.text]).toEqual([401, expect.stringContaining('no account here')]);
    expect(await accounts.findByName(app.ctx, 'newcomer')).toBeUndefined();
    await asRoot('PATCH', '/api/v1/identity-providers/corp', { creates_accounts: true });
    expect((await signIn('s-new')).visit.url).toBe(`${app.url}/account`);
    await asRoot('PATCH', '/api/v1/identity-providers/corp', { asks_verified_email: false });
  });

  it('a client without secret is kept by PKCE alone, and a wrong secret lets nobody in', async () => {
    const body = { name: 'public', issuer: provider.issuer, client_id: PUBLIC_CLIENT, scopes: ['openid', 'profile', 'groups'] };
    expect((await asRoot('POST', '/api/v1/identity-providers', body)).body).toMatchObject({ has_client_secret: false });
    provider.subject = 's-ada';
    expect((await new Browser().visit(`${app.url}/login/start?provider=public`)).url).toBe(`${app.url}/account`);
    const wrong = { ...body, name: 'wrong', client_id: CLIENT.id, client_secret: 'not the secret' };
    expect((await asRoot('POST', '/api/v1/identity-providers', wrong)).status).toBe(201);
    const refused = await new Browser().visit(`${app.url}/login/start?provider=wrong`);
    expect([refused.status, refused.text]).toEqual([401, expect.stringContaining('can&#39;t be verified')]);
    for (const name of ['public', 'wrong']) await asRoot('DELETE', `/api/v1/identity-providers/${name}`);
    await signIn('s-ada');
  });

  it('the browser may come back to another replica', async (test) => {
    if (replica === undefined) return test.skip();
    const browser = new Browser();
    provider.subject = 's-ada';
    const { hops } = await browser.visit(`${app.url}/login/start?provider=corp`, (next) => next.startsWith(`${app.url}/login/callback`));
    const back = (hops.at(-1) ?? '').replace(app.url, replica.url);
    const there = await browser.visit(back);
    expect(there.url, there.text).toBe(`${replica.url}/account`);
    expect((await browser.visit(`${app.url}/account`)).url).toBe(`${app.url}/account`);
    await browser.submit(`${replica.url}/logout`, {});
    expect((await browser.visit(`${app.url}/account`)).url).toContain('/login');
  });

  it('a provider that is removed lets nobody in, and memberships by its claims end', async () => {
    provider.people.set('s-ada', { preferred_username: 'ada', groups: ['leads'] });
    await signIn('s-ada');
    expect(await groupsOf('ada')).toEqual(['approvers']);
    expect((await asRoot('DELETE', '/api/v1/identity-providers/corp')).status).toBe(200);
    expect(await groupsOf('ada')).toEqual([]);
    expect((await signIn('s-ada')).visit.status).toBe(404);
    expect(await app.ctx.db.one('SELECT count(client_secret) AS secrets FROM identity_providers')).toEqual({ secrets: 0 });
    expect(await verifyChain(app.ctx.db)).toMatchObject({ ok: true });
  });

  it('nobody alone becomes another person: by his identity, taken from his account, or forgotten with it', async () => {
    await addUser(app.ctx, 'second', { isAdmin: true });
    const issuer = { name: 'again', issuer: provider.issuer, client_id: CLIENT.id, client_secret: CLIENT.secret };
    expect((await asRoot('POST', '/api/v1/identity-providers', issuer)).status).toBe(201);
    const policy =
      '{ name: p, mode: enforce, match: { target: { stage: Production } }, requirements: { approvals: [{ group: approvers }] } }';
    expect((await asRoot('POST', '/api/v1/policies', { text: policy })).status).toBe(201);
    const refused = { status: 403, body: { message: expect.stringMatching(/Request \d+ was opened/) } };
    expect(await asRoot('DELETE', '/api/v1/identity-providers/again/identities/s-ada')).toMatchObject(refused);
    expect(await asRoot('POST', '/api/v1/users/ada/erase', { confirm: 'ada' })).toMatchObject(refused);
    await accounts.getByName(app.ctx, 'ada');
  });
});
