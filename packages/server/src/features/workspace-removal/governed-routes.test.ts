/** Every way into a governed place and out of it, tried by an administrator alone: each is refused, and changes nothing. */
import { afterEach, beforeEach, describe, expect, it } from 'vitest';
import { type GovernedModels, openGovernedModels, registerFrom } from '../../../../../test/support/governed-models.ts';
import { openPeople } from '../../../../../test/support/people.ts';
import type { Ctx } from '../../platform/context.ts';
import * as accounts from '../accounts/accounts.ts';
import * as models from '../models/models.ts';
import * as requests from '../requests/requests.ts';
import * as transitions from '../transitions/transitions.ts';
import * as versions from '../versions/versions.ts';
import * as workspaces from '../workspaces/workspaces.ts';
import { removeWorkspace } from './workspace-removal.ts';

let store: GovernedModels;
let root: Ctx;
let bob: Ctx;
let lab: Ctx;
let deleted: models.RegisteredModel | undefined;

const policy = (name: string, match: string): string =>
  `{ name: ${name}, mode: enforce, match: ${match}, requirements: { approvals: [{ group: risk }] } }`;

/** `prod.m` has versions 1 and 4 in Production, 1 as champion, 2 nowhere, 3 deleted; `dev.m` has version 1. All of it was there before the policies. */
beforeEach(async () => {
  store = await openGovernedModels();
  const people = await openPeople(store.ctx, {
    root: { isAdmin: true },
    second: { isAdmin: true },
    bob: { level: 'READ', groups: ['risk'] },
  });
  root = people.root;
  bob = people.bob;
  accounts.setGovernor(store.ctx.db, transitions.governSetting);
  for (const name of ['prod.m', 'dev.m', 'prod.gone']) await models.create(root, { name, tags: [{ key: 'risk', value: 'high' }] });
  for (const name of ['prod.m', 'prod.m', 'prod.m', 'prod.m', 'dev.m', 'prod.gone']) await register(name, { validation_status: 'passed' });
  for (const version of [1, 4]) await move(version, 'Production', 'prod.m');
  await requests.setAlias(root, 'prod.m', 'champion', 1);
  await requests.deleteVersion(root, 'prod.m', 3);
  await requests.deleteModel(root, 'prod.gone');
  [deleted] = await models.listDeleted(root);
  lab = workspaces.within(root, await workspaces.createWorkspace(root, { name: 'lab' }));
  await models.create(lab, { name: 'prod.lab', tags: [] });
  await registerFrom(lab, 'prod.lab', 's3://elsewhere/m');
  await publish(
    policy('production', '{ target: { stage: Production } }'),
    policy('champion', '{ target: { alias: "champ*" } }'),
    policy('entry', "{ model: 'prod.*', target: { entry: true } }"),
    policy('tag', '{ target: { tag: validation_status } }'),
    policy('risky', '{ tags: { risk: high }, target: { stage: Staging } }'),
    policy('staging', '{ target: { stage: Staging } }'),
  );
});
afterEach(() => store.close());

const publish = (...texts: readonly string[]): Promise<unknown> =>
  requests.replacePolicies(root, { published: texts.map((text) => ({ text, listedDigests: [] })), withdrawn: [] });
const register = async (name: string, tags: Readonly<Record<string, string>> = {}): Promise<versions.ModelVersion> =>
  registerFrom(
    root,
    name,
    `runs:/${await store.logRun(root)}/model`,
    Object.entries(tags).map(([key, value]) => ({ key, value })),
  );
const move = (version: number, stage: string, name = 'prod.m', archiveExisting = false): Promise<unknown> =>
  requests.moveStage(root, { name, version, stage, archiveExisting });

const WAYS: Readonly<Record<string, () => Promise<unknown>>> = {
  'a version moves into the stage': () => move(2, 'Production'),
  'a version moves into the stage, written otherwise': () => move(2, 'pRoDuCtIoN'),
  'a version replaces what is in the stage': () => move(2, 'Production', 'prod.m', true),
  'a version leaves the stage': () => move(1, 'None'),
  'a version comes to the stage again, and archives the others': () => move(1, 'Production', 'prod.m', true),
  'the alias is set': () => requests.setAlias(root, 'dev.m', 'champion', 1),
  'the alias is moved': () => requests.setAlias(root, 'prod.m', 'champion', 2),
  'the alias is removed': () => requests.deleteAlias(root, 'prod.m', 'champion'),
  'another alias of the pattern is set': () => requests.setAlias(root, 'prod.m', 'champ-eu', 2),
  'an alias is called as the stage': () => requests.setAlias(root, 'prod.m', 'production', 2),
  'the version is deleted': () => requests.deleteVersion(root, 'prod.m', 1),
  'the latest version is deleted': () => requests.deleteVersion(root, 'prod.m', 4),
  'a deleted version is restored': () => requests.restoreVersion(root, 'prod.m', 3),
  'the model is deleted': () => requests.deleteModel(root, 'prod.m'),
  'a deleted model is restored': () => transitions.restoreModel(root, deleted?.id ?? 0, undefined),
  'a deleted model is restored under another governed name': () => transitions.restoreModel(root, deleted?.id ?? 0, 'prod.back'),
  'the model is renamed away': () => requests.renameModel(root, 'prod.m', 'old.m'),
  'another model is renamed into the pattern': () => requests.renameModel(root, 'dev.m', 'prod.n'),
  'a version is registered': () => register('prod.m'),
  'a version is copied in': () => registerFrom(root, 'prod.m', 'models:/dev.m/1'),
  'a version is registered that nothing is known of': () => registerFrom(root, 'prod.m', 's3://elsewhere/m'),
  'models of a workspace that goes come in': () => removeWorkspace(root, 'lab', 'SET_DEFAULT'),
  'the tag is set': () => requests.setVersionTag(root, 'dev.m', 1, 'validation_status', 'failed'),
  'the tag is removed': () => requests.setVersionTag(root, 'dev.m', 1, 'validation_status', null),
  'the tag is set on the model': () => requests.setModelTag(root, 'dev.m', 'validation_status', 'passed'),
  'the tag is given to a version where it is made': () => register('dev.m', { validation_status: 'passed' }),
  'the tag is given to a model where it is made': () =>
    requests.createModel(root, { name: 'new', tags: [{ key: 'validation_status', value: 'passed' }] }),
  'the policy is withdrawn': () => requests.replacePolicies(root, { published: [], withdrawn: ['production'] }),
  'the policy only observes from now on': () =>
    publish(policy('production', '{ target: { stage: Production } }').replace('enforce', 'observe')),
  'a milder policy on the model itself is published': () =>
    publish(policy('mild', '{ model: prod.m, target: { stage: Production } }').replace('group: risk', 'level: READ')),
  'a policy that asks nobody is published': () =>
    publish('{ name: mild, mode: enforce, match: { model: prod.m, target: { stage: Production } } }'),
  'the stages are defined otherwise': () =>
    workspaces.changeSettings(
      root,
      { stages: [{ name: 'None' }, { name: 'Live' }, { name: 'Production' }, { name: 'Staging' }, { name: 'Archived' }] } as never,
      async () => {},
    ),
};

async function places(): Promise<unknown> {
  const found = [];
  for (const name of ['prod.m', 'dev.m', 'prod.n', 'old.m', 'prod.gone', 'prod.back', 'new', 'prod.lab']) {
    const model = await models.find(root, name);
    if (model === undefined) continue;
    const all = await versions.listOfModel(root, model, { limit: 100 });
    found.push([name, model.tags, all.map(({ version, stage, aliases, tags }) => [version, stage, aliases, tags])]);
  }
  return found;
}

describe('an administrator alone', () => {
  it.each(Object.entries(WAYS))('gets nothing done by this: %s', async (_, attempt) => {
    const before = await places();
    await expect(attempt()).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    expect(await places()).toEqual(before);
  });

  it('copies a version without its governed tags', async () => {
    await models.create(root, { name: 'dev.n', tags: [] });
    const tags = [
      { key: 'validation_status', value: 'passed' },
      { key: 'team', value: 'a' },
    ];
    const copy = await registerFrom(root, 'dev.n', 'models:/dev.m/1', tags);
    expect((await versions.get(root, 'dev.n', copy.version)).tags).toEqual([{ key: 'team', value: 'a' }]);
  });

  it('takes no version from one policy to a milder one by a tag of its model', async () => {
    await publish();
    const risk = { target: { kind: 'stage', stage: 'Staging' }, version: 1 } as const;
    const { id } = await requests.create(root, 'dev.m', risk);
    await requests.approve(bob, id);
    expect((await versions.get(root, 'dev.m', 1)).stage).toBe('Staging');
    for (const value of ['low', null]) {
      await expect(requests.setModelTag(root, 'dev.m', 'risk', value)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    }
  });
});
