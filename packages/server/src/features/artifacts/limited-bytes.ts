/** An upload of unknown length may not fill the disk before its quota is looked at. */
import { Readable } from 'node:stream';
import { Problem } from '@countersign/contract/problem.ts';

/** The same bytes; fails with INVALID_STATE at the first that is too many. The source isn't destroyed then: who sends it is still to be answered. */
export function limited(bytes: Readable, bytesMax: number, workspace: string): Readable {
  return Readable.from(counted(bytes, bytesMax, workspace), { objectMode: false });
}

async function* counted(bytes: Readable, bytesMax: number, workspace: string): AsyncGenerator<Buffer> {
  let left = bytesMax;
  for await (const piece of bytes.iterator({ destroyOnReturn: false })) {
    const chunk = piece as Buffer; // uploads are read as bytes
    left -= chunk.length;
    if (left < 0) {
      throw new Problem(
        'INVALID_STATE',
        `QUOTA_EXCEEDED: the file is larger than the ${bytesMax} bytes that the workspace '${workspace}' may still hold. ` +
          'Delete what is no longer needed, or ask an administrator of the server for more.',
      );
    }
    yield chunk;
  }
}
