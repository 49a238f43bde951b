/** `keys.json` and `checkpoints.json` of a pack: the public keys, the checkpoint that the pack stands on, and proofs that it goes on from earlier ones. */
import type * as checkpoints from '../checkpoints/checkpoints.ts';
import { isObject, parse } from './pack-rules.ts';

export interface PackedKey {
  readonly number: number;
  readonly public_key: string;
  readonly created_at: number;
  readonly signed_by: number;
  readonly signature: string;
}

export interface PackedCheckpoints {
  /** Of the tree at the pack's checkpoint, base64. */
  readonly frontier: string;
  readonly earlier: readonly EarlierCheckpoint[];
}

export interface EarlierCheckpoint {
  readonly line: string;
  /** RFC 6962 §2.1.2, base64: that the pack's checkpoint goes on from this one. */
  readonly proof: readonly string[];
}

export function packKey(key: checkpoints.CheckpointKey): PackedKey {
  return {
    number: key.number,
    public_key: key.publicKey.toString('base64'),
    created_at: key.createdAt,
    signed_by: key.signedBy,
    signature: key.signature.toString('base64'),
  };
}

/** Oldest first; undefined for what is no list of keys. */
export function readKeys(text: string): checkpoints.CheckpointKey[] | undefined {
  const read = parse(text);
  const list: unknown = isObject(read) ? read.keys : undefined;
  if (!Array.isArray(list)) return undefined;
  const keys = list.map(readKey);
  return keys.every((key) => key !== undefined) ? keys : undefined;
}

function readKey(value: unknown): checkpoints.CheckpointKey | undefined {
  if (!isObject(value)) return undefined;
  const { number, public_key, created_at, signed_by, signature } = value;
  if (typeof public_key !== 'string' || typeof signature !== 'string') return undefined;
  if (typeof number !== 'number' || typeof created_at !== 'number' || typeof signed_by !== 'number') return undefined;
  const publicKey = Buffer.from(public_key, 'base64');
  if (publicKey.length !== 32) return undefined;
  return { number, publicKey, createdAt: created_at, signedBy: signed_by, signature: Buffer.from(signature, 'base64') };
}

/** Undefined for anything else. */
export function readCheckpoints(text: string): PackedCheckpoints | undefined {
  const read = parse(text);
  if (!isObject(read) || typeof read.frontier !== 'string' || !Array.isArray(read.earlier)) return undefined;
  const isEarlier = (each: unknown): boolean => isObject(each) && typeof each.line === 'string' && areTexts(each.proof);
  return read.earlier.every(isEarlier) ? (read as unknown as PackedCheckpoints) : undefined; // all of it was looked at
}

export function areTexts(value: unknown): value is readonly string[] {
  return Array.isArray(value) && value.every((each) => typeof each === 'string');
}
