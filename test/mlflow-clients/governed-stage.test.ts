/**
 * The story of stages that are governed: a version is asked for, checked, signed by two and serves, by the unmodified clients; and an auditor sees why,
 * with nothing but a file.
 */
import { readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { SOURCE_COMMAND } from '../support/cli.ts';
import { onBothDatabases } from '../support/databases.ts';
import { type Office, openOffice } from '../support/governed-office.ts';
import { pythons, runPython } from '../support/python.ts';

const SCRIPT = resolve(import.meta.dirname, 'governed_stage.py');
/** The environment that has databricks-sdk beside MLflow's client. */
const python = pythons['mlflow-3.17'];

const POLICY = `
name: fraud-production
description: Two of group risk sign what serves fraud scores.
mode: enforce
match:
  model: "fraud-*"
  target: { stage: Production }
requirements:
  approvals:
    - { group: risk, count: 2 }
  exclude: [run_author]
  checks:
    - name: ci/tests
    - name: ci/bias
  metrics:
    - { name: accuracy, op: ">=", value: 0.92 }
    - { name: accuracy, op: ">=", current: { tolerance: 0.01 } }
  description: true
  signature: true
`;

onBothDatabases('a governed stage', (databaseUrl) => {
  let office: Office;
  let beforeAt = 0;
  beforeAll(async () => {
    office = await openOffice(
      await databaseUrl(),
      {
        alice: { level: 'USE' },
        bob: { level: 'READ', groups: ['risk'] },
        carol: { level: 'READ', groups: ['risk'] },
        eve: { level: 'READ' },
      },
      { ci: { owner: 'root', scopes: ['read', 'check:ci/tests', 'check:ci/bias'] } },
    );
  });
  afterAll(() => office.close());

  async function play(part: 'before' | 'after'): Promise<void> {
    const env = { ...office.env, COUNTERSIGN: SOURCE_COMMAND.join('\n'), COLUMNS: '300' };
    const result = await runPython(python ?? '', [SCRIPT, part], env);
    expect(result.code, `${result.stdout.slice(-2000)}\n${result.stderr.slice(-4000)}`).toBe(0);
    expect(result.stdout).toContain('done');
  }

  describe.skipIf(python === undefined)('with the real clients', () => {
    it('takes a version that its checks, its numbers and two people speak for, and archives what stood there', async () => {
      await play('before');
      beforeAt = Date.now();
      await office.publish(POLICY);
      await play('after');
    }, 300_000);

    it('is explained by a record that an auditor verifies without the server', async () => {
      const exported = await office.command('root', ['audit', 'export', '--texts', '--output', 'record.jsonl']);
      expect(exported.code, exported.stderr).toBe(0);
      const keys = await office.command('root', ['audit', 'keys', '--quiet']);
      writeFileSync(join(office.folder, 'key.pub'), keys.stdout);
      const verify = () => office.command(undefined, ['audit', 'verify', 'record.jsonl', '--key', 'key.pub', '--json']);
      const verified = await verify();
      expect([verified.code, verified.stderr]).toEqual([0, '']);
      expect(JSON.parse(verified.stdout)).toMatchObject({ ok: true, fault: null });
      const record = readFileSync(join(office.folder, 'record.jsonl'), 'utf8');
      const allowed = record.split('\n').find((line) => line.includes('transition.allowed') && line.includes('fraud-production'));
      expect(allowed).toContain('2 of 2 approvals');
      writeFileSync(join(office.folder, 'record.jsonl'), record.replace('stage:Production', 'stage:Prodiction'));
      expect((await verify()).code).toBe(6);
    });

    it('is known as of any day, and goes out of the house as a pack that verifies by itself', async () => {
      const standing = async (query: string): Promise<number[]> =>
        (await office.must('bob', 'GET', `/api/v1/models/fraud-cards/stages/Production${query}`)).versions.map(
          (each: { version: number }) => each.version,
        );
      const then = `?as_of=${new Date(beforeAt).toISOString()}`;
      expect([await standing(then), await standing('')]).toEqual([[1], [2]]);
      const policies = async (query: string): Promise<string[]> =>
        (await office.must('bob', 'GET', `/api/v1/policies${query}`)).policies.map((each: { name: string }) => each.name);
      expect([await policies(then), await policies('')]).toEqual([[], ['fraud-production']]);
      const exported = await office.command('root', ['evidence', 'export', 'fraud-cards/2', '-o', 'pack.zip']);
      expect(exported.code, exported.stderr).toBe(0);
      const verify = (file: string) => office.command(undefined, ['evidence', 'verify', file, '--key', 'key.pub']);
      const verified = await verify('pack.zip');
      expect([verified.code, verified.stderr]).toEqual([0, '']);
      const pack = readFileSync(join(office.folder, 'pack.zip'));
      pack.writeUInt8(pack.readUInt8(400) ^ 1, 400);
      writeFileSync(join(office.folder, 'damaged.zip'), pack);
      expect((await verify('damaged.zip')).code).toBe(6);
    });
  });
});
