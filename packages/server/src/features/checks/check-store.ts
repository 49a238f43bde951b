import type { CheckStatus } from '@countersign/contract/checks.ts';
import type { CheckConclusion } from '@countersign/contract/policy-facts.ts';
import { idList, idsOf, type Queries, type SqlValue } from '../../platform/db/database.ts';
import { type ReportState, readMetrics, writeMetrics } from './report-rules.ts';

export interface ReportRow extends ReportState {
  readonly id: number;
  readonly versionId: number;
  readonly name: string;
  readonly externalId: string;
  /** Of its run. */
  readonly isNewest: boolean;
  /** Whether texts stand beside its event, behind that place in the chain. */
  readonly hasTexts: boolean;
  readonly afterSeq: number;
  readonly reportedBy: number;
  /** Of a job that of its trust, of everybody else the same. */
  readonly accountId: number;
  readonly reportedAt: number;
}

interface StoredRow {
  readonly id: number;
  readonly versionId: number;
  readonly name: string;
  readonly externalId: string;
  readonly status: CheckStatus;
  readonly conclusion: CheckConclusion | null;
  readonly digest: string | null;
  readonly metrics: string;
  readonly dataset: string | null;
  readonly startedAt: number | null;
  readonly completedAt: number | null;
  readonly statusSince: number;
  readonly afterSeq: number;
  readonly reportedBy: number;
  readonly accountId: number;
  readonly reportedAt: number;
  readonly isEntitled: number;
  readonly isNewest: number;
  readonly hasTexts: number;
}

const SELECT =
  'SELECT id, version_id AS "versionId", name, external_id AS "externalId", status, conclusion, digest, metrics, dataset, started_at AS "startedAt", ' +
  'completed_at AS "completedAt", status_since AS "statusSince", is_entitled AS "isEntitled", is_newest AS "isNewest", has_texts AS "hasTexts", ' +
  'after_seq AS "afterSeq", reported_by AS "reportedBy", account_id AS "accountId", reported_at AS "reportedAt" FROM check_reports';

function fromRow(row: StoredRow): ReportRow {
  return {
    ...row,
    metrics: readMetrics(row.metrics),
    isEntitled: row.isEntitled === 1,
    isNewest: row.isNewest === 1,
    hasTexts: row.hasTexts === 1,
  };
}

async function rows(db: Queries, sql: string, ...values: SqlValue[]): Promise<ReportRow[]> {
  return (await db.all<StoredRow>(`${SELECT} ${sql}`, ...values)).map(fromRow);
}

export interface Run {
  readonly versionId: number;
  readonly name: string;
  readonly externalId: string;
  readonly accountId: number;
}

/** What is reported of a run last. By check_reports_newest. */
export async function findNewest(db: Queries, run: Run): Promise<ReportRow | undefined> {
  const found = await rows(
    db,
    'WHERE version_id = ? AND name = ? AND external_id = ? AND account_id = ? AND is_newest = 1',
    run.versionId,
    run.name,
    run.externalId,
    run.accountId,
  );
  return found[0];
}

/** Takes the place of the one before; of two at a time the second fails on the index, and its transaction is run again. */
export async function insert(
  tx: Queries,
  row: Omit<ReportRow, 'id' | 'isNewest'>,
  before: Pick<ReportRow, 'id'> | undefined,
): Promise<number> {
  if (before !== undefined) await tx.run('UPDATE check_reports SET is_newest = 0 WHERE id = ?', before.id);
  const made = await tx.one<{ id: number }>(
    'INSERT INTO check_reports (version_id, name, external_id, status, conclusion, digest, metrics, dataset, started_at, completed_at, is_entitled, is_newest, ' +
      'has_texts, after_seq, status_since, reported_by, account_id, reported_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 1, ?, ?, ?, ?, ?, ?) RETURNING id',
    row.versionId,
    row.name,
    row.externalId,
    row.status,
    row.conclusion,
    row.digest,
    writeMetrics(row.metrics),
    row.dataset,
    row.startedAt,
    row.completedAt,
    row.isEntitled ? 1 : 0,
    row.hasTexts ? 1 : 0,
    row.afterSeq,
    row.statusSince,
    row.reportedBy,
    row.accountId,
    row.reportedAt,
  );
  if (!made) throw new TypeError('an insert of a report answered no id');
  return made.id;
}

/** Whether a version has that many reports by those who were entitled, or by the others. By check_reports_counted. */
export async function hasAsMany(db: Queries, versionId: number, isEntitled: boolean, count: number): Promise<boolean> {
  const last = await db.one(
    'SELECT id FROM check_reports WHERE version_id = ? AND is_entitled = ? ORDER BY id LIMIT 1 OFFSET ?',
    versionId,
    isEntitled ? 1 : 0,
    count - 1,
  );
  return last !== undefined;
}

/** Of several versions, ascending. By check_reports_by_version. */
export function listOfVersions(db: Queries, versionIds: readonly number[]): Promise<ReportRow[]> {
  if (versionIds.length === 0) return Promise.resolve([]);
  // PostgreSQL plans a subquery anew each time, at three times the cost of the rest.
  const isAsked = db.dialect === 'sqlite' ? `IN (${idsOf(db)})` : '= ANY(?::bigint[])';
  return rows(db, `WHERE version_id ${isAsked} ORDER BY id`, idList(db, versionIds));
}

export interface Page {
  readonly beforeId: number;
  readonly limit: number;
}

/** Newest first. By check_reports_by_version. */
export function listHistory(db: Queries, versionId: number, page: Page): Promise<ReportRow[]> {
  return rows(db, 'WHERE version_id = ? AND id < ? ORDER BY id DESC LIMIT ?', versionId, page.beforeId, page.limit);
}

/** The last of each run, newest first. By check_reports_current. */
export function listNewest(db: Queries, versionId: number, page: Page): Promise<ReportRow[]> {
  return rows(db, 'WHERE version_id = ? AND is_newest = 1 AND id < ? ORDER BY id DESC LIMIT ?', versionId, page.beforeId, page.limit);
}

/** All of one check, newest first. By check_reports_by_name. */
export function listOfName(db: Queries, versionId: number, name: string, page: Page): Promise<ReportRow[]> {
  return rows(db, 'WHERE version_id = ? AND name = ? AND id < ? ORDER BY id DESC LIMIT ?', versionId, name, page.beforeId, page.limit);
}
