import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTestContext, type TestContext } from '../../../../../test/support/context.ts';
import * as models from '../models/models.ts';
import * as runs from '../runs/runs.ts';
import * as transitions from '../transitions/transitions.ts';
import * as versions from './versions.ts';

const IS_PROMPT = { key: models.PROMPT_TAG, value: 'true' };

describe('what a version is sealed over', () => {
  let test: TestContext;

  beforeEach(async () => {
    test = await openTestContext();
  });
  afterEach(() => test.close());

  const register = (name: string, source: string, runId: string, tags: models.Tag[]): Promise<versions.ModelVersion> =>
    transitions.registerVersion(test.ctx, { name, source, runId, loggedModelId: undefined, runLink: '', description: undefined, tags });

  it("stays a prompt's text, whatever is said about its being a prompt", async () => {
    const { ctx } = test;
    await models.create(ctx, { name: 'P', tags: [IS_PROMPT] });
    await register('P', 'dummy-source', '', [IS_PROMPT, { key: 'mlflow.prompt.text', value: 'good' }]);
    const refusal = { code: 'INVALID_STATE' };
    await expect(transitions.setVersionTag(ctx, 'P', 1, models.PROMPT_TAG, 'false')).rejects.toMatchObject(refusal);
    await expect(transitions.setVersionTag(ctx, 'P', 1, models.PROMPT_TAG, null)).rejects.toMatchObject(refusal);
    await transitions.setVersionTag(ctx, 'P', 1, models.PROMPT_TAG, 'true');
    await transitions.setModelTag(ctx, 'P', models.PROMPT_TAG, 'false');
    await expect(transitions.setVersionTag(ctx, 'P', 1, 'mlflow.prompt.text', 'bad')).rejects.toMatchObject(refusal);
    await transitions.setVersionTag(ctx, 'P', 1, '_mlflow_prompt_model_config', '{}');
  });

  it('stays the tree of files, which the download location leads to', async () => {
    const { ctx } = test;
    const run = await (await runs.create(ctx, { experimentId: 0, userId: '', startTime: 0, tags: [] })).info;
    await test.upload(`${run.artifactUri.replace('mlflow-artifacts:/', '')}/m/MLmodel`, 'flavors: {}');
    await models.create(ctx, { name: 'M', tags: [] });
    const { id } = await register('M', `runs:/${run.runId}/m`, run.runId, []);
    await expect(transitions.setVersionTag(ctx, 'M', 1, models.PROMPT_TAG, 'true')).rejects.toMatchObject({ code: 'INVALID_STATE' });
    expect(await versions.getDownloadUri(ctx, 'M', 1)).toBe(`mlflow-artifacts:/model-versions/${id}`);
  });
});
