/** `AuthServiceClient` of MLflow's releases, and what each level lets its clients do: with a name and a password and with tokens, on both databases. */
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { onBothDatabases } from '../support/databases.ts';
import { pythons, runPython } from '../support/python.ts';
import { call, mlflow, type RunningServer, startServer } from '../support/server.ts';

const SCRIPT = resolve(import.meta.dirname, 'auth.py');
const ADMIN = 'admin';
const PASSWORD = 'a long enough password';
const BASIC = { authorization: `Basic ${Buffer.from(`${ADMIN}:${PASSWORD}`).toString('base64')}`, 'content-type': 'application/json' };

/** 1.x had no accounts. */
const clients = Object.entries(pythons).filter(([name]) => /^mlflow-[23]/.test(name));

onBothDatabases('accounts, by the clients', (databaseUrl) => {
  let server: RunningServer;
  let token: string;
  beforeAll(async () => {
    server = await startServer({ databaseUrl: await databaseUrl() });
    // The first account of a server that had none administers it, and from then on everybody signs in.
    const { user } = await mlflow(server, 'POST', 'users/create', { username: ADMIN, password: PASSWORD });
    expect(user).toMatchObject({ username: ADMIN, is_admin: true, experiment_permissions: [], registered_model_permissions: [] });
    expect((await call(server, 'GET', '/api/2.0/mlflow/users/current')).status).toBe(401);
    const made = await fetch(`${server.url}/api/v1/tokens`, {
      method: 'POST',
      headers: BASIC,
      body: JSON.stringify({ name: 'of the tests', scopes: ['admin'], expires_at: null }),
    });
    token = ((await made.json()) as { secret: string }).secret; // the contract's NewToken
  }, 120_000);
  afterAll(async () => {
    await server.stop();
  });

  describe.skipIf(clients.length === 0)('with the real client', () => {
    it.each(clients)(
      '%s manages users, grants and roles, and may do what its level says',
      async (name, python) => {
        const result = await runPython(python, [SCRIPT], {
          MLFLOW_TRACKING_URI: server.url,
          FLOW_PREFIX: name,
          AUTH_ADMIN: ADMIN,
          AUTH_PASSWORD: PASSWORD,
          AUTH_TOKEN: token,
          AUTH_TOKEN_USER: ADMIN,
        });
        expect(result.code, `${result.stdout.slice(-3000)}\n${result.stderr.slice(-4000)}`).toBe(0);
        expect(result.stdout).toMatch(/^ok tokens$/m);
      },
      300_000,
    );
  });
});
