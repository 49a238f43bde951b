/** Which paths are taken, and how a tree of files is digested. Pure; the digests are on disk for ever. */
import { createHash } from 'node:crypto';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { invalid, type Problem } from '@countersign/contract/problem.ts';
import canonicalize from 'canonicalize';

/** The key domain of bytes in clear, which all workspaces share. */
export const SERVER_DOMAIN = 'server';
const WORKSPACE_DOMAIN = 'workspace-';

/** The key domain of a workspace's encrypted bytes. */
export function domainOf(workspaceId: number): string {
  return `${WORKSPACE_DOMAIN}${workspaceId}`;
}

/** Undefined for the server's. */
export function workspaceOf(domain: string): number | undefined {
  return domain.startsWith(WORKSPACE_DOMAIN) ? Number(domain.slice(WORKSPACE_DOMAIN.length)) : undefined;
}

/** Longer ones don't fit an index entry of PostgreSQL. */
const PATH_BYTES_MAX = 2000;
const DEPTH_MAX = 100;
const DECODINGS_MAX = 10;

/** Where the files of sealed versions are read: `model-versions/<version id>/…`. Nothing can be written there. */
export const SEALED_ROOT = 'model-versions';

/**
 * The path a client means, decoded, without empty and `.` segments; `''` is the root. Percent-encoding is decoded until nothing changes,
 * since clients and proxies encode more than once (mlflow/utils/uri.py validate_path_is_safe). Throws INVALID_PARAMETER_VALUE `Invalid path…`.
 */
export function parsePath(given: string): string {
  const path = given.includes('%') ? decodeFully(given) : given;
  if (path.includes('#')) throw refused(given, "it holds a '#'");
  if (path.includes('\\')) throw refused(given, "it holds a '\\'; separate folders by '/'");
  if (/^file:/i.test(path)) throw refused(given, 'it is a file: URI; give a path relative to the artifact root');
  if (path.startsWith('/') || /^[a-z]:\//i.test(path)) throw refused(given, 'it is absolute; give a path relative to the artifact root');
  if (hasControlCharacter(path) || !path.isWellFormed()) throw refused(given, 'it holds a control character or no valid Unicode');
  const segments = path.split('/').filter((segment) => segment !== '' && segment !== '.');
  // Upstream's two words: its clients compare the whole message for this case.
  if (segments.includes('..')) throw invalid('Invalid path');
  if (segments.length > DEPTH_MAX) throw refused(given, `it is deeper than ${DEPTH_MAX} folders`);
  const parsed = segments.join('/');
  if (Buffer.byteLength(parsed) > PATH_BYTES_MAX) throw refused(given, `it is longer than ${PATH_BYTES_MAX} bytes`);
  return parsed;
}

/** The same for a path that something is written to or removed from: the root is none. */
export function parseFilePath(given: string): string {
  const path = parsePath(given);
  if (path === '') throw refused(given, 'it is empty or names the artifact root itself');
  return path;
}

/** Workspaces other than the default one have their files in `workspaces/<name>/…`. */
export const WORKSPACES_ROOT = 'workspaces';

/** Where a workspace's files are; `''` for the default one, whose are at the root. */
export function rootOfWorkspace({ id, name }: { readonly id: number; readonly name: string }): string {
  return id === 0 ? '' : `${WORKSPACES_ROOT}/${name}`;
}

/** The path below the root of the workspace that it is in, by its own words. */
function belowWorkspace(path: string): string {
  const [top, name, ...rest] = path.split('/');
  return top === WORKSPACES_ROOT && name !== undefined ? rest.join('/') : path;
}

export interface SealedPath {
  readonly versionId: number;
  /** Below the version; `''` is its root. */
  readonly rest: string;
  /** The version's own path. */
  readonly root: string;
}

/** Undefined for a path that isn't in a sealed version. */
export function sealedPathOf(path: string): SealedPath | undefined {
  const match = /^((?:workspaces\/[^/]+\/)?model-versions\/([1-9]\d{0,14}))(?:\/(.*))?$/s.exec(path);
  return match ? { versionId: Number(match[2]), rest: match[3] ?? '', root: match[1] ?? '' } : undefined;
}

/** Files are stored below the sealed versions by registering alone. */
export function parseWritablePath(given: string): string {
  const path = parseFilePath(given);
  const below = belowWorkspace(path);
  if (below === '') throw refused(given, 'it names the artifact root itself');
  if (below === SEALED_ROOT || below.startsWith(`${SEALED_ROOT}/`)) {
    throw invalid(
      `Invalid path '${clip(path)}': the files of a registered model version are sealed. Write to the run or logged model, then register a new version.`,
    );
  }
  return path;
}

function refused(given: string, reason: string): Problem {
  return invalid(`Invalid path '${clip(printable(given))}': ${reason}.`);
}

function decodeFully(given: string): string {
  let path = given;
  for (let i = 0; i < DECODINGS_MAX; i++) {
    const decoded = path.replace(ENCODED, (one) => (KEPT.test(one) ? one : decodeOne(one, given)));
    if (decoded === path) return path;
    path = decoded;
  }
  throw refused(given, `it is percent-encoded more than ${DECODINGS_MAX} times`);
}

/** One character in UTF-8, or a byte that is none. */
const ENCODED = /%[cd][0-9a-f]%[89ab][0-9a-f]|%e[0-9a-f](?:%[89ab][0-9a-f]){2}|%f[0-4](?:%[89ab][0-9a-f]){3}|%[0-9a-f]{2}/gi;

/**
 * Clients of 2.x and early 3.x name pictures `loss%step%12%timestamp%1795519558123%…` (mlflow.log_image with a key). What would be a control
 * character or a stray byte there is a number: it stays as it is written, as upstream puts it back.
 */
const KEPT = /^%[189]\d$/;

function decodeOne(one: string, given: string): string {
  try {
    return decodeURIComponent(one);
  } catch {
    throw refused(given, 'its percent-encoding is no valid UTF-8');
  }
}

function hasControlCharacter(text: string): boolean {
  for (let i = 0; i < text.length; i++) {
    const c = text.charCodeAt(i);
    if (c < 0x20 || (c >= 0x7f && c <= 0x9f)) return true;
  }
  return false;
}

function printable(text: string): string {
  return text.toWellFormed().replace(/\p{Cc}/gu, '\uFFFD');
}

/** The folders above a path, nearest last: `a/b/c` → `a`, `a/b`. */
export function foldersAbove(path: string): string[] {
  const folders: string[] = [];
  for (let at = path.indexOf('/'); at >= 0; at = path.indexOf('/', at + 1)) folders.push(path.slice(0, at));
  return folders;
}

export function joinPath(folder: string, relative: string): string {
  if (folder === '') return relative;
  return relative === '' ? folder : `${folder}/${relative}`;
}

/**
 * The path under the artifact root that a URI of the proxy leads to, or undefined for storage that clients reach by themselves.
 * `mlflow-artifacts:/1/r/artifacts`, `mlflow-artifacts://host:5000/1/…` and, as a default root may be written,
 * `http://host:5000/api/2.0/mlflow-artifacts/artifacts/1/…`.
 */
export function storedPathOf(uri: string): string | undefined {
  const own = /^mlflow-artifacts:(?:\/\/[^/]*)?(.*)$/is.exec(uri);
  const proxied = own ?? /^https?:\/\/[^/]*(?:\/.*?)?\/api\/2\.0\/mlflow-artifacts\/artifacts(.*)$/is.exec(uri);
  return proxied ? parsePath((proxied[1] ?? '').replace(/^\/+/, '')) : undefined;
}

export interface ManifestEntry {
  /** Relative to the root of the tree. */
  readonly path: string;
  /** Lowercase hex. */
  readonly sha256: string;
  readonly sizeBytes: number;
}

export interface TreeDigests {
  readonly digest: string;
  readonly signingRoot: string;
}

/** In the order of the bytes of their paths, which is that of the databases too. UTF-16 order is another one. */
export function sortByPath<T extends { readonly path: string }>(entries: readonly T[]): T[] {
  return entries
    .map((entry) => ({ entry, bytes: Buffer.from(entry.path, 'utf8') }))
    .sort((a, b) => Buffer.compare(a.bytes, b.bytes))
    .map(({ entry }) => entry);
}

/**
 * `digest` = SHA-256("countersign.manifest.v1\n" ‖ RFC 8785 of `[{"path":…,"sha256":…,"size":…},…]`), the array in order of path.
 * `signingRoot` = SHA-256 over the raw digests of the files in that order, the root that OpenSSF Model Signing uses; it doesn't cover names.
 */
export function digestTree(entries: readonly ManifestEntry[]): TreeDigests {
  const sorted = sortByPath(entries);
  const manifest = canonicalize(sorted.map(({ path, sha256, sizeBytes }) => ({ path, sha256, size: sizeBytes })));
  const root = createHash('sha256');
  for (const { sha256 } of sorted) root.update(sha256, 'hex');
  return {
    digest: createHash('sha256').update('countersign.manifest.v1\n').update(String(manifest), 'utf8').digest('hex'),
    signingRoot: root.digest('hex'),
  };
}
