/** What may be named as the place of artifacts, by whoever creates an experiment or a workspace (mlflow/utils/validation.py, 3.17.2). Pure. */
import { invalid } from './problem.ts';

const LOCATION_MAX = 2048;
/** Schemes that would make the server's clients talk to a host of the caller's choice. */
const HOST_SCHEMES: ReadonlySet<string> = new Set(['http', 'https', 'ftp', 'sftp', 'hdfs', 'viewfs']);

/** The location as it is stored: a relative path is made absolute against `workingDirectory`. Throws INVALID_PARAMETER_VALUE. */
export function resolveLocation(location: string, workingDirectory: string, lengthMax = LOCATION_MAX): string {
  if (location.startsWith('runs:')) throw invalid(`Artifact location cannot be a runs:/ URI. Given: '${location.slice(0, 200)}'`);
  const scheme = schemeOf(location);
  if (location.includes('#') || /;[^/]*$/.test(location.split('?', 1)[0] ?? '')) {
    throw invalid("'artifact_location' URL can't include fragments or params.");
  }
  if (decodeFully(location.split('?').slice(1).join('?')).includes('..')) throw invalid('Invalid query string');
  if (HOST_SCHEMES.has(scheme)) {
    throw invalid(
      `Invalid artifact location '${location.slice(0, 200)}': the scheme '${scheme}' addresses a host. Use object storage, a path, or leave it out.`,
    );
  }
  const resolved = absolute(location, scheme, workingDirectory);
  if (resolved.length > lengthMax) {
    throw invalid(
      `Invalid artifact path length. The length of the artifact path cannot be greater than ${lengthMax} characters. To configure this limit, ` +
        'please set the MLFLOW_ARTIFACT_LOCATION_MAX_LENGTH environment variable.',
    );
  }
  return resolved;
}

function absolute(location: string, scheme: string, workingDirectory: string): string {
  if (scheme === '')
    return location.startsWith('/') ? location : `${workingDirectory.replace(/\/$/, '')}/${location.replace(/^(\.\/)+/, '')}`;
  if (scheme === 'file') {
    const path = location.slice('file:'.length);
    if (!path.startsWith('/')) return `file://${workingDirectory.replace(/\/$/, '')}/${path.replace(/^(\.\/)+/, '')}`;
  }
  return location;
}

function schemeOf(location: string): string {
  return (/^([a-z][a-z0-9+.-]*):/i.exec(location)?.[1] ?? '').toLowerCase();
}

/** Percent-encoding may be nested; what it hides must not pass. Bounded, as each round makes the text shorter. */
function decodeFully(text: string): string {
  let current = text;
  for (let round = 0; round < 10; round++) {
    let decoded: string;
    try {
      decoded = decodeURIComponent(current);
    } catch {
      return current;
    }
    if (decoded === current) return current;
    current = decoded;
  }
  return current;
}
