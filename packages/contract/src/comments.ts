/** Comments on versions, and what happened to a version as people read it. */
import { Type } from 'typebox';
import { endpoint } from './endpoint.ts';
import { closed, Done, Id, Limit, NextPageToken, named, nullable, oneOf, PageToken, PrincipalRef, Time } from './schemas.ts';
import { STAGES } from './stages.ts';
import { ByVersion } from './versions.ts';

export const ACTIVITY_TYPES = [
  'REQUESTED_TRANSITION',
  'APPROVED_REQUEST',
  'REJECTED_REQUEST',
  'CANCELLED_REQUEST',
  'APPLIED_TRANSITION',
  'SYSTEM_TRANSITION',
  'NEW_COMMENT',
] as const;

export const CommentSchema = named('Comment', {
  id: Type.String(),
  comment: Type.String({ description: 'Markdown.' }),
  created_by: PrincipalRef,
  created_at: Time,
  updated_at: Time,
  available_actions: Type.Array(oneOf(['edit', 'delete']), { description: 'What the caller may do now.' }),
});

export const ActivitySchema = named('Activity', {
  id: Type.Integer({ description: 'The event that it is.' }),
  type: oneOf(ACTIVITY_TYPES),
  by: PrincipalRef,
  request_id: nullable(Id, 'Of what is asked and answered.'),
  comment_id: nullable(Type.String(), 'Of comments.'),
  comment: nullable(Type.String(), 'Markdown; null where nothing was said, or it was erased.'),
  system_comment: nullable(Type.String(), 'Why something happened that nobody did by hand.'),
  from_stage: nullable(oneOf(STAGES)),
  to_stage: nullable(oneOf(STAGES)),
  created_at: Time,
  updated_at: Time,
});

const ByComment = closed({ comment: Type.String({ minLength: 1, description: 'Id of the comment.' }) });
const Words = closed({ comment: Type.String({ minLength: 1, description: 'Markdown.' }) });

export const commentEndpoints = [
  endpoint({
    id: 'listActivities',
    noun: 'comments',
    method: 'GET',
    path: '/api/v1/models/{name}/versions/{version}/activities',
    permission: 'model-version.view',
    summary: 'What was asked, answered, moved and said about a version.',
    description: 'Comments stand as they are now; a deleted one is left out, so that a page may be shorter than its limit.',
    params: ByVersion,
    query: closed({
      order: Type.Optional(oneOf(['newest', 'oldest'], '`newest` first, or `oldest` first; newest where it is left out.')),
      limit: Limit,
      page_token: PageToken,
    }),
    output: named('ActivityPage', { activities: Type.Array(ActivitySchema), next_page_token: NextPageToken }),
  }),
  endpoint({
    id: 'createComment',
    noun: 'comments',
    method: 'POST',
    path: '/api/v1/models/{name}/versions/{version}/comments',
    permission: 'comment.create',
    summary: 'Comment on a version.',
    params: ByVersion,
    body: Words,
    output: CommentSchema,
    status: 201,
  }),
  endpoint({
    id: 'updateComment',
    noun: 'comments',
    method: 'PATCH',
    path: '/api/v1/comments/{comment}',
    permission: 'comment.edit',
    summary: 'Change a comment.',
    description: 'By its author.',
    params: ByComment,
    body: Words,
    output: CommentSchema,
  }),
  endpoint({
    id: 'deleteComment',
    noun: 'comments',
    method: 'DELETE',
    path: '/api/v1/comments/{comment}',
    permission: 'comment.edit',
    summary: 'Delete a comment.',
    description: 'By its author, or whoever manages the model. Its words stay in the record until an administrator erases them.',
    params: ByComment,
    output: Done,
  }),
] as const;
