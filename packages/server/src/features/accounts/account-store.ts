import { idList, idsOf, type Queries } from '../../platform/db/database.ts';

export type AccountKind = 'local' | 'user' | 'service' | 'ci';
export type AccountState = 'active' | 'disabled' | 'deleted';

export interface Account {
  readonly id: number;
  readonly kind: AccountKind;
  readonly name: string;
  readonly displayName: string | null;
  readonly email: string | null;
  /** Of a service account. */
  readonly ownerId: number | null;
  readonly isAdmin: boolean;
  readonly state: AccountState;
  readonly hasPassword: boolean;
  readonly createdAt: number;
}

interface AccountRow {
  readonly id: number;
  readonly kind: AccountKind;
  readonly name: string;
  readonly display_name: string | null;
  readonly email: string | null;
  readonly owner_id: number | null;
  readonly is_admin: number;
  readonly state: AccountState;
  readonly has_password: number;
  readonly created_at: number;
}

const COLUMNS =
  'id, kind, name, display_name, email, owner_id, is_admin, state, CASE WHEN password_hash IS NULL THEN 0 ELSE 1 END AS has_password, created_at';

function fromRow(row: AccountRow): Account {
  return {
    id: row.id,
    kind: row.kind,
    name: row.name,
    displayName: row.display_name,
    email: row.email,
    ownerId: row.owner_id,
    isAdmin: row.is_admin === 1,
    state: row.state,
    hasPassword: row.has_password === 1,
    createdAt: row.created_at,
  };
}

/** Not deleted. */
export async function findByName(db: Queries, name: string): Promise<Account | undefined> {
  const row = await db.one<AccountRow>(`SELECT ${COLUMNS} FROM principals WHERE name = ? AND state <> 'deleted' AND job_of IS NULL`, name);
  return row && fromRow(row);
}

export async function findById(db: Queries, id: number): Promise<Account | undefined> {
  const row = await db.one<AccountRow>(`SELECT ${COLUMNS} FROM principals WHERE id = ?`, id);
  return row && fromRow(row);
}

export interface AccountPage {
  readonly kind: AccountKind | undefined;
  readonly afterId: number;
  readonly limit: number;
}

/** By id. */
export async function list(db: Queries, page: AccountPage): Promise<Account[]> {
  const rows = await db.all<AccountRow>(
    `SELECT ${COLUMNS} FROM principals WHERE id > ? AND job_of IS NULL AND state <> 'deleted' AND (kind = ? OR ? = '') AND kind <> 'local' ORDER BY id LIMIT ?`,
    page.afterId,
    page.kind ?? '',
    page.kind ?? '',
    page.limit,
  );
  return rows.map(fromRow);
}

export async function listByIds(db: Queries, ids: readonly number[]): Promise<Account[]> {
  const rows = await db.all<AccountRow>(`SELECT ${COLUMNS} FROM principals WHERE id IN (${idsOf(db)}) LIMIT 10000`, idList(db, ids));
  return rows.map(fromRow);
}

export interface PrincipalRow {
  readonly id: number;
  readonly kind: string;
  readonly name: string;
}

export function listPrincipals(db: Queries, ids: readonly number[]): Promise<PrincipalRow[]> {
  return db.all(`SELECT id, kind, name FROM principals WHERE id IN (${idsOf(db)}) LIMIT 10000`, idList(db, ids));
}

export async function listOwnedBy(db: Queries, ownerId: number): Promise<Account[]> {
  const rows = await db.all<AccountRow>(
    `SELECT ${COLUMNS} FROM principals WHERE owner_id = ? AND state <> 'deleted' ORDER BY id LIMIT 1000`,
    ownerId,
  );
  return rows.map(fromRow);
}

export interface NewAccountRow {
  readonly kind: AccountKind;
  readonly name: string;
  readonly displayName: string | null;
  readonly email: string | null;
  readonly ownerId: number | null;
  readonly isAdmin: boolean;
  readonly passwordHash: string | null;
  readonly at: number;
  readonly by: number;
}

/** Undefined where the name is taken. */
export async function insert(tx: Queries, row: NewAccountRow): Promise<number | undefined> {
  const inserted = await tx.one<{ id: number }>(
    'INSERT INTO principals (kind, name, display_name, email, owner_id, is_admin, password_hash, password_set_at, created_at, written_by) ' +
      "VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?) ON CONFLICT (name) WHERE state <> 'deleted' AND job_of IS NULL DO NOTHING RETURNING id",
    row.kind,
    row.name,
    row.displayName,
    row.email,
    row.ownerId,
    row.isAdmin ? 1 : 0,
    row.passwordHash,
    row.passwordHash === null ? null : row.at,
    row.at,
    row.by,
  );
  return inserted?.id;
}

export async function setPassword(tx: Queries, id: number, hash: string | null, at: number, by: number): Promise<void> {
  await tx.run('UPDATE principals SET password_hash = ?, password_set_at = ?, written_by = ? WHERE id = ?', hash, at, by, id);
}

export async function findPasswordHash(db: Queries, id: number): Promise<string | null> {
  return (await db.one<{ password_hash: string | null }>('SELECT password_hash FROM principals WHERE id = ?', id))?.password_hash ?? null;
}

export async function setAdmin(tx: Queries, id: number, isAdmin: boolean, by: number): Promise<void> {
  await tx.run('UPDATE principals SET is_admin = ?, written_by = ? WHERE id = ?', isAdmin ? 1 : 0, by, id);
}

export async function setState(tx: Queries, id: number, state: AccountState, by: number): Promise<void> {
  await tx.run('UPDATE principals SET state = ?, written_by = ? WHERE id = ?', state, by, id);
}

export async function setOwner(tx: Queries, id: number, ownerId: number, by: number): Promise<void> {
  await tx.run('UPDATE principals SET owner_id = ?, written_by = ? WHERE id = ?', ownerId, by, id);
}

export async function setProfile(
  tx: Queries,
  id: number,
  profile: { name: string; displayName: string | null; email: string | null },
  by: number,
): Promise<void> {
  await tx.run(
    'UPDATE principals SET name = ?, display_name = ?, email = ?, written_by = ? WHERE id = ?',
    profile.name,
    profile.displayName,
    profile.email,
    by,
    id,
  );
}

/** Deleted accounts that had the name. */
export async function listDeleted(db: Queries, name: string): Promise<Account[]> {
  const rows = await db.all<AccountRow>(
    `SELECT ${COLUMNS} FROM principals WHERE name = ? AND state = 'deleted' ORDER BY id LIMIT 1000`,
    name,
  );
  return rows.map(fromRow);
}

export interface JobRow {
  /** The account whose access it has. */
  readonly accountId: number;
  readonly name: string;
  /** Which issuer says who started it, and what it calls that one; '' where it doesn't. */
  readonly starterIssuer: string;
  readonly starterId: string;
  readonly at: number;
}

/** The principal of a job, which is made where it comes for the first time. */
export async function upsertJob(tx: Queries, row: JobRow): Promise<number> {
  const found = await tx.one<{ id: number }>(
    "INSERT INTO principals (kind, name, is_admin, job_of, starter_issuer, starter_id, created_at, written_by) VALUES ('ci', ?, 0, ?, ?, ?, ?, ?) " +
      'ON CONFLICT (job_of, name, starter_id) WHERE job_of IS NOT NULL DO UPDATE SET job_of = excluded.job_of RETURNING id',
    row.name,
    row.accountId,
    row.starterIssuer,
    row.starterId,
    row.at,
    row.accountId,
  );
  if (found === undefined) throw new TypeError('INSERT … RETURNING answered no row');
  return found.id;
}

/** Jobs that somebody started, by what CI systems call that one. */
export async function listJobsStartedBy(db: Queries, issuer: string, starterId: string): Promise<number[]> {
  const rows = await db.all<{ id: number }>(
    "SELECT id FROM principals WHERE starter_issuer = ? AND starter_id = ? AND starter_id <> '' AND job_of IS NOT NULL ORDER BY id LIMIT 1000000",
    issuer,
    starterId,
  );
  return rows.map((row) => row.id);
}

export async function forgetStarter(tx: Queries, issuer: string, starterId: string): Promise<void> {
  await tx.run(
    "UPDATE principals SET starter_id = 'erased-' || CAST(id AS TEXT), name = 'erased-' || CAST(id AS TEXT) WHERE starter_issuer = ? AND starter_id = ? AND job_of IS NOT NULL",
    issuer,
    starterId,
  );
}

/** What says who it was. The row stays: others refer to it. */
export async function erase(tx: Queries, id: number, name: string, by: number): Promise<void> {
  await tx.run(
    'UPDATE principals SET name = ?, display_name = NULL, email = NULL, password_hash = NULL, written_by = ? WHERE id = ?',
    name,
    by,
    id,
  );
}

export async function hasAccounts(db: Queries): Promise<boolean> {
  return (
    (await db.one(`SELECT 1 FROM principals WHERE id > 0 AND job_of IS NULL AND kind = 'user' AND state <> 'deleted' LIMIT 1`)) !==
    undefined
  );
}

export async function hasPasswords(db: Queries): Promise<boolean> {
  return (
    (await db.one("SELECT 1 FROM principals WHERE job_of IS NULL AND password_hash IS NOT NULL AND state = 'active' LIMIT 1")) !== undefined
  );
}

/** Who can sign in and administers. */
export async function countActiveAdmins(db: Queries): Promise<number> {
  const row = await db.one<{ n: number }>(
    "SELECT count(*) AS n FROM principals WHERE job_of IS NULL AND is_admin = 1 AND kind = 'user' AND state = 'active'",
  );
  return row?.n ?? 0;
}

/** Counts a change of access. Held until the commit, so that numbers are given in the order of the commits. */
export async function nextEpoch(tx: Queries): Promise<number> {
  const row = await tx.one<{ epoch: number }>('UPDATE access_head SET epoch = epoch + 1 WHERE id = 1 RETURNING epoch');
  return row?.epoch ?? 0;
}

export async function insertChange(tx: Queries, epoch: number, principalId: number | null, grantId: number | null): Promise<void> {
  await tx.run('INSERT INTO access_changes (epoch, principal_id, grant_id) VALUES (?, ?, ?)', epoch, principalId, grantId);
}

export async function forgetChanges(tx: Queries, before: number): Promise<void> {
  await tx.run('DELETE FROM access_changes WHERE epoch < ?', before);
}

export async function getEpoch(db: Queries): Promise<number> {
  return (await db.one<{ epoch: number }>('SELECT epoch FROM access_head WHERE id = 1'))?.epoch ?? 0;
}

/** Any number of the application's own; nothing else locks it. */
const ACCESS_LOCK = 4_021_988;

/**
 * Until the commit no process changes who may do what, nor policies, stages and blocks. Whoever changes those waits his turn, and those who come after
 * him wait for him. Only on PostgreSQL; SQLite has one writer.
 */
export async function holdAccess(tx: Queries): Promise<void> {
  if (tx.dialect === 'postgres') await tx.one(`SELECT pg_advisory_xact_lock_shared(${ACCESS_LOCK})`);
}

/** Waits until nobody decides by it any more. */
export async function lockAccess(tx: Queries): Promise<void> {
  if (tx.dialect === 'postgres') await tx.one(`SELECT pg_advisory_xact_lock(${ACCESS_LOCK})`);
}

export interface AccessChange {
  readonly epoch: number;
  /** Null: everyone. */
  readonly principal_id: number | null;
  /** The grant that was added, where that is all. */
  readonly grant_id: number | null;
}

/** In order. */
export function listChanges(db: Queries, afterEpoch: number, limit: number): Promise<AccessChange[]> {
  return db.all('SELECT epoch, principal_id, grant_id FROM access_changes WHERE epoch > ? ORDER BY epoch LIMIT ?', afterEpoch, limit);
}

/** Once more changes nothing. */
export async function insertCredentialChange(tx: Queries, about: number, at: number, by: number): Promise<void> {
  await tx.run(
    'INSERT INTO credential_changes (about, at, changed_by) VALUES (?, ?, ?) ON CONFLICT (about, at, changed_by) DO NOTHING',
    about,
    at,
    by,
  );
}

export interface CredentialChange {
  readonly about: number;
  readonly by: number;
  readonly at: number;
}

/** The last change that each made of each since a time. */
export function listCredentialChanges(db: Queries, about: readonly number[], since: number): Promise<CredentialChange[]> {
  return db.all(
    `SELECT about, changed_by AS "by", max(at) AS at FROM credential_changes WHERE about IN (${idsOf(db)}) AND at >= ? GROUP BY about, changed_by ORDER BY about, changed_by LIMIT 100000`,
    idList(db, about),
    since,
  );
}
