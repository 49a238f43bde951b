import sql from 'sql-template-tag';
import { idList, idsOf, type Queries, type SqlValue } from '../../platform/db/database.ts';
import { foldedColumn } from '../../platform/db/fold.ts';
import { jsonRows, readJsonRows } from '../../platform/db/json-rows.ts';
import { allOf } from '../../platform/db/search-plan.ts';
import type { SearchScope } from '../../platform/db/search-scope.ts';

export interface Experiment {
  readonly id: number;
  readonly workspaceName: string;
  readonly name: string;
  readonly artifactLocation: string;
  readonly lifecycle: 'active' | 'deleted';
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly tags: readonly { readonly key: string; readonly value: string }[];
}

interface ExperimentRow {
  readonly id: number;
  readonly workspace_name: string;
  readonly name: string;
  readonly artifact_location: string;
  readonly lifecycle: 'active' | 'deleted';
  readonly created_at: number;
  readonly updated_at: number;
  readonly tags: string;
}

const selectFor = new Map<string, string>();

function select(dialect: Queries['dialect']): string {
  let sql = selectFor.get(dialect);
  if (sql === undefined) {
    const tags = jsonRows(dialect, { key: 'key', value: 'value' }, 'experiment_tags WHERE experiment_id = e.id', 'key');
    sql =
      'SELECT e.id, w.name AS workspace_name, e.name, e.artifact_location, e.lifecycle, e.created_at, e.updated_at, ' +
      `${tags} AS tags FROM experiments e JOIN workspaces w ON w.id = e.workspace_id`;
    selectFor.set(dialect, sql);
  }
  return sql;
}

function fromRow(row: ExperimentRow): Experiment {
  return {
    id: row.id,
    workspaceName: row.workspace_name,
    name: row.name,
    artifactLocation: row.artifact_location,
    lifecycle: row.lifecycle,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
    tags: readJsonRows(row.tags),
  };
}

export async function findById(db: Queries, workspaceId: number, id: number): Promise<Experiment | undefined> {
  const row = await db.one<ExperimentRow>(`${select(db.dialect)} WHERE e.id = ? AND e.workspace_id = ?`, id, workspaceId);
  return row && fromRow(row);
}

export async function findByName(db: Queries, workspaceId: number, name: string): Promise<Experiment | undefined> {
  const row = await db.one<ExperimentRow>(`${select(db.dialect)} WHERE e.workspace_id = ? AND e.name = ?`, workspaceId, name);
  return row && fromRow(row);
}

/** In the order of `ids`; those that don't exist are left out. */
export async function listByIds(db: Queries, ids: readonly number[]): Promise<Experiment[]> {
  if (ids.length === 0) return [];
  const rows = await db.all<ExperimentRow>(`${select(db.dialect)} WHERE e.id IN (${idsOf(db)})`, idList(db, ids));
  const byId = new Map(rows.map((row) => [row.id, fromRow(row)]));
  return ids.flatMap((id) => byId.get(id) ?? []);
}

/** Newest first. */
export async function list(
  db: Queries,
  query: {
    workspaceId: number;
    lifecycle: 'active' | 'deleted' | undefined;
    offset: number;
    limit: number;
    visible: SearchScope | undefined;
  },
): Promise<Experiment[]> {
  const { workspaceId, lifecycle, offset, limit, visible } = query;
  // Where a few may be seen they are read by their ids: a sum is in no index.
  const workspace = visible?.rows === undefined ? sql`e.workspace_id` : sql`e.workspace_id + 0`;
  const where = allOf([
    sql`${workspace} = ${workspaceId}`,
    ...(lifecycle === undefined ? [] : [sql`e.lifecycle = ${lifecycle}`]),
    ...(visible?.rows === undefined ? [] : [sql`e.id IN (SELECT pk FROM (${visible.rows}) driver)`]),
    ...(visible === undefined ? [] : [visible.includes(sql`e.id`, sql`e.name`)]),
  ]);
  const rows = await db.all<ExperimentRow>(
    `${select(db.dialect)} WHERE ${where.sql} ORDER BY e.created_at DESC, e.id LIMIT ? OFFSET ?`,
    ...(where.values as SqlValue[]), // composed from SqlValues only
    limit,
    offset,
  );
  return rows.map(fromRow);
}

/** Undefined where the name is taken. */
export async function insert(
  tx: Queries,
  experiment: { id?: number; workspaceId: number; name: string; artifactLocation: string; at: number; by: number },
): Promise<number | undefined> {
  const row = await tx.one<{ id: number }>(
    `INSERT INTO experiments (${experiment.id === undefined ? '' : 'id, '}workspace_id, name, name_folded, artifact_location, lifecycle, created_at, updated_at, written_by) ` +
      `VALUES (${experiment.id === undefined ? '' : '?, '}?, ?, ?, ?, 'active', ?, ?, ?) ON CONFLICT DO NOTHING RETURNING id`,
    ...(experiment.id === undefined ? [] : [experiment.id]),
    experiment.workspaceId,
    experiment.name,
    foldedColumn(experiment.name),
    experiment.artifactLocation,
    experiment.at,
    experiment.at,
    experiment.by,
  );
  return row?.id;
}

export async function setArtifactLocation(tx: Queries, id: number, location: string): Promise<void> {
  await tx.run('UPDATE experiments SET artifact_location = ? WHERE id = ?', location, id);
}

export async function setName(tx: Queries, id: number, name: string, at: number, by: number): Promise<void> {
  await tx.run(
    'UPDATE experiments SET name = ?, name_folded = ?, updated_at = ?, written_by = ? WHERE id = ?',
    name,
    foldedColumn(name),
    at,
    by,
    id,
  );
}

/** An experiment takes all its runs along, both ways. */
export async function setLifecycle(tx: Queries, id: number, lifecycle: 'active' | 'deleted', at: number, by: number): Promise<void> {
  await tx.run('UPDATE experiments SET lifecycle = ?, updated_at = ?, written_by = ? WHERE id = ?', lifecycle, at, by, id);
  await tx.run(
    'UPDATE runs SET lifecycle = ?, deleted_at = ?, written_by = ? WHERE experiment_id = ?',
    lifecycle,
    lifecycle === 'deleted' ? at : null,
    by,
    id,
  );
}

export async function putTag(tx: Queries, experimentId: number, key: string, value: string, by: number): Promise<void> {
  await tx.run(
    'INSERT INTO experiment_tags (experiment_id, key, value, folded, written_by) VALUES (?, ?, ?, ?, ?) ' +
      'ON CONFLICT (experiment_id, key) DO UPDATE SET value = excluded.value, folded = excluded.folded, written_by = excluded.written_by',
    experimentId,
    key,
    value,
    foldedColumn(value),
    by,
  );
}

/** Whether there was one. */
export async function deleteTag(tx: Queries, experimentId: number, key: string): Promise<boolean> {
  return (await tx.run('DELETE FROM experiment_tags WHERE experiment_id = ? AND key = ?', experimentId, key)) > 0;
}

/** Locations that the server serves itself, but for one experiment's: of all workspaces, for they share one root. */
export async function listServedLocations(db: Queries, exceptId: number): Promise<string[]> {
  const rows = await db.all<{ artifact_location: string }>(
    "SELECT artifact_location FROM experiments WHERE artifact_location >= 'mlflow-artifacts:' AND artifact_location < 'mlflow-artifacts;' AND id <> ?",
    exceptId,
  );
  return rows.map((row) => row.artifact_location);
}

/** The experiment at one of a few locations; locations don't overlap, so it is the only one. */
export function findByLocations(
  db: Queries,
  workspaceId: number,
  locations: readonly string[],
): Promise<{ id: number; name: string } | undefined> {
  return db.one(
    `SELECT id, name FROM experiments WHERE artifact_location IN (${locations.map(() => '?').join(', ')}) AND workspace_id = ? LIMIT 1`,
    ...locations,
    workspaceId,
  );
}

export async function countActive(db: Queries, workspaceId: number): Promise<number> {
  const row = await db.one<{ n: number }>(
    "SELECT count(*) AS n FROM experiments WHERE workspace_id = ? AND lifecycle = 'active'",
    workspaceId,
  );
  return row?.n ?? 0;
}

const ALL_MAX = 1_000_000;

export async function listActiveIds(db: Queries, workspaceId: number): Promise<number[]> {
  const rows = await db.all<{ id: number }>(
    `SELECT id FROM experiments WHERE workspace_id = ? AND lifecycle = 'active' ORDER BY id LIMIT ${ALL_MAX}`,
    workspaceId,
  );
  return rows.map((row) => row.id);
}

const SHOWN_MAX = 20;

export async function listNamesInBoth(db: Queries, workspaceId: number, otherId: number): Promise<string[]> {
  const rows = await db.all<{ name: string }>(
    'SELECT a.name FROM experiments a JOIN experiments b ON b.name = a.name WHERE a.workspace_id = ? AND b.workspace_id = ? ' +
      `ORDER BY a.name LIMIT ${SHOWN_MAX}`,
    workspaceId,
    otherId,
  );
  return rows.map((row) => row.name);
}

export async function moveAll(tx: Queries, workspaceId: number, toId: number, by: number): Promise<void> {
  await tx.run('UPDATE experiments SET workspace_id = ?, written_by = ? WHERE workspace_id = ?', toId, by, workspaceId);
}
