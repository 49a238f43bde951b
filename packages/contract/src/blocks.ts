/** Blocks of bytes: what may enter no governed place, and where it is. */
import { Type } from 'typebox';
import { endpoint } from './endpoint.ts';
import {
  closed,
  Done,
  Id,
  Limit,
  ModelName,
  NextPageToken,
  NO_PARAMS,
  named,
  nullable,
  oneOf,
  PageToken,
  PrincipalRef,
  Time,
  VersionNumber,
} from './schemas.ts';
import { VersionSchema } from './versions.ts';

export const BLOCK_STATES = ['open', 'lifted'] as const;

const Digest = Type.String({ pattern: '^[0-9a-f]{64}$', description: 'Of the seal: `seal.digest` of a version.' });
const Reason = Type.String({ minLength: 1, maxLength: 4000, description: 'For whoever is refused.' });
const ServerWide = Type.Optional(
  Type.Boolean({ description: 'In every workspace, by an administrator of the server. Without it: in this one.' }),
);

export const BlockSchema = named('Block', {
  id: Id,
  digest: Digest,
  server_wide: Type.Boolean({ description: 'Holds in every workspace.' }),
  reason: nullable(Type.String(), 'null where it was erased.'),
  blocked_by: PrincipalRef,
  blocked_at: Time,
  lift_reason: nullable(Type.String(), 'null while it holds, and where it was erased.'),
  lifted_by: nullable(PrincipalRef),
  lifted_at: nullable(Time, 'null while it holds.'),
});

export const blockEndpoints = [
  endpoint({
    id: 'addBlock',
    noun: 'blocks',
    method: 'POST',
    path: '/api/v1/blocks',
    permission: 'block.create',
    summary: 'Block bytes: they enter no governed place from now on.',
    description:
      'By whoever manages a model that has them, or the workspace. Name the digest, or a sealed version. What has the bytes already stays where it is, and shows it. ' +
      'RESOURCE_ALREADY_EXISTS where they are blocked.',
    params: NO_PARAMS,
    body: closed({
      digest: Type.Optional(Digest),
      model: Type.Optional(ModelName),
      version: Type.Optional(VersionNumber),
      reason: Reason,
      server_wide: ServerWide,
    }),
    output: BlockSchema,
    status: 201,
  }),
  endpoint({
    id: 'listBlocks',
    noun: 'blocks',
    method: 'GET',
    path: '/api/v1/blocks',
    permission: 'block.read',
    summary: 'List blocks of the workspace and those of all workspaces, newest first.',
    params: NO_PARAMS,
    query: closed({
      state: Type.Optional(oneOf(BLOCK_STATES, '`open` ones hold; both where it is left out.')),
      limit: Limit,
      page_token: PageToken,
    }),
    output: named('BlockPage', { blocks: Type.Array(BlockSchema), next_page_token: NextPageToken }),
  }),
  endpoint({
    id: 'getBlock',
    noun: 'blocks',
    method: 'GET',
    path: '/api/v1/blocks/{digest}',
    permission: 'block.read',
    summary: 'The blocks of a digest, and the versions that have these bytes.',
    description:
      'RESOURCE_DOES_NOT_EXIST where it never was blocked. Versions that the caller may not see are left out, so that a page may be shorter than its limit.',
    params: closed({ digest: Digest }),
    query: closed({ limit: Limit, page_token: PageToken }),
    output: named('BlockedBytes', {
      digest: Digest,
      blocks: Type.Array(BlockSchema, { description: 'Lifted ones too, newest first; at most 100.' }),
      versions: Type.Array(
        closed({
          id: Id,
          model_id: Id,
          name: ModelName,
          version: VersionNumber,
          stage: VersionSchema.properties.stage,
          aliases: Type.Array(Type.String()),
        }),
        { description: 'In the order in which they were registered.' },
      ),
      next_page_token: NextPageToken,
    }),
  }),
  endpoint({
    id: 'liftBlock',
    noun: 'blocks',
    method: 'POST',
    path: '/api/v1/blocks/{digest}/lift',
    permission: 'block.lift',
    summary: 'Lift a block.',
    description:
      'Governed as the setting `blocks`: PERMISSION_DENIED says what a policy misses. RESOURCE_DOES_NOT_EXIST where the digest is not blocked there.',
    params: closed({ digest: Digest }),
    body: closed({ reason: Reason, server_wide: ServerWide }),
    output: Done,
  }),
] as const;
