/** What notebooks do all day, by the unmodified clients: oldest and newest release (all of them in the full run), on both databases. */
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { onBothDatabases } from '../support/databases.ts';
import { pythons, runPython } from '../support/python.ts';
import { call, type RunningServer, startServer } from '../support/server.ts';

const FLOWS = resolve(import.meta.dirname, 'fluent.py');
const clients = Object.entries(pythons).filter(([name]) => name.startsWith('mlflow-'));

onBothDatabases('the fluent flows', (databaseUrl) => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer({ databaseUrl: await databaseUrl() });
  }, 120_000);
  afterAll(async () => {
    await server.stop();
  });

  describe.skipIf(clients.length === 0)('with the real client', () => {
    it.each(clients)(
      '%s finds everything where it left it',
      async (name, python) => {
        const result = await runPython(python, [FLOWS], { MLFLOW_TRACKING_URI: server.url, FLOW_PREFIX: name });
        expect(result.code, `${result.stdout.slice(-3000)}\n${result.stderr.slice(-4000)}`).toBe(0);
        expect(result.stdout).toMatch(/^ok +params_metrics_and_tags/m);
        const verdict = await call(server, 'GET', '/api/v1/events/verification');
        expect(verdict.body).toMatchObject({ ok: true });
      },
      300_000,
    );
  });
});
