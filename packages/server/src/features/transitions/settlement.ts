/** What becomes of the requests that a change answers, overtakes, or leaves without what they are about. */
import type { Permit } from '@countersign/contract/permit.ts';
import type { TxCtx } from '../../platform/context.ts';
import * as approvals from '../approvals/approvals.ts';
import * as candidates from '../candidates/candidates.ts';
import * as policies from '../policies/policies.ts';
import type { ModelVersion } from '../versions/versions.ts';
import * as versions from '../versions/versions.ts';
import { subjectOf, targetWords } from './operation-rules.ts';
import { chooseEach, judge, kindsOf, type Operation, type Way } from './permits.ts';

/** Whatever was asked for exactly this is answered by it. */
export async function settle(ctx: TxCtx, operation: Operation, allowed: Permit, way: Way): Promise<void> {
  const change = { about: operation.about, subject: subjectOf(operation.proposal) };
  const isAnswered = way.by === 'approvals' || (way.by === 'caller' && way.isAnswer === true) || allowed.admission === 'policy';
  const { version: number, stage: from } = operation.version ?? {};
  await approvals.closeAll(ctx, change, isAnswered ? 'approved' : 'cancelled', { number, from }, isAnswered ? {} : { cause: 'moved' });
  if (allowed.admission === 'policy' && operation.version !== undefined) await supersede(ctx, operation, operation.version, allowed);
}

/** What a newer version took the place of, before it was answered. */
async function supersede(ctx: TxCtx, { asks, model }: Operation, came: ModelVersion, allowed: Permit): Promise<void> {
  const inForce = await policies.getInForce(ctx);
  const saying = inForce.policies.filter(({ hash, document }) => document.supersedes === 'older' && allowed.policies.includes(hash));
  if (saying.length === 0) return;
  // What a policy says is of its own place, and not of where something went that left it.
  const about = await chooseEach(ctx, inForce, asks.target, await model?.(), kindsOf(came));
  if (!about.some((policy) => saying.includes(policy))) return;
  for (const request of await approvals.listOpenOfModel(ctx, came.modelId)) {
    if (request.change !== 'enter' || request.target !== targetWords(asks.target) || request.versionId === null) continue;
    const version = await versions.findById(ctx, request.versionId);
    if (version === undefined || version.version >= came.version) continue;
    await approvals.close(ctx, request, 'superseded', { number: version.version, from: version.stage }, { cause: 'superseded' });
  }
}

/** Nobody can have asked for what no policy is about. */
export async function settleGoverned(ctx: TxCtx, operation: Operation, allowed: Permit, way: Way): Promise<void> {
  if (allowed.policies.length > 0) await settle(ctx, operation, allowed, way);
}

/** What was asked of something that goes, goes with it. */
export async function closeAll(ctx: TxCtx, open: readonly approvals.Request[]): Promise<void> {
  for (const request of open) {
    const version = request.versionId === null ? undefined : await versions.findById(ctx, request.versionId);
    await approvals.close(ctx, request, 'cancelled', { number: version?.version, from: version?.stage }, { cause: 'deleted' });
    if (request.candidateId !== null) await candidates.close(ctx, request.candidateId);
  }
}

/** A script that runs again asks nobody for what is so already; where no policy is about it, it is told once more, as MLflow does. */
export async function isLeftAlone(ctx: TxCtx, operation: Operation, way: Way): Promise<boolean> {
  return way.by === 'caller' && (await judge(ctx, operation)).asked.length > 0;
}
