/** Sends one file: small ones in one piece, large ones as a stream, both with the same headers. */
import type { ServerResponse } from 'node:http';
import { Problem } from '@countersign/contract/problem.ts';
import { type ByteRange, CHUNK_BYTES } from '../platform/blobs/blob-store.ts';
import type { Exchange, Reply } from '../platform/http/exchange.ts';
import { isUnchanged, requestedRange } from './artifact-conditions.ts';
import { contentDisposition, contentTypeOf, FILE_HEADERS } from './artifact-content-type.ts';

/** A file that was found, whatever holds it. */
export interface Download {
  readonly path: string;
  readonly sizeBytes: number;
  readonly updatedAt: number;
  /** Lowercase hex; undefined where the server doesn't hold the bytes. */
  readonly sha256: string | undefined;
  /** All bytes of a small file; undefined where they are damaged. */
  readonly whole: () => Promise<Buffer | undefined>;
  /** A piece is valid until the second one after it is asked for. */
  readonly chunks: (range: ByteRange | undefined) => AsyncIterable<Buffer>;
}

export async function sendFile(exchange: Exchange, file: Download): Promise<Reply | undefined> {
  const header = (name: string): string | undefined => exchange.header(name);
  const validators = { etag: file.sha256 && `"${file.sha256}"`, updatedAt: file.updatedAt };
  const headers: Record<string, string> = {
    ...FILE_HEADERS,
    'Last-Modified': new Date(file.updatedAt).toUTCString(),
    'Cache-Control': 'no-cache',
  };
  if (validators.etag !== undefined) headers.ETag = validators.etag;
  if (isUnchanged(header, validators)) return sendHead(exchange, 304, headers, 0, undefined);
  const range = requestedRange(header, file.sizeBytes, validators);
  if (range === 'unsatisfiable') return refuseRange(file);
  headers['Content-Type'] = contentTypeOf(file.path);
  headers['Content-Disposition'] = contentDisposition(file.path);
  if (range) headers['Content-Range'] = `bytes ${range.start}-${range.end}/${file.sizeBytes}`;
  const status = range ? 206 : 200;
  const length = range ? range.end - range.start + 1 : file.sizeBytes;
  if (exchange.req.method === 'HEAD' || length === 0) return sendHead(exchange, status, headers, length, undefined);
  if (file.sizeBytes > CHUNK_BYTES) return sendHead(exchange, status, headers, length, () => file.chunks(range));
  const bytes = await file.whole();
  if (bytes === undefined) return cutShort(exchange, status, headers, length);
  return { status, type: headers['Content-Type'], headers, body: range ? bytes.subarray(range.start, range.end + 1) : bytes };
}

function refuseRange(file: Download): Reply {
  const problem = new Problem('RANGE_NOT_SATISFIABLE', `The file has ${file.sizeBytes} bytes; the range asked for begins behind them.`);
  return { status: problem.status, headers: { 'Content-Range': `bytes */${file.sizeBytes}` }, body: JSON.stringify(problem.toWire()) };
}

async function sendHead(
  exchange: Exchange,
  status: number,
  headers: Record<string, string>,
  length: number,
  open: (() => AsyncIterable<Buffer>) | undefined,
): Promise<undefined> {
  const { res } = exchange;
  res.writeHead(status, { ...headers, ...(status === 304 ? {} : { 'Content-Length': length }), 'X-Request-Id': exchange.requestId });
  if (open === undefined) {
    res.end();
    return;
  }
  try {
    await sendChunks(res, open());
  } catch (error) {
    await flushHead(res);
    throw error;
  }
}

/** One piece ahead: the next is read, and checked, while the one before is on its way out. */
async function sendChunks(res: ServerResponse, chunks: AsyncIterable<Buffer>): Promise<void> {
  const closed = new Promise<void>((resolve) => res.once('close', resolve));
  let sent: Promise<void> | undefined;
  for await (const chunk of chunks) {
    await sent;
    // A client that went away costs its own request only.
    if (res.destroyed) return;
    const written = new Promise<void>((resolve) => res.write(chunk, () => resolve()));
    // What can't be written any more is never called back.
    sent = Promise.race([written, closed]);
  }
  await sent;
  res.end();
}

/** The headers promise bytes that don't come: a client raises, where it would send a refusal's request again and again. */
async function cutShort(exchange: Exchange, status: number, headers: Record<string, string>, length: number): Promise<undefined> {
  const { res } = exchange;
  res.writeHead(status, { ...headers, 'Content-Length': length, 'X-Request-Id': exchange.requestId });
  await flushHead(res);
  res.destroy();
}

/** A client that got no head sends its request again and again. */
async function flushHead(res: ServerResponse): Promise<void> {
  res.flushHeaders();
  await new Promise((resume) => setImmediate(resume));
}
