/** OpenID Connect's code flow with PKCE, by a certified library: where a person is sent, and what a provider says about who came back. */
import { clip } from '@countersign/contract/mlflow/message.ts';
import { Problem } from '@countersign/contract/problem.ts';
import type { Configuration } from 'openid-client';
import { createIssuerFetch, ISSUER_TIMEOUT_MS } from '../../platform/http/issuer-fetch.ts';
import { type Claims, challengeOf, readClaim } from './provider-rules.ts';

export interface OidcSettings {
  readonly issuer: string;
  readonly clientId: string;
  /** Undefined: a public client, kept by PKCE alone. */
  readonly clientSecret: string | undefined;
  readonly scopes: readonly string[];
  /** Claims that are looked for at the userinfo endpoint where the ID token lacks them. */
  readonly claims: readonly string[];
}

export interface FlowSecrets {
  readonly state: string;
  readonly nonce: string;
  readonly codeVerifier: string;
  readonly redirectUri: string;
}

/** Why somebody isn't let in, as a sentence for that person. `cause` is for the log. */
export class SignInRefused extends Error {}

const REMEMBERED_MS = 3_600_000;
const REMEMBERED_MAX = 50;
const remembered = new Map<string, { readonly until: number; readonly discovered: Promise<Configuration> }>();

/** The library is loaded when somebody signs in: it takes a while, and most servers never need it. */
function loadLibrary(): Promise<typeof import('openid-client')> {
  return import('openid-client');
}

function discover(settings: OidcSettings, now: number): Promise<Configuration> {
  const key = JSON.stringify([settings.issuer, settings.clientId, settings.clientSecret]);
  const known = remembered.get(key);
  if (known && known.until > now) return known.discovered;
  const discovered = discoverNow(settings);
  if (remembered.size >= REMEMBERED_MAX) remembered.clear();
  remembered.set(key, { until: now + REMEMBERED_MS, discovered });
  discovered.catch(() => remembered.delete(key));
  return discovered;
}

async function discoverNow({ issuer, clientId, clientSecret }: OidcSettings): Promise<Configuration> {
  const oidc = await loadLibrary();
  const isPlain = issuer.startsWith('http:');
  const found = await oidc.discovery(new URL(issuer), clientId, undefined, undefined, {
    timeout: ISSUER_TIMEOUT_MS / 1000,
    [oidc.customFetch]: fetchOf(issuer),
    execute: isPlain ? [oidc.allowInsecureRequests] : [],
  });
  const server = found.serverMetadata();
  // The ways in which a client says who it is: by default Basic (OpenID Connect Discovery §3).
  const ways = server.token_endpoint_auth_methods_supported ?? ['client_secret_basic'];
  const authentication =
    clientSecret === undefined
      ? oidc.None()
      : ways.includes('client_secret_basic')
        ? oidc.ClientSecretBasic(clientSecret)
        : oidc.ClientSecretPost(clientSecret);
  const configuration = new oidc.Configuration(server, clientId, undefined, authentication);
  configuration.timeout = ISSUER_TIMEOUT_MS / 1000;
  configuration[oidc.customFetch] = fetchOf(issuer);
  if (isPlain) oidc.allowInsecureRequests(configuration);
  // The token comes straight from the provider, and its signature is looked at all the same.
  oidc.enableNonRepudiationChecks(configuration);
  return configuration;
}

function fetchOf(issuer: string) {
  const send = createIssuerFetch(issuer);
  return (url: string, init: object): Promise<Response> => send(url, init as RequestInit); // the library's own subset of it
}

/** INVALID_PARAMETER_VALUE unless a provider answers at the issuer and calls itself so. */
export async function checkProviderAnswers(settings: OidcSettings): Promise<void> {
  let named: string;
  try {
    named = (await discoverNow(settings)).serverMetadata().issuer;
  } catch (error) {
    throw new Problem(
      'INVALID_PARAMETER_VALUE',
      `No OpenID Connect provider answers at the issuer ${settings.issuer}: ${clip(reasonOf(error))}. Give the issuer as the provider's discovery document names it.`,
      { cause: error },
    );
  }
  if (named === settings.issuer) return;
  throw new Problem(
    'INVALID_PARAMETER_VALUE',
    `The provider calls itself '${clip(named)}', not '${settings.issuer}'. Give the issuer exactly as it names itself.`,
  );
}

/** Where the browser is sent. TEMPORARILY_UNAVAILABLE where the provider doesn't answer. */
export async function authorizationUrl(settings: OidcSettings, secrets: FlowSecrets, now: number): Promise<URL> {
  const oidc = await loadLibrary();
  try {
    return oidc.buildAuthorizationUrl(await discover(settings, now), {
      redirect_uri: secrets.redirectUri,
      scope: settings.scopes.join(' '),
      state: secrets.state,
      nonce: secrets.nonce,
      code_challenge: challengeOf(secrets.codeVerifier),
      code_challenge_method: 'S256',
    });
  } catch (error) {
    throw new Problem('TEMPORARILY_UNAVAILABLE', `The identity provider at ${settings.issuer} does not answer. Try again later.`, {
      cause: error,
    });
  }
}

export interface Vouched {
  readonly subject: string;
  readonly claims: Claims;
}

/** `query`: what the provider sent the browser back with. Throws SignInRefused. */
export async function redeem(settings: OidcSettings, secrets: FlowSecrets, query: string, now: number): Promise<Vouched> {
  const oidc = await loadLibrary();
  try {
    const configuration = await discover(settings, now);
    const answer = await oidc.authorizationCodeGrant(configuration, new URL(`${secrets.redirectUri}?${query}`), {
      pkceCodeVerifier: secrets.codeVerifier,
      expectedState: secrets.state,
      expectedNonce: secrets.nonce,
      idTokenExpected: true,
    });
    const claims = answer.claims();
    if (claims === undefined || claims.iss !== settings.issuer) throw new Error('the ID token is of another issuer');
    const lacks = settings.claims.some((claim) => readClaim(claims, claim) === undefined);
    if (!lacks || configuration.serverMetadata().userinfo_endpoint === undefined) return { subject: claims.sub, claims };
    const more = await oidc.fetchUserInfo(configuration, answer.access_token, claims.sub);
    // What is signed wins.
    return { subject: claims.sub, claims: { ...more, ...claims } };
  } catch (error) {
    throw new SignInRefused(
      isRefusal(error)
        ? `The identity provider did not let you in: ${clip(reasonOf(error))}`
        : "The identity provider's answer can't be verified. Try again; an administrator finds the reason in the server's log",
      { cause: new Error(reasonOf(error), { cause: error }) },
    );
  }
}

/** The provider said no by itself, in the browser (RFC 6749 §4.1.2.1). */
function isRefusal(error: unknown): boolean {
  return error instanceof Error && error.name === 'AuthorizationResponseError';
}

function reasonOf(error: unknown): string {
  if (!(error instanceof Error)) return String(error);
  const { error: code, error_description: description } = error as { error?: unknown; error_description?: unknown }; // of the library's errors
  const said = typeof code === 'string' ? `it answered '${code}'${typeof description === 'string' ? `, ${description}` : ''}` : undefined;
  const cause = error.cause instanceof Error ? ` (${error.cause.message})` : '';
  return said ?? `${error.message}${cause}`;
}
