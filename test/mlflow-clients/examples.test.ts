/** The main job, by the unmodified clients: the scripts of examples/, oldest and newest release (all of them in the full run), on both databases. */
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { onBothDatabases } from '../support/databases.ts';
import { pythons, runPython } from '../support/python.ts';
import { call, type RunningServer, startServer } from '../support/server.ts';

const EXAMPLES = resolve(import.meta.dirname, '../../examples');
/** Aliases came with 2.3, copies with 2.8. */
const withoutAliases = ['mlflow-1.30'];
const clients = Object.entries(pythons).filter(([name]) => name.startsWith('mlflow-'));

onBothDatabases('the examples', (databaseUrl) => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer({ databaseUrl: await databaseUrl() });
  }, 120_000);
  afterAll(async () => {
    await server.stop();
  });

  describe.skipIf(clients.length === 0)('with the real client', () => {
    it.each(clients)(
      '%s registers, promotes, loads and rolls back',
      async (name, python) => {
        const env = {
          MLFLOW_TRACKING_URI: server.url,
          EXPERIMENT_NAME: name,
          MODEL_NAME: `Sample-${name}`,
          DEV_MODEL_NAME: `dev.${name}`,
          PROD_MODEL_NAME: `prod.${name}`,
        };
        for (const script of withoutAliases.includes(name) ? ['stages.py'] : ['stages.py', 'aliases.py']) {
          const result = await runPython(python, [resolve(EXAMPLES, script)], env);
          expect(result.code, result.stderr.slice(-3000)).toBe(0);
        }
        const version = await call(server, 'GET', `/api/v1/models/Sample-${name}/versions/3`);
        expect(version.body).toMatchObject({ seal: { state: 'sealed' } });
        const verdict = await call(server, 'GET', '/api/v1/events/verification');
        expect(verdict.body).toMatchObject({ ok: true });
      },
      400_000,
    );
  });
});
