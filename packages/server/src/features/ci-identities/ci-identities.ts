/**
 * Whose account it is when a CI system says that somebody started a job. An administrator says so: whoever could say it of himself could become
 * another person for the policies, or nobody.
 */
import { clip } from '@countersign/contract/mlflow/message.ts';
import { invalid, notFound, Problem } from '@countersign/contract/problem.ts';
import { type Ctx, reading, type TxCtx, transaction } from '../../platform/context.ts';
import { checkIssuer } from '../../platform/http/issuer-fetch.ts';
import * as accounts from '../accounts/accounts.ts';
import type { CiIdentity } from './ci-identity-store.ts';
import * as store from './ci-identity-store.ts';

export type { CiIdentity } from './ci-identity-store.ts';

export interface CiIdentityKey {
  readonly issuer: string;
  readonly actorId: string;
}

/** Once more changes nothing. RESOURCE_ALREADY_EXISTS where it is another account's: taking it away there is a change of its own. */
export async function link(ctx: Ctx, account: accounts.Account, { issuer, actorId }: CiIdentityKey): Promise<CiIdentity> {
  if (account.kind !== 'user') throw invalid(`'${account.name}' is no person, and only persons start jobs. Name a user.`);
  checkIssuer(issuer);
  if (!/^\d{1,20}$/.test(actorId)) {
    throw invalid(
      `'actor_id' must be the number that the CI system gave the person (GitHub: actor_id, GitLab: user_id), got '${clip(actorId)}'.`,
    );
  }
  return transaction(ctx, async (inner) => {
    const before = await store.find(inner.tx, issuer, actorId);
    if (before?.accountId === account.id) return before;
    const other = before === undefined ? undefined : await accounts.findById(inner, before.accountId);
    if (other !== undefined && other.state !== 'deleted') {
      throw new Problem(
        'RESOURCE_ALREADY_EXISTS',
        `The number ${actorId} at ${issuer} is linked to '${clip(other.name)}'. If it is wrong, unlink it there first: ` +
          `countersign user unlink-ci ${clip(other.name)} --issuer ${issuer} --actor-id ${actorId}`,
      );
    }
    await governed(inner, `link ${accounts.accountWords(account)} to ${actorId} at ${issuer}`);
    const row = { issuer, actorId, accountId: account.id, linkedAt: inner.clock.now() };
    await store.put(inner.tx, row, inner.principal.id);
    await tell(inner, 'account.ci-linked', row);
    return row;
  });
}

/** RESOURCE_DOES_NOT_EXIST where the account hasn't it. Nobody is known then to have started those jobs, so policies refuse what depends on it. */
export function unlink(ctx: Ctx, account: accounts.Account, { issuer, actorId }: CiIdentityKey): Promise<void> {
  return transaction(ctx, async (inner) => {
    const row = await store.find(inner.tx, issuer, actorId);
    if (row?.accountId !== account.id) throw notFound(`'${clip(account.name)}' has no number ${clip(actorId)} at ${clip(issuer)}.`);
    await governed(inner, `unlink ${accounts.accountWords(account)} from ${actorId} at ${issuer}`);
    await store.remove(inner.tx, issuer, actorId);
    await tell(inner, 'account.ci-unlinked', row);
  });
}

function governed(ctx: TxCtx, words: string): Promise<void> {
  return accounts.governSetting(ctx, { setting: 'credentials', words, workspaceId: -1 });
}

async function tell(ctx: TxCtx, type: string, { accountId, issuer, actorId }: CiIdentity): Promise<void> {
  accounts.recordAccess(ctx, { type, data: { account_id: accountId, issuer }, texts: { actor_id: actorId } });
  await accounts.noteCredentialChange(ctx, accountId);
  await accounts.announceChange(ctx, { principalId: accountId });
}

export function listOf(ctx: Ctx, accountId: number): Promise<CiIdentity[]> {
  return store.listOf(reading(ctx), accountId);
}

/** Jobs that the person of an account started. */
export async function listJobsOf(ctx: Ctx, accountId: number): Promise<number[]> {
  const jobs: number[] = [];
  for (const { issuer, actorId } of await listOf(ctx, accountId)) jobs.push(...(await accounts.listJobsStartedBy(ctx, issuer, actorId)));
  return jobs;
}

/** For erasing a person: also from the jobs, which nobody is known to have started then. In the caller's transaction. */
export async function forget(ctx: TxCtx, accountId: number): Promise<void> {
  for (const { issuer, actorId } of await store.listOf(ctx.tx, accountId)) {
    await accounts.forgetStarter(ctx, issuer, actorId);
    await store.remove(ctx.tx, issuer, actorId);
  }
}
