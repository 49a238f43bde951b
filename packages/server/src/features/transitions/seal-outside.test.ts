import { mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTestContext, type TestContext } from '../../../../../test/support/context.ts';
import { FileRoots } from '../../platform/blobs/file-roots.ts';
import { compileAccess } from '../access/access.ts';
import * as artifacts from '../artifacts/artifacts.ts';
import * as experiments from '../experiments/experiments.ts';
import * as models from '../models/models.ts';
import * as runs from '../runs/runs.ts';
import * as versions from '../versions/versions.ts';
import * as transitions from './transitions.ts';

describe('sealing a version whose files lie in a folder of the operator', () => {
  let test: TestContext;
  let folder: string;
  let roots: FileRoots;

  beforeEach(async () => {
    test = await openTestContext();
    folder = mkdtempSync(join(tmpdir(), 'countersign-outside-'));
    roots = new FileRoots([folder]);
    await models.create(test.ctx, { name: 'M', tags: [] });
  });
  afterEach(async () => {
    await test.close();
    rmSync(folder, { recursive: true });
  });

  async function register(files: Readonly<Record<string, string>>): Promise<string> {
    const ctx = { ...test.ctx, artifactRoot: `file://${folder}` };
    const experimentId = await experiments.create(ctx, { name: 'outside', tags: [] });
    const run = (await runs.create(ctx, { experimentId, userId: '', startTime: 0, tags: [] })).info;
    const source = `${run.artifactUri}/model`;
    const place = source.replace('file://', '');
    mkdirSync(place, { recursive: true });
    for (const [name, text] of Object.entries(files)) writeFileSync(join(place, name), text);
    const input = { name: 'M', source, runId: run.runId, loggedModelId: undefined, runLink: '', description: undefined, tags: [] };
    expect(await transitions.registerVersion(ctx, input)).toMatchObject({ sealState: 'unsealed', sealReason: 'external' });
    return place;
  }

  it('copies the bytes in: what is written to the folder afterwards changes nothing', async () => {
    const place = await register({ MLmodel: 'flavors: {}', 'model.pkl': 'old bytes', empty: '' });
    const sealed = await transitions.sealVersion(test.ctx, 'M', 1, roots);
    expect(sealed).toMatchObject({ sealState: 'sealed', sealReason: null });
    writeFileSync(join(place, 'model.pkl'), 'new bytes');
    expect(await versions.getDownloadUri(test.ctx, 'M', 1)).toBe(`mlflow-artifacts:/model-versions/${sealed.id}`);
    const file = await artifacts.findInTree(test.ctx, sealed.treeId ?? 0, 'model.pkl');
    expect(file && String(await artifacts.readWhole(test.ctx, file))).toBe('old bytes');
    expect((await artifacts.treeManifest(test.ctx, sealed.treeId ?? 0)).map((entry) => entry.path)).toEqual([
      'MLmodel',
      'empty',
      'model.pkl',
    ]);
    expect(await artifacts.list(test.ctx, 'model-versions')).toEqual([]);
  });

  it('is refused to who may not read the run any more that the files are of', async () => {
    await register({ MLmodel: 'flavors: {}' });
    const onTheModel = { kind: 'registered-model', objectId: 1, objectName: 'M', prefix: '', level: 'MANAGE' } as const;
    const access = compileAccess({ isAdmin: false, isBornMember: true, memberRank: 0 }, [onTheModel]);
    await expect(transitions.sealVersion({ ...test.ctx, access }, 'M', 1, roots)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
  });

  it('is refused without an MLmodel, outside of the roots, and through a link that leads out; the version keeps its reason', async () => {
    const place = await register({ 'model.pkl': 'x' });
    await expect(transitions.sealVersion(test.ctx, 'M', 1, roots)).rejects.toMatchObject({ code: 'INVALID_STATE' });
    writeFileSync(join(place, 'MLmodel'), 'flavors: {}');
    await expect(transitions.sealVersion(test.ctx, 'M', 1, new FileRoots([]))).rejects.toMatchObject({ status: 400 });
    symlinkSync('/etc/hostname', join(place, 'link'));
    await expect(transitions.sealVersion(test.ctx, 'M', 1, roots)).rejects.toMatchObject({ status: 400 });
    expect(await versions.get(test.ctx, 'M', 1)).toMatchObject({ sealState: 'unsealed', sealReason: 'external' });
    expect(await artifacts.list(test.ctx, 'model-versions')).toEqual([]);
  });

  it('is refused with a sentence where the files are in a storage that the server cannot read', async () => {
    const input = {
      name: 'M',
      source: 's3://bucket/m',
      runId: '',
      loggedModelId: undefined,
      runLink: '',
      description: undefined,
      tags: [],
    };
    await transitions.registerVersion(test.ctx, input);
    await expect(transitions.sealVersion(test.ctx, 'M', 1, roots)).rejects.toMatchObject({ code: 'INVALID_STATE' });
  });
});
