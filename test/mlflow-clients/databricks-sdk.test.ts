/** databricks-sdk's `WorkspaceClient` on the routes that it shares with MLflow's clients, and on its own for permissions, on both databases. */
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { onBothDatabases } from '../support/databases.ts';
import { pythons, runPython } from '../support/python.ts';
import { mlflow, type RunningServer, startServer } from '../support/server.ts';

const SCRIPT = resolve(import.meta.dirname, 'databricks_sdk.py');
const PERMISSIONS_SCRIPT = resolve(import.meta.dirname, 'databricks_permissions.py');
/** The environment that has the SDK. */
const python = pythons['mlflow-3.17'];

onBothDatabases('databricks-sdk', (databaseUrl) => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer({ databaseUrl: await databaseUrl() });
  }, 120_000);
  afterAll(async () => {
    await server.stop();
  });

  describe.skipIf(python === undefined)('with the real client', () => {
    it('keeps experiments, runs and models, starts silently, and is told what is not there yet', async () => {
      const result = await runPython(python ?? '', [SCRIPT], { MLFLOW_TRACKING_URI: server.url });
      expect(result.code, result.stderr.slice(-4000)).toBe(0);
      expect(result.stderr).not.toContain('databricks-config');
    }, 120_000);

    // After the other: from the first account on, everybody signs in.
    it('sets and shows permissions, and may do what they say', async () => {
      await mlflow(server, 'POST', 'users/create', { username: 'admin', password: 'a long enough password' });
      const made = await fetch(`${server.url}/api/v1/tokens`, {
        method: 'POST',
        headers: {
          authorization: `Basic ${Buffer.from('admin:a long enough password').toString('base64')}`,
          'content-type': 'application/json',
        },
        body: JSON.stringify({ name: 'of the tests', scopes: ['admin'], expires_at: null }),
      });
      const { secret } = (await made.json()) as { secret: string }; // the contract's NewToken
      const env = { MLFLOW_TRACKING_URI: server.url, AUTH_ADMIN: 'admin', AUTH_TOKEN: secret };
      const result = await runPython(python ?? '', [PERMISSIONS_SCRIPT], env);
      expect(result.code, result.stderr.slice(-4000)).toBe(0);
    }, 120_000);
  });
});
