import type { BlockSchema, blockEndpoints } from '@countersign/contract/blocks.ts';
import { invalid, notFound } from '@countersign/contract/problem.ts';
import { PAGE_SIZE } from '@countersign/contract/schemas.ts';
import type { Static } from 'typebox';
import * as blocks from '../features/blocks/blocks.ts';
import * as catalog from '../features/catalog/catalog.ts';
import * as transitions from '../features/transitions/transitions.ts';
import type { Ctx } from '../platform/context.ts';
import { decodeOffset, encodeOffset } from '../platform/db/page-token.ts';
import { done } from './answers.ts';
import type { Handlers } from './handlers.ts';

async function answerBlocks(ctx: Ctx, list: readonly blocks.Block[]): Promise<Static<typeof BlockSchema>[]> {
  const principalOf = await catalog.listPrincipals(
    ctx,
    list.flatMap(({ blockedBy, liftedBy }) => (liftedBy === null ? [blockedBy] : [blockedBy, liftedBy])),
  );
  return list.map((block) => ({
    id: block.id,
    digest: block.digest,
    server_wide: block.isServerWide,
    reason: block.reason,
    blocked_by: principalOf(block.blockedBy),
    blocked_at: block.blockedAt,
    lift_reason: block.liftReason,
    lifted_by: block.liftedBy === null ? null : principalOf(block.liftedBy),
    lifted_at: block.liftedAt,
  }));
}

interface Bytes {
  readonly digest?: string;
  readonly model?: string;
  readonly version?: number;
}

function digestOf(ctx: Ctx, { digest, model, version }: Bytes): Promise<string> {
  if (digest !== undefined && model === undefined && version === undefined) return Promise.resolve(digest);
  if (digest === undefined && model !== undefined && version !== undefined) return blocks.digestOfVersion(ctx, model, version);
  throw invalid("Name the bytes either by 'digest', or by 'model' and 'version'.");
}

export const blockHandlers: Handlers<(typeof blockEndpoints)[number]['id']> = {
  addBlock: async (ctx, { body }) => {
    const block = await blocks.block(ctx, await digestOf(ctx, body), body.reason, { isServerWide: body.server_wide });
    const [answer] = await answerBlocks(ctx, [block]);
    if (answer === undefined) throw new TypeError('an answer of one block is one block');
    return answer;
  },
  listBlocks: async (ctx, { query }) => {
    const limit = query.limit ?? PAGE_SIZE;
    const beforeId = decodeOffset(query.page_token) || undefined;
    const found = await blocks.list(ctx, { beforeId, state: query.state, limit: limit + 1 });
    const page = found.slice(0, limit);
    const last = page.at(-1);
    return { blocks: await answerBlocks(ctx, page), next_page_token: found.length > limit && last ? encodeOffset(last.id) : null };
  },
  getBlock: async (ctx, { params, query }) => {
    const history = await blocks.listOfDigest(ctx, params.digest);
    if (history.length === 0) throw notFound(`The digest ${params.digest} never was blocked here. List blocks to see what is.`);
    const page = { afterId: decodeOffset(query.page_token) || undefined, limit: query.limit ?? PAGE_SIZE };
    const { versions, nextId } = await blocks.listVersions(ctx, params.digest, page);
    return {
      digest: params.digest,
      blocks: await answerBlocks(ctx, history),
      versions: versions.map(({ id, modelId, name, version, stage, aliases }) => ({
        id,
        model_id: modelId,
        name,
        version,
        stage,
        aliases: [...aliases],
      })),
      next_page_token: nextId === undefined ? null : encodeOffset(nextId),
    };
  },
  liftBlock: (ctx, { params, body }) => done(transitions.liftBlock(ctx, params.digest, body.reason, { isServerWide: body.server_wide })),
};
