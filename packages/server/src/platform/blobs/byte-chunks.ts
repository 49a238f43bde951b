/** Cuts a stream into pieces of exactly CHUNK_BYTES (the last may be shorter) without keeping more than two. */
import type { Readable } from 'node:stream';
import { CHUNK_BYTES } from './blob-store.ts';

/**
 * A piece is valid until the second one after it is asked for: the two buffers behind them are used in turn. A stream of at most one
 * chunk is gathered without a buffer of full size.
 */
export async function* chunksOf(bytes: Readable): AsyncGenerator<Buffer> {
  const first: Buffer[] = [];
  let gathered = 0;
  let filling: Buffer | undefined;
  let spare: Buffer | undefined;
  // Not destroyed when the reader stops early: on a request's body that would cut off the answer too.
  for await (const piece of bytes.iterator({ destroyOnReturn: false }) as AsyncIterable<Buffer>) {
    let rest = piece;
    if (filling === undefined) {
      if (gathered + rest.length <= CHUNK_BYTES) {
        first.push(rest);
        gathered += rest.length;
        continue;
      }
      filling = Buffer.allocUnsafeSlow(CHUNK_BYTES);
      gathered = 0;
      for (const early of first.splice(0)) gathered += early.copy(filling, gathered);
    }
    while (rest.length > 0) {
      const copied = rest.copy(filling, gathered);
      gathered += copied;
      rest = rest.subarray(copied);
      if (gathered < CHUNK_BYTES) continue;
      yield filling;
      [filling, spare] = [spare ?? Buffer.allocUnsafeSlow(CHUNK_BYTES), filling];
      gathered = 0;
    }
  }
  if (filling !== undefined) {
    if (gathered > 0) yield filling.subarray(0, gathered);
  } else if (first.length === 1 && first[0] !== undefined) yield first[0];
  else if (first.length > 0) yield Buffer.concat(first, gathered);
}
