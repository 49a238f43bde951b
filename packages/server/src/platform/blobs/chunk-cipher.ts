/**
 * A file encrypted by chunk: AES-256-GCM under a key of its own, so that the chunk's number can be its nonce. File, number and whether it is
 * the last are authenticated: a chunk that was changed, moved, taken from another file or cut off opens nowhere. The form is on disk for ever.
 */
import { createCipheriv, createDecipheriv, type KeyObject } from 'node:crypto';
import { CHUNK_BYTES } from './blob-store.ts';

const TAG_BYTES = 16;
export const SEALED_CHUNK_BYTES = CHUNK_BYTES + TAG_BYTES;
const NONCE_BYTES = 12;
const LABEL = Buffer.from('countersign.chunk.v1\n');

export interface ChunkPlace {
  /** Hex digits. */
  readonly fileId: string;
  /** From 0. */
  readonly number: number;
  readonly isLast: boolean;
}

/** Number of the last chunk; an empty file has one too, so that cutting a file to nothing shows. */
export function lastChunkOf(sizeBytes: number): number {
  return Math.max(0, Math.ceil(sizeBytes / CHUNK_BYTES) - 1);
}

export function sealedSizeOf(sizeBytes: number): number {
  return sizeBytes + (lastChunkOf(sizeBytes) + 1) * TAG_BYTES;
}

/** The parts of what is stored, in order. */
export function sealChunk(key: KeyObject, place: ChunkPlace, plain: Uint8Array): Buffer[] {
  const cipher = createCipheriv('aes-256-gcm', key, nonceOf(place)).setAAD(boundTo(place));
  const body = cipher.update(plain);
  cipher.final();
  return [body, cipher.getAuthTag()];
}

/** Undefined for anything but what was sealed for this place. */
export function openChunk(key: KeyObject, place: ChunkPlace, sealed: Buffer): Buffer | undefined {
  if (sealed.length < TAG_BYTES) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(place), { authTagLength: TAG_BYTES });
  decipher.setAAD(boundTo(place)).setAuthTag(sealed.subarray(-TAG_BYTES));
  const plain = decipher.update(sealed.subarray(0, -TAG_BYTES));
  try {
    decipher.final();
    return plain;
  } catch {
    return undefined;
  }
}

/** Small enough that the cipher's own buffers come from memory that is at hand, not from new pages. */
const SLICE_BYTES = 64 * 1024;

/** The same into memory of the caller's, which holds CHUNK_BYTES; answers how many bytes. What lies there means nothing if that is undefined. */
export function openChunkInto(key: KeyObject, place: ChunkPlace, sealed: Buffer, into: Buffer): number | undefined {
  const sizeBytes = sealed.length - TAG_BYTES;
  if (sizeBytes < 0) return undefined;
  const decipher = createDecipheriv('aes-256-gcm', key, nonceOf(place), { authTagLength: TAG_BYTES });
  decipher.setAAD(boundTo(place)).setAuthTag(sealed.subarray(sizeBytes));
  for (let at = 0; at < sizeBytes; at += SLICE_BYTES) {
    decipher.update(sealed.subarray(at, Math.min(at + SLICE_BYTES, sizeBytes))).copy(into, at);
  }
  try {
    decipher.final();
    return sizeBytes;
  } catch {
    return undefined;
  }
}

function nonceOf({ number }: ChunkPlace): Buffer {
  const nonce = Buffer.alloc(NONCE_BYTES);
  nonce.writeUInt32BE(number, NONCE_BYTES - 4);
  return nonce;
}

function boundTo({ fileId, number, isLast }: ChunkPlace): Buffer {
  const place = Buffer.alloc(5);
  place.writeUInt32BE(number);
  place[4] = isLast ? 1 : 0;
  return Buffer.concat([LABEL, Buffer.from(fileId, 'hex'), place]);
}
