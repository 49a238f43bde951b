/** Webhooks of the native API: the same ones that MLflow's routes know, with the events that those have no words for. */
import { Type } from 'typebox';
import { endpoint } from './endpoint.ts';
import { closed, Done, Limit, NextPageToken, NO_PARAMS, named, nullable, oneOf, PageToken, Time } from './schemas.ts';

/** What MLflow's clients may subscribe to. */
export const MLFLOW_WEBHOOK_EVENTS = [
  'registered_model.created',
  'model_version.created',
  'model_version_tag.set',
  'model_version_tag.deleted',
  'model_version_alias.created',
  'model_version_alias.deleted',
  'prompt.created',
  'prompt_version.created',
  'prompt_tag.set',
  'prompt_tag.deleted',
  'prompt_version_tag.set',
  'prompt_version_tag.deleted',
  'prompt_alias.created',
  'prompt_alias.deleted',
] as const;

/** What is told beside that: events of governance, by the names they have in the record. MLflow's clients can't read them, so its routes leave them out. */
export const NATIVE_WEBHOOK_EVENTS = [
  'request.opened',
  'request.approved',
  'request.applied',
  'request.rejected',
  'request.withdrawn',
  'request.expired',
  'request.superseded',
  'break-glass.opened',
  'break-glass.used',
  'break-glass.reviewed',
  'check.reported',
  'policy.published',
  'policy.withdrawn',
] as const;

const WEBHOOK_STATES = ['ACTIVE', 'DISABLED'] as const;

const Name = Type.String({ minLength: 1, maxLength: 63, description: 'Letters, digits, `.`, `_` and `-`. Need not be unique.' });
const Url = Type.String({
  minLength: 1,
  maxLength: 500,
  description: 'https, at a public address, unless the server was started otherwise.',
});
const Description = Type.String({ maxLength: 1000, description: 'Empty: none.' });
const Secret = Type.String({
  maxLength: 1000,
  description: 'Signs each call as MLflow does, in `X-MLflow-Signature`; never shown again. Empty: calls are not signed.',
});
const Event = oneOf(
  [...MLFLOW_WEBHOOK_EVENTS, ...NATIVE_WEBHOOK_EVENTS],
  "What the calls' bodies give as `entity` and `action`, with a point between. Those of MLflow carry what MLflow's do; the others ids, names, version and state, and no texts.",
);
const Events = Type.Array(Event, { minItems: 1, maxItems: 50 });
const State = oneOf(WEBHOOK_STATES, 'What happens while it is DISABLED is not told later.');
const Path = closed({ webhook: Type.String({ minLength: 1, maxLength: 64, description: 'Its id.' }) });

export const WebhookSchema = named('Webhook', {
  id: Type.String(),
  name: Name,
  description: nullable(Type.String()),
  url: Type.String(),
  events: Type.Array(Event),
  status: State,
  created_at: Time,
  updated_at: Time,
});

export const webhookEndpoints = [
  endpoint({
    id: 'listWebhooks',
    noun: 'webhooks',
    method: 'GET',
    path: '/api/v1/webhooks',
    permission: 'webhooks.manage',
    summary: 'List the webhooks of the workspace, newest first.',
    params: NO_PARAMS,
    query: closed({ limit: Limit, page_token: PageToken }),
    output: named('WebhookPage', { webhooks: Type.Array(WebhookSchema), next_page_token: NextPageToken }),
  }),
  endpoint({
    id: 'createWebhook',
    noun: 'webhooks',
    method: 'POST',
    path: '/api/v1/webhooks',
    permission: 'webhooks.manage',
    summary: 'Have a URL called for what happens from now on.',
    description:
      'After the commit, in the order of the record, at least once: the header X-MLflow-Delivery-Id is the same for each try, X-Countersign-Event names the place in the record.',
    params: NO_PARAMS,
    body: closed({
      name: Name,
      url: Url,
      events: Events,
      description: Type.Optional(Description),
      secret: Type.Optional(Secret),
      status: Type.Optional(State),
    }),
    output: WebhookSchema,
    status: 201,
  }),
  endpoint({
    id: 'getWebhook',
    noun: 'webhooks',
    method: 'GET',
    path: '/api/v1/webhooks/{webhook}',
    permission: 'webhooks.manage',
    summary: 'Get a webhook.',
    params: Path,
    output: WebhookSchema,
  }),
  endpoint({
    id: 'updateWebhook',
    noun: 'webhooks',
    method: 'PATCH',
    path: '/api/v1/webhooks/{webhook}',
    permission: 'webhooks.manage',
    summary: 'Change a webhook; what is left out stays. Events take the place of all before.',
    params: Path,
    body: closed({
      name: Type.Optional(Name),
      url: Type.Optional(Url),
      events: Type.Optional(Events),
      description: Type.Optional(Description),
      secret: Type.Optional(Secret),
      status: Type.Optional(State),
    }),
    output: WebhookSchema,
  }),
  endpoint({
    id: 'deleteWebhook',
    noun: 'webhooks',
    method: 'DELETE',
    path: '/api/v1/webhooks/{webhook}',
    permission: 'webhooks.manage',
    summary: 'Delete a webhook and its secret.',
    params: Path,
    output: Done,
  }),
  endpoint({
    id: 'testWebhook',
    noun: 'webhooks',
    method: 'POST',
    path: '/api/v1/webhooks/{webhook}/test',
    permission: 'webhooks.manage',
    summary: 'Call it once with an example.',
    params: Path,
    body: closed({ event: Type.Optional(Event) }),
    output: named('WebhookTest', {
      success: Type.Boolean(),
      response_status: nullable(Type.Integer()),
      response_body: nullable(Type.String()),
      error_message: nullable(Type.String()),
    }),
  }),
] as const;
