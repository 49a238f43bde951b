/** Upstream's webhooks.proto (MLflow 3.17.2) as it is asked. */
import { enumeration, int32, list, message, required, string, submessage, withDefault } from './message.ts';

export const WEBHOOK_STATUS = { ACTIVE: 1, DISABLED: 2 } as const;
const WEBHOOK_ENTITY = {
  REGISTERED_MODEL: 1,
  MODEL_VERSION: 2,
  MODEL_VERSION_TAG: 3,
  MODEL_VERSION_ALIAS: 4,
  PROMPT: 5,
  PROMPT_VERSION: 6,
  PROMPT_TAG: 7,
  PROMPT_VERSION_TAG: 8,
  PROMPT_ALIAS: 9,
  BUDGET_POLICY: 10,
} as const;
const WEBHOOK_ACTION = { CREATED: 1, UPDATED: 2, DELETED: 3, SET: 4, EXCEEDED: 5 } as const;

export const WebhookEvent = message('WebhookEvent', {
  entity: required(enumeration(WEBHOOK_ENTITY)),
  action: required(enumeration(WEBHOOK_ACTION)),
});

export const CreateWebhook = message('CreateWebhook', {
  name: required(string),
  description: string,
  url: required(string),
  events: list(submessage(WebhookEvent)),
  secret: string,
  status: enumeration(WEBHOOK_STATUS),
});
export const ListWebhooks = message('ListWebhooks', { max_results: withDefault(int32, 100), page_token: string });
export const GetWebhook = message('GetWebhook', { webhook_id: required(string) });
/** What is absent stays as it is; an empty description or secret clears it. */
export const UpdateWebhook = message('UpdateWebhook', {
  webhook_id: required(string),
  name: string,
  description: string,
  url: string,
  events: list(submessage(WebhookEvent)),
  secret: string,
  status: enumeration(WEBHOOK_STATUS),
});
export const DeleteWebhook = message('DeleteWebhook', { webhook_id: required(string) });
export const TestWebhook = message('TestWebhook', { webhook_id: required(string), event: submessage(WebhookEvent) });
