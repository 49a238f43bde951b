/** All that is known of a version, as one file that is verified without this server. */
import { Type } from 'typebox';
import { endpoint } from './endpoint.ts';
import { closed } from './schemas.ts';
import { ByVersion } from './versions.ts';

export const evidencePackEndpoints = [
  endpoint({
    id: 'getEvidencePack',
    noun: 'evidence packs',
    method: 'GET',
    path: '/api/v1/models/{name}/versions/{version}/evidence-pack',
    permission: 'model-version.read',
    summary: 'A version with its evidence and the proof of it, in one signed file.',
    description:
      'A zip of manifest, lineage, checks, approvals with the policies of their day, the events of the version with proofs that they are under a signed ' +
      'checkpoint, and a page for people. `countersign evidence verify` verifies it without a server.',
    params: ByVersion,
    query: closed({
      since: Type.Optional(
        Type.Integer({
          minimum: 1,
          description: 'How many events a checkpoint is over that you keep: the pack proves that it goes on from it.',
        }),
      ),
    }),
    media: 'application/zip',
    fileName: '{name}-{version}-evidence.zip',
    output: Type.Unsafe<Uint8Array>({ type: 'string', format: 'binary' }),
  }),
] as const;
