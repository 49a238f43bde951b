/** Reads a blob chunk by chunk and gives out none that differs from its digest. */
import { hash } from 'node:crypto';
import { Readable } from 'node:stream';
import { Problem } from '@countersign/contract/problem.ts';
import { type BlobName, type BlobStore, type ByteRange, CHUNK_BYTES } from '../../platform/blobs/blob-store.ts';

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

export function verifiedStream(
  blobs: BlobStore,
  blob: BlobName,
  range: ByteRange | undefined,
  chunkDigests: () => Promise<Uint8Array>,
  onDamage: () => Promise<void>,
): Readable {
  // One chunk ahead: the next is read and checked while the one before is sent.
  return Readable.from(verifiedChunks(blobs, blob, range, chunkDigests, onDamage), { objectMode: false, highWaterMark: CHUNK_BYTES });
}

async function* verifiedChunks(
  blobs: BlobStore,
  blob: BlobName,
  range: ByteRange | undefined,
  chunkDigests: () => Promise<Uint8Array>,
  onDamage: () => Promise<void>,
): AsyncGenerator<Buffer> {
  if (blob.sizeBytes === 0) return;
  const { start, end } = range ?? { start: 0, end: blob.sizeBytes - 1 };
  const digests = await digestsOf(blob, chunkDigests);
  const first = Math.floor(start / CHUNK_BYTES);
  const last = Math.floor(end / CHUNK_BYTES);
  const source = blobs.read(blob, { start: first * CHUNK_BYTES, end: Math.min((last + 1) * CHUNK_BYTES, blob.sizeBytes) - 1 });
  try {
    let number = first;
    for await (const chunk of wholeChunks(source, blob, first)) {
      const expected = digests.subarray(number * DIGEST_BYTES, (number + 1) * DIGEST_BYTES);
      if (!hash('sha256', chunk, 'buffer').equals(expected)) break;
      const from = number === first ? start - first * CHUNK_BYTES : 0;
      const to = number === last ? end - last * CHUNK_BYTES + 1 : chunk.length;
      yield from === 0 && to === chunk.length ? chunk : chunk.subarray(from, to);
      number += 1;
    }
    if (number === last + 1) return;
  } finally {
    source.destroy();
  }
  await onDamage();
  throw new DamagedFile();
}

/** A blob of one chunk has the chunk's digest for a name; only larger ones need the list. */
async function digestsOf(blob: BlobName, chunkDigests: () => Promise<Uint8Array>): Promise<Uint8Array> {
  return blob.sizeBytes <= CHUNK_BYTES ? Buffer.from(blob.sha256, 'hex') : chunkDigests();
}

/** Buffers of their own (they are still on their way when the next is filled). Ends early where bytes are missing, whatever the reason. */
async function* wholeChunks(source: Readable, blob: BlobName, first: number): AsyncGenerator<Buffer> {
  let number = first;
  let parts: Buffer[] = [];
  let gathered = 0;
  const lengthOf = (chunk: number): number => Math.min(CHUNK_BYTES, blob.sizeBytes - chunk * CHUNK_BYTES);
  try {
    for await (const piece of source as AsyncIterable<Buffer>) {
      let rest = piece;
      while (rest.length > 0) {
        const part = rest.subarray(0, lengthOf(number) - gathered);
        rest = rest.subarray(part.length);
        parts.push(part);
        gathered += part.length;
        if (gathered < lengthOf(number)) continue;
        yield parts.length === 1 ? part : Buffer.concat(parts, gathered);
        number += 1;
        parts = [];
        gathered = 0;
      }
    }
  } catch {
    // A file that is gone or can't be read is damage as much as a changed one; the caller sees a chunk too few.
  }
}
