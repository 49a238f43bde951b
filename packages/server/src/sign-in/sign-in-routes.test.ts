/** Behind a proxy: what browsers are given follows the public URL and the prefix. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { addUser, openApp, type RunningApp } from '../../../../test/support/app.ts';

let app: RunningApp;

beforeAll(async () => {
  app = await openApp({
    config: {
      guards: {
        enabled: true,
        allowedHosts: undefined,
        allowedOrigins: ['https://registry.example'],
        publicHost: 'registry.example',
        frameOptions: 'SAMEORIGIN',
      },
      staticPrefix: '/ml',
      serves: 'all',
      publicUrl: 'https://registry.example',
    },
  });
  await addUser(app.ctx, 'root', { isAdmin: true, password: 'correct horse battery' });
});

afterAll(() => app.close());

it('paths begin with the prefix, and the cookie is for https and that prefix alone', async () => {
  const page = await (await fetch(`${app.url}/ml/login`)).text();
  expect(page).toContain('action="/ml/login"');
  const answer = await fetch(`${app.url}/ml/login`, {
    method: 'POST',
    redirect: 'manual',
    headers: { origin: 'https://registry.example', 'sec-fetch-site': 'same-origin' },
    body: new URLSearchParams({ name: 'root', password: 'correct horse battery' }),
  });
  expect([answer.status, answer.headers.get('location')]).toEqual([303, '/ml/account']);
  expect(answer.headers.getSetCookie()[0]).toMatch(
    /^countersign_session=csk_[\w-]{43}; Path=\/ml; Max-Age=43200; HttpOnly; SameSite=Lax; Secure$/,
  );
});

it('a form of another site, or of nobody, is refused, and what is no form', async () => {
  const post = (headers: Record<string, string>, body: string) => fetch(`${app.url}/ml/login`, { method: 'POST', headers, body });
  const form = 'application/x-www-form-urlencoded';
  const own = { 'sec-fetch-site': 'same-origin' };
  expect((await post({ 'content-type': form }, 'name=root')).status).toBe(403);
  expect((await post({ 'content-type': form, 'sec-fetch-site': 'cross-site' }, 'name=root')).status).toBe(403);
  expect((await post({ 'content-type': 'application/json', ...own }, '{}')).status).toBe(400);
  expect((await post({ 'content-type': form, ...own }, 'x'.repeat(20_000))).status).toBe(413);
  expect((await post({ 'content-type': form, ...own }, 'name=%00&password=%ED%A0%80')).status).toBe(401);
});

it('programs are answered as everywhere, browsers are sent to the sign-in', async () => {
  expect((await fetch(`${app.url}/ml/account`)).status).toBe(401);
  const browser = await fetch(`${app.url}/ml/account`, { headers: { accept: 'text/html' }, redirect: 'manual' });
  expect([browser.status, browser.headers.get('location')]).toEqual([303, '/ml/login?next=/account']);
  expect((await fetch(`${app.url}/ml/login/start?provider=nobody`)).status).toBe(404);
  expect((await fetch(`${app.url}/ml/login/callback?state=x`)).status).toBe(401);
});
