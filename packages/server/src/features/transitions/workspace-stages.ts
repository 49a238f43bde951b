import { isActiveStage as isActive, namesOf, stageOf } from '@countersign/contract/stages.ts';
import type { Ctx } from '../../platform/context.ts';
import { getStages } from '../workspaces/workspaces.ts';

/** The names of the workspace's stages, in their order. */
export async function stagesOf(ctx: Ctx): Promise<readonly string[]> {
  return namesOf(await getStages(ctx));
}

/** Any case in, as the workspace writes it. Throws MLflow's sentence for another word. */
export async function canonicalStageOf(ctx: Ctx, word: string): Promise<string> {
  return stageOf(await getStages(ctx), word);
}

/** Whether what comes to it may archive what stands there. */
export async function isActiveStage(ctx: Ctx, word: string): Promise<boolean> {
  return isActive(await getStages(ctx), word);
}
