/**
 * What was asked for and who said yes: requests, and the approvals of one change. A round of approvals ends with the last open request for the change,
 * however that ends, so nothing that was approved once is approved for ever.
 */
import type { Approval } from '@countersign/contract/policy-facts.ts';
import { notFound } from '@countersign/contract/problem.ts';
import { type Ctx, reading, type TxCtx } from '../../platform/context.ts';
import type { SearchScope } from '../../platform/db/search-scope.ts';
import { record } from '../events/events.ts';
import type { ApprovalRow } from './approval-store.ts';
import * as store from './approval-store.ts';
import type { Ending, NewRequest, Request, RequestQuery } from './request-store.ts';
import * as requestStore from './request-store.ts';

export type { ApprovalRow } from './approval-store.ts';
export { ENDINGS, type Ending, type NewRequest, type Request, type RequestQuery, type RequestState } from './request-store.ts';

/** One change that is asked for, whoever asks. */
export type Change = Pick<Request, 'about' | 'subject'>;

/** Why a request was closed that nobody answered. */
export type CloseCause = 'withdrawn' | 'moved' | 'deleted' | 'time' | 'superseded';

/** What the events of a request say of the version that it is about. */
export interface About {
  readonly number?: number | undefined;
  readonly from?: string | undefined;
}

/** Undefined where the caller has an open one for the same. */
export async function open(ctx: TxCtx, row: NewRequest, about: About, comment: string | undefined): Promise<Request | undefined> {
  const id = await requestStore.insert(ctx.tx, row);
  if (id === undefined) return undefined;
  const request: Request = { ...row, id, state: 'open', closedBy: null, closedAt: null };
  tell(ctx, 'opened', request, about, comment);
  return request;
}

/** What an approval is bound to. */
export type Bound = Pick<Approval, 'digest' | 'evidence' | 'policies'> & {
  /** Epoch ms: what was given until then has expired, and may be given again. */
  readonly expiredAt: number;
};

/** What whoever approves says beside yes. */
export interface ApprovalNote {
  readonly comment?: string | undefined;
  /** Of a move between stages; undefined: as it was said before. */
  readonly archiving?: { readonly archiveExisting: boolean; readonly proposal: string } | undefined;
}

/** Of all open requests for the change; the events are on each, the approval is one. The same again changes nothing. */
export async function approve(
  ctx: TxCtx,
  requests: readonly [Request, ...Request[]],
  bound: Bound,
  about: About,
  { comment, archiving }: ApprovalNote,
): Promise<void> {
  const [first] = requests;
  const live = await store.listLive(ctx.tx, first.about, first.subject);
  const policies = JSON.stringify([...bound.policies].sort());
  const isGiven = live.some(
    (each) =>
      each.approvedBy === ctx.principal.id &&
      each.approvedAt > bound.expiredAt &&
      each.digest === bound.digest &&
      each.evidence === bound.evidence &&
      each.policies === policies,
  );
  if (isGiven) return;
  const id = await store.insert(ctx.tx, {
    about: first.about,
    subject: first.subject,
    requestId: first.id,
    approvedBy: ctx.principal.id,
    approvedAt: ctx.clock.now(),
    digest: bound.digest,
    evidence: bound.evidence,
    policies,
  });
  for (const request of requests) {
    if (archiving !== undefined) await requestStore.setProposal(ctx.tx, request.id, archiving.proposal, ctx.principal.id);
    tell(ctx, 'approved', request, about, comment, {
      ...(archiving === undefined ? {} : { archive_existing: archiving.archiveExisting }),
      approval_id: id,
      digest: bound.digest,
      evidence: bound.evidence,
      policies: [...bound.policies].sort(),
    });
  }
}

/** What is said of a request as it closes. */
export interface Closing {
  readonly comment?: string | undefined;
  readonly cause?: CloseCause;
}

/** One request. The last one that closes takes the approvals with it. */
export async function close(ctx: TxCtx, request: Request, ending: Ending, about: About, closing: Closing = {}): Promise<Request> {
  const closed = await closeOne(ctx, request, ending, about, closing);
  if ((await requestStore.listOpen(ctx.tx, request.about, request.subject)).length === 0) await endRound(ctx, request);
  return closed;
}

/** All open ones of a change; the approvals go with them. */
export async function closeAll(ctx: TxCtx, change: Change, ending: Ending, about: About, closing: Closing = {}): Promise<void> {
  const closed = await requestStore.closeAll(ctx.tx, change, ending, ctx.clock.now(), ctx.principal.id);
  if (closed.length === 0) return;
  for (const request of closed) tellEnd(ctx, request, ending, about, closing);
  await endRound(ctx, change);
}

async function closeOne(ctx: TxCtx, request: Request, ending: Ending, about: About, closing: Closing): Promise<Request> {
  const at = ctx.clock.now();
  const by = ctx.principal.id;
  // Without it one request would be answered twice: what it is about is held, so this doesn't happen.
  if (!(await requestStore.close(ctx.tx, request.id, ending, at, by))) throw new TypeError(`request ${request.id} was closed by another`);
  tellEnd(ctx, request, ending, about, closing);
  return { ...request, state: ending, closedAt: at, closedBy: by };
}

function tellEnd(ctx: TxCtx, request: Request, ending: Ending, about: About, { comment, cause }: Closing): void {
  tell(ctx, ending === 'approved' ? 'applied' : ending, request, about, comment, cause === undefined ? {} : { cause });
}

function endRound(ctx: TxCtx, { about, subject }: Change): Promise<unknown> {
  return store.closeLive(ctx.tx, about, subject, ctx.clock.now());
}

/** On the request itself: it changes no place. */
function tell(
  ctx: TxCtx,
  verb: 'opened' | 'applied' | Ending,
  request: Request,
  about: About,
  comment: string | undefined,
  more: Readonly<Record<string, string | number | boolean | null | readonly string[]>> = {},
): void {
  record(ctx, {
    type: `request.${verb}`,
    target: `request:${request.id}`,
    ...(request.modelId === null ? {} : { modelId: request.modelId }),
    ...(request.versionId === null ? {} : { versionId: request.versionId }),
    data: {
      ...more,
      ...(about.from === undefined ? {} : { from: about.from }),
      ...(about.number === undefined ? {} : { number: about.number }),
      request_id: request.id,
      target: request.target,
    },
    // A subject may hold the value of a tag.
    texts: {
      ...(request.subject === request.target ? {} : { subject: request.subject }),
      ...(comment ? { comment } : {}),
    },
  });
}

/** RESOURCE_DOES_NOT_EXIST. */
export async function get(ctx: Ctx, id: number): Promise<Request> {
  const request = await requestStore.find(reading(ctx), ctx.workspace.id, id);
  if (request === undefined) throw notFound(`There is no request ${id}.`);
  return request;
}

export function listOpen(ctx: Ctx, change: Change): Promise<Request[]> {
  return requestStore.listOpen(reading(ctx), change.about, change.subject);
}

export function listOpenOfVersion(ctx: Ctx, versionId: number): Promise<Request[]> {
  return requestStore.listOpenOfVersion(reading(ctx), versionId);
}

/** Open ones about any of these that somebody approved, oldest first. */
export function listApprovedAbout(ctx: Ctx, abouts: readonly string[], limit: number): Promise<Request[]> {
  return requestStore.listApprovedAbout(reading(ctx), abouts, limit);
}

export function listOpenOfModel(ctx: Ctx, modelId: number): Promise<Request[]> {
  return requestStore.listOpenOfModel(reading(ctx), modelId);
}

/** Versions of the workspace for which a place is asked for, as `name/version`, by both; at most so many. */
export async function listOpenPlaces(ctx: Ctx, target: string, limit: number): Promise<string[]> {
  return (await requestStore.listOpenPlaces(reading(ctx), ctx.workspace.id, target, limit)).map(
    ({ name, version }) => `${name}/${version}`,
  );
}

export function listExpired(ctx: Ctx, limit: number): Promise<Request[]> {
  return requestStore.listExpired(reading(ctx), ctx.clock.now(), limit);
}

/** Open ones, of whatever workspace, that somebody approved. */
export function listApproved(ctx: Ctx, page: { readonly afterId: number; readonly limit: number }): Promise<Request[]> {
  return requestStore.listApproved(reading(ctx), page);
}

/** Newest first. */
export function list(ctx: Ctx, query: Omit<RequestQuery, 'workspaceId'>): Promise<Request[]> {
  return requestStore.list(reading(ctx), { ...query, workspaceId: ctx.workspace.id });
}

/** Open ones of no model, or of one in the scope, newest first. */
export function listOpenInScope(
  ctx: Ctx,
  page: { readonly scope: SearchScope | undefined; readonly beforeId: number; readonly limit: number },
): Promise<Request[]> {
  return requestStore.listOpenInScope(reading(ctx), { ...page, workspaceId: ctx.workspace.id });
}

/** Those that may still count, as facts. */
export async function listLive(ctx: Ctx, change: Change): Promise<readonly Approval[]> {
  return (await store.listLive(reading(ctx), change.about, change.subject)).map((row) => ({
    id: row.id,
    by: row.approvedBy,
    at: row.approvedAt,
    subject: row.subject,
    digest: row.digest,
    evidence: row.evidence,
    policies: JSON.parse(row.policies) as string[], // written by `approve` alone
  }));
}

export function listOfRequests(ctx: Ctx, requestIds: readonly number[]): Promise<ApprovalRow[]> {
  return store.listOfRequests(reading(ctx), requestIds);
}
