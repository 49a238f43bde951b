/** Whose requests a newer version closes: those for the place that it came into, where the policy on that place says so. */
import { afterEach, beforeEach, expect, it } from 'vitest';
import { type GovernedModels, openGovernedModels, registerFrom } from '../../../../../test/support/governed-models.ts';
import { openPeople } from '../../../../../test/support/people.ts';
import type { Ctx } from '../../platform/context.ts';
import * as requests from './requests.ts';

let store: GovernedModels;
let people: Readonly<Record<'root' | 'second', Ctx>>;

beforeEach(async () => {
  store = await openGovernedModels();
  people = await openPeople(store.ctx, { root: { isAdmin: true }, second: { isAdmin: true } });
  const run = await store.logRun(people.root);
  await requests.createModel(people.root, { name: 'm', tags: [] });
  for (let made = 0; made < 2; made++) await registerFrom(people.root, 'm', `runs:/${run}/model`);
  await move('Staging');
});
afterEach(() => store.close());

const move = (stage: string): Promise<unknown> => requests.moveStage(people.root, { name: 'm', version: 2, stage, archiveExisting: false });

async function stateAfter(...superseding: readonly string[]): Promise<string> {
  const published = ['Staging', 'Production'].map((stage) => ({
    text: JSON.stringify({
      name: stage.toLowerCase(),
      mode: 'enforce',
      match: { target: { stage } },
      ...(superseding.includes(stage) ? { supersedes: 'older' } : {}),
    }),
    listedDigests: [],
  }));
  await requests.replacePolicies(people.root, { published, withdrawn: [] });
  const { id } = await requests.create(people.root, 'm', { target: { kind: 'stage', stage: 'Production' }, version: 1 });
  await move('Production');
  return (await requests.get(people.root, id)).state;
}

it('a request of an older version ends where a newer one came into its place', async () => {
  await expect(stateAfter('Production')).resolves.toBe('superseded');
});

it('it stays open where only the place that the newer one left says so', async () => {
  await expect(stateAfter('Staging')).resolves.toBe('open');
});
