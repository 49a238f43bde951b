/** A policy whose requirement is an expression, from publishing to the change, over HTTP. */
import { afterAll, beforeAll, expect, it } from 'vitest';
import { onBothDatabases } from '../support/databases.ts';
import { type Office, openOffice } from '../support/governed-office.ts';

const POLICY = (that: string, mode = 'enforce'): string => `
name: small
mode: ${mode}
match: { model: "small.*", target: { stage: Production } }
requirements:
  expressions:
    - name: better
      that: ${JSON.stringify(that)}
      says: It is no better than what stands there, and nobody waived it. Tag it waived=yes, or train on.
`;
const BETTER =
  'version.metrics["accuracy"] > 0.5 && standing.all(s, version.metrics["accuracy"] > s.metrics["accuracy"]) || "waived" in version.tags && version.tags["waived"] == "yes"';

onBothDatabases('expressions in policies', (databaseUrl) => {
  let office: Office;
  beforeAll(async () => {
    office = await openOffice(await databaseUrl(), { alice: { level: 'MANAGE' } });
  });
  afterAll(() => office.close());

  const move = (version: number): ReturnType<Office['as']> =>
    office.as('alice', 'POST', '/api/2.0/mlflow/model-versions/transition-stage', {
      name: 'small.model',
      version: String(version),
      stage: 'Production',
      archive_existing_versions: true,
    });

  it('are refused with line and member where they can’t be read', async () => {
    const refused = await office.as('root', 'POST', '/api/v1/policies/apply', { policies: [{ text: POLICY('version.size > 1') }] });
    expect([refused.status, refused.body.message]).toEqual([
      400,
      expect.stringContaining("line 8: 'requirements.expressions[0].that' is wrong at character 9: No such key: size"),
    ]);
  });

  it('decide by the evidence and what stands there; explain says the same as the change', async () => {
    await office.publish(POLICY(BETTER));
    const explained = async (version: number): Promise<boolean> =>
      (await office.must('alice', 'GET', `/api/v1/models/small.model/versions/${version}/explain?target=stage:Production`)).is_allowed;
    const first = await office.register('alice', 'small.model', { metrics: { accuracy: 0.8 } });
    expect([await explained(first), (await move(first)).status]).toEqual([true, 200]);
    const worse = await office.register('alice', 'small.model', { metrics: { accuracy: 0.7 } });
    const refused = await move(worse);
    expect([await explained(worse), refused.status]).toEqual([false, 403]);
    expect(refused.body.message).toContain(
      'better: It is no better than what stands there, and nobody waived it. Tag it waived=yes, or train on',
    );
    const unknown = await office.register('alice', 'small.model');
    expect((await move(unknown)).body.message).toContain("it can't be told: No such key: accuracy");
    const tag = { name: 'small.model', version: String(worse), key: 'waived', value: 'yes' };
    await office.must('alice', 'POST', '/api/2.0/mlflow/model-versions/set-tag', tag);
    expect((await move(worse)).status).toBe(403);
    await office.must('alice', 'POST', `/api/v1/models/small.model/versions/${worse}/evidence/renew`);
    expect([await explained(worse), (await move(worse)).status]).toEqual([true, 200]);
  });

  it('in a policy that warns are told in the header', async () => {
    await office.publish(POLICY('version.params.size() > 3', 'warn'));
    const version = await office.register('alice', 'small.model', { metrics: { accuracy: 0.9 } });
    const moved = await move(version);
    expect([moved.status, moved.headers.get('countersign-warning')]).toEqual([200, expect.stringContaining('better: It is no better')]);
  });
});
