import type { Queries } from '../../platform/db/database.ts';

export interface Workspace {
  readonly id: number;
  readonly name: string;
  readonly description: string | null;
  /** Below which its experiments lie; null: a folder of the server's root. */
  readonly defaultArtifactRoot: string | null;
  readonly createdAt: number;
}

const COLUMNS = 'id, name, description, default_artifact_root AS "defaultArtifactRoot", created_at AS "createdAt"';

export function findByName(db: Queries, name: string): Promise<Workspace | undefined> {
  return db.one(`SELECT ${COLUMNS} FROM workspaces WHERE name = ? AND deleted_at IS NULL`, name);
}

export function findById(db: Queries, id: number): Promise<Workspace | undefined> {
  return db.one(`SELECT ${COLUMNS} FROM workspaces WHERE id = ? AND deleted_at IS NULL`, id);
}

export const LIST_MAX = 10_000;

/** By name. */
export function list(db: Queries): Promise<Workspace[]> {
  return db.all(`SELECT ${COLUMNS} FROM workspaces WHERE deleted_at IS NULL ORDER BY name LIMIT ${LIST_MAX}`);
}

/** Undefined where the name is taken. */
export async function insert(
  tx: Queries,
  workspace: { name: string; description: string | null; defaultArtifactRoot: string | null; at: number; by: number },
): Promise<number | undefined> {
  const row = await tx.one<{ id: number }>(
    'INSERT INTO workspaces (name, description, default_artifact_root, created_at, written_by) VALUES (?, ?, ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id',
    workspace.name,
    workspace.description,
    workspace.defaultArtifactRoot,
    workspace.at,
    workspace.by,
  );
  return row?.id;
}

export async function update(
  tx: Queries,
  id: number,
  change: { description: string | null; defaultArtifactRoot: string | null; by: number },
): Promise<void> {
  await tx.run(
    'UPDATE workspaces SET description = ?, default_artifact_root = ?, written_by = ? WHERE id = ?',
    change.description,
    change.defaultArtifactRoot,
    change.by,
    id,
  );
}

export async function markDeleted(tx: Queries, id: number, at: number, by: number): Promise<void> {
  await tx.run('UPDATE workspaces SET deleted_at = ?, deleted_by = ? WHERE id = ?', at, by, id);
}

/** Whether it is there, and stays until the commit. */
export async function isHeldOpen(tx: Queries, id: number): Promise<boolean> {
  const lock = tx.dialect === 'postgres' ? 'FOR KEY SHARE' : '';
  return (await tx.one(`SELECT id FROM workspaces WHERE id = ? AND deleted_at IS NULL ${lock}`, id)) !== undefined;
}

/** Until the commit nobody else deletes the workspace, or counts it as there while it goes. */
export async function lock(tx: Queries, id: number): Promise<void> {
  if (tx.dialect === 'postgres') await tx.all('SELECT id FROM workspaces WHERE id = ? FOR UPDATE', id);
}
