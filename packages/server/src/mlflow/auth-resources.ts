/** What upstream's grants are called, and how its levels are stored here (mlflow/server/auth/permissions.py, 3.17.2). Pure. */
import type { GrantLevel } from '@countersign/contract/levels.ts';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { invalid } from '@countersign/contract/problem.ts';

/** Whether grants of the type may name one thing, or only all of them. */
const RESOURCE_TYPES: Readonly<Record<string, 'one or all' | 'all'>> = {
  workspace: 'all',
  experiment: 'one or all',
  registered_model: 'one or all',
  prompt: 'one or all',
  scorer: 'one or all',
  gateway_secret: 'one or all',
  gateway_endpoint: 'one or all',
  gateway_model_definition: 'one or all',
  mcp_server: 'one or all',
  run: 'all',
  trace: 'all',
  assessment: 'all',
  logged_model: 'all',
  review_queue: 'all',
  registered_model_version: 'all',
  prompt_version: 'all',
  scorer_version: 'all',
  mcp_server_version: 'all',
};

const LEVELS = ['READ', 'USE', 'EDIT', 'MANAGE', 'NO_PERMISSIONS', 'DENY'] as const;
export type MlflowLevel = (typeof LEVELS)[number];

/** As Python shows a tuple. */
function tuple(words: readonly string[]): string {
  return `(${words.map((word) => `'${word}'`).join(', ')})`;
}

export function checkResourceType(type: string): void {
  if (Object.hasOwn(RESOURCE_TYPES, type)) return;
  throw invalid(`Invalid resource type '${clip(type)}'. Valid resource types are: ${tuple(Object.keys(RESOURCE_TYPES).sort())}`);
}

export function checkPattern(type: string, pattern: string): void {
  checkResourceType(type);
  if (pattern === '*') return;
  if (RESOURCE_TYPES[type] === 'all') {
    throw invalid(
      `Invalid resource_pattern '${clip(pattern)}' for resource_type='${type}'. This resource type supports only wildcard ('*') grants.`,
    );
  }
  if (type === 'scorer' && !pattern.includes('/')) {
    throw invalid("Invalid scorer resource_id. Expected '<experiment_id>/<scorer_name>'.");
  }
}

/** Who belongs to a workspace is a matter of roles. */
export function refuseWorkspaceType(type: string): void {
  if (type !== 'workspace') return;
  throw invalid(
    "resource_type 'workspace' is not supported by the per-user permission convenience APIs. Put a grant on the workspace into a role " +
      'and assign it: roles/permissions/add, roles/assign.',
  );
}

function isLevel(word: string): word is MlflowLevel {
  return (LEVELS as readonly string[]).includes(word);
}

/** The level that a grant of the type is stored with. */
export function readLevel(word: string, type: string): GrantLevel {
  if (!isLevel(word)) throw invalid(`Invalid permission '${clip(word)}'. Valid permissions are: ${tuple(LEVELS)}`);
  checkResourceType(type);
  if (type === 'workspace') {
    if (word === 'USE' || word === 'MANAGE') return word;
    throw invalid(`Invalid permission '${word}' for resource_type='workspace'. Workspace-wide grants accept only: ('MANAGE', 'USE').`);
  }
  if (word === 'NO_PERMISSIONS') {
    throw invalid(
      `Invalid permission '${word}' for resource_type='${type}'. ` +
        "Resource-level grants accept only: ('DENY', 'EDIT', 'MANAGE', 'READ', 'USE').",
    );
  }
  return stored(word);
}

/** As 2.x grants: NO_PERMISSIONS takes away, and there is no DENY. */
export function readOldLevel(word: string): GrantLevel {
  const known = ['READ', 'EDIT', 'MANAGE', 'NO_PERMISSIONS'];
  if (!known.includes(word) || !isLevel(word)) throw invalid(`Invalid permission '${clip(word)}'. Valid permissions are: ${tuple(known)}`);
  return word === 'NO_PERMISSIONS' ? 'DENY' : stored(word);
}

/** Upstream's EDIT moves versions between stages, Production included. */
function stored(word: Exclude<MlflowLevel, 'NO_PERMISSIONS'>): GrantLevel {
  return word === 'EDIT' ? 'MANAGE_PRODUCTION' : word;
}

const SHOWN: Readonly<Record<GrantLevel, MlflowLevel>> = {
  VIEW: 'READ',
  READ: 'READ',
  USE: 'USE',
  EDIT: 'EDIT',
  MANAGE_STAGING: 'EDIT',
  MANAGE_PRODUCTION: 'EDIT',
  MANAGE: 'MANAGE',
  DENY: 'DENY',
};

export function showLevel(level: GrantLevel): MlflowLevel {
  return SHOWN[level];
}

/** 2.x doesn't know DENY, nor USE. */
export function showOldLevel(level: GrantLevel): MlflowLevel {
  if (level === 'DENY') return 'NO_PERMISSIONS';
  return level === 'USE' ? 'READ' : SHOWN[level];
}

/** What a grant's kind is called here, and there. */
export function kindOfType(type: string): string {
  return type.replaceAll('_', '-');
}

export function typeOfKind(kind: string): string {
  return kind.replaceAll('-', '_');
}
