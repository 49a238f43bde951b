/**
 * Requests for governed changes: opened by whoever may read, answered by those whom the policies name, and where there is no policy by whoever may make
 * the change himself. A change that its approvals suffice for is carried out in the transaction of the last of them.
 */

import { clip } from '@countersign/contract/mlflow/message.ts';
import { checkLength } from '@countersign/contract/names.ts';
import { durationMs } from '@countersign/contract/policies.ts';
import { invalid, notFound, Problem } from '@countersign/contract/problem.ts';
import { demandActive } from '@countersign/contract/stages.ts';
import { type Ctx, reading, type TxCtx, transaction } from '../../platform/context.ts';
import { AS_LOCAL, demand } from '../access/access.ts';
import { lockAccess } from '../accounts/accounts.ts';
import * as approvals from '../approvals/approvals.ts';
import * as candidates from '../candidates/candidates.ts';
import * as checks from '../checks/checks.ts';
import * as models from '../models/models.ts';
import * as policies from '../policies/policies.ts';
import * as transitions from '../transitions/transitions.ts';
import type { NewVersion } from '../versions/versions.ts';
import * as versions from '../versions/versions.ts';
import { findWorkspaceById, getStages, within } from '../workspaces/workspaces.ts';
import { findOwn, findWayToAsk, mustOpen, open, operationFor, renewed } from './opening.ts';
import { demandPossible } from './possible-wishes.ts';
import { demandMaking, get, isApprover, managesIt, mayMakeIt } from './reach.ts';
import type { Wish } from './request-rules.ts';
import { listWaitingFor } from './waiting.ts';

export type { Ending, Request } from '../approvals/approvals.ts';
export { createModel } from '../transitions/transitions.ts';
export { type Explanation, explain } from './explaining.ts';
export { type Outcome, type Plan, plan } from './planning.ts';
export { actionsOn, get, isApprover, list, listOpen, type RequestAction, type RequestFilter } from './reach.ts';
export type { Wish, WishedTarget } from './request-rules.ts';

const COMMENT_MAX = 16_000;

/** What is read and closed here is changed by nobody else until the commit; settings are held all together. */
function holding<T>(ctx: Ctx, modelId: number | null, work: (inner: TxCtx) => Promise<T>): Promise<T> {
  return transaction(ctx, async (inner) => {
    await (modelId === null ? lockAccess(inner) : models.holdById(inner, modelId));
    return work(inner);
  });
}

function checkComment(comment: string | undefined): void {
  if (comment !== undefined) checkLength(comment, COMMENT_MAX, 'comment');
}

/** RESOURCE_ALREADY_EXISTS where the caller has an open one for the same. */
export function create(ctx: Ctx, name: string, wish: Wish, comment?: string): Promise<approvals.Request> {
  checkComment(comment);
  return transaction(ctx, async (inner) => {
    await models.hold(inner, name);
    const model = await models.getIdentity(inner, name);
    demand(inner, 'registered-model', { id: model.id, name }, 'READ');
    await demandPossible(inner, model, wish);
    const operation = await operationFor(inner, model, wish);
    await expireOwn(inner, operation);
    return mustOpen(inner, operation, comment);
  });
}

/** It counts for nothing any more, and would stand in the way until it is swept. Approvals of a candidate's bytes go on with the candidate. */
async function expireOwn(ctx: TxCtx, operation: transitions.Operation): Promise<void> {
  const own = await findOwn(ctx, operation);
  if (own === undefined || own.candidateId !== null || !hasExpired(ctx, own)) return;
  await withdraw(ctx, own, 'expired', { cause: 'time' });
}

function hasExpired({ clock }: Ctx, { expiresAt }: approvals.Request): boolean {
  return expiresAt !== null && expiresAt <= clock.now();
}

/**
 * Where a policy says so, a refused call opens the request that it would have needed, and says which; else it says which is open, or how one is made.
 * Never inside of another transaction. Changes at this door ask by themselves, whoever makes them; whatever serves a call asks too, for those of settings,
 * which are made in rooms below. Asked once more, nothing more happens: what comes out is no refusal of the door any more.
 */
export async function asking<T>(ctx: Ctx, work: () => Promise<T>): Promise<T> {
  try {
    return await work();
  } catch (error) {
    if (!(error instanceof transitions.Refused) || ctx.tx !== undefined) throw error;
    throw error.opensRequest ? await askFor(ctx, error) : await toldHow(ctx, error);
  }
}

async function toldHow(ctx: Ctx, refused: transitions.Refused): Promise<Problem> {
  const way = await findWayToAsk(ctx, refused.operation);
  return way === undefined ? refused : new Problem('PERMISSION_DENIED', `${refused.message} ${way.text}`);
}

/** A change at the door that opens its own request where it is refused. */
function governed<Input extends unknown[], T>(
  change: (ctx: Ctx, ...input: Input) => Promise<T>,
): (ctx: Ctx, ...input: Input) => Promise<T> {
  return (ctx, ...input) => asking(ctx, () => change(ctx, ...input));
}

export const registerVersion = governed((ctx, input: NewVersion) => transitions.registerVersion(ctx, input));
export const moveStage = governed((ctx, move: transitions.StageMove) => {
  checkComment(move.comment);
  return transitions.moveStage(ctx, move);
});
export const setAlias = governed((ctx, name: string, alias: string, version: number) => transitions.setAlias(ctx, name, alias, version));
export const deleteAlias = governed((ctx, name: string, alias: string) => transitions.deleteAlias(ctx, name, alias));
export const renameModel = governed((ctx, name: string, newName: string) => transitions.renameModel(ctx, name, newName));
export const deleteModel = governed((ctx, name: string) => transitions.deleteModel(ctx, name));
export const deleteVersion = governed((ctx, name: string, version: number) => transitions.deleteVersion(ctx, name, version));
export const restoreVersion = governed((ctx, name: string, version: number) => transitions.restoreVersion(ctx, name, version));
/** `value` null: it is taken away. */
export const setModelTag = governed((ctx, name: string, key: string, value: string | null) =>
  transitions.setModelTag(ctx, name, key, value),
);
export const setVersionTag = governed((ctx, name: string, version: number, key: string, value: string | null) =>
  transitions.setVersionTag(ctx, name, version, key, value),
);
export const replacePolicies = governed((ctx, changes: transitions.PolicyChanges) => transitions.replacePolicies(ctx, changes));

async function askFor(ctx: Ctx, refused: transitions.Refused): Promise<Problem> {
  const { proposal, registration } = refused.operation;
  if (proposal.op === 'move' || proposal.op === 'model-restoration') return refused;
  try {
    const { workspace } = refused.operation;
    return await transaction(workspace === undefined ? ctx : within(ctx, workspace), async (inner) => {
      const operation = await renewed(inner, refused.operation, registration);
      const request = await open(inner, operation, undefined);
      const id = request?.id ?? (await findOwn(inner, operation))?.id;
      const words = request === undefined ? `Request ${id} is open for it` : `Request ${id} was opened for it`;
      return new Problem('PERMISSION_DENIED', `${await missingNow(inner, refused, operation)} ${words}: GET /api/v1/requests/${id}.`);
    });
  } catch (error) {
    if (error instanceof Problem)
      return new Problem('PERMISSION_DENIED', `${refused.message} No request could be opened for it: ${error.message}`);
    throw error;
  }
}

/** The request took the evidence of today, and can be answered: other things may be missing than were when the call was refused. */
async function missingNow(ctx: TxCtx, refused: transitions.Refused, operation: transitions.Operation): Promise<string> {
  const { asked } = await transitions.judge(ctx, operation);
  const text = policies.refusalText(asked.map(({ decision }) => decision));
  const now = text === '' ? 'With the evidence that was taken just now nothing is missing: make the call again.' : text;
  // Why what was tried, a rollback or broken glass, is no way either.
  const tried = policies.refusalText(refused.decisions.filter(({ path }) => path !== 'requirements'));
  return tried === '' ? now : `${now} ${tried}`;
}

export interface Answer {
  readonly comment?: string | undefined;
  /** Beside what the request says. */
  readonly archiveExisting?: boolean | undefined;
}

/**
 * Approves all open requests for the same change. What the approvals suffice for is carried out, unless its policy wants that to be said by hand.
 * PERMISSION_DENIED where the approval could not count, with the reason.
 */
export function approve(ctx: Ctx, id: number, answer: Answer = {}): Promise<approvals.Request> {
  checkComment(answer.comment);
  return answering(ctx, id, async (inner, request, open) => {
    if (hasExpired(inner, request)) throw new Problem('INVALID_STATE', `Request ${id} has expired. A new one can be made.`);
    const operation = await transitions.operationOf(inner, request);
    const { version } = operation;
    const about = { number: version?.version, from: version?.stage };
    const before = await transitions.judge(inner, operation);
    const asks = before.asked.filter(({ policy }) => policy.document.requirements.approvals.length > 0);
    const mayMake = await mayMakeIt(inner, request);
    if (asks.length === 0 && !mayMake) await demandMaking(inner, operation, request);
    const hashes = [...new Set(before.asked.map(({ policy }) => policy.hash))];
    const note = { comment: answer.comment, archiving: await archivingOf(inner, operation, answer) };
    const lastMs = before.asked.map(({ policy }) => durationMs(policy.document.expiry.approval));
    const expiredAt = inner.clock.now() - Math.min(...lastMs);
    await approvals.approve(inner, open, { ...before.binding, policies: hashes, expiredAt }, about, note);
    const { asked } = before.asked.length === 0 ? before : await transitions.judge(inner, operation);
    const isSatisfied = asks.length > 0 && asked.every(({ decision }) => decision.isSatisfied);
    const isAllowed = asked.every(({ decision }) => decision.isAllowed);
    const isManual = asked.some(({ policy }) => policy.document.apply === 'manual');
    const isCounted = asked.some(({ facts, decision }) => {
      const own = facts.approvals.filter((each) => each.by === inner.principal.id);
      return own.some((each) => !decision.staleApprovals.some((stale) => stale.id === each.id));
    });
    const isSetting = request.modelId === null;
    if (isSatisfied && !isManual && !isSetting) await transitions.carryOut(inner, request, { by: 'approvals' }, answer);
    else if (isAllowed && !isManual && mayMake && !isSetting)
      await transitions.carryOut(inner, request, { by: 'caller', isAnswer: true }, answer);
    else if (asks.length > 0 && !isCounted) throw uncounted(inner, asked);
  });
}

/** It is carried out as the last who approved said, also where it still waits for a check, or for time. */
async function archivingOf(
  ctx: Ctx,
  { proposal }: transitions.Operation,
  { archiveExisting }: Answer,
): Promise<approvals.ApprovalNote['archiving']> {
  if (proposal.op !== 'stage' || archiveExisting === undefined) return undefined;
  // Or it could never be carried out.
  if (archiveExisting) demandActive(await getStages(ctx), proposal.stage);
  return { archiveExisting, proposal: JSON.stringify({ ...proposal, archiveExisting }) };
}

function uncounted(ctx: Ctx, asked: Awaited<ReturnType<typeof transitions.judge>>['asked']): Problem {
  const reasons = asked.flatMap(({ facts, decision }) =>
    decision.staleApprovals
      .filter((stale) => facts.approvals.some((each) => each.id === stale.id && each.by === ctx.principal.id))
      .map(({ what }) => what),
  );
  return new Problem(
    'PERMISSION_DENIED',
    `The approval of '${clip(ctx.principal.name)}' would not count: ${[...new Set(reasons)].join('; ')}. Ask somebody else.`,
  );
}

/** Closes all open requests for the same change; nothing moves. */
export function reject(ctx: Ctx, id: number, comment?: string): Promise<approvals.Request> {
  checkComment(comment);
  return answering(ctx, id, async (inner, request, open) => {
    const operation = await transitions.operationOf(inner, request);
    if (!(await mayMakeIt(inner, request)) && !(await isApprover(inner, request))) await demandMaking(inner, operation, request);
    const about = { number: operation.version?.version, from: operation.version?.stage };
    for (const each of open) await approvals.close(inner, each, 'rejected', about, { comment });
    if (request.candidateId !== null) await candidates.close(inner, request.candidateId);
  });
}

/** By whoever made it, or manages the model. */
export function cancel(ctx: Ctx, id: number, comment?: string): Promise<approvals.Request> {
  checkComment(comment);
  return answering(ctx, id, async (inner, request) => {
    if (request.createdBy !== inner.principal.id && !(await managesIt(inner, request))) {
      throw new Problem('PERMISSION_DENIED', 'Only whoever made a request, or manages the model, takes it back.');
    }
    await withdraw(inner, request, 'cancelled', { comment, cause: 'withdrawn' });
  });
}

async function withdraw(
  ctx: TxCtx,
  request: approvals.Request,
  ending: approvals.Ending,
  how: { comment?: string | undefined; cause: approvals.CloseCause },
): Promise<void> {
  const version = request.versionId === null ? undefined : await versions.findById(ctx, request.versionId);
  await approvals.close(ctx, request, ending, { number: version?.version, from: version?.stage }, how);
  if (request.candidateId === null) return;
  const [next] = await approvals.listOpen(ctx, request);
  await candidates.leave(ctx, request.candidateId, request.createdBy, next?.createdBy);
}

/** Carries out what is allowed now: by whoever asked for it, or may make the change himself. Refused with what is missing. */
export function apply(ctx: Ctx, id: number, answer: Answer = {}): Promise<approvals.Request> {
  checkComment(answer.comment);
  return answering(ctx, id, async (inner, request) => {
    const mayMake = await mayMakeIt(inner, request);
    if (request.createdBy !== inner.principal.id && !mayMake)
      await demandMaking(inner, await transitions.operationOf(inner, request), request);
    try {
      await transitions.carryOut(inner, request, { by: 'approvals' }, answer);
    } catch (error) {
      if (!(error instanceof transitions.NotYet)) throw error;
      if (!mayMake) {
        const { asked } = await transitions.judge(inner, await transitions.operationOf(inner, request));
        const decisions = asked.map(({ decision }) => ({ ...decision, isAllowed: decision.isSatisfied }));
        throw new Problem(
          'INVALID_STATE',
          policies.refusalText(decisions) || 'No policy is about this change: whoever may make it approves the request.',
        );
      }
      await transitions.carryOut(inner, request, { by: 'caller', isAnswer: true }, answer);
    }
  });
}

/** The open requests that a version moves to a stage, as databricks-sdk names them. RESOURCE_DOES_NOT_EXIST where there is none. */
export async function listAsked(ctx: Ctx, name: string, number: number, stage: string): Promise<Open> {
  const version = await versions.get(ctx, name, number);
  const canonical = await transitions.canonicalStageOf(ctx, stage);
  const [first, ...others] = (await approvals.listOpenOfVersion(ctx, version.id)).filter((each) => each.target === `stage:${canonical}`);
  if (first === undefined) throw notFound(`There is no such open request for version ${number} of '${name}' to ${canonical}.`);
  return [first, ...others];
}

type Open = readonly [approvals.Request, ...approvals.Request[]];

/** INVALID_STATE where it was closed before. Answers the request as it is then. */
async function answering(
  ctx: Ctx,
  id: number,
  work: (inner: TxCtx, request: approvals.Request, open: Open) => Promise<void>,
): Promise<approvals.Request> {
  const { modelId } = await get(ctx, id);
  return holding(ctx, modelId, async (inner) => {
    const request = await approvals.get(inner, id);
    if (request.state !== 'open') {
      throw new Problem('INVALID_STATE', `Request ${id} is open no more. Look at it to see how it ended; a new one can be made.`);
    }
    const others = (await approvals.listOpen(inner, request)).filter((each) => each.id !== id);
    await work(inner, request, [request, ...others]);
    return approvals.get(inner, id);
  });
}

/** What the policies say of it now, with every reason, and who may still be asked. */
export async function evaluate(ctx: Ctx, request: approvals.Request): Promise<transitions.Judgement> {
  return transitions.judge(ctx, await transitions.operationOf(ctx, request));
}

/** Brings back a version that stood in a place before, under the rollback rule of the policy that is about it. */
export async function rollback(ctx: Ctx, name: string, version: number, target: string, reason: string): Promise<void> {
  if (reason.trim() === '') throw invalid("A rollback needs its reason: give 'reason'.");
  const way = { by: 'rollback', reason } as const;
  const place = transitions.readTarget(target);
  if (place?.kind === 'alias') return transitions.setAlias(ctx, name, place.alias, version, way);
  if (place?.kind !== 'stage')
    throw invalid(`'${clip(target)}' is no place that a version comes back to. Name one as in stage:Production or alias:champion.`);
  const archiveExisting = await transitions.isActiveStage(ctx, place.stage);
  await transitions.moveStage(ctx, { name, version, stage: place.stage, archiveExisting, comment: reason }, way);
}

/** Reports a check, and then carries out what waited for it; what can't be carried out yet is looked at again by `sweep`. */
export async function reportCheck(ctx: Ctx, name: string, version: number, report: checks.NewReport): Promise<checks.Reported> {
  const reported = await transaction(ctx, async (inner) => {
    await models.hold(inner, name);
    return checks.report(inner, name, version, report);
  });
  for (const request of await listWaitingFor(ctx, reported.check.versionId)) await advance(ctx, request);
  return reported;
}

/** Carries out, as the server itself, what needs nobody any more. In a transaction of its own: what fails half-way is undone whole. */
async function advance(ctx: Ctx, { id, modelId }: approvals.Request): Promise<void> {
  try {
    await holding(ctx, modelId, async (inner) => {
      const request = await approvals.get(inner, id);
      if (request.state !== 'open' || (await approvals.listLive(inner, request)).length === 0) return;
      const about = await transitions.policiesAbout(inner, request);
      if (about.some(({ document }) => document.apply === 'manual')) return;
      await carryOutIfApproved({ ...inner, principal: AS_LOCAL.principal }, request);
    });
  } catch (error) {
    if (!(error instanceof Problem)) throw error;
  }
}

/** That the approvals don't suffice yet is said before anything is changed. */
async function carryOutIfApproved(ctx: TxCtx, request: approvals.Request): Promise<void> {
  try {
    await transitions.carryOut(ctx, request, { by: 'approvals' });
  } catch (error) {
    if (!(error instanceof transitions.NotYet)) throw error;
  }
}

const SWEPT_PAGE = 200;

/** What was asked for in a workspace that goes, goes with it: its policies say nothing of what is moved elsewhere. In the caller's transaction. */
export async function withdrawAll(ctx: TxCtx): Promise<void> {
  for (;;) {
    const page = await approvals.list(ctx, { state: 'open', beforeId: Number.MAX_SAFE_INTEGER, limit: SWEPT_PAGE });
    await transitions.closeRequests(ctx, page);
    if (page.length < SWEPT_PAGE) return;
  }
}

/** What time alone decides: requests expire, and what waited for a freeze or a soak to be over is carried out. */
export async function sweep(ctx: Ctx): Promise<void> {
  for (const request of await approvals.listExpired(ctx, SWEPT_PAGE)) {
    const workspace = await findWorkspaceById(reading(ctx), request.workspaceId);
    if (workspace === undefined) continue;
    await holding(within(ctx, workspace), request.modelId, async (inner) => {
      if ((await approvals.get(inner, request.id)).state === 'open') await withdraw(inner, request, 'expired', { cause: 'time' });
    });
  }
  // All of them: what waits long must not keep what came later from its turn.
  for (let afterId = 0; ; ) {
    const page = await approvals.listApproved(ctx, { afterId, limit: SWEPT_PAGE });
    for (const request of page) {
      const workspace = await findWorkspaceById(reading(ctx), request.workspaceId);
      if (workspace !== undefined) await advance(within(ctx, workspace), request);
    }
    const last = page.at(-1);
    if (last === undefined || page.length < SWEPT_PAGE) return;
    afterId = last.id;
  }
}
