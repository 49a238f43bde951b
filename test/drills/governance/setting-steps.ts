/** Steps of a drill by those who administer: policies, groups, accounts, blocks, stages, workspaces. */
import type { Settings } from '@countersign/contract/settings.ts';
import type { RemovalMode } from '@countersign/contract/workspaces.ts';
import * as accounts from '@countersign/server/features/accounts/accounts.ts';
import * as blocks from '@countersign/server/features/blocks/blocks.ts';
import * as experiments from '@countersign/server/features/experiments/experiments.ts';
import * as groups from '@countersign/server/features/groups/groups.ts';
import * as namedPermissions from '@countersign/server/features/named-permissions/named-permissions.ts';
import * as stageRemoval from '@countersign/server/features/stage-removal/stage-removal.ts';
import * as tokens from '@countersign/server/features/tokens/tokens.ts';
import * as transitions from '@countersign/server/features/transitions/transitions.ts';
import { removeWorkspace } from '@countersign/server/features/workspace-removal/workspace-removal.ts';
import * as workspaces from '@countersign/server/features/workspaces/workspaces.ts';
import type { Ctx } from '@countersign/server/platform/context.ts';
import { randomPolicy } from './policy-family.ts';
import { administer, onVersion, type Scene, type Steps, someAccount } from './step-subjects.ts';

const edges = (text: string): { from: string; to: string }[] =>
  text.split(' ').map((each) => ({ from: each.split('>')[0] ?? '', to: each.split('>')[1] ?? '' }));

/** What a workspace may say of its stages. */
export const STAGE_SETTINGS: readonly Pick<Settings, 'stages' | 'stage_edges'>[] = [
  { stages: [{ name: 'Staging' }, { name: 'Production' }], stage_edges: null },
  { stages: [{ name: 'Staging' }, { name: 'UAT' }, { name: 'Production' }], stage_edges: null },
  {
    stages: [{ name: 'Staging' }, { name: 'UAT', level: 'MANAGE_PRODUCTION' }, { name: 'Production' }],
    stage_edges: edges('None>Staging Staging>UAT UAT>Production Production>Archived Staging>Archived UAT>Archived Archived>Production'),
  },
  { stages: [{ name: 'Canary', active: false }, { name: 'Staging' }, { name: 'Production' }], stage_edges: null },
  {
    stages: [{ name: 'Staging' }, { name: 'UAT' }, { name: 'Canary' }, { name: 'Production' }],
    stage_edges: edges('None>Staging None>UAT Staging>Production UAT>Canary Canary>Production Production>Archived Staging>None'),
  },
];

export const settingSteps: Steps = {
  publish: [
    5,
    (doing) => {
      const { chance, seen } = doing.scene;
      const inForce = (seen.policies.get(doing.ctx.workspace.id) ?? []).map(({ name }) => name);
      const changes = chance.is(0.8)
        ? { published: [{ text: randomPolicy(chance), listedDigests: [] }], withdrawn: [] }
        : { published: [], withdrawn: [chance.maybe(inForce) ?? 'none'] };
      return administer(doing, (ctx) => transitions.replacePolicies(ctx, changes));
    },
  ],
  stages: [
    3,
    async (doing) => {
      if (!doing.ctx.access.isManager) return;
      const settings = doing.scene.chance.pick(STAGE_SETTINGS);
      await administer(doing, (ctx) => stageRemoval.changeSettings(ctx, settings));
    },
  ],
  'workspace-removal': [
    2,
    async ({ ctx, scene }) => {
      if (!ctx.access.isAdmin) return;
      await replaceOther(ctx, scene, scene.chance.pick(['RESTRICT', 'CASCADE', 'SET_DEFAULT', 'SET_DEFAULT']));
    },
  ],
  membership: [
    4,
    async (doing) => {
      const { chance } = doing.scene;
      const group = await groups.getByName(doing.ctx, chance.pick(['risk', 'legal']));
      const someone = await someAccount(doing);
      const isJoining = chance.is(0.6);
      return administer(doing, (ctx) => (isJoining ? groups.addMember(ctx, group, someone) : groups.removeMember(ctx, group, someone.id)));
    },
  ],
  administration: [
    3,
    async (doing) => {
      const { chance, staff } = doing.scene;
      const someone = await someAccount(doing);
      const robot = await accounts.getByName(doing.ctx, 'bobs-robot');
      const owner = staff.byName(chance.pick(['bob', 'root', 'alice'])).id;
      const token = { kind: 'personal', name: 't', scopes: ['read'], expiresAt: null } as const;
      const isAdmin = chance.is(0.5);
      const state = chance.is(0.8) ? 'active' : 'disabled';
      const acts: ((ctx: Ctx) => Promise<unknown>)[] = [
        (ctx) => accounts.setAdmin(ctx, someone, isAdmin),
        (ctx) => accounts.setState(ctx, someone, state),
        (ctx) => accounts.setOwner(ctx, robot, owner),
        (ctx) => tokens.mint(ctx, someone, token as Parameters<typeof tokens.mint>[2]),
        (ctx) => namedPermissions.give(ctx, 'break-glass', { kind: 'user', id: someone.id, name: someone.name }),
      ];
      return administer(doing, chance.pick(acts));
    },
  ],
  block: [1, onVersion(({ ctx }, { row }) => (row.digest === null ? Promise.resolve() : blocks.block(ctx, row.digest, 'bad')))],
  lift: [
    2,
    async (doing) => {
      const digest = doing.scene.chance.maybe([...doing.scene.seen.blocks])?.split(' ')[1];
      if (digest !== undefined) await administer(doing, (ctx) => transitions.liftBlock(ctx, digest, 'good again'));
    },
  ],
};

/** Removes the workspace beside the default one; a new one, with an experiment of its own, takes its place. */
export async function replaceOther(ctx: Ctx, { store, staff, experiments: known, chance }: Scene, mode: RemovalMode): Promise<void> {
  const { name } = staff.other();
  await removeWorkspace(ctx, name, mode);
  staff.setOther(await workspaces.createWorkspace(store.ctx, { name }));
  await openExperiment(store.ctx, staff.other(), known, `e${chance.below(1e9)}`);
}

export async function openExperiment(
  ctx: Ctx,
  workspace: { readonly id: number; readonly name: string },
  known: Map<number, number>,
  name: string,
): Promise<void> {
  const inside = workspaces.within(ctx, workspace);
  known.set(workspace.id, await experiments.create(inside, { name, artifactLocation: undefined, tags: [] }));
}
