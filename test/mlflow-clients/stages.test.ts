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
