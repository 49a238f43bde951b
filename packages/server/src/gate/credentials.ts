/** What a request brings to say who it is. Pure. */

export type Credentials =
  | { readonly kind: 'none' }
  | { readonly kind: 'unreadable' }
  | { readonly kind: 'password'; readonly name: string; readonly password: string }
  | { readonly kind: 'token'; readonly token: string }
  | { readonly kind: 'session'; readonly token: string };

export const SESSION_COOKIE = 'countersign_session';

interface Headers {
  readonly authorization?: string | undefined;
  readonly cookie?: string | undefined;
}

/** The header wins over the cookie. */
export function readCredentials({ authorization, cookie }: Headers): Credentials {
  if (authorization !== undefined) return readAuthorization(authorization);
  const session = cookie === undefined ? undefined : readCookie(cookie, SESSION_COOKIE);
  return session === undefined ? { kind: 'none' } : { kind: 'session', token: session };
}

function readAuthorization(header: string): Credentials {
  const space = header.indexOf(' ');
  const scheme = header.slice(0, space).toLowerCase();
  const value = header.slice(space + 1).trim();
  if (space < 0 || value === '') return { kind: 'unreadable' };
  if (scheme === 'bearer') return { kind: 'token', token: value };
  if (scheme !== 'basic') return { kind: 'unreadable' };
  const text = Buffer.from(value, 'base64').toString('utf8');
  const colon = text.indexOf(':');
  // No database is asked for a name with a NUL, and none has it.
  if (colon < 0 || text.includes('\0')) return { kind: 'unreadable' };
  return { kind: 'password', name: text.slice(0, colon), password: text.slice(colon + 1) };
}

export function readCookie(header: string, name: string): string | undefined {
  for (const part of header.split(';')) {
    const equals = part.indexOf('=');
    if (equals > 0 && part.slice(0, equals).trim() === name) return part.slice(equals + 1).trim();
  }
  return undefined;
}
