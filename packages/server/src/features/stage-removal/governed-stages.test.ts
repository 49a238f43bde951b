/** Stages that a workspace defined, under policies: who lets a version in, who brings one back, and who changes the stages themselves. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { openTestContext, type TestContext } from '../../../../../test/support/context.ts';
import { openPeople } from '../../../../../test/support/people.ts';
import type { Ctx } from '../../platform/context.ts';
import * as accounts from '../accounts/accounts.ts';
import * as models from '../models/models.ts';
import * as requests from '../requests/requests.ts';
import * as runs from '../runs/runs.ts';
import * as transitions from '../transitions/transitions.ts';
import * as versions from '../versions/versions.ts';
import * as workspaces from '../workspaces/workspaces.ts';
import * as stageRemoval from './stage-removal.ts';

const UAT = `
name: uat
mode: enforce
match: { model: '*', target: { stage: UAT } }
requirements: { sealed: false, approvals: [{ group: risk }] }
rollback: { within_days: 30, roles: [{ group: risk }] }
`;
const STAGES = ['Staging', 'UAT', 'Production'].map((name) => ({ name }));

let test: TestContext;
let people: Readonly<Record<'root' | 'second' | 'dora' | 'bob', Ctx>>;

const asked = async (version: number): Promise<number> => {
  const request = await requests.create(people.dora, 'M', { target: { kind: 'stage', stage: 'uat' }, version, archiveExisting: true });
  return request.id;
};
const stageOf = async (version: number): Promise<string> => (await versions.get(test.ctx, 'M', version)).stage;

beforeEach(async () => {
  test = await openTestContext();
  accounts.setGovernor(test.ctx.db, transitions.governSetting);
  people = await openPeople(test.ctx, {
    root: { isAdmin: true },
    second: { isAdmin: true },
    dora: { level: 'MANAGE_PRODUCTION' },
    bob: { level: 'READ', groups: ['risk'] },
  });
  await stageRemoval.changeSettings(people.root, { stages: STAGES });
  await models.create(test.ctx, { name: 'M', tags: [] });
  for (const words of ['one', 'two']) await register(words);
  await requests.replacePolicies(people.root, { published: [{ text: UAT, listedDigests: [] }], withdrawn: [] });
});
afterEach(() => test.close());

/** Sealed over bytes of its own. */
async function register(words: string): Promise<void> {
  const { artifactUri, runId } = (await runs.create(test.ctx, { experimentId: 0, name: 'r', userId: '', startTime: 0, tags: [] })).info;
  await test.upload(`${artifactUri.replace('mlflow-artifacts:/', '')}/model/MLmodel`, `flavors: {} # ${words}`);
  const input = { runId, loggedModelId: undefined, runLink: '', description: undefined, tags: [] };
  await requests.registerVersion(people.root, { name: 'M', source: `runs:/${runId}/model`, ...input });
}

const REFUSED = { code: 'PERMISSION_DENIED' };

describe('a policy on a stage that the workspace defined', () => {
  it('governs it however the stage is written, and aliases that are named like it', async () => {
    const move = { name: 'M', version: 1, stage: 'uat', archiveExisting: false };
    await expect(requests.moveStage(people.dora, move)).rejects.toMatchObject(REFUSED);
    await expect(requests.setAlias(people.dora, 'M', 'Uat', 1)).rejects.toMatchObject(REFUSED);
    await requests.approve(people.bob, await asked(1));
    expect(await stageOf(1)).toBe('UAT');
  });

  it('brings a version back by its own rule, along no edge', async () => {
    const edges = [
      { from: 'None', to: 'UAT' },
      { from: 'UAT', to: 'Archived' },
    ];
    await asRoot({ stage_edges: edges });
    for (const version of [1, 2]) await requests.approve(people.bob, await asked(version));
    expect([await stageOf(1), await stageOf(2)]).toEqual(['Archived', 'UAT']);
    await expect(asked(1)).rejects.toThrow('From Archived a version goes nowhere');
    await requests.rollback(people.bob, 'M', 1, 'stage:uat', 'the new one is worse');
    expect([await stageOf(1), await stageOf(2)]).toEqual(['UAT', 'Archived']);
  });

  it('makes the definition of stages nobody’s alone, and stays defined as long as it is named', async () => {
    const without = { stages: [{ name: 'Staging' }, { name: 'Production' }], protected_stages: ['production'] };
    await expect(stageRemoval.changeSettings(people.root, without)).rejects.toMatchObject(REFUSED);
    await expect(asRoot(without)).rejects.toThrow("The stage UAT can't be taken away: it is in use by policies: uat.");
    const more = { stages: [...STAGES, { name: 'Canary' }], stage_edges: [{ from: 'None', to: 'Canary' }] };
    await asRoot(more);
    expect((await workspaces.getStages(test.ctx)).stages.map(({ name }) => name)).toEqual([
      'None',
      'Staging',
      'UAT',
      'Production',
      'Canary',
      'Archived',
    ]);
    // What changes no stage asks nobody.
    await stageRemoval.changeSettings(people.root, { ...more, protect_aliased: true });
  });
});

/** Asked for by one administrator, approved once by the other, and made. */
async function asRoot(changes: Parameters<typeof stageRemoval.changeSettings>[1]): Promise<void> {
  const refused = await requests
    .asking(people.root, () => stageRemoval.changeSettings(people.root, changes))
    .catch((error: Error) => error);
  const [, id] = /Request (\d+) /.exec(String(refused)) ?? [];
  if (id === undefined) throw refused instanceof Error ? refused : new TypeError('a change of stages was not refused');
  await requests.approve(people.second, Number(id));
  await stageRemoval.changeSettings(people.root, changes);
}
