/** Comments on versions and requests, in threads, and what happened to a version as people read it. */
import { Type } from 'typebox';
import { endpoint } from './endpoint.ts';
import { closed, Done, Id, Limit, NextPageToken, named, nullable, oneOf, PageToken, PrincipalRef, StageName, Time } from './schemas.ts';
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
  parent: nullable(Type.String(), 'The comment that opened the thread; null for that one.'),
  request_id: nullable(Id, 'Where it is about a request.'),
  comment: nullable(Type.String(), 'Markdown; null where it was deleted or erased.'),
  created_by: PrincipalRef,
  created_at: Time,
  updated_at: Time,
  deleted_at: nullable(Time, 'A deleted comment shows while answers to it do.'),
  resolved_by: nullable(PrincipalRef, 'Of the thread, in the comment that opened it.'),
  resolved_at: nullable(Time),
  available_actions: Type.Array(oneOf(['edit', 'delete', 'resolve', 'reopen']), { description: 'What the caller may do now.' }),
});

export const ActivitySchema = named('Activity', {
  id: Type.Integer({ description: 'The event that it is.' }),
  type: oneOf(ACTIVITY_TYPES),
  by: PrincipalRef,
  request_id: nullable(Id, 'Of what is asked and answered.'),
  comment_id: nullable(Type.String(), 'Of comments.'),
  comment: nullable(Type.String(), 'Markdown; null where nothing was said, or it was erased.'),
  system_comment: nullable(Type.String(), 'Why something happened that nobody did by hand.'),
  from_stage: nullable(StageName),
  to_stage: nullable(StageName),
  created_at: Time,
  updated_at: Time,
});

const ByComment = closed({ comment: Type.String({ minLength: 1, description: 'Id of the comment.' }) });
const ByRequestId = closed({ request: Id });
const Text = Type.String({
  minLength: 1,
  description:
    'Markdown. `@name` and `@"name with spaces"` mention people, or the members of a group; told are at most 200 of them, those who may see the model.',
});
const Words = closed({ comment: Text });
const NewComment = closed({
  comment: Text,
  parent: Type.Optional(
    Type.String({ minLength: 1, description: 'Id of a comment on the same that this one answers; it goes into its thread.' }),
  ),
});
const Page = closed({ limit: Limit, page_token: PageToken });
const CommentPage = named('CommentPage', { comments: Type.Array(CommentSchema), next_page_token: NextPageToken });

const THREADS = 'Thread by thread, the oldest first: the comment that opened it, then the answers.';

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
    id: 'listComments',
    noun: 'comments',
    method: 'GET',
    path: '/api/v1/models/{name}/versions/{version}/comments',
    permission: 'model-version.view',
    summary: 'List the comments on a version.',
    description: THREADS,
    params: ByVersion,
    query: Page,
    output: CommentPage,
  }),
  endpoint({
    id: 'createComment',
    noun: 'comments',
    method: 'POST',
    path: '/api/v1/models/{name}/versions/{version}/comments',
    permission: 'comment.create',
    summary: 'Comment on a version.',
    params: ByVersion,
    body: NewComment,
    output: CommentSchema,
    status: 201,
  }),
  endpoint({
    id: 'listRequestComments',
    noun: 'comments',
    method: 'GET',
    path: '/api/v1/requests/{request}/comments',
    permission: 'comment.view',
    summary: 'List the comments on a request.',
    description: THREADS,
    params: ByRequestId,
    query: Page,
    output: CommentPage,
  }),
  endpoint({
    id: 'createRequestComment',
    noun: 'comments',
    method: 'POST',
    path: '/api/v1/requests/{request}/comments',
    permission: 'comment.edit',
    summary: 'Comment on a request.',
    description: 'Asks READ on its model.',
    params: ByRequestId,
    body: NewComment,
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
    id: 'resolveComment',
    noun: 'comments',
    method: 'POST',
    path: '/api/v1/comments/{comment}/resolve',
    permission: 'comment.edit',
    summary: 'Mark a thread as resolved.',
    description: 'By any of its comments, by whoever may comment. Answers the comment that opened it. Once more changes nothing.',
    params: ByComment,
    output: CommentSchema,
  }),
  endpoint({
    id: 'reopenComment',
    noun: 'comments',
    method: 'POST',
    path: '/api/v1/comments/{comment}/reopen',
    permission: 'comment.edit',
    summary: 'Open a resolved thread again.',
    description: 'The same.',
    params: ByComment,
    output: CommentSchema,
  }),
  endpoint({
    id: 'deleteComment',
    noun: 'comments',
    method: 'DELETE',
    path: '/api/v1/comments/{comment}',
    permission: 'comment.edit',
    summary: 'Delete a comment.',
    description:
      'By its author, or whoever manages the model. Its words stay in the record until an administrator erases them; answers to it stay.',
    params: ByComment,
    output: Done,
  }),
] as const;
