import type { Queries } from '../../platform/db/database.ts';
import type { SealedColumn } from '../../platform/secrets/sealed-column-store.ts';

/** For a rotation of the master key. */
export const SECRETS: SealedColumn = { table: 'identity_providers', column: 'client_secret', id: 'id', owner: 'provider_key' };

/** Value of the groups claim and the group it stands for. */
export type MappedGroup = readonly [value: string, groupId: number];

export interface ProviderRow {
  readonly id: number;
  /** What its secret is bound to. */
  readonly key: string;
  readonly name: string;
  readonly issuer: string;
  readonly clientId: string;
  /** Encrypted. */
  readonly clientSecret: Uint8Array | null;
  readonly scopes: readonly string[];
  readonly nameClaim: string;
  readonly groupsClaim: string;
  readonly groups: readonly MappedGroup[];
  /** A claim value that isn't mapped means the group of this name. */
  readonly groupsByName: boolean;
  readonly createsAccounts: boolean;
  readonly asksVerifiedEmail: boolean;
  readonly createdAt: number;
  readonly updatedAt: number;
}

interface Row {
  readonly id: number;
  readonly provider_key: string;
  readonly name: string;
  readonly issuer: string;
  readonly client_id: string;
  readonly client_secret: Uint8Array | null;
  readonly scopes: string;
  readonly name_claim: string;
  readonly groups_claim: string;
  readonly group_ids: string;
  readonly groups_by_name: number;
  readonly creates_accounts: number;
  readonly asks_verified_email: number;
  readonly created_at: number;
  readonly updated_at: number;
}

const COLUMNS =
  'id, provider_key, name, issuer, client_id, client_secret, scopes, name_claim, groups_claim, group_ids, groups_by_name, creates_accounts, asks_verified_email, created_at, updated_at';

function fromRow(row: Row): ProviderRow {
  return {
    id: row.id,
    key: row.provider_key,
    name: row.name,
    issuer: row.issuer,
    clientId: row.client_id,
    clientSecret: row.client_secret,
    scopes: JSON.parse(row.scopes) as string[], // written below only
    nameClaim: row.name_claim,
    groupsClaim: row.groups_claim,
    groups: JSON.parse(row.group_ids) as MappedGroup[], // written below only
    groupsByName: row.groups_by_name === 1,
    createsAccounts: row.creates_accounts === 1,
    asksVerifiedEmail: row.asks_verified_email === 1,
    createdAt: row.created_at,
    updatedAt: row.updated_at,
  };
}

/** Undefined where the name is taken. */
export async function insert(tx: Queries, row: Omit<ProviderRow, 'id'>, by: number): Promise<number | undefined> {
  const inserted = await tx.one<{ id: number }>(
    'INSERT INTO identity_providers (provider_key, name, issuer, client_id, client_secret, scopes, name_claim, groups_claim, group_ids, groups_by_name, creates_accounts, ' +
      'asks_verified_email, created_at, updated_at, written_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ' +
      'ON CONFLICT (name) WHERE removed_at IS NULL DO NOTHING RETURNING id',
    row.key,
    row.name,
    row.issuer,
    row.clientId,
    row.clientSecret,
    JSON.stringify(row.scopes),
    row.nameClaim,
    row.groupsClaim,
    JSON.stringify(row.groups),
    row.groupsByName ? 1 : 0,
    row.createsAccounts ? 1 : 0,
    row.asksVerifiedEmail ? 1 : 0,
    row.createdAt,
    row.updatedAt,
    by,
  );
  return inserted?.id;
}

export async function update(tx: Queries, row: ProviderRow, by: number): Promise<void> {
  await tx.run(
    'UPDATE identity_providers SET client_id = ?, client_secret = ?, scopes = ?, name_claim = ?, groups_claim = ?, group_ids = ?, groups_by_name = ?, creates_accounts = ?, ' +
      'asks_verified_email = ?, updated_at = ?, written_by = ? WHERE id = ?',
    row.clientId,
    row.clientSecret,
    JSON.stringify(row.scopes),
    row.nameClaim,
    row.groupsClaim,
    JSON.stringify(row.groups),
    row.groupsByName ? 1 : 0,
    row.createsAccounts ? 1 : 0,
    row.asksVerifiedEmail ? 1 : 0,
    row.updatedAt,
    by,
    row.id,
  );
}

/** With its secret. */
export async function remove(tx: Queries, id: number, at: number, by: number): Promise<void> {
  await tx.run('UPDATE identity_providers SET removed_at = ?, client_secret = NULL, written_by = ? WHERE id = ?', at, by, id);
  await tx.run('DELETE FROM sign_in_attempts WHERE provider_id = ?', id);
}

export async function findByName(db: Queries, name: string): Promise<ProviderRow | undefined> {
  const row = await db.one<Row>(`SELECT ${COLUMNS} FROM identity_providers WHERE name = ? AND removed_at IS NULL`, name);
  return row && fromRow(row);
}

export async function findById(db: Queries, id: number): Promise<ProviderRow | undefined> {
  const row = await db.one<Row>(`SELECT ${COLUMNS} FROM identity_providers WHERE id = ? AND removed_at IS NULL`, id);
  return row && fromRow(row);
}

export async function list(db: Queries, limit: number): Promise<ProviderRow[]> {
  const rows = await db.all<Row>(`SELECT ${COLUMNS} FROM identity_providers WHERE removed_at IS NULL ORDER BY name LIMIT ?`, limit);
  return rows.map(fromRow);
}
