import type { EvidenceSchema, evidenceEndpoints } from '@countersign/contract/evidence.ts';
import type { Static } from 'typebox';
import * as catalog from '../features/catalog/catalog.ts';
import * as evidence from '../features/evidence/evidence.ts';
import * as versions from '../features/versions/versions.ts';
import type { Ctx } from '../platform/context.ts';
import type { Handlers } from './handlers.ts';

async function answerEvidence(
  ctx: Ctx,
  found: evidence.Evidence | evidence.Snapshot,
  isCurrent: boolean,
): Promise<Static<typeof EvidenceSchema>> {
  const taken = 'takenBy' in found ? found : undefined;
  const principalOf = await catalog.listPrincipals(ctx, taken ? [taken.takenBy] : []);
  const { metrics, params, datasets, flavors, requirements, tags, model_card_sections: sections, ...rest } = found.content;
  return {
    ...rest,
    digest: found.digest,
    number: taken?.number ?? null,
    taken_at: taken?.takenAt ?? null,
    taken_by: taken ? principalOf(taken.takenBy) : null,
    is_current: isCurrent,
    metrics: [...metrics],
    params: [...params],
    datasets: [...datasets],
    flavors: [...flavors],
    requirements: [...requirements],
    tags: [...tags],
    model_card_sections: [...sections],
    body: found.body,
  };
}

export const evidenceHandlers: Handlers<(typeof evidenceEndpoints)[number]['id']> = {
  getEvidence: async (ctx, { params }) => {
    const found = await evidence.inspect(ctx, await versions.get(ctx, params.name, params.version));
    return answerEvidence(ctx, found.evidence, found.isCurrent);
  },
  renewEvidence: async (ctx, { params }) => answerEvidence(ctx, await evidence.renew(ctx, params.name, params.version), true),
};
