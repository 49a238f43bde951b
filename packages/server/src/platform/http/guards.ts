/**
 * What is refused before any handler: foreign Host headers (DNS rebinding) and foreign origins. Rules and words as MLflow's server has them,
 * or stricter. Verdicts are kept by header value, so the usual request costs a lookup.
 */
import type { GuardConfig } from '../config/server-config.ts';
import type { Exchange, Reply } from './exchange.ts';
import { isDefaultHost, isLocalOrigin, matcherOf } from './host-patterns.ts';

export type RequestGuard = (exchange: Exchange) => Reply | undefined;

/** More header values than this are judged anew each time. */
const VERDICTS_MAX = 1000;
const STATE_CHANGING: ReadonlySet<string | undefined> = new Set(['POST', 'PUT', 'DELETE', 'PATCH']);
const METHODS = 'GET, HEAD, POST, PUT, PATCH, DELETE, OPTIONS';
const PREFLIGHT_SECONDS = '600';

export function createGuards(config: GuardConfig): RequestGuard[] {
  return config.enabled ? [guardHost(config.allowedHosts, config.publicHost), guardOrigin(config.allowedOrigins)] : [answerOptions];
}

/** Probes ask by address, and these two tell nothing. */
function isProbe(path: string): boolean {
  return path === '/health' || path === '/version';
}

function isApi(path: string): boolean {
  return path.startsWith('/api/') || path.startsWith('/ajax-api/');
}

function forbidden(body: string): Reply {
  return { status: 403, type: 'text/plain; charset=utf-8', body };
}

/** Remembers a bounded number of verdicts. */
function remembered(judge: (value: string) => boolean): (value: string) => boolean {
  const verdicts = new Map<string, boolean>();
  return (value) => {
    const known = verdicts.get(value);
    if (known !== undefined) return known;
    const verdict = judge(value);
    if (verdicts.size < VERDICTS_MAX) verdicts.set(value, verdict);
    return verdict;
  };
}

function guardHost(allowed: readonly string[] | undefined, publicHost: string | undefined): RequestGuard {
  const isListed = allowed === undefined ? isDefaultHost : matcherOf(allowed.map((pattern) => pattern.toLowerCase()));
  const isAllowed = remembered((host) => host === publicHost || isListed(host));
  const refusal = forbidden('Invalid Host header - possible DNS rebinding attack detected');
  return (exchange) => {
    const host = exchange.req.headers.host;
    if (host !== undefined && isAllowed(host.toLowerCase())) return undefined;
    return isProbe(exchange.path) ? undefined : refusal;
  };
}

function guardOrigin(origins: readonly string[]): RequestGuard {
  const isAny = origins.includes('*');
  const isListed = matcherOf(origins);
  const isAllowed = remembered((origin) => isAny || isLocalOrigin(origin) || isListed(origin));
  const refusal = forbidden('Cross-origin request blocked');
  return (exchange) => {
    const { origin } = exchange.req.headers;
    const { method } = exchange.req;
    if (origin === undefined) return method === 'OPTIONS' ? answerOptions(exchange) : undefined;
    if (isAllowed(origin)) {
      allowOrigin(exchange, isAny ? '*' : origin);
      return method === 'OPTIONS' ? answerOptions(exchange) : undefined;
    }
    // A page that this server gave out; which hosts it answers by was looked at before.
    if (isOwnOrigin(origin, exchange.req.headers.host)) return method === 'OPTIONS' ? answerOptions(exchange) : undefined;
    exchange.res.setHeader('Vary', 'Origin');
    if (STATE_CHANGING.has(method)) return refusal;
    return method === 'OPTIONS' ? answerOptions(exchange) : undefined;
  };
}

/** By any scheme: a proxy may speak https for the server. */
function isOwnOrigin(origin: string, host = ''): boolean {
  return origin === `http://${host.toLowerCase()}` || origin === `https://${host.toLowerCase()}`;
}

function allowOrigin({ req, res }: Exchange, origin: string): void {
  res.setHeader('Access-Control-Allow-Origin', origin);
  res.setHeader('Access-Control-Expose-Headers', 'X-Request-Id, ETag, Content-Disposition');
  if (origin !== '*') {
    res.setHeader('Access-Control-Allow-Credentials', 'true');
    res.setHeader('Vary', 'Origin');
  }
  if (req.method !== 'OPTIONS') return;
  res.setHeader('Access-Control-Allow-Methods', METHODS);
  const wanted = req.headers['access-control-request-headers'];
  if (wanted !== undefined) res.setHeader('Access-Control-Allow-Headers', wanted);
  res.setHeader('Access-Control-Max-Age', PREFLIGHT_SECONDS);
}

function answerOptions(exchange: Exchange): Reply | undefined {
  if (exchange.req.method !== 'OPTIONS' || !isApi(exchange.path)) return undefined;
  return { status: 204, headers: { Allow: METHODS }, body: '' };
}
