import { createHmac } from 'node:crypto';
import { mkdtempSync, readFileSync, rmSync, statSync } from 'node:fs';
import { createServer, type IncomingHttpHeaders, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it, vi } from 'vitest';
import { openContext } from '../../../../../test/support/context.ts';
import { secretBox } from '../../../../../test/support/master-keys.ts';
import type { Ctx } from '../../platform/context.ts';
import { SqliteDatabase } from '../../platform/db/sqlite.ts';
import type { BackgroundJob } from '../../platform/jobs/background-job.ts';
import * as events from '../events/events.ts';
import * as models from '../models/models.ts';
import * as transitions from '../transitions/transitions.ts';
import * as webhooks from './webhooks.ts';

interface Received {
  readonly headers: IncomingHttpHeaders;
  readonly text: string;
  readonly json: { entity: string; action: string; timestamp: string; data: Record<string, unknown> };
}

let folder: string;
let ctx: Ctx;
let means: webhooks.WebhookMeans;
let receiver: Server;
let url: string;
let received: Received[];
let answers: number[];
let redirectTo: string | undefined;
let jobs: BackgroundJob[];
let failures: { seq: number; reason: string }[];
let errors: unknown[];

beforeEach(async () => {
  folder = mkdtempSync(join(tmpdir(), 'webhooks-'));
  [received, answers, jobs, failures, errors, redirectTo] = [[], [], [], [], [], undefined];
  receiver = createServer(async (req, res) => {
    const pieces: Buffer[] = [];
    for await (const piece of req) pieces.push(piece as Buffer);
    const text = Buffer.concat(pieces).toString('utf8');
    received.push({ headers: req.headers, text, json: JSON.parse(text) });
    res.writeHead(answers.shift() ?? 200, redirectTo ? { location: redirectTo } : {}).end('thanks');
  });
  await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
  url = `http://127.0.0.1:${(receiver.address() as AddressInfo).port}/hook`;
  await open();
});

afterEach(async () => {
  for (const job of jobs) await job.stop();
  await ctx.db.close();
  receiver.closeAllConnections();
  await new Promise((resolve) => receiver.close(resolve));
  rmSync(folder, { recursive: true });
});

async function open(): Promise<void> {
  const db = new SqliteDatabase(join(folder, 'test.db'));
  ctx = await openContext({ db });
  means = {
    secrets: secretBox(join(folder, 'master.key')),
    urls: { schemes: ['http'], allowPrivate: true },
    timeoutMs: 2000,
    retriesMax: 1,
  };
}

async function start(changes: Partial<webhooks.WebhookMeans> = {}): Promise<BackgroundJob> {
  const job = await webhooks.startDelivering(
    ctx,
    { ...means, ...changes },
    {
      pollMs: 10,
      onError: (error) => errors.push(error),
      onFailure: ({ seq, reason }) => failures.push({ seq, reason }),
    },
  );
  jobs.push(job);
  return job;
}

const MODEL_CREATED = [{ entity: 'REGISTERED_MODEL', action: 'CREATED' }];

function hook(changes: Partial<webhooks.NewWebhook> = {}): Promise<webhooks.Webhook> {
  return webhooks.create(ctx, means, { name: 'hook', url, events: MODEL_CREATED, ...changes });
}

function model(name: string): Promise<models.RegisteredModel> {
  return models.create(ctx, { name, description: `about ${name}`, tags: [{ key: 'team', value: 'risk' }] });
}

async function seen(count: number): Promise<Received[]> {
  await vi.waitFor(() => expect(received.length).toBeGreaterThanOrEqual(count), { timeout: 5000, interval: 10 });
  return received;
}

const names = (): unknown[] => received.map((each) => each.json.data.name);

describe('calls to a receiver', () => {
  it('carry the newest checkpoint of the record, as it is when they are made', async () => {
    let newest: string | undefined;
    await hook();
    await start({ newestCheckpoint: () => newest });
    await model('a');
    expect((await seen(1))[0]?.headers['countersign-checkpoint']).toBeUndefined();
    newest = 'csc1.the-newest';
    await model('b');
    expect((await seen(2))[1]?.headers['countersign-checkpoint']).toBe('csc1.the-newest');
  });

  it('a new model is told, signed, with its texts', async () => {
    await hook({ secret: 'geheim' });
    await start();
    await model('fraud');
    const [call] = await seen(1);
    expect(call?.json).toMatchObject({
      entity: 'registered_model',
      action: 'created',
      data: { name: 'fraud', description: 'about fraud', tags: { team: 'risk' } },
    });
    expect(call?.json.timestamp).toMatch(/^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{6}\+00:00$/);
    const [id, seconds] = [call?.headers['x-mlflow-delivery-id'], call?.headers['x-mlflow-timestamp']];
    expect(id).toMatch(/^[0-9a-f]{8}-[0-9a-f]{4}-4[0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12}$/);
    const expected = createHmac('sha256', 'geheim').update(`${id}.${seconds}.${call?.text}`).digest('base64');
    expect(call?.headers['x-mlflow-signature']).toBe(`v1,${expected}`);
  });

  it('aliases and tags of versions are told in the order in which they happened', async () => {
    const both = ['MODEL_VERSION_ALIAS.CREATED', 'MODEL_VERSION_ALIAS.DELETED', 'MODEL_VERSION_TAG.SET', 'MODEL_VERSION_TAG.DELETED'];
    await hook({ events: both.map((each) => ({ entity: each.split('.')[0] ?? '', action: each.split('.')[1] ?? '' })) });
    await model('fraud');
    await transitions.registerVersion(ctx, {
      name: 'fraud',
      source: 's3://elsewhere/m',
      runId: '',
      runLink: '',
      tags: [],
      loggedModelId: undefined,
      description: undefined,
    });
    await transitions.setAlias(ctx, 'fraud', 'champion', 1);
    await transitions.setVersionTag(ctx, 'fraud', 1, 'k', 'v');
    await transitions.setVersionTag(ctx, 'fraud', 1, 'k', null);
    await transitions.deleteAlias(ctx, 'fraud', 'champion');
    await start();
    await seen(4);
    expect(received.map(({ json }) => [json.entity, json.action, json.data])).toEqual([
      ['model_version_alias', 'created', { name: 'fraud', alias: 'champion', version: '1' }],
      ['model_version_tag', 'set', { name: 'fraud', version: '1', key: 'k', value: 'v' }],
      ['model_version_tag', 'deleted', { name: 'fraud', version: '1', key: 'k' }],
      ['model_version_alias', 'deleted', { name: 'fraud', alias: 'champion' }],
    ]);
  });

  it('a server that starts again tells what happened meanwhile, and nothing twice', async () => {
    await hook();
    const first = await start();
    await model('a');
    await seen(1);
    await first.stop();
    await model('b');
    await ctx.db.close();
    await open();
    await start();
    await model('c');
    await seen(3);
    expect(names()).toEqual(['a', 'b', 'c']);
  });

  it('a call whose answer was not written down comes again with the same id', async () => {
    await hook();
    const first = await start();
    await model('a');
    await seen(1);
    await first.stop();
    await ctx.db.write((tx) => tx.run('UPDATE webhooks SET delivered_seq = 0, lease_owner = ?, lease_until = ?', 'killed', 1e15));
    await start();
    await seen(2);
    expect(received[1]?.headers['x-mlflow-delivery-id']).toBe(received[0]?.headers['x-mlflow-delivery-id']);
  });

  it('a retry has the same id, time and signature, and later events wait for it', async () => {
    await hook({ secret: 's' });
    answers = [503];
    await model('a');
    await model('b');
    await start();
    await seen(3);
    expect(names()).toEqual(['a', 'a', 'b']);
    for (const header of ['x-mlflow-delivery-id', 'x-mlflow-timestamp', 'x-mlflow-signature']) {
      expect(received[1]?.headers[header]).toBe(received[0]?.headers[header]);
    }
  });

  it('what is given up is written down, and the next event is told', async () => {
    const { id } = await hook();
    answers = [503, 503, 404];
    await start();
    await model('a');
    await model('b');
    await model('c');
    await seen(4);
    await vi.waitFor(() => expect(failures.length).toBe(2));
    expect(names()).toEqual(['a', 'a', 'b', 'c']);
    const kept = await webhooks.listFailures(ctx, id, 10);
    expect(kept.map(({ reason }) => reason)).toEqual(['the receiver answered with status 404', 'the receiver answered with status 503']);
  });

  it('a receiver that does not answer does not hold up another webhook', async () => {
    const silent = createServer(() => {});
    await new Promise<void>((resolve) => silent.listen(0, '127.0.0.1', resolve));
    await hook({ name: 'silent', url: `http://127.0.0.1:${(silent.address() as AddressInfo).port}/` });
    await hook();
    await start({ timeoutMs: 60_000 });
    await model('a');
    await seen(1);
    silent.closeAllConnections();
    silent.close();
  });

  it('a disabled webhook is not called, nor later for what happened then', async () => {
    const { id } = await hook({ status: 'DISABLED' });
    await hook({ name: 'other', url: `${url}/other` });
    await start();
    await model('a');
    await seen(1);
    await webhooks.update(ctx, means, id, { status: 'ACTIVE' });
    await model('b');
    await seen(3);
    expect(names()).toEqual(['a', 'b', 'b']);
  });

  it('a deleted webhook is not called', async () => {
    const { id } = await hook();
    await hook({ name: 'other' });
    await webhooks.remove(ctx, id);
    await start();
    await model('a');
    await seen(1);
    await model('b');
    await seen(2);
    expect(names()).toEqual(['a', 'b']);
  });

  it('events before a subscription are not told', async () => {
    await model('before');
    const { id } = await hook({ events: [{ entity: 'MODEL_VERSION', action: 'CREATED' }] });
    await model('between');
    await webhooks.update(ctx, means, id, { events: MODEL_CREATED });
    await model('after');
    await start();
    await seen(1);
    expect(names()).toEqual(['after']);
  });

  it('a redirect to a scheme that is not allowed is not followed', async () => {
    await hook();
    [answers, redirectTo] = [[307], 'https://127.0.0.1:1/'];
    await start();
    await model('a');
    await vi.waitFor(() => expect(failures.length).toBe(1));
    expect(failures[0]?.reason).toContain("Invalid webhook URL scheme: 'https'");
  });

  it('an address that became forbidden is not called', async () => {
    await hook();
    await start({ urls: { schemes: ['http'], allowPrivate: false } });
    await model('a');
    await vi.waitFor(() => expect(failures.length).toBe(1));
    expect(failures[0]?.reason).toContain('must not resolve to a non-public IP address');
    expect(received).toEqual([]);
  });

  it('with another key nothing is sent unsigned, and nothing is given up', async () => {
    await hook({ secret: 's' });
    const other = secretBox(join(folder, 'other.key'));
    other.seal('x', 'y');
    await start({ secrets: other });
    await model('a');
    await vi.waitFor(() => expect(errors.length).toBe(1));
    expect(String(errors[0])).toContain('another key');
    expect([received, failures]).toEqual([[], []]);
  });
});

describe('a webhook', () => {
  it('its secret is in no answer, no event and not in clear in the database', async () => {
    const made = await hook({ secret: 'top-secret-value' });
    await webhooks.update(ctx, means, made.id, { secret: 'other-secret-value', description: 'd' });
    expect(JSON.stringify([made, await webhooks.get(ctx, made.id)])).not.toContain('secret-value');
    const chain = await events.list(ctx.db, { workspaceId: 0, limit: 100 });
    expect(chain.map(({ type }) => type)).toEqual(['webhook.created', 'webhook.updated']);
    expect(JSON.stringify(chain)).not.toContain('secret-value');
    const rows = await ctx.db.all<{ secret: Uint8Array }>('SELECT secret FROM webhooks LIMIT 10');
    expect(Buffer.from(rows[0]?.secret ?? []).toString('latin1')).not.toContain('secret-value');
    expect(statSync(join(folder, 'master.key')).mode & 0o777).toBe(0o600);
    expect(Buffer.from(readFileSync(join(folder, 'master.key'), 'utf8'), 'base64').length).toBe(32);
  });

  it('the path of its URL is in no event', async () => {
    await hook({ url: `${url}/token-of-a-chat` });
    expect(JSON.stringify(await events.list(ctx.db, { workspaceId: 0, limit: 100 }))).not.toContain('token-of-a-chat');
  });

  it('an empty secret takes the signature away', async () => {
    const { id } = await hook({ secret: 's' });
    await webhooks.update(ctx, means, id, { secret: '' });
    expect(await webhooks.test(ctx, means, id, undefined)).toMatchObject({ success: true, status: 200, body: 'thanks' });
    expect(received[0]?.headers['x-mlflow-signature']).toBeUndefined();
  });

  it('a test of a disabled one sends an example and tells of a refusal', async () => {
    const { id } = await hook({ status: 'DISABLED' });
    answers = [500];
    expect(await webhooks.test(ctx, means, id, { entity: 'prompt_tag', action: 'set' })).toEqual({
      success: false,
      status: 500,
      body: 'thanks',
    });
    expect(received[0]?.json).toMatchObject({ entity: 'prompt_tag', data: { name: 'example_prompt', key: 'example_key' } });
  });

  it.each([
    [{ name: '-x' }, 'is invalid'],
    [{ url: ' ' }, 'cannot be empty or just whitespace'],
    [{ url: 'ftp://a' }, "Invalid webhook URL scheme: 'ftp'"],
    [{ url: 'http://[a' }, 'Invalid webhook URL'],
    [{ url: 'http:///path' }, 'must include a hostname'],
    [{ events: [] }, 'must be a non-empty list'],
    [{ events: [{ entity: 'REGISTERED_MODEL', action: 'DELETED' }] }, "Invalid action 'deleted' for entity 'registered_model'"],
    [{ events: [{ entity: 'BUDGET_POLICY', action: 'EXCEEDED' }] }, 'AI gateway'],
  ])('%j is refused', async (change, sentence) => {
    await expect(hook(change)).rejects.toThrow(sentence);
  });

  it('a private address is refused where they are not allowed', async () => {
    const strict = { ...means, urls: { schemes: ['http'], allowPrivate: false } };
    for (const host of ['127.0.0.1', '10.0.0.1', '169.254.169.254', '[::1]', '[::ffff:10.0.0.1]', '[64:ff9b::a00:1]', '2130706433']) {
      const input = { name: 'h', url: `http://${host}/`, events: MODEL_CREATED };
      await expect(webhooks.create(ctx, strict, input), host).rejects.toThrow('non-public IP address');
    }
  });

  it('lists newest first, by pages', async () => {
    for (const name of ['a', 'b', 'c']) await hook({ name });
    const first = await webhooks.list(ctx, { limit: 2, pageToken: undefined });
    const second = await webhooks.list(ctx, { limit: 2, pageToken: first.nextPageToken });
    expect([...first.items, ...second.items].map(({ name }) => name)).toEqual(['c', 'b', 'a']);
    await expect(webhooks.list(ctx, { limit: 1001, pageToken: undefined })).rejects.toThrow('max_results must be between 1 and 1000.');
  });
});
