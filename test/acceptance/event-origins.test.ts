/** Who did it, when, from which address and by which token: told to managers, verifiable, and erased with the person. */
import { PostgresDatabase } from '@countersign/server/platform/db/postgres.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { addUser, ask, openApp, type RunningApp } from '../support/app.ts';
import { onBothDatabases } from '../support/databases.ts';

const MLFLOW = '/api/2.0/mlflow';

interface Told {
  readonly seq: number;
  readonly type: string;
  readonly principal: { readonly name: string };
  readonly token_id: number | null;
  readonly client_address: string | null;
  readonly texts: Readonly<Record<string, string | null>>;
  readonly body: string;
}

onBothDatabases('where calls come from', (databaseUrl) => {
  let app: RunningApp;
  let root: string;
  let ada: string;

  beforeAll(async () => {
    const url = await databaseUrl();
    app = await openApp(url === undefined ? {} : { db: new PostgresDatabase(url) });
    root = (await addUser(app.ctx, 'root', { isAdmin: true })).secret;
    ada = (await addUser(app.ctx, 'ada')).secret;
  });
  afterAll(() => app.close());

  const eventsOf = async (as: string, path = '/api/v1/events?limit=1000'): Promise<readonly Told[]> =>
    (await ask(app, 'GET', path, { as })).body.events;
  const made = (events: readonly Told[]) => events.find(({ type }) => type === 'registered-model.created');

  it('stands in each event, as a number and as a commitment to an address beside the chain', async () => {
    const [token] = (await ask(app, 'GET', '/api/v1/tokens', { as: ada })).body.tokens;
    await ask(app, 'POST', `${MLFLOW}/registered-models/create`, { as: ada, body: { name: 'fraud' } });
    await ask(app, 'POST', `${MLFLOW}/registered-models/set-tag`, { as: ada, body: { name: 'fraud', key: 'a', value: 'b' } });
    const events = await eventsOf(root);
    expect(made(events)).toMatchObject({ token_id: token.id, client_address: '127.0.0.1' });
    const all = events.filter(({ body }) => JSON.parse(body).token_id === token.id);
    expect(all.length).toBeGreaterThan(1);
    const commitments = new Set(all.map(({ body }) => JSON.parse(body).commitments.client_address));
    expect([...commitments]).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/)]);
    // What was done on the host came from nowhere.
    expect(events.at(-1)).toMatchObject({ token_id: null, client_address: null });
  });

  it('stands beside a sign-in, too', async () => {
    const form = new URLSearchParams({ name: 'grace', password: 'correct horse battery' });
    await ask(app, 'POST', '/api/v1/users', { as: root, body: Object.fromEntries(form) });
    const headers = { origin: app.url, 'content-type': 'application/x-www-form-urlencoded' };
    const signedIn = await fetch(`${app.url}/login`, { method: 'POST', body: form, headers, redirect: 'manual' });
    expect(signedIn.status).toBe(303);
    const [newest] = await eventsOf(root);
    expect(newest).toMatchObject({ type: 'token.created', principal: { name: 'grace' }, client_address: '127.0.0.1' });
  });

  it('is told to managers of the workspace alone, and verifies in an export', async () => {
    expect(made(await eventsOf(ada, '/api/v1/models/fraud/events'))).toMatchObject({ client_address: null, texts: {} });
    const exported = (await ask(app, 'GET', '/api/v1/events/export?texts=true&limit=1000', { as: root })).body;
    expect(JSON.stringify(exported)).toContain('"text":"127.0.0.1"');
    expect((await ask(app, 'GET', '/api/v1/events/verification', { as: root })).body).toMatchObject({ ok: true });
  });

  it('is erased with the person, and from one event; the record stays whole', async () => {
    const tagged = (await eventsOf(root)).find(({ type }) => type === 'registered-model.tag-set');
    expect((await ask(app, 'DELETE', `/api/v1/events/${tagged?.seq}/texts/client_address`, { as: root })).status).toBe(200);
    expect(made(await eventsOf(root))).toMatchObject({ client_address: null });
    await ask(app, 'POST', `${MLFLOW}/registered-models/create`, { as: ada, body: { name: 'churn' } });
    expect(made(await eventsOf(root))).toMatchObject({ client_address: '127.0.0.1' });
    expect((await ask(app, 'POST', '/api/v1/users/ada/erase', { as: root, body: { confirm: 'ada' } })).status).toBe(200);
    const left = await eventsOf(root);
    expect(made(left)).toMatchObject({ client_address: null });
    expect(left.find(({ type }) => type === 'account.erased')).toMatchObject({ client_address: '127.0.0.1' });
    expect((await ask(app, 'GET', '/api/v1/events/verification', { as: root })).body).toMatchObject({ ok: true });
  });
});
