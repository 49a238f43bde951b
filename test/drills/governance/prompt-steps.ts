/** Steps of a drill on prompts, and on what says that something is one. */
import * as requests from '@countersign/server/features/requests/requests.ts';
import { PROMPT_CONFIG } from './place-changes.ts';
import { isPromptTagged, PROMPT_TAG } from './policy-choice.ts';
import { aliveModels, isPromptVersion, nameOf, onVersion, type Steps } from './step-subjects.ts';

export const PROMPT = { key: PROMPT_TAG, value: 'true' };
const PROMPT_NAMES = ['prompt.greet', 'prompt.ask', 'prod.greet'];

export const promptSteps: Steps = {
  'prompt-creation': [1.5, ({ ctx, scene: { chance } }) => requests.createModel(ctx, { name: chance.pick(PROMPT_NAMES), tags: [PROMPT] })],
  'prompt-version': [
    6,
    async (doing) => {
      const { chance } = doing.scene;
      const prompts = aliveModels(doing).filter((each) => isPromptTagged(each.tags));
      // Also where it is none.
      const name = (chance.is(0.9) ? chance.maybe(prompts)?.name : undefined) ?? nameOf(doing);
      const texts = [{ key: 'mlflow.prompt.text', value: `Hello ${chance.below(100)}` }];
      return requests.registerVersion(doing.ctx, {
        ...{ name, source: 's3://prompts/none', runId: '', loggedModelId: undefined, runLink: '', description: undefined },
        tags: chance.is(0.9) ? [PROMPT, ...texts] : texts,
      });
    },
  ],
  /** A model calls itself a prompt, or no more. */
  'prompt-tag': [
    4,
    (doing) => requests.setModelTag(doing.ctx, nameOf(doing), PROMPT_TAG, doing.scene.chance.pick(['true', 'True', 'false', null])),
  ],
  'prompt-version-tag': [
    1,
    onVersion(({ ctx, scene: { chance } }, { name, version }) =>
      requests.setVersionTag(ctx, name, version, PROMPT_TAG, chance.pick(['true', 'false', null])),
    ),
  ],
  /** Which model it is for is no part of what is sealed. */
  'prompt-config': [
    3,
    onVersion(
      ({ ctx, scene: { chance } }, { name, version }) =>
        requests.setVersionTag(ctx, name, version, PROMPT_CONFIG, chance.pick(['{"temperature": 0}', '{"temperature": 1}', null])),
      isPromptVersion,
    ),
  ],
  'prompt-text': [
    0.5,
    onVersion(
      ({ ctx }, { name, version }) => requests.setVersionTag(ctx, name, version, 'mlflow.prompt.text', 'Hello, you'),
      isPromptVersion,
    ),
  ],
  'prompt-stage': [
    3,
    onVersion(
      ({ ctx, scene: { chance } }, { name, version }) =>
        requests.moveStage(ctx, { name, version, stage: 'Production', archiveExisting: chance.is(0.5) }),
      isPromptVersion,
    ),
  ],
  'prompt-alias': [3, onVersion(({ ctx }, { name, version }) => requests.setAlias(ctx, name, 'champion', version), isPromptVersion)],
};
