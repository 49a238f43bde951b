/** Blocks and broken glass over HTTP: what people are answered, and who is refused. */
import { Readable } from 'node:stream';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addUser, ask, grant, openApp, type Person, type RunningApp } from '../../../../test/support/app.ts';
import type { Answer } from '../../../../test/support/server.ts';
import * as artifacts from '../features/artifacts/artifacts.ts';
import * as breakGlass from '../features/break-glass/break-glass.ts';
import * as models from '../features/models/models.ts';
import * as runs from '../features/runs/runs.ts';
import * as transitions from '../features/transitions/transitions.ts';
import { transaction } from '../platform/context.ts';

describe('exceptions over the native API', () => {
  let app: RunningApp;
  let ada: Person;
  let eve: Person;
  const version = '/api/v1/models/fraud/versions/1';
  let digest = '';

  beforeAll(async () => {
    app = await openApp();
    const { ctx } = app;
    ada = await addUser(ctx, 'ada', { isAdmin: true });
    eve = await addUser(ctx, 'eve');
    await models.create(ctx, { name: 'fraud', tags: [] });
    const { runId, artifactUri } = (await runs.create(ctx, { experimentId: 0, userId: '', startTime: 0, tags: [] })).info;
    await artifacts.put(ctx, `${artifacts.storedPathOf(artifactUri)}/model/MLmodel`, Readable.from([Buffer.from('flavors: {}')]));
    const of = { runId, loggedModelId: undefined, runLink: '', description: undefined, tags: [] };
    await transitions.registerVersion(ctx, { name: 'fraud', source: `runs:/${runId}/model`, ...of });
    await transitions.setAlias(ctx, 'fraud', 'champion', 1);
    await grant(ctx, { accountId: eve.account.id }, { kind: 'registered-model', prefix: 'fraud' }, 'EDIT');
    digest = (await call('GET', version)).body.seal.digest;
  });
  afterAll(() => app.close());

  async function call(method: string, path: string, body?: unknown, who: Person = ada): Promise<Answer> {
    return ask(app, method, path, { as: who.secret, ...(body === undefined ? {} : { body }) });
  }

  it('a version shows that its bytes are blocked, and the block where the bytes are', async () => {
    expect((await call('GET', version)).body.blocked).toBeNull();
    const made = await call('POST', '/api/v1/blocks', { model: 'fraud', version: 1, reason: 'poisoned' });
    expect(made).toMatchObject({ status: 201, body: { digest, reason: 'poisoned', server_wide: false, lifted_at: null } });
    expect(made.body.blocked_by).toMatchObject({ name: 'ada' });
    const blocked = { reason: 'poisoned', at: made.body.blocked_at };
    expect((await call('GET', version)).body.blocked).toEqual(blocked);
    expect((await call('GET', '/api/v1/models/fraud/versions')).body.versions[0].blocked).toEqual(blocked);
    const shown = (await call('GET', `/api/v1/blocks/${digest}`)).body;
    expect(shown.versions).toMatchObject([{ name: 'fraud', version: 1, stage: 'None', aliases: ['champion'] }]);
    expect((await call('GET', '/api/v1/blocks?state=open')).body).toEqual({ blocks: shown.blocks, next_page_token: null });
    expect((await call('GET', '/api/v1/blocks?state=lifted')).body.blocks).toEqual([]);
    expect((await call('POST', '/api/v1/blocks', { digest, reason: 'again' })).body.error_code).toBe('RESOURCE_ALREADY_EXISTS');
  });

  it('MLflow’s own routes answer the version as ever', async () => {
    const wire = await call('GET', '/api/2.0/mlflow/model-versions/get?name=fraud&version=1');
    expect(wire.status).toBe(200);
    expect(JSON.stringify(wire.body)).not.toContain('blocked');
  });

  it('bytes are named in one way, and blocked by who may', async () => {
    for (const body of [
      { reason: 'x' },
      { model: 'fraud', reason: 'x' },
      { digest, model: 'fraud', version: 1, reason: 'x' },
      { digest: 'x', reason: 'x' },
    ]) {
      expect((await call('POST', '/api/v1/blocks', body)).status).toBe(400);
    }
    expect((await call('POST', '/api/v1/blocks', { digest, reason: 'x' }, eve)).status).toBe(403);
    expect((await call('GET', `/api/v1/blocks/${'0'.repeat(64)}`)).status).toBe(404);
    expect((await call('GET', '/api/v1/blocks', undefined, eve)).body.blocks).toHaveLength(1);
  });

  it('whoever may see the model reads what was done through broken glass; a second person reviews it', async () => {
    const ctx = { ...app.ctx, principal: { id: ada.account.id, kind: 'user' as const, name: 'ada' } };
    const { id } = await breakGlass.open(ctx, { policyName: 'prod', minutes: 5, reason: 'down', ticket: 'INC-1' });
    const { id: modelId } = await models.get(ctx, 'fraud');
    expect((await call('GET', '/api/v1/break-glass?state=open')).body.openings).toMatchObject([{ id, subject: null, name: null }]);
    await transaction(ctx, (inner) => breakGlass.markUsed(inner, id, { subject: 'stage:Production', modelId, versionId: 1 }));
    const [used] = (await call('GET', '/api/v1/break-glass?state=used', undefined, eve)).body.openings;
    expect(used).toMatchObject({
      id,
      policy: 'prod',
      state: 'used',
      ticket: 'INC-1',
      subject: 'stage:Production',
      name: 'fraud',
      version: 1,
    });
    const review = `/api/v1/break-glass/${id}/review`;
    expect((await call('POST', review, { note: 'fine' })).body.message).toContain('A second person reviews it');
    expect((await call('POST', review, { note: 'fine' }, eve)).status).toBe(403);
    await grant(app.ctx, { accountId: eve.account.id }, { kind: 'registered-model', prefix: 'fraud' }, 'MANAGE_PRODUCTION');
    const reviewed = await call('POST', review, { note: 'fine' }, eve);
    expect(reviewed).toMatchObject({ status: 200, body: { state: 'reviewed', note: 'fine', reviewed_by: { name: 'eve' } } });
    expect((await call('POST', '/api/v1/break-glass/987/review', { note: 'fine' })).status).toBe(404);
    expect((await call('GET', '/api/v1/break-glass?limit=1')).body).toMatchObject({ openings: [{ id }], next_page_token: null });
  });
});
