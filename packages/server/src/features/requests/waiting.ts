/** Which open requests a report on a version may complete: those of the version, and of whatever was or would be copied from it. */
import type { Ctx } from '../../platform/context.ts';
import * as approvals from '../approvals/approvals.ts';
import * as candidates from '../candidates/candidates.ts';
import * as versions from '../versions/versions.ts';

/** More copies than this, and more requests, wait for the sweep. */
const WAITING_MAX = 500;

/** Those that somebody approved, oldest first. */
export async function listWaitingFor(ctx: Ctx, versionId: number): Promise<readonly approvals.Request[]> {
  const ids = [versionId, ...(await versions.listCopyIds(ctx, versionId, WAITING_MAX))];
  const entering = await candidates.listWaitingIds(ctx, ids, WAITING_MAX);
  const abouts = [...ids.map((id) => `version:${id}`), ...entering.map((id) => `candidate:${id}`)];
  return approvals.listApprovedAbout(ctx, abouts, WAITING_MAX);
}
