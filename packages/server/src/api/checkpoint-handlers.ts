/** Checkpoints, their keys, proofs, and the pages that an export is made of. */
import type { CheckpointSchema, checkpointEndpoints } from '@countersign/contract/checkpoints.ts';
import { Problem } from '@countersign/contract/problem.ts';
import { PAGE_SIZE } from '@countersign/contract/schemas.ts';
import type { Static } from 'typebox';
import * as audit from '../features/audit/audit.ts';
import * as checkpoints from '../features/checkpoints/checkpoints.ts';
import type { Handlers } from './handlers.ts';

function answerCheckpoint(checkpoint: checkpoints.SignedCheckpoint): Static<typeof CheckpointSchema> {
  return {
    server: checkpoint.serverId,
    size: checkpoint.size,
    root: checkpoint.root.toString('base64'),
    time: checkpoint.time,
    previous: checkpoint.previous.toString('base64'),
    key_id: checkpoint.keyId,
    note: checkpoints.checkpointNote(checkpoint),
    line: checkpoints.checkpointLine(checkpoint),
  };
}

function answerKey(serverId: string, key: checkpoints.CheckpointKey) {
  return {
    number: key.number,
    key_id: checkpoints.keyIdOf(serverId, key.publicKey),
    public_key: key.publicKey.toString('base64'),
    verifier_key: checkpoints.verifierKey(serverId, key.publicKey),
    created_at: key.createdAt,
    signed_by: key.signedBy,
    signature: key.signature.toString('base64'),
  };
}

const inBase64 = (hash: Buffer): string => hash.toString('base64');

/** `maker` undefined: a server that signs nothing, as in tests of other things. */
export function checkpointHandlers(maker: checkpoints.Checkpoints | undefined): Handlers<(typeof checkpointEndpoints)[number]['id']> {
  const need = (): checkpoints.Checkpoints => {
    if (maker === undefined) throw new Problem('INVALID_STATE', 'This server makes no checkpoints.');
    return maker;
  };
  return {
    listCheckpoints: async (ctx, { query }) => {
      const limit = query.limit ?? PAGE_SIZE;
      const found = await checkpoints.list(ctx, {
        afterSize: query.after_size,
        newestFirst: query.order !== 'oldest',
        limit: limit + 1,
      });
      const page = found.slice(0, limit);
      return {
        checkpoints: page.map((each) => ({ ...answerCheckpoint(each), frontier: Buffer.from(each.frontier).toString('base64') })),
        next_after_size: found.length > limit ? (page.at(-1)?.size ?? null) : null,
      };
    },
    getNewestCheckpoint: async (ctx) => {
      const newest = await checkpoints.findNewest(ctx);
      return { checkpoint: newest === undefined ? null : answerCheckpoint(newest) };
    },
    makeCheckpoint: async (ctx) => {
      const made = await need().make(ctx);
      return { checkpoint: made === undefined ? null : answerCheckpoint(made) };
    },
    proveConsistency: async (ctx, { params, query }) => {
      const { older, newer, hashes } = await checkpoints.proveConsistency(ctx, params.size, query.to);
      return { older: answerCheckpoint(older), newer: answerCheckpoint(newer), hashes: hashes.map(inBase64) };
    },
    proveInclusion: async (ctx, { params, query }) => {
      const { event, checkpoint, hashes } = await checkpoints.proveInclusion(ctx, params.seq, query.size);
      const { seq, body, hash } = event;
      return { seq, body, hash, checkpoint: answerCheckpoint(checkpoint), hashes: hashes.map(inBase64) };
    },
    exportEvents: async (ctx, { query }) => ({
      events: [
        ...(await audit.listChained(ctx, {
          afterSeq: query.after_seq ?? 0,
          limit: query.limit ?? PAGE_SIZE,
          withTexts: query.texts === 'true',
        })),
      ],
    }),
    listCheckpointKeys: async (ctx) => {
      const { serverId, keys } = await checkpoints.listKeys(ctx);
      return { server: serverId, keys: keys.map((key) => answerKey(serverId, key)) };
    },
    rotateCheckpointKey: async (ctx, { body }) => {
      const key = await need().rotateKey(ctx, body.lost ?? false);
      const { serverId } = await checkpoints.listKeys(ctx);
      return answerKey(serverId, key);
    },
  };
}
