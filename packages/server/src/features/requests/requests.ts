/**
 * Requests for governed changes: opened by whoever may read, answered by whoever may make the change itself. Here are also the changes that close
 * requests by the way: a move to what was asked for, and deletions.
 */
import { RANK } from '@countersign/contract/levels.ts';
import { checkLength } from '@countersign/contract/names.ts';
import { invalid, notFound, Problem } from '@countersign/contract/problem.ts';
import { canonicalStage, type Stage } from '@countersign/contract/stages.ts';
import { type Ctx, reading, type TxCtx, transaction } from '../../platform/context.ts';
import { demand } from '../access/access.ts';
import { record } from '../events/events.ts';
import * as models from '../models/models.ts';
import * as transitions from '../transitions/transitions.ts';
import type { ModelVersion } from '../versions/versions.ts';
import * as versions from '../versions/versions.ts';
import type { Ending, Request } from './request-store.ts';
import * as store from './request-store.ts';

export type { Ending, Request } from './request-store.ts';

const COMMENT_MAX = 16_000;

/** What a request asks for. Other kinds of targets come beside stages. */
export interface RequestTarget {
  readonly kind: 'stage';
  readonly stage: Stage;
}

export interface VersionName {
  readonly name: string;
  readonly version: number;
}

/** The requests of one version for one stage. */
export interface Asked extends VersionName {
  /** In any case. */
  readonly stage: string;
}

export interface Wish extends Asked {
  readonly comment?: string | undefined;
}

export interface Answer extends Wish {
  /** It must be one of those that are answered: INVALID_STATE where it was closed before. */
  readonly requestId?: number;
}

/** Why a request was closed that nobody answered. */
export type CancelCause = 'withdrawn' | 'moved' | 'deleted';

export function targetOf(request: Pick<Request, 'target'>): RequestTarget {
  return { kind: 'stage', stage: canonicalStage(request.target.replace(/^stage:/, '')) };
}

function writeTarget(stage: Stage): string {
  return `stage:${stage}`;
}

/** What is read and closed here is changed by nobody else until the commit. */
function holding<T>(ctx: Ctx, name: string, work: (inner: TxCtx) => Promise<T>): Promise<T> {
  return transaction(ctx, async (inner) => {
    await models.hold(inner, name);
    return work(inner);
  });
}

/** RESOURCE_ALREADY_EXISTS where the caller has an open one for the same. */
export function create(ctx: Ctx, asked: Wish): Promise<Request> {
  const stage = canonicalStage(asked.stage);
  checkComment(asked.comment);
  return holding(ctx, asked.name, async (inner) => {
    const version = await versions.get(inner, asked.name, asked.version);
    demand(inner, 'registered-model', { id: version.modelId, name: version.name }, 'READ');
    if (version.stage === stage) {
      throw invalid(`Version ${version.version} of '${version.name}' is in ${stage} already. Ask for another stage.`);
    }
    const row = {
      modelId: version.modelId,
      versionId: version.id,
      target: writeTarget(stage),
      createdBy: inner.principal.id,
      createdAt: inner.clock.now(),
    };
    const id = await store.insert(inner.tx, row);
    if (id === undefined) {
      throw new Problem(
        'RESOURCE_ALREADY_EXISTS',
        `You have an open request for version ${version.version} of '${version.name}' to ${stage} already. Wait for its answer, or cancel it first.`,
      );
    }
    const request: Request = { ...row, id, state: 'open', closedBy: null, closedAt: null };
    tell(inner, 'opened', request, version, asked.comment);
    return request;
  });
}

/** Answers all open requests of the version for the stage, and moves it there. Answers the version and the requests as they are then. */
export function approve(
  ctx: Ctx,
  answer: Answer & { readonly archiveExisting: boolean },
): Promise<{ readonly version: ModelVersion; readonly requests: readonly Request[] }> {
  return holding(ctx, answer.name, async (inner) => {
    const { requests } = await answerAll(inner, answer, 'approved');
    const version = await moveStage(inner, answer);
    return { version, requests };
  });
}

/** Closes all open requests of the version for the stage; nothing moves. */
export function reject(ctx: Ctx, answer: Answer): Promise<readonly Request[]> {
  return holding(ctx, answer.name, async (inner) => (await answerAll(inner, answer, 'rejected')).requests);
}

async function answerAll(ctx: TxCtx, answer: Answer, ending: Ending): Promise<{ requests: readonly Request[] }> {
  const stage = canonicalStage(answer.stage);
  checkComment(answer.comment);
  const version = await versions.get(ctx, answer.name, answer.version);
  transitions.demandMove(ctx, version, stage);
  const open = (await store.listOpen(ctx.tx, version.id)).filter((request) => request.target === writeTarget(stage));
  if (answer.requestId !== undefined && !open.some((request) => request.id === answer.requestId)) throw closedBefore(answer.requestId);
  if (open.length === 0) throw noOpenRequest(version, stage);
  const requests: Request[] = [];
  for (const request of open) requests.push(await close(ctx, request, version, ending, { comment: answer.comment }));
  return { requests };
}

/** By whoever made it, or manages the model. `isMeant` picks it from the open ones for the stage. */
export function cancel(ctx: Ctx, answer: Wish, isMeant: (request: Request) => boolean): Promise<Request> {
  const stage = canonicalStage(answer.stage);
  checkComment(answer.comment);
  return holding(ctx, answer.name, async (inner) => {
    const version = await versions.get(inner, answer.name, answer.version);
    const open = await store.listOpen(inner.tx, version.id);
    const request = open.find((each) => each.target === writeTarget(stage) && isMeant(each));
    if (request === undefined) throw noOpenRequest(version, stage);
    if (request.createdBy !== inner.principal.id) {
      demand(inner, 'registered-model', { id: version.modelId, name: version.name }, 'MANAGE');
    }
    return close(inner, request, version, 'cancelled', { comment: answer.comment, cause: 'withdrawn' });
  });
}

function noOpenRequest(version: ModelVersion, stage: Stage): Problem {
  return notFound(`There is no such open request for version ${version.version} of '${version.name}' to ${stage}.`);
}

function closedBefore(id: number): Problem {
  return new Problem('INVALID_STATE', `Request ${id} is open no more. Look at it to see how it ended; a new one can be made.`);
}

interface Closing {
  readonly comment?: string | undefined;
  readonly cause?: CancelCause;
}

async function close(
  ctx: TxCtx,
  request: Request,
  version: Pick<ModelVersion, 'version' | 'stage'>,
  ending: Ending,
  { comment, cause }: Closing,
): Promise<Request> {
  const at = ctx.clock.now();
  const by = ctx.principal.id;
  // Without it one request would be answered twice: the model is held, so this doesn't happen.
  if (!(await store.close(ctx.tx, request.id, ending, at, by))) throw new TypeError(`request ${request.id} was closed by another`);
  tell(ctx, ending, request, version, comment, cause);
  return { ...request, state: ending, closedAt: at, closedBy: by };
}

/** On the request itself: it changes no place. */
function tell(
  ctx: TxCtx,
  verb: 'opened' | Ending,
  request: Request,
  version: Pick<ModelVersion, 'version' | 'stage'>,
  comment: string | undefined,
  cause?: CancelCause,
): void {
  record(ctx, {
    type: `request.${verb}`,
    target: `request:${request.id}`,
    modelId: request.modelId,
    versionId: request.versionId,
    data: {
      ...(cause === undefined ? {} : { cause }),
      from: version.stage,
      number: version.version,
      request_id: request.id,
      target: request.target,
    },
    ...(comment ? { texts: { comment } } : {}),
  });
}

function checkComment(comment: string | undefined): void {
  if (comment !== undefined) checkLength(comment, COMMENT_MAX, 'comment');
}

/** As the door moves it; what was open for where a version came to is closed. */
export function moveStage(ctx: Ctx, move: transitions.StageMove): Promise<ModelVersion> {
  checkComment(move.comment);
  return transitions.moveStage(ctx, move, async (inner, moved) => {
    for (const request of await store.listOpen(inner.tx, moved.id)) {
      if (request.target === writeTarget(moved.stage)) await close(inner, request, moved, 'cancelled', { cause: 'moved' });
    }
  });
}

/** Its open requests go with it, and don't come back with it. */
export function deleteVersion(ctx: Ctx, name: string, number: number): Promise<void> {
  return holding(ctx, name, async (inner) => {
    const version = await versions.get(inner, name, number);
    for (const request of await store.listOpen(inner.tx, version.id))
      await close(inner, request, version, 'cancelled', { cause: 'deleted' });
    await transitions.deleteVersion(inner, name, number);
  });
}

/** The same for all versions of a model. */
export function deleteModel(ctx: Ctx, name: string): Promise<void> {
  return holding(ctx, name, async (inner) => {
    const model = await models.get(inner, name);
    for (const request of await store.listOpenOfModel(inner.tx, model.id)) {
      const version = await versions.findById(inner, request.versionId);
      if (version) await close(inner, request, version, 'cancelled', { cause: 'deleted' });
    }
    await transitions.deleteModel(inner, name);
  });
}

export async function listOpen(ctx: Ctx, version: Pick<ModelVersion, 'id'>): Promise<readonly Request[]> {
  return store.listOpen(reading(ctx), version.id);
}

/** Of whatever state, newest first. */
export async function list(
  ctx: Ctx,
  version: Pick<ModelVersion, 'id'>,
  page: { readonly beforeId: number | undefined; readonly limit: number },
): Promise<readonly Request[]> {
  return store.list(reading(ctx), version.id, { beforeId: page.beforeId ?? Number.MAX_SAFE_INTEGER, limit: page.limit });
}

/** Throws RESOURCE_DOES_NOT_EXIST. */
export async function get(ctx: Ctx, version: Pick<ModelVersion, 'id' | 'version' | 'name'>, id: number): Promise<Request> {
  const request = await store.find(reading(ctx), version.id, id);
  if (request) return request;
  throw notFound(`Version ${version.version} of '${version.name}' has no request ${id}.`);
}

export type RequestAction = 'approve' | 'reject' | 'cancel';

/** What the caller may do with a request now. */
export function actionsOn(ctx: Ctx, request: Request, version: ModelVersion): readonly RequestAction[] {
  if (request.state !== 'open') return [];
  const rank = ctx.access.rankOf('registered-model', { id: version.modelId, name: version.name });
  const mayAnswer = rank >= RANK[transitions.levelOfMove(version, targetOf(request).stage)];
  const mayCancel = request.createdBy === ctx.principal.id || rank >= RANK.MANAGE;
  return [...(mayAnswer ? (['approve', 'reject'] as const) : []), ...(mayCancel ? (['cancel'] as const) : [])];
}
