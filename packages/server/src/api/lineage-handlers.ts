import { LINEAGE_DEPTH, type LineageSchema, type lineageEndpoints } from '@countersign/contract/lineage.ts';
import type { Static } from 'typebox';
import * as lineage from '../features/lineage/lineage.ts';
import type { Handlers } from './handlers.ts';

function answerLineage({ roots, nodes, edges, isTruncated }: lineage.LineageGraph): Static<typeof LineageSchema> {
  return {
    roots: [...roots],
    nodes: nodes.map(({ id, kind, name, isHidden, facts, startedAt, endedAt }) => ({
      id,
      kind,
      name,
      hidden: isHidden,
      facts: { ...facts },
      started_at: startedAt,
      ended_at: endedAt,
    })),
    edges: edges.map(({ from, to, kind, isClaimed, since, until }) => ({
      from,
      to,
      kind,
      claimed: isClaimed,
      since_at: since,
      until_at: until,
    })),
    truncated: isTruncated,
  };
}

export const lineageHandlers: Handlers<(typeof lineageEndpoints)[number]['id']> = {
  getVersionLineage: async (ctx, { params, query }) =>
    answerLineage(
      await lineage.ofVersion(ctx, params.name, params.version, {
        direction: query.direction ?? 'both',
        depth: query.depth ?? LINEAGE_DEPTH,
      }),
    ),
  getRunLineage: async (ctx, { params, query }) => answerLineage(await lineage.ofRun(ctx, params.run_id, query.depth ?? LINEAGE_DEPTH)),
  getDatasetLineage: async (ctx, { params, query }) =>
    answerLineage(await lineage.ofDataset(ctx, params.digest, query.depth ?? LINEAGE_DEPTH)),
};
