/**
 * The port to bytes: immutable blobs named by content. Two adapters: a local folder, and (later) S3-compatible storage.
 * It holds bytes only; every truth about them (which exist, who refers to them) is in the database.
 */
import type { Readable } from 'node:stream';

/** A SHA-256 is kept for each piece of this size, so that a reader checks before it sends. */
export const CHUNK_BYTES = 1 << 20;

/** Bytes that arrived and are durable under a temporary name or their final one. */
export interface StoredBytes {
  /** Lowercase hex of the whole. */
  readonly sha256: string;
  readonly sizeBytes: number;
  /** The 32-byte digests of the chunks, one after another. */
  readonly chunkDigests: Uint8Array;
}

export interface BlobName {
  /** The key domain inside which equal bytes are one blob. */
  readonly domain: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

export interface BlobStore {
  /** Streams, hashes and makes durable (fsync of file and folder). Nothing is visible until `put` resolves. Rejects with the source's error. */
  put(domain: string, bytes: Readable): Promise<StoredBytes>;
  /** Bytes [start, end] inclusive, unchecked. Rejects if the blob is absent. */
  read(blob: BlobName, range?: { readonly start: number; readonly end: number }): Readable;
  /** The whole of a small blob in one piece. */
  readWhole(blob: BlobName): Promise<Buffer>;
  has(blob: BlobName): Promise<boolean>;
  remove(blob: BlobName): Promise<void>;
  /** Removes temporary files that no living upload owns (left by a crash). */
  sweep(olderThanMs: number): Promise<number>;
}
