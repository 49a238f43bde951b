/** The story of a script that knows nothing of policies, with clients of ten years: it is told what is missing, and that this was asked for. */
import { resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { onBothDatabases } from '../support/databases.ts';
import { type Office, openOffice } from '../support/governed-office.ts';
import { pythons, runPython } from '../support/python.ts';

const SCRIPT = resolve(import.meta.dirname, 'governed_unaware.py');
const clients = Object.entries(pythons).filter(([name]) => name.startsWith('mlflow-'));

const POLICY = `
name: unaware-production
mode: enforce
match: { model: "unaware.*", target: { stage: Production } }
requirements: { approvals: [{ group: risk }] }
on_refused: open_request
`;

onBothDatabases('a script that knows nothing of policies', (databaseUrl) => {
  let office: Office;
  beforeAll(async () => {
    office = await openOffice(await databaseUrl(), { dan: { level: 'USE' }, bob: { level: 'READ', groups: ['risk'] } });
    await office.publish(POLICY);
  });
  afterAll(() => office.close());

  describe.skipIf(clients.length === 0)('with the real client', () => {
    it.each(clients)(
      '%s asks by trying',
      async (name, python) => {
        const result = await runPython(python, [SCRIPT], { ...office.env, FLOW_PREFIX: name });
        expect(result.code, `${result.stdout.slice(-2000)}\n${result.stderr.slice(-4000)}`).toBe(0);
        expect(result.stdout).toContain('done');
      },
      300_000,
    );
  });
});
