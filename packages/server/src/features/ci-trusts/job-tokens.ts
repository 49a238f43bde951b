/** Tokens that CI systems give their jobs: whether an issuer signed one, for this server, and lately. What it may do is not judged here. */
import type { JWTPayload, JWTVerifyGetKey } from 'jose';
import { createIssuerFetch, ISSUER_TIMEOUT_MS } from '../../platform/http/issuer-fetch.ts';

export const JOB_TOKEN_CHARACTERS_MAX = 16_384;
const ALGORITHMS = ['RS256', 'ES256'];
/** How far clocks may be apart. */
const SKEW_S = 30;
const JTI_CHARACTERS_MAX = 500;
/** Keys are read again after this, and for a key that is not among them, not more often than the pause. */
const KEYS_FOR_MS = 10 * 60_000;
const KEYS_PAUSE_MS = 30_000;
/** After a failure an issuer is left alone for a while. */
const FAILURE_PAUSE_MS = 10_000;
const ISSUERS_MAX = 200;

/** Why a token isn't good; for the log, not for whoever sent it. */
export class JobTokenRefused extends Error {}

export interface JobToken {
  readonly claims: JWTPayload & { readonly jti: string; readonly exp: number };
}

/** The library is loaded when the first job comes. */
function loadLibrary(): Promise<typeof import('jose')> {
  return import('jose');
}

/** Whom the token says it is from: nothing is verified yet. Undefined for what is no token. */
export async function readIssuer(token: string): Promise<string | undefined> {
  if (token.length > JOB_TOKEN_CHARACTERS_MAX) return undefined;
  const jose = await loadLibrary();
  try {
    const { iss } = jose.decodeJwt(token);
    return typeof iss === 'string' && /^[!-~]{1,500}$/.test(iss) ? iss : undefined;
  } catch {
    return undefined;
  }
}

/** Throws JobTokenRefused. `audiences`: of the trusts of this issuer; the token must be for exactly one of them. */
export async function verifyJobToken(token: string, issuer: string, audiences: readonly string[], now: number): Promise<JobToken> {
  const jose = await loadLibrary();
  let payload: JWTPayload;
  try {
    ({ payload } = await jose.jwtVerify(token, await keysOf(issuer, now), {
      algorithms: ALGORITHMS,
      issuer,
      audience: [...audiences],
      clockTolerance: SKEW_S,
      currentDate: new Date(now),
      requiredClaims: ['exp', 'iat', 'jti', 'aud'],
    }));
  } catch (error) {
    throw new JobTokenRefused(error instanceof Error ? error.message : String(error), { cause: error });
  }
  const { aud, iat = 0, exp = 0, jti } = payload;
  if (typeof aud !== 'string' && aud?.length !== 1) throw new JobTokenRefused('the token is for several audiences');
  if (iat > now / 1000 + SKEW_S) throw new JobTokenRefused('the token was issued in the future');
  if (typeof jti !== 'string' || jti === '' || jti.length > JTI_CHARACTERS_MAX || !jti.isWellFormed() || jti.includes('\0')) {
    throw new JobTokenRefused('the token has no usable jti');
  }
  return { claims: { ...payload, jti, exp } };
}

interface KnownIssuer {
  readonly until: number;
  readonly keys: Promise<JWTVerifyGetKey>;
}

const issuers = new Map<string, KnownIssuer>();

function keysOf(issuer: string, now: number): Promise<JWTVerifyGetKey> {
  const known = issuers.get(issuer);
  if (known && known.until > now) return known.keys;
  const keys = discoverKeys(issuer);
  if (issuers.size >= ISSUERS_MAX) issuers.clear();
  issuers.set(issuer, { until: now + KEYS_FOR_MS, keys });
  keys.catch(() => issuers.set(issuer, { until: now + FAILURE_PAUSE_MS, keys }));
  return keys;
}

async function discoverKeys(issuer: string): Promise<JWTVerifyGetKey> {
  const jose = await loadLibrary();
  const send = createIssuerFetch(issuer);
  const answer = await send(`${issuer.replace(/\/+$/, '')}/.well-known/openid-configuration`, { headers: { accept: 'application/json' } });
  if (answer.status !== 200) throw new Error(`the discovery document of ${issuer} answered ${answer.status}`);
  const document = (await answer.json()) as { issuer?: unknown; jwks_uri?: unknown } | null; // judged below
  if (document?.issuer !== issuer) throw new Error(`the discovery document of ${issuer} names another issuer`);
  if (typeof document.jwks_uri !== 'string' || !URL.canParse(document.jwks_uri)) throw new Error(`the issuer ${issuer} names no keys`);
  return jose.createRemoteJWKSet(new URL(document.jwks_uri), {
    cacheMaxAge: KEYS_FOR_MS,
    cooldownDuration: KEYS_PAUSE_MS,
    timeoutDuration: ISSUER_TIMEOUT_MS,
    [jose.customFetch]: (url: string, init: object) => send(url, init as RequestInit), // the library's own subset of it
  });
}

/** INVALID reasons as a sentence; for whoever makes a trust. Undefined where its keys can be read. */
export async function whyUnreachable(issuer: string, now: number): Promise<string | undefined> {
  try {
    await keysOf(issuer, now);
    return undefined;
  } catch (error) {
    if (!(error instanceof Error)) return String(error);
    return error.cause instanceof Error ? `${error.message} (${error.cause.message})` : error.message;
  }
}
