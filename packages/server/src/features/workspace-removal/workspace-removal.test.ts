import { Readable } from 'node:stream';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTestContext, type TestContext } from '../../../../../test/support/context.ts';
import type { Ctx } from '../../platform/context.ts';
import * as access from '../access/access.ts';
import * as accounts from '../accounts/accounts.ts';
import * as artifacts from '../artifacts/artifacts.ts';
import * as audit from '../audit/audit.ts';
import * as experiments from '../experiments/experiments.ts';
import * as models from '../models/models.ts';
import * as requests from '../requests/requests.ts';
import * as runs from '../runs/runs.ts';
import * as transitions from '../transitions/transitions.ts';
import * as versions from '../versions/versions.ts';
import * as workspaces from '../workspaces/workspaces.ts';
import { removeWorkspace } from './workspace-removal.ts';

let test: TestContext;
let ctx: Ctx;
let vision: Ctx;
let experimentId: number;
let runId: string;
let file: string;

beforeEach(async () => {
  test = await openTestContext();
  ctx = test.ctx;
  vision = workspaces.within(ctx, await workspaces.createWorkspace(ctx, { name: 'vision' }));
  experimentId = await experiments.create(vision, { name: 'cats', tags: [] });
  runId = (await runs.create(vision, { experimentId, userId: '', startTime: 0, tags: [] })).info.runId;
  file = `workspaces/vision/${experimentId}/${runId}/artifacts/model/MLmodel`;
  await artifacts.put(vision, file, Readable.from([Buffer.from('flavors: {}')], { objectMode: false }));
  await models.create(vision, { name: 'cat', tags: [] });
  await transitions.registerVersion(vision, {
    name: 'cat',
    source: `runs:/${runId}/model`,
    runId,
    loggedModelId: undefined,
    runLink: '',
    description: undefined,
    tags: [],
  });
  await transitions.moveStage(vision, { name: 'cat', version: 1, stage: 'Production', archiveExisting: false });
});
afterEach(() => test.close());

describe('deleting a workspace', () => {
  it('is refused while it holds something, and says what', async () => {
    await expect(removeWorkspace(ctx, 'vision', 'RESTRICT')).rejects.toMatchObject({
      code: 'INVALID_STATE',
      message: expect.stringContaining('it still contains 1 registered models, 1 experiments.'),
    });
    expect(await models.find(vision, 'cat')).toBeDefined();
    await expect(removeWorkspace(ctx, 'default', 'CASCADE')).rejects.toThrow('reserved and cannot be deleted');
    await expect(removeWorkspace(ctx, 'nobody', 'CASCADE')).rejects.toThrow("Workspace 'nobody' not found");
  });

  it('takes along what it holds, softly and as events', async () => {
    await removeWorkspace(ctx, 'vision', 'CASCADE');
    expect(await models.find(vision, 'cat')).toBeUndefined();
    expect((await experiments.findExperiment(vision, experimentId))?.lifecycle).toBe('deleted');
    expect(await workspaces.findWorkspace(ctx.db, 'vision')).toBeUndefined();
    const events = await audit.listEvents(vision, { newestFirst: true, limit: 5 });
    expect(events.map(({ type }) => type)).toEqual([
      'workspace.deleted',
      'experiment.deleted',
      'registered-model.deleted',
      'model-version.stage-left',
      'model-version.stage-entered',
    ]);
    // What is deleted softly keeps its bytes.
    expect(await artifacts.find(vision, file)).toBeDefined();
  });

  it('leaves everything as it was where something is protected', async () => {
    await workspaces.changeSettings(vision, { protected_stages: ['Production'] });
    await expect(removeWorkspace(ctx, 'vision', 'CASCADE')).rejects.toThrow('protects from deletion');
    expect(await models.find(vision, 'cat')).toBeDefined();
    expect(await workspaces.findWorkspace(ctx.db, 'vision')).toBeDefined();
  });

  it('hands everything to the default workspace: history, files, seals, usage and grants', async () => {
    const admin = await accounts.createUser(ctx, { name: 'root', isAdmin: true });
    const { id } = await models.get(vision, 'cat');
    const target = { subjectKind: 'principal' as const, subjectId: admin.id, prefix: '' };
    await access.setGrant(vision, { ...target, workspaceId: vision.workspace.id, kind: 'registered-model', objectId: id }, 'EDIT');
    await access.setGrant(vision, { ...target, workspaceId: vision.workspace.id, kind: 'workspace', objectId: -1 }, 'MANAGE');
    const ada = await accounts.createUser(ctx, { name: 'ada' });
    await access.setGrant(
      vision,
      { ...target, subjectId: ada.id, workspaceId: vision.workspace.id, kind: 'workspace', objectId: -1 },
      'MANAGE_PRODUCTION',
    );
    const before = ctx.clock.now();
    const used = await workspaces.getUsage(vision);
    await removeWorkspace(ctx, 'vision', 'SET_DEFAULT');
    expect(await versions.get(ctx, 'cat', 1)).toMatchObject({ stage: 'Production', sealState: 'sealed' });
    expect(await versions.getDownloadUri(ctx, 'cat', 1)).toMatch(/^mlflow-artifacts:\/model-versions\/\d+$/);
    expect((await runs.findRun(ctx, runId))?.experimentId).toBe(experimentId);
    expect(await artifacts.find(ctx, file)).toBeDefined();
    expect(await experiments.findByServedPath(ctx, file)).toMatchObject({ id: experimentId });
    expect(await workspaces.getUsage(ctx)).toEqual(used);
    const grants = await access.listOfSubject(ctx, 'principal', admin.id);
    expect(grants.map(({ workspaceId, kind, objectId, level }) => ({ workspaceId, kind, objectId, level }))).toEqual([
      { workspaceId: 0, kind: 'registered-model', objectId: id, level: 'EDIT' },
    ]);
    const events = await audit.listEvents(ctx, { modelId: id, newestFirst: false, limit: 100 });
    expect(events.map(({ type }) => type)).toContain('registered-model.created');
    expect(events.map(({ type }) => type)).toContain('registered-model.moved');
    const couldMove = async (asOf?: number) =>
      (await audit.listAccess(ctx, { id }, 'MANAGE_PRODUCTION', asOf)).answer.map(({ accountId }) => accountId);
    expect(await couldMove(before)).toEqual([admin.id, ada.id]);
    expect(await couldMove()).toEqual([admin.id]);
  });

  it.each(['SET_DEFAULT', 'CASCADE'] as const)('leaves no request open in it, %s', async (mode) => {
    const wish = { target: { kind: 'stage', stage: 'Archived' }, version: 1 } as const;
    const { id } = await requests.create(vision, 'cat', wish);
    await removeWorkspace(ctx, 'vision', mode);
    expect(await requests.get(vision, id)).toMatchObject({ state: 'cancelled' });
  });

  it('lets nothing in that was under way when it was deleted', async () => {
    await removeWorkspace(ctx, 'vision', 'SET_DEFAULT');
    const gone = "Workspace 'vision' not found";
    await expect(models.create(vision, { name: 'late', tags: [] })).rejects.toThrow(gone);
    await expect(experiments.create(vision, { name: 'late', tags: [] })).rejects.toThrow(gone);
    const bytes = Readable.from([Buffer.from('late')], { objectMode: false });
    await expect(artifacts.put(vision, `workspaces/vision/${experimentId}/late`, bytes)).rejects.toThrow(gone);
  });

  it('hands nothing over where a name is taken, or a quota or a rule for names is in the way', async () => {
    await experiments.create(ctx, { name: 'cats', tags: [] });
    await expect(removeWorkspace(ctx, 'vision', 'SET_DEFAULT')).rejects.toThrow("experiment 'cats'");
    const taken = await experiments.getByName(ctx, 'cats');
    await experiments.rename(ctx, taken.id, 'other');
    await workspaces.changeSettings(ctx, { quota_models: 0 });
    await expect(removeWorkspace(ctx, 'vision', 'SET_DEFAULT')).rejects.toThrow('QUOTA_EXCEEDED');
    await workspaces.changeSettings(ctx, { quota_models: null, name_pattern: 'prod-.*' });
    await expect(removeWorkspace(ctx, 'vision', 'SET_DEFAULT')).rejects.toThrow('must match the pattern');
    expect(await models.find(vision, 'cat')).toBeDefined();
    expect((await workspaces.getUsage(vision)).models).toBe(1);
  });
});
