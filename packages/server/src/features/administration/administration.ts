/** What is done to an account that several rooms keep a part of: removing it, erasing it, ending what it is signed in with. */
import { setImmediate } from 'node:timers/promises';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { notFound } from '@countersign/contract/problem.ts';
import { type Ctx, reading, type TxCtx, transaction } from '../../platform/context.ts';
import * as access from '../access/access.ts';
import * as accounts from '../accounts/accounts.ts';
import * as ciIdentities from '../ci-identities/ci-identities.ts';
import * as events from '../events/events.ts';
import * as groups from '../groups/groups.ts';
import * as namedPermissions from '../named-permissions/named-permissions.ts';
import * as signIn from '../sign-in/sign-in.ts';
import * as tokens from '../tokens/tokens.ts';

/** With its tokens, memberships and grants. INVALID_STATE for the last administrator, and for an owner of service accounts. */
export function removeAccount(ctx: Ctx, account: accounts.Account): Promise<void> {
  return transaction(ctx, async (inner) => {
    // Before anything is written, so that nobody remembers what may be undone.
    await accounts.announceChange(inner, { principalId: account.id });
    await tokens.revokeAllOf(inner, account.id);
    await groups.forgetAccount(inner, account.id);
    await access.forgetSubject(inner, 'principal', account.id);
    await namedPermissions.forgetUser(inner, account.id);
    await accounts.remove(inner, account);
  });
}

export interface Erased {
  /** What the account is called from now on. */
  readonly name: string;
  /** Texts beside events that are gone. */
  readonly texts: number;
}

/**
 * Removes the account if it is there, and everything that says whose it was: name, display name and address in its row, the names of its tokens,
 * and the texts beside events about it. The events stay, and the chain verifies. Can't be undone.
 */
export async function eraseAccount(ctx: Ctx, account: accounts.Account): Promise<Erased> {
  // Most of the record is read before the transaction, which others wait for.
  const jobs = new Set(await ciIdentities.listJobsOf(ctx, account.id));
  const found = await listEventsAbout(ctx, account.id, jobs, 0);
  return transaction(ctx, async (inner) => {
    if (account.state !== 'deleted') await removeAccount(inner, account);
    const since = await listEventsAbout(inner, account.id, jobs, found.untilSeq);
    await tokens.eraseNames(inner, account.id);
    const texts = await events.eraseTexts(inner, [...found.seqs, ...since.seqs]);
    await events.eraseAddresses(inner, [account.id, ...jobs]);
    await signIn.forgetIdentities(inner, account);
    await ciIdentities.forget(inner, account.id);
    await accounts.erase(inner, account);
    return { name: accounts.erasedName(account.id), texts };
  });
}

interface AboutAccounts {
  readonly account_id?: unknown;
  /** Whose identity was linked to another account. */
  readonly before_account_id?: unknown;
  /** Beside its event stand the claims of a job, which say who started it. */
  readonly job_id?: unknown;
}

async function listEventsAbout(
  ctx: Ctx,
  accountId: number,
  jobs: ReadonlySet<unknown>,
  afterSeq: number,
): Promise<{ seqs: number[]; untilSeq: number }> {
  const seqs: number[] = [];
  let untilSeq = afterSeq;
  for await (const stretch of events.listOnTarget(reading(ctx), accounts.ACCESS_TARGET, afterSeq)) {
    for (const { seq, body } of stretch) {
      untilSeq = seq;
      const { data, commitments } = JSON.parse(body) as { data: AboutAccounts; commitments?: object }; // as the events room writes it
      const isAbout = data.account_id === accountId || data.before_account_id === accountId || jobs.has(data.job_id);
      if (commitments !== undefined && isAbout) seqs.push(seq);
    }
    // SQLite answers at once, and others are to be served meanwhile; a transaction waits for nothing but the database.
    if (ctx.tx === undefined) await setImmediate();
  }
  return { seqs, untilSeq };
}

export interface EndTokens {
  /** Tokens too; without it they live on. */
  readonly revokesTokens: boolean;
}

/** Signs out every browser of the account. Null takes the password away. */
export function setPassword(ctx: Ctx, account: accounts.Account, password: string | null, end: EndTokens): Promise<void> {
  return accounts.setPassword(ctx, account, password, (inner) => endAccess(inner, account, end));
}

/** Nothing of the account is answered until it is enabled again; then its tokens work as before, unless they were revoked. */
export function disable(ctx: Ctx, account: accounts.Account, end: EndTokens): Promise<void> {
  return transaction(ctx, async (inner) => {
    await accounts.setState(inner, account, 'disabled');
    await endAccess(inner, account, end);
  });
}

/** `ownerId` undefined: the owner stays. */
export function describeServiceAccount(
  ctx: Ctx,
  account: accounts.Account,
  change: { readonly name: string; readonly displayName: string | null; readonly ownerId: number | undefined },
): Promise<void> {
  return transaction(ctx, async (inner) => {
    await accounts.setProfile(inner, account, { name: change.name, displayName: change.displayName, email: account.email });
    if (change.ownerId !== undefined && change.ownerId !== account.ownerId) await accounts.setOwner(inner, account, change.ownerId);
  });
}

function endAccess(ctx: TxCtx, account: accounts.Account, { revokesTokens }: EndTokens): Promise<void> {
  return revokesTokens ? tokens.revokeAllOf(ctx, account.id) : tokens.revokeSessionsOf(ctx, account.id);
}

/**
 * Erases one text beside an event. The event and the commitment stay, so the chain verifies; that it happened is an event. Once more changes
 * nothing. RESOURCE_DOES_NOT_EXIST for an event or a field that never was.
 */
export async function eraseEventText(ctx: Ctx, seq: number, field: string): Promise<void> {
  const event = await events.find(reading(ctx), seq);
  if (event === undefined) throw notFound(`There is no event with the number ${seq}.`);
  const { commitments = {} } = JSON.parse(event.body) as { commitments?: Readonly<Record<string, string>> }; // as the events room writes it
  if (!Object.hasOwn(commitments, field)) {
    const fields = Object.keys(commitments).map((each) => `'${each}'`);
    throw notFound(
      `The event ${seq} has no text '${clip(field)}'. ${fields.length === 0 ? 'It has none at all.' : `It has ${clip(fields.join(', '))}.`}`,
    );
  }
  await transaction(ctx, async (inner) => {
    if (!(await events.eraseText(inner, seq, field))) return;
    events.record(inner, { type: 'event.text-erased', data: { seq, field } });
  });
}
