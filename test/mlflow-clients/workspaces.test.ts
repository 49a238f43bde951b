/** MLflow's workspace calls, and everything that notebooks do, inside of a workspace: by the newest client, on both databases. */
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { onBothDatabases } from '../support/databases.ts';
import { newestPython, runPython } from '../support/python.ts';
import { call, type RunningServer, startServer } from '../support/server.ts';

const script = (name: string): string => resolve(import.meta.dirname, name);

onBothDatabases('workspaces', (databaseUrl) => {
  let server: RunningServer;
  beforeAll(async () => {
    server = await startServer({ databaseUrl: await databaseUrl(), args: ['--enable-workspaces'] });
  }, 120_000);
  afterAll(async () => {
    await server.stop();
  });

  describe.skipIf(!newestPython)('with the real client', () => {
    const run = async (name: string, env: Readonly<Record<string, string>>) => {
      const result = await runPython(newestPython ?? '', [script(name)], { MLFLOW_TRACKING_URI: server.url, ...env });
      expect(result.code, `${result.stdout.slice(-3000)}\n${result.stderr.slice(-4000)}`).toBe(0);
      return result.stdout;
    };

    it('are made, worked in and deleted by its own calls', async () => {
      const said = await run('workspaces.py', {});
      expect(said).toMatch(/^ok +working_in_one/m);
      expect(said).not.toContain('skipped');
    }, 300_000);

    it('every flow of the fluent API works in one', async () => {
      await call(server, 'POST', '/api/v1/workspaces', { name: 'speech' });
      await run('fluent.py', { MLFLOW_WORKSPACE: 'speech' });
      expect((await call(server, 'GET', '/api/v1/events/verification')).body).toMatchObject({ ok: true });
      const held = await call(server, 'GET', '/api/v1/workspaces/speech');
      expect(held.body.usage.models).toBeGreaterThan(0);
      expect(
        (await call(server, 'GET', '/api/v1/models')).body.models.filter((each: { name: string }) => each.name.startsWith('mlflow')),
      ).toEqual([]);
    }, 300_000);
  });
});
