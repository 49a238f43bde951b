/** From the chain to what is sent: which events a webhook is called for, and the call itself. */
import type { Ctx } from '../../platform/context.ts';
import type { SecretBox } from '../../platform/secrets/secret-box.ts';
import * as events from '../events/events.ts';
import * as models from '../models/models.ts';
import * as versions from '../versions/versions.ts';
import { deliveryId, isoTime, signature } from './delivery-rules.ts';
import { mayConcern, type Payload, payloadOf } from './payload-rules.ts';
import type { Letter } from './webhook-sender.ts';
import * as store from './webhook-store.ts';

const PAGE = 200;

interface Served {
  readonly id: number;
  readonly workspaceId: number;
}

interface BodyOfEvent {
  readonly model_id?: number;
  readonly version_id?: number;
  readonly data: Readonly<Record<string, unknown>>;
}

/** The first event after a place that the webhook is called for; looks at one page of events. */
export async function nextCall(
  ctx: Ctx,
  webhook: Served,
  afterSeq: number,
  untilSeq: number,
): Promise<{ call: number | undefined; lookedTo: number }> {
  const page = await events.list(ctx.db, { workspaceId: webhook.workspaceId, afterSeq, limit: PAGE });
  const subscriptions = (await store.listSubscriptions(ctx.db, [webhook.id])).get(webhook.id) ?? [];
  for (const event of page) {
    if (!mayConcern(event.type, subscriptions)) continue;
    const payload = await payloadFor(ctx, webhook, event);
    if (payload && isSubscribed(subscriptions, payload, event.seq)) return { call: event.seq, lookedTo: event.seq };
  }
  const last = page.at(-1)?.seq ?? afterSeq;
  return { call: undefined, lookedTo: page.length < PAGE ? Math.max(last, untilSeq) : last };
}

function isSubscribed(subscriptions: readonly store.SubscriptionRow[], payload: Payload, seq: number): boolean {
  return subscriptions.some((each) => each.entity === payload.entity && each.action === payload.action && each.sinceSeq < seq);
}

/** Names are those of now: a model that was renamed since is told under the name it can be found by. */
async function payloadFor(ctx: Ctx, webhook: Served, event: events.RecordedEvent): Promise<Payload | undefined> {
  const there: Ctx = { ...ctx, workspace: { ...ctx.workspace, id: webhook.workspaceId } };
  const body = JSON.parse(event.body) as BodyOfEvent; // written by the events room
  const model = body.model_id === undefined ? undefined : await models.findById(there, body.model_id);
  const version = body.version_id === undefined ? undefined : await versions.findById(there, body.version_id);
  const texts = (await events.listTexts(ctx.db, [event.seq])).get(event.seq) ?? new Map<string, string>();
  return payloadOf({ type: event.type, data: body.data, texts, model, versionNumber: version?.version });
}

interface Call {
  readonly id: string;
  readonly payload: Payload;
  readonly happenedAt: number;
  /** Place and hash of the event in the chain. */
  readonly event?: { readonly seq: number; readonly hash: string };
}

/** Undefined where its subscription was taken back meanwhile. */
export async function findCall(ctx: Ctx, webhook: store.WebhookRow, seq: number): Promise<Call | undefined> {
  const [event] = await events.list(ctx.db, { workspaceId: webhook.workspaceId, afterSeq: seq - 1, limit: 1 });
  if (event?.seq !== seq) return undefined;
  const payload = await payloadFor(ctx, webhook, event);
  const subscriptions = (await store.listSubscriptions(ctx.db, [webhook.id])).get(webhook.id) ?? [];
  if (!payload || !isSubscribed(subscriptions, payload, seq)) return undefined;
  return {
    id: deliveryId(webhook.webhookId, seq),
    payload,
    happenedAt: event.recordedAt,
    event: { seq, hash: event.hash },
  };
}

interface CallNow extends Call {
  /** The time of the first try. */
  readonly begunAt: number;
  /** The newest one of the record, as a line. */
  readonly checkpoint: string | undefined;
}

/** Body, headers and, where there is a secret, the signature. INVALID_STATE for an unreadable secret. */
export function letterOf(webhook: store.WebhookRow, secrets: SecretBox, call: CallNow): Letter {
  const { entity, action, data } = call.payload;
  const body = JSON.stringify({ entity, action, timestamp: isoTime(call.happenedAt), data });
  const seconds = String(Math.floor(call.begunAt / 1000));
  const secret = webhook.secret && secrets.open(webhook.secret, webhook.webhookId);
  return {
    url: webhook.url,
    body,
    headers: {
      'Content-Type': 'application/json',
      'User-Agent': 'Countersign',
      'X-MLflow-Delivery-Id': call.id,
      'X-MLflow-Timestamp': seconds,
      ...(secret ? { 'X-MLflow-Signature': signature(secret, call.id, seconds, body) } : {}),
      ...(call.event ? { 'X-Countersign-Event': `${call.event.seq} ${call.event.hash}` } : {}),
      ...(call.checkpoint === undefined ? {} : { 'Countersign-Checkpoint': call.checkpoint }),
    },
  };
}
