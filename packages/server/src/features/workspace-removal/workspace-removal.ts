/** The end of a workspace, and of what is in it: refused, taken along, or handed to the default workspace. Deleting is soft everywhere. */

import { invalid, Problem } from '@countersign/contract/problem.ts';
import { namesOf } from '@countersign/contract/stages.ts';
import type { RemovalMode } from '@countersign/contract/workspaces.ts';
import { type Ctx, type TxCtx, transaction } from '../../platform/context.ts';
import * as access from '../access/access.ts';
import * as artifacts from '../artifacts/artifacts.ts';
import * as blocks from '../blocks/blocks.ts';
import * as experiments from '../experiments/experiments.ts';
import * as models from '../models/models.ts';
import * as namedPermissions from '../named-permissions/named-permissions.ts';
import * as requests from '../requests/requests.ts';
import * as stageRemoval from '../stage-removal/stage-removal.ts';
import * as transitions from '../transitions/transitions.ts';
import * as webhooks from '../webhooks/webhooks.ts';
import * as workspaces from '../workspaces/workspaces.ts';

const DEFAULT = { id: workspaces.DEFAULT_WORKSPACE_ID, name: 'default' };

/**
 * All or nothing. RESOURCE_DOES_NOT_EXIST; INVALID_STATE where it still holds something (RESTRICT), where a name is taken in the default
 * workspace or its quota or naming rule is in the way (SET_DEFAULT), and for what is protected from deletion (CASCADE).
 */
export async function removeWorkspace(ctx: Ctx, name: string, mode: RemovalMode): Promise<void> {
  if (name === DEFAULT.name) throw invalid(`The '${name}' workspace is reserved and cannot be deleted`);
  return transaction(ctx, async (inner) => {
    const workspace = await workspaces.holdWorkspace(inner, name);
    const inside = workspaces.within(inner, workspace);
    if (mode === 'RESTRICT') await refuseUnlessEmpty(inside);
    else if (mode === 'CASCADE') await removeContents(inside);
    else await moveContents(inside);
    await access.forgetWorkspace(inside, mode === 'SET_DEFAULT' ? DEFAULT : undefined);
    await namedPermissions.forgetWorkspace(inside);
    await requests.withdrawAll(inside);
    await workspaces.removeWorkspace(inner, workspace, mode);
  });
}

async function refuseUnlessEmpty(ctx: TxCtx): Promise<void> {
  const counts = [
    [await models.countActive(ctx), 'registered models'],
    [await experiments.countActive(ctx), 'experiments'],
    [await webhooks.countActive(ctx), 'webhooks'],
  ] as const;
  const held = counts.filter(([count]) => count > 0).map(([count, what]) => `${count} ${what}`);
  if (held.length === 0) return;
  throw new Problem(
    'INVALID_STATE',
    `Cannot delete workspace '${ctx.workspace.name}': it still contains ${held.join(', ')}. Remove them first, delete them with it (mode CASCADE), ` +
      'or hand them to the default workspace (mode SET_DEFAULT).',
  );
}

const PAGE = 500;

async function removeContents(ctx: TxCtx): Promise<void> {
  for (;;) {
    const page = await models.listActive(ctx, { afterId: -1, limit: PAGE });
    for (const model of page) await requests.deleteModel(ctx, model.name);
    if (page.length < PAGE) break;
  }
  await experiments.removeAll(ctx);
  await webhooks.removeAll(ctx);
}

/** A version never stands in a stage that its workspace doesn't have. */
async function refuseForeignStages(ctx: TxCtx): Promise<void> {
  const there = namesOf(await workspaces.getStages(workspaces.within(ctx, DEFAULT)));
  const foreign = namesOf(await workspaces.getStages(ctx)).filter((stage) => !there.includes(stage));
  await stageRemoval.refusePlaced(
    ctx,
    foreign,
    (stage) => `Cannot reassign resources from workspace '${ctx.workspace.name}' to 'default', which has no stage ${stage}`,
  );
}

async function moveContents(ctx: TxCtx): Promise<void> {
  const taken = [
    ...(await models.listNamesInBoth(ctx, DEFAULT)).map((name) => `registered model '${name}'`),
    ...(await experiments.listNamesInBoth(ctx, DEFAULT)).map((name) => `experiment '${name}'`),
  ];
  if (taken.length > 0) {
    throw new Problem(
      'INVALID_STATE',
      `Cannot reassign resources from workspace '${ctx.workspace.name}' to 'default': the following names already exist there: ${taken.join(', ')}. ` +
        'Rename or remove the conflicting resources before retrying.',
    );
  }
  await refuseForeignStages(ctx);
  await blocks.moveAll(ctx, DEFAULT);
  await transitions.moveModels(ctx, DEFAULT);
  await experiments.moveAll(ctx, DEFAULT);
  await artifacts.moveAll(ctx, DEFAULT);
  await webhooks.moveAll(ctx, DEFAULT);
  await workspaces.takeUsage(workspaces.within(ctx, DEFAULT), ctx.workspace);
}
