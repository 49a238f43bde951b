import { resolveLocation } from '@countersign/contract/artifact-location.ts';
import { Problem } from '@countersign/contract/problem.ts';
import { beforeEach, describe, expect, test } from 'vitest';
import { openContext } from '../../../../../test/support/context.ts';
import type { Ctx } from '../../platform/context.ts';
import * as events from '../events/events.ts';
import * as experiments from './experiments.ts';

let ctx: Ctx;

beforeEach(async () => {
  ctx = await openContext();
});

function create(name: string, artifactLocation?: string): Promise<number> {
  return experiments.create(ctx, { name, artifactLocation, tags: [] });
}

describe('experiments', () => {
  test('the default experiment is number 0, is made once, and the next is 1', async () => {
    await experiments.ensureDefaultExperiment(ctx, 'mlflow-artifacts:/elsewhere');
    expect(await experiments.getExperiment(ctx, 0)).toMatchObject({ name: 'Default', artifactLocation: 'mlflow-artifacts:/0' });
    const id = await create('first');
    expect(await experiments.getExperiment(ctx, id)).toMatchObject({ id: 1, artifactLocation: 'mlflow-artifacts:/1', lifecycle: 'active' });
  });

  test('a name is taken by an active and by a deleted experiment', async () => {
    const id = await create('taken');
    await expect(create('taken')).rejects.toMatchObject({ code: 'RESOURCE_ALREADY_EXISTS', status: 400 });
    await experiments.remove(ctx, id);
    await expect(create('taken')).rejects.toMatchObject({ code: 'RESOURCE_ALREADY_EXISTS' });
    const other = await create('other');
    await expect(experiments.rename(ctx, other, 'taken')).rejects.toMatchObject({ code: 'BAD_REQUEST' });
  });

  test('a name of 500 characters is kept, one of 501 refused', async () => {
    await expect(create('😀'.repeat(500))).resolves.toBeGreaterThan(0);
    await expect(create('a'.repeat(501))).rejects.toThrow("'name' exceeds the maximum length of 500 characters");
  });

  test('a deleted experiment is still read by id and by name, but not renamed, tagged or deleted again', async () => {
    const id = await create('gone');
    await experiments.remove(ctx, id);
    expect((await experiments.getByName(ctx, 'gone')).lifecycle).toBe('deleted');
    await expect(experiments.rename(ctx, id, 'x')).rejects.toMatchObject({ code: 'INVALID_STATE', status: 400 });
    await expect(experiments.setTag(ctx, id, 'k', 'v')).rejects.toThrow(`The experiment ${id} must be in the 'active' state`);
    await expect(experiments.remove(ctx, id)).rejects.toThrow(`No Experiment with id=${id} exists`);
    await experiments.restore(ctx, id);
    await expect(experiments.restore(ctx, id)).rejects.toMatchObject({ code: 'RESOURCE_DOES_NOT_EXIST', status: 404 });
  });

  test('delete and restore are events; create, rename and tags are not', async () => {
    const id = await create('watched');
    await experiments.setTag(ctx, id, 'k', 'v');
    await experiments.rename(ctx, id, 'renamed');
    await experiments.remove(ctx, id);
    await experiments.restore(ctx, id);
    const types = (await events.list(ctx.db, { workspaceId: 0, limit: 10 })).map((event) => event.type);
    expect(types).toEqual(['experiment.deleted', 'experiment.restored']);
  });

  test('tags are overwritten, deleted once, and refused beyond their limits', async () => {
    const id = await create('tagged');
    await experiments.setTag(ctx, id, '__proto__', 'a');
    await experiments.setTag(ctx, id, '__proto__', 'b');
    expect((await experiments.getExperiment(ctx, id)).tags).toEqual([{ key: '__proto__', value: 'b' }]);
    await experiments.deleteTag(ctx, id, '__proto__');
    await expect(experiments.deleteTag(ctx, id, '__proto__')).rejects.toMatchObject({ code: 'RESOURCE_DOES_NOT_EXIST' });
    await expect(experiments.setTag(ctx, id, 'k'.repeat(251), '')).rejects.toThrow('250');
    await expect(experiments.setTag(ctx, id, 'k', 'v'.repeat(20_001))).rejects.toThrow('20000');
    await expect(experiments.setTag(ctx, id, '../k', '')).rejects.toBeInstanceOf(Problem);
  });

  test('ids that are no integers, and unknown ones, are told apart', async () => {
    expect(() => experiments.parseExperimentId('abc')).toThrow("Invalid experiment ID 'abc'. Experiment ID must be a valid integer.");
    await expect(experiments.getExperiment(ctx, 99)).rejects.toThrow('No Experiment with id=99 exists');
    await expect(experiments.getByName(ctx, 'nobody')).rejects.toThrow("Could not find experiment with name 'nobody'");
  });

  test('pages come newest first, with one more to tell that there is a next page', async () => {
    for (const name of ['a', 'b', 'c']) await create(name);
    const page = await experiments.list(ctx, { lifecycle: 'active', offset: 0, limit: 2 });
    expect(page).toHaveLength(3);
    expect(await experiments.list(ctx, { lifecycle: 'deleted', offset: 0, limit: 2 })).toEqual([]);
  });
});

describe('artifact locations', () => {
  test.each([
    ['another location itself', 'mlflow-artifacts:/team'],
    ['below another', 'mlflow-artifacts:/team/inner'],
    ['below another, by authority', 'mlflow-artifacts://host:5000/team/inner'],
    ['above all', 'mlflow-artifacts:/'],
    ['the folder of a numbered experiment', 'mlflow-artifacts:/0/run/artifacts'],
    ['the folder of a later experiment', 'mlflow-artifacts:/4711'],
    ["the server's own folder", 'mlflow-artifacts:/model-versions/x'],
    ['a path with dots', 'mlflow-artifacts:/a/../team'],
    ['an encoded path', 'mlflow-artifacts:/te%61m'],
  ])('%s is refused, and nothing is created', async (_what, location) => {
    await create('holder', 'mlflow-artifacts:/team');
    await expect(create('intruder', location)).rejects.toMatchObject({ code: 'INVALID_PARAMETER_VALUE' });
    await expect(experiments.getByName(ctx, 'intruder')).rejects.toMatchObject({ code: 'RESOURCE_DOES_NOT_EXIST' });
  });

  test('one inside another is refused however the scheme of that one was written', async () => {
    await create('holder', 'MLflow-Artifacts:/team');
    expect((await experiments.getByName(ctx, 'holder')).artifactLocation).toBe('mlflow-artifacts:/team');
    await expect(create('intruder', 'mlflow-artifacts:/team/inner')).rejects.toMatchObject({ code: 'INVALID_PARAMETER_VALUE' });
  });

  test('a sibling whose name begins alike is taken', async () => {
    await create('holder', 'mlflow-artifacts:/team');
    await expect(create('sibling', 'mlflow-artifacts:/team2')).resolves.toBeGreaterThan(0);
  });

  test.each([
    ['s3://bucket/a?x=y', 's3://bucket/a?x=y'],
    ['my/place', '/srv/my/place'],
    ['./place', '/srv/place'],
    ['/abs', '/abs'],
    ['file:rel', 'file:///srv/rel'],
    ['file:///abs', 'file:///abs'],
  ])('%s is kept as %s', (given, kept) => {
    expect(resolveLocation(given, '/srv')).toBe(kept);
  });

  test.each([
    'runs:/abc/x',
    's3://b/a#f',
    's3://b/a;p=1',
    's3://b?x=%252e%252e',
    'http://h/a',
    'sftp://h/a',
    'hdfs://h/a',
    `/${'a'.repeat(2048)}`,
  ])('%s is refused', (location) => {
    expect(() => resolveLocation(location, '/srv')).toThrow(Problem);
  });
});
