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

/** To its author: nobody else writes one. */
async function answerComment(ctx: Ctx, comment: comments.Comment): Promise<Static<typeof CommentSchema>> {
  const principalOf = await catalog.listPrincipals(ctx, [comment.createdBy]);
  return {
    id: comment.id,
    comment: comment.text,
    created_by: principalOf(comment.createdBy),
    created_at: comment.createdAt,
    updated_at: comment.updatedAt,
    available_actions: ['edit', 'delete'],
  };
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
  createComment: async (ctx, { params, body }) => answerComment(ctx, await comments.create(ctx, params.name, params.version, body.comment)),
  updateComment: async (ctx, { params, body }) => answerComment(ctx, await comments.update(ctx, params.comment, body.comment)),
  deleteComment: (ctx, { params }) => done(comments.remove(ctx, params.comment)),
};
