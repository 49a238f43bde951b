/** Where an experiment's artifacts may lie, and what it may be called. Pure. */
import { checkKey, checkLength } from '@countersign/contract/names.ts';
import { invalid } from '@countersign/contract/problem.ts';

const NAME_MAX = 500;
const TAG_KEY_MAX = 250;
const TAG_VALUE_MAX = 20_000;
/** Folders of the served storage that belong to the server itself. */
const RESERVED_FOLDERS: ReadonlySet<string> = new Set(['model-versions', 'workspaces']);

export function checkExperimentName(name: string): void {
  checkLength(name, NAME_MAX, 'name');
}

export function checkExperimentTag(key: string, value: string): void {
  checkKey(key, 'key');
  checkLength(key, TAG_KEY_MAX, 'key');
  // Who reads this may need the tag on an older server too, whose limit is lower.
  if (value.length > TAG_VALUE_MAX) {
    throw invalid(
      `'value' exceeds the maximum length of ${TAG_VALUE_MAX} characters, which MLflow 3.17 allows (in 3.14 a value already exceeds the maximum length of 5000). Shorten it.`,
    );
  }
}

/** Wire ids are decimal text. Throws INVALID_PARAMETER_VALUE. */
export function parseExperimentId(text: string): number {
  if (!/^\s*[+-]?\d{1,15}\s*$/.test(text)) {
    throw invalid(`Invalid experiment ID '${text.slice(0, 200)}'. Experiment ID must be a valid integer.`);
  }
  return Number(text);
}

/** The folder of a served location, `a/b`, or undefined where clients write by themselves. */
export function servedFolder(location: string): string | undefined {
  const match = /^mlflow-artifacts:(?:\/\/[^/]*)?\/*([^?]*)/i.exec(location);
  return match?.[1]?.replace(/\/+$/, '');
}

/**
 * An explicit location in the served storage must not overlap another experiment's: whoever may write to one could then write into the
 * other. `own` is the workspace's folder of it, `''` for the default one; `others` are the locations of all experiments. Throws
 * INVALID_PARAMETER_VALUE.
 */
export function checkServedLocation(location: string, root: string, own: string, others: readonly string[]): void {
  const folder = servedFolder(location);
  if (folder === undefined) return;
  const shown = location.slice(0, 200);
  if (/[\\%]/.test(folder) || folder.split('/').some((segment) => segment === '' || segment === '.' || segment === '..')) {
    throw invalid(
      `Invalid artifact location '${shown}': give a plain path below 'mlflow-artifacts:/', without '.', '..', '%' or empty segments.`,
    );
  }
  const below = own === '' ? folder : folder.slice(own.length + 1);
  const top = below.split('/', 1)[0] ?? '';
  if (top === '' || RESERVED_FOLDERS.has(top))
    throw invalid(`Invalid artifact location '${shown}': the folder '${top}' is kept by the server. Choose another.`);
  const rootFolder = servedFolder(root);
  if (rootFolder !== undefined && isNumbered(folder, rootFolder)) {
    throw invalid(
      `Invalid artifact location '${shown}': numbered folders belong to the experiments of that id. Choose a name that is not a number.`,
    );
  }
  for (const other of others) {
    const taken = servedFolder(other);
    if (taken !== undefined && (isWithin(folder, taken) || isWithin(taken, folder))) {
      throw invalid(
        `Invalid artifact location '${shown}': it overlaps '${other}', which is another experiment's. Choose a folder of its own.`,
      );
    }
  }
}

function isWithin(inner: string, outer: string): boolean {
  return outer === '' || inner === outer || inner.startsWith(`${outer}/`);
}

/** Later experiments get `<root>/<id>` by themselves. */
function isNumbered(folder: string, rootFolder: string): boolean {
  if (!isWithin(folder, rootFolder)) return false;
  const below = rootFolder === '' ? folder : folder.slice(rootFolder.length + 1);
  return /^\d+$/.test(below.split('/', 1)[0] ?? '');
}

/**
 * A location of the served storage as it is in a workspace's folder: clients' paths are taken as below it, whether they name it or not. Any
 * other location stays.
 */
export function intoFolder(location: string, own: string): string {
  const folder = servedFolder(location);
  if (own === '' || folder === undefined || isWithin(folder, own)) return location;
  return `mlflow-artifacts:/${own}${folder === '' ? '' : `/${folder}`}`;
}

/** Appends to the path of a URI, before its query. */
export function appendToLocation(location: string, ...segments: readonly string[]): string {
  const mark = location.indexOf('?');
  const path = mark < 0 ? location : location.slice(0, mark);
  const query = mark < 0 ? '' : location.slice(mark);
  return `${path.endsWith('/') ? path : `${path}/`}${segments.join('/')}${query}`;
}

/** The locations whose folder holds a path of the served storage, as they are stored: `a/b/c` → `mlflow-artifacts:/a`, `mlflow-artifacts:/a/b`, … */
export function locationsAbove(path: string): string[] {
  const segments = path.split('/');
  return segments.map((_, i) => `mlflow-artifacts:/${segments.slice(0, i + 1).join('/')}`);
}
