/** What a version's source may be. Pure. */
import { clip } from '@countersign/contract/mlflow/message.ts';
import { invalid } from '@countersign/contract/problem.ts';

export type Source =
  | { readonly kind: 'logged-model'; readonly modelId: string }
  | { readonly kind: 'version'; readonly name: string; readonly version: number | undefined; readonly alias: string | undefined }
  | { readonly kind: 'run'; readonly runId: string; readonly path: string }
  /** What this server holds: a path in its artifact storage. */
  | { readonly kind: 'held'; readonly path: string }
  /** A path on a disk: `file:` or schemeless. */
  | { readonly kind: 'local'; readonly path: string }
  | { readonly kind: 'foreign' };

const PROXY_ROUTE = /^\/?(?:ajax-)?api\/2\.0\/mlflow-artifacts\/artifacts\//;
/** Schemes whose host is chosen by the caller: a server that followed them could be made to call anywhere. */
const HOST_ADDRESSED = new Set(['http', 'https', 'ftp', 'sftp', 'hdfs', 'viewfs', 'webhdfs']);

/** Reads a source URI. Throws INVALID_PARAMETER_VALUE for what can't be a source. */
export function parseSource(source: string): Source {
  const scheme = /^([a-z][a-z0-9+.-]*):/i.exec(source)?.[1]?.toLowerCase();
  // One letter is a drive of Windows.
  if (scheme === undefined || scheme === 'file' || scheme.length === 1) return parseLocal(source);
  if (scheme === 'models') return parseModelsUri(source);
  refuseTraversal(source);
  if (scheme === 'runs') {
    const run = /^runs:\/+([^/]+)\/?(.*)$/.exec(source);
    if (!run) throw invalid(`Invalid model version source: '${clip(source)}'. A run source has the form runs:/<run_id>/<path>.`);
    return { kind: 'run', runId: run[1] ?? '', path: trimmed(run[2] ?? '') };
  }
  const afterAuthority = source.slice(scheme.length + 1).replace(/^\/\/[^/]*/, '');
  if (scheme === 'mlflow-artifacts') return { kind: 'held', path: trimmed(decode(afterAuthority)) };
  if (HOST_ADDRESSED.has(scheme)) {
    if (PROXY_ROUTE.test(afterAuthority)) return { kind: 'held', path: trimmed(decode(afterAuthority.replace(PROXY_ROUTE, ''))) };
    throw invalid(
      `Invalid model version source: '${clip(source)}'. The scheme '${scheme}' addresses a host of the caller's choice, which this server doesn't follow. ` +
        'Upload the model through the server, or give a source in object storage.',
    );
  }
  return { kind: 'foreign' };
}

function parseLocal(source: string): Source {
  const host = /^file:\/\/([^/]+)\//i.exec(source)?.[1];
  if (host !== undefined && host !== 'localhost') return { kind: 'foreign' };
  return { kind: 'local', path: decode(source.replace(/^file:(\/\/(localhost)?(?=\/))?/i, '')) };
}

function parseModelsUri(source: string): Source {
  const rest = source.slice('models:'.length).replace(/^\/+/, '');
  if (/^m-[^/@]+$/.test(rest)) return { kind: 'logged-model', modelId: rest };
  const aliased = /^([^/@]+)@([^/@]+)$/.exec(rest);
  if (aliased) return { kind: 'version', name: decode(aliased[1] ?? ''), version: undefined, alias: aliased[2] };
  const numbered = /^([^/@]+)\/(\d+)$/.exec(rest);
  if (numbered) return { kind: 'version', name: decode(numbered[1] ?? ''), version: Number(numbered[2]), alias: undefined };
  throw invalid(
    `Invalid model version source: '${clip(source)}'. Give models:/<name>/<version>, models:/<name>@<alias> or models:/<model_id>.`,
  );
}

/** MLflow's words (mlflow/server/handlers.py _validate_non_local_source_contains_relative_paths), after every layer of percent-encoding. */
function refuseTraversal(source: string): void {
  const plain = decode(source);
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is refused
  if (plain.split(/[/\\]/).some((segment) => segment === '..') || /[\u0000-\u001f]/.test(plain)) {
    throw invalid(
      `Invalid model version source: '${clip(source)}'. If supplying a source as an http, https, local file path, ftp, objectstore, or mlflow-artifacts uri, ` +
        'an absolute path must be provided without relative path references present. Please provide an absolute path.',
    );
  }
}

const DECODE_ROUNDS_MAX = 8;

function decode(text: string): string {
  let plain = text;
  for (let round = 0; round < DECODE_ROUNDS_MAX; round++) {
    let next: string;
    try {
      next = decodeURIComponent(plain);
    } catch {
      return plain;
    }
    if (next === plain) return plain;
    plain = next;
  }
  throw invalid(`Invalid model version source: '${clip(text)}'. It is percent-encoded more than ${DECODE_ROUNDS_MAX} times.`);
}

function trimmed(path: string): string {
  return path.replace(/\/+/g, '/').replace(/^\/|\/$/g, '');
}

export function isWithin(path: string, directory: string): boolean {
  return directory === '' || path === directory || path.startsWith(`${directory}/`);
}

/** Where a sealed version's files are read from, `root` being that of its workspace. */
export function sealedUri(root: string, versionId: number): string {
  return `mlflow-artifacts:/${root === '' ? '' : `${root}/`}model-versions/${versionId}`;
}
