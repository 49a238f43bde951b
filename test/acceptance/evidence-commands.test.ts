/** Evidence packs and lineage as people meet them: asked of a server by commands, and verified where there is none. */
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { openCheckpoints } from '@countersign/server/features/checkpoints/checkpoints.ts';
import { PostgresDatabase } from '@countersign/server/platform/db/postgres.ts';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { addUser, ask, grant, openApp, type RunningApp } from '../support/app.ts';
import { countersign as runCommand } from '../support/cli.ts';
import { onBothDatabases } from '../support/databases.ts';
import { secretBox } from '../support/master-keys.ts';

const MLFLOW = '/api/2.0/mlflow';

onBothDatabases('evidence of a version', (databaseUrl) => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-evidence-'));
  let app: RunningApp;
  let root: string;
  let viewer: string;

  beforeAll(async () => {
    const url = await databaseUrl();
    const checkpoints = openCheckpoints({ secrets: secretBox(join(folder, 'master.key')), givenKeys: undefined });
    app = await openApp({ checkpoints, ...(url === undefined ? {} : { db: new PostgresDatabase(url) }) });
    root = (await addUser(app.ctx, 'root', { isAdmin: true })).secret;
    const closed = await ask(app, 'PATCH', '/api/v1/settings', { as: root, body: { member_level: 'NONE' } });
    expect(closed.status).toBe(200);
    const ada = await addUser(app.ctx, 'ada');
    viewer = ada.secret;
    await grant(app.ctx, { accountId: ada.account.id }, { kind: 'registered-model', prefix: 'fraud' }, 'VIEW');
    const { body: made } = await change('runs/create', {
      experiment_id: '0',
      tags: [{ key: 'mlflow.source.git.commit', value: 'abcdef0123456789' }],
    });
    const { run_id, artifact_uri } = made.run.info;
    const dataset = { name: 'claims', digest: 'd1', source_type: 'local', source: '{}' };
    await change('runs/log-inputs', { run_id, datasets: [{ dataset, tags: [] }] });
    const path = artifact_uri.replace('mlflow-artifacts:', '/api/2.0/mlflow-artifacts/artifacts');
    const headers = { authorization: `Bearer ${root}` };
    await fetch(`${app.url}${path}/model/MLmodel`, { method: 'PUT', headers, body: 'flavors: {}\n' });
    await change('registered-models/create', { name: 'fraud' });
    await change('model-versions/create', { name: 'fraud', source: `runs:/${run_id}/model`, run_id });
    await change('registered-models/create', { name: 'prod.fraud' });
    await change('model-versions/create', { name: 'prod.fraud', source: 'models:/fraud/1' });
    await change('model-versions/transition-stage', { name: 'fraud', version: '1', stage: 'Staging' });
    await change('registered-models/alias', { name: 'prod.fraud', alias: 'champion', version: '1' });
  });
  afterAll(async () => {
    await app.close();
    rmSync(folder, { recursive: true });
  });

  // biome-ignore lint/suspicious/noExplicitAny: the answers of several calls
  async function change(route: string, body: unknown): Promise<{ status: number; body: any }> {
    const answer = await ask(app, 'POST', `${MLFLOW}/${route}`, { as: root, body });
    expect([route, answer.status]).toEqual([route, 200]);
    return answer;
  }

  async function countersign(args: readonly string[], { as = root, isOffline = false } = {}) {
    const env = isOffline ? {} : { COUNTERSIGN_SERVER: app.url, COUNTERSIGN_TOKEN: as };
    const { code, stdout, stderr } = await runCommand(args, { cwd: folder, env });
    return { code, out: stdout, err: stderr };
  }

  it('lineage shows as a tree, and says what was only claimed', async () => {
    const { code, out, err } = await countersign(['version', 'lineage', 'prod.fraud@champion']);
    expect([code, err]).toEqual([0, '']);
    const shape = out
      .replaceAll(/[0-9a-f]{32}|\d{4}-\d\d-\d\dT[\d:.]+Z/g, '…')
      .replaceAll(/run [a-z]+-[a-z]+-\d+/g, 'run NAME')
      .replaceAll(/sealed [0-9a-f]{12}/g, 'sealed …');
    expect(shape.trimEnd().split('\n')).toEqual([
      'version prod.fraud/1  sealed …',
      '  comes from',
      '  └─ version fraud/1  sealed …  copied',
      '     └─ run NAME  …',
      '        ├─ data claims  d1  claimed',
      '        └─ code code@abcdef012345  claimed',
      '  became',
      '  └─ alias champion  since …',
    ]);
    const json = await countersign(['version', 'lineage', 'fraud/1', '--direction', 'down', '--json']);
    const { nodes, truncated } = JSON.parse(json.out);
    expect([nodes.map((node: { kind: string }) => node.kind).sort(), truncated]).toEqual([['alias', 'stage', 'version', 'version'], false]);
    // Of the run and what it read, a viewer of the model learns only that they are there.
    const seen = await countersign(['version', 'lineage', 'fraud/1'], { as: viewer });
    expect(seen.out).toContain('run (hidden)');
    expect(seen.out).not.toMatch(/claims|abcdef|prod/);
    expect((await countersign(['version', 'lineage', 'fraud/7'])).code).toBe(4);
    expect((await countersign(['version', 'lineage', 'fraud/1', '--depth', '0'])).code).toBe(2);
  });

  it('lineage goes down from runs and data too', async () => {
    const { body: data } = await ask(app, 'GET', '/api/v1/datasets/d1/lineage', { as: root });
    expect(data.nodes.map((node: { kind: string }) => node.kind).sort()).toEqual([
      'alias',
      'dataset',
      'run',
      'stage',
      'version',
      'version',
    ]);
    const run = data.nodes.find((node: { kind: string }) => node.kind === 'run');
    const { body } = await ask(app, 'GET', `/api/v1/runs/${run.facts.run_id}/lineage`, { as: root });
    expect(body.roots).toEqual([run.id]);
    expect((await ask(app, 'GET', '/api/v1/datasets/d1/lineage', { as: viewer })).status).toBe(404);
    expect((await ask(app, 'GET', `/api/v1/runs/${run.facts.run_id}/lineage`, { as: viewer })).status).toBe(403);
  });

  it('a pack is exported, and verified where there is no server, by the key and by a checkpoint that was kept', async () => {
    writeFileSync(join(folder, 'kept.txt'), (await countersign(['audit', 'checkpoint'])).out);
    writeFileSync(join(folder, 'key.pub'), (await countersign(['audit', 'keys', '--quiet'])).out);
    await change('registered-models/alias', { name: 'fraud', alias: 'candidate', version: '1' });
    const exported = await countersign(['evidence', 'export', 'fraud@candidate', '-o', 'fraud.zip', '--since', 'kept.txt', '--json']);
    expect([exported.code, exported.err]).toEqual([0, '']);
    expect(JSON.parse(exported.out)).toEqual({ file: 'fraud.zip', bytes: readFileSync(join(folder, 'fraud.zip')).length });
    expect((await countersign(['evidence', 'export', 'fraud/1', '-o', 'fraud.zip'])).code).toBe(5);
    const verified = await countersign(['evidence', 'verify', 'fraud.zip', '--key', 'key.pub', '--since', 'kept.txt', '--json'], {
      isOffline: true,
    });
    expect([verified.code, verified.err]).toEqual([0, '']);
    expect(JSON.parse(verified.out)).toMatchObject({
      ok: true,
      fault: null,
      name: 'fraud',
      version: 1,
      digest: expect.stringMatching(/^[0-9a-f]{64}$/),
    });
    const plain = await countersign(['evidence', 'verify', 'fraud.zip'], { isOffline: true });
    expect([plain.code, plain.out]).toEqual([0, expect.stringMatching(/^Whole: fraud\/1, sealed with [0-9a-f]{64}; \d+ events/)]);
    expect(plain.err).toContain('--key');
  });

  it('what was changed in a pack is named, with exit code 6', async () => {
    const bytes = readFileSync(join(folder, 'fraud.zip'));
    const at = bytes.indexOf('candidate');
    bytes[at] = (bytes[at] ?? 0) ^ 1;
    writeFileSync(join(folder, 'changed.zip'), bytes);
    const changed = await countersign(['evidence', 'verify', 'changed.zip'], { isOffline: true });
    expect([changed.code, changed.out]).toEqual([6, expect.stringMatching(/^NOT WHOLE\. /)]);
    writeFileSync(join(folder, 'other.pub'), `${Buffer.alloc(32, 7).toString('base64')}\n`);
    const distrusted = await countersign(['evidence', 'verify', 'fraud.zip', '--key', 'other.pub'], { isOffline: true });
    expect([distrusted.code, distrusted.out]).toEqual([6, expect.stringContaining('pack.sig is signed by other keys')]);
    expect((await countersign(['evidence', 'verify', 'nothing.zip'], { isOffline: true })).code).toBe(2);
  });

  it('the answer is a file, for whoever may read the model', async () => {
    const path = `${app.url}/api/v1/models/prod.fraud/versions/1/evidence-pack`;
    const answer = await fetch(path, { headers: { authorization: `Bearer ${root}` } });
    expect(answer.headers.get('content-type')).toBe('application/zip');
    expect(answer.headers.get('content-disposition')).toBe('attachment; filename="prod.fraud-1-evidence.zip"');
    expect(
      Buffer.from(await answer.arrayBuffer())
        .subarray(0, 2)
        .toString(),
    ).toBe('PK');
    expect((await countersign(['evidence', 'export', 'fraud/1', '-o', 'mine.zip'], { as: viewer })).code).toBe(3);
  });
});
