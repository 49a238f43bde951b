/** The HTTP server: matches, guards, answers, translates a Problem once. Knows no model. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Server as NetServer } from 'node:net';
import type { Duplex } from 'node:stream';
import { TLSSocket } from 'node:tls';
import { Problem } from '@countersign/contract/problem.ts';
import createRouter, { type HTTPMethod } from 'find-my-way';
import { Exchange, type Handler, type Reply, type Route } from './exchange.ts';
import type { TlsPair } from './tls-pair.ts';
import { PLAIN_REQUEST, STRICT_TRANSPORT, TlsServer } from './tls-server.ts';

/** Looks at a request before its handler; an answer ends it. */
export type Guard = (exchange: Exchange, route: Route | undefined) => Reply | undefined;

export interface HttpOptions {
  readonly routes: readonly Route[];
  readonly guards: readonly Guard[];
  /** For what no route matches. */
  readonly fallback: Handler;
  /** For defects, and for Problems that only an operator can end (a full disk). */
  readonly onError: (error: unknown, exchange: Exchange) => void;
  /** After the handler; `elapsedMs` includes the sending of a stream. */
  readonly onDone?: (route: Route | undefined, exchange: Exchange, elapsedMs: number) => void;
  /** '' or '/…': what every path begins with. */
  readonly staticPrefix?: string;
  /** Paths that are served without the prefix too. */
  readonly isUnprefixed?: (path: string) => boolean;
  /** `null`: the header is not sent. */
  readonly frameOptions?: 'SAMEORIGIN' | 'DENY' | null;
  /** With it the server is a `TlsServer`. */
  readonly tls?: TlsPair | undefined;
}

const KEEP_ALIVE_MS = 75_000;
const HEADERS_MS = 30_000;
/** A connection on which nothing moves for so long is cut: a body that never ends, a reader that stopped reading. Searches may take less. */
const SILENCE_MS = 180_000;
const HEADER_BYTES_MAX = 64 << 10;
const METHODS = ['GET', 'POST', 'PUT', 'PATCH', 'DELETE'] as const;
/** Ids of callers that are taken over; others get one of the server's. */
const REQUEST_ID = /^[\w.:-]{1,100}$/;
/** A server that stops tells each caller to leave its connection. */
const stopping = new WeakSet<Server>();

export function createHttpServer(options: HttpOptions): Server {
  const find = createFinder(options.routes);
  const stripPrefix = createPrefixStripper(options);
  const frameOptions = options.frameOptions === undefined ? 'SAMEORIGIN' : options.frameOptions;
  let count = 0;
  const boot = Date.now().toString(36);

  const answer = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const startedAt = performance.now();
    if (options.tls) res.setHeader('Strict-Transport-Security', STRICT_TRANSPORT);
    const given = req.headers['x-request-id'];
    const isTaken = typeof given === 'string' && REQUEST_ID.test(given);
    const isOurs = stripPrefix(req);
    const exchange = new Exchange(req, res, isTaken ? given : `${boot}-${(++count).toString(36)}`);
    const send = (reply: Reply): void => sendReply(exchange, reply, frameOptions, stopping.has(server));
    let route: Route | undefined;
    try {
      route = isOurs ? find(req.method, exchange) : undefined;
      for (const guard of options.guards) {
        const refusal = guard(exchange, route);
        if (refusal) return send(refusal);
      }
      if (route === undefined) {
        const allowed = isOurs ? METHODS.filter((method) => find(method, exchange)) : [];
        if (allowed.length > 0) return send(methodNotAllowed(exchange, allowed));
      }
      const reply = await (route?.handle ?? options.fallback)(exchange);
      if (reply) send(reply);
    } catch (error) {
      const reply = replyTo(error, exchange, options.onError);
      if (reply) send(reply);
    } finally {
      options.onDone?.(route, exchange, performance.now() - startedAt);
    }
  };

  const limits = { keepAliveTimeout: KEEP_ALIVE_MS, headersTimeout: HEADERS_MS, requestTimeout: 0, maxHeaderSize: HEADER_BYTES_MAX };
  const onRequest = (req: IncomingMessage, res: ServerResponse): void => void answer(req, res);
  const server = options.tls ? new TlsServer(limits, options.tls, onRequest) : createServer(limits, onRequest);
  server.setTimeout(SILENCE_MS);
  server.on('clientError', refuseUnreadable);
  return server;
}

/** Stops accepting, lets running requests end, cuts those that take longer than `limitMs`. Resolves when no connection is left. */
export async function stopHttpServer(server: Server, limitMs: number): Promise<void> {
  stopping.add(server);
  // Not the HTTP server's own close, which cuts idle connections at once: a busy caller's next request may be on its way on one of them. For
  // a moment each is answered and told to leave.
  const closed = new Promise<void>((resolve) => NetServer.prototype.close.call(server, () => resolve()));
  let idle: NodeJS.Timeout | undefined;
  const farewell = setTimeout(() => {
    idle = setInterval(() => server.closeIdleConnections(), IDLE_LOOK_MS);
  }, FAREWELL_MS);
  const limit = setTimeout(() => server.closeAllConnections(), limitMs);
  await closed;
  clearTimeout(farewell);
  clearInterval(idle);
  clearTimeout(limit);
}

const FAREWELL_MS = 150;
const IDLE_LOOK_MS = 50;

type Finder = (method: string | undefined, exchange: Exchange) => Route | undefined;

/** Most paths are fixed and found by a map. */
function createFinder(routes: readonly Route[]): Finder {
  const fixed = new Map<string, Route>();
  const router = createRouter({ ignoreTrailingSlash: false, maxParamLength: 4096 });
  for (const route of routes) {
    if (/[:*]/.test(route.path)) router.on(route.method as HTTPMethod, route.path, () => {}, route);
    else fixed.set(`${route.method} ${route.path}`, route);
  }
  return (asked, exchange) => {
    const method = asked === 'HEAD' ? 'GET' : (asked ?? 'GET');
    const exact = fixed.get(`${method} ${exchange.path}`);
    if (exact) return exact;
    const found = router.find(method as HTTPMethod, exchange.path);
    if (found === null) return undefined;
    exchange.params = found.params;
    return found.store as Route; // what `on` was given above
  };
}

/** Takes the prefix off; false where the request is outside of it. Everything after this knows paths without prefix. */
function createPrefixStripper({ staticPrefix = '', isUnprefixed = () => false }: HttpOptions): (req: IncomingMessage) => boolean {
  if (staticPrefix === '') return () => true;
  return (req) => {
    const url = req.url ?? '/';
    if (url === staticPrefix || url.startsWith(`${staticPrefix}/`) || url.startsWith(`${staticPrefix}?`)) {
      const rest = url.slice(staticPrefix.length);
      req.url = rest.startsWith('/') ? rest : `/${rest}`;
      return true;
    }
    return isUnprefixed(url.replace(/\?.*$/s, ''));
  };
}

const WARNING_MAX = 4000;

/** Headers are ASCII: other characters are written as in JSON. */
function warningText(warnings: ReadonlySet<string>): string {
  const text = [...warnings].join(' ').replaceAll(/[^\x20-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
  return text.length > WARNING_MAX ? `${text.slice(0, WARNING_MAX)}...` : text;
}

function sendReply(exchange: Exchange, reply: Reply, frameOptions: string | null, isStopping: boolean): void {
  const { res, req, requestId, warnings } = exchange;
  if (res.headersSent || res.destroyed) return;
  const headers: Record<string, string | number> = {
    'X-Content-Type-Options': 'nosniff',
    'X-Request-Id': requestId,
  };
  // RFC 9110 §8.6: an answer without content has no length either.
  if (reply.status !== 204) {
    headers['Content-Type'] = reply.type ?? 'application/json';
    headers['Content-Length'] = typeof reply.body === 'string' ? Buffer.byteLength(reply.body) : reply.body.length;
  }
  if (frameOptions !== null) headers['X-Frame-Options'] = frameOptions;
  if (warnings !== undefined) headers['Countersign-Warning'] = warningText(warnings);
  if (reply.headers) Object.assign(headers, reply.headers);
  // A body that wasn't read to its end can't be followed by another request on the same connection.
  if (isStopping || (!req.complete && req.method !== 'GET')) headers.Connection = 'close';
  res.writeHead(reply.status ?? 200, headers);
  if (req.method === 'GET') sendWithOthers(res, reply.body);
  else res.end(req.method === 'HEAD' ? undefined : reply.body);
}

interface Waiting {
  readonly res: ServerResponse;
  readonly body: string | Buffer;
}

/** Answers that wait for each other, at most; after so many the first should not wait any more. */
const TOGETHER_MAX = 32;
let waiting: Waiting[] = [];

/**
 * Reads of a turn of the loop are answered at its end, one right after the other: a client on this machine is then woken once, which costs as
 * much as a small read does. Writes come together anyway, after their commit.
 */
function sendWithOthers(res: ServerResponse, body: string | Buffer): void {
  waiting.push({ res, body });
  if (waiting.length === 1) setImmediate(sendWaiting);
  else if (waiting.length >= TOGETHER_MAX) sendWaiting();
}

function sendWaiting(): void {
  const together = waiting;
  waiting = [];
  for (const { res, body } of together) res.end(body);
}

function methodNotAllowed({ req, path }: Exchange, allowed: readonly string[]): Reply {
  const names = allowed.join(', ');
  const problem = new Problem('METHOD_NOT_ALLOWED', `${req.method} is not allowed on ${path.slice(0, 200)}. Allowed: ${names}.`);
  return { ...problemReply(problem), headers: { Allow: names } };
}

function problemReply(problem: Problem): Reply {
  const body = JSON.stringify(problem.toWire());
  // RFC 9110 §15.5.2; clients of MLflow and browsers ask for a name and a password when they see it.
  if (problem.code === 'UNAUTHENTICATED') return { status: problem.status, headers: { 'WWW-Authenticate': 'Basic realm="mlflow"' }, body };
  return { status: problem.status, body };
}

/** Undefined where part of an answer is out: only cutting it short tells the client that it isn't whole. */
function replyTo(error: unknown, exchange: Exchange, onError: HttpOptions['onError']): Reply | undefined {
  // A full disk is for the operator to see, too. What isn't implemented is no fault.
  if (!(error instanceof Problem) || error.status > 501) onError(error, exchange);
  if (exchange.res.headersSent) {
    exchange.res.destroy();
    return undefined;
  }
  if (error instanceof Problem) return problemReply(error);
  return problemReply(
    new Problem(
      'INTERNAL_ERROR',
      `Something went wrong on the server; nothing was changed. Its log has the details under request ${exchange.requestId}.`,
    ),
  );
}

/** What isn't HTTP never becomes a request. */
function refuseUnreadable(error: Error & { code?: string }, socket: Duplex): void {
  // The TLS server answers these itself: this socket can't be written to.
  if (error.code === PLAIN_REQUEST) return;
  if (!socket.writable || error.code === 'ECONNRESET') {
    socket.destroy();
    return;
  }
  const [status, message] =
    error.code === 'HPE_HEADER_OVERFLOW'
      ? [
          '431 Request Header Fields Too Large',
          `The request's headers are larger than ${HEADER_BYTES_MAX} bytes. Send fewer or shorter ones.`,
        ]
      : error.code === 'ERR_HTTP_REQUEST_TIMEOUT'
        ? ['400 Bad Request', `The request's headers did not arrive within ${HEADERS_MS / 1000} s. Send it again.`]
        : ['400 Bad Request', 'This is not a valid HTTP/1.1 request.'];
  const body = JSON.stringify({ error_code: 'BAD_REQUEST', message });
  const strict = socket instanceof TLSSocket ? `Strict-Transport-Security: ${STRICT_TRANSPORT}\r\n` : '';
  socket.end(
    `HTTP/1.1 ${status}\r\n${strict}Content-Type: application/json\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
}
