/** Requests for governed changes: asked by some, answered by others. */
import { Type } from 'typebox';
import { endpoint } from './endpoint.ts';
import {
  closed,
  Id,
  Limit,
  ModelName,
  NextPageToken,
  named,
  nullable,
  oneOf,
  PageToken,
  PrincipalRef,
  Time,
  VersionNumber,
} from './schemas.ts';
import { STAGES } from './stages.ts';
import { ByVersion } from './versions.ts';

export const REQUEST_STATES = ['open', 'approved', 'rejected', 'cancelled'] as const;

const Comment = Type.Optional(Type.String({ description: 'Why; Markdown.' }));

const TargetSchema = named(
  'RequestTarget',
  { kind: oneOf(['stage']), stage: oneOf(STAGES) },
  'What is asked for: that the version moves into a stage.',
);

export const RequestSchema = named('Request', {
  id: Id,
  model_id: Id,
  version_id: Id,
  name: ModelName,
  version: VersionNumber,
  target: TargetSchema,
  state: oneOf(REQUEST_STATES),
  comment: nullable(Type.String(), 'Of whoever asks; null where nothing was said, or it was erased.'),
  created_by: PrincipalRef,
  created_at: Time,
  closed_by: nullable(PrincipalRef, 'null while it is open.'),
  closed_at: nullable(Time),
  closing_comment: nullable(Type.String(), 'Of whoever closed it, or why it closed by itself.'),
  available_actions: Type.Array(oneOf(['approve', 'reject', 'cancel']), { description: 'What the caller may do now.' }),
});

const ByRequest = closed({ name: ModelName, version: VersionNumber, request: Id });

const ANSWERS_ALL =
  'Answers every open request of the version for that stage, whoever made it. Asks the level of the move itself: MANAGE_STAGING, and MANAGE_PRODUCTION into or out of Production.';

export const requestEndpoints = [
  endpoint({
    id: 'listRequests',
    noun: 'requests',
    method: 'GET',
    path: '/api/v1/models/{name}/versions/{version}/requests',
    permission: 'model-version.view',
    summary: 'List the requests of a version, newest first.',
    params: ByVersion,
    query: closed({
      state: Type.Optional(oneOf(['open'], '`open`: only those that wait for an answer. All of them, oldest first, on one page.')),
      limit: Limit,
      page_token: PageToken,
    }),
    output: named('RequestPage', { requests: Type.Array(RequestSchema), next_page_token: NextPageToken }),
  }),
  endpoint({
    id: 'createRequest',
    noun: 'requests',
    method: 'POST',
    path: '/api/v1/models/{name}/versions/{version}/requests',
    permission: 'request.create',
    summary: 'Ask that a version is moved to a stage.',
    description: 'Nothing moves. RESOURCE_ALREADY_EXISTS where the caller has an open one for the same.',
    params: ByVersion,
    body: closed({
      target: closed({
        kind: oneOf(['stage']),
        stage: Type.String({ description: `One of ${STAGES.join(', ')}, in any case.` }),
      }),
      comment: Comment,
    }),
    output: RequestSchema,
    status: 201,
  }),
  endpoint({
    id: 'getRequest',
    noun: 'requests',
    method: 'GET',
    path: '/api/v1/models/{name}/versions/{version}/requests/{request}',
    permission: 'model-version.view',
    summary: 'Show a request.',
    params: ByRequest,
    output: RequestSchema,
  }),
  endpoint({
    id: 'approveRequest',
    noun: 'requests',
    method: 'POST',
    path: '/api/v1/models/{name}/versions/{version}/requests/{request}/approve',
    permission: 'model-version.transition',
    summary: 'Approve a request, and move the version.',
    description: `${ANSWERS_ALL} INVALID_STATE where the request is open no more.`,
    params: ByRequest,
    body: closed({
      archive_existing: Type.Optional(
        Type.Boolean({ default: false, description: 'Moves every other version in Staging or Production to Archived in the same step.' }),
      ),
      comment: Comment,
    }),
    output: RequestSchema,
  }),
  endpoint({
    id: 'rejectRequest',
    noun: 'requests',
    method: 'POST',
    path: '/api/v1/models/{name}/versions/{version}/requests/{request}/reject',
    permission: 'model-version.transition',
    summary: 'Reject a request.',
    description: `${ANSWERS_ALL} INVALID_STATE where the request is open no more.`,
    params: ByRequest,
    body: closed({ comment: Comment }),
    output: RequestSchema,
  }),
  endpoint({
    id: 'cancelRequest',
    noun: 'requests',
    method: 'POST',
    path: '/api/v1/models/{name}/versions/{version}/requests/{request}/cancel',
    permission: 'request.create',
    summary: 'Take a request back.',
    description: 'By whoever made it, or manages the model.',
    params: ByRequest,
    body: closed({ comment: Comment }),
    output: RequestSchema,
  }),
] as const;
