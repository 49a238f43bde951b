import type { Queries } from '../../platform/db/database.ts';

export function listSettings(db: Queries, workspaceId: number): Promise<{ name: string; value: string }[]> {
  return db.all('SELECT name, value FROM settings WHERE workspace_id = ? LIMIT 100', workspaceId);
}

/** The stages and their edges; no row where they are the defaults. */
export function listStageSettings(db: Queries, workspaceId: number): Promise<{ name: string; value: string }[]> {
  return db.all("SELECT name, value FROM settings WHERE workspace_id = ? AND name IN ('stages', 'stage_edges') LIMIT 2", workspaceId);
}

export async function upsertSetting(tx: Queries, workspaceId: number, name: string, value: string, by: number): Promise<void> {
  await tx.run(
    'INSERT INTO settings (workspace_id, name, value, written_by) VALUES (?, ?, ?, ?) ' +
      'ON CONFLICT (workspace_id, name) DO UPDATE SET value = excluded.value, written_by = excluded.written_by',
    workspaceId,
    name,
    value,
    by,
  );
}
