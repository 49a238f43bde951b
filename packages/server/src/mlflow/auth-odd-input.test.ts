/** The auth API and databricks-sdk's permissions, asked with whatever: an answer in upstream's shape, and never a failure of the server. */
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { addUser, ask, openApp, type Person, type RunningApp } from '../../../../test/support/app.ts';
import { onBothDatabases } from '../../../../test/support/databases.ts';
import { databricksPermissionRpcs } from '../databricks/permission-rpcs.ts';
import { databricksRegistryRpcs } from '../databricks/registry-rpcs.ts';
import { openDatabase } from '../platform/db/open.ts';
import { authOldPermissionRpcs } from './auth-old-permission-rpcs.ts';
import { authPermissionRpcs } from './auth-permission-rpcs.ts';
import { authRoleGrantRpcs } from './auth-role-grant-rpcs.ts';
import { authRoleMemberRpcs } from './auth-role-member-rpcs.ts';
import { authRoleRpcs } from './auth-role-rpcs.ts';
import { authUserRpcs } from './auth-user-rpcs.ts';

const rpcs = [
  ...authUserRpcs,
  ...authPermissionRpcs,
  ...authRoleRpcs,
  ...authRoleGrantRpcs,
  ...authRoleMemberRpcs,
  ...authOldPermissionRpcs,
  ...databricksPermissionRpcs,
  ...databricksRegistryRpcs,
];

const TEXTS = [
  'ann',
  'root',
  'default',
  '*',
  'team-*',
  'READ',
  'EDIT',
  'MANAGE',
  'DENY',
  'NO_PERMISSIONS',
  'CAN_READ',
  'experiment',
  'registered_model',
  'prompt',
  'scorer',
  'run',
  'workspace',
  'constructor',
  '__proto__',
  '__user_1__',
  'a long enough password',
  '',
  ' ',
  '0',
  '-1',
  '1e3',
  '99999999999999999999',
  '9223372036854775807',
  '١٢',
  'Ünïcödé 🦄',
  'e\u0301',
  '\u202egnp',
  'a\u0000b',
  "o'; DROP TABLE grants; --",
  '%',
  '../..',
  'x'.repeat(5000),
];
const value = fc.oneof(
  { weight: 8, arbitrary: fc.constantFrom(...TEXTS) },
  {
    weight: 3,
    arbitrary: fc.constantFrom<unknown>(0, 1, 2, -1, 1.5, 2 ** 32 + 1, 2 ** 33 + 2, 2 ** 53 + 2, null, true, [], {}, ['a'], [{}], [null]),
  },
  {
    weight: 2,
    arbitrary: fc.array(
      fc.record({ user_name: fc.constantFrom(...TEXTS), permission_level: fc.constantFrom(...TEXTS) }, { requiredKeys: [] }),
      { maxLength: 3 },
    ),
  },
);
const NAMES = [
  'username',
  'password',
  'current_password',
  'is_admin',
  'resource_type',
  'resource_id',
  'resource_pattern',
  'permission',
  'workspace',
  'name',
  'description',
  'role_id',
  'role_permission_id',
  'experiment_id',
  'access_control_list',
  'version',
  'stage',
];
const fields = fc.dictionary(fc.constantFrom(...NAMES), value, { minKeys: 2, maxKeys: NAMES.length });

onBothDatabases('the auth API, asked oddly', (databaseUrl) => {
  let app: RunningApp;
  let root: Person;
  let ann: Person;

  beforeAll(async () => {
    const url = await databaseUrl();
    app = await openApp(url === undefined ? {} : { db: await openDatabase({ kind: 'postgres', url }) });
    root = await addUser(app.ctx, 'root', { isAdmin: true });
    ann = await addUser(app.ctx, 'ann');
  });
  afterAll(() => app.close());

  describe('asked with whatever', () => {
    it.each(rpcs.map((each) => [`${each.methods.join()} ${each.path}`, each] as const))('%s answers', async (_name, rpc) => {
      await fc.assert(
        fc.asyncProperty(fields, fc.constantFrom('0', '1', 'root', '%F0%9F%A6%84', 'x'), fc.boolean(), async (input, id, isRoot) => {
          // Whoever asks must be there for the next question.
          if (rpc.path.endsWith('/delete') || rpc.path.endsWith('update-admin')) delete input.username;
          const [method = 'GET'] = rpc.methods;
          const path = `/api/${rpc.versions[0]}${rpc.path.replace(':id', id)}`;
          const texts = Object.entries(input).map(([name, each]): [string, string] => [
            name,
            typeof each === 'string' ? each : JSON.stringify(each),
          ]);
          const { status, body } = await ask(app, method, method === 'GET' ? `${path}?${new URLSearchParams(texts)}` : path, {
            as: (isRoot ? root : ann).secret,
            ...(method === 'GET' ? {} : { body: input }),
          });
          expect(status, JSON.stringify(body)).toBeLessThan(500);
          expect(status).not.toBe(401);
          if (status !== 200)
            expect(body).toMatchObject({ error_code: expect.any(String), message: expect.stringMatching(/^.{1,2000}$/s) });
        }),
        { numRuns: 60 },
      );
    });
  });
});
