/** What the record tells of one version and its request, and whether that, the request and the place agree. */
import type { Ctx } from '@countersign/server/platform/context.ts';
import { expect } from 'vitest';

export interface Told {
  readonly seq: number;
  readonly type: string;
  readonly target: string | null;
}

export interface Outcome {
  readonly hasMoved: boolean;
  /** In the order of the record. */
  readonly told: readonly Told[];
  /** How the request ended. */
  readonly state: string;
}

const ENDINGS: Readonly<Record<string, string>> = {
  'request.applied': 'approved',
  'request.rejected': 'rejected',
  'request.cancelled': 'cancelled',
  'request.expired': 'expired',
  'request.superseded': 'superseded',
};

export function count(told: readonly Told[], type: string): number {
  return told.filter((each) => each.type === type).length;
}

/** Of the last such event; -1 where there is none. */
export function lastSeq(told: readonly Told[], type: string): number {
  return told.findLast((each) => each.type === type)?.seq ?? -1;
}

/** Where the events leave the version: nothing else is looked at. */
function stageAsTold(told: readonly Told[]): string {
  const entered = told.findLast(({ type }) => type === 'model-version.stage-entered');
  return entered?.target?.replace('stage:', '') ?? 'None';
}

/** Reads what is stored, and expects one outcome on which everything agrees. */
export async function expectOneOutcome({ db }: Ctx, versionId: number, request: number): Promise<Outcome> {
  const version = await db.one<{ stage: string }>('SELECT stage FROM model_versions WHERE id = ?', versionId);
  const asked = await db.one<{ state: string }>('SELECT state FROM requests WHERE id = ?', request);
  const told = await db.all<Told>('SELECT seq, type, target FROM events WHERE version_id = ? ORDER BY seq', versionId);
  const state = asked?.state ?? 'absent';
  const endings = told.filter(({ type, target }) => target === `request:${request}` && ENDINGS[type] !== undefined);
  expect(endings.map(({ type }) => ENDINGS[type])).toEqual(state === 'open' ? [] : [state]);
  expect(version?.stage).toBe(stageAsTold(told));
  const hasMoved = version?.stage === 'Production';
  const toProduction = told.filter(({ target }) => target === 'stage:Production');
  expect(toProduction.map(({ type }) => type).sort()).toEqual(hasMoved ? ['model-version.stage-entered', 'transition.allowed'] : []);
  expect(state === 'approved').toBe(hasMoved);
  return { hasMoved, told, state };
}
