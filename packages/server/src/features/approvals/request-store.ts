import sql from 'sql-template-tag';
import type { Queries, SqlValue } from '../../platform/db/database.ts';
import type { SearchScope } from '../../platform/db/search-scope.ts';
import { TRUE } from '../../platform/db/search-sql.ts';

export const ENDINGS = ['approved', 'rejected', 'cancelled', 'expired', 'superseded'] as const;
export type Ending = (typeof ENDINGS)[number];
export type RequestState = 'open' | Ending;

export interface Request {
  readonly id: number;
  readonly workspaceId: number;
  /** What the change is of: `version:7`, `model:3`, `candidate:5`, `workspace:0`. */
  readonly about: string;
  /** What is asked for in full: `stage:Production`, `tag:risk=low`. */
  readonly subject: string;
  /** The place alone, as in events: `stage:Production`, `tag:risk`. */
  readonly target: string;
  readonly change: 'enter' | 'leave';
  /** JSON: how it is carried out. */
  readonly proposal: string;
  readonly modelId: number | null;
  readonly versionId: number | null;
  readonly candidateId: number | null;
  readonly createdBy: number;
  readonly createdAt: number;
  /** null: never. */
  readonly expiresAt: number | null;
  readonly state: RequestState;
  readonly closedBy: number | null;
  readonly closedAt: number | null;
}

export type NewRequest = Omit<Request, 'id' | 'state' | 'closedBy' | 'closedAt'>;

const COLUMNS =
  'id, workspace_id AS "workspaceId", about, subject, target, change, proposal, model_id AS "modelId", version_id AS "versionId", ' +
  'candidate_id AS "candidateId", created_by AS "createdBy", created_at AS "createdAt", expires_at AS "expiresAt", state, closed_by AS "closedBy", ' +
  'closed_at AS "closedAt"';

/** Undefined where the creator has an open one of the same. */
export async function insert(tx: Queries, row: NewRequest): Promise<number | undefined> {
  const inserted = await tx.one<{ id: number }>(
    'INSERT INTO requests (workspace_id, about, subject, target, change, proposal, model_id, version_id, candidate_id, created_by, created_at, expires_at, ' +
      "state, written_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 'open', ?) " +
      "ON CONFLICT (about, subject, created_by) WHERE state = 'open' DO NOTHING RETURNING id",
    row.workspaceId,
    row.about,
    row.subject,
    row.target,
    row.change,
    row.proposal,
    row.modelId,
    row.versionId,
    row.candidateId,
    row.createdBy,
    row.createdAt,
    row.expiresAt,
    row.createdBy,
  );
  return inserted?.id;
}

export async function setProposal(tx: Queries, id: number, proposal: string, by: number): Promise<void> {
  await tx.run("UPDATE requests SET proposal = ?, written_by = ? WHERE id = ? AND state = 'open'", proposal, by, id);
}

/** False where it was closed before. */
export async function close(tx: Queries, id: number, state: Ending, at: number, by: number): Promise<boolean> {
  const changed = await tx.run(
    "UPDATE requests SET state = ?, closed_by = ?, closed_at = ?, written_by = ? WHERE id = ? AND state = 'open'",
    state,
    by,
    at,
    by,
    id,
  );
  return changed > 0;
}

/** Those that were open, oldest first. By requests_open. */
export async function closeAll(
  tx: Queries,
  { about, subject }: Pick<Request, 'about' | 'subject'>,
  state: Ending,
  at: number,
  by: number,
): Promise<Request[]> {
  const closed = await tx.all<Request>(
    `UPDATE requests SET state = ?, closed_by = ?, closed_at = ?, written_by = ? WHERE about = ? AND subject = ? AND state = 'open' RETURNING ${COLUMNS}`,
    state,
    by,
    at,
    by,
    about,
    subject,
  );
  return closed.sort((one, other) => one.id - other.id);
}

export function find(db: Queries, workspaceId: number, id: number): Promise<Request | undefined> {
  return db.one(`SELECT ${COLUMNS} FROM requests WHERE id = ? AND workspace_id = ?`, id, workspaceId);
}

/** All open ones of one change, oldest first. */
export function listOpen(db: Queries, about: string, subject: string): Promise<Request[]> {
  return db.all(`SELECT ${COLUMNS} FROM requests WHERE about = ? AND subject = ? AND state = 'open' ORDER BY id`, about, subject);
}

export function listOpenOfVersion(db: Queries, versionId: number): Promise<Request[]> {
  return db.all(`SELECT ${COLUMNS} FROM requests WHERE version_id = ? AND state = 'open' ORDER BY id`, versionId);
}

export function listOpenOfModel(db: Queries, modelId: number): Promise<Request[]> {
  return db.all(`SELECT ${COLUMNS} FROM requests WHERE model_id = ? AND state = 'open' ORDER BY id`, modelId);
}

/** Those whose time is over, of whatever workspace. */
export function listExpired(db: Queries, now: number, limit: number): Promise<Request[]> {
  return db.all(`SELECT ${COLUMNS} FROM requests WHERE expires_at <= ? AND state = 'open' ORDER BY expires_at LIMIT ?`, now, limit);
}

/** Open ones that somebody approved, of whatever workspace, oldest first. */
export function listApproved(db: Queries, { afterId, limit }: { afterId: number; limit: number }): Promise<Request[]> {
  return db.all(
    `SELECT ${COLUMNS} FROM requests r WHERE state = 'open' AND id > ? AND EXISTS (SELECT 1 FROM approvals a WHERE a.about = r.about AND a.subject = r.subject ` +
      'AND a.closed_at IS NULL) ORDER BY id LIMIT ?',
    afterId,
    limit,
  );
}

/** Those of them that somebody approved, oldest first. Along requests_open. */
export function listApprovedAbout(db: Queries, abouts: readonly string[], limit: number): Promise<Request[]> {
  // A JSON list is one bound value on both.
  const given = db.dialect === 'sqlite' ? 'SELECT value FROM json_each(?)' : 'SELECT value FROM jsonb_array_elements_text(?::jsonb)';
  return db.all(
    `SELECT ${COLUMNS} FROM requests r WHERE state = 'open' AND about IN (${given}) AND EXISTS (SELECT 1 FROM approvals a WHERE a.about = r.about ` +
      'AND a.subject = r.subject AND a.closed_at IS NULL) ORDER BY id LIMIT ?',
    JSON.stringify(abouts),
    limit,
  );
}

export interface RequestQuery {
  readonly workspaceId: number;
  readonly versionId?: number | undefined;
  readonly modelId?: number | undefined;
  readonly createdBy?: number | undefined;
  readonly state?: RequestState | undefined;
  readonly target?: string | undefined;
  readonly beforeId: number;
  readonly limit: number;
}

/** Newest first. The narrowest of version, model, creator and workspace leads by its index. */
export function list(db: Queries, query: RequestQuery): Promise<Request[]> {
  const clauses: [string, number | string | undefined][] = [
    ['version_id = ?', query.versionId],
    ['model_id = ?', query.modelId],
    ['created_by = ?', query.createdBy],
    ['state = ?', query.state],
    ['target = ?', query.target],
  ];
  const given = clauses.filter((each): each is [string, number | string] => each[1] !== undefined);
  // Written out, so that the index of open ones can be used.
  const words = given.map(([clause, value]) => (value === 'open' ? "state = 'open'" : clause));
  const values = given.flatMap(([, value]) => (value === 'open' ? [] : [value]));
  return db.all(
    `SELECT ${COLUMNS} FROM requests WHERE workspace_id = ? AND id < ?${words.map((word) => ` AND ${word}`).join('')} ORDER BY id DESC LIMIT ?`,
    query.workspaceId,
    query.beforeId,
    ...values,
    query.limit,
  );
}

/** Of all versions of a workspace, by model and number; among the open ones of the workspace, which its index gives. */
export function listOpenPlaces(
  db: Queries,
  workspaceId: number,
  target: string,
  limit: number,
): Promise<{ readonly name: string; readonly version: number }[]> {
  return db.all(
    'SELECT DISTINCT m.name, v.version FROM requests r JOIN model_versions v ON v.id = r.version_id JOIN registered_models m ON m.id = r.model_id ' +
      "WHERE r.workspace_id = ? AND r.state = 'open' AND r.target = ? ORDER BY m.name, v.version LIMIT ?",
    workspaceId,
    target,
    limit,
  );
}

/** Of the workspace, newest first: of no model, or of one in the scope. The open ones of the workspace are walked along their index. */
export function listOpenInScope(
  db: Queries,
  query: { readonly workspaceId: number; readonly scope: SearchScope | undefined; readonly beforeId: number; readonly limit: number },
): Promise<Request[]> {
  const { workspaceId, scope, beforeId, limit } = query;
  const inScope =
    scope === undefined
      ? TRUE
      : sql`(q.model_id IS NULL OR EXISTS (SELECT 1 FROM registered_models m WHERE m.id = q.model_id AND ${scope.includes(sql`m.id`, sql`m.name`)}))`;
  const page = sql`q.workspace_id = ${workspaceId} AND q.state = 'open' AND q.id < ${beforeId} AND ${inScope} ORDER BY q.id DESC LIMIT ${limit}`;
  return db.all(`SELECT ${COLUMNS} FROM requests q WHERE ${page.sql}`, ...(page.values as SqlValue[])); // composed from SqlValues only
}
