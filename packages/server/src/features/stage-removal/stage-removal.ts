/** The end of a stage: refused as long as anything stands in it, waits for it, or names it. Settings are changed through here, for that reason. */
import { Problem } from '@countersign/contract/problem.ts';
import type { Settings } from '@countersign/contract/settings.ts';
import type { Stage } from '@countersign/contract/stages.ts';
import type { Ctx, TxCtx } from '../../platform/context.ts';
import * as approvals from '../approvals/approvals.ts';
import * as policies from '../policies/policies.ts';
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
  for (const stage of gone) {
    const by = [...(await listPlaced(ctx, stage)), ...told('policy', await policies.listNamingStage(ctx, stage))];
    if (by.length > 0) throw inUse(`The stage ${stage} can't be taken away`, by);
  }
}

/** INVALID_STATE where something stands in one of these stages, or waits for it. `what` begins the sentence. */
export async function refusePlaced(ctx: TxCtx, stages: readonly Stage[], what: (stage: Stage) => string): Promise<void> {
  for (const stage of stages) {
    const by = await listPlaced(ctx, stage);
    if (by.length > 0) throw inUse(what(stage), by);
  }
}

function inUse(what: string, by: readonly string[]): Problem {
  return new Problem('INVALID_STATE', `${what}: it is in use by ${by.join(', and by ')}. Move, close, rename or withdraw these first.`);
}

/** Of each kind, so many are named. */
const SHOWN_MAX = 5;

/** Nobody comes into the stage, or asks for it, meanwhile: whoever does so holds the stages. */
async function listPlaced(ctx: TxCtx, stage: Stage): Promise<string[]> {
  return [
    ...told('version', await versions.listStanding(ctx, stage, SHOWN_MAX + 1)),
    ...told('alias', await versions.listAliasesNamed(ctx, stage, SHOWN_MAX + 1)),
    ...told('request', await approvals.listOpenPlaces(ctx, `stage:${stage}`, SHOWN_MAX + 1)),
  ];
}

const PLURALS = { version: 'versions', alias: 'aliases named like it', request: 'open requests', policy: 'policies' } as const;

function told(kind: keyof typeof PLURALS, found: readonly string[]): string[] {
  if (found.length === 0) return [];
  const rest = found.length > SHOWN_MAX ? ' and more' : '';
  return [`${PLURALS[kind]}: ${found.slice(0, SHOWN_MAX).join(', ')}${rest}`];
}
