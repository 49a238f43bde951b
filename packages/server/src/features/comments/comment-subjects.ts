/** What comments are about: a version, or a request, which may be of a version, of a model alone, or of neither. */
import type { Access } from '@countersign/contract/access.ts';
import { RANK, type Rank } from '@countersign/contract/levels.ts';
import { notFound, Problem } from '@countersign/contract/problem.ts';
import type { Ctx } from '../../platform/context.ts';
import { demand } from '../access/access.ts';
import * as approvals from '../approvals/approvals.ts';
import * as models from '../models/models.ts';
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

/** Throws RESOURCE_DOES_NOT_EXIST, also where the caller may not see what it is about. */
export async function subjectOfRequest(ctx: Ctx, id: number): Promise<Subject> {
  const request = await approvals.get(ctx, id);
  const subject = await find(ctx, request.modelId, request.versionId, id);
  if (subject === undefined || rankOn(ctx.access, subject) < RANK.VIEW) throw notFound(`There is no request ${id}.`);
  return subject;
}

/** Undefined where it was deleted, is in another workspace, or the caller may not see it. */
export async function findSubject(ctx: Ctx, row: CommentRow): Promise<Subject | undefined> {
  if (row.modelId === null && row.workspaceId !== ctx.workspace.id) return undefined;
  const subject = await find(ctx, row.modelId, row.versionId, row.requestId);
  return subject && rankOn(ctx.access, subject) >= RANK.VIEW ? subject : undefined;
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

/** What somebody may do about it: as on its model; as a member where it is of none. */
export function rankOn(access: Access, { model }: Pick<Subject, 'model'>): Rank {
  if (model !== undefined) return access.rankOf('registered-model', model);
  return access.isMember ? RANK.READ : 0;
}

/** Whoever may read may say something. Throws PERMISSION_DENIED. */
export function demandWord(ctx: Ctx, subject: Subject): void {
  if (subject.model !== undefined) demand(ctx, 'registered-model', subject.model, 'READ');
  else if (!ctx.access.isMember)
    throw new Problem('PERMISSION_DENIED', `Permission denied: '${ctx.principal.name}' isn't a member of the workspace.`);
}
