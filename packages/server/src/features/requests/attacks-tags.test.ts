/** Ways around policies by tags: of versions, of models, and those that say which policy applies. None of them leads anywhere. */

import { STAGES } from '@countersign/contract/stages.ts';
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type GovernedModels, openGovernedModels, registerFrom } from '../../../../../test/support/governed-models.ts';
import { openPeople } from '../../../../../test/support/people.ts';
import type { Ctx } from '../../platform/context.ts';
import * as accounts from '../accounts/accounts.ts';
import * as models from '../models/models.ts';
import * as transitions from '../transitions/transitions.ts';
import type * as versions from '../versions/versions.ts';
import * as workspaces from '../workspaces/workspaces.ts';
import * as requests from './requests.ts';

let store: GovernedModels;
let people: Readonly<Record<'root' | 'second' | 'alice' | 'bob', Ctx>>;

beforeEach(async () => {
  store = await openGovernedModels();
  people = await openPeople(store.ctx, {
    root: { isAdmin: true },
    second: { isAdmin: true },
    alice: { level: 'MANAGE' },
    bob: { level: 'READ', groups: ['risk'] },
  });
  accounts.setGovernor(store.ctx.db, transitions.governSetting);
});
afterEach(() => store.close());

const DENIED = { code: 'PERMISSION_DENIED' };
const PROMPT = { key: 'mlflow.prompt.is_prompt', value: 'true' };
const publish = (...texts: readonly string[]): Promise<unknown> =>
  requests.replacePolicies(people.root, { published: texts.map((text) => ({ text, listedDigests: [] })), withdrawn: [] });
const policy = (name: string, match: string, requirements = 'approvals: [{ group: risk }]'): string =>
  `{ name: ${name}, mode: enforce, match: ${match}, requirements: { ${requirements} } }`;
const register = async (name: string, tags: readonly models.Tag[] = []): Promise<versions.ModelVersion> =>
  registerFrom(people.alice, name, `runs:/${await store.logRun(people.alice)}/model`, tags);
const create = (name: string, ...tags: readonly models.Tag[]): Promise<unknown> => requests.createModel(people.alice, { name, tags });

const move = (name: string, stage: string): Promise<unknown> =>
  requests.moveStage(people.alice, { name, version: 1, stage, archiveExisting: false });

describe('the text of a prompt', () => {
  it('is not changed where it stands, also of a version that is sealed over files and calls itself a prompt', async () => {
    await create('greeting');
    await register('greeting', [PROMPT, { key: 'mlflow.prompt.text', value: 'Hello' }]);
    await requests.setModelTag(people.alice, 'greeting', PROMPT.key, 'true');
    await publish(policy('prompts', '{ target: { prompt: { alias: champion } } }'));
    const { id } = await requests.create(people.alice, 'greeting', { target: { kind: 'alias', alias: 'champion' }, version: 1 });
    await requests.approve(people.bob, id);
    for (const value of ['Evil', null])
      await expect(requests.setVersionTag(people.alice, 'greeting', 1, 'mlflow.prompt.text', value)).rejects.toMatchObject({
        code: 'INVALID_STATE',
      });
    const configure = requests.setVersionTag(people.alice, 'greeting', 1, '_mlflow_prompt_model_config', '{"temperature": 2}');
    await expect(configure).rejects.toMatchObject(DENIED);
  });
});

describe('what enters a model that calls itself a prompt', () => {
  it('is asked for when it is none any more, also where it has no stage and no alias', async () => {
    await publish(policy('entry', "{ model: 'prod.*', target: { entry: true } }"));
    await create('prod.m', PROMPT);
    // Nobody is asked for prompts. Its source may be anything.
    await registerFrom(people.alice, 'prod.m', 's3://elsewhere/model', [PROMPT, { key: 'mlflow.prompt.text', value: 'Hello' }]);
    for (const value of ['false', null])
      await expect(requests.setModelTag(people.alice, 'prod.m', PROMPT.key, value)).rejects.toMatchObject(DENIED);
    expect((await models.get(people.alice, 'prod.m')).isPrompt).toBe(true);
  });

  it('nor does a model become a prompt unasked, where policies are on prompts that come', async () => {
    await publish(policy('prompts', "{ model: 'prod.*', target: { prompt: { entry: true } } }"));
    await create('prod.m');
    await register('prod.m');
    await expect(requests.setModelTag(people.alice, 'prod.m', PROMPT.key, 'true')).rejects.toMatchObject(DENIED);
  });
});

describe('an alias', () => {
  it('called like a stage of the workspace that its model goes to, is asked for as that stage', async () => {
    const lab = workspaces.within(people.root, await workspaces.createWorkspace(people.root, { name: 'lab' }));
    await requests.createModel(lab, { name: 'm', tags: [] });
    await registerFrom(lab, 'm', 's3://elsewhere/model');
    await requests.setAlias(lab, 'm', 'uat', 1);
    await workspaces.changeSettings(people.root, { stages: [...STAGES.map((name) => ({ name })), { name: 'UAT' }] });
    await publish(policy('uat', '{ target: { stage: UAT } }'));
    await expect(transitions.moveModels(lab, people.root.workspace)).rejects.toMatchObject(DENIED);
  });
});

describe('a governed tag that was set where nobody asks', () => {
  beforeEach(async () => {
    await create('dev.m');
    await register('dev.m', [{ key: 'validated', value: 'yes' }]);
    await publish(
      policy('validated', "{ model: 'prod.*', target: { tag: validated } }"),
      policy('production', '{ target: { stage: Production } }'),
    );
  });

  it('of a version doesn’t come along by renaming its model', async () => {
    await expect(requests.renameModel(people.alice, 'dev.m', 'prod.m')).rejects.toMatchObject(DENIED);
    const { id } = await requests.create(people.alice, 'dev.m', { target: { kind: 'rename', newName: 'prod.m' } });
    expect((await requests.approve(people.bob, id)).state).toBe('approved');
  });

  it('of a model doesn’t come along by renaming it', async () => {
    await create('dev.n', { key: 'validated', value: 'yes' });
    await expect(requests.renameModel(people.alice, 'dev.n', 'prod.n')).rejects.toMatchObject(DENIED);
  });

  it('of a model doesn’t come back with it under another name', async () => {
    await create('dev.n', { key: 'validated', value: 'yes' });
    await requests.deleteModel(people.alice, 'dev.n');
    const [gone] = await models.listDeleted(people.alice);
    await transitions.restoreModel(people.alice, gone?.id ?? 0, 'prod.n');
    expect((await models.get(people.alice, 'prod.n')).tags).toEqual([]);
  });
});

describe('a tag that says which policy applies', () => {
  const STRICT = policy('strict', '{ target: { stage: Production } }');
  const MILD = policy('mild', '{ tags: { risk: low }, target: { stage: Production } }', 'approvals: []');

  it('is nobody’s alone before anything stands there', async () => {
    await create('m');
    await register('m');
    await publish(STRICT, MILD);
    await requests.setModelTag(people.alice, 'm', 'risk', 'low').catch(() => {});
    await expect(move('m', 'Production')).rejects.toMatchObject(DENIED);
    const { id } = await requests.create(people.alice, 'm', { target: { kind: 'tag', key: 'risk', value: 'low' } });
    expect((await requests.approve(people.bob, id)).state).toBe('approved');
    await move('m', 'Production');
  });

  it('nor where a model gets another name, or comes back under one', async () => {
    await create('dev.m', { key: 'risk', value: 'low' });
    await register('dev.m');
    await publish(STRICT, MILD.replace('{ tags', "{ model: 'prod.*', tags"));
    await expect(requests.renameModel(people.alice, 'dev.m', 'prod.m')).rejects.toMatchObject(DENIED);
    await requests.deleteModel(people.alice, 'dev.m');
    const [gone] = await models.listDeleted(people.alice);
    await expect(transitions.restoreModel(people.alice, gone?.id ?? 0, 'prod.m')).rejects.toMatchObject(DENIED);
    await transitions.restoreModel(people.alice, gone?.id ?? 0, 'dev.n');
  });

  it('nor where a workspace goes and leaves its models', async () => {
    const lab = workspaces.within(people.root, await workspaces.createWorkspace(people.root, { name: 'lab' }));
    await requests.createModel(lab, { name: 'm', tags: [{ key: 'risk', value: 'low' }] });
    await requests.deleteModel(lab, 'm');
    await publish(STRICT, MILD);
    await expect(transitions.moveModels(lab, people.root.workspace)).rejects.toMatchObject(DENIED);
  });

  it('nor where the model is made', async () => {
    await publish(STRICT, MILD);
    await create('m', { key: 'risk', value: 'low' }).catch(() => create('m'));
    await register('m');
    await expect(move('m', 'Production')).rejects.toMatchObject(DENIED);
  });
});

describe('a policy on a tag that asks something of the version', () => {
  it('is not gone around by the tag of the model', async () => {
    await create('m');
    await register('m');
    await publish(policy('tag', '{ target: { tag: validated } }', 'checks: [{ name: ci/validate }]'));
    await expect(requests.setVersionTag(people.alice, 'm', 1, 'validated', 'yes')).rejects.toMatchObject(DENIED);
    await expect(requests.setModelTag(people.alice, 'm', 'validated', 'yes')).rejects.toMatchObject(DENIED);
  });
});

describe('what makes room for something that is read otherwise', () => {
  it('does so by the policies that are about it', async () => {
    await create('greeting');
    await register('greeting', [PROMPT, { key: 'mlflow.prompt.text', value: 'Hello' }]);
    await register('greeting');
    await move('greeting', 'Production');
    await requests.setAlias(people.alice, 'greeting', 'champion', 1);
    await publish(
      policy('alias', '{ target: { prompt: { alias: champion } } }'),
      policy('stage', '{ target: { prompt: { stage: Production } } }'),
    );
    const replace = { name: 'greeting', version: 2, stage: 'Production', archiveExisting: true };
    await expect(requests.moveStage(people.alice, replace)).rejects.toMatchObject(DENIED);
    await expect(requests.setAlias(people.alice, 'greeting', 'champion', 2)).rejects.toMatchObject(DENIED);
    const { id } = await requests.create(people.alice, 'greeting', { target: { kind: 'alias', alias: 'champion' }, version: 2 });
    expect((await requests.approve(people.bob, id)).state).toBe('approved');
    await requests.moveStage(people.alice, { ...replace, archiveExisting: false });
  });
});
