/** Reads a blob chunk by chunk and gives out none that differs from its digest. */
import { hash } from 'node:crypto';
import { Problem } from '@countersign/contract/problem.ts';
import { type BlobName, type BlobStore, type ByteRange, CHUNK_BYTES } from '../../platform/blobs/blob-store.ts';
import { ChangedBytes } from '../../platform/blobs/encrypted-blob-store.ts';

const DIGEST_BYTES = 32;

/** What a damaged file's stream fails with, after part of it may be out. */
export class DamagedFile extends Problem {
  constructor() {
    super(
      'INVALID_STATE',
      'The stored bytes of this file differ from what was sealed; it is not sent. The server has recorded the damage.',
    );
  }
}

/** As BlobStore.chunks, the first and last one cut to the range. Fails with DamagedFile after `onDamage`. */
export async function* verifiedChunks(
  blobs: BlobStore,
  blob: BlobName,
  range: ByteRange | undefined,
  chunkDigests: () => Promise<Uint8Array>,
  onDamage: () => Promise<void>,
): AsyncGenerator<Buffer> {
  if (blob.sizeBytes === 0) return;
  const { start, end } = range ?? { start: 0, end: blob.sizeBytes - 1 };
  const first = Math.floor(start / CHUNK_BYTES);
  const last = Math.floor(end / CHUNK_BYTES);
  const digests = await digestsOf(blob, chunkDigests);
  const chunks = blobs.chunks(blob, { start: first * CHUNK_BYTES, end: Math.min((last + 1) * CHUNK_BYTES, blob.sizeBytes) - 1 });
  try {
    for (let number = first; number <= last; number++) {
      const chunk = await nextOrNothing(chunks);
      const expected = digests.subarray(number * DIGEST_BYTES, (number + 1) * DIGEST_BYTES);
      if (chunk === undefined || !hash('sha256', chunk, 'buffer').equals(expected)) {
        await onDamage();
        throw new DamagedFile();
      }
      const from = number === first ? start - first * CHUNK_BYTES : 0;
      const to = number === last ? end - last * CHUNK_BYTES + 1 : chunk.length;
      yield from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to);
    }
  } finally {
    await chunks.return(undefined);
  }
}

/** A blob of one chunk has the chunk's digest for a name; only larger ones need the list. */
async function digestsOf(blob: BlobName, chunkDigests: () => Promise<Uint8Array>): Promise<Uint8Array> {
  return blob.sizeBytes <= CHUNK_BYTES ? Buffer.from(blob.sha256, 'hex') : chunkDigests();
}

async function nextOrNothing(chunks: AsyncGenerator<Buffer>): Promise<Buffer | undefined> {
  try {
    const { value, done } = await chunks.next();
    return done ? undefined : value;
  } catch (error) {
    return missingUnlessBusy(error);
  }
}

/** errno(3): no more descriptors or memory. They say nothing about the file. */
const BUSY: readonly unknown[] = ['EMFILE', 'ENFILE', 'ENOMEM', 'EAGAIN'];

/** A file that is gone or can't be read is damage as much as a changed one; a machine at its limits, or without the key, is none. */
export function missingUnlessBusy(error: unknown): undefined {
  if (error instanceof Problem && !(error instanceof ChangedBytes)) throw error;
  if (BUSY.includes((error as { code?: unknown }).code)) throw error;
  return undefined;
}
