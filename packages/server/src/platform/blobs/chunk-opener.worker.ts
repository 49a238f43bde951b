/** A thread that reads encrypted chunks and opens them into memory that the main thread sends from. */
import { readSync } from 'node:fs';
import { parentPort } from 'node:worker_threads';
import { openChunkInto, SEALED_CHUNK_BYTES } from './chunk-cipher.ts';
import type { ChunkQuestion, ChunkReply } from './chunk-openers.ts';

const port = parentPort;
const sealed = Buffer.allocUnsafeSlow(SEALED_CHUNK_BYTES);

function answer({ id, file, position, sealedBytes, key, place, into }: ChunkQuestion): ChunkReply {
  try {
    let read = 0;
    while (read < sealedBytes) {
      const got = readSync(file, sealed, read, sealedBytes - read, position + read);
      if (got === 0) break;
      read += got;
    }
    return { id, sizeBytes: openChunkInto(key, place, sealed.subarray(0, read), Buffer.from(into)) };
  } catch (failure) {
    return { id, failure };
  }
}

port?.on('message', (question: ChunkQuestion) => port.postMessage(answer(question)));
