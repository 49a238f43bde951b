/** Rules for names that clients give, as upstream has them (mlflow/utils/validation.py, 3.17.2). Pure. */
import { clip } from './mlflow/message.ts';
import { invalid } from './problem.ts';

const KEY = /^[/\p{L}\p{N}_.\- :]*$/u;
const KEY_MAX = 250;
const TAG_VALUE_MAX = 100_000;

/** Metric, param and tag keys. `parameter` is how the message calls it: `key`, `name`, `tags[0].key`. */
export function checkKey(key: string, parameter: string): void {
  if (!KEY.test(key)) {
    throw invalid(
      `Invalid value "${clip(key)}" for parameter '${parameter}' supplied: Names may only contain alphanumerics, underscores (_), dashes (-), ` +
        'periods (.), spaces ( ), colon(:) and slashes (/).',
    );
  }
  const plain = normalised(key);
  if (plain !== key || key === '.' || key.startsWith('..') || key.startsWith('/')) {
    throw invalid(
      `Invalid value "${clip(key)}" for parameter '${parameter}' supplied: Names may be treated as files in certain cases, and must not resolve to other ` +
        `names when treated as such. This name would resolve to '${clip(plain)}'.`,
    );
  }
}

export function checkLength(text: string, max: number, parameter: string): void {
  if (codePoints(text) > max) throw invalid(`'${parameter}' exceeds the maximum length of ${max} characters`);
}

export function checkRegistryTag(key: string, value: string): void {
  checkKey(key, 'key');
  checkLength(key, KEY_MAX, 'key');
  checkLength(value, TAG_VALUE_MAX, 'value');
}

/** Longer ones don't fit an index entry of PostgreSQL. */
const MODEL_NAME_MAX = 500;

export function checkModelName(name: string): void {
  checkLength(name, MODEL_NAME_MAX, 'name');
  if (name.trim() === '') throw invalid('Registered model name cannot be empty.');
  if (/[/:]/.test(name)) throw invalid(`Invalid model name '${clip(name)}'. Names cannot contain '/' or ':'.`);
  if (normalised(name) !== name || name === '.' || name.startsWith('..')) {
    throw invalid(
      `Invalid value "${clip(name)}" for parameter 'model name' supplied: Names must not resolve to other names when treated as a path.`,
    );
  }
  checkPrintable(name, 'name');
}

const ALIAS_MAX = 255;

export function checkAlias(alias: string): void {
  if (!/^[\p{L}\p{N}_-]+$/u.test(alias)) {
    throw invalid(`Invalid alias name: '${clip(alias)}'. Names may only contain alphanumerics, underscores (_), and dashes (-).`);
  }
  checkLength(alias, ALIAS_MAX, 'alias');
  if (/^latest$/i.test(alias)) throw invalid("'latest' alias name (case insensitive) is reserved.");
  if (/^v\d+$/i.test(alias)) throw invalid(`Version alias name '${clip(alias)}' is reserved.`);
}

const WORKSPACE_NAME = /^(?!.*--)[a-z0-9]([-a-z0-9]*[a-z0-9])?$/;
/** Words that stand in paths where a name could. */
const WORKSPACE_RESERVED: ReadonlySet<string> = new Set(['workspaces', 'api', 'ajax-api', 'static-files']);

/** Names of workspaces other than `default`, which is there from the beginning. */
export function checkWorkspaceName(name: string): void {
  const shown = `Workspace name '${clip(name)}'`;
  if (name.length < 2 || name.length > 63) throw invalid(`${shown} must be between 2 and 63 characters.`);
  if (!WORKSPACE_NAME.test(name)) {
    throw invalid(`${shown} must match the pattern ${WORKSPACE_NAME.source} (lowercase alphanumeric with optional internal hyphens).`);
  }
  if (WORKSPACE_RESERVED.has(name)) throw invalid(`${shown} is reserved and cannot be used.`);
}

/** An integer in text, as every registry call has it. */
export function parseVersionNumber(version: string): number {
  if (!/^\s*[+-]?\d{1,15}\s*$/.test(version)) throw invalid(`Parameter 'version' must be an integer, got '${clip(version)}'.`);
  return Number(version);
}

/** Control characters make names that look alike; no client needs them. */
function checkPrintable(name: string, parameter: string): void {
  // biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what is looked for
  if (/[\u0000-\u001f\u007f]/.test(name))
    throw invalid(`Invalid value for parameter '${parameter}' supplied: it holds a control character.`);
}

/** Lengths are counted as Python counts them. */
function codePoints(text: string): number {
  let count = text.length;
  for (let i = 0; i < text.length - 1; i++) {
    const c = text.charCodeAt(i);
    if (c >= 0xd800 && c <= 0xdbff) count--;
  }
  return count;
}

/** POSIX path normalisation as Python's posixpath.normpath does it. */
function normalised(path: string): string {
  // Almost every key; a batch has a hundred of them.
  if (path !== '' && !path.includes('/')) return path;
  const root = path.startsWith('/') ? '/' : '';
  const kept: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '' || segment === '.') continue;
    if (segment === '..' && kept.length > 0 && kept[kept.length - 1] !== '..') kept.pop();
    else if (segment !== '..' || root === '') kept.push(segment);
  }
  return root + kept.join('/') || '.';
}
