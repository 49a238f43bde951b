/** Receives the bytes of uploads. */
import type { IncomingMessage } from 'node:http';
import { Readable } from 'node:stream';
import { invalid } from '@countersign/contract/problem.ts';
import * as artifacts from '../features/artifacts/artifacts.ts';
import type { Ctx } from '../platform/context.ts';
import type { Exchange, Reply } from '../platform/http/exchange.ts';
import { type ArtifactSources, writeOutside } from './artifact-places.ts';

const BROWSER_UPLOAD_BYTES_MAX = 10 << 20;
/** How long, and how much, of a refused upload is still read, so that its client gets to read the refusal. */
const DISCARD_MS_MAX = 60_000;
const DISCARD_BYTES_MAX = 4 * 2 ** 30;

/** If an upload is refused, the rest of its body is read and dropped first: closing at once would reset the connection under the answer. */
export async function draining<T>(exchange: Exchange, receive: () => Promise<T>): Promise<T> {
  try {
    return await receive();
  } catch (error) {
    await discard(exchange.req);
    throw error;
  }
}

function discard(req: IncomingMessage): Promise<void> {
  if (req.complete || req.destroyed) return Promise.resolve();
  return new Promise((resolve) => {
    let size = 0;
    const timer = setTimeout(resolve, DISCARD_MS_MAX);
    const done = (): void => {
      clearTimeout(timer);
      resolve();
    };
    req.on('data', (piece: Buffer) => {
      size += piece.length;
      if (size > DISCARD_BYTES_MAX) done();
    });
    req.once('end', done).once('close', done).once('error', done).resume();
  });
}

/** What the browser's page uploads: a small file into a run (mlflow/server/handlers.py upload_artifact_handler). */
export async function uploadFromBrowser(
  ctx: Ctx,
  exchange: Exchange,
  sources: ArtifactSources,
  parameter: (name: string) => string | undefined,
): Promise<Reply> {
  const bytes = await exchange.body(BROWSER_UPLOAD_BYTES_MAX + 1).catch(() => {
    throw invalid('Artifact size is too large. Max size is 10MB.');
  });
  const runId = parameter('run_uuid');
  if (!runId) throw invalid('Request must specify run_uuid.');
  const given = parameter('path');
  if (!given) throw invalid('Request must specify path.');
  const path = artifacts.parsePath(given);
  if (bytes.length > BROWSER_UPLOAD_BYTES_MAX) throw invalid('Artifact size is too large. Max size is 10MB.');
  if (bytes.length === 0) throw invalid('Request must specify data.');
  const uri = await sources.getRunArtifactUri(ctx, runId);
  const root = artifacts.storedPathOf(uri);
  if (root === undefined) await writeOutside(sources, uri, path, bytes);
  else await artifacts.put(ctx, artifacts.joinPath(root, path), Readable.from([bytes]));
  return { type: 'text/plain', body: '' };
}
