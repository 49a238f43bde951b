/** What settings may be, and what they refuse. Pure. */
import type { Access } from '@countersign/contract/access.ts';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { type NamePattern, parseNamePattern } from '@countersign/contract/name-pattern.ts';
import { invalid, Problem } from '@countersign/contract/problem.ts';
import { DEFAULT_SETTINGS, QUOTAS, type Settings } from '@countersign/contract/settings.ts';

/** What a workspace holds. */
export interface Usage {
  readonly models: number;
  readonly versions: number;
  readonly bytes: number;
}

/** INVALID_PARAMETER_VALUE for what is no setting, PERMISSION_DENIED for a quota. */
export function checkSettings({ access }: { readonly access: Access }, changes: Partial<Settings>): void {
  for (const name of Object.keys(changes)) {
    if (!Object.hasOwn(DEFAULT_SETTINGS, name)) {
      throw invalid(`There is no setting '${name}'. Settings are: ${Object.keys(DEFAULT_SETTINGS).join(', ')}.`);
    }
    if (!access.isAdmin && (QUOTAS as readonly string[]).includes(name)) {
      throw new Problem('PERMISSION_DENIED', `Permission denied: only an administrator of the server changes '${name}'. Ask one.`);
    }
  }
  if (changes.name_pattern) parseNamePattern(changes.name_pattern);
}

const PARSED_MAX = 100;
const parsed = new Map<string, NamePattern>();

function patternOf(text: string): NamePattern {
  let pattern = parsed.get(text);
  if (pattern === undefined) {
    if (parsed.size >= PARSED_MAX) parsed.clear();
    pattern = parseNamePattern(text);
    parsed.set(text, pattern);
  }
  return pattern;
}

export function checkAllowed(workspace: string, settings: Settings, name: string): void {
  if (settings.name_pattern === '' || patternOf(settings.name_pattern).matches(name)) return;
  const why = settings.name_message === '' ? '' : ` ${settings.name_message}`;
  throw invalid(
    `Invalid model name '${clip(name)}': names in the workspace '${workspace}' must match the pattern ${settings.name_pattern}.${why}`,
  );
}

const COUNTED = { models: 'registered models', versions: 'model versions', bytes: 'bytes of files' } as const;

/** A quota that is passed already stands in nobody's way who adds nothing to it. */
export function overQuota(workspace: string, settings: Settings, used: Usage, added: Usage): Problem | undefined {
  for (const kind of ['models', 'versions', 'bytes'] as const) {
    const quota = settings[`quota_${kind}`];
    if (quota === null || added[kind] <= 0 || used[kind] <= quota) continue;
    return new Problem(
      'INVALID_STATE',
      `QUOTA_EXCEEDED: the workspace '${workspace}' may hold ${quota} ${COUNTED[kind]}, and this would make it ${used[kind]}. ` +
        'Delete what is no longer needed, or ask an administrator of the server for more.',
    );
  }
  return undefined;
}

/** In the storage that this server serves itself. */
export function isServed(location: string): boolean {
  return /^mlflow-artifacts:/i.test(location);
}
