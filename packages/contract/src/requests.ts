/** Requests for governed changes: asked by some, answered by others. */
import { Type } from 'typebox';
import { endpoint } from './endpoint.ts';
import { DecisionSchema } from './policy-endpoints.ts';
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
import { ByVersion } from './versions.ts';

export const REQUEST_STATES = ['open', 'approved', 'rejected', 'cancelled', 'expired', 'superseded'] as const;
export const REQUEST_ACTIONS = ['approve', 'reject', 'cancel', 'apply'] as const;

const NoParams = closed({});
const Comment = Type.Optional(Type.String({ description: 'Why; Markdown.' }));

const KINDS = ['stage', 'alias', 'entry', 'tag', 'setting'] as const;

const Word = Type.String({ minLength: 1 });
const TargetSchema = named(
  'RequestTarget',
  {
    kind: oneOf(KINDS),
    stage: Type.Optional(Word),
    alias: Type.Optional(Word),
    key: Type.Optional(Type.String({ minLength: 1, description: 'Of a tag.' })),
    setting: Type.Optional(Word),
  },
  'The place that would change: kind, and the member that it is called by.',
);

export const ApprovalSchema = named('Approval', {
  id: Id,
  by: PrincipalRef,
  at: Time,
  digest: nullable(Type.String(), 'Of the bytes that it is for.'),
  evidence: Type.String({ description: 'Digest of the evidence that it is for.' }),
  policies: Type.Array(Type.String(), { description: 'Hashes of the policies that it was given under.' }),
  is_live: Type.Boolean({ description: 'false where the request is closed.' }),
});

export const RequestSchema = named('Request', {
  id: Id,
  model_id: nullable(Id, 'null for a change of a setting.'),
  version_id: nullable(Id, 'null where the change is of no version, or of one that has no number yet.'),
  name: nullable(ModelName),
  version: nullable(VersionNumber),
  target: TargetSchema,
  change: oneOf(['enter', 'leave']),
  subject: Type.String({ description: 'What is asked for in full, to which approvals are bound: `stage:Production`, `tag:risk=low`.' }),
  source: nullable(Type.String(), 'From where a new version would come.'),
  digest: nullable(Type.String(), 'Of the bytes that would become a version.'),
  state: oneOf(REQUEST_STATES, '`approved`: it was carried out.'),
  comment: nullable(Type.String(), 'Of whoever asks; null where nothing was said, or it was erased.'),
  created_by: PrincipalRef,
  created_at: Time,
  expires_at: nullable(Time, 'null: never.'),
  closed_by: nullable(PrincipalRef, 'null while it is open.'),
  closed_at: nullable(Time),
  closing_comment: nullable(Type.String(), 'Of whoever closed it, or why it closed by itself.'),
  approvals: Type.Array(ApprovalSchema),
  available_actions: Type.Array(oneOf(REQUEST_ACTIONS), { description: 'What the caller may do now.' }),
});

export const EvaluationSchema = named('RequestEvaluation', {
  request: RequestSchema,
  is_allowed: Type.Boolean({ description: 'Whether every policy that is about it would let it happen now.' }),
  decisions: Type.Array(DecisionSchema, { description: 'Of each policy that is asked; empty where none is about it.' }),
});

const ByRequest = closed({ request: Id });

const RequestPage = named('RequestPage', { requests: Type.Array(RequestSchema), next_page_token: NextPageToken });

const Stage = Type.String({ minLength: 1, description: 'A stage of the workspace, in any case.' });
const ArchiveExisting = Type.Optional(
  Type.Boolean({ description: 'Moves every other version in the stage to Archived in the same step.' }),
);

const WishedTarget = Type.Object(
  {
    kind: oneOf(['stage', 'alias', 'entry', 'tag', 'rename']),
    stage: Type.Optional(Stage),
    alias: Type.Optional(Type.String({ minLength: 1 })),
    key: Type.Optional(Type.String({ minLength: 1, description: 'Of a tag.' })),
    value: Type.Optional(Type.String({ description: 'That the tag would get.' })),
    new_name: Type.Optional(Type.String({ minLength: 1, description: 'Of the model, where it would be renamed.' })),
  },
  { additionalProperties: false, description: 'kind, and the member that it is called by.' },
);

const Registration = {
  source: Type.Optional(Type.String({ minLength: 1, description: 'For an entry: from where a version would be registered.' })),
  run_id: Type.Optional(Type.String()),
  logged_model_id: Type.Optional(Type.String()),
  description: Type.Optional(Type.String({ description: 'Of the version.' })),
  tags: Type.Optional(Type.Array(closed({ key: Type.String(), value: Type.String() }))),
};

const WishBody = {
  target: WishedTarget,
  change: Type.Optional(oneOf(['enter', 'leave'], '`leave`: the alias or tag is taken away; for an entry, the version is deleted.')),
  archive_existing: ArchiveExisting,
  ...Registration,
  comment: Comment,
};

const NOT_MOVED = 'Nothing changes yet. RESOURCE_ALREADY_EXISTS where the caller has an open one for the same.';
const ANSWERS_ALL = 'Answers every open request for the same change, whoever made it. INVALID_STATE where it is open no more.';

export const requestEndpoints = [
  endpoint({
    id: 'listRequests',
    noun: 'requests',
    method: 'GET',
    path: '/api/v1/requests',
    permission: 'request.list',
    summary: 'List the requests of the workspace, newest first.',
    description: 'Those that the caller may see.',
    params: NoParams,
    query: closed({
      state: Type.Optional(oneOf(REQUEST_STATES)),
      model: Type.Optional(ModelName),
      target: Type.Optional(
        Type.String({ description: 'As in `stage:Production`, `alias:champion`, `entry`, `tag:risk`, `setting:policies`.' }),
      ),
      created_by: Type.Optional(Type.String({ description: "Name of an account; 'me' for the caller." })),
      limit: Limit,
      page_token: PageToken,
    }),
    output: RequestPage,
  }),
  endpoint({
    id: 'listVersionRequests',
    noun: 'requests',
    method: 'GET',
    path: '/api/v1/models/{name}/versions/{version}/requests',
    permission: 'model-version.view',
    summary: 'List the requests of a version, newest first.',
    params: ByVersion,
    query: closed({ state: Type.Optional(oneOf(REQUEST_STATES)), limit: Limit, page_token: PageToken }),
    output: RequestPage,
  }),
  endpoint({
    id: 'createVersionRequest',
    noun: 'requests',
    method: 'POST',
    path: '/api/v1/models/{name}/versions/{version}/requests',
    permission: 'request.create',
    summary: 'Ask for a change of a version: a stage, an alias, a tag, its deletion.',
    description: NOT_MOVED,
    params: ByVersion,
    body: closed(WishBody),
    output: RequestSchema,
    status: 201,
  }),
  endpoint({
    id: 'createModelRequest',
    noun: 'requests',
    method: 'POST',
    path: '/api/v1/models/{name}/requests',
    permission: 'request.create',
    summary: 'Ask for a change of a model: that a version enters it, a tag, another name, its deletion.',
    description: `${NOT_MOVED} For an entry, what 'source' holds is sealed now, and approvals are of exactly these bytes.`,
    params: closed({ name: ModelName }),
    body: closed(WishBody),
    output: RequestSchema,
    status: 201,
  }),
  endpoint({
    id: 'getRequest',
    noun: 'requests',
    method: 'GET',
    path: '/api/v1/requests/{request}',
    permission: 'request.view',
    summary: 'Show a request.',
    params: ByRequest,
    output: RequestSchema,
  }),
  endpoint({
    id: 'evaluateRequest',
    noun: 'requests',
    method: 'GET',
    path: '/api/v1/requests/{request}/evaluation',
    permission: 'request.view',
    summary: 'What is missing for a request, who can give it and how; what is there; which approvals do not count, and why.',
    params: ByRequest,
    output: EvaluationSchema,
  }),
  endpoint({
    id: 'approveRequest',
    noun: 'requests',
    method: 'POST',
    path: '/api/v1/requests/{request}/approve',
    permission: 'request.answer',
    summary: 'Approve a request; what its approvals suffice for is carried out.',
    description: `${ANSWERS_ALL} By whom a policy names; where none is about the change, by whoever may make it himself. PERMISSION_DENIED where the approval could not count, with the reason.`,
    params: ByRequest,
    body: closed({ archive_existing: ArchiveExisting, comment: Comment }),
    output: RequestSchema,
  }),
  endpoint({
    id: 'rejectRequest',
    noun: 'requests',
    method: 'POST',
    path: '/api/v1/requests/{request}/reject',
    permission: 'request.answer',
    summary: 'Reject a request.',
    description: ANSWERS_ALL,
    params: ByRequest,
    body: closed({ comment: Comment }),
    output: RequestSchema,
  }),
  endpoint({
    id: 'cancelRequest',
    noun: 'requests',
    method: 'POST',
    path: '/api/v1/requests/{request}/cancel',
    permission: 'request.answer',
    summary: 'Take a request back.',
    description: 'By whoever made it, or manages the model.',
    params: ByRequest,
    body: closed({ comment: Comment }),
    output: RequestSchema,
  }),
  endpoint({
    id: 'applyRequest',
    noun: 'requests',
    method: 'POST',
    path: '/api/v1/requests/{request}/apply',
    permission: 'request.answer',
    summary: 'Carry out what is allowed now.',
    description:
      'Where the policy wants that to be said by hand; by whoever asked, or may make the change himself. INVALID_STATE with what is missing.',
    params: ByRequest,
    body: closed({ archive_existing: ArchiveExisting, comment: Comment }),
    output: RequestSchema,
  }),
] as const;
