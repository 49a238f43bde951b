import { idList, idsOf, type Queries } from '../../platform/db/database.ts';

export interface ApprovalRow {
  readonly id: number;
  readonly about: string;
  readonly subject: string;
  readonly requestId: number;
  readonly approvedBy: number;
  readonly approvedAt: number;
  /** Of the bytes; null where there were none to be bound to. */
  readonly digest: string | null;
  readonly evidence: string;
  /** JSON: hashes of the policies that were in force for it. */
  readonly policies: string;
  /** null: it may still count. */
  readonly closedAt: number | null;
}

const COLUMNS =
  'id, about, subject, request_id AS "requestId", approved_by AS "approvedBy", approved_at AS "approvedAt", digest, evidence, policies, ' +
  'closed_at AS "closedAt"';

export async function insert(tx: Queries, row: Omit<ApprovalRow, 'id' | 'closedAt'>): Promise<number> {
  const inserted = await tx.one<{ id: number }>(
    'INSERT INTO approvals (about, subject, request_id, approved_by, approved_at, digest, evidence, policies, written_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ' +
      'RETURNING id',
    row.about,
    row.subject,
    row.requestId,
    row.approvedBy,
    row.approvedAt,
    row.digest,
    row.evidence,
    row.policies,
    row.approvedBy,
  );
  if (inserted === undefined) throw new TypeError('an insert answers its id');
  return inserted.id;
}

export function listLive(db: Queries, about: string, subject: string): Promise<ApprovalRow[]> {
  return db.all(`SELECT ${COLUMNS} FROM approvals WHERE about = ? AND subject = ? AND closed_at IS NULL ORDER BY id`, about, subject);
}

export async function closeLive(tx: Queries, about: string, subject: string, at: number): Promise<void> {
  await tx.run('UPDATE approvals SET closed_at = ? WHERE about = ? AND subject = ? AND closed_at IS NULL', at, about, subject);
}

export function listOfRequests(db: Queries, requestIds: readonly number[]): Promise<ApprovalRow[]> {
  return db.all(`SELECT ${COLUMNS} FROM approvals WHERE request_id IN (${idsOf(db)}) ORDER BY id`, idList(db, requestIds));
}
