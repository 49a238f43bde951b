/**
 * Blobs in clear and encrypted ones over one store of files. An encrypted blob has a key of its own, wrapped by its domain's, and a file
 * named at random: the same bytes are another file each time, and which of them counts is in the database.
 */
import { createSecretKey, type KeyObject } from 'node:crypto';
import { Readable } from 'node:stream';
import { Problem } from '@countersign/contract/problem.ts';
import type { MasterKeys } from '../secrets/master-keys.ts';
import { KEY_BYTES, open, type RandomBytes, seal } from '../secrets/sealing.ts';
import {
  type BlobName,
  type BlobPage,
  type BlobStore,
  type ByteRange,
  CHUNK_BYTES,
  type DomainKey,
  type Encryption,
  type StoredBytes,
} from './blob-store.ts';
import { lastChunkOf, openChunk, SEALED_CHUNK_BYTES, sealChunk, sealedSizeOf } from './chunk-cipher.ts';
import { ChunkOpeners } from './chunk-openers.ts';
import { DomainKeys } from './domain-keys.ts';
import { closeFile } from './file-system.ts';
import type { LocalBlobStore } from './local-blob-store.ts';

const FILE_ID_BYTES = 16;

/** The stored bytes are not those that were encrypted. */
export class ChangedBytes extends Problem {
  constructor() {
    super('INVALID_STATE', 'The stored bytes of this encrypted file were changed or cut; it is not sent. Upload it again.');
  }
}

export class EncryptedBlobStore implements BlobStore {
  readonly #files: LocalBlobStore;
  readonly #keys: DomainKeys;
  readonly #randomBytes: RandomBytes;
  readonly #openers = new ChunkOpeners();

  constructor(files: LocalBlobStore, master: MasterKeys, randomBytes: RandomBytes) {
    this.#files = files;
    this.#keys = new DomainKeys(master, randomBytes);
    this.#randomBytes = randomBytes;
  }

  newDomainKey(): DomainKey {
    return this.#keys.make();
  }

  async put(domain: string, bytes: Readable, domainKey?: DomainKey): Promise<StoredBytes> {
    if (domainKey === undefined) return this.#files.put(domain, bytes);
    const outer = await this.#keys.open(domainKey);
    const fileId = this.#randomBytes(FILE_ID_BYTES).toString('hex');
    const key = this.#randomBytes(KEY_BYTES);
    const object = createSecretKey(key);
    const stored = await this.#files.putEncoded(domain, fileId, bytes, (chunk, number, isLast) =>
      sealChunk(object, { fileId, number, isLast }, chunk),
    );
    const wrappedKey = seal(key, outer, ownerOf(fileId), this.#randomBytes);
    return { ...stored, encryption: { fileId, wrappedKey, domainKey } };
  }

  read(blob: BlobName, range?: ByteRange): Readable {
    if (blob.encryption === undefined) return this.#files.read(blob, range);
    return Readable.from(copies(this.#openChunks(blob, blob.encryption, range)), { objectMode: false, highWaterMark: CHUNK_BYTES });
  }

  chunks(blob: BlobName, range?: ByteRange): AsyncGenerator<Buffer> {
    return blob.encryption === undefined ? this.#files.chunks(blob, range) : this.#openChunks(blob, blob.encryption, range);
  }

  /** Each chunk that the range touches is read and opened whole, then cut to the range. */
  async *#openChunks(blob: BlobName, encryption: Encryption, range: ByteRange | undefined): AsyncGenerator<Buffer> {
    const { start, end } = range ?? { start: 0, end: blob.sizeBytes - 1 };
    if (end < start) return;
    if (blob.sizeBytes <= CHUNK_BYTES) return yield (await this.readWhole(blob)).subarray(start, end + 1);
    const key = await this.#keyOf(encryption);
    const [first, last, final] = [Math.floor(start / CHUNK_BYTES), Math.floor(end / CHUNK_BYTES), lastChunkOf(blob.sizeBytes)];
    // As many as are valid at once, used in turn.
    const memory = Array.from({ length: Math.min(2, last - first + 1) }, () => new SharedArrayBuffer(CHUNK_BYTES));
    const stored = fileOf(blob);
    const file = await this.#files.openBlob(stored);
    try {
      for (let number = first; number <= last; number++) {
        const position = number * SEALED_CHUNK_BYTES;
        const sealedBytes = Math.min(SEALED_CHUNK_BYTES, stored.sizeBytes - position);
        const place = { fileId: encryption.fileId, number, isLast: number === final };
        const into = memory[number % memory.length] ?? new SharedArrayBuffer(CHUNK_BYTES);
        const sizeBytes = await this.#openers.open({ file, position, sealedBytes, key, place, into });
        if (sizeBytes === undefined) throw new ChangedBytes();
        const from = number === first ? start - first * CHUNK_BYTES : 0;
        const to = number === last ? end - last * CHUNK_BYTES + 1 : sizeBytes;
        yield Buffer.from(into, from, to - from);
      }
    } finally {
      await closeFile(file);
    }
  }

  async readWhole(blob: BlobName): Promise<Buffer> {
    const { encryption } = blob;
    if (encryption === undefined) return this.#files.readWhole(blob);
    const key = await this.#keyOf(encryption);
    const sealed = await this.#files.readWhole(fileOf(blob));
    const final = lastChunkOf(blob.sizeBytes);
    const opened: Buffer[] = [];
    for (let number = 0; number <= final; number++) {
      const piece = sealed.subarray(number * SEALED_CHUNK_BYTES, (number + 1) * SEALED_CHUNK_BYTES);
      const chunk = openChunk(key, { fileId: encryption.fileId, number, isLast: number === final }, piece);
      if (chunk === undefined) throw new ChangedBytes();
      opened.push(chunk);
    }
    const [only] = opened;
    return opened.length === 1 && only ? only : Buffer.concat(opened);
  }

  async #keyOf({ fileId, wrappedKey, domainKey }: Encryption): Promise<KeyObject> {
    const key = open(wrappedKey, await this.#keys.open(domainKey), ownerOf(fileId));
    if (key === undefined) throw new ChangedBytes();
    return createSecretKey(key);
  }

  has(blob: BlobName): Promise<boolean> {
    return this.#files.has(fileOf(blob));
  }

  remove(blob: BlobName, putBefore: number): Promise<boolean> {
    return this.#files.remove(fileOf(blob), putBefore);
  }

  distrust(blob: BlobName): Promise<void> {
    return this.#files.distrust(fileOf(blob));
  }

  sweep(olderThanMs: number): Promise<number> {
    return this.#files.sweep(olderThanMs);
  }

  list(domain: string, cursor: string | undefined): Promise<BlobPage> {
    return this.#files.list(domain, cursor);
  }
}

/** Pieces that are the reader's own. */
async function* copies(chunks: AsyncGenerator<Buffer>): AsyncGenerator<Buffer> {
  for await (const chunk of chunks) yield Buffer.from(chunk);
}

/** The file that holds a blob, by the names that the store of files knows. */
function fileOf(blob: BlobName): BlobName {
  if (blob.encryption === undefined) return blob;
  return { domain: blob.domain, sha256: blob.encryption.fileId, sizeBytes: sealedSizeOf(blob.sizeBytes) };
}

function ownerOf(fileId: string): string {
  return `countersign.blob-key ${fileId}`;
}
