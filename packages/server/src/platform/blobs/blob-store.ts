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
  readonly encryption?: Encryption | undefined;
}

/** The key of a key domain, wrapped by the master key. */
export interface DomainKey {
  /** 16 hex digits. */
  readonly id: string;
  readonly wrapped: Uint8Array;
}

/** How the file of an encrypted blob is named and opened. */
export interface Encryption {
  /** 32 hex digits at random; the file's name, and bound into each of its chunks. */
  readonly fileId: string;
  /** The blob's own key, wrapped by that of its domain. */
  readonly wrappedKey: Uint8Array;
  readonly domainKey: DomainKey;
}

export interface BlobName {
  /** The key domain inside which equal bytes are one blob. */
  readonly domain: string;
  /** Of the bytes in clear, as is the size. */
  readonly sha256: string;
  readonly sizeBytes: number;
  /** Undefined for a blob in clear. */
  readonly encryption?: Encryption | undefined;
}

export interface ByteRange {
  readonly start: number;
  /** Inclusive. */
  readonly end: number;
}

export interface BlobStore {
  /** For a domain whose blobs are to be encrypted. */
  newDomainKey(): DomainKey;
  /**
   * Streams, hashes and makes durable (fsync of file and folder). Nothing is visible until `put` resolves, and nothing is left where it
   * rejects: INVALID_PARAMETER_VALUE for a source that ended early, STORAGE_FULL for a full disk. With a key the bytes are encrypted, in
   * a new file each time; without one, equal bytes are stored once.
   */
  put(domain: string, bytes: Readable, domainKey?: DomainKey): Promise<StoredBytes>;
  /** Bytes of the range, unchecked unless they are encrypted. The stream fails if the blob is absent. */
  read(blob: BlobName, range?: ByteRange): Readable;
  /**
   * The same in pieces of at most CHUNK_BYTES, for who sends or checks them: fewer bytes are copied. They are the blob's chunks where the
   * range starts at one. A piece is valid until the second one after it is asked for. Fewer pieces come where the blob is cut, an error where
   * it is absent or, encrypted, differs from what was stored.
   */
  chunks(blob: BlobName, range?: ByteRange): AsyncGenerator<Buffer>;
  /** The whole of a small blob in one piece. */
  readWhole(blob: BlobName): Promise<Buffer>;
  /** False also for one that isn't trusted. */
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
  /** A page of the domain's files, in no order; `cursor` comes from the page before. */
  list(domain: string, cursor: string | undefined): Promise<BlobPage>;
}

export interface BlobPage {
  /** `sha256` is the file's name: an encrypted blob's is its file id, and the size that of the file. */
  readonly blobs: readonly { readonly sha256: string; readonly sizeBytes: number; readonly putAt: number }[];
  /** Absent on the last page. */
  readonly next?: string;
}
