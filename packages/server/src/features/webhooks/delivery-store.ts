import type { Queries } from '../../platform/db/database.ts';
import type { WebhookRow } from './webhook-store.ts';

export interface ServedRow {
  readonly id: number;
  readonly workspaceId: number;
  readonly deliveredSeq: number;
  /** By another replica, until its lease ends. */
  readonly isHeld: boolean;
}

const ACTIVE_MAX = 10_000;

/** Active webhooks behind an event. */
export async function listBehind(db: Queries, query: { seq: number; owner: string; now: number }): Promise<ServedRow[]> {
  const rows = await db.all<Omit<ServedRow, 'isHeld'> & { owner: string | null; until: number }>(
    'SELECT id, workspace_id AS "workspaceId", delivered_seq AS "deliveredSeq", lease_owner AS owner, lease_until AS until FROM webhooks ' +
      `WHERE deleted_at IS NULL AND status = 'ACTIVE' AND delivered_seq < ? ORDER BY id LIMIT ${ACTIVE_MAX}`,
    query.seq,
  );
  return rows.map(({ owner, until, ...row }) => ({ ...row, isHeld: owner !== null && owner !== query.owner && until >= query.now }));
}

/** Takes or renews the right to serve it; undefined where another replica has that, or it is active no more. */
export function takeLease(tx: Queries, id: number, lease: { owner: string; now: number; until: number }): Promise<WebhookRow | undefined> {
  return tx.one(
    'UPDATE webhooks SET lease_owner = ?, lease_until = ? ' +
      "WHERE id = ? AND deleted_at IS NULL AND status = 'ACTIVE' AND (lease_until < ? OR lease_owner = ?) " +
      'RETURNING id, webhook_id AS "webhookId", workspace_id AS "workspaceId", name, description, url, secret, status, ' +
      'delivered_seq AS "deliveredSeq", created_at AS "createdAt", updated_at AS "updatedAt"',
    lease.owner,
    lease.until,
    id,
    lease.now,
    lease.owner,
  );
}

/** Never backwards, and only by the one who serves it. */
export function advance(tx: Queries, id: number, owner: string, seq: number): Promise<number> {
  return tx.run('UPDATE webhooks SET delivered_seq = ? WHERE id = ? AND lease_owner = ? AND delivered_seq < ?', seq, id, owner, seq);
}

export async function releaseLease(tx: Queries, id: number, owner: string): Promise<void> {
  await tx.run('UPDATE webhooks SET lease_owner = NULL, lease_until = 0 WHERE id = ? AND lease_owner = ?', id, owner);
}

/** With SQLite the one process that there is holds everything: what a killed one left is void. */
export async function releaseAll(tx: Queries): Promise<void> {
  await tx.run('UPDATE webhooks SET lease_owner = NULL, lease_until = 0 WHERE lease_owner IS NOT NULL');
}

const FAILURES_MAX = 1000;

/** Keeps the newest of a webhook. */
export async function insertFailure(tx: Queries, id: number, seq: number, reason: string, at: number): Promise<void> {
  await tx.run(
    'INSERT INTO webhook_failures (webhook_pk, seq, reason, failed_at) VALUES (?, ?, ?, ?) ON CONFLICT (webhook_pk, seq) ' +
      'DO UPDATE SET reason = excluded.reason, failed_at = excluded.failed_at',
    id,
    seq,
    reason,
    at,
  );
  await tx.run(
    'DELETE FROM webhook_failures WHERE webhook_pk = ? AND seq <= ' +
      '(SELECT seq FROM webhook_failures WHERE webhook_pk = ? ORDER BY seq DESC LIMIT 1 OFFSET ?)',
    id,
    id,
    FAILURES_MAX,
  );
}

export interface FailureRow {
  readonly seq: number;
  readonly reason: string;
  readonly failedAt: number;
}

/** Newest first. */
export function listFailures(db: Queries, id: number, limit: number): Promise<FailureRow[]> {
  return db.all(
    'SELECT seq, reason, failed_at AS "failedAt" FROM webhook_failures WHERE webhook_pk = ? ORDER BY seq DESC LIMIT ?',
    id,
    limit,
  );
}
