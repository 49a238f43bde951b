/** databricks-sdk's levels, and how they are stored: `RegisteredModelPermissionLevel` and `ExperimentPermissionLevel` of 0.156. Pure. */
import type { ObjectKind } from '@countersign/contract/access.ts';
import type { GrantLevel, Level } from '@countersign/contract/levels.ts';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { invalid } from '@countersign/contract/problem.ts';

interface KnownLevel {
  readonly word: string;
  readonly level: Level;
  readonly description: string;
}

const OF_MODELS: readonly KnownLevel[] = [
  { word: 'CAN_READ', level: 'READ', description: 'Can see the model and its versions, download their files, and ask for transitions.' },
  { word: 'CAN_EDIT', level: 'EDIT', description: 'Can also add versions, and change descriptions and tags.' },
  {
    word: 'CAN_MANAGE_STAGING_VERSIONS',
    level: 'MANAGE_STAGING',
    description: 'Can also move versions between None, Staging and Archived.',
  },
  {
    word: 'CAN_MANAGE_PRODUCTION_VERSIONS',
    level: 'MANAGE_PRODUCTION',
    description: 'Can also move versions into and out of Production.',
  },
  { word: 'CAN_MANAGE', level: 'MANAGE', description: 'Can also rename and delete, and set permissions.' },
];

const OF_EXPERIMENTS: readonly KnownLevel[] = [
  { word: 'CAN_READ', level: 'READ', description: 'Can see the experiment and its runs, and download their files.' },
  { word: 'CAN_EDIT', level: 'EDIT', description: 'Can also make runs and log to them.' },
  { word: 'CAN_MANAGE', level: 'MANAGE', description: 'Can also delete, and set permissions.' },
];

/** Lowest first. */
export function levelsOf(kind: ObjectKind): readonly KnownLevel[] {
  return kind === 'experiment' ? OF_EXPERIMENTS : OF_MODELS;
}

export function readLevel(kind: ObjectKind, word: string): Level {
  const known = levelsOf(kind).find((each) => each.word === word);
  if (known) return known.level;
  const rest = word === 'CAN_CREATE_REGISTERED_MODEL' ? ' Whoever belongs to a workspace with USE creates models.' : '';
  const words = levelsOf(kind).map((each) => each.word);
  throw invalid(`Invalid permission_level '${clip(word)}'. It must be one of ${words.join(', ')}.${rest}`);
}

const SHOWN: Readonly<Record<GrantLevel, string>> = {
  VIEW: 'CAN_READ',
  READ: 'CAN_READ',
  USE: 'CAN_READ',
  EDIT: 'CAN_EDIT',
  MANAGE_STAGING: 'CAN_MANAGE_STAGING_VERSIONS',
  MANAGE_PRODUCTION: 'CAN_MANAGE_PRODUCTION_VERSIONS',
  MANAGE: 'CAN_MANAGE',
  // No word of the SDK, which leaves out what it doesn't know; who reads the JSON is told.
  DENY: 'DENY',
};

export function showLevel(kind: ObjectKind, level: GrantLevel): string {
  if (kind === 'experiment' && (level === 'MANAGE_STAGING' || level === 'MANAGE_PRODUCTION')) return 'CAN_EDIT';
  return SHOWN[level];
}
