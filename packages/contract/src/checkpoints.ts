/** Signed checkpoints over the record, the keys that sign them, proofs, and the record itself with all that is needed to verify it. */
import { Type } from 'typebox';
import { endpoint } from './endpoint.ts';
import { closed, Limit, NO_PARAMS, named, nullable, oneOf, PAGE_SIZE_MAX, Time } from './schemas.ts';

const Base64 = Type.String({ description: 'Base64.' });
const Seq = Type.Integer({ minimum: 1, description: 'Place of an event in the chain.' });
const Size = Type.Integer({ minimum: 1, description: 'How many events it is over: the first `size` of the chain.' });

export const CheckpointSchema = named(
  'Checkpoint',
  {
    server: Type.String({ description: 'Random id of the record, 32 hex digits.' }),
    size: Size,
    root: Type.String({ description: 'RFC 6962 Merkle root over the hashes of the events, in base64.' }),
    time: Time,
    previous: Type.String({ description: 'SHA-256 of the text of the checkpoint before, in base64; 32 bytes 0 for the first.' }),
    key_id: Type.String({ description: 'Which key signed it.' }),
    note: Type.String({ description: 'Text and Ed25519 signature as a signed note: what verifiers of C2SP checkpoints read.' }),
    line: Type.String({ description: 'The same in one line: keep it elsewhere, and hand it to `countersign audit verify --since`.' }),
  },
  'What the record was at a time, signed.',
);

const KeptCheckpoint = named('KeptCheckpoint', {
  ...CheckpointSchema.properties,
  frontier: Type.String({
    description: 'Roots of the perfect subtrees that its tree consists of, the largest first, 32 bytes each, in base64.',
  }),
});

export const CheckpointKeySchema = named(
  'CheckpointKey',
  {
    number: Type.Integer({ minimum: 1, description: 'From 1; the last one signs.' }),
    key_id: Type.String({ description: '8 hex digits.' }),
    public_key: Type.String({ description: 'Ed25519, 32 bytes in base64.' }),
    verifier_key: Type.String({ description: 'The same as verifiers of signed notes take it.' }),
    created_at: Time,
    signed_by: Type.Integer({ description: 'Number of the key that vouches for it: the one before, or itself.' }),
    signature: Base64,
  },
  'A key that signs, or signed, checkpoints.',
);

const Hashes = Type.Array(Base64, { description: 'Nodes of the tree, in the order of RFC 6962 §2.1.' });

export const ChainedEventSchema = named(
  'ChainedEvent',
  {
    seq: Seq,
    body: Type.String({ description: 'The exact bytes that were hashed.' }),
    hash: Type.String({ description: 'In hex.' }),
    texts: Type.Optional(
      Type.Record(Type.String(), closed({ salt: Type.String(), text: Type.String() }), {
        description: 'What is still there of the texts beside it, with the salts of the commitments, in hex.',
      }),
    ),
  },
  'An event with what is needed to verify it.',
);

export const EXPORT_PAGE_MAX = PAGE_SIZE_MAX;

export const checkpointEndpoints = [
  endpoint({
    id: 'listCheckpoints',
    noun: 'checkpoints',
    method: 'GET',
    path: '/api/v1/checkpoints',
    permission: 'server.read',
    summary: 'Checkpoints over the record.',
    params: NO_PARAMS,
    query: closed({
      order: Type.Optional(oneOf(['newest', 'oldest'], '`newest` first, or `oldest` first; newest where it is left out.')),
      after_size: Type.Optional(Type.Integer({ minimum: 1, description: 'Behind this one, in the order asked for.' })),
      limit: Limit,
    }),
    output: named('CheckpointPage', {
      checkpoints: Type.Array(KeptCheckpoint),
      next_after_size: nullable(Type.Integer(), '`after_size` of the page behind this one; null on the last.'),
    }),
  }),
  endpoint({
    id: 'getNewestCheckpoint',
    noun: 'checkpoints',
    method: 'GET',
    path: '/api/v1/checkpoints/newest',
    permission: 'account',
    summary: 'The newest checkpoint.',
    description: 'Says nothing of what happened; keep it, and the record can not be cut or rewritten behind it without being seen.',
    params: NO_PARAMS,
    output: named('NewestCheckpoint', { checkpoint: nullable(CheckpointSchema, 'null before the first event.') }),
  }),
  endpoint({
    id: 'makeCheckpoint',
    noun: 'checkpoints',
    method: 'POST',
    path: '/api/v1/checkpoints',
    permission: 'server.read',
    summary: 'Make one over all events that there are now.',
    description: 'The newest where nothing happened since. It changes nothing of the record, so reading it is permission enough.',
    params: NO_PARAMS,
    output: named('MadeCheckpoint', { checkpoint: nullable(CheckpointSchema, 'null before the first event.') }),
  }),
  endpoint({
    id: 'proveConsistency',
    noun: 'checkpoints',
    method: 'GET',
    path: '/api/v1/checkpoints/{size}/consistency-proof',
    permission: 'account',
    summary: 'That the record goes on from what it was at a checkpoint.',
    params: closed({ size: Size }),
    query: closed({
      to: Type.Optional(Type.Integer({ minimum: 1, description: 'Size of the newer checkpoint; the newest where it is left out.' })),
    }),
    output: named('ConsistencyProof', { older: CheckpointSchema, newer: CheckpointSchema, hashes: Hashes }),
  }),
  endpoint({
    id: 'proveInclusion',
    noun: 'checkpoints',
    method: 'GET',
    path: '/api/v1/events/{seq}/inclusion-proof',
    permission: 'server.read',
    summary: 'That an event is under a checkpoint.',
    params: closed({ seq: Seq }),
    query: closed({
      size: Type.Optional(Type.Integer({ minimum: 1, description: 'Of the checkpoint; the newest where it is left out.' })),
    }),
    output: named('InclusionProof', {
      seq: Seq,
      body: Type.String({ description: 'Of the event.' }),
      hash: Type.String({ description: 'Of the event, in hex: the entry of the tree.' }),
      checkpoint: CheckpointSchema,
      hashes: Hashes,
    }),
  }),
  endpoint({
    id: 'exportEvents',
    noun: 'checkpoints',
    method: 'GET',
    path: '/api/v1/events/export',
    permission: 'server.read',
    summary: 'The whole chain, of every workspace, page by page.',
    description: 'What `countersign audit export` writes to a file.',
    params: NO_PARAMS,
    query: closed({
      after_seq: Type.Optional(Type.Integer({ minimum: 0, description: 'Behind this event; from the first where it is left out.' })),
      texts: Type.Optional(oneOf(['true', 'false'], '`true`: with the texts beside the events, which may be personal data.')),
      limit: Limit,
    }),
    output: named('ChainedEventPage', { events: Type.Array(ChainedEventSchema) }),
  }),
  endpoint({
    id: 'listCheckpointKeys',
    noun: 'checkpoints',
    method: 'GET',
    path: '/api/v1/checkpoint-keys',
    permission: 'account',
    summary: 'Public keys of the checkpoints, oldest first.',
    params: NO_PARAMS,
    output: named('CheckpointKeys', { server: Type.String(), keys: Type.Array(CheckpointKeySchema) }),
  }),
  endpoint({
    id: 'rotateCheckpointKey',
    noun: 'checkpoints',
    method: 'POST',
    path: '/api/v1/checkpoint-keys',
    permission: 'server.admin',
    summary: 'Have a new key sign from now on.',
    description:
      'The old key signs the new one. A key that the operator gives is rotated by giving the new one before the old one. `lost`: the old one can ' +
      'not sign; verifiers then refuse the new one unless they are told to trust it.',
    params: NO_PARAMS,
    body: closed({ lost: Type.Optional(Type.Boolean()) }),
    output: CheckpointKeySchema,
    status: 201,
  }),
] as const;
