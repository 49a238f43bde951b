/** The story of a model for each environment: a copy into prod is asked for by trying, signed by two, and then is there; so is `champion`. */
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { onBothDatabases } from '../support/databases.ts';
import { type Office, openOffice } from '../support/governed-office.ts';
import { pythons, runPython } from '../support/python.ts';

const SCRIPT = resolve(import.meta.dirname, 'governed_environments.py');
const python = pythons['mlflow-3.17'];

const signed = (name: string, target: string): string => `
name: ${name}
mode: enforce
match: { model: "prod.*", target: ${target} }
requirements: { approvals: [{ group: risk, count: 2 }] }
on_refused: open_request
`;

onBothDatabases('governed environments', (databaseUrl) => {
  let office: Office;
  beforeAll(async () => {
    office = await openOffice(await databaseUrl(), {
      dora: { level: 'USE' },
      bob: { level: 'READ', groups: ['risk'] },
      carol: { level: 'READ', groups: ['risk'] },
    });
    await office.publish(
      signed('prod-entry', '{ entry: true }'),
      signed('prod-champion', '{ alias: champion }'),
      signed('prod-validation', '{ tag: validation_status }'),
      signed('prompt-live', '{ prompt: { alias: live } }').replace('"prod.*"', '"*"'),
    );
  });
  afterAll(() => office.close());

  it.skipIf(python === undefined)(
    'take what two people signed, by the script that the team always had',
    async () => {
      const result = await runPython(python ?? '', [SCRIPT], office.env);
      expect(result.code, `${result.stdout.slice(-2000)}\n${result.stderr.slice(-4000)}`).toBe(0);
      expect(result.stdout).toContain('done');
      const { decisions } = await office.must('bob', 'GET', '/api/v1/models/prod.churn/versions/1/decisions');
      expect(decisions.map((each: { target: string; admission: string }) => [each.target, each.admission])).toEqual([
        ['alias:champion', 'policy'],
        ['entry', 'policy'],
      ]);
      expect(await office.must('root', 'GET', '/api/v1/events/verification')).toMatchObject({ ok: true });
    },
    300_000,
  );
});
