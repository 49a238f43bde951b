/** The cookbook's policies in force together on a server, and some of its stories as people live them. */
import { resolve } from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import type { Office } from '../support/governed-office.ts';
import { openGuideOffice, run } from '../support/guide-office.ts';

const EXAMPLES = resolve(import.meta.dirname, '../../docs/policies/examples');
const STAGES = { stages: [{ name: 'Staging' }, { name: 'Canary' }, { name: 'Production' }] };

let office: Office;
beforeAll(async () => {
  office = await openGuideOffice();
  await office.must('root', 'PATCH', '/api/v1/settings', STAGES);
  for (const name of ['claims-eu', 'prod.churn']) await office.must('alice', 'POST', '/api/2.0/mlflow/registered-models/create', { name });
  await office.must('alice', 'POST', '/api/2.0/mlflow/model-versions/create', { name: 'claims-eu', source: 'models:/dev.churn/1' });
});
afterAll(() => office.close());

async function says(who: string, command: string, code = 0): Promise<string> {
  const ended = await run(office, who, command);
  expect(ended.code, `${command}\n${ended.output}`).toBe(code);
  return ended.output;
}

it('they are published in one step, once those who decide about settings are there', async () => {
  expect(await says('root', `countersign policy check ${EXAMPLES}`)).not.toContain('line');
  expect(await says('root', `countersign policy apply ${EXAMPLES} --yes`, 5)).toContain("group 'admins'");
  await says('root', 'countersign group create admins && countersign group add admins dave erin');
  expect(await says('root', `countersign policy apply ${EXAMPLES} --yes`)).toContain('prod-champion');
});

it('a tag opens the door, and those who validate set it', async () => {
  const moved = { name: 'claims-eu', version: '1', stage: 'Production' };
  const move = () => office.as('alice', 'POST', '/api/2.0/mlflow/model-versions/transition-stage', moved);
  const refused = await move();
  expect([refused.status, refused.body.message]).toEqual([403, expect.stringContaining("no tag 'validation_status' = 'approved'")]);
  const tag = { name: 'claims-eu', version: '1', key: 'validation_status', value: 'approved' };
  expect((await office.as('alice', 'POST', '/api/2.0/mlflow/model-versions/set-tag', tag)).status).toBe(403);
  await says('alice', 'countersign request create claims-eu/1 --tag validation_status=approved');
  expect(await says('erin', 'countersign request approve 1', 3)).toContain("'erin'");
  expect(await says('bob', 'countersign request approve 1')).toContain('carried out');
  await says('alice', 'countersign version evidence claims-eu/1 --renew');
  expect((await move()).status).toBe(200);
});

it('what is copied into prod is signed, and champion by two; challenger is free', async () => {
  const copy = () =>
    office.as('alice', 'POST', '/api/2.0/mlflow/model-versions/create', { name: 'prod.churn', source: 'models:/dev.churn/1' });
  expect((await copy()).body.message).toContain('Open a request; they approve it.');
  const asked = await says('alice', 'countersign request create prod.churn --entry models:/dev.churn/1 --quiet');
  await says('bob', `countersign request approve ${asked}`);
  expect((await copy()).body.model_version).toMatchObject({ name: 'prod.churn', version: '1' });
  const alias = (name: string) =>
    office.as('alice', 'POST', '/api/2.0/mlflow/registered-models/alias', { name: 'prod.churn', alias: name, version: '1' });
  expect([(await alias('challenger')).status, (await alias('champion')).status]).toEqual([200, 403]);
  const champion = (await says('alice', 'countersign request create prod.churn/1 --alias champion --quiet')).trim();
  await says('ci', 'countersign check run ci/tests prod.churn/1 -- true');
  await says('bob', `countersign request approve ${champion}`);
  expect(await says('carol', `countersign request approve ${champion}`)).toContain('carried out');
});

it('nobody changes the rules alone', async () => {
  expect(await says('root', 'countersign policy withdraw prod-champion --yes', 3)).toContain("Policy 'administration'");
});
