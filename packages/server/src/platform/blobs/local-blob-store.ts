/**
 * Blobs in a folder: `<root>/<domain>/<aa>/<sha256>`, written under `<root>/tmp` first. Several processes may share it: a file appears by
 * rename when it is whole and durable, and an upload that meets the same bytes renews the file's time, which is what `remove` looks at.
 * It has no keys: encrypted blobs are EncryptedBlobStore's, which names their files itself.
 */
import { createHash, hash } from 'node:crypto';
import { createReadStream, statSync } from 'node:fs';
import { chmod, mkdir, readdir, stat, unlink } from 'node:fs/promises';
import { dirname, join } from 'node:path';
import type { Readable } from 'node:stream';
import { invalid, Problem } from '@countersign/contract/problem.ts';
import {
  type BlobName,
  type BlobPage,
  type BlobStore,
  type ByteRange,
  CHUNK_BYTES,
  type DomainKey,
  type StoredBytes,
} from './blob-store.ts';
import { chunksOf } from './byte-chunks.ts';
import {
  closeFile,
  codeOf,
  openFile,
  openFolder,
  readAt,
  rename,
  syncData,
  syncFolder,
  syncOpenFolder,
  utimes,
  writeAll,
  writeParts,
} from './file-system.ts';

const DOMAIN = /^[a-z0-9][a-z0-9-]{0,63}$/;
const TEMPORARY_FOLDER = 'tmp';
/** A file that `remove` is about to judge; a crash leaves it here, `sweep` puts it back. */
const REMOVED_PREFIX = 'removed.';
const UPLOAD_PREFIX = 'upload.';
const READ_BUFFER_BYTES = CHUNK_BYTES;
const OWNER_WRITES = 0o200;
/** Nobody writes to a stored file; one that even its owner may not write to is not relied on. */
const DISTRUSTED_MODE = 0o440;
/** One for each first byte of a digest. */
const FOLDERS = 256;

/** What is stored for a chunk, in parts. */
export type EncodeChunk = (chunk: Buffer, number: number, isLast: boolean) => Buffer[];

export class LocalBlobStore implements BlobStore {
  readonly #root: string;
  /** Descriptors of folders, kept open for their fsync: at most 256 for each domain. */
  readonly #folders = new Map<string, Promise<number>>();
  /** Names of this process' temporary files begin with it. */
  readonly #mark = `${process.pid.toString(36)}-${Date.now().toString(36)}`;
  readonly #living = new Set<string>();
  #count = 0;

  constructor(root: string) {
    this.#root = root;
  }

  newDomainKey(): DomainKey {
    throw new TypeError('a folder of blobs has no keys');
  }

  async put(domain: string, bytes: Readable, domainKey?: DomainKey): Promise<StoredBytes> {
    if (!DOMAIN.test(domain)) throw new TypeError(`'${domain}' is no key domain`);
    if (domainKey !== undefined) throw new TypeError('a folder of blobs encrypts nothing');
    const chunks = chunksOf(bytes);
    const first = await nextChunk(chunks);
    if (first === undefined || first.length < CHUNK_BYTES) return this.#putSmall(domain, first ?? Buffer.alloc(0));
    try {
      return await this.#putLarge(domain, first, chunks);
    } finally {
      await chunks.return(undefined);
    }
  }

  async #putSmall(domain: string, bytes: Buffer): Promise<StoredBytes> {
    const stored = digestOne(bytes);
    const blob = { domain, ...stored };
    if (!(await this.#renew(blob))) await this.#write(blob, (fd) => writeAll(fd, bytes));
    return stored;
  }

  async #putLarge(domain: string, first: Buffer, rest: AsyncGenerator<Buffer>): Promise<StoredBytes> {
    const whole = createHash('sha256');
    const digests: Buffer[] = [];
    let sizeBytes = 0;
    let stored: StoredBytes | undefined;
    await this.#writeThenName(async (fd) => {
      for (let chunk: Buffer | undefined = first; chunk !== undefined; chunk = await nextChunk(rest)) {
        // The disk takes the chunk while it is hashed.
        const written = writeAll(fd, chunk);
        whole.update(chunk);
        digests.push(hash('sha256', chunk, 'buffer'));
        sizeBytes += chunk.length;
        await written;
      }
      stored = { sha256: whole.digest('hex'), sizeBytes, chunkDigests: Buffer.concat(digests) };
      const blob = { domain, ...stored };
      return (await this.#renew(blob)) ? undefined : blob;
    });
    if (stored === undefined) throw new TypeError('a write that resolved has its digest');
    return stored;
  }

  /** Stores what `encode` makes of each chunk in a file of that name, which is new. The digests are of the bytes that came. */
  async putEncoded(domain: string, name: string, bytes: Readable, encode: EncodeChunk): Promise<StoredBytes> {
    if (!DOMAIN.test(domain)) throw new TypeError(`'${domain}' is no key domain`);
    const chunks = chunksOf(bytes);
    let stored = digestOne(Buffer.alloc(0));
    try {
      await this.#writeThenName(async (fd) => {
        const whole = createHash('sha256');
        const digests: Buffer[] = [];
        let sizeBytes = 0;
        let chunk = (await nextChunk(chunks)) ?? Buffer.alloc(0);
        for (let number = 0; ; number++) {
          const next = await nextChunk(chunks);
          const written = writeParts(fd, encode(chunk, number, next === undefined));
          if (number === 0 && next === undefined) stored = digestOne(chunk);
          else {
            whole.update(chunk);
            digests.push(hash('sha256', chunk, 'buffer'));
            sizeBytes += chunk.length;
          }
          await written;
          if (next === undefined) break;
          chunk = next;
        }
        if (digests.length > 0) stored = { sha256: whole.digest('hex'), sizeBytes, chunkDigests: Buffer.concat(digests) };
        return { domain, sha256: name, sizeBytes };
      });
      return stored;
    } finally {
      await chunks.return(undefined);
    }
  }

  async #write(blob: BlobName, fill: (fd: number) => Promise<void>): Promise<void> {
    await this.#writeThenName(async (fd) => {
      await fill(fd);
      return blob;
    });
  }

  /** `fill` answers the name that the file gets, or undefined where it isn't needed. */
  async #writeThenName(fill: (fd: number) => Promise<BlobName | undefined>): Promise<void> {
    const name = `${UPLOAD_PREFIX}${this.#mark}-${(++this.#count).toString(36)}`;
    const temporary = join(this.#root, TEMPORARY_FOLDER, name);
    this.#living.add(name);
    let isNamed = false;
    try {
      const fd = await this.#inFolder(dirname(temporary), () => openFile(temporary, 'wx', 0o640));
      let blob: BlobName | undefined;
      try {
        blob = await fill(fd);
        if (blob) await syncData(fd);
      } finally {
        await closeFile(fd);
      }
      if (blob) {
        const named = blob;
        await this.#inFolder(this.#folderPath(named), () => rename(temporary, this.#pathOf(named)));
        isNamed = true;
        await this.#syncFolderOf(blob);
      }
    } catch (error) {
      throw explain(error);
    } finally {
      this.#living.delete(name);
      if (!isNamed) await unlink(temporary).catch(() => {});
    }
  }

  /** Tries again where a folder was missing, once it is made and durable. */
  async #inFolder<T>(folder: string, work: () => Promise<T>): Promise<T> {
    try {
      return await work();
    } catch (error) {
      if (codeOf(error) !== 'ENOENT') throw error;
      await this.#makeFolder(folder);
      return work();
    }
  }

  async #makeFolder(folder: string): Promise<void> {
    await mkdir(folder, { recursive: true });
    await syncFolder(dirname(folder));
    await syncFolder(this.#root);
  }

  /** Makes a rename into the blob's folder durable. */
  async #syncFolderOf(blob: BlobName): Promise<void> {
    const folder = this.#folderPath(blob);
    let opened = this.#folders.get(folder);
    if (opened === undefined) {
      opened = openFolder(folder);
      this.#folders.set(folder, opened);
      opened.catch(() => this.#folders.delete(folder));
    }
    await syncOpenFolder(await opened);
  }

  #folderPath(blob: BlobName): string {
    return join(this.#root, blob.domain, blob.sha256.slice(0, 2));
  }

  #pathOf(blob: BlobName): string {
    return join(this.#root, blob.domain, blob.sha256.slice(0, 2), blob.sha256);
  }

  /** True if the same bytes are in place and durable; from now on they count as put now. */
  async #renew(blob: BlobName): Promise<boolean> {
    const path = this.#pathOf(blob);
    // Most uploads are new, so this mostly finds nothing; a look into the folder's cached entries is cheaper than a way through the pool.
    const found = statSync(path, { throwIfNoEntry: false });
    if (found?.size !== blob.sizeBytes || (found.mode & OWNER_WRITES) === 0) return false;
    try {
      const now = Date.now() / 1000;
      await utimes(path, now, now);
      // Another upload may have renamed it a moment ago and not have synced the folder yet.
      await this.#syncFolderOf(blob);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return false;
      throw explain(error);
    }
    return true;
  }

  read(blob: BlobName, range?: ByteRange): Readable {
    return createReadStream(this.#pathOf(blob), { highWaterMark: READ_BUFFER_BYTES, ...range });
  }

  /** A descriptor for reading, which the caller closes. */
  openBlob(blob: BlobName): Promise<number> {
    return openFile(this.#pathOf(blob), 'r');
  }

  async *chunks(blob: BlobName, range?: ByteRange): AsyncGenerator<Buffer> {
    const end = range?.end ?? blob.sizeBytes - 1;
    let at = range?.start ?? 0;
    const fd = await openFile(this.#pathOf(blob), 'r');
    try {
      let [filling, spare] = [newBuffer(end - at + 1), newBuffer(end - at + 1 - CHUNK_BYTES)];
      while (at <= end) {
        const wanted = Math.min(CHUNK_BYTES, end - at + 1);
        const read = await readAt(fd, filling.subarray(0, wanted), at);
        if (read > 0) yield filling.subarray(0, read);
        if (read < wanted) return;
        at += read;
        [filling, spare] = [spare, filling];
      }
    } finally {
      await closeFile(fd);
    }
  }

  async readWhole(blob: BlobName): Promise<Buffer> {
    const bytes = Buffer.allocUnsafeSlow(blob.sizeBytes);
    const fd = await openFile(this.#pathOf(blob), 'r');
    try {
      const size = await readAt(fd, bytes, 0);
      return size === bytes.length ? bytes : bytes.subarray(0, size);
    } finally {
      void closeFile(fd);
    }
  }

  async has(blob: BlobName): Promise<boolean> {
    const found = await stat(this.#pathOf(blob)).catch(() => undefined);
    return found?.size === blob.sizeBytes && (found.mode & OWNER_WRITES) !== 0;
  }

  /**
   * The file is moved aside before its time is read: an upload that renewed it before the move is seen in its time, one that comes after
   * doesn't find it and writes its own.
   */
  async remove(blob: BlobName, putBefore: number): Promise<boolean> {
    const path = this.#pathOf(blob);
    const aside = join(this.#root, TEMPORARY_FOLDER, `${REMOVED_PREFIX}${blob.domain}.${blob.sha256}`);
    try {
      if ((await stat(path)).mtimeMs >= putBefore) return false;
      await rename(path, aside);
    } catch (error) {
      if (codeOf(error) === 'ENOENT') return true;
      throw error;
    }
    if ((await stat(aside)).mtimeMs >= putBefore) {
      await rename(aside, path);
      return false;
    }
    try {
      await unlink(aside);
      return true;
    } catch (error) {
      // Another process' sweep has put it back in between.
      if (codeOf(error) === 'ENOENT') return false;
      throw error;
    }
  }

  /** The mark is the file's mode: its time belongs to `remove`. */
  async distrust(blob: BlobName): Promise<void> {
    await chmod(this.#pathOf(blob), DISTRUSTED_MODE).catch(() => {});
  }

  async sweep(olderThanMs: number): Promise<number> {
    const folder = join(this.#root, TEMPORARY_FOLDER);
    const names = await readdir(folder).catch(() => []);
    const oldest = Date.now() - olderThanMs;
    let swept = 0;
    for (const name of names) {
      if (this.#living.has(name)) continue;
      const path = join(folder, name);
      const found = await stat(path).catch(() => undefined);
      // Another process that shares the folder may own it; it writes to it or goes away.
      if (found === undefined || found.mtimeMs > oldest) continue;
      if (name.startsWith(REMOVED_PREFIX)) await this.#putBack(name, path);
      else await unlink(path).catch(() => {});
      swept += 1;
    }
    return swept;
  }

  /** Whether the file may go is decided again by the next collection; here only the crash in the middle is undone. */
  async #putBack(name: string, path: string): Promise<void> {
    const [, domain = '', sha256 = ''] = name.split('.');
    await rename(path, this.#pathOf({ domain, sha256, sizeBytes: 0 })).catch(() => {});
  }

  /** A page is one of the 256 folders. */
  async list(domain: string, cursor: string | undefined): Promise<BlobPage> {
    const number = cursor === undefined ? 0 : Number.parseInt(cursor, 16);
    const folder = join(this.#root, domain, folderName(number));
    const blobs: { sha256: string; sizeBytes: number; putAt: number }[] = [];
    for (const sha256 of await readdir(folder).catch(() => [])) {
      const found = await stat(join(folder, sha256)).catch(() => undefined);
      if (found) blobs.push({ sha256, sizeBytes: found.size, putAt: found.mtimeMs });
    }
    return number >= FOLDERS - 1 ? { blobs } : { blobs, next: (number + 1).toString(16) };
  }
}

function folderName(number: number): string {
  return number.toString(16).padStart(2, '0');
}

/** In one chunk the digest of the chunk is that of the whole. */
function digestOne(bytes: Buffer): StoredBytes {
  const digest = hash('sha256', bytes, 'buffer');
  return { sha256: digest.toString('hex'), sizeBytes: bytes.length, chunkDigests: bytes.length === 0 ? new Uint8Array(0) : digest };
}

function newBuffer(bytesMax: number): Buffer {
  return Buffer.allocUnsafeSlow(Math.max(0, Math.min(CHUNK_BYTES, bytesMax)));
}

async function nextChunk(chunks: AsyncGenerator<Buffer>): Promise<Buffer | undefined> {
  try {
    const { value, done } = await chunks.next();
    return done ? undefined : value;
  } catch (error) {
    if (error instanceof Problem) throw error;
    // What a source fails with is a connection's end; nothing of the upload is kept.
    throw invalid('The upload ended before all of its bytes arrived; nothing was stored. Send it again.');
  }
}

/** errno(3): ENOSPC no space left on device, EDQUOT disk quota exceeded. */
function explain(error: unknown): unknown {
  const code = codeOf(error);
  if (code !== 'ENOSPC' && code !== 'EDQUOT') return error;
  return new Problem(
    'STORAGE_FULL',
    'The disk that holds the artifacts is full; nothing was stored. Free some space and send this again.',
    {
      cause: error,
    },
  );
}
