/**
 * The port to bytes: immutable blobs named by content. Two adapters: a local folder, and (later) S3-compatible storage.
 * It holds bytes only; every truth about them (which exist, who refers to them) is in the database.
 */
import type { Readable } from 'node:stream';

/** A SHA-256 is kept for each piece of this size, so that a reader checks before it sends. */
export const CHUNK_BYTES = 1 << 20;

/** Bytes that arrived and are durable under their final name. */
export interface StoredBytes {
  /** Lowercase hex of the whole. */
  readonly sha256: string;
  readonly sizeBytes: number;
  /** The 32-byte digests of the chunks, one after another; empty for no bytes. */
  readonly chunkDigests: Uint8Array;
}

export interface BlobName {
  /** The key domain inside which equal bytes are one blob. */
  readonly domain: string;
  readonly sha256: string;
  readonly sizeBytes: number;
}

export interface ByteRange {
  readonly start: number;
  /** Inclusive. */
  readonly end: number;
}

export interface BlobStore {
  /**
   * Streams, hashes and makes durable (fsync of file and folder). Nothing is visible until `put` resolves, and nothing is left where it
   * rejects: INVALID_PARAMETER_VALUE for a source that ended early, STORAGE_FULL for a full disk.
   */
  put(domain: string, bytes: Readable): Promise<StoredBytes>;
  /** Bytes of the range, unchecked. The stream fails if the blob is absent. */
  read(blob: BlobName, range?: ByteRange): Readable;
  /**
   * The same in pieces of exactly CHUNK_BYTES from the start of the range (the last is shorter), for who sends or checks them: fewer bytes
   * are copied. A piece is valid until the second one after it is asked for. Fewer pieces come where the blob is cut, an error where it is absent.
   */
  chunks(blob: BlobName, range?: ByteRange): AsyncGenerator<Buffer>;
  /** The whole of a small blob in one piece. */
  readWhole(blob: BlobName): Promise<Buffer>;
  has(blob: BlobName): Promise<boolean>;
  /**
   * Removes it, unless it was put at or after `putBefore` (epoch ms); a `put` that met the same bytes counts. Answers whether it is gone.
   * So bytes that an upload has just found in place don't vanish under it.
   */
  remove(blob: BlobName, putBefore: number): Promise<boolean>;
  /** Its bytes were found changed: the next `put` of the right ones stores them anew instead of relying on what is there. Never fails. */
  distrust(blob: BlobName): Promise<void>;
  /** Removes temporary files that no living upload owns (left by a crash), answers how many. */
  sweep(olderThanMs: number): Promise<number>;
  /** A page of what is stored, in no order; `cursor` comes from the page before. */
  list(domain: string, cursor: string | undefined): Promise<BlobPage>;
}

export interface BlobPage {
  readonly blobs: readonly { readonly sha256: string; readonly sizeBytes: number; readonly putAt: number }[];
  /** Absent on the last page. */
  readonly next?: string;
}
