import type { CommentSchema, commentEndpoints } from '@countersign/contract/comments.ts';
import { PAGE_SIZE } from '@countersign/contract/schemas.ts';
import type { Static } from 'typebox';
import * as catalog from '../features/catalog/catalog.ts';
import * as comments from '../features/comments/comments.ts';
import * as versions from '../features/versions/versions.ts';
import type { Ctx } from '../platform/context.ts';
import { decodeOffset, encodeOffset } from '../platform/db/page-token.ts';
import { done } from './answers.ts';
import type { Handlers } from './handlers.ts';

export async function answerComments(
  ctx: Ctx,
  subject: Pick<comments.Subject, 'model'>,
  list: readonly comments.Comment[],
): Promise<Static<typeof CommentSchema>[]> {
  const principalOf = await catalog.listPrincipals(
    ctx,
    list.flatMap(({ createdBy, resolvedBy }) => (resolvedBy === null ? [createdBy] : [createdBy, resolvedBy])),
  );
  return list.map((comment) => ({
    id: comment.id,
    parent: comment.parentId,
    request_id: comment.requestId,
    comment: comment.text,
    created_by: principalOf(comment.createdBy),
    created_at: comment.createdAt,
    updated_at: comment.updatedAt,
    deleted_at: comment.deletedAt,
    resolved_by: comment.resolvedBy === null ? null : principalOf(comment.resolvedBy),
    resolved_at: comment.resolvedAt,
    available_actions: [...comments.actionsOn(ctx, comment, subject)],
  }));
}

async function answerComment(ctx: Ctx, { comment, subject }: comments.Placed): Promise<Static<typeof CommentSchema>> {
  const [answer] = await answerComments(ctx, subject, [comment]);
  if (answer === undefined) throw new TypeError('one comment is answered as one');
  return answer;
}

async function listComments(ctx: Ctx, about: comments.About, query: { readonly limit?: number; readonly page_token?: string }) {
  const {
    subject,
    comments: list,
    lastPk,
  } = await comments.list(ctx, about, {
    afterPk: decodeOffset(query.page_token) || undefined,
    limit: query.limit ?? PAGE_SIZE,
  });
  return { comments: await answerComments(ctx, subject, list), next_page_token: lastPk === undefined ? null : encodeOffset(lastPk) };
}

interface ListQuery {
  readonly order?: 'newest' | 'oldest';
  readonly limit?: number;
  readonly page_token?: string;
}

async function listActivities(ctx: Ctx, name: string, number: number, query: ListQuery) {
  const version = await versions.get(ctx, name, number);
  const { activities, nextSeq } = await comments.listActivities(ctx, version, {
    afterSeq: decodeOffset(query.page_token) || undefined,
    newestFirst: query.order !== 'oldest',
    limit: query.limit ?? PAGE_SIZE,
  });
  const principalOf = await catalog.listPrincipals(
    ctx,
    activities.map(({ principalId }) => principalId),
  );
  return {
    activities: activities.map((activity) => ({
      id: activity.seq,
      type: activity.type,
      by: principalOf(activity.principalId),
      request_id: activity.requestId,
      comment_id: activity.commentId,
      comment: activity.comment,
      system_comment: activity.systemComment,
      from_stage: activity.from,
      to_stage: activity.to,
      created_at: activity.createdAt,
      updated_at: activity.updatedAt,
    })),
    next_page_token: nextSeq === undefined ? null : encodeOffset(nextSeq),
  };
}

export const commentHandlers: Handlers<(typeof commentEndpoints)[number]['id']> = {
  listActivities: (ctx, { params, query }) => listActivities(ctx, params.name, params.version, query),
  listComments: (ctx, { params, query }) => listComments(ctx, params, query),
  createComment: async (ctx, { params, body }) => answerComment(ctx, await comments.create(ctx, params, body.comment, body.parent)),
  listRequestComments: (ctx, { params, query }) => listComments(ctx, { requestId: params.request }, query),
  createRequestComment: async (ctx, { params, body }) =>
    answerComment(ctx, await comments.create(ctx, { requestId: params.request }, body.comment, body.parent)),
  updateComment: async (ctx, { params, body }) => answerComment(ctx, await comments.update(ctx, params.comment, body.comment)),
  resolveComment: async (ctx, { params }) => answerComment(ctx, await comments.setResolved(ctx, params.comment, true)),
  reopenComment: async (ctx, { params }) => answerComment(ctx, await comments.setResolved(ctx, params.comment, false)),
  deleteComment: (ctx, { params }) => done(comments.remove(ctx, params.comment)),
};
