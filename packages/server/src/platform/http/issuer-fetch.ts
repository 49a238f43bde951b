/** Requests to issuers of identities: to what an administrator named, and to what such an issuer names in turn. */
import { isIP } from 'node:net';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { invalid } from '@countersign/contract/problem.ts';

export const ISSUER_TIMEOUT_MS = 10_000;
const ANSWER_BYTES_MAX = 1 << 20;
const ISSUER_CHARACTERS_MAX = 500;

export function isLoopbackUrl(url: URL): boolean {
  return url.hostname === 'localhost' || url.hostname === '[::1]' || /^127(\.\d{1,3}){3}$/.test(url.hostname);
}

/** The text stays as it is: issuers are compared by their exact characters. */
export function checkIssuer(issuer: string): void {
  const url = URL.canParse(issuer) ? new URL(issuer) : undefined;
  const isPlain = url !== undefined && url.username === '' && url.password === '' && !/[?#]/.test(issuer);
  const isSafe = url?.protocol === 'https:' || (url?.protocol === 'http:' && isLoopbackUrl(url));
  if (isPlain && isSafe && issuer.length <= ISSUER_CHARACTERS_MAX) return;
  throw invalid(
    `The issuer must be an https URL without user, query and fragment, exactly as its discovery document names it, got '${clip(issuer)}'.`,
  );
}

type Fetch = (url: string, init: RequestInit) => Promise<Response>;

/**
 * Follows no redirect and reads at most 1 MiB. Administrators name the issuer, which may be private; what it names on another host must be
 * https and no bare or local address, so that nobody has the server ask around in its own network.
 */
export function createIssuerFetch(issuer: string): Fetch {
  const home = new URL(issuer);
  return async (text, init) => {
    const url = new URL(text);
    if (url.host !== home.host && !isElsewhereAllowed(url)) {
      throw new Error(`the issuer ${issuer} sends the server to ${url.origin}, where it doesn't go`);
    }
    const signal = AbortSignal.any([AbortSignal.timeout(ISSUER_TIMEOUT_MS), ...(init.signal ? [init.signal] : [])]);
    const response = await fetch(url, { ...init, redirect: 'manual', signal });
    const body = await readAll(response);
    return new Response(response.status === 204 || response.status === 304 ? null : body, {
      status: response.status,
      headers: response.headers,
    });
  };
}

function isElsewhereAllowed(url: URL): boolean {
  const host = url.hostname.replace(/^\[|\]$/g, '');
  return url.protocol === 'https:' && isIP(host) === 0 && !isLoopbackUrl(url) && !/(^|\.)(localhost|local|internal)$/.test(host);
}

async function readAll(response: Response): Promise<Buffer<ArrayBuffer>> {
  const pieces: Uint8Array[] = [];
  let size = 0;
  for await (const piece of response.body ?? []) {
    size += piece.length;
    if (size > ANSWER_BYTES_MAX) throw new Error(`the answer of ${response.url} is larger than ${ANSWER_BYTES_MAX} bytes`);
    pieces.push(piece);
  }
  return Buffer.concat(pieces);
}
