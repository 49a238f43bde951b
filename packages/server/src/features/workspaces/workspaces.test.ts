import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTestContext, type TestContext } from '../../../../../test/support/context.ts';
import type { Ctx } from '../../platform/context.ts';
import { AS_LOCAL, compileAccess } from '../access/access.ts';
import * as artifacts from '../artifacts/artifacts.ts';
import * as audit from '../audit/audit.ts';
import * as experiments from '../experiments/experiments.ts';
import * as models from '../models/models.ts';
import * as runs from '../runs/runs.ts';
import * as transitions from '../transitions/transitions.ts';
import * as versions from '../versions/versions.ts';
import * as workspaces from './workspaces.ts';

let test: TestContext;
let ctx: Ctx;
let vision: Ctx;

beforeEach(async () => {
  test = await openTestContext();
  ctx = test.ctx;
  vision = workspaces.within(ctx, await workspaces.createWorkspace(ctx, { name: 'vision', description: 'Images' }));
});
afterEach(() => test.close());

const create = (at: Ctx, name: string): Promise<models.RegisteredModel> => models.create(at, { name, tags: [] });
const register = (at: Ctx, name: string, source = 's3://bucket/model') =>
  transitions.registerVersion(at, { name, source, runId: '', loggedModelId: undefined, runLink: '', description: undefined, tags: [] });
const put = (at: Ctx, path: string, bytes: number, announced = 0): Promise<void> =>
  artifacts.put(at, path, Readable.from([Buffer.alloc(bytes, 'a')], { objectMode: false }), announced);

describe('a workspace', () => {
  it('has a name of its own, which is free again when it is deleted', async () => {
    await expect(workspaces.createWorkspace(ctx, { name: 'vision' })).rejects.toThrow("Workspace 'vision' already exists.");
    await ctx.db.write(async (tx) => workspaces.removeWorkspace({ ...ctx, tx }, await workspaces.getWorkspace(ctx, 'vision'), 'RESTRICT'));
    await expect(workspaces.getWorkspace(ctx, 'vision')).rejects.toThrow("Workspace 'vision' not found");
    const again = await workspaces.createWorkspace(ctx, { name: 'vision' });
    expect(again.id).not.toBe(vision.workspace.id);
  });

  it.each(['a', 'default', 'api', 'Vision', 'a--b', '-a', 'a_b', 'x'.repeat(64)])("can't be called %s", async (name) => {
    await expect(workspaces.createWorkspace(ctx, { name })).rejects.toMatchObject({ code: 'INVALID_PARAMETER_VALUE' });
  });

  it('takes a storage for its experiments, but no folder of the storage that the server serves', async () => {
    const changed = await workspaces.updateWorkspace(ctx, 'vision', { defaultArtifactRoot: 's3://bucket/vision' });
    expect(changed).toMatchObject({ defaultArtifactRoot: 's3://bucket/vision', description: 'Images' });
    await expect(workspaces.updateWorkspace(ctx, 'vision', { defaultArtifactRoot: 'mlflow-artifacts:/0' })).rejects.toThrow(
      'its folder by itself',
    );
    await expect(workspaces.updateWorkspace(ctx, 'vision', { defaultArtifactRoot: 'http://elsewhere/x' })).rejects.toThrow(
      'addresses a host',
    );
    expect(await workspaces.updateWorkspace(ctx, 'vision', { defaultArtifactRoot: '' })).toMatchObject({ defaultArtifactRoot: null });
  });

  it('is made, set up and changed by events, texts beside them', async () => {
    await workspaces.changeSettings(vision, { name_message: 'Ask Ada.', quota_models: 3 });
    const events = await audit.listEvents(vision, { newestFirst: false, limit: 10 });
    expect(events.map(({ type, data }) => [type, data])).toEqual([
      ['workspace.created', { name: 'vision', workspace_id: vision.workspace.id }],
      ['setting.changed', { name: 'name_message' }],
      ['setting.changed', { name: 'quota_models', value: 3 }],
    ]);
    expect(events[1]?.texts).toEqual({ value: 'Ask Ada.' });
  });
});

describe('a rule for names', () => {
  beforeEach(async () => {
    await create(vision, 'old');
    await workspaces.changeSettings(vision, { name_pattern: 'vision\\.[a-z]+', name_message: 'Begin with vision.' });
  });

  it('holds when a model is created, renamed, restored and copied to, in its workspace alone', async () => {
    const words = /must match the pattern vision\\\.\[a-z\]\+\. Begin with vision\./;
    await expect(create(vision, 'cats')).rejects.toThrow(words);
    await expect(create(ctx, 'cats')).resolves.toBeDefined();
    await create(vision, 'vision.cats');
    await expect(transitions.renameModel(vision, 'vision.cats', 'dogs')).rejects.toThrow(words);
    await transitions.renameModel(vision, 'vision.cats', 'vision.dogs');
    await register(vision, 'vision.dogs');
    await expect(register(vision, 'old', 'models:/vision.dogs/1')).rejects.toThrow(words);
    const old = await models.get(vision, 'old');
    await transitions.deleteModel(vision, 'old');
    await expect(transitions.restoreModel(vision, old.id, undefined)).rejects.toThrow(words);
    await expect(transitions.restoreModel(vision, old.id, 'vision.old')).resolves.toMatchObject({ name: 'vision.old' });
  });

  it('leaves a model alone that was there before it', async () => {
    await expect(register(vision, 'old')).resolves.toMatchObject({ version: 1 });
    await expect(transitions.renameModel(vision, 'old', 'old')).resolves.toBeDefined();
  });

  it("is refused where it can't be read", async () => {
    await expect(workspaces.changeSettings(vision, { name_pattern: '(a' })).rejects.toThrow("a '(' without its ')'");
  });
});

describe('a quota', () => {
  it('of models counts those that are not deleted', async () => {
    await workspaces.changeSettings(vision, { quota_models: 2 });
    const a = await create(vision, 'a');
    await create(vision, 'b');
    await expect(create(vision, 'c')).rejects.toMatchObject({
      code: 'INVALID_STATE',
      message: expect.stringContaining('2 registered models'),
    });
    await expect(models.get(vision, 'c')).rejects.toThrow('not found');
    await transitions.deleteModel(vision, 'a');
    await create(vision, 'c');
    await expect(transitions.restoreModel(vision, a.id, undefined)).rejects.toThrow('QUOTA_EXCEEDED');
    await expect(create(ctx, 'elsewhere')).resolves.toBeDefined();
  });

  it('of versions counts those that are not deleted', async () => {
    await create(vision, 'a');
    await workspaces.changeSettings(vision, { quota_versions: 2 });
    for (let i = 0; i < 2; i++) await register(vision, 'a');
    await expect(register(vision, 'a')).rejects.toThrow('2 model versions');
    await transitions.deleteVersion(vision, 'a', 1);
    await register(vision, 'a');
    await expect(transitions.restoreVersion(vision, 'a', 1)).rejects.toThrow('QUOTA_EXCEEDED');
    const { id } = await models.get(vision, 'a');
    await transitions.deleteModel(vision, 'a');
    expect(await workspaces.getUsage(vision)).toEqual({ models: 0, versions: 0, bytes: 0 });
    await transitions.restoreModel(vision, id, undefined);
    expect(await workspaces.getUsage(vision)).toEqual({ models: 1, versions: 2, bytes: 0 });
  });

  it('of bytes counts every path, and lets a file be replaced by one that is not larger', async () => {
    await workspaces.changeSettings(vision, { quota_bytes: 1000 });
    await put(vision, 'workspaces/vision/a', 600);
    await expect(put(vision, 'workspaces/vision/b', 600)).rejects.toThrow('may still hold');
    await expect(put(vision, 'workspaces/vision/b', 1, 600)).rejects.toThrow('may hold 1000 bytes of files, and this would make it 1200');
    await put(vision, 'workspaces/vision/b', 400, 400);
    await put(vision, 'workspaces/vision/a', 600, 600);
    await expect(put(vision, 'workspaces/vision/c', 1)).rejects.toThrow('QUOTA_EXCEEDED');
    await artifacts.remove(vision, 'workspaces/vision/b');
    expect((await workspaces.getUsage(vision)).bytes).toBe(600);
    await put(vision, 'workspaces/vision/c', 400);
    await put(ctx, 'c', 5000);
  });

  it('of bytes counts a sealed version until it is purged, also one whose run lost its files', async () => {
    const experimentId = await experiments.create(vision, { name: 'e', tags: [] });
    const { info } = await runs.create(vision, { experimentId, userId: '', startTime: 0, tags: [] });
    const folder = `workspaces/vision/${experimentId}/${info.runId}/artifacts/model`;
    expect(info.artifactUri).toBe(`mlflow-artifacts:/workspaces/vision/${experimentId}/${info.runId}/artifacts`);
    await put(vision, `${folder}/MLmodel`, 100);
    const { id } = await create(vision, 'a');
    await register(vision, 'a', `runs:/${info.runId}/model`);
    await register(vision, 'a', 'models:/a/1');
    expect(await workspaces.getUsage(vision)).toEqual({ models: 1, versions: 2, bytes: 300 });
    expect(await versions.getDownloadUri(vision, 'a', 1)).toMatch(/^mlflow-artifacts:\/workspaces\/vision\/model-versions\/\d+$/);
    await artifacts.remove(vision, folder);
    await transitions.deleteModel(vision, 'a');
    expect(await workspaces.getUsage(vision)).toEqual({ models: 0, versions: 0, bytes: 200 });
    await transitions.purgeModel(vision, id);
    expect(await workspaces.getUsage(vision)).toEqual({ models: 0, versions: 0, bytes: 0 });
  });

  it('is changed by administrators of the server alone', async () => {
    const access = compileAccess({ isAdmin: false, isBornMember: false, memberRank: 0 }, [
      { kind: 'workspace', objectId: -1, objectName: null, prefix: '', level: 'MANAGE' },
    ]);
    const manager: Ctx = { ...vision, ...AS_LOCAL, workspace: vision.workspace, access };
    await expect(workspaces.changeSettings(manager, { quota_bytes: null })).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    await expect(workspaces.changeSettings(manager, { name_message: 'Ask Ada.' })).resolves.toMatchObject({ name_message: 'Ask Ada.' });
  });
});
