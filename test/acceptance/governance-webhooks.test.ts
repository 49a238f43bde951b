/** Who subscribes to governance is told at once: requests, broken glass, checks, policies; and MLflow's clients read their own events as ever. */
import { createServer, type Server } from 'node:http';
import type { AddressInfo } from 'node:net';
import { NATIVE_WEBHOOK_EVENTS } from '@countersign/contract/webhooks.ts';
import * as webhooks from '@countersign/server/features/webhooks/webhooks.ts';
import type { BackgroundJob } from '@countersign/server/platform/jobs/background-job.ts';
import { afterAll, beforeAll, expect, it, vi } from 'vitest';
import { onBothDatabases } from '../support/databases.ts';
import { type Office, openOffice } from '../support/governed-office.ts';

const API = '/api/v1/webhooks';
const MLFLOW = '/api/2.0/mlflow';
const MEANS: webhooks.WebhookMeans = {
  secrets: { seal: () => Buffer.alloc(0), open: () => '' },
  urls: { schemes: ['http'], allowPrivate: true },
  timeoutMs: 2000,
  retriesMax: 1,
};
const POLICY = `
name: pay
mode: enforce
match: { model: "pay.*", target: { stage: Production } }
requirements: { approvals: [{ group: risk }] }
break_glass: { permission: break-glass, minutes: 60 }
`;

interface Told {
  readonly entity: string;
  readonly action: string;
  readonly data: Readonly<Record<string, unknown>>;
}

onBothDatabases('webhooks of governance', (databaseUrl) => {
  let office: Office;
  let receiver: Server;
  let job: BackgroundJob;
  let told: Told[];
  let texts: string[];
  beforeAll(async () => {
    [told, texts] = [[], []];
    receiver = createServer(async (req, res) => {
      const pieces: Buffer[] = [];
      for await (const piece of req) pieces.push(piece as Buffer);
      texts.push(Buffer.concat(pieces).toString());
      told.push(JSON.parse(texts.at(-1) ?? ''));
      res.end();
    });
    await new Promise<void>((resolve) => receiver.listen(0, '127.0.0.1', resolve));
    office = await openOffice(
      await databaseUrl(),
      { alice: { level: 'EDIT' }, bob: { level: 'READ', groups: ['risk'] }, eve: { level: 'MANAGE' } },
      { ci: { owner: 'root', scopes: ['read', 'check:ci/tests'] } },
    );
    job = await webhooks.startDelivering(office.app.ctx, MEANS, { pollMs: 10, onError: () => {}, onFailure: () => {} });
  });
  afterAll(async () => {
    await job.stop();
    receiver.close().closeAllConnections();
    await office.close();
  });

  const events = (): string[] => told.map(({ entity, action }) => `${entity}.${action}`);

  it('tell what happened with ids, names and state, and nothing that a person wrote', async () => {
    const pair = (event: string): { entity: string; action: string } => {
      const [entity = '', action = ''] = event.split('.');
      return { entity, action };
    };
    const { port } = receiver.address() as AddressInfo; // it listens on TCP
    await webhooks.create(office.app.ctx, MEANS, {
      name: 'governance',
      url: `http://127.0.0.1:${port}/`,
      events: NATIVE_WEBHOOK_EVENTS.map(pair),
    });
    // Before it is governed.
    await office.must('root', 'PUT', '/api/v1/named-permissions/break-glass/holders/user/eve');
    await office.publish(POLICY);
    const version = await office.register('alice', 'pay.model');
    const at = `/api/v1/models/pay.model/versions/${version}`;
    const report = { name: 'ci/tests', external_id: 'job-1', status: 'completed', conclusion: 'success', summary: 'secretly slow' };
    const { digest } = (await office.must('root', 'GET', at)).seal;
    await office.must('ci', 'POST', `${at}/checks`, { ...report, digest });
    const target = { kind: 'stage', stage: 'Production' };
    const { id } = await office.must('alice', 'POST', `${at}/requests`, { target, comment: 'secretly please' });
    await office.must('bob', 'POST', `/api/v1/requests/${id}/approve`, { comment: 'secretly fine' });
    const next = await office.register('alice', 'pay.model');
    await office.must('eve', 'POST', '/api/v1/break-glass', { policy: 'pay', reason: 'secretly down', ticket: 'secretly-1' });
    const move = { name: 'pay.model', version: String(next), stage: 'Production', archive_existing_versions: false };
    await office.must('eve', 'POST', `${MLFLOW}/model-versions/transition-stage`, move);
    await vi.waitFor(() => expect(events()).toContain('break-glass.used'), { timeout: 10_000, interval: 20 });

    const first = (event: string, is: (each: Told) => boolean = () => true): unknown =>
      told.find((each) => `${each.entity}.${each.action}` === event && is(each))?.data;
    const about = { name: 'pay.model', version: String(version) };
    expect(first('policy.published')).toMatchObject({ policy: 'pay', mode: 'enforce', link: '/api/v1/policies/pay' });
    expect(first('check.reported')).toMatchObject({ ...about, check: 'ci/tests', conclusion: 'success', digest, is_entitled: true });
    const asked = { ...about, request_id: id, target: 'stage:Production', link: `/api/v1/requests/${id}` };
    const isOfIt = ({ data }: Told): boolean => data.request_id === id;
    expect(first('request.opened', isOfIt)).toEqual({ ...asked, state: 'open' });
    expect(first('request.approved', isOfIt)).toEqual({ ...asked, state: 'open' });
    expect(first('request.applied', isOfIt)).toEqual({ ...asked, state: 'approved' });
    expect(first('break-glass.opened')).toMatchObject({ policy: 'pay', name: null, target: null });
    expect(first('break-glass.used')).toMatchObject({
      policy: 'pay',
      name: 'pay.model',
      version: String(next),
      target: 'stage:Production',
    });
    expect(texts.join()).not.toContain('secretly');
  });

  it('are made and kept over the native API, and hidden from clients that have no words for their events', async () => {
    const wish = { url: 'https://8.8.8.8/hook', status: 'DISABLED' };
    const both = await office.must('root', 'POST', API, { ...wish, name: 'both', events: ['request.opened', 'model_version.created'] });
    const only = await office.must('root', 'POST', API, { ...wish, name: 'only', events: ['break-glass.used'], secret: 'quiet' });
    expect(only).toMatchObject({ name: 'only', events: ['break-glass.used'], status: 'DISABLED', description: null });
    expect(JSON.stringify(only)).not.toContain('quiet');
    const names = async (): Promise<string[]> =>
      (await office.must('root', 'GET', API)).webhooks.map((each: { name: string }) => each.name);
    expect(await names()).toEqual(['only', 'both', 'governance']);
    const shown = (await office.must('root', 'GET', `${MLFLOW}/webhooks`)).webhooks;
    expect(shown.map((each: { name: string; events: unknown }) => [each.name, each.events])).toEqual([
      ['both', [{ entity: 'MODEL_VERSION', action: 'CREATED' }]],
    ]);
    const prompts = [{ entity: 'PROMPT', action: 'CREATED' }];
    const patched = await office.must('root', 'PATCH', `${MLFLOW}/webhooks/${both.id}`, { events: prompts });
    expect(patched.webhook.events).toEqual(prompts);
    expect((await office.must('root', 'GET', `${API}/${both.id}`)).events).toEqual(['prompt.created', 'request.opened']);
    const changed = await office.must('root', 'PATCH', `${API}/${both.id}`, { events: ['check.reported'], description: 'for chat' });
    expect(changed).toMatchObject({ events: ['check.reported'], description: 'for chat' });
    expect((await office.must('root', 'POST', `${API}/${only.id}/test`, { event: 'policy.published' })).success).toBe(false);
    await office.must('root', 'DELETE', `${API}/${only.id}`);
    expect((await office.as('root', 'GET', `${API}/${only.id}`)).status).toBe(404);
    expect(await names()).toEqual(['both', 'governance']);
  });

  it('are refused for what is never told, and to whoever doesn’t manage the workspace', async () => {
    const wish = { name: 'bad', url: 'https://8.8.8.8/hook' };
    for (const events of [['request.created'], ['stage.changed'], []])
      expect((await office.as('root', 'POST', API, { ...wish, events })).status).toBe(400);
    const event = { entity: 'REQUEST', action: 'OPENED' };
    expect((await office.as('root', 'POST', `${MLFLOW}/webhooks`, { ...wish, events: [event] })).status).toBe(400);
    expect((await office.as('bob', 'GET', API)).status).toBe(403);
  });
});
