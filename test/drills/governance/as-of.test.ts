/** What the record says of any past moment is what stood there then: stages, aliases, members, who could act on a model, policies. */
import { RANK } from '@countersign/contract/levels.ts';
import * as audit from '@countersign/server/features/audit/audit.ts';
import * as groups from '@countersign/server/features/groups/groups.ts';
import * as policies from '@countersign/server/features/policies/policies.ts';
import { within } from '@countersign/server/features/workspaces/workspaces.ts';
import { describe, expect, it } from 'vitest';
import { counts } from '../../counts.ts';
import { randomPolicies } from './policy-family.ts';
import type { Seen } from './seen.ts';
import { openWorld, type World } from './world.ts';

const STEPS_OF_A_WORLD = 500;
const ASKED_OF_A_WORLD = 60;
const KINDS = new Set(
  (
    'register copy retry stage alias alias-removal rename version-deletion version-restoration model-deletion model-restoration ' +
    'model-creation ask apply rollback publish membership administration check wait'
  ).split(' '),
);

interface Moment {
  readonly at: number;
  readonly seen: Seen;
  /** Who may, on each model. */
  readonly could: ReadonlyMap<number, readonly number[]>;
}

async function remember(world: World): Promise<Moment> {
  const seen = world.seen();
  const { staff, store } = world.scene;
  const could = new Map<number, number[]>();
  for (const member of staff.members) {
    const ctx = member.kind === 'ci' ? undefined : await staff.contextOf(member);
    if (ctx === undefined) continue;
    for (const { id, name, workspace } of seen.models.values()) {
      if (workspace !== 0 || ctx.access.rankOf('registered-model', { id, name }) < RANK.MANAGE_PRODUCTION) continue;
      could.set(id, [...(could.get(id) ?? []), member.id]);
    }
  }
  return { at: store.now() - 1, seen, could };
}

async function check(world: World, { at, seen, could }: Moment): Promise<number> {
  const { staff, store, chance } = world.scene;
  const { ctx } = store;
  const alive = [...seen.versions.values()].filter((each) => each.isAlive);
  let asked = 0;
  const same = (what: string, said: unknown, was: unknown): void => {
    asked++;
    expect([what, said]).toEqual([what, was]);
  };
  const sorted = (ids: Iterable<number>): readonly number[] => [...ids].sort((a, b) => a - b);
  for (const model of [...seen.models.values()].filter((each) => each.workspace === 0)) {
    for (const stage of ['Staging', 'Production', 'Archived']) {
      const { answer } = await audit.getStage(ctx, { id: model.id }, stage, at);
      const held = alive.filter((each) => each.model === model.id && each.stage === stage);
      same(`${stage} of ${model.id}`, sorted(answer.map(({ versionId }) => versionId)), sorted(held.map(({ id }) => id)));
    }
    for (const alias of ['champion', 'challenger', 'production']) {
      const { answer } = await audit.getAlias(ctx, { id: model.id }, alias, at);
      same(`${alias} of ${model.id}`, answer?.versionId, seen.aliases.get(`${model.id} ${alias}`));
    }
  }
  const model = chance.maybe([...seen.models.values()].filter((each) => each.workspace === 0));
  if (model !== undefined) {
    const { answer } = await audit.listAccess(ctx, { id: model.id }, 'MANAGE_PRODUCTION', at);
    const people = answer.map(({ accountId }) => accountId).filter((id) => staff.find(id) !== undefined);
    same(`who could act on ${model.id}`, sorted(people), sorted(could.get(model.id) ?? []));
  }
  for (const name of ['risk', 'legal']) {
    const { id } = await groups.getByName(ctx, name);
    const was = [...seen.members].filter((each) => each.startsWith(`${name} `)).map((each) => Number(each.split(' ')[1]));
    same(`members of ${name}`, sorted((await audit.listMembers(ctx, id, at)).map(({ accountId }) => accountId)), sorted(was));
  }
  for (const workspace of [ctx.workspace, staff.other()]) {
    const said = (await policies.listInForceAt(within(ctx, workspace), at)).map(({ hash }) => hash);
    same(`policies of ${workspace.id}`, said.sort(), (seen.policies.get(workspace.id) ?? []).map(({ hash }) => hash).sort());
  }
  return asked;
}

describe('as of a time', () => {
  it('is what stood there then', async () => {
    let operations = 0;
    let asked = 0;
    for (let seed = 1; operations < counts.asOfOperations; seed++) {
      const world = await openWorld({ seed: 80_000 + seed, policies: randomPolicies, kinds: KINDS });
      const moments = [await remember(world)];
      for (let step = 0; step < STEPS_OF_A_WORLD && operations < counts.asOfOperations; step++) {
        operations++;
        await world.step();
        if (world.scene.chance.is(0.3)) moments.push(await remember(world));
      }
      for (let at = 0; at < ASKED_OF_A_WORLD; at++) asked += await check(world, world.scene.chance.pick(moments));
      await world.close();
    }
    if (process.env.COUNTERSIGN_DRILL_SHOW) console.info({ operations, asked });
    expect(asked).toBeGreaterThan(operations / 10);
  }, 3_600_000);
});
