import { idList, idsOf, type Queries } from '../../platform/db/database.ts';
import type { SealedColumn } from '../../platform/secrets/sealed-column-store.ts';
import type { Action, Entity, Subscription } from './webhook-rules.ts';

/** For a rotation of the master key. */
export const SECRETS: SealedColumn = { table: 'webhooks', column: 'secret', id: 'id', owner: 'webhook_id' };

export type WebhookStatus = 'ACTIVE' | 'DISABLED';

export interface WebhookRow {
  readonly id: number;
  readonly webhookId: string;
  readonly workspaceId: number;
  readonly name: string;
  readonly description: string | null;
  readonly url: string;
  /** Encrypted. */
  readonly secret: Uint8Array | null;
  readonly status: WebhookStatus;
  readonly deliveredSeq: number;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface SubscriptionRow extends Subscription {
  readonly sinceSeq: number;
}

const COLUMNS =
  'id, webhook_id AS "webhookId", workspace_id AS "workspaceId", name, description, url, secret, status, delivered_seq AS "deliveredSeq", ' +
  'created_at AS "createdAt", updated_at AS "updatedAt"';

export async function insert(tx: Queries, row: Omit<WebhookRow, 'id'> & { readonly by: number }): Promise<number> {
  const made = await tx.one<{ id: number }>(
    'INSERT INTO webhooks (webhook_id, workspace_id, name, description, url, secret, status, delivered_seq, created_at, updated_at, written_by) ' +
      'VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id',
    row.webhookId,
    row.workspaceId,
    row.name,
    row.description,
    row.url,
    row.secret,
    row.status,
    row.deliveredSeq,
    row.createdAt,
    row.updatedAt,
    row.by,
  );
  if (made === undefined) throw new Error('the new webhook has no id');
  return made.id;
}

/** Its place in the chain goes forward only. */
export async function update(tx: Queries, row: WebhookRow, by: number): Promise<void> {
  await tx.run(
    'UPDATE webhooks SET name = ?, description = ?, url = ?, secret = ?, status = ?, delivered_seq = CASE WHEN delivered_seq < ? THEN ? ELSE delivered_seq END, updated_at = ?, written_by = ? WHERE id = ?',
    row.name,
    row.description,
    row.url,
    row.secret,
    row.status,
    row.deliveredSeq,
    row.deliveredSeq,
    row.updatedAt,
    by,
    row.id,
  );
}

/** The secret goes with it. */
export async function markDeleted(tx: Queries, id: number, at: number, by: number): Promise<void> {
  await tx.run('UPDATE webhooks SET deleted_at = ?, updated_at = ?, secret = NULL, written_by = ? WHERE id = ?', at, at, by, id);
}

export function find(db: Queries, workspaceId: number, webhookId: string): Promise<WebhookRow | undefined> {
  return db.one(`SELECT ${COLUMNS} FROM webhooks WHERE webhook_id = ? AND workspace_id = ? AND deleted_at IS NULL`, webhookId, workspaceId);
}

/** Newest first. */
export function list(db: Queries, workspaceId: number, offset: number, limit: number): Promise<WebhookRow[]> {
  return db.all(
    `SELECT ${COLUMNS} FROM webhooks WHERE workspace_id = ? AND deleted_at IS NULL ORDER BY created_at DESC, id DESC LIMIT ? OFFSET ?`,
    workspaceId,
    limit,
    offset,
  );
}

export async function countActive(db: Queries, workspaceId: number): Promise<number> {
  const row = await db.one<{ n: number }>('SELECT count(*) AS n FROM webhooks WHERE workspace_id = ? AND deleted_at IS NULL', workspaceId);
  return row?.n ?? 0;
}

export async function moveAll(tx: Queries, workspaceId: number, toId: number, at: number, by: number): Promise<void> {
  await tx.run(
    "UPDATE webhooks SET workspace_id = ?, status = 'DISABLED', updated_at = ?, written_by = ? WHERE workspace_id = ? AND deleted_at IS NULL",
    toId,
    at,
    by,
    workspaceId,
  );
}

const SUBSCRIPTIONS_MAX = 50_000;

/** Of several webhooks, by entity and action. */
export async function listSubscriptions(db: Queries, ids: readonly number[]): Promise<ReadonlyMap<number, SubscriptionRow[]>> {
  const rows = await db.all<{ pk: number; entity: Entity; action: Action; sinceSeq: number }>(
    `SELECT webhook_pk AS pk, entity, action, since_seq AS "sinceSeq" FROM webhook_events WHERE webhook_pk IN (${idsOf(db)}) ` +
      `ORDER BY webhook_pk, entity, action LIMIT ${SUBSCRIPTIONS_MAX}`,
    idList(db, ids),
  );
  const found = new Map<number, SubscriptionRow[]>(ids.map((id) => [id, []]));
  for (const { pk, ...row } of rows) found.get(pk)?.push(row);
  return found;
}

export async function replaceSubscriptions(tx: Queries, id: number, rows: readonly SubscriptionRow[]): Promise<void> {
  await tx.run('DELETE FROM webhook_events WHERE webhook_pk = ?', id);
  for (const row of rows) {
    await tx.run(
      'INSERT INTO webhook_events (webhook_pk, entity, action, since_seq) VALUES (?, ?, ?, ?)',
      id,
      row.entity,
      row.action,
      row.sinceSeq,
    );
  }
}
