/** The end of a stage: refused as long as anything stands in it, waits for it, or names it. Settings are changed through here, for that reason. */
import { Problem } from '@countersign/contract/problem.ts';
import type { Settings } from '@countersign/contract/settings.ts';
import type { Stage } from '@countersign/contract/stages.ts';
import type { Ctx, TxCtx } from '../../platform/context.ts';
import * as versions from '../versions/versions.ts';
import * as workspaces from '../workspaces/workspaces.ts';

/** As `workspaces.changeSettings`. INVALID_STATE for a stage that is in use; it says where. */
export function changeSettings(ctx: Ctx, changes: Partial<Settings>): Promise<Settings> {
  return workspaces.changeSettings(ctx, changes, refuseUsed);
}

/** As `workspaces.updateWorkspace`. INVALID_STATE for a stage that is in use. */
export function updateWorkspace(ctx: Ctx, name: string, change: workspaces.WorkspaceChange): Promise<workspaces.Workspace> {
  return workspaces.updateWorkspace(ctx, name, change, refuseUsed);
}

async function refuseUsed(ctx: TxCtx, gone: readonly Stage[]): Promise<void> {
  const used = await findUsed(ctx, gone);
  if (used === undefined) return;
  throw new Problem(
    'INVALID_STATE',
    `The stage ${used.stage} can't be taken away: it is in use by ${used.by}. Move, close or rename these first.`,
  );
}

/** Of each kind, so many are named. */
const SHOWN_MAX = 5;

/** The first of these stages that is in use, and by what. Nobody comes into it or asks for it meanwhile: whoever does so holds the stages. */
export async function findUsed(ctx: TxCtx, stages: readonly Stage[]): Promise<{ readonly stage: Stage; readonly by: string } | undefined> {
  for (const stage of stages) {
    const uses = [
      told('version', await versions.listStanding(ctx, stage, SHOWN_MAX + 1)),
      told('alias', await versions.listAliasesNamed(ctx, stage, SHOWN_MAX + 1)),
    ].filter((use) => use !== undefined);
    if (uses.length > 0) return { stage, by: uses.join(', and by ') };
  }
  return undefined;
}

const PLURALS = { version: 'versions', alias: 'aliases named like it' } as const;

function told(kind: keyof typeof PLURALS, found: readonly string[]): string | undefined {
  if (found.length === 0) return undefined;
  const rest = found.length > SHOWN_MAX ? ' and more' : '';
  return `${PLURALS[kind]}: ${found.slice(0, SHOWN_MAX).join(', ')}${rest}`;
}
