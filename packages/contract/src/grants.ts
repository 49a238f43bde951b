/** Grants: who may do what. What may be asked. */
import { Type } from 'typebox';
import { endpoint } from './endpoint.ts';
import { GRANT_LEVELS } from './levels.ts';
import { closed, Done, Id, Limit, NextPageToken, NO_PARAMS, named, nullable, oneOf, PageToken, Time } from './schemas.ts';

export const SUBJECT_KINDS = ['user', 'service-account', 'group', 'ci'] as const;
export type GrantSubjectKind = (typeof SUBJECT_KINDS)[number];

/** What a grant is about. `workspace`: the workspace itself; its MANAGE is a manager, its USE membership alone. */
export const GRANT_KINDS = ['registered-model', 'experiment', 'workspace'] as const;
export type GrantKind = (typeof GRANT_KINDS)[number];

export const GrantSchema = named('Grant', {
  id: Id,
  workspace: nullable(Type.String(), 'null: in every workspace.'),
  subject: named('GrantSubject', {
    kind: Type.String({ description: '`user`, `service-account`, `group`, `ci`.' }),
    id: Id,
    name: Type.String(),
  }),
  kind: Type.String({ description: '`registered-model`, `experiment`, `workspace`, or a kind of MLflow that is only kept.' }),
  name: nullable(Type.String(), 'Of the one object it is about.'),
  object_id: nullable(Id),
  prefix: nullable(Type.String(), 'Of the names it is about. With neither name nor prefix it is about everything of its kind.'),
  level: oneOf(GRANT_LEVELS),
  created_at: Time,
});

const SubjectKind = oneOf(SUBJECT_KINDS);
const SubjectName = Type.String({ minLength: 1, maxLength: 250 });
const ObjectName = Type.String({ minLength: 1, description: 'Name of the registered model or experiment.' });
const Prefix = Type.String({ minLength: 1, maxLength: 500, description: 'Everything whose name begins so, now and later.' });
const Everywhere = Type.Boolean({ description: 'In every workspace; for administrators of the server.' });

export const grantEndpoints = [
  endpoint({
    id: 'listGrants',
    noun: 'grants',
    method: 'GET',
    path: '/api/v1/grants',
    permission: 'access.read',
    summary: 'List grants: of one object, of one subject, or of the workspace.',
    description:
      'With `kind` and `name`: those on that object, for whoever manages it. With `subject_kind` and `subject`: what was granted to it, for itself, ' +
      'managers of the workspace, and administrators. With neither: all of the workspace, for its managers; with `everywhere` those that hold ' +
      'in every workspace. In the order in which they were made.',
    params: NO_PARAMS,
    query: closed({
      kind: Type.Optional(oneOf(['registered-model', 'experiment'])),
      name: Type.Optional(ObjectName),
      inherited: Type.Optional(
        Type.Boolean({ description: 'Also those that reach the object without naming it: by prefix, on everything, on the workspace.' }),
      ),
      subject_kind: Type.Optional(SubjectKind),
      subject: Type.Optional(SubjectName),
      everywhere: Type.Optional(Everywhere),
      limit: Limit,
      page_token: PageToken,
    }),
    output: named('GrantPage', { grants: Type.Array(GrantSchema), next_page_token: NextPageToken }),
  }),
  endpoint({
    id: 'setGrant',
    noun: 'grants',
    method: 'PUT',
    path: '/api/v1/grants',
    permission: 'access.manage',
    summary: 'Grant a level, or change it.',
    description:
      'On one object by `name`, for whoever has MANAGE on it. By `prefix`, on everything of a kind (neither `name` nor `prefix`) or on the workspace, ' +
      'for its managers. With `everywhere` for administrators of the server. There is one grant for a subject on the same thing; a highest one counts, ' +
      'and DENY takes all from everybody but managers.',
    params: NO_PARAMS,
    body: closed({
      subject_kind: SubjectKind,
      subject: SubjectName,
      kind: oneOf(GRANT_KINDS),
      name: Type.Optional(ObjectName),
      prefix: Type.Optional(Prefix),
      everywhere: Type.Optional(Everywhere),
      level: oneOf(GRANT_LEVELS),
    }),
    output: GrantSchema,
  }),
  endpoint({
    id: 'removeGrant',
    noun: 'grants',
    method: 'DELETE',
    path: '/api/v1/grants/{id}',
    permission: 'access.manage',
    summary: 'Take a grant away: for whoever could give it.',
    params: closed({ id: Id }),
    output: Done,
  }),
] as const;
