/** The HTTP server: matches, guards, answers, translates a Problem once. Knows no model. */
import { createServer, type IncomingMessage, type Server, type ServerResponse } from 'node:http';
import { Problem } from '@countersign/contract/problem.ts';
import createRouter, { type HTTPMethod } from 'find-my-way';
import { Exchange, type Handler, type Reply, type Route } from './exchange.ts';

/** Looks at a request before its handler; an answer ends it. */
export type Guard = (exchange: Exchange, route: Route | undefined) => Reply | undefined;

export interface HttpOptions {
  readonly routes: readonly Route[];
  readonly guards: readonly Guard[];
  /** For what no route matches. */
  readonly fallback: Handler;
  readonly onError: (error: unknown, exchange: Exchange) => void;
  readonly onDone?: (route: Route | undefined, exchange: Exchange, startedAt: number) => void;
}

const KEEP_ALIVE_MS = 75_000;
const HEADERS_MS = 30_000;

export function createHttpServer(options: HttpOptions): Server {
  const fixed = new Map<string, Route>();
  const router = createRouter({ ignoreTrailingSlash: false, maxParamLength: 4096 });
  const paths = new Map<string, string[]>();
  for (const route of options.routes) {
    if (/[:*]/.test(route.path)) router.on(route.method as HTTPMethod, route.path, () => {}, route);
    else fixed.set(`${route.method} ${route.path}`, route);
    paths.set(route.path, [...(paths.get(route.path) ?? []), route.method]);
  }
  let count = 0;
  const boot = Date.now().toString(36);

  const find = (exchange: Exchange): Route | undefined => {
    const method = exchange.req.method === 'HEAD' ? 'GET' : (exchange.req.method ?? 'GET');
    const exact = fixed.get(`${method} ${exchange.path}`);
    if (exact) return exact;
    const found = router.find(method as HTTPMethod, exchange.path);
    if (found === null) return undefined;
    exchange.params = found.params;
    return found.store as Route; // what `on` was given above
  };

  const answer = async (req: IncomingMessage, res: ServerResponse): Promise<void> => {
    const startedAt = performance.now();
    const exchange = new Exchange(req, res, `${boot}-${(++count).toString(36)}`);
    let route: Route | undefined;
    try {
      route = find(exchange);
      for (const guard of options.guards) {
        const refusal = guard(exchange, route);
        if (refusal) return send(exchange, refusal);
      }
      if (route === undefined) {
        const allowed = paths.get(exchange.path);
        if (allowed)
          throw new Problem('METHOD_NOT_ALLOWED', `${req.method} is not allowed on ${exchange.path}. Allowed: ${allowed.join(', ')}.`);
      }
      const reply = await (route?.handle ?? options.fallback)(exchange);
      if (reply) send(exchange, reply);
    } catch (error) {
      fail(exchange, error, options.onError);
    } finally {
      options.onDone?.(route, exchange, startedAt);
    }
  };

  const server = createServer(
    { keepAliveTimeout: KEEP_ALIVE_MS, headersTimeout: HEADERS_MS, requestTimeout: 0, maxHeaderSize: 64 << 10 },
    (req, res) => {
      void answer(req, res);
    },
  );
  server.on('clientError', (_error, socket) => {
    if (socket.writable) socket.end('HTTP/1.1 400 Bad Request\r\nConnection: close\r\nContent-Length: 0\r\n\r\n');
  });
  return server;
}

export function send(exchange: Exchange, reply: Reply): void {
  const { res, req } = exchange;
  if (res.headersSent || res.destroyed) return;
  const headers: Record<string, string | number> = {
    'Content-Type': reply.type ?? 'application/json',
    'Content-Length': typeof reply.body === 'string' ? Buffer.byteLength(reply.body) : reply.body.length,
    'X-Content-Type-Options': 'nosniff',
    'X-Frame-Options': 'SAMEORIGIN',
    'X-Request-Id': exchange.requestId,
    ...reply.headers,
  };
  // A body that wasn't read to its end can't be followed by another request on the same connection.
  if (!req.complete && req.method !== 'GET') headers.Connection = 'close';
  res.writeHead(reply.status ?? 200, headers);
  res.end(req.method === 'HEAD' ? undefined : reply.body);
}

function fail(exchange: Exchange, error: unknown, onError: HttpOptions['onError']): void {
  const { res } = exchange;
  if (res.headersSent) {
    // Part of the answer is out: only cutting it short tells the client that it isn't whole.
    if (!(error instanceof Problem)) onError(error, exchange);
    res.destroy();
    return;
  }
  if (error instanceof Problem) {
    send(exchange, { status: error.status, body: JSON.stringify(error.toWire()) });
    return;
  }
  onError(error, exchange);
  const problem = new Problem(
    'INTERNAL_ERROR',
    `Something went wrong on the server; nothing was changed. Its log has the details under request ${exchange.requestId}.`,
  );
  send(exchange, { status: problem.status, body: JSON.stringify(problem.toWire()) });
}
