import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTestContext, type TestContext } from '../../../../../test/support/context.ts';
import * as loggedModels from '../logged-models/logged-models.ts';
import * as models from '../models/models.ts';
import * as transitions from '../transitions/transitions.ts';
import * as workspaces from '../workspaces/workspaces.ts';
import * as versions from './versions.ts';

describe('versions whose files are not complete', () => {
  let test: TestContext;
  let modelId: string;

  beforeEach(async () => {
    test = await openTestContext();
    const { ctx } = test;
    await models.create(ctx, { name: 'M', tags: [] });
    modelId = (await loggedModels.create(ctx, { experimentId: '0', name: 'm', modelType: '', sourceRunId: '', params: [], tags: [] }))
      .modelId;
  });
  afterEach(() => test.close());

  const register = (): Promise<versions.ModelVersion> =>
    transitions.registerVersion(test.ctx, {
      name: 'M',
      source: `models:/${modelId}`,
      runId: '',
      loggedModelId: modelId,
      runLink: '',
      description: undefined,
      tags: [],
    });

  it('are taken as MLflow takes them, unsealed with the reason', async () => {
    expect(await register()).toMatchObject({ version: 1, sealState: 'unsealed', sealReason: 'incomplete', treeId: null });
  });

  it('are refused where the workspace says so, and no number is used up', async () => {
    await workspaces.changeSettings(test.ctx, { refuse_unsealed: true });
    await expect(register()).rejects.toMatchObject({ code: 'INVALID_STATE' });
    await workspaces.changeSettings(test.ctx, { refuse_unsealed: false });
    expect((await register()).version).toBe(1);
  });

  it('are waited for where the workspace says so, and ready when the model is finalized', async () => {
    await workspaces.changeSettings(test.ctx, { pending_registration: true });
    expect(await register()).toMatchObject({ sealState: 'sealing' });
    const model = await loggedModels.getLoggedModel(test.ctx, modelId);
    await test.upload(`${model.artifactUri.replace('mlflow-artifacts:/', '')}/MLmodel`, 'flavors: {}');
    await loggedModels.finalize(test.ctx, modelId, 2);
    await test.ctx.db.write((tx) => versions.sealWaiting({ ...test.ctx, tx }, modelId));
    expect(await versions.get(test.ctx, 'M', 1)).toMatchObject({ sealState: 'sealed', sealReason: null });
  });

  it('are sealed with their copies, each told with its digest', async () => {
    const { ctx } = test;
    await register();
    await models.create(ctx, { name: 'Copy', tags: [] });
    await transitions.registerVersion(ctx, {
      name: 'Copy',
      source: 'models:/M/1',
      runId: '',
      loggedModelId: undefined,
      runLink: '',
      description: undefined,
      tags: [],
    });
    expect((await transitions.sealVersion(ctx, 'Copy', 1)).sealReason).toBe('incomplete');
    const model = await loggedModels.getLoggedModel(ctx, modelId);
    await test.upload(`${model.artifactUri.replace('mlflow-artifacts:/', '')}/MLmodel`, 'flavors: {}');
    await loggedModels.finalize(ctx, modelId, 2);
    await ctx.db.write((tx) => versions.sealWaiting({ ...ctx, tx }, modelId));
    const told = await ctx.db.all<{ body: string }>("SELECT body FROM events WHERE type = 'model-version.sealed' ORDER BY seq");
    const digests = told.map(({ body }) => JSON.parse(body).data.digest);
    expect(digests).toEqual([expect.stringMatching(/^[0-9a-f]{64}$/), digests[0]]);
  });
});
