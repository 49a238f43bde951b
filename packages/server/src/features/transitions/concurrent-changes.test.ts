import { Problem } from '@countersign/contract/problem.ts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openContext } from '../../../../../test/support/context.ts';
import { type PostgresCluster, startPostgres } from '../../../../../test/support/postgres.ts';
import type { Ctx, TxCtx } from '../../platform/context.ts';
import { PostgresDatabase } from '../../platform/db/postgres.ts';
import * as experiments from '../experiments/experiments.ts';
import * as models from '../models/models.ts';
import * as versions from '../versions/versions.ts';
import * as transitions from './transitions.ts';

/** Long enough for the other replica to come to its first wait. */
const HELD_MS = 300;

describe('two replicas that change the same model at once', () => {
  let cluster: PostgresCluster;
  let one: Ctx;
  let other: Ctx;
  let count = 0;
  let name = '';

  beforeAll(async () => {
    cluster = await startPostgres();
    const url = await cluster.createDatabase();
    // Both migrate: they start at the same moment.
    [one, other] = await Promise.all(
      [url, url].map((each) => openContext({ db: new PostgresDatabase(each) })) as [Promise<Ctx>, Promise<Ctx>],
    );
  });
  beforeEach(async () => {
    name = `M${++count}`;
    await models.create(one, { name, tags: [] });
    await register(one);
  });
  afterAll(async () => {
    await Promise.all([one?.db.close(), other?.db.close()]);
    await cluster?.stop();
  });

  const register = (ctx: Ctx): Promise<versions.ModelVersion> =>
    transitions.registerVersion(ctx, {
      name,
      source: 's3://bucket/model',
      runId: '',
      loggedModelId: undefined,
      runLink: '',
      description: undefined,
      tags: [],
    });

  /** The second change begins when the first is made and not yet committed. */
  async function during(first: (ctx: TxCtx) => Promise<unknown>, second: (ctx: Ctx) => Promise<unknown>): Promise<unknown> {
    let made = (): void => {};
    const isMade = new Promise<void>((resolve) => {
      made = resolve;
    });
    const held = one.db.write(async (tx) => {
      await first({ ...one, tx });
      made();
      await new Promise((resolve) => setTimeout(resolve, HELD_MS));
    });
    await isMade;
    const [, answer] = await Promise.all([held, second(other).catch((error: unknown) => error)]);
    return answer;
  }

  it('leave no alias on a version that is deleted', async () => {
    await during(
      (ctx) => transitions.setAlias(ctx, name, 'champion', 1),
      (ctx) => transitions.deleteVersion(ctx, name, 1),
    );
    expect(await versions.listAliases(one, await models.get(one, name))).toEqual([]);
  });

  it('register nothing into a model that is deleted', async () => {
    const answer = await during(
      (ctx) => transitions.deleteModel(ctx, name),
      (ctx) => register(ctx),
    );
    expect(answer).toMatchObject({ code: 'RESOURCE_DOES_NOT_EXIST' });
  });

  it('each archive what the other moved in', async () => {
    await register(one);
    const move = (ctx: Ctx, version: number): Promise<unknown> =>
      transitions.moveStage(ctx, { name, version, stage: 'Production', archiveExisting: true });
    await during(
      (ctx) => move(ctx, 1),
      (ctx) => move(ctx, 2),
    );
    const inProduction = await versions.listInStage(one, await models.get(one, name), 'Production');
    expect(inProduction.map((version) => version.version)).toEqual([2]);
  });

  it('record where a version really came from', async () => {
    await during(
      (ctx) => transitions.moveStage(ctx, { name, version: 1, stage: 'Staging', archiveExisting: false }),
      (ctx) => transitions.moveStage(ctx, { name, version: 1, stage: 'Production', archiveExisting: false }),
    );
    const left = await one.db.all<{ target: string }>(
      "SELECT target FROM events WHERE type = 'model-version.stage-left' AND model_id = ? ORDER BY seq",
      (await models.get(one, name)).id,
    );
    expect(left.map((event) => event.target)).toEqual(['stage:None', 'stage:Staging']);
  });

  it('say that a name is taken', async () => {
    const renamed = await during(
      (ctx) => models.create(ctx, { name: `${name}-new`, tags: [] }),
      (ctx) => transitions.renameModel(ctx, name, `${name}-new`),
    );
    expect(renamed).toMatchObject({ code: 'RESOURCE_ALREADY_EXISTS' });
    const id = await experiments.create(one, { name: `E${count}`, tags: [] });
    const moved = await during(
      (ctx) => experiments.create(ctx, { name: `E${count}-new`, tags: [] }),
      (ctx) => experiments.rename(ctx, id, `E${count}-new`),
    );
    expect(moved).toBeInstanceOf(Problem);
    expect(moved).toMatchObject({ code: 'BAD_REQUEST' });
  });

  it('refuse in a sentence what an index can not hold', async () => {
    // Random, since PostgreSQL packs what repeats.
    const long = Array.from({ length: 3000 }, () => String.fromCodePoint(0x4e00 + Math.floor(Math.random() * 0x5000))).join('');
    const write = one.db.write((tx) => tx.run('UPDATE registered_models SET name = ? WHERE name = ?', long, name));
    await expect(write).rejects.toMatchObject({ code: 'INVALID_PARAMETER_VALUE' });
  });
});
