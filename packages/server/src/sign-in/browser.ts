/** What a browser brings and is given: forms, cookies, where it is sent. */
import { TLSSocket } from 'node:tls';
import { invalid, Problem } from '@countersign/contract/problem.ts';
import { readCookie, SESSION_COOKIE } from '../gate/credentials.ts';
import type { Exchange, Reply } from '../platform/http/exchange.ts';
import { isLoopbackUrl } from '../platform/http/issuer-fetch.ts';

/** Where people reach the server. */
export interface Place {
  readonly publicUrl: string | undefined;
  readonly staticPrefix: string;
}

/** Where the browser is: the public URL, or the address that it asked at on this machine. Undefined where neither says it. */
export function findBaseUrl({ req }: Exchange, place: Place): string | undefined {
  const { publicUrl, staticPrefix } = place;
  if (publicUrl !== undefined) return `${new URL(publicUrl).origin}${rootOf(place)}`;
  const text = `${req.socket instanceof TLSSocket ? 'https' : 'http'}://${req.headers.host ?? ''}`;
  return URL.canParse(text) && isLoopbackUrl(new URL(text)) ? `${new URL(text).origin}${staticPrefix}` : undefined;
}

/** The same, or INVALID_STATE. */
export function baseUrlOf(exchange: Exchange, place: Place): string {
  const found = findBaseUrl(exchange, place);
  if (found !== undefined) return found;
  throw new Problem(
    'INVALID_STATE',
    'People sign in here only when the server knows its own address: start it with --public-url https://… as browsers reach it.',
  );
}

/** What every path of the server begins with, for a browser: '' or '/…'. A public URL without a path says nothing about it. */
export function rootOf({ publicUrl, staticPrefix }: Place): string {
  const path = publicUrl === undefined ? '' : new URL(publicUrl).pathname.replace(/\/+$/, '');
  return path || staticPrefix;
}

export function redirect(to: string): Reply {
  return { status: 303, type: 'text/plain; charset=utf-8', headers: { Location: to, 'Cache-Control': 'no-store' }, body: '' };
}

/** Whether a page says it better than JSON. */
export function wantsPage(exchange: Exchange): boolean {
  return exchange.header('accept')?.includes('text/html') ?? false;
}

const FORM_BYTES_MAX = 16 << 10;

export async function readForm(exchange: Exchange): Promise<(name: string) => string> {
  const type = exchange.header('content-type') ?? '';
  const bytes = await exchange.body(FORM_BYTES_MAX);
  if (!/^\s*application\/x-www-form-urlencoded\s*(;|$)/i.test(type)) throw invalid('This takes a form: application/x-www-form-urlencoded.');
  const form = new URLSearchParams(bytes.toString('utf8'));
  // What no database keeps is not asked of one.
  return (name) => (form.get(name) ?? '').toWellFormed().replaceAll('\0', '');
}

export const SIGN_IN_COOKIE = 'countersign_sign_in';

export function cookieOf(exchange: Exchange, name: string): string | undefined {
  const header = exchange.req.headers.cookie;
  return header === undefined ? undefined : readCookie(header, name);
}

/** `Secure` follows what people use, not what stands behind a proxy. */
function cookie(place: Place, exchange: Exchange, text: { name: string; value: string; path: string; seconds: number }): string {
  const isSecure = place.publicUrl?.startsWith('https:') ?? exchange.req.socket instanceof TLSSocket;
  return `${text.name}=${text.value}; Path=${text.path}; Max-Age=${text.seconds}; HttpOnly; SameSite=Lax${isSecure ? '; Secure' : ''}`;
}

/** Sent with the next answer. */
export function setSession(exchange: Exchange, place: Place, secret: string, lifetimeMs: number): void {
  const path = rootOf(place) || '/';
  append(exchange, cookie(place, exchange, { name: SESSION_COOKIE, value: secret, path, seconds: Math.floor(lifetimeMs / 1000) }));
}

export function clearSession(exchange: Exchange, place: Place): void {
  setSession(exchange, place, '', 0);
}

/** Only the pages of signing in see it. */
export function setAttempt(exchange: Exchange, place: Place, secret: string, lifetimeMs: number): void {
  const path = `${rootOf(place)}/login`;
  append(exchange, cookie(place, exchange, { name: SIGN_IN_COOKIE, value: secret, path, seconds: Math.floor(lifetimeMs / 1000) }));
}

function append({ res }: Exchange, text: string): void {
  res.appendHeader('Set-Cookie', text);
}
