/** Which stages a workspace has: read at almost every call, and changed once a year. */
import { DEFAULT_SETTINGS, type Settings } from '@countersign/contract/settings.ts';
import type { Stages } from '@countersign/contract/stages.ts';
import { type Ctx, reading } from '../../platform/context.ts';
import { AccessMemory } from '../accounts/accounts.ts';
import * as settingsStore from './settings-store.ts';

const WORKSPACES_MAX = 10_000;
const DEFAULTS: Stages = { stages: DEFAULT_SETTINGS.stages, stage_edges: null };

const memory = new AccessMemory<Stages>(WORKSPACES_MAX);

/** As of now. In a transaction those that decide about a change: none comes or goes before its commit. */
export function getStages(ctx: Pick<Ctx, 'db' | 'tx' | 'workspace'>): Promise<Stages> {
  return memory.recall(ctx, String(ctx.workspace.id), () => read(ctx));
}

async function read(ctx: Pick<Ctx, 'db' | 'tx' | 'workspace'>): Promise<Stages> {
  const rows = await settingsStore.listStageSettings(reading(ctx), ctx.workspace.id);
  if (rows.length === 0) return DEFAULTS;
  const changed = Object.fromEntries(rows.map(({ name, value }) => [name, JSON.parse(value)])) as Partial<Settings>; // written by `changeSettings` only
  return { ...DEFAULTS, ...changed };
}
