/** Tokens: shown once, kept as a hash, limited by scopes and time. */
import { invalid, notFound, Problem } from '@countersign/contract/problem.ts';
import { accountIdOf, type Ctx, reading, type TxCtx, transaction } from '../../platform/context.ts';
import type { Queries } from '../../platform/db/database.ts';
import { type Account, accountWords, announceChange, governSetting, noteCredentialChange, recordAccess } from '../accounts/accounts.ts';
import { checkScopes, coversWord, digestOfToken, TOKEN_BYTES, TOKEN_PREFIX } from './token-rules.ts';
import * as store from './token-store.ts';

export { checkScopes, isToken, readScopes, wordsOf } from './token-rules.ts';
export type { Token, TokenKind } from './token-store.ts';

const NAME_CHARACTERS_MAX = 200;
const HINT_CHARACTERS = 10;
/** How far `last used` may lag behind. */
export const LAST_USED_LAG_MS = 60_000;

export interface NewToken {
  readonly kind: store.TokenKind;
  readonly name: string;
  readonly scopes: readonly string[];
  /** Epoch ms; null: until it is revoked. */
  readonly expiresAt: number | null;
  /** The principal that acts under it, where that isn't the account itself. */
  readonly jobId?: number;
}

export interface MintedToken {
  readonly token: store.Token;
  /** Never shown again. */
  readonly secret: string;
}

/** PERMISSION_DENIED where the caller's own token may less. */
export function mint(ctx: Ctx, account: Account, input: NewToken): Promise<MintedToken> {
  checkScopes(input.scopes);
  const beyond = input.scopes.find((word) => !coversWord(ctx.tokenScope, word));
  if (beyond !== undefined) {
    throw new Problem(
      'PERMISSION_DENIED',
      `Permission denied: the token in use may not make one with the scope '${beyond}', which it doesn't have itself. Sign in, or use a token with the scope 'admin'.`,
    );
  }
  refuseLonger(ctx, input.expiresAt);
  if (input.name.length > NAME_CHARACTERS_MAX) throw invalid(`The name of a token may have at most ${NAME_CHARACTERS_MAX} characters.`);
  return transaction(ctx, async (inner) => {
    const at = inner.clock.now();
    if (account.state !== 'active')
      throw new Problem('INVALID_STATE', `The account '${account.name}' is ${account.state}. Enable it first.`);
    if (input.expiresAt !== null && input.expiresAt <= at)
      throw invalid('The token would have expired already. Give a time in the future.');
    await governMinting(inner, account, input);
    const secret = `${TOKEN_PREFIX}${inner.clock.randomBytes(TOKEN_BYTES).toString('base64url')}`;
    const id = await store.insert(inner.tx, {
      principalId: account.id,
      kind: input.kind,
      name: input.name,
      digest: digestOfToken(secret),
      hint: secret.slice(0, HINT_CHARACTERS),
      scopes: input.scopes,
      at,
      expiresAt: input.expiresAt,
      by: inner.principal.id,
      jobId: input.jobId ?? null,
    });
    recordAccess(inner, {
      type: 'token.created',
      data: { token_id: id, account_id: account.id, kind: input.kind, scopes: input.scopes, expires_at: input.expiresAt },
      texts: { name: input.name },
    });
    await noteCredentialChange(inner, account.id);
    const token = await store.findById(inner.tx, id);
    if (token === undefined) throw new TypeError('a token just written is there');
    return { token, secret };
  });
}

/** A token of another is his voice; one that may report checks is what policies ask for. What a trust gives its jobs, is governed as the trust. */
async function governMinting(ctx: TxCtx, account: Account, { kind, name, scopes }: NewToken): Promise<void> {
  if (kind === 'ci' || kind === 'session') return;
  const words = `make a token ${name} of ${accountWords(account)} with ${scopes.join(' ')}`;
  if (account.kind === 'service') {
    const checks = scopes.flatMap((scope) => (scope.startsWith('check:') ? [scope.slice('check:'.length)] : []));
    await governSetting(ctx, { setting: 'memberships', words, workspaceId: -1, names: { checks } });
    if (account.ownerId === accountIdOf(ctx.principal)) return;
  }
  if (account.id !== accountIdOf(ctx.principal)) await governSetting(ctx, { setting: 'credentials', words, workspaceId: -1 });
}

/** Whoever found a token that ends doesn't make one of it that goes on. */
function refuseLonger(ctx: Ctx, expiresAt: number | null): void {
  const { endsAt } = ctx.tokenScope ?? {};
  if (endsAt === undefined || (expiresAt !== null && expiresAt <= endsAt)) return;
  throw new Problem(
    'PERMISSION_DENIED',
    `Permission denied: the token in use ends at ${new Date(endsAt).toISOString()}, and may make none that lives longer. Give an earlier end, or sign in with the password or the browser.`,
  );
}

/** Whatever its state; the caller looks at expiry and revocation. */
export function findBySecret(db: Queries, secret: string): Promise<store.Token | undefined> {
  return store.findByDigest(db, digestOfToken(secret));
}

export function list(ctx: Ctx, accountId: number): Promise<store.Token[]> {
  return store.listOf(reading(ctx), accountId);
}

export function find(ctx: Ctx, id: number): Promise<store.Token | undefined> {
  return store.findById(reading(ctx), id);
}

/** RESOURCE_DOES_NOT_EXIST. */
export async function get(ctx: Ctx, id: number): Promise<store.Token> {
  const token = await store.findById(reading(ctx), id);
  if (token === undefined) throw notFound(`There is no token with the id ${id}.`);
  return token;
}

/** Once more changes nothing. */
export function revoke(ctx: Ctx, token: store.Token): Promise<void> {
  return transaction(ctx, async (inner) => {
    if (token.revokedAt !== null) return;
    await store.revoke(inner.tx, token.id, inner.clock.now());
    recordAccess(inner, { type: 'token.revoked', data: { token_id: token.id, account_id: token.principalId } });
    await noteCredentialChange(inner, token.principalId);
    await announceChange(inner, { principalId: token.principalId });
  });
}

/** Sessions too. In the caller's transaction. */
export async function revokeAllOf(ctx: TxCtx, accountId: number): Promise<void> {
  const count = await store.revokeAllOf(ctx.tx, accountId, ctx.clock.now());
  if (count === 0) return;
  recordAccess(ctx, { type: 'token.all-revoked', data: { account_id: accountId, count } });
  await noteCredentialChange(ctx, accountId);
  await announceChange(ctx, { principalId: accountId });
}

/** Signs out every browser. In the caller's transaction. */
export async function revokeSessionsOf(ctx: TxCtx, accountId: number): Promise<void> {
  const count = await store.revokeSessionsOf(ctx.tx, accountId, ctx.clock.now());
  if (count === 0) return;
  recordAccess(ctx, { type: 'token.sessions-revoked', data: { account_id: accountId, count } });
  await announceChange(ctx, { principalId: accountId });
}

/** What somebody called their tokens. In the caller's transaction. */
export function eraseNames(ctx: TxCtx, accountId: number): Promise<void> {
  return store.eraseNames(ctx.tx, accountId);
}

/** No event: it changes nobody's access. */
export function noteUse(ctx: Ctx, id: number, at: number): Promise<void> {
  return transaction(ctx, (inner) => store.setLastUsed(inner.tx, id, at));
}

/** Sessions and CI tokens that ended before a time; their events stay. */
export function removeEnded(ctx: Ctx, before: number): Promise<number> {
  return transaction(ctx, (inner) => store.removeEnded(inner.tx, before));
}
