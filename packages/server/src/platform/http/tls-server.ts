/** The node server under TLS. What the requests mean is server.ts' business; when the certificate changes, tls-renewal.ts'. */
import type { RequestListener } from 'node:http';
import { Server as HttpsServer, type ServerOptions } from 'node:https';
import type { Socket } from 'node:net';
import type { TLSSocket } from 'node:tls';
import { secureOptions, type TlsPair } from './tls-pair.ts';

/** RFC 6797 §6.1: browsers that were here once don't ask without TLS for a year. */
export const STRICT_TRANSPORT = 'max-age=31536000';
/** OpenSSL's finding that the first bytes were those of a request without TLS. */
export const PLAIN_REQUEST = 'ERR_SSL_HTTP_REQUEST';

/** node's own is two minutes, which silent connections could hold. */
const HANDSHAKE_MS = 10_000;
/** What a caller without TLS has to read its refusal. */
const REFUSAL_MS = 1000;

export class TlsServer extends HttpsServer {
  /** Connections that didn't end their handshake, by the caller's address: node's HTTP server knows none of them. */
  readonly #handshakes = new Map<string, Socket>();

  constructor(options: ServerOptions, pair: TlsPair, onRequest: RequestListener) {
    super({ ...options, ...secureOptions(pair), handshakeTimeout: HANDSHAKE_MS }, onRequest);
    this.on('connection', (socket: Socket) => {
      const caller = callerOf(socket);
      this.#handshakes.set(caller, socket);
      socket.once('close', () => {
        if (this.#handshakes.get(caller) === socket) this.#handshakes.delete(caller);
      });
    });
    this.on('secureConnection', (socket) => this.#handshakes.delete(callerOf(socket)));
    this.on('tlsClientError', (error: Error & { code?: string }, secure) => {
      if (error.code === PLAIN_REQUEST) refusePlain(secure, this.#handshakes.get(callerOf(secure)));
    });
  }

  /** For connections from now on; those that are open stay as they are. */
  usePair(pair: TlsPair): void {
    this.setSecureContext(secureOptions(pair));
  }

  override closeIdleConnections(): void {
    for (const socket of this.#handshakes.values()) socket.destroy();
    super.closeIdleConnections();
  }

  override closeAllConnections(): void {
    for (const socket of this.#handshakes.values()) socket.destroy();
    super.closeAllConnections();
  }
}

function callerOf({ remoteAddress, remotePort }: Socket): string {
  return `${remoteAddress} ${remotePort}`;
}

/** In plain words on the plain connection, and without HSTS, which RFC 6797 §7.2 forbids there. */
function refusePlain(secure: TLSSocket, socket: Socket | undefined): void {
  if (socket === undefined) {
    secure.destroy();
    return;
  }
  const message = 'This port takes requests over TLS only. Send it again with https:// in place of http://.';
  const body = JSON.stringify({ error_code: 'BAD_REQUEST', message });
  socket.end(
    `HTTP/1.1 400 Bad Request\r\nContent-Type: application/json\r\nConnection: close\r\nContent-Length: ${Buffer.byteLength(body)}\r\n\r\n${body}`,
  );
  // Both, for a caller that doesn't hang up.
  setTimeout(() => {
    secure.destroy();
    socket.destroy();
  }, REFUSAL_MS).unref();
}
