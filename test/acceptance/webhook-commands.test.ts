/** `countersign webhook …`: against a running server, as people and scripts call it. */
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { addUser, openApp, type Person, type RunningApp } from '../support/app.ts';
import { sourceCountersign } from '../support/cli.ts';
import { secretBox } from '../support/master-keys.ts';

const folder = mkdtempSync(join(tmpdir(), 'countersign-webhook-commands-'));
let app: RunningApp;
let root: Person;
let alice: Person;
let receiver: Server;
let url: string;
let status = 200;
const calls: { headers: IncomingHttpHeaders; body: { entity: string; action: string } }[] = [];

beforeAll(async () => {
  app = await openApp({
    webhooks: {
      secrets: secretBox(join(folder, 'master.key')),
      urls: { schemes: ['http', 'https'], allowPrivate: true },
      timeoutMs: 2000,
      retriesMax: 0,
    },
  });
  root = await addUser(app.ctx, 'root', { isAdmin: true });
  alice = await addUser(app.ctx, 'alice');
  receiver = createServer(async (req, res) => {
    const pieces: Buffer[] = [];
    for await (const piece of req) pieces.push(piece as Buffer);
    calls.push({ headers: req.headers, body: JSON.parse(Buffer.concat(pieces).toString()) });
    res.writeHead(status).end('noted');
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`; // it listens on TCP
});
afterAll(async () => {
  receiver.close().closeAllConnections();
  await app.close();
  rmSync(folder, { recursive: true });
});

async function run(as: Person, args: readonly string[], input?: string) {
  const env = { COUNTERSIGN_SERVER: app.url, COUNTERSIGN_TOKEN: as.secret };
  const { code, stdout, stderr } = await sourceCountersign(['webhook', ...args], { cwd: folder, env, input });
  return { code, out: stdout, err: stderr };
}
async function ok(args: readonly string[], input?: string): Promise<string> {
  const ended = await run(root, args, input);
  expect(ended.code, `${args.join(' ')}: ${ended.out}${ended.err}`).toBe(0);
  return ended.out;
}

it('makes, shows, changes, tries and deletes webhooks', async () => {
  expect(await ok(['list'])).toBe('');
  writeFileSync(join(folder, 'hook.secret'), 'a secret of ours\n');
  const made = JSON.parse(
    await ok(['create', 'on-call', url, '--event', 'request.opened', 'model_version.created', '--secret-file', 'hook.secret', '--json']),
  );
  expect(made).toMatchObject({ name: 'on-call', url, events: ['model_version.created', 'request.opened'], status: 'ACTIVE' });
  expect(JSON.stringify(made)).not.toContain('secret of ours');
  expect(await ok(['ls'])).toMatch(new RegExp(`^ID +NAME +STATUS +URL +EVENTS +CREATED\n${made.id} +on-call +ACTIVE +${url} +2 `));
  expect(await ok(['show', made.id])).toMatch(/events +model_version\.created request\.opened/);
  expect(await ok(['test', made.id])).toBe('It answered: 200 noted\n');
  expect(calls.at(-1)).toMatchObject({
    body: { entity: 'model_version', action: 'created' },
    headers: { 'x-mlflow-signature': expect.any(String) },
  });
  expect(await ok(['update', made.id, '--event', 'check.reported', '--unsigned', '--name', 'checks', '--description', 'of CI'])).toBe(
    "Changed the webhook 'checks'.\n",
  );
  expect(await ok(['test', made.id, '--event', 'check.reported', '--quiet'])).toBe('success\n');
  expect(calls.at(-1)?.headers['x-mlflow-signature']).toBeUndefined();
  await ok(['update', made.id, '--secret-stdin'], 'another one\n');
  await ok(['update', made.id, '--disabled']);
  expect(JSON.parse(await ok(['show', made.id, '--json']))).toMatchObject({
    ...{ name: 'checks', description: 'of CI', events: ['check.reported'], status: 'DISABLED' },
    created_at: expect.stringMatching(/Z$/),
  });
  status = 500;
  const failed = await run(root, ['test', made.id]);
  expect([failed.code, failed.out]).toEqual([6, 'It failed: 500 noted\n']);
  const unsaid = await run(root, ['delete', made.id]);
  expect([unsaid.code, unsaid.err]).toEqual([2, expect.stringContaining('--yes')]);
  expect(await ok(['rm', made.id, '--yes'])).toBe("Deleted the webhook 'checks'.\n");
  expect((await run(root, ['show', made.id])).code).toBe(4);
});

it.each([
  [['create', 'x', 'https://chat.example/'], 2, '--event'],
  [['create', 'x', 'https://chat.example/', '--event', 'something.else'], 2, 'Allowed choices'],
  [['create', 'x', 'ftp://chat.example/', '--event', 'request.opened'], 2, 'URL'],
  [['create', 'x', 'https://chat.example/', '--event', 'request.opened', '--secret-file', 'absent'], 2, 'absent'],
  [['update', 'x'], 2, 'Say what to change'],
  [['update', 'x', '--enabled', '--disabled'], 2, 'two things'],
  [['update', 'x', '--unsigned', '--secret-stdin'], 2, 'different things'],
])('%j is refused', async (args, code, words) => {
  const ended = await run(root, args);
  expect([ended.code, ended.err]).toEqual([code, expect.stringContaining(words)]);
});

it('is for whoever manages the workspace', async () => {
  expect((await run(alice, ['list'])).code).toBe(3);
});
