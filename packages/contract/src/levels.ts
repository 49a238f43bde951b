/**
 * One column of levels for every grant. MLflow's and Databricks' levels are shown from and stored into it: MLflow's EDIT, which may transition,
 * is MANAGE_PRODUCTION here; the SDK's CAN_EDIT is EDIT, which may not.
 */

/** Lowest first. VIEW sees an object and its metadata, and may not download its bytes. */
export const LEVELS = ['VIEW', 'READ', 'USE', 'EDIT', 'MANAGE_STAGING', 'MANAGE_PRODUCTION', 'MANAGE'] as const;
export type Level = (typeof LEVELS)[number];

/** DENY takes away what any other grant gives; administrators and managers of the workspace keep theirs. */
export const GRANT_LEVELS = [...LEVELS, 'DENY'] as const;
export type GrantLevel = (typeof GRANT_LEVELS)[number];

/** 0: nothing. */
export type Rank = number;

export const RANK: Readonly<Record<Level, Rank>> = {
  VIEW: 1,
  READ: 2,
  USE: 3,
  EDIT: 4,
  MANAGE_STAGING: 5,
  MANAGE_PRODUCTION: 6,
  MANAGE: 7,
};

/** Undefined for rank 0. */
export function levelOf(rank: Rank): Level | undefined {
  return LEVELS[rank - 1];
}
