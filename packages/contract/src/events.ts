/** The record of what happened, and whether it is whole. */
import { Type } from 'typebox';
import { endpoint } from './endpoint.ts';
import { ByModelId, ByName } from './models.ts';
import { closed, Done, Id, Limit, NextPageToken, NO_PARAMS, named, nullable, oneOf, PageToken, PrincipalRef, Time } from './schemas.ts';

export const EventSchema = named('Event', {
  seq: Type.Integer({ description: 'Place in the chain, from 1, without gaps.' }),
  recorded_at: Time,
  type: Type.String({ description: '`noun.verb`: `model-version.stage-entered`.' }),
  version: Type.Integer({ description: "Of the type's payload." }),
  model_id: nullable(Id),
  version_id: nullable(Id),
  target: nullable(Type.String(), '`stage:Production`, `alias:champion`.'),
  principal: PrincipalRef,
  token_id: nullable(Type.Integer(), 'The token that was used; null where it was a password, a command on the host or the server itself.'),
  client_address: nullable(
    Type.String(),
    'From where the call came, for managers of the workspace: kept beside the chain as `client_address`; null where it was erased, and where nobody called.',
  ),
  data: Type.Unknown({ description: 'Facts of the type.' }),
  texts: Type.Record(Type.String(), nullable(Type.String()), {
    description: 'Free text and personal data, kept beside the chain; null where it was erased.',
  }),
  body: Type.String({ description: 'The exact bytes that were hashed.' }),
  hash: Type.String({ description: 'SHA-256("countersign.event.v1\\n" ‖ seq, 8 bytes big-endian ‖ hash before, 32 bytes ‖ body).' }),
});

const EventQuery = closed({
  order: Type.Optional(oneOf(['newest', 'oldest'], '`newest` first, or `oldest` first; newest where it is left out.')),
  limit: Limit,
  page_token: PageToken,
});

const EventPage = named('EventPage', { events: Type.Array(EventSchema), next_page_token: NextPageToken });

export const eventEndpoints = [
  endpoint({
    id: 'listEvents',
    noun: 'events',
    method: 'GET',
    path: '/api/v1/events',
    permission: 'events.read',
    summary: 'Events of the workspace.',
    params: NO_PARAMS,
    query: EventQuery,
    output: EventPage,
  }),
  endpoint({
    id: 'listModelEvents',
    noun: 'events',
    method: 'GET',
    path: '/api/v1/models/{name}/events',
    permission: 'registered-model.view',
    summary: 'Events of a model and its versions.',
    params: ByName,
    query: EventQuery,
    output: EventPage,
  }),
  endpoint({
    id: 'listModelEventsById',
    noun: 'events',
    method: 'GET',
    path: '/api/v1/models/by-id/{id}/events',
    permission: 'registered-model.view',
    summary: 'The same for a model found by its id, also one that was deleted or purged.',
    params: ByModelId,
    query: EventQuery,
    output: EventPage,
  }),
  endpoint({
    id: 'verifyEvents',
    noun: 'events',
    method: 'GET',
    path: '/api/v1/events/verification',
    permission: 'server.read',
    summary: 'Recompute every hash of the chain, and hold every checkpoint against them.',
    params: NO_PARAMS,
    output: named('ChainVerdict', {
      ok: Type.Boolean(),
      events: Type.Integer({ description: 'How many follow from the one before.' }),
      first_bad: nullable(
        Type.Integer(),
        'The first that does not, that is not there, or whose texts or columns say another thing than was hashed.',
      ),
      reason: nullable(Type.String(), 'What is wrong with it.'),
      checkpoints: Type.Integer({ description: 'How many were held against the events, and are right.' }),
      bad_checkpoint: nullable(closed({ size: Type.Integer(), reason: Type.String() }), 'The first that is not right, and why.'),
    }),
  }),
  endpoint({
    id: 'eraseEventText',
    noun: 'events',
    method: 'DELETE',
    path: '/api/v1/events/{seq}/texts/{field}',
    permission: 'server.admin',
    summary: 'Erase one text beside an event for ever.',
    description: 'The event and its commitment to the text stay, so the chain still verifies. Erasing it once more changes nothing.',
    params: closed({ seq: Type.Integer({ minimum: 1 }), field: Type.String({ minLength: 1, description: 'A member of `texts`.' }) }),
    output: Done,
  }),
] as const;
