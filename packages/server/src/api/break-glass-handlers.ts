import type { breakGlassEndpoints, OpeningSchema } from '@countersign/contract/break-glass.ts';
import { RANK } from '@countersign/contract/levels.ts';
import { PAGE_SIZE } from '@countersign/contract/schemas.ts';
import type { Static } from 'typebox';
import * as breakGlass from '../features/break-glass/break-glass.ts';
import * as catalog from '../features/catalog/catalog.ts';
import * as models from '../features/models/models.ts';
import * as transitions from '../features/transitions/transitions.ts';
import * as versions from '../features/versions/versions.ts';
import type { Ctx } from '../platform/context.ts';
import { decodeOffset, encodeOffset } from '../platform/db/page-token.ts';
import type { Handlers } from './handlers.ts';

type Answer = Static<typeof OpeningSchema>;

export async function answerOpenings(ctx: Ctx, list: readonly breakGlass.Opening[]): Promise<Answer[]> {
  const principalOf = await catalog.listPrincipals(
    ctx,
    list.flatMap(({ openedBy, reviewedBy }) => (reviewedBy === null ? [openedBy] : [openedBy, reviewedBy])),
  );
  const nameOf = await visibleModels(
    ctx,
    list.flatMap(({ modelId }) => modelId ?? []),
  );
  const found = await versions.listByIds(
    ctx,
    list.flatMap(({ versionId }) => versionId ?? []),
  );
  const numberOf = new Map(found.map(({ id, version }) => [id, version]));
  return list.map((opening) => {
    const name = nameOf.get(opening.modelId ?? -1) ?? null;
    return {
      id: opening.id,
      policy: opening.policyName,
      state: opening.state,
      reason: opening.reason,
      ticket: opening.ticket,
      opened_by: principalOf(opening.openedBy),
      opened_at: opening.openedAt,
      expires_at: opening.expiresAt,
      used_at: opening.usedAt,
      subject: opening.subject,
      model_id: opening.modelId,
      version_id: opening.versionId,
      name,
      version: name === null ? null : (numberOf.get(opening.versionId ?? -1) ?? null),
      reviewed_by: opening.reviewedBy === null ? null : principalOf(opening.reviewedBy),
      reviewed_at: opening.reviewedAt,
      note: opening.note,
    };
  });
}

/** Names by id. */
async function visibleModels(ctx: Ctx, ids: readonly number[]): Promise<ReadonlyMap<number, string>> {
  if (ids.length === 0) return new Map();
  const found = await models.listByIds(ctx, [...new Set(ids)]);
  return new Map(
    found.filter((model) => ctx.access.rankOf('registered-model', model) >= RANK.VIEW).map(({ id, name }) => [id, name] as const),
  );
}

async function answerOpening(ctx: Ctx, opening: breakGlass.Opening): Promise<Answer> {
  const [answer] = await answerOpenings(ctx, [opening]);
  if (answer === undefined) throw new TypeError('an answer of one opening is one opening');
  return answer;
}

export const breakGlassHandlers: Handlers<(typeof breakGlassEndpoints)[number]['id']> = {
  openBreakGlass: async (ctx, { body }) =>
    answerOpening(ctx, await transitions.openBreakGlass(ctx, { policyName: body.policy, reason: body.reason, ticket: body.ticket })),
  listBreakGlass: async (ctx, { query }) => {
    const limit = query.limit ?? PAGE_SIZE;
    const found = await breakGlass.list(ctx, {
      state: query.state,
      beforeId: decodeOffset(query.page_token) || undefined,
      limit: limit + 1,
    });
    const page = found.slice(0, limit);
    const last = page.at(-1);
    return { openings: await answerOpenings(ctx, page), next_page_token: found.length > limit && last ? encodeOffset(last.id) : null };
  },
  reviewBreakGlass: async (ctx, { params, body }) => answerOpening(ctx, await breakGlass.review(ctx, params.id, body.note)),
};
