import type { Queries } from '../../platform/db/database.ts';

export interface CiIdentity {
  readonly issuer: string;
  /** What the CI system calls the person, by a number that it gives once. */
  readonly actorId: string;
  readonly accountId: number;
  readonly linkedAt: number;
}

const COLUMNS = 'issuer, actor_id AS "actorId", principal_id AS "accountId", linked_at AS "linkedAt"';

export function find(db: Queries, issuer: string, actorId: string): Promise<CiIdentity | undefined> {
  return db.one(`SELECT ${COLUMNS} FROM ci_identities WHERE issuer = ? AND actor_id = ?`, issuer, actorId);
}

/** By issuer, then number. */
export function listOf(db: Queries, accountId: number): Promise<CiIdentity[]> {
  return db.all(`SELECT ${COLUMNS} FROM ci_identities WHERE principal_id = ? ORDER BY issuer, actor_id LIMIT 1000`, accountId);
}

export async function put(tx: Queries, row: CiIdentity, by: number): Promise<void> {
  await tx.run(
    'INSERT INTO ci_identities (issuer, actor_id, principal_id, linked_at, written_by) VALUES (?, ?, ?, ?, ?) ' +
      'ON CONFLICT (issuer, actor_id) DO UPDATE SET principal_id = excluded.principal_id, linked_at = excluded.linked_at, written_by = excluded.written_by',
    row.issuer,
    row.actorId,
    row.accountId,
    row.linkedAt,
    by,
  );
}

export async function remove(tx: Queries, issuer: string, actorId: string): Promise<void> {
  await tx.run('DELETE FROM ci_identities WHERE issuer = ? AND actor_id = ?', issuer, actorId);
}
