/** The two exceptions to a policy's requirements, over HTTP: broken glass lets one change through and is closed then; blocked bytes go nowhere. */
import { tmpdir } from 'node:os';
import { Readable } from 'node:stream';
import * as artifacts from '@countersign/server/features/artifacts/artifacts.ts';
import * as models from '@countersign/server/features/models/models.ts';
import * as runs from '@countersign/server/features/runs/runs.ts';
import * as transitions from '@countersign/server/features/transitions/transitions.ts';
import { PostgresDatabase } from '@countersign/server/platform/db/postgres.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addUser, ask, openApp, type Person, type RunningApp } from '../support/app.ts';
import { sourceCountersign } from '../support/cli.ts';
import { type PostgresCluster, startPostgres } from '../support/postgres.ts';
import type { Answer } from '../support/server.ts';

const POLICY = `
name: fraud-production
mode: enforce
match: { model: fraud, target: { stage: Production } }
requirements: { approvals: [{ level: MANAGE_PRODUCTION }] }
break_glass: { permission: emergency, minutes: 15 }
`;
const EMERGENCY = { policy: 'fraud-production', reason: 'the model answers nonsense', ticket: 'INC-7' };

let cluster: PostgresCluster;
beforeAll(async () => {
  cluster = await startPostgres();
}, 120_000);
afterAll(() => cluster?.stop());

describe.each(['sqlite', 'postgres'] as const)('exceptions on %s', (dialect) => {
  let app: RunningApp;
  let ada: Person;
  let bob: Person;

  beforeAll(async () => {
    app = await openApp(dialect === 'sqlite' ? {} : { db: new PostgresDatabase(await cluster.createDatabase()) });
    const { ctx } = app;
    ada = await addUser(ctx, 'ada', { isAdmin: true });
    bob = await addUser(ctx, 'bob', { isAdmin: true });
    await models.create(ctx, { name: 'fraud', tags: [] });
    for (const bytes of ['one', 'two', 'three']) {
      const { runId, artifactUri } = (await runs.create(ctx, { experimentId: 0, userId: '', startTime: 0, tags: [] })).info;
      await artifacts.put(ctx, `${artifacts.storedPathOf(artifactUri)}/model/MLmodel`, Readable.from([Buffer.from(bytes)]));
      const of = { runId, loggedModelId: undefined, runLink: '', description: undefined, tags: [] };
      await transitions.registerVersion(ctx, { name: 'fraud', source: `runs:/${runId}/model`, ...of });
    }
    expect((await call(ada, 'PUT', '/api/v1/named-permissions/emergency/holders/user/ada', {})).status).toBe(200);
    const published = await call(ada, 'POST', '/api/v1/policies', { text: POLICY });
    expect(published.status, JSON.stringify(published.body)).toBe(201);
  });
  afterAll(() => app.close());

  function call(who: Person, method: string, path: string, body?: unknown): Promise<Answer> {
    return ask(app, method, path, { as: who.secret, ...(body === undefined ? {} : { body }) });
  }
  const toProduction = (who: Person, version: number): Promise<Answer> =>
    call(who, 'POST', '/api/2.0/mlflow/model-versions/transition-stage', {
      name: 'fraud',
      version: String(version),
      stage: 'Production',
      archive_existing_versions: false,
    });
  const stageOf = async (version: number): Promise<string> =>
    (await call(ada, 'GET', `/api/v1/models/fraud/versions/${version}`)).body.stage;
  const digestOf = async (version: number): Promise<string> =>
    (await call(ada, 'GET', `/api/v1/models/fraud/versions/${version}`)).body.seal.digest;

  it('the glass is broken once by who may, marked, and closed until somebody else has reviewed it', async () => {
    expect((await toProduction(ada, 1)).status).toBe(403);
    expect((await call(bob, 'POST', '/api/v1/break-glass', EMERGENCY)).body.message).toContain("permission 'emergency'");
    expect((await call(ada, 'POST', '/api/v1/break-glass', { ...EMERGENCY, policy: 'other' })).status).toBe(404);
    const opened = await call(ada, 'POST', '/api/v1/break-glass', EMERGENCY);
    expect(opened).toMatchObject({ status: 201, body: { policy: 'fraud-production', state: 'open', ticket: 'INC-7' } });
    expect(opened.body.expires_at - opened.body.opened_at).toBe(15 * 60_000);
    expect((await toProduction(bob, 1)).status).toBe(403);
    expect((await toProduction(ada, 1)).status).toBe(200);
    expect(await stageOf(1)).toBe('Production');
    const [used] = (await call(bob, 'GET', '/api/v1/break-glass?state=used')).body.openings;
    expect(used).toMatchObject({ id: opened.body.id, subject: 'stage:Production', name: 'fraud', version: 1 });

    await call(ada, 'POST', '/api/v1/break-glass', EMERGENCY);
    const again = await toProduction(ada, 2);
    expect(again).toMatchObject({ status: 403, body: { message: expect.stringContaining('not reviewed by a second person') } });
    const review = `/api/v1/break-glass/${used.id}/review`;
    expect((await call(ada, 'POST', review, { note: 'fine' })).status).toBe(403);
    expect((await call(bob, 'POST', review, { note: 'fine' })).status).toBe(200);
    expect((await toProduction(ada, 2)).status).toBe(200);
    const { events } = (await call(ada, 'GET', '/api/v1/models/fraud/events?limit=100')).body;
    const marks = events.filter((each: { data: { admission?: string } }) => each.data.admission === 'break-glass');
    expect(new Set(marks.map((each: { version_id: number }) => each.version_id)).size).toBe(2);
  });

  it('what is refused leaves the opening as it was', async () => {
    const open = (await call(ada, 'GET', '/api/v1/break-glass?state=used')).body.openings;
    await call(bob, 'POST', `/api/v1/break-glass/${open[0].id}/review`, { note: 'fine' });
    const { body } = await call(ada, 'POST', '/api/v1/break-glass', EMERGENCY);
    await call(ada, 'POST', '/api/v1/blocks', { model: 'fraud', version: 3, reason: 'poisoned' });
    expect(await toProduction(ada, 3)).toMatchObject({ status: 403, body: { message: expect.stringContaining('poisoned') } });
    expect((await call(ada, 'GET', '/api/v1/break-glass?state=open')).body.openings[0].id).toBe(body.id);
    expect(await stageOf(3)).toBe('None');
  });

  it('a block is lifted where somebody else agrees', async () => {
    const digest = await digestOf(3);
    const lift = (who: Person): Promise<Answer> => call(who, 'POST', `/api/v1/blocks/${digest}/lift`, { reason: 'checked again' });
    const refused = await lift(ada);
    expect(refused.status).toBe(403);
    const id = /request (\d+)/i.exec(refused.body.message)?.[1];
    expect(id, refused.body.message).toBeDefined();
    expect((await call(bob, 'POST', `/api/v1/requests/${id}/approve`, {})).status).toBe(200);
    expect(await lift(ada)).toMatchObject({ status: 200 });
    expect((await call(ada, 'GET', `/api/v1/blocks/${digest}`)).body.blocks[0]).toMatchObject({
      reason: 'poisoned',
      lift_reason: 'checked again',
      lifted_by: { name: 'ada' },
    });
    expect((await lift(ada)).status).toBe(404);
  });

  it('a block of every workspace is lifted by whom the default workspace lets', async () => {
    const digest = await digestOf(3);
    const everywhere = { digest, reason: 'poisoned everywhere', server_wide: true };
    expect((await call(ada, 'POST', '/api/v1/blocks', everywhere)).status).toBe(201);
    expect((await call(ada, 'POST', '/api/v1/workspaces', { name: 'lab' })).status).toBeLessThan(300);
    const fromLab = await ask(app, 'POST', `/api/v1/blocks/${digest}/lift`, {
      as: ada.secret,
      headers: { 'x-mlflow-workspace': 'lab' },
      body: { reason: 'from elsewhere', server_wide: true },
    });
    expect(fromLab.status, JSON.stringify(fromLab.body)).toBe(403);
    expect((await call(ada, 'GET', '/api/v1/models/fraud/versions/3')).body.blocked).toMatchObject({ reason: 'poisoned everywhere' });
  });

  it('the same by commands', async () => {
    const run = async (who: Person, ...args: string[]): Promise<string> => {
      const env = { COUNTERSIGN_SERVER: app.url, COUNTERSIGN_TOKEN: who.secret };
      const { code, stdout, stderr } = await sourceCountersign(args, { cwd: tmpdir(), env });
      return code === 0 ? stdout : `${code}: ${stderr}`;
    };
    const digest = await digestOf(2);
    expect(await run(ada, 'block', 'add', 'fraud/2', '--reason', 'stale data')).toBe(`Blocked ${digest}.\n`);
    expect(await run(ada, 'block', 'list', '--state', 'open')).toMatch(new RegExp(`${digest} +open +workspace +ada .*stale data`));
    expect(await run(ada, 'block', 'show', digest, '--quiet')).toBe('fraud/2\n');
    expect(await run(ada, 'block', 'lift', digest, '--reason', 'fresh')).toMatch(/^3: [\s\S]*[Rr]equest \d+/);
    expect(await run(ada, 'block', 'add', 'fraud', '--reason', 'x')).toContain('A version is given as');
    const id = (await run(ada, 'break-glass', 'open', 'fraud-production', '--reason', 'down', '--ticket', 'INC-9', '--quiet')).trim();
    expect(id).toMatch(/^\d+$/);
    expect(await run(bob, 'break-glass', 'list', '--state', 'open')).toMatch(new RegExp(`${id} +open +fraud-production +ada .*INC-9`));
    expect(await run(bob, 'break-glass', 'review', id, '--note', 'fine')).toMatch(/^5: .*was not used/);
  });
});
