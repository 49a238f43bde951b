/** Attempts to sign in that are under way, and which account an identity at a provider is. */
import { idList, idsOf, type Queries } from '../../platform/db/database.ts';

export interface Attempt {
  readonly providerId: number;
  readonly codeVerifier: string;
  readonly nonce: string;
  readonly redirectUri: string;
  readonly returnTo: string;
  readonly expiresAt: number;
}

export interface NewAttempt extends Attempt {
  readonly stateDigest: Uint8Array;
  readonly browserDigest: Uint8Array;
}

/** Of those under way only the newest `most` are kept. */
export async function insertAttempt(tx: Queries, row: NewAttempt, now: number, most: number): Promise<void> {
  await tx.run('DELETE FROM sign_in_attempts WHERE expires_at < ?', now);
  await tx.run(
    'DELETE FROM sign_in_attempts WHERE expires_at <= (SELECT expires_at FROM sign_in_attempts ORDER BY expires_at DESC LIMIT 1 OFFSET ?)',
    most - 1,
  );
  await tx.run(
    'INSERT INTO sign_in_attempts (state_digest, browser_digest, provider_id, code_verifier, nonce, redirect_uri, return_to, expires_at) VALUES (?, ?, ?, ?, ?, ?, ?, ?)',
    row.stateDigest,
    row.browserDigest,
    row.providerId,
    row.codeVerifier,
    row.nonce,
    row.redirectUri,
    row.returnTo,
    row.expiresAt,
  );
}

/** Nobody gets it twice. */
export async function takeAttempt(tx: Queries, stateDigest: Uint8Array, browserDigest: Uint8Array): Promise<Attempt | undefined> {
  return tx.one<Attempt>(
    'DELETE FROM sign_in_attempts WHERE state_digest = ? AND browser_digest = ? RETURNING provider_id AS "providerId", code_verifier AS "codeVerifier", nonce, ' +
      'redirect_uri AS "redirectUri", return_to AS "returnTo", expires_at AS "expiresAt"',
    stateDigest,
    browserDigest,
  );
}

export interface Identity {
  readonly issuer: string;
  readonly subject: string;
  readonly providerId: number;
  readonly principalId: number;
  readonly linkedAt: number;
}

const COLUMNS = 'issuer, subject, provider_id AS "providerId", principal_id AS "principalId", linked_at AS "linkedAt"';

export function findIdentity(db: Queries, issuer: string, subject: string): Promise<Identity | undefined> {
  return db.one<Identity>(`SELECT ${COLUMNS} FROM external_identities WHERE issuer = ? AND subject = ?`, issuer, subject);
}

/** One that is linked already becomes another account's. */
export async function putIdentity(tx: Queries, row: Identity, by: number): Promise<void> {
  await tx.run(
    'INSERT INTO external_identities (issuer, subject, provider_id, principal_id, linked_at, written_by) VALUES (?, ?, ?, ?, ?, ?) ' +
      'ON CONFLICT (issuer, subject) DO UPDATE SET provider_id = excluded.provider_id, principal_id = excluded.principal_id, linked_at = excluded.linked_at, written_by = excluded.written_by',
    row.issuer,
    row.subject,
    row.providerId,
    row.principalId,
    row.linkedAt,
    by,
  );
}

export async function removeIdentity(tx: Queries, issuer: string, subject: string): Promise<void> {
  await tx.run('DELETE FROM external_identities WHERE issuer = ? AND subject = ?', issuer, subject);
}

export async function hasIdentities(db: Queries, principalId: number): Promise<boolean> {
  return (await db.one('SELECT 1 AS found FROM external_identities WHERE principal_id = ? LIMIT 1', principalId)) !== undefined;
}

export async function removeIdentitiesOf(tx: Queries, principalId: number): Promise<void> {
  await tx.run('DELETE FROM external_identities WHERE principal_id = ?', principalId);
}

/** By account, then subject. */
export function listIdentities(db: Queries, providerId: number, page: { offset: number; limit: number }): Promise<Identity[]> {
  return db.all<Identity>(
    `SELECT ${COLUMNS} FROM external_identities WHERE provider_id = ? ORDER BY principal_id, subject LIMIT ? OFFSET ?`,
    providerId,
    page.limit,
    page.offset,
  );
}

/** Of these accounts those that another provider knows. Several may be at one issuer. */
export async function listSigningInElsewhere(db: Queries, accountIds: readonly number[], providerId: number): Promise<number[]> {
  const rows = await db.all<{ id: number }>(
    'SELECT DISTINCT i.principal_id AS id FROM external_identities i JOIN identity_providers p ON p.issuer = i.issuer AND p.removed_at IS NULL AND p.id <> ? ' +
      `WHERE i.principal_id IN (${idsOf(db)})`,
    providerId,
    idList(db, accountIds),
  );
  return rows.map(({ id }) => id);
}
