import type { evidencePackEndpoints } from '@countersign/contract/evidence-packs.ts';
import { Problem } from '@countersign/contract/problem.ts';
import type { Checkpoints } from '../features/checkpoints/checkpoints.ts';
import * as evidencePack from '../features/evidence-pack/evidence-pack.ts';
import type { Handlers } from './handlers.ts';

/** `maker` undefined: a server that signs nothing. */
export function evidencePackHandlers(maker: Checkpoints | undefined): Handlers<(typeof evidencePackEndpoints)[number]['id']> {
  return {
    getEvidencePack: async (ctx, { params, query }) => {
      if (maker === undefined) throw new Problem('INVALID_STATE', 'This server signs nothing, so it gives no evidence packs.');
      return evidencePack.build(ctx, maker, params.name, params.version, { since: query.since });
    },
  };
}
