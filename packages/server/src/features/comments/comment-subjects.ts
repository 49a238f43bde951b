/** What comments are about: a version, or a request, which may be of a version, of a model alone, or of neither. */
import type { Access } from '@countersign/contract/access.ts';
import { RANK, type Rank } from '@countersign/contract/levels.ts';
import { notFound, Problem } from '@countersign/contract/problem.ts';
import type { Ctx } from '../../platform/context.ts';
import { accessIn, demand } from '../access/access.ts';
import type { Account } from '../accounts/accounts.ts';
import * as models from '../models/models.ts';
import * as requests from '../requests/requests.ts';
import * as versions from '../versions/versions.ts';
import type { CommentRow } from './comment-store.ts';

export interface Subject {
  readonly model: { readonly id: number; readonly name: string } | undefined;
  readonly version: { readonly id: number; readonly version: number } | undefined;
  readonly requestId: number | null;
}

/** Throws RESOURCE_DOES_NOT_EXIST. */
export async function subjectOfVersion(ctx: Ctx, name: string, number: number): Promise<Subject> {
  const version = await versions.get(ctx, name, number);
  return { model: { id: version.modelId, name: version.name }, version, requestId: null };
}

/** Throws RESOURCE_DOES_NOT_EXIST, also where the caller may not see it. */
export async function subjectOfRequest(ctx: Ctx, id: number): Promise<Subject> {
  const { modelId, versionId } = await requests.get(ctx, id);
  const subject = await find(ctx, modelId, versionId, id);
  if (subject === undefined) throw notFound(`There is no request ${id}.`);
  return subject;
}

/** Undefined where it was deleted, is in another workspace, or the caller may not see it. */
export async function findSubject(ctx: Ctx, { modelId, versionId, requestId }: CommentRow): Promise<Subject | undefined> {
  if (requestId !== null && !(await isRequestVisible(ctx, requestId))) return undefined;
  const subject = await find(ctx, modelId, versionId, requestId);
  return subject && (requestId !== null || rankOn(ctx.access, subject) >= RANK.VIEW) ? subject : undefined;
}

async function find(ctx: Ctx, modelId: number | null, versionId: number | null, requestId: number | null): Promise<Subject | undefined> {
  if (versionId !== null) {
    const version = await versions.findById(ctx, versionId);
    return version?.deletedAt === null ? { model: { id: version.modelId, name: version.name }, version, requestId } : undefined;
  }
  const model = modelId === null ? undefined : await models.findById(ctx, modelId);
  if (modelId !== null && model?.deletedAt !== null) return undefined;
  return { model, version: undefined, requestId };
}

async function isRequestVisible(ctx: Ctx, id: number): Promise<boolean> {
  try {
    await requests.get(ctx, id);
    return true;
  } catch (error) {
    if (error instanceof Problem && error.code === 'RESOURCE_DOES_NOT_EXIST') return false;
    throw error;
  }
}

/** Whether somebody else may see it. */
export async function isVisibleTo(ctx: Ctx, account: Account, subject: Subject): Promise<boolean> {
  const access = await accessIn(ctx, account, ctx.workspace.id);
  if (subject.model !== undefined) return access.rankOf('registered-model', subject.model) >= RANK.VIEW;
  const { id, kind, name } = account;
  return (
    subject.requestId !== null &&
    isRequestVisible({ ...ctx, principal: { id, kind, name }, access, tokenScope: undefined }, subject.requestId)
  );
}

/** What somebody may do about what he sees: as on its model; where it is of none, a manager all. */
export function rankOn(access: Access, { model }: Pick<Subject, 'model'>): Rank {
  if (model !== undefined) return access.rankOf('registered-model', model);
  return access.isManager ? RANK.MANAGE : RANK.READ;
}

/** Whoever may read may say something. Throws PERMISSION_DENIED. */
export function demandWord(ctx: Ctx, { model }: Subject): void {
  if (model !== undefined) demand(ctx, 'registered-model', model, 'READ');
}
