/** Stages that a workspace defines, through the unmodified clients, on both databases. */
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { onBothDatabases } from '../support/databases.ts';
import { pythons, runPython } from '../support/python.ts';
import { call, type RunningServer, startServer } from '../support/server.ts';

const SCRIPT = resolve(import.meta.dirname, 'stages.py');
const clients = Object.entries(pythons).filter(([name]) => name.startsWith('mlflow-'));

const EDGES = ['None UAT', 'None Staging', 'UAT Canary', 'UAT Archived', 'Canary Production', 'Production Archived'];

onBothDatabases('stages of the workspace', (databaseUrl) => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer({ databaseUrl: await databaseUrl() });
    const answer = await call(server, 'PATCH', '/api/v1/settings', {
      stages: [{ name: 'Staging' }, { name: 'UAT' }, { name: 'Canary', active: false, level: 'MANAGE_PRODUCTION' }, { name: 'Production' }],
      stage_edges: EDGES.map((edge) => edge.split(' ')).map(([from, to]) => ({ from, to })),
    });
    expect(answer.status, JSON.stringify(answer.body)).toBe(200);
  }, 120_000);
  afterAll(async () => {
    await server.stop();
  });

  describe.skipIf(clients.length === 0)('with the real client', () => {
    it.each(clients)(
      '%s moves versions into them, finds them there, and loads them from there',
      async (name, python) => {
        const result = await runPython(python, [SCRIPT], { MLFLOW_TRACKING_URI: server.url, FLOW_PREFIX: name });
        expect(result.code, `${result.stdout.slice(-3000)}\n${result.stderr.slice(-4000)}`).toBe(0);
        expect(result.stdout).toMatch(/^ok +moving_and_loading/m);
        expect((await call(server, 'GET', '/api/v1/events/verification')).body).toMatchObject({ ok: true });
      },
      300_000,
    );
  });

  it('are asked for, answered and moved to by the calls of databricks-sdk', async () => {
    const at = '/api/2.0/mlflow';
    await call(server, 'POST', '/api/v1/models', { name: 'Asked' });
    for (let i = 0; i < 2; i++) await call(server, 'POST', '/api/v1/models/Asked/versions', { source: 's3://bucket/model' });
    const version = (number: string) => ({ name: 'Asked', version: number });
    const all = { archive_existing_versions: true };
    const moved = await call(server, 'POST', `${at}/databricks/model-versions/transition-stage`, { ...version('1'), stage: 'uat', ...all });
    expect(moved.body.model_version_databricks).toMatchObject({ current_stage: 'UAT' });
    const asked = await call(server, 'POST', `${at}/transition-requests/create`, { ...version('2'), stage: 'uat' });
    expect(asked.body.request).toMatchObject({ to_stage: 'UAT' });
    const notAlong = await call(server, 'POST', `${at}/transition-requests/create`, { ...version('2'), stage: 'Production' });
    expect(notAlong).toMatchObject({ status: 400, body: { error_code: 'INVALID_STATE' } });
    const approved = await call(server, 'POST', `${at}/transition-requests/approve`, { ...version('2'), stage: 'UAT', ...all });
    expect(approved.body.activity).toMatchObject({ to_stage: 'UAT' });
    const stages = async (): Promise<string[]> =>
      (await call(server, 'GET', '/api/v1/models/Asked/versions')).body.versions.map((each: { stage: string }) => each.stage);
    expect(await stages()).toEqual(['UAT', 'Archived']);
    // Canary isn't active: the SDK always says something about archiving, and nothing is archived.
    const toCanary = await call(server, 'POST', `${at}/databricks/model-versions/transition-stage`, {
      ...version('2'),
      stage: 'CANARY',
      ...all,
    });
    expect(toCanary.body.model_version_databricks).toMatchObject({ current_stage: 'Canary' });
  });

  it('are read with everything filled in, and stay while versions stand in them', async () => {
    const { body: settings } = await call(server, 'GET', '/api/v1/settings');
    expect(settings.stages.map((stage: { name: string }) => stage.name)).toEqual([
      'None',
      'Staging',
      'UAT',
      'Canary',
      'Production',
      'Archived',
    ]);
    expect(settings.stages[3]).toEqual({ name: 'Canary', active: false, level: 'MANAGE_PRODUCTION' });
    await call(server, 'POST', '/api/v1/models', { name: 'Kept' });
    await call(server, 'POST', '/api/v1/models/Kept/versions', { source: 's3://bucket/model' });
    expect((await call(server, 'PUT', '/api/v1/models/Kept/versions/1/stage', { stage: 'uat' })).body.stage).toBe('UAT');
    const fewer = { stages: settings.stages.filter((stage: { name: string }) => stage.name !== 'UAT'), stage_edges: null };
    const refused = await call(server, 'PATCH', '/api/v1/settings', fewer);
    expect(refused).toMatchObject({ status: 400, body: { error_code: 'INVALID_STATE' } });
    expect(refused.body.message).toContain("The stage UAT can't be taken away: it is in use by versions: ");
    expect(refused.body.message).toContain('Kept/1');
    expect((await call(server, 'GET', '/api/v1/settings')).body).toEqual(settings);
  });
});
