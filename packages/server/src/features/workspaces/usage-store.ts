/** What a workspace holds, counted as it changes. Each process counts in a row of its own, so that none waits for another's commit. */
import type { Queries } from '../../platform/db/database.ts';
import type { Usage } from './workspace-rules.ts';

export async function add(tx: Queries, workspaceId: number, shard: number, { models, versions, bytes }: Usage): Promise<void> {
  await tx.run(
    'INSERT INTO workspace_usage (workspace_id, shard, models, versions, bytes) VALUES (?, ?, ?, ?, ?) ON CONFLICT (workspace_id, shard) DO UPDATE ' +
      'SET models = workspace_usage.models + excluded.models, versions = workspace_usage.versions + excluded.versions, ' +
      'bytes = workspace_usage.bytes + excluded.bytes',
    workspaceId,
    shard,
    models,
    versions,
    bytes,
  );
}

export async function get(db: Queries, workspaceId: number): Promise<Usage> {
  const row = await db.one<Usage>(
    'SELECT CAST(COALESCE(sum(models), 0) AS BIGINT) AS models, CAST(COALESCE(sum(versions), 0) AS BIGINT) AS versions, ' +
      'CAST(COALESCE(sum(bytes), 0) AS BIGINT) AS bytes FROM workspace_usage WHERE workspace_id = ?',
    workspaceId,
  );
  return row ?? { models: 0, versions: 0, bytes: 0 };
}

/** Everything that one workspace holds is the other's from now on. */
export async function move(tx: Queries, from: number, to: number, shard: number): Promise<void> {
  await add(tx, to, shard, await get(tx, from));
  await tx.run('DELETE FROM workspace_usage WHERE workspace_id = ?', from);
}
