/** Who may do what, and how a workspace is set up. Identities come with accounts; settings are here from the start. */
import { invalid } from '@countersign/contract/problem.ts';
import { DEFAULT_SETTINGS, type SettingName, type Settings } from '@countersign/contract/settings.ts';
import { canonicalStage } from '@countersign/contract/stages.ts';
import { type Ctx, reading, transaction } from '../../platform/context.ts';
import { record } from '../events/events.ts';
import * as store from './settings-store.ts';

/** The workspace's settings, defaults filled in. */
export async function getSettings(ctx: Ctx): Promise<Settings> {
  const rows = await store.listSettings(reading(ctx), ctx.workspace.id);
  if (rows.length === 0) return DEFAULT_SETTINGS;
  const settings: Record<string, unknown> = { ...DEFAULT_SETTINGS };
  for (const row of rows) settings[row.name] = JSON.parse(row.value);
  return settings as unknown as Settings; // rows are written by `changeSettings` only, which takes nothing else
}

/** Those that exist, by id. */
export async function listPrincipals(ctx: Ctx, ids: readonly number[]): Promise<ReadonlyMap<number, store.PrincipalRow>> {
  const rows = await store.listPrincipals(reading(ctx), [...new Set(ids)]);
  return new Map(rows.map((row) => [row.id, row]));
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
      record(inner, { type: 'setting.changed', data: { name, value: value as boolean | readonly string[] } });
    }
    return getSettings(inner);
  });
}
