/** What an identity provider may be told to be, and what its claims say. Pure. */
import { createHash } from 'node:crypto';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { invalid } from '@countersign/contract/problem.ts';

const NAME = /^[a-z0-9][a-z0-9-]{0,62}$/;
const WORD = /^[!-~]{1,200}$/;
const LIST_MAX = 1000;

export function checkProviderName(name: string): void {
  if (NAME.test(name)) return;
  throw invalid(
    `Invalid name of an identity provider '${clip(name)}'. It has 1 to 63 lowercase letters, digits and '-', and begins with no '-'.`,
  );
}

/** `openid` is always asked for. */
export function checkSignInScopes(scopes: readonly string[]): string[] {
  const wrong = scopes.find((scope) => !/^[!#-[\]-~]{1,100}$/.test(scope));
  if (wrong !== undefined) throw invalid(`'${clip(wrong)}' is no scope: scopes are words without spaces, quotes and backslashes.`);
  if (scopes.length > 50) throw invalid('An identity provider is asked for at most 50 scopes.');
  return [...new Set(['openid', ...scopes])];
}

export function checkClaimName(claim: string): void {
  if (WORD.test(claim)) return;
  throw invalid(`'${clip(claim)}' is no name of a claim. Give one word, as in 'groups', or a path with dots, as in 'realm_access.roles'.`);
}

export function checkClientId(clientId: string): void {
  if (clientId === '' || clientId.length > 500 || /\p{Cc}/u.test(clientId)) throw invalid('The client id must have 1 to 500 characters.');
}

export function checkGroupValues(values: readonly string[]): void {
  if (values.length > LIST_MAX) throw invalid(`A provider maps at most ${LIST_MAX} groups.`);
  if (new Set(values).size < values.length) throw invalid('A claim value is mapped twice. Name each once.');
  if (values.some((value) => value === '' || value.length > 500)) throw invalid('A claim value has 1 to 500 characters.');
}

export type Claims = Readonly<Record<string, unknown>>;

/** By its name, else along the dots. */
export function readClaim(claims: Claims, name: string): unknown {
  if (Object.hasOwn(claims, name)) return claims[name];
  let value: unknown = claims;
  for (const part of name.split('.')) {
    if (typeof value !== 'object' || value === null || !Object.hasOwn(value, part)) return undefined;
    value = (value as Claims)[part]; // an object, as just asked
  }
  return value;
}

/** How the person is to be called: by the claim, else a mail address that the provider doesn't call unverified, else the subject. */
export function accountNameOf(claims: Claims, nameClaim: string, subject: string): string {
  const named = readClaim(claims, nameClaim);
  if (typeof named === 'string' && named.trim() !== '') return named.trim();
  const email = textOf(claims.email);
  return email !== undefined && claims.email_verified !== false ? email : subject;
}

export function textOf(value: unknown): string | undefined {
  return typeof value === 'string' && value.trim() !== '' ? value.trim() : undefined;
}

export function isEmailVerified(claims: Claims): boolean {
  return textOf(claims.email) !== undefined && (claims.email_verified === true || claims.email_verified === 'true');
}

/** Values of the groups claim. Undefined where the provider only says that they are too many to say (OpenID Connect Core §5.6.2). */
export function groupValuesOf(claims: Claims, groupsClaim: string): string[] | undefined {
  const value = readClaim(claims, groupsClaim);
  if (typeof value === 'string') return value === '' ? [] : [value];
  if (Array.isArray(value)) return value.filter((each) => typeof each === 'string').slice(0, 10 * LIST_MAX);
  const elsewhere = claims._claim_names;
  const isElsewhere = typeof elsewhere === 'object' && elsewhere !== null && Object.hasOwn(elsewhere, groupsClaim);
  return isElsewhere ? undefined : [];
}

/** A path on this server, or `fallback`: nobody is sent elsewhere after the sign-in. */
export function localPath(text: string | undefined, fallback: string): string {
  return text !== undefined && text.length <= 1000 && /^\/(?![/\\])[!-~]*$/.test(text) && !text.includes('\\') ? text : fallback;
}

export function digestOfSecret(secret: string): Buffer {
  return createHash('sha256').update(secret, 'utf8').digest();
}

/** PKCE's S256 (RFC 7636 §4.2). */
export function challengeOf(verifier: string): string {
  return digestOfSecret(verifier).toString('base64url');
}
