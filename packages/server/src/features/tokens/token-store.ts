import type { Queries } from '../../platform/db/database.ts';

export type TokenKind = 'personal' | 'service' | 'session' | 'ci';

export interface Token {
  readonly id: number;
  readonly principalId: number;
  readonly kind: TokenKind;
  readonly name: string;
  /** Its first characters, to tell it from others. */
  readonly hint: string;
  readonly scopes: readonly string[];
  readonly createdAt: number;
  readonly expiresAt: number | null;
  readonly lastUsedAt: number | null;
  readonly revokedAt: number | null;
  /** The principal of the job that it was made for, which acts under it. */
  readonly jobId: number | null;
}

interface TokenRow {
  readonly id: number;
  readonly principal_id: number;
  readonly kind: TokenKind;
  readonly name: string;
  readonly hint: string;
  readonly scopes: string;
  readonly created_at: number;
  readonly expires_at: number | null;
  readonly last_used_at: number | null;
  readonly revoked_at: number | null;
  readonly job_id: number | null;
}

const COLUMNS = 'id, principal_id, kind, name, hint, scopes, created_at, expires_at, last_used_at, revoked_at, job_id';

function fromRow(row: TokenRow): Token {
  return {
    id: row.id,
    principalId: row.principal_id,
    kind: row.kind,
    name: row.name,
    hint: row.hint,
    scopes: JSON.parse(row.scopes) as string[], // written by `insert` only
    createdAt: row.created_at,
    expiresAt: row.expires_at,
    lastUsedAt: row.last_used_at,
    revokedAt: row.revoked_at,
    jobId: row.job_id,
  };
}

export interface NewTokenRow {
  readonly principalId: number;
  readonly kind: TokenKind;
  readonly name: string;
  readonly digest: Uint8Array;
  readonly hint: string;
  readonly scopes: readonly string[];
  readonly at: number;
  readonly expiresAt: number | null;
  readonly by: number;
  readonly jobId: number | null;
}

export async function insert(tx: Queries, row: NewTokenRow): Promise<number> {
  const inserted = await tx.one<{ id: number }>(
    'INSERT INTO tokens (principal_id, kind, name, digest, hint, scopes, created_at, expires_at, written_by, job_id) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) RETURNING id',
    row.principalId,
    row.kind,
    row.name,
    row.digest,
    row.hint,
    JSON.stringify(row.scopes),
    row.at,
    row.expiresAt,
    row.by,
    row.jobId,
  );
  if (inserted === undefined) throw new TypeError('INSERT … RETURNING answered no row');
  return inserted.id;
}

export async function findByDigest(db: Queries, digest: Uint8Array): Promise<Token | undefined> {
  const row = await db.one<TokenRow>(`SELECT ${COLUMNS} FROM tokens WHERE digest = ?`, digest);
  return row && fromRow(row);
}

export async function findById(db: Queries, id: number): Promise<Token | undefined> {
  const row = await db.one<TokenRow>(`SELECT ${COLUMNS} FROM tokens WHERE id = ?`, id);
  return row && fromRow(row);
}

/** Sessions and those of CI identities come and go by themselves: they are left out. */
export async function listOf(db: Queries, principalId: number): Promise<Token[]> {
  const rows = await db.all<TokenRow>(
    `SELECT ${COLUMNS} FROM tokens WHERE principal_id = ? AND kind IN ('personal', 'service') ORDER BY id LIMIT 1000`,
    principalId,
  );
  return rows.map(fromRow);
}

export async function revoke(tx: Queries, id: number, at: number): Promise<void> {
  await tx.run('UPDATE tokens SET revoked_at = ? WHERE id = ? AND revoked_at IS NULL', at, id);
}

export function revokeAllOf(tx: Queries, principalId: number, at: number): Promise<number> {
  return tx.run('UPDATE tokens SET revoked_at = ? WHERE principal_id = ? AND revoked_at IS NULL', at, principalId);
}

export function revokeSessionsOf(tx: Queries, principalId: number, at: number): Promise<number> {
  return tx.run("UPDATE tokens SET revoked_at = ? WHERE principal_id = ? AND kind = 'session' AND revoked_at IS NULL", at, principalId);
}

export async function eraseNames(tx: Queries, principalId: number): Promise<void> {
  await tx.run("UPDATE tokens SET name = '' WHERE principal_id = ?", principalId);
}

export async function setLastUsed(tx: Queries, id: number, at: number): Promise<void> {
  await tx.run('UPDATE tokens SET last_used_at = ? WHERE id = ?', at, id);
}

/** Those that ended long ago. */
export function removeEnded(tx: Queries, before: number): Promise<number> {
  return tx.run("DELETE FROM tokens WHERE kind IN ('session', 'ci') AND expires_at < ?", before);
}
