/** Workspaces group everything by project or department; each is set up by its settings. */
import { invalid } from '@countersign/contract/problem.ts';
import { DEFAULT_SETTINGS, type SettingName, type Settings } from '@countersign/contract/settings.ts';
import { canonicalStage } from '@countersign/contract/stages.ts';
import { type Ctx, reading, transaction, type WorkspaceRef } from '../../platform/context.ts';
import type { Queries } from '../../platform/db/database.ts';
import { announceChange, recordAccess } from '../accounts/accounts.ts';
import * as store from './settings-store.ts';

/** Where everything is that names no workspace. It is always there, and everybody with an account is a member. */
export const DEFAULT_WORKSPACE_ID = 0;

const SETTINGS_OF_DEFAULT: Settings = { ...DEFAULT_SETTINGS, member_level: 'READ' };

export function findWorkspace(db: Queries, name: string): Promise<WorkspaceRef | undefined> {
  return store.findWorkspace(db, name);
}

/** The workspace's settings, defaults filled in. */
export async function getSettings(ctx: Ctx): Promise<Settings> {
  return settingsOf(reading(ctx), ctx.workspace.id);
}

/** The same for any workspace. */
export async function settingsOf(db: Queries, workspaceId: number): Promise<Settings> {
  const rows = await store.listSettings(db, workspaceId);
  const defaults = workspaceId === DEFAULT_WORKSPACE_ID ? SETTINGS_OF_DEFAULT : DEFAULT_SETTINGS;
  if (rows.length === 0) return defaults;
  const settings: Record<string, unknown> = { ...defaults };
  for (const row of rows) settings[row.name] = JSON.parse(row.value);
  return settings as unknown as Settings; // rows are written by `changeSettings` only, which takes nothing else
}

/** Stages by their own names, each once. */
function normalised(changes: Partial<Settings>): Partial<Settings> {
  if (changes.protected_stages === undefined) return changes;
  return { ...changes, protected_stages: [...new Set(changes.protected_stages.map(canonicalStage))] };
}

/** Changes some settings, as events. */
export function changeSettings(ctx: Ctx, changes: Partial<Settings>): Promise<Settings> {
  return transaction(ctx, async (inner) => {
    for (const [name, value] of Object.entries(normalised(changes))) {
      if (!Object.hasOwn(DEFAULT_SETTINGS, name)) {
        throw invalid(`There is no setting '${name}'. Settings are: ${Object.keys(DEFAULT_SETTINGS).join(', ')}.`);
      }
      await store.upsertSetting(inner.tx, inner.workspace.id, name as SettingName, JSON.stringify(value), inner.principal.id);
      recordAccess(inner, { type: 'setting.changed', data: { name, value } });
    }
    await announceChange(inner);
    return getSettings(inner);
  });
}
