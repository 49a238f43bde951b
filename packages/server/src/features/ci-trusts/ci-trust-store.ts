import type { Queries } from '../../platform/db/database.ts';
import type { TrustClaims, TrustKind } from './ci-trust-rules.ts';

export interface Trust {
  readonly id: number;
  readonly name: string;
  readonly kind: TrustKind;
  readonly issuer: string;
  readonly audience: string;
  readonly claims: TrustClaims;
  readonly scopes: readonly string[];
  /** The CI account that its jobs act as. */
  readonly principalId: number;
  readonly createdAt: number;
}

interface Row {
  readonly id: number;
  readonly name: string;
  readonly kind: TrustKind;
  readonly issuer: string;
  readonly audience: string;
  readonly claims: string;
  readonly scopes: string;
  readonly principal_id: number;
  readonly created_at: number;
}

const COLUMNS = 'id, name, kind, issuer, audience, claims, scopes, principal_id, created_at';

function fromRow({ claims, scopes, principal_id, created_at, ...row }: Row): Trust {
  return {
    ...row,
    claims: JSON.parse(claims) as TrustClaims, // written by `insert` only
    scopes: JSON.parse(scopes) as string[], // written by `insert` only
    principalId: principal_id,
    createdAt: created_at,
  };
}

/** Undefined where the name is taken. */
export async function insert(tx: Queries, row: Omit<Trust, 'id'>, by: number): Promise<number | undefined> {
  const inserted = await tx.one<{ id: number }>(
    'INSERT INTO ci_trusts (name, kind, issuer, audience, claims, scopes, principal_id, created_at, written_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?) ' +
      'ON CONFLICT (name) WHERE removed_at IS NULL DO NOTHING RETURNING id',
    row.name,
    row.kind,
    row.issuer,
    row.audience,
    JSON.stringify(row.claims),
    JSON.stringify(row.scopes),
    row.principalId,
    row.createdAt,
    by,
  );
  return inserted?.id;
}

export async function markRemoved(tx: Queries, id: number, at: number, by: number): Promise<void> {
  await tx.run('UPDATE ci_trusts SET removed_at = ?, written_by = ? WHERE id = ?', at, by, id);
}

export async function findByName(db: Queries, name: string): Promise<Trust | undefined> {
  const row = await db.one<Row>(`SELECT ${COLUMNS} FROM ci_trusts WHERE name = ? AND removed_at IS NULL`, name);
  return row && fromRow(row);
}

/** By name. */
export async function list(db: Queries, page: { offset: number; limit: number }): Promise<Trust[]> {
  const rows = await db.all<Row>(
    `SELECT ${COLUMNS} FROM ci_trusts WHERE removed_at IS NULL ORDER BY name LIMIT ? OFFSET ?`,
    page.limit,
    page.offset,
  );
  return rows.map(fromRow);
}

/** Oldest first. */
export async function listOfIssuer(db: Queries, issuer: string, limit: number): Promise<Trust[]> {
  const rows = await db.all<Row>(
    `SELECT ${COLUMNS} FROM ci_trusts WHERE issuer = ? AND removed_at IS NULL ORDER BY id LIMIT ?`,
    issuer,
    limit,
  );
  return rows.map(fromRow);
}

/** False where a token with this id was taken before, by whichever replica. */
export async function takeOnce(tx: Queries, issuer: string, jti: string, forgetAt: number): Promise<boolean> {
  return (
    (await tx.run(
      'INSERT INTO ci_exchanges (issuer, jti, forget_at) VALUES (?, ?, ?) ON CONFLICT (issuer, jti) DO NOTHING',
      issuer,
      jti,
      forgetAt,
    )) > 0
  );
}

/** Those of tokens that ended long ago and so would be refused anyway. */
export async function forgetTaken(tx: Queries, before: number): Promise<void> {
  await tx.run('DELETE FROM ci_exchanges WHERE forget_at < ?', before);
}
