import type { eventEndpoints } from '@countersign/contract/events.ts';
import { PAGE_SIZE } from '@countersign/contract/schemas.ts';
import * as administration from '../features/administration/administration.ts';
import * as audit from '../features/audit/audit.ts';
import * as catalog from '../features/catalog/catalog.ts';
import * as models from '../features/models/models.ts';
import type { Ctx } from '../platform/context.ts';
import { decodeOffset, encodeOffset } from '../platform/db/page-token.ts';
import { done } from './answers.ts';
import type { Handlers } from './handlers.ts';

interface EventQuery {
  readonly order?: 'newest' | 'oldest';
  readonly limit?: number;
  readonly page_token?: string;
}

async function listEvents(ctx: Ctx, query: EventQuery, modelId?: number) {
  const limit = query.limit ?? PAGE_SIZE;
  const found = await audit.listEvents(ctx, {
    ...(modelId === undefined ? {} : { modelId }),
    afterSeq: decodeOffset(query.page_token) || undefined,
    newestFirst: query.order !== 'oldest',
    limit: limit + 1,
  });
  const page = found.slice(0, limit);
  const last = page.at(-1);
  const principalOf = await catalog.listPrincipals(
    ctx,
    page.map((event) => event.principalId),
  );
  return {
    events: page.map((event) => answerEvent(event, principalOf(event.principalId))),
    next_page_token: found.length > limit && last ? encodeOffset(last.seq) : null,
  };
}

function answerEvent(event: audit.AuditEvent, principal: catalog.PrincipalView) {
  return {
    seq: event.seq,
    recorded_at: event.recordedAt,
    type: event.type,
    version: event.version,
    model_id: event.modelId,
    version_id: event.versionId,
    target: event.target,
    principal,
    token_id: event.tokenId,
    client_address: event.clientAddress,
    data: event.data,
    texts: event.texts,
    body: event.body,
    hash: event.hash,
  };
}

export const eventHandlers: Handlers<(typeof eventEndpoints)[number]['id']> = {
  listEvents: (ctx, { query }) => listEvents(ctx, query),
  listModelEvents: async (ctx, { params, query }) => listEvents(ctx, query, (await models.get(ctx, params.name)).id),
  listModelEventsById: async (ctx, { params, query }) =>
    listEvents(ctx, query, (await audit.findSubject(ctx, { id: params.id }, ctx.clock.now())).id),
  verifyEvents: async (ctx) => {
    const { ok, events, firstBad, reason, checkpoints, firstBadCheckpoint } = await audit.verify(ctx);
    return { ok, events, first_bad: firstBad ?? null, reason: reason ?? null, checkpoints, bad_checkpoint: firstBadCheckpoint ?? null };
  },
  eraseEventText: (ctx, { params }) => done(administration.eraseEventText(ctx, params.seq, params.field)),
};
