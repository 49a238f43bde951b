/**
 * CI jobs come in with the identity that their CI system gives them, without a stored secret: a trust says which jobs, and what they may do.
 * They act as the trust's own account, which gets grants like any other, and never approves.
 */
import { clip } from '@countersign/contract/mlflow/message.ts';
import { invalid, notFound, Problem } from '@countersign/contract/problem.ts';
import { type Ctx, reading, type TxCtx, transaction } from '../../platform/context.ts';
import { checkIssuer } from '../../platform/http/issuer-fetch.ts';
import * as accounts from '../accounts/accounts.ts';
import * as administration from '../administration/administration.ts';
import * as tokens from '../tokens/tokens.ts';
import * as rules from './ci-trust-rules.ts';
import type { Trust } from './ci-trust-store.ts';
import * as store from './ci-trust-store.ts';
import { JobTokenRefused, readIssuer, verifyJobToken, whyUnreachable } from './job-tokens.ts';

export type { TrustKind } from './ci-trust-rules.ts';
export type { Trust } from './ci-trust-store.ts';

/** A token for a job lives so long at most, and ends soon after the one it was exchanged for. */
const TOKEN_MS = 15 * 60_000;
const AFTER_JOB_TOKEN_MS = 10 * 60_000;
/** How long an id of a token is remembered after its end. */
const REMEMBERED_MS = 24 * 3_600_000;
/** Whatever a job's token says must fit beside the chain. */
const CLAIMS_CHARACTERS_MAX = 16_384;
const TRUSTS_OF_ISSUER_MAX = 1000;

export interface NewTrust {
  readonly name: string;
  readonly kind: rules.TrustKind;
  /** Default: the public service of the kind. */
  readonly issuer?: string | undefined;
  /** For whom jobs must ask their token; default: the public URL of the server. */
  readonly audience?: string | undefined;
  readonly claims: Readonly<Record<string, string>>;
  readonly scopes: readonly string[];
}

/** Also makes its account, named `ci:<name>`, which has no grants yet. */
export async function add(ctx: Ctx, input: NewTrust, publicUrl: string | undefined): Promise<Trust> {
  checkName(input.name);
  const issuer = input.issuer ?? { github: rules.GITHUB_ISSUER, gitlab: rules.GITLAB_ISSUER, custom: '' }[input.kind];
  if (issuer === '') throw invalid("A trust of kind 'custom' needs its issuer: the URL that its tokens name as iss.");
  checkIssuer(issuer);
  rules.checkKindOfIssuer(input.kind, issuer);
  const audience = checkAudience(input.audience ?? publicUrl);
  const claims = rules.checkTrustClaims(input.kind, input.claims);
  rules.checkTrustScopes(input.scopes);
  tokens.checkScopes(input.scopes);
  const unreachable = await whyUnreachable(issuer, ctx.clock.now());
  if (unreachable !== undefined) throw invalid(`The keys of the issuer ${issuer} can't be read: ${clip(unreachable)}.`);
  return transaction(ctx, async (inner) => {
    if ((await store.findByName(inner.tx, input.name)) !== undefined) throw taken(input.name);
    const { kind, name } = input;
    await accounts.governSetting(inner, {
      setting: 'ci-trusts',
      words: `add trust ${name} ${JSON.stringify([kind, issuer, audience, claims, input.scopes])}`,
      workspaceId: -1,
    });
    const account = await accounts.createCiAccount(inner, { name: accountNameOf(input.name) });
    const row = { name: input.name, kind: input.kind, issuer, audience, claims, scopes: input.scopes, principalId: account.id };
    const createdAt = inner.clock.now();
    const id = await store.insert(inner.tx, { ...row, createdAt }, inner.principal.id);
    if (id === undefined) throw taken(input.name);
    accounts.recordAccess(inner, {
      type: 'ci-trust.added',
      data: { trust_id: id, name: input.name, kind: input.kind, issuer, audience, claims, scopes: input.scopes, account_id: account.id },
    });
    return { ...row, id, createdAt };
  });
}

function checkName(name: string): void {
  if (/^[a-z0-9][a-z0-9-]{0,62}$/.test(name)) return;
  throw invalid(`Invalid name of a trust '${clip(name)}'. It has 1 to 63 lowercase letters, digits and '-', and begins with no '-'.`);
}

function checkAudience(audience: string | undefined): string {
  if (audience === undefined) {
    throw invalid(
      'A trust needs an audience, for whom jobs ask their token. Give one, or start the server with --public-url, which is the default.',
    );
  }
  if (!/^[!-~]{1,500}$/.test(audience)) throw invalid(`The audience must be 1 to 500 visible characters, got '${clip(audience)}'.`);
  return audience;
}

function taken(name: string): Problem {
  return new Problem('RESOURCE_ALREADY_EXISTS', `There is a trust named '${name}' already. Choose another name.`);
}

/** No other account can have a colon in its name. */
export function accountNameOf(trustName: string): string {
  return `ci:${trustName}`;
}

/** RESOURCE_DOES_NOT_EXIST. */
export async function get(ctx: Ctx, name: string): Promise<Trust> {
  const trust = await store.findByName(reading(ctx), name);
  if (trust === undefined) throw notFound(`There is no trust named '${clip(name)}'.`);
  return trust;
}

/** By name. */
export function list(ctx: Ctx, page: { offset: number; limit: number }): Promise<Trust[]> {
  return store.list(reading(ctx), page);
}

/** With its account, that one's grants, and the tokens that jobs hold now. */
export function remove(ctx: Ctx, name: string): Promise<void> {
  return transaction(ctx, async (inner) => {
    const trust = await get(inner, name);
    // Before anything is written, so that nobody remembers what may be undone.
    await accounts.announceChange(inner, { principalId: trust.principalId });
    await store.markRemoved(inner.tx, trust.id, inner.clock.now(), inner.principal.id);
    accounts.recordAccess(inner, { type: 'ci-trust.removed', data: { trust_id: trust.id, name, account_id: trust.principalId } });
    const account = await accounts.findById(inner, trust.principalId);
    if (account !== undefined && account.state !== 'deleted') await administration.removeAccount(inner, account);
  });
}

export interface Exchanged {
  readonly accessToken: string;
  /** Epoch ms. */
  readonly expiresAt: number;
  readonly scopes: readonly string[];
  /** The job, as in `ci:github:owner/repo@workflow#run`. */
  readonly principal: string;
}

/** Why nothing was given; for the log, not for whoever asked. */
export interface Refused {
  readonly refused: string;
  readonly issuer: string | undefined;
}

/** A job's token → one of this server. `trustName` chooses where several trusts mean the same jobs; else the oldest is taken. */
export async function exchange(ctx: Ctx, token: string, trustName: string | undefined): Promise<Exchanged | Refused> {
  const issuer = await readIssuer(token);
  if (issuer === undefined) return { refused: 'what was sent is no token of a job', issuer };
  const ofIssuer = await store.listOfIssuer(reading(ctx), issuer, TRUSTS_OF_ISSUER_MAX);
  const trusts = trustName === undefined ? ofIssuer : ofIssuer.filter((each) => each.name === trustName);
  // Nobody is asked for keys who isn't trusted.
  if (trusts.length === 0) return { refused: 'no trust has this issuer', issuer: clip(issuer) };
  try {
    return await exchangeAs(ctx, issuer, trusts, token);
  } catch (error) {
    if (error instanceof JobTokenRefused) return { refused: error.message, issuer };
    throw error;
  }
}

async function exchangeAs(ctx: Ctx, issuer: string, trusts: readonly Trust[], token: string): Promise<Exchanged> {
  const now = ctx.clock.now();
  const audiences = [...new Set(trusts.map((each) => each.audience))];
  const { claims } = await verifyJobToken(token, issuer, audiences, now);
  const audience = Array.isArray(claims.aud) ? claims.aud[0] : claims.aud;
  const mismatches = new Map(trusts.map((each) => [each, each.audience === audience ? rules.mismatchOf(each, claims) : 'aud']));
  const trust = trusts.find((each) => mismatches.get(each) === undefined);
  if (trust === undefined) {
    const reasons = [...mismatches].map(([{ name }, claim]) => `${name} (${claim})`);
    throw new JobTokenRefused(`the job is none of these trusts', by the claim that differs first: ${clip(reasons.join(', '))}`);
  }
  const expiresAt = Math.min(now + TOKEN_MS, claims.exp * 1000 + AFTER_JOB_TOKEN_MS);
  return transaction(ctx, (inner) => give(inner, trust, claims, expiresAt));
}

async function give(
  ctx: TxCtx,
  trust: Trust,
  claims: rules.JobClaims & { jti: string; exp: number },
  expiresAt: number,
): Promise<Exchanged> {
  const now = ctx.clock.now();
  await store.forgetTaken(ctx.tx, now);
  if (!(await store.takeOnce(ctx.tx, trust.issuer, claims.jti, claims.exp * 1000 + REMEMBERED_MS))) {
    throw new JobTokenRefused('the token was exchanged before');
  }
  const account = await accounts.findById(ctx, trust.principalId);
  if (account?.state !== 'active') throw new JobTokenRefused(`the account of the trust ${trust.name} may not act`);
  const principal = rules.jobNameOf(trust, claims);
  const job = { name: principal, issuer: trust.issuer, starterId: rules.starterOf(trust.kind, claims) };
  const asTheJob: TxCtx = { ...ctx, principal: await accounts.actAsJob(ctx, account, job) };
  const jobId = asTheJob.principal.id;
  const { token, secret } = await tokens.mint(asTheJob, account, { kind: 'ci', name: principal, scopes: trust.scopes, expiresAt, jobId });
  accounts.recordAccess(asTheJob, {
    type: 'ci-token.exchanged',
    data: {
      trust_id: trust.id,
      account_id: account.id,
      job_id: jobId,
      token_id: token.id,
      issuer: trust.issuer,
      expires_at: expiresAt,
      scopes: trust.scopes,
    },
    texts: { principal, claims: JSON.stringify(claims).slice(0, CLAIMS_CHARACTERS_MAX) },
  });
  return { accessToken: secret, expiresAt, scopes: trust.scopes, principal };
}
