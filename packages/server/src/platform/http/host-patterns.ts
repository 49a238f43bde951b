/** Which Host headers and origins are of this machine or a private network. Pure. */

/** Any port; the address must be one, so that `10.example.com` is none. IPv6: fc00::/7 (RFC 4193 §3.1). */
const HOST = /^(localhost|\[[0-9a-f:.]{2,45}\]|\d{1,3}(?:\.\d{1,3}){3})(?::\d{1,5})?$/;

/** Lowercase. MLflow's default: localhost variants, 10/8, 172.16/12, 192.168/16, on any port. */
export function isDefaultHost(header: string): boolean {
  const host = HOST.exec(header)?.[1];
  if (host === undefined) return false;
  if (host === 'localhost' || host === '127.0.0.1' || host === '[::1]' || host === '0.0.0.0') return true;
  if (host.startsWith('[')) return /^\[f[cd][0-9a-f]{2}:/.test(host);
  const [a = 0, b = 0, c = 0, d = 0] = host.split('.').map(Number);
  if (a > 255 || b > 255 || c > 255 || d > 255) return false;
  return a === 10 || (a === 192 && b === 168) || (a === 172 && b >= 16 && b <= 31);
}

/** A page that this machine served, by any scheme. */
export function isLocalOrigin(origin: string): boolean {
  return /^https?:\/\/(localhost|127\.0\.0\.1|\[::1\])(:\d{1,5})?$/i.test(origin);
}

/** `*` stands for any characters, `?` for one, as in fnmatch; nothing else is special. */
export function matcherOf(patterns: readonly string[]): (text: string) => boolean {
  const exact = new Set(patterns);
  const wild = patterns
    .filter((pattern) => /[*?]/.test(pattern))
    .map(
      (pattern) =>
        new RegExp(
          `^${pattern
            .replace(/[.+^${}()|[\]\\]/g, '\\$&')
            .replace(/\*+/g, '.*')
            .replace(/\?/g, '.')}$`,
          's',
        ),
    );
  return (text) => exact.has(text) || wild.some((each) => each.test(text));
}
