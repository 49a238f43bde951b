/**
 * Who there is: people and service accounts, their passwords and their state. Every change is an event and counts as a change of access; names
 * and addresses stand beside the event, so that a person can be erased.
 */
import { clip } from '@countersign/contract/mlflow/message.ts';
import { invalid, notFound, Problem } from '@countersign/contract/problem.ts';
import { accountIdOf, type Ctx, type Principal, reading, type TxCtx, transaction } from '../../platform/context.ts';
import type { Queries } from '../../platform/db/database.ts';
import { type NewEvent, record } from '../events/events.ts';
import { announceChange } from './access-epoch.ts';
import { checkAccountName, checkPassword } from './account-rules.ts';
import * as store from './account-store.ts';
import { accountWords, governSetting, type SettingChange, takingAway } from './governor.ts';
import { hashPassword, SALT_BYTES, verifyPassword } from './password-hashes.ts';

export {
  announceChange,
  CHANGES_KEPT,
  type ConcernedByChange,
  getEpoch,
  knownEpoch,
  listChanges,
  lockAccess,
  standingEpoch,
} from './access-epoch.ts';
export { AccessMemory } from './access-memory.ts';
export { checkAccountName } from './account-rules.ts';
export type { AccessChange, Account, AccountKind, AccountState, CredentialChange } from './account-store.ts';
export {
  accountWords,
  type Governor,
  governSetting,
  type Keeper,
  type Loss,
  type SettingChange,
  setGovernor,
  takingAway,
} from './governor.ts';

/** What replaying access up to a moment asks by. */
export const ACCESS_TARGET = 'access';

/** An event that says who may do what from now on. */
export function recordAccess(ctx: TxCtx, event: Omit<NewEvent, 'target'>): void {
  record(ctx, { ...event, target: ACCESS_TARGET });
}

/** That somebody changed another's credentials, or the groups that it is in: an approval by that one may not count for a while. */
export async function noteCredentialChange(ctx: TxCtx, about: number): Promise<void> {
  if (about === accountIdOf(ctx.principal)) return;
  await store.insertCredentialChange(ctx.tx, about, ctx.clock.now(), ctx.principal.id);
}

/** The last change that each made of each of these accounts since a time. */
export function listCredentialChanges(ctx: Ctx, about: readonly number[], since: number): Promise<store.CredentialChange[]> {
  return store.listCredentialChanges(reading(ctx), about, since);
}

/** Of the whole server. */
function governed(ctx: TxCtx, change: Omit<SettingChange, 'workspaceId'>): Promise<void> {
  return governSetting(ctx, { ...change, workspaceId: -1 });
}

/** Whoever acts on his own account changes no other person's. */
function isOwn(ctx: Ctx, account: Pick<store.Account, 'id'>): boolean {
  return accountIdOf(ctx.principal) === account.id;
}

/** Without any, the server is open to whoever reaches it. */
export function hasAccounts(db: Queries): Promise<boolean> {
  return store.hasAccounts(db);
}

/** Whether a form that asks for one is of use to anybody. */
export function hasPasswords(db: Queries): Promise<boolean> {
  return store.hasPasswords(db);
}

export interface NewUser {
  readonly name: string;
  readonly displayName?: string | undefined;
  readonly email?: string | undefined;
  readonly isAdmin?: boolean | undefined;
  /** Without one, single sign-on or a token is the only way in. */
  readonly password?: string | undefined;
}

/** The first account must be an administrator's. RESOURCE_ALREADY_EXISTS for a taken name. */
export async function createUser(ctx: Ctx, input: NewUser): Promise<store.Account> {
  if (input.password !== undefined) checkPassword(input.password);
  const passwordHash = input.password === undefined ? null : await hashPassword(input.password, ctx.clock.randomBytes(SALT_BYTES));
  return transaction(ctx, async (inner) => {
    if (input.isAdmin !== true && !(await store.hasAccounts(inner.tx))) {
      throw new Problem(
        'INVALID_STATE',
        'The first account must be an administrator: from then on everybody has to sign in. Make one with countersign user create NAME --admin.',
      );
    }
    return insert(inner, { ...input, kind: 'user', passwordHash });
  });
}

/** For jobs and programs: signs in by tokens alone, and somebody answers for it. */
export function createServiceAccount(
  ctx: Ctx,
  input: { name: string; displayName?: string | undefined; ownerId: number },
): Promise<store.Account> {
  return transaction(ctx, async (inner) => {
    await getActive(inner, input.ownerId);
    return insert(inner, { ...input, kind: 'service', passwordHash: null });
  });
}

/** The identity that a trusted CI issuer's jobs act as. It can't sign in by itself and never approves. */
export function createCiAccount(ctx: TxCtx, input: { name: string; displayName?: string | undefined }): Promise<store.Account> {
  return insert(ctx, { ...input, kind: 'ci', passwordHash: null });
}

/** A job of a trusted CI system acts by itself, with the access of its trust's account. One that comes again is the same. */
export async function actAsJob(
  ctx: TxCtx,
  account: store.Account,
  job: { readonly name: string; readonly issuer: string; readonly starterId: string },
): Promise<Principal> {
  const row = { accountId: account.id, name: job.name, starterIssuer: job.issuer, starterId: job.starterId, at: ctx.clock.now() };
  return { id: await store.upsertJob(ctx.tx, row), kind: 'ci', name: job.name, accountId: account.id };
}

/** Jobs of whoever a CI system calls so. */
export function listJobsStartedBy(ctx: Ctx, issuer: string, starterId: string): Promise<number[]> {
  return store.listJobsStartedBy(reading(ctx), issuer, starterId);
}

/** For erasing a person: nobody is known to have started those jobs. In the caller's transaction. */
export function forgetStarter(ctx: TxCtx, issuer: string, starterId: string): Promise<void> {
  return store.forgetStarter(ctx.tx, issuer, starterId);
}

async function insert(
  ctx: TxCtx,
  input: Omit<NewUser, 'password'> & { kind: store.AccountKind; passwordHash: string | null; ownerId?: number },
): Promise<store.Account> {
  if (input.kind !== 'ci') checkAccountName(input.name, input.kind === 'user' ? 'user name' : 'name of a service account');
  await governed(ctx, { setting: 'memberships', words: `make ${input.kind} ${input.name}`, names: { reporters: [input.name] } });
  if (input.isAdmin === true) await governed(ctx, { setting: 'memberships', words: `make ${input.name}, an administrator` });
  const at = ctx.clock.now();
  const id = await store.insert(ctx.tx, {
    kind: input.kind,
    name: input.name,
    displayName: input.displayName ?? null,
    email: input.email ?? null,
    ownerId: input.ownerId ?? null,
    isAdmin: input.isAdmin ?? false,
    passwordHash: input.passwordHash,
    at,
    by: ctx.principal.id,
  });
  if (id === undefined) throw new Problem('RESOURCE_ALREADY_EXISTS', `User (username=${input.name}) already exists. Choose another name.`);
  recordAccess(ctx, {
    type: 'account.created',
    data: {
      account_id: id,
      kind: input.kind,
      is_admin: input.isAdmin ?? false,
      has_password: input.passwordHash !== null,
      owner_id: input.ownerId ?? null,
    },
    texts: personal(input),
  });
  await noteCredentialChange(ctx, id);
  await announceChange(ctx, { principalId: id });
  return mustFind(ctx, id);
}

function personal(input: { name: string; displayName?: string | undefined; email?: string | undefined }): Record<string, string> {
  return {
    name: input.name,
    ...(input.displayName ? { display_name: input.displayName } : {}),
    ...(input.email ? { email: input.email } : {}),
  };
}

async function mustFind(ctx: Ctx, id: number): Promise<store.Account> {
  const account = await store.findById(reading(ctx), id);
  if (account === undefined || account.state === 'deleted') throw notFound(`There is no account with the id ${id}.`);
  return account;
}

export function findByName(ctx: Ctx, name: string): Promise<store.Account | undefined> {
  return store.findByName(reading(ctx), name);
}

/** Also one that was deleted. */
export function findById(ctx: Ctx, id: number): Promise<store.Account | undefined> {
  return store.findById(reading(ctx), id);
}

/** The same outside of a request. */
export function findAccount(db: Queries, id: number): Promise<store.Account | undefined> {
  return store.findById(db, id);
}

/** RESOURCE_DOES_NOT_EXIST in MLflow's words. */
export async function getByName(ctx: Ctx, name: string): Promise<store.Account> {
  const account = await store.findByName(reading(ctx), name);
  if (account === undefined || account.kind === 'local') throw notFound(`User with username=${clip(name)} not found`);
  return account;
}

async function getActive(ctx: Ctx, id: number): Promise<store.Account> {
  const account = await mustFind(ctx, id);
  if (account.state !== 'active') throw new Problem('INVALID_STATE', `The account '${account.name}' is ${account.state}. Enable it first.`);
  return account;
}

export function list(ctx: Ctx, page: store.AccountPage): Promise<store.Account[]> {
  return store.list(reading(ctx), page);
}

export function listByIds(ctx: Ctx, ids: readonly number[]): Promise<store.Account[]> {
  return store.listByIds(reading(ctx), ids);
}

/** Service accounts that somebody answers for. */
export function listOwnedBy(ctx: Ctx, ownerId: number): Promise<store.Account[]> {
  return store.listOwnedBy(reading(ctx), ownerId);
}

/** Who wrote something, by id; names of the deleted too. */
export async function listPrincipals(ctx: Ctx, ids: readonly number[]): Promise<ReadonlyMap<number, store.PrincipalRow>> {
  const rows = await store.listPrincipals(reading(ctx), [...new Set(ids)]);
  return new Map(rows.map((row) => [row.id, row]));
}

/** Null takes it away. `alongside` joins the transaction: whoever was signed in with the old one is signed out there. */
export async function setPassword(
  ctx: Ctx,
  account: store.Account,
  password: string | null,
  alongside: (ctx: TxCtx) => Promise<void> = async () => {},
): Promise<void> {
  if (account.kind !== 'user')
    throw invalid(`'${account.name}' is no person: it signs in with tokens. Make one with countersign token create.`);
  if (password !== null) checkPassword(password);
  const hash = password === null ? null : await hashPassword(password, ctx.clock.randomBytes(SALT_BYTES));
  await transaction(ctx, async (inner) => {
    if (!isOwn(inner, account)) await governed(inner, { setting: 'credentials', words: `set the password of ${accountWords(account)}` });
    await store.setPassword(inner.tx, account.id, hash, inner.clock.now(), inner.principal.id);
    recordAccess(inner, { type: 'account.password-set', data: { account_id: account.id, has_password: hash !== null } });
    await noteCredentialChange(inner, account.id);
    await announceChange(inner, { principalId: account.id });
    await alongside(inner);
  });
}

/** Undefined for a wrong password, an unknown name and an account that may not sign in: all take the same time. */
export async function findByPassword(db: Queries, name: string, password: string): Promise<store.Account | undefined> {
  const account = await store.findByName(db, name);
  const maySignIn = account?.kind === 'user' && account.state === 'active';
  const hash = maySignIn ? await store.findPasswordHash(db, account.id) : null;
  return (await verifyPassword(password, hash)) ? account : undefined;
}

export function setAdmin(ctx: Ctx, account: store.Account, isAdmin: boolean): Promise<void> {
  return transaction(ctx, async (inner) => {
    if (account.kind !== 'user' && isAdmin) throw invalid(`'${account.name}' is no person, and only people administer the server.`);
    await governed(inner, {
      setting: 'memberships',
      words: `${isAdmin ? 'make' : 'no longer have'} ${accountWords(account)} an administrator`,
      ...(isAdmin ? {} : { loses: account.id }),
    });
    await takingAway(inner, async () => {
      await store.setAdmin(inner.tx, account.id, isAdmin, inner.principal.id);
      recordAccess(inner, { type: 'account.admin-set', data: { account_id: account.id, is_admin: isAdmin } });
      await announceChange(inner, { principalId: account.id });
    });
    if (!isAdmin) await keepAnAdmin(inner);
  });
}

/** After the change was announced: until the commit no other one is, so two that take each other's place can't both go through. */
async function keepAnAdmin(ctx: TxCtx): Promise<void> {
  if ((await store.countActiveAdmins(ctx.tx)) > 0) return;
  throw new Problem('INVALID_STATE', 'This is the last administrator. Make another one first, or nobody could administer the server.');
}

/** A disabled account keeps its grants and can't sign in, by whatever token. */
export function setState(ctx: Ctx, account: store.Account, state: 'active' | 'disabled'): Promise<void> {
  return transaction(ctx, async (inner) => {
    const isEnabling = state === 'active';
    await governed(
      inner,
      isEnabling
        ? { setting: 'credentials', words: `enable ${accountWords(account)}` }
        : { setting: 'memberships', words: `disable ${accountWords(account)}`, names: {}, loses: account.id },
    );
    await takingAway(inner, async () => {
      await store.setState(inner.tx, account.id, state, inner.principal.id);
      recordAccess(inner, { type: state === 'active' ? 'account.enabled' : 'account.disabled', data: { account_id: account.id } });
      if (state === 'active') await noteCredentialChange(inner, account.id);
      await announceChange(inner, { principalId: account.id });
    });
    if (state === 'disabled') await keepAnAdmin(inner);
  });
}

export function setOwner(ctx: Ctx, account: store.Account, ownerId: number): Promise<void> {
  return transaction(ctx, async (inner) => {
    if (account.kind !== 'service') throw invalid(`'${account.name}' is no service account: only those have an owner.`);
    await getActive(inner, ownerId);
    await governed(inner, { setting: 'service-accounts', words: `give ${accountWords(account)} to account ${ownerId}` });
    await store.setOwner(inner.tx, account.id, ownerId, inner.principal.id);
    recordAccess(inner, { type: 'account.owner-set', data: { account_id: account.id, owner_id: ownerId } });
    await noteCredentialChange(inner, account.id);
    await announceChange(inner, { principalId: account.id });
  });
}

export interface Profile {
  readonly name: string;
  readonly displayName: string | null;
  readonly email: string | null;
}

export function setProfile(ctx: Ctx, account: store.Account, profile: Profile): Promise<void> {
  return transaction(ctx, async (inner) => {
    checkAccountName(profile.name);
    const other = await store.findByName(inner.tx, profile.name);
    if (other && other.id !== account.id) {
      throw new Problem('RESOURCE_ALREADY_EXISTS', `User (username=${profile.name}) already exists. Choose another name.`);
    }
    if (profile.name !== account.name) {
      const words = `call ${accountWords(account)} ${profile.name}`;
      await governed(inner, { setting: 'memberships', words, names: { reporters: [account.name, profile.name] } });
    }
    await store.setProfile(inner.tx, account.id, profile, inner.principal.id);
    recordAccess(inner, {
      type: 'account.described',
      data: { account_id: account.id },
      texts: personal({ name: profile.name, displayName: profile.displayName ?? undefined, email: profile.email ?? undefined }),
    });
    await announceChange(inner, { principalId: account.id });
  });
}

/** Its name may be given again, to an account with another id. The caller takes tokens, memberships and grants along in the same transaction. */
export async function remove(ctx: TxCtx, account: store.Account): Promise<void> {
  const owned = (await store.listOwnedBy(ctx.tx, account.id)).map((each) => each.name);
  if (owned.length > 0) {
    throw new Problem(
      'INVALID_STATE',
      `'${account.name}' owns service accounts: ${clip(owned.join(', '))}. Give them another owner or delete them first.`,
    );
  }
  await governed(ctx, { setting: 'memberships', words: `delete ${accountWords(account)}`, names: {}, loses: account.id });
  await takingAway(ctx, async () => {
    await store.setState(ctx.tx, account.id, 'deleted', ctx.principal.id);
    recordAccess(ctx, { type: 'account.deleted', data: { account_id: account.id } });
    await announceChange(ctx, { principalId: account.id });
  });
  if (account.kind === 'user') await keepAnAdmin(ctx);
}

/** Deleted accounts that had the name, oldest first. */
export function listDeleted(ctx: Ctx, name: string): Promise<store.Account[]> {
  return store.listDeleted(reading(ctx), name);
}

/** What an erased account is called. */
export function erasedName(id: number): string {
  return `erased-${id}`;
}

/** Takes name, display name and address from the row of an account that was removed. What stands beside events is the caller's. */
export async function erase(ctx: TxCtx, account: store.Account): Promise<void> {
  await store.erase(ctx.tx, account.id, erasedName(account.id), ctx.principal.id);
  recordAccess(ctx, { type: 'account.erased', data: { account_id: account.id } });
  await announceChange(ctx, { principalId: account.id });
}
