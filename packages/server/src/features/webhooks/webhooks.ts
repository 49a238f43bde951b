/** Webhooks: who is called at which URL for what. Receivers are called from the chain of events, after the commit, until they have it. */
import { notFound } from '@countersign/contract/problem.ts';
import { type Ctx, reading, type TxCtx, transaction, type WorkspaceRef } from '../../platform/context.ts';
import { decodeOffset, encodeOffset } from '../../platform/db/page-token.ts';
import type { BackgroundJob } from '../../platform/jobs/background-job.ts';
import type { SecretBox } from '../../platform/secrets/secret-box.ts';
import * as events from '../events/events.ts';
import { uuid } from './delivery-rules.ts';
import * as deliveries from './delivery-store.ts';
import { exampleOf } from './payload-rules.ts';
import { checkPublicHost } from './public-address.ts';
import { findCall, letterOf, nextCall } from './webhook-calls.ts';
import { type DelivererOptions, startDeliverer } from './webhook-deliverer.ts';
import { checkListLimit, checkName, checkSubscriptions, checkText, checkUrl, type Subscription } from './webhook-rules.ts';
import { post, sentenceOf, type UrlRules } from './webhook-sender.ts';
import * as store from './webhook-store.ts';

export { checkSubscription, isNative } from './webhook-rules.ts';
export { SECRETS } from './webhook-store.ts';

/** How this server calls receivers. */
export interface WebhookMeans {
  readonly secrets: SecretBox;
  readonly urls: UrlRules;
  readonly timeoutMs: number;
  readonly retriesMax: number;
  /** The newest checkpoint of the record as one line, for receivers to keep. */
  readonly newestCheckpoint?: () => string | undefined;
}

/** Without the secret, which is never shown again. */
export interface Webhook {
  readonly id: string;
  readonly name: string;
  readonly description: string | null;
  readonly url: string;
  readonly subscriptions: readonly Subscription[];
  readonly status: store.WebhookStatus;
  readonly createdAt: number;
  readonly updatedAt: number;
}

export interface WebhookChange {
  readonly name?: string | undefined;
  /** Empty: none. */
  readonly description?: string | undefined;
  readonly url?: string | undefined;
  readonly events?: readonly { readonly entity: string; readonly action: string }[] | undefined;
  /** Empty: calls are not signed. */
  readonly secret?: string | undefined;
  readonly status?: store.WebhookStatus | undefined;
}

export interface NewWebhook extends WebhookChange {
  readonly name: string;
  readonly url: string;
  readonly events: readonly { readonly entity: string; readonly action: string }[];
}

/** It is called for what happens from now on. INVALID_PARAMETER_VALUE in upstream's words. */
export async function create(ctx: Ctx, means: WebhookMeans, input: NewWebhook): Promise<Webhook> {
  const subscriptions = await check(means, input);
  return transaction(ctx, async (inner) => {
    const at = inner.clock.now();
    const webhookId = uuid(inner.clock.randomBytes(16));
    const since = await lastSeq(inner);
    const row = {
      webhookId,
      workspaceId: inner.workspace.id,
      name: input.name,
      description: input.description || null,
      url: input.url,
      secret: input.secret ? means.secrets.seal(input.secret, webhookId) : null,
      status: input.status ?? 'ACTIVE',
      deliveredSeq: since,
      createdAt: at,
      updatedAt: at,
    };
    const id = await store.insert(inner.tx, { ...row, by: inner.principal.id });
    await store.replaceSubscriptions(inner.tx, id, subscriptions?.map((each) => ({ ...each, sinceSeq: since })) ?? []);
    const made = await load(inner, { ...row, id });
    recordChange(inner, 'webhook.created', made, input);
    return made;
  });
}

/** Throws RESOURCE_DOES_NOT_EXIST. */
export async function get(ctx: Ctx, webhookId: string): Promise<Webhook> {
  return load(ctx, await getRow(ctx, webhookId));
}

/** Newest first; 0 is upstream's default of 100. */
export async function list(
  ctx: Ctx,
  query: { limit: number; pageToken: string | undefined },
): Promise<{ items: Webhook[]; nextPageToken: string | undefined }> {
  const limit = checkListLimit(query.limit);
  const offset = decodeOffset(query.pageToken);
  const rows = await store.list(reading(ctx), ctx.workspace.id, offset, limit + 1);
  const shown = rows.slice(0, limit);
  const subscriptions = await store.listSubscriptions(
    reading(ctx),
    shown.map((row) => row.id),
  );
  return {
    items: shown.map((row) => shownAs(row, subscriptions.get(row.id) ?? [])),
    nextPageToken: rows.length > limit ? encodeOffset(offset + limit) : undefined,
  };
}

/** What is undefined stays. What happened while it was disabled is not told later. */
export async function update(ctx: Ctx, means: WebhookMeans, webhookId: string, change: WebhookChange): Promise<Webhook> {
  await getRow(ctx, webhookId);
  const subscriptions = await check(means, change);
  return transaction(ctx, async (inner) => {
    const row = await getRow(inner, webhookId);
    const since = await lastSeq(inner);
    const next: store.WebhookRow = {
      ...row,
      name: change.name ?? row.name,
      description: change.description === undefined ? row.description : change.description || null,
      url: change.url ?? row.url,
      secret: change.secret === undefined ? row.secret : change.secret === '' ? null : means.secrets.seal(change.secret, webhookId),
      status: change.status ?? row.status,
      deliveredSeq: row.status === 'DISABLED' && change.status === 'ACTIVE' ? since : row.deliveredSeq,
      updatedAt: Math.max(inner.clock.now(), row.updatedAt + 1),
    };
    await store.update(inner.tx, next, inner.principal.id);
    if (subscriptions) await resubscribe(inner, row.id, subscriptions, since);
    const updated = await load(inner, next);
    recordChange(inner, 'webhook.updated', updated, change);
    return updated;
  });
}

/** What it was subscribed to already, it doesn't miss. */
async function resubscribe(ctx: TxCtx, id: number, wanted: readonly Subscription[], since: number): Promise<void> {
  const before = (await store.listSubscriptions(ctx.tx, [id])).get(id) ?? [];
  const sinceOf = (each: Subscription): number =>
    before.find((old) => old.entity === each.entity && old.action === each.action)?.sinceSeq ?? since;
  await store.replaceSubscriptions(
    ctx.tx,
    id,
    wanted.map((each) => ({ ...each, sinceSeq: sinceOf(each) })),
  );
}

/** Its secret is erased. */
export function remove(ctx: Ctx, webhookId: string): Promise<void> {
  return transaction(ctx, async (inner) => {
    const row = await getRow(inner, webhookId);
    await store.markDeleted(inner.tx, row.id, inner.clock.now(), inner.principal.id);
    events.record(inner, { type: 'webhook.deleted', data: { webhook_id: webhookId, name: row.name } });
  });
}

/** Of the workspace. */
export function countActive(ctx: Ctx): Promise<number> {
  return store.countActive(reading(ctx), ctx.workspace.id);
}

/** All of the workspace. */
export async function removeAll(ctx: TxCtx): Promise<void> {
  for (;;) {
    const page = await store.list(ctx.tx, ctx.workspace.id, 0, REMOVED_PAGE);
    for (const { webhookId } of page) await remove(ctx, webhookId);
    if (page.length < REMOVED_PAGE) return;
  }
}

const REMOVED_PAGE = 500;

/** All of the workspace are the other's from now on, and switched off: whoever made them may not be allowed to hear of everything there. */
export async function moveAll(ctx: TxCtx, to: WorkspaceRef): Promise<void> {
  await store.moveAll(ctx.tx, ctx.workspace.id, to.id, ctx.clock.now(), ctx.principal.id);
}

export interface TestResult {
  readonly success: boolean;
  readonly status?: number;
  readonly body?: string;
  readonly error?: string;
}

/** Sends an example once, signed like the real ones, also for a disabled webhook. */
export async function test(ctx: Ctx, means: WebhookMeans, webhookId: string, wanted: Subscription | undefined): Promise<TestResult> {
  const row = await getRow(ctx, webhookId);
  const subscription = wanted ?? (await load(ctx, row)).subscriptions[0];
  if (subscription === undefined) throw notFound(`Webhook with ID ${webhookId} has no events to test.`);
  try {
    const letter = letterOf(row, means.secrets, {
      id: uuid(ctx.clock.randomBytes(16)),
      payload: exampleOf(subscription),
      happenedAt: ctx.clock.now(),
      begunAt: ctx.clock.now(),
      checkpoint: means.newestCheckpoint?.(),
    });
    const { status, body } = await post(letter, means.urls, AbortSignal.timeout(means.timeoutMs));
    return { success: status < 400, status, body };
  } catch (error) {
    return { success: false, error: `Failed to test webhook: ${sentenceOf(error)}` };
  }
}

/** What was given up, newest first. */
export async function listFailures(ctx: Ctx, webhookId: string, limit: number): Promise<deliveries.FailureRow[]> {
  return deliveries.listFailures(reading(ctx), (await getRow(ctx, webhookId)).id, limit);
}

type Reporting = Pick<DelivererOptions, 'onError' | 'onFailure' | 'pollMs'>;
/** Beyond the time of one call and the longest pause. */
const LEASE_MARGIN_MS = 90_000;

/** Calls receivers in the background, until it is stopped. Several replicas share the work. */
export async function startDelivering(ctx: Ctx, means: WebhookMeans, reporting: Reporting): Promise<BackgroundJob> {
  const owner = ctx.clock.randomBytes(16).toString('hex');
  if (ctx.db.dialect === 'sqlite') await transaction(ctx, ({ tx }) => deliveries.releaseAll(tx));
  const take = (pk: number) => {
    const now = ctx.clock.now();
    const lease = { owner, now, until: now + means.timeoutMs + LEASE_MARGIN_MS };
    return transaction(ctx, ({ tx }) => deliveries.takeLease(tx, pk, lease));
  };
  const book: DelivererOptions['book'] = {
    lastSeq: () => lastSeq(ctx),
    listBehind: (seq) => deliveries.listBehind(ctx.db, { seq, owner, now: ctx.clock.now() }),
    next: (webhook, afterSeq, untilSeq) => nextCall(ctx, webhook, afterSeq, untilSeq),
    take: async (pk, seq, begunAt) => {
      const row = await take(pk);
      if (row === undefined || row.deliveredSeq >= seq) return row && 'done';
      const call = await findCall(ctx, row, seq);
      if (call === undefined) return 'done';
      const letter = letterOf(row, means.secrets, { ...call, begunAt, checkpoint: means.newestCheckpoint?.() });
      return { seq, send: (signal) => post(letter, means.urls, signal) };
    },
    skipTo: async (pk, seq) => {
      if (await take(pk)) await transaction(ctx, ({ tx }) => deliveries.advance(tx, pk, owner, seq));
    },
    advance: (pk, seq, failure) =>
      transaction(ctx, async ({ tx, clock }) => {
        const isOurs = (await deliveries.advance(tx, pk, owner, seq)) > 0;
        if (isOurs && failure !== undefined) await deliveries.insertFailure(tx, pk, seq, failure, clock.now());
      }),
    release: (pk) => transaction(ctx, ({ tx }) => deliveries.releaseLease(tx, pk, owner)),
  };
  return startDeliverer({ book, clock: ctx.clock, timeoutMs: means.timeoutMs, retriesMax: means.retriesMax, ...reporting });
}

/** Names are looked up here, before any transaction. */
async function check(means: WebhookMeans, input: WebhookChange): Promise<Subscription[] | undefined> {
  if (input.name !== undefined) checkName(input.name);
  if (input.description !== undefined) checkText('description', input.description);
  if (input.secret !== undefined) checkText('secret', input.secret);
  const url = input.url === undefined ? undefined : checkUrl(input.url, means.urls.schemes);
  const subscriptions = input.events && checkSubscriptions(input.events);
  if (url && !means.urls.allowPrivate) await checkPublicHost(url.hostname);
  return subscriptions;
}

function lastSeq(ctx: Ctx): Promise<number> {
  return events.lastSeqAt(reading(ctx), Number.MAX_SAFE_INTEGER);
}

async function getRow(ctx: Ctx, webhookId: string): Promise<store.WebhookRow> {
  const row = await store.find(reading(ctx), ctx.workspace.id, webhookId);
  if (!row) throw notFound(`Webhook with ID ${webhookId} not found.`);
  return row;
}

async function load(ctx: Ctx, row: store.WebhookRow): Promise<Webhook> {
  return shownAs(row, (await store.listSubscriptions(reading(ctx), [row.id])).get(row.id) ?? []);
}

function shownAs(row: store.WebhookRow, subscriptions: readonly store.SubscriptionRow[]): Webhook {
  return {
    id: row.webhookId,
    name: row.name,
    description: row.description,
    url: row.url,
    subscriptions: subscriptions.map(({ entity, action }) => ({ entity, action })),
    status: row.status,
    createdAt: row.createdAt,
    updatedAt: row.updatedAt,
  };
}

/** The secret is never in it, and of the URL only where it leads: paths hold keys of chat services. */
function recordChange(ctx: TxCtx, type: string, webhook: Webhook, input: WebhookChange): void {
  const changed = Object.entries(input).flatMap(([name, value]) => (value === undefined ? [] : [name]));
  events.record(ctx, {
    type,
    data: {
      webhook_id: webhook.id,
      name: webhook.name,
      url_origin: new URL(webhook.url).origin,
      events: webhook.subscriptions.map(({ entity, action }) => `${entity}.${action}`),
      status: webhook.status,
      changed: changed.sort(),
    },
    ...(input.description === undefined ? {} : { texts: { description: input.description } }),
  });
}
