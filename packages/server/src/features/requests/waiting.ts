/** Which open requests a report on a version may complete: those of the version, and of whatever was or would be copied from it. */
import type { Ctx } from '../../platform/context.ts';
import * as approvals from '../approvals/approvals.ts';
import * as candidates from '../candidates/candidates.ts';
import * as versions from '../versions/versions.ts';

/** More copies than this wait for the sweep. */
const COPIES_MAX = 500;

/** Those that somebody approved, oldest first. */
export async function listWaitingFor(ctx: Ctx, versionId: number): Promise<readonly approvals.Request[]> {
  const ids = [versionId, ...(await versions.listCopyIds(ctx, versionId, COPIES_MAX))];
  const open: approvals.Request[] = [];
  for (const id of ids) open.push(...(await approvals.listOpenOfVersion(ctx, id)));
  for (const id of await candidates.listWaitingIds(ctx, ids, COPIES_MAX))
    open.push(...(await approvals.listOpen(ctx, { about: `candidate:${id}`, subject: 'entry' })));
  const approved: approvals.Request[] = [];
  for (const request of open) if ((await approvals.listLive(ctx, request)).length > 0) approved.push(request);
  return approved.sort((a, b) => a.id - b.id);
}
