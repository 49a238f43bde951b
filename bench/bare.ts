// The yardstick: the smallest server that answers the bench's requests as MLflow does and keeps them as durably as the product must.
// No framework, no checks beyond what the requests need, no events, no policies. Never use it for anything else.
import { mkdirSync } from 'node:fs';
import { createServer, type IncomingMessage, type ServerResponse } from 'node:http';
import { join } from 'node:path';
import { parse } from 'node:querystring';
import { ArtifactStore } from './bare/artifacts.ts';
import { BareDatabase } from './bare/database.ts';
import { Registry } from './bare/registry.ts';
import { Tracking } from './bare/tracking.ts';
import { apiRoute, artifactRoute } from './dataset.ts';

/** A request's fields, from the query or the body; each handler reads those that it knows. */
export type Fields = Readonly<Record<string, unknown>>;
type Handler = (fields: Fields) => string | undefined;

const port = Number(process.argv[2]);
const dataDir = process.argv[3];
if (!(port > 0) || dataDir === undefined) throw new Error('usage: bare.ts PORT DATA_DIR');

mkdirSync(dataDir, { recursive: true });
const database = new BareDatabase(join(dataDir, 'bare.db'));
const registry = new Registry(database);
const tracking = new Tracking(database);
const artifacts = new ArtifactStore(database, join(dataDir, 'blobs'));

const readHandlers = new Map<string, Handler>([
  ['/model-versions/get', (fields) => registry.getVersion(fields)],
  ['/model-versions/search', (fields) => registry.searchVersions(fields)],
  ['/model-versions/get-download-uri', (fields) => registry.getDownloadUri(fields)],
  ['/registered-models/alias', (fields) => registry.getAlias(fields)],
  ['/registered-models/get', (fields) => registry.getModel(fields)],
  ['/registered-models/search', (fields) => registry.searchModels(fields)],
  ['/runs/get', (fields) => tracking.getRun(fields)],
  ['/metrics/get-history', (fields) => tracking.getHistory(fields)],
]);
const searchHandlers = new Map<string, Handler>([['/runs/search', (fields) => tracking.searchRuns(fields)]]);
const writeHandlers = new Map<string, Handler>([
  ['/experiments/create', (fields) => tracking.createExperiment(fields)],
  ['/runs/create', (fields) => tracking.createRun(fields)],
  ['/runs/log-metric', (fields) => tracking.logMetric(fields)],
  ['/runs/log-batch', (fields) => tracking.logBatch(fields)],
  ['/registered-models/create', (fields) => registry.createModel(fields)],
  ['/registered-models/alias', (fields) => registry.setAlias(fields)],
  ['/model-versions/create', (fields) => registry.createVersion(fields)],
  ['/model-versions/transition-stage', (fields) => registry.transition(fields)],
  ['/model-versions/set-tag', (fields) => registry.setVersionTag(fields)],
]);

function answer(response: ServerResponse, status: number, text: string): void {
  response.writeHead(status, { 'Content-Type': 'application/json', 'Content-Length': Buffer.byteLength(text) });
  response.end(text);
}

function answerFound(response: ServerResponse, text: string | undefined): void {
  if (text === undefined) answer(response, 404, '{"error_code":"RESOURCE_DOES_NOT_EXIST","message":"not found"}');
  else answer(response, 200, text);
}

function answerFailure(response: ServerResponse, error: unknown): void {
  process.stderr.write(`${error instanceof Error ? error.stack : String(error)}\n`);
  if (response.headersSent) response.destroy();
  else answer(response, 500, '{"error_code":"INTERNAL_ERROR","message":"see the log"}');
}

function readBody(request: IncomingMessage, take: (fields: Fields) => void, fail: (error: unknown) => void): void {
  const parts: Buffer[] = [];
  request.on('data', (part: Buffer) => parts.push(part));
  request.on('end', () => {
    try {
      const only = parts.length === 1 ? parts[0] : undefined;
      take(JSON.parse((only ?? Buffer.concat(parts)).toString()));
    } catch (error) {
      fail(error);
    }
  });
}

function serveArtifact(request: IncomingMessage, response: ServerResponse, path: string): void {
  const work = request.method === 'PUT' ? artifacts.put(path, request, response) : artifacts.get(path, response);
  work.catch((error: unknown) => answerFailure(response, error));
}

function servePost(request: IncomingMessage, response: ServerResponse, path: string): void {
  const fail = (error: unknown): void => answerFailure(response, error);
  const search = searchHandlers.get(path);
  const write = writeHandlers.get(path);
  readBody(
    request,
    (fields) => {
      if (search !== undefined) answerFound(response, search(fields));
      else if (write === undefined) answerFound(response, undefined);
      else
        database.write(
          () => write(fields),
          (text) => answerFound(response, text),
          fail,
        );
    },
    fail,
  );
}

function serveCall(request: IncomingMessage, response: ServerResponse, target: string): void {
  const mark = target.indexOf('?');
  const path = mark < 0 ? target : target.slice(0, mark);
  if (request.method === 'POST') servePost(request, response, path);
  else answerFound(response, readHandlers.get(path)?.(mark < 0 ? {} : parse(target.slice(mark + 1))));
}

function serve(request: IncomingMessage, response: ServerResponse): void {
  const url = request.url ?? '';
  if (url.startsWith(artifactRoute)) serveArtifact(request, response, decodeURIComponent(url.slice(artifactRoute.length + 1)));
  else if (url.startsWith(apiRoute)) serveCall(request, response, url.slice(apiRoute.length));
  else if (url === '/health') answer(response, 200, 'OK');
  else answerFound(response, undefined);
}

const server = createServer((request, response) => {
  try {
    serve(request, response);
  } catch (error) {
    answerFailure(response, error);
  }
});
server.keepAliveTimeout = 60_000;
server.listen(port, '127.0.0.1');
process.once('SIGTERM', () => {
  server.close();
  server.closeAllConnections();
  database.close();
});
