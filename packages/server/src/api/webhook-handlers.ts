import { Problem } from '@countersign/contract/problem.ts';
import { PAGE_SIZE } from '@countersign/contract/schemas.ts';
import type { WebhookSchema, webhookEndpoints } from '@countersign/contract/webhooks.ts';
import type { Static } from 'typebox';
import * as webhooks from '../features/webhooks/webhooks.ts';
import { done } from './answers.ts';
import type { Handlers } from './handlers.ts';

type Answer = Static<typeof WebhookSchema>;

function answerOf(webhook: webhooks.Webhook): Answer {
  return {
    id: webhook.id,
    name: webhook.name,
    description: webhook.description,
    url: webhook.url,
    events: webhook.subscriptions.map(({ entity, action }) => `${entity}.${action}` as Answer['events'][number]), // those that the schema took
    status: webhook.status,
    created_at: webhook.createdAt,
    updated_at: webhook.updatedAt,
  };
}

function pairOf(event: string): { entity: string; action: string } {
  const [entity = '', action = ''] = event.split('.');
  return { entity, action };
}

export const webhookHandlers = (given: webhooks.WebhookMeans | undefined): Handlers<(typeof webhookEndpoints)[number]['id']> => {
  const means = (): webhooks.WebhookMeans => {
    if (given === undefined)
      throw new Problem('INVALID_STATE', 'This server was started without what webhooks need. Start it as `countersign server`.');
    return given;
  };
  return {
    listWebhooks: async (ctx, { query }) => {
      const page = await webhooks.list(ctx, { limit: query.limit ?? PAGE_SIZE, pageToken: query.page_token });
      return { webhooks: page.items.map(answerOf), next_page_token: page.nextPageToken ?? null };
    },
    createWebhook: async (ctx, { body }) => answerOf(await webhooks.create(ctx, means(), { ...body, events: body.events.map(pairOf) })),
    getWebhook: async (ctx, { params }) => answerOf(await webhooks.get(ctx, params.webhook)),
    updateWebhook: async (ctx, { params, body }) =>
      answerOf(await webhooks.update(ctx, means(), params.webhook, { ...body, events: body.events?.map(pairOf) })),
    deleteWebhook: (ctx, { params }) => done(webhooks.remove(ctx, params.webhook)),
    testWebhook: async (ctx, { params, body }) => {
      const wanted = body.event === undefined ? undefined : webhooks.checkSubscription(pairOf(body.event));
      const { success, status, body: text, error } = await webhooks.test(ctx, means(), params.webhook, wanted);
      return { success, response_status: status ?? null, response_body: text ?? null, error_message: error ?? null };
    },
  };
};
