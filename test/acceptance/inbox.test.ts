/** What a request makes of the inboxes of those around it, over HTTP and by the command, on both databases. */
import { tmpdir } from 'node:os';
import { PostgresDatabase } from '@countersign/server/platform/db/postgres.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { addUser, ask, grant, openApp, type Person, type RunningApp } from '../support/app.ts';
import { countersign } from '../support/cli.ts';
import { onBothDatabases } from '../support/databases.ts';

onBothDatabases('inboxes', (databaseUrl) => {
  let app: RunningApp;
  let admin: Person;
  let alice: Person;
  let bob: Person;
  let stranger: Person;

  beforeAll(async () => {
    const url = await databaseUrl();
    app = await openApp(url === undefined ? {} : { db: new PostgresDatabase(url) });
    admin = await addUser(app.ctx, 'root', { isAdmin: true });
    [alice, bob, stranger] = [
      await addUser(app.ctx, 'alice'),
      await addUser(app.ctx, 'bob@example.com'),
      await addUser(app.ctx, 'stranger'),
    ];
    await grant(app.ctx, { accountId: bob.account.id }, { kind: 'registered-model' }, 'MANAGE_PRODUCTION');
    await grant(app.ctx, { accountId: stranger.account.id }, { kind: 'registered-model' }, 'DENY');
  });
  afterAll(() => app.close());

  it('wait, are talked about, and end', async () => {
    const as = (who: Person) => async (method: string, path: string, body?: unknown) => {
      const answer = await ask(app, method, `/api/v1${path}`, { as: who.secret, body });
      expect(answer.status, `${method} ${path} ${JSON.stringify(answer.body)}`).toBeLessThan(300);
      return answer.body;
    };
    await as(admin)('POST', '/models', { name: 'churn' });
    await as(admin)('POST', '/models/churn/versions', { source: 's3://bucket/model' });
    const { id } = await as(alice)('POST', '/models/churn/versions/1/requests', { target: { kind: 'stage', stage: 'Production' } });
    const opener = await as(alice)('POST', `/requests/${id}/comments`, { comment: 'Ready, @bob@example.com and @stranger?' });

    const { waiting_for_me: waiting, mentions } = await as(bob)('GET', '/inbox');
    expect(waiting).toMatchObject({ count: 1, requests: [{ id, name: 'churn', version: 1, target: 'stage:Production' }] });
    expect(mentions).toMatchObject({ count: 1, mentions: [{ comment: { id: opener.id }, read_at: null }] });
    expect(await as(stranger)('GET', '/inbox')).toMatchObject({ waiting_for_me: { count: 0 }, mentions: { count: 0 } });
    expect((await ask(app, 'GET', `/api/v1/requests/${id}/comments`, { as: stranger.secret })).status).toBe(404);
    expect((await ask(app, 'POST', `/api/v1/comments/${opener.id}/resolve`, { as: stranger.secret })).status).toBe(404);
    expect(await as(alice)('GET', '/inbox')).toMatchObject({ waiting_for_me: { count: 0 }, opened_by_me: { requests: [{ id }] } });

    const command = async (who: Person, ...flags: string[]): Promise<string> => {
      const env = { COUNTERSIGN_SERVER: app.url, COUNTERSIGN_TOKEN: who.secret };
      const ended = await countersign(['inbox', ...flags], { cwd: tmpdir(), env });
      expect(ended.stderr).toBe('');
      return ended.stdout;
    };
    const shown = await command(bob);
    expect(shown).toMatch(new RegExp(`Waiting for you \\(1\\)\\n  ID +ON +FOR +BY .*\\n  ${id} +churn/1 +stage:Production +alice `));
    expect(shown).toMatch(new RegExp(`Mentions, unread \\(1\\)\\n.*\\n  churn/1, request ${id} +alice .* Ready, @bob@example.com`));
    expect(await command(stranger)).toBe('Nothing waits for you.\n');
    expect(JSON.parse(await command(bob, '--json')).waiting_for_me.requests[0].id).toBe(id);
    expect(await command(bob, '--quiet')).toBe(`${id}\n`);

    await as(bob)('POST', `/requests/${id}/approve`, {});
    expect(await as(bob)('GET', '/inbox')).toMatchObject({ waiting_for_me: { count: 0 } });
    expect(await as(alice)('GET', '/inbox')).toMatchObject({ opened_by_me: { count: 0 } });
  });
});
