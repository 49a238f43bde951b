/** Webhooks as upstream asks for them (webhooks.proto, 3.17.2). */
import { missing } from '@countersign/contract/mlflow/message.ts';
import * as messages from '@countersign/contract/mlflow/webhook-messages.ts';
import * as webhooks from '../features/webhooks/webhooks.ts';
import { type Rpc, rpc } from './rpc.ts';

const AT = '/mlflow/webhooks';
const ONE = `${AT}/:webhook_id`;

export function webhookRpcs(means: webhooks.WebhookMeans): readonly Rpc[] {
  return [
    rpc('POST', AT, 'webhooks.manage', messages.CreateWebhook, async (ctx, input) => {
      if (input.events.length === 0) throw missing('events');
      return { webhook: toWire(await webhooks.create(ctx, means, input)) };
    }),
    rpc('GET', AT, 'webhooks.manage', messages.ListWebhooks, async (ctx, input) => {
      const page = await webhooks.list(ctx, { limit: input.max_results, pageToken: input.page_token });
      // Upstream's clients refuse a list in which one has no events, or others than they know.
      const shown = page.items.filter(({ subscriptions }) => !subscriptions.every(webhooks.isNative));
      return { webhooks: shown.length > 0 ? shown.map(toWire) : undefined, next_page_token: page.nextPageToken };
    }),
    rpc('GET', ONE, 'webhooks.manage', messages.GetWebhook, async (ctx, input) => ({
      webhook: toWire(await webhooks.get(ctx, input.webhook_id)),
    })),
    rpc('PATCH', ONE, 'webhooks.manage', messages.UpdateWebhook, async (ctx, { webhook_id, events, ...change }) => {
      // An empty list and none look alike to clients of protobuf: both leave the events as they are.
      const wanted =
        events.length > 0 ? [...events, ...(await webhooks.get(ctx, webhook_id)).subscriptions.filter(webhooks.isNative)] : undefined;
      return { webhook: toWire(await webhooks.update(ctx, means, webhook_id, { ...change, events: wanted })) };
    }),
    rpc('DELETE', ONE, 'webhooks.manage', messages.DeleteWebhook, async (ctx, input) => {
      await webhooks.remove(ctx, input.webhook_id);
      return {};
    }),
    rpc('POST', `${ONE}/test`, 'webhooks.manage', messages.TestWebhook, async (ctx, input) => {
      const wanted = input.event && webhooks.checkSubscription(input.event);
      const result = await webhooks.test(ctx, means, input.webhook_id, wanted);
      return {
        result: { success: result.success, response_status: result.status, response_body: result.body, error_message: result.error },
      };
    }),
  ];
}

function toWire(webhook: webhooks.Webhook): object {
  return {
    webhook_id: webhook.id,
    name: webhook.name,
    description: webhook.description ?? undefined,
    url: webhook.url,
    events: webhook.subscriptions
      .filter((each) => !webhooks.isNative(each))
      .map(({ entity, action }) => ({ entity: entity.toUpperCase(), action: action.toUpperCase() })),
    status: webhook.status,
    creation_timestamp: webhook.createdAt,
    last_updated_timestamp: webhook.updatedAt,
  };
}
