import type { Queries } from '../../platform/db/database.ts';

export function listSettings(db: Queries, workspaceId: number): Promise<{ name: string; value: string }[]> {
  return db.all('SELECT name, value FROM settings WHERE workspace_id = ? LIMIT 100', workspaceId);
}

/** The stages and their edges. Held: on PostgreSQL, nobody changes them until the commit, also where they are still the defaults and no row is there. */
export function listStageSettings(db: Queries, workspaceId: number, isHeld: boolean): Promise<{ name: string; value: string }[]> {
  const lock = isHeld && db.dialect === 'postgres' ? 'FOR SHARE' : '';
  return db.all(
    `SELECT name, value FROM settings WHERE workspace_id = ? AND name IN ('stages', 'stage_edges') LIMIT 2 ${lock}`,
    workspaceId,
  );
}

/** Waits for whoever holds stages, of whatever workspace: a row that isn't there can't be locked, so the table is. */
export async function lockStageSettings(tx: Queries): Promise<void> {
  if (tx.dialect === 'postgres') await tx.run('LOCK TABLE settings IN EXCLUSIVE MODE');
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
