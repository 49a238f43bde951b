import { DOMAIN_KEY_OWNER } from '../../platform/blobs/domain-keys.ts';
import type { Queries } from '../../platform/db/database.ts';
import type { SealedColumn } from '../../platform/secrets/sealed-column-store.ts';

/** For a rotation of the master key. */
export const WORKSPACE_KEYS: SealedColumn = { table: 'workspace_keys', column: 'wrapped', id: 'id', owner: `'${DOMAIN_KEY_OWNER}'` };

const LIST_MAX = 10_000;

interface KeyRow {
  readonly pk: number;
  readonly id: string;
  readonly wrapped: Uint8Array;
}

const COLUMNS = 'id AS pk, key_id AS id, wrapped';

export function findCurrent(db: Queries, workspaceId: number): Promise<KeyRow | undefined> {
  return db.one<KeyRow>(
    `SELECT ${COLUMNS} FROM workspace_keys WHERE workspace_id = ? ORDER BY workspace_keys.id DESC LIMIT 1`,
    workspaceId,
  );
}

export async function insert(
  tx: Queries,
  key: { id: string; wrapped: Uint8Array; workspaceId: number; createdAt: number; by: number },
): Promise<number> {
  const row = await tx.one<{ pk: number }>(
    'INSERT INTO workspace_keys (workspace_id, key_id, wrapped, created_at, written_by) VALUES (?, ?, ?, ?, ?) RETURNING id AS pk',
    key.workspaceId,
    key.id,
    key.wrapped,
    key.createdAt,
    key.by,
  );
  if (row === undefined) throw new TypeError('an insert answers its row');
  return row.pk;
}

export interface ListedKey {
  readonly id: string;
  /** Empty for one that is gone. */
  readonly workspace: string;
  readonly wrapped: Uint8Array;
  readonly createdAt: number;
  readonly blobs: number;
}

export function list(db: Queries): Promise<ListedKey[]> {
  return db.all<ListedKey>(
    `SELECT k.key_id AS id, COALESCE(w.name, '') AS workspace, k.wrapped, k.created_at AS "createdAt",
       (SELECT count(*) FROM blobs b WHERE b.workspace_key_pk = k.id) AS blobs
     FROM workspace_keys k LEFT JOIN workspaces w ON w.id = k.workspace_id ORDER BY 2, k.id LIMIT ${LIST_MAX}`,
  );
}
