/** Broken glass: ways past a policy that were opened, used and reviewed. */
import { Type } from 'typebox';
import { endpoint } from './endpoint.ts';
import {
  closed,
  Id,
  Limit,
  ModelName,
  NextPageToken,
  NO_PARAMS,
  named,
  nullable,
  oneOf,
  PageToken,
  PrincipalRef,
  Time,
  VersionNumber,
} from './schemas.ts';

export const OPENING_STATES = ['open', 'used', 'reviewed', 'expired'] as const;

export const OpeningSchema = named('BreakGlassOpening', {
  id: Id,
  policy: Type.String({ description: 'Name of the policy that it goes past.' }),
  state: oneOf(OPENING_STATES, '`used` waits for its review: until then, nobody goes past the policy once more.'),
  reason: nullable(Type.String(), 'null where it was erased, as the other words.'),
  ticket: nullable(Type.String()),
  opened_by: PrincipalRef,
  opened_at: Time,
  expires_at: Time,
  used_at: nullable(Time),
  subject: nullable(Type.String(), 'What was done: `stage:Production`, `alias:champion`.'),
  model_id: nullable(Id),
  version_id: nullable(Id),
  name: nullable(ModelName, 'Of the model, where the caller may see it.'),
  version: nullable(VersionNumber),
  reviewed_by: nullable(PrincipalRef),
  reviewed_at: nullable(Time),
  note: nullable(Type.String(), 'What the reviewer says.'),
});

export const breakGlassEndpoints = [
  endpoint({
    id: 'openBreakGlass',
    noun: 'break-glass',
    method: 'POST',
    path: '/api/v1/break-glass',
    permission: 'break-glass.open',
    summary: 'Open a way past a policy, in an emergency.',
    description:
      'By a person with the permission that the policy names, for as long as it says. The next change of his that the policy refuses goes through, once, and is marked for ever; ' +
      'then nobody goes past the policy until a second person has reviewed it. INVALID_STATE where the policy has no break-glass.',
    params: NO_PARAMS,
    body: closed({
      policy: Type.String({ minLength: 1, maxLength: 100, description: 'Name of a policy in force.' }),
      reason: Type.String({ minLength: 1, maxLength: 4000 }),
      ticket: Type.String({ minLength: 1, maxLength: 500, description: 'Where the emergency is written down.' }),
    }),
    output: OpeningSchema,
    status: 201,
  }),
  endpoint({
    id: 'listBreakGlass',
    noun: 'break-glass',
    method: 'GET',
    path: '/api/v1/break-glass',
    permission: 'break-glass.read',
    summary: 'List openings of the workspace, newest first.',
    params: NO_PARAMS,
    query: closed({ state: Type.Optional(oneOf(OPENING_STATES, 'All where it is left out.')), limit: Limit, page_token: PageToken }),
    output: named('BreakGlassPage', { openings: Type.Array(OpeningSchema), next_page_token: NextPageToken }),
  }),
  endpoint({
    id: 'reviewBreakGlass',
    noun: 'break-glass',
    method: 'POST',
    path: '/api/v1/break-glass/{id}/review',
    permission: 'break-glass.review',
    summary: 'Review how a policy was gone past, so that it can be again.',
    description:
      'By a second person who manages production of the model, or the workspace: not whoever used it or acts for him, and no CI job. A later review takes the place of an earlier one. INVALID_STATE where it was not used.',
    params: closed({ id: Id }),
    body: closed({ note: Type.String({ minLength: 1, maxLength: 4000, description: 'What you found.' }) }),
    output: OpeningSchema,
  }),
] as const;
