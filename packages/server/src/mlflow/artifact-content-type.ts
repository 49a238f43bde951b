/** How a browser is told to treat an artifact: as a file to keep, never as a page of this server. */
import mime from 'mime';

/** What upstream calls text (mlflow/utils/mime_type_utils.py), so that its UI shows it. */
const TEXT = new Set(
  'txt log err cfg conf cnf cf ini properties prop hocon toml yaml yml xml json js py py3 csv tsv md rst mlmodel mlproject'.split(' '),
);
/** Types that a browser would run, by any name. */
const RUNS = /html|svg|xml|script|xsl/;

/** By name alone: bytes are never looked at. */
export function contentTypeOf(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1).toLowerCase();
  const extension = name.slice(name.lastIndexOf('.') + 1);
  if (TEXT.has(extension)) return 'text/plain';
  const type = mime.getType(name);
  if (type === null) return 'application/octet-stream';
  return type.startsWith('text/') || RUNS.test(type) ? 'text/plain' : type;
}

const TOKEN = /^[!#$%&'*+\-.^_`|~0-9a-z]+$/i;

/** RFC 6266: an ASCII name, and for others the name in UTF-8 beside it. */
export function contentDisposition(path: string): string {
  const name = path.slice(path.lastIndexOf('/') + 1);
  const ascii = name
    .normalize('NFKD')
    .replace(/[^\x20-\x7e]/g, '')
    .trim();
  const plain = ascii === '' ? 'download' : ascii;
  const quoted = TOKEN.test(plain) ? plain : `"${plain.replace(/["\\]/g, '\\$&')}"`;
  if (plain === name) return `attachment; filename=${quoted}`;
  const encoded = encodeURIComponent(name).replace(/['()*]/g, (c) => `%${c.charCodeAt(0).toString(16).toUpperCase()}`);
  return `attachment; filename=${quoted}; filename*=UTF-8''${encoded}`;
}

export const FILE_HEADERS: Readonly<Record<string, string>> = {
  'X-Content-Type-Options': 'nosniff',
  'X-Frame-Options': 'SAMEORIGIN',
  'Content-Security-Policy': "sandbox; default-src 'none'",
  'Accept-Ranges': 'bytes',
};
