/** Ways around policies by tags: of versions, of models, and those that say which policy applies. None of them leads anywhere. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type GovernedModels, openGovernedModels, registerFrom } from '../../../../../test/support/governed-models.ts';
import { openPeople } from '../../../../../test/support/people.ts';
import type { Ctx } from '../../platform/context.ts';
import * as accounts from '../accounts/accounts.ts';
import type * as models from '../models/models.ts';
import * as transitions from '../transitions/transitions.ts';
import type * as versions from '../versions/versions.ts';
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
