/** databricks-sdk's `WorkspaceClient` on the routes that it shares with MLflow's clients, on both databases. */
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { onBothDatabases } from '../support/databases.ts';
import { pythons, runPython } from '../support/python.ts';
import { type RunningServer, startServer } from '../support/server.ts';

const SCRIPT = resolve(import.meta.dirname, 'databricks_sdk.py');
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
  });
});
