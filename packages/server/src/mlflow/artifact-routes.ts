/** Upstream's artifact routes: the proxy that clients upload and download through, and the browser's ways to a run's or model's files. */
import {
  CreatePresignedDownloadUrl,
  CreatePresignedUploadUrl,
  ListArtifacts,
  ListLoggedModelArtifacts,
} from '@countersign/contract/mlflow/artifact-messages.ts';
import { clip } from '@countersign/contract/mlflow/message.ts';
import type { Permission } from '@countersign/contract/permissions.ts';
import { invalid, notFound, Problem } from '@countersign/contract/problem.ts';
import * as artifacts from '../features/artifacts/artifacts.ts';
import type { NamedObjects } from '../gate/authorize.ts';
import type { Gate } from '../gate/gate.ts';
import type { Ctx } from '../platform/context.ts';
import type { Exchange, Handler, Method, Reply, Route } from '../platform/http/exchange.ts';
import { sendFile } from './artifact-download.ts';
import { type ArtifactSources, type Place, type PlaceEntry, placeOf, storedPlace } from './artifact-places.ts';
import { draining, uploadFromBrowser } from './artifact-upload.ts';
import { mount, type Rpc, rpc } from './rpc.ts';
import { pathInWorkspace } from './workspace-paths.ts';

export type { ArtifactSources } from './artifact-places.ts';

/** `path` is that of the artifact root, where the route has one. */
type Serve = (ctx: Ctx, exchange: Exchange, path: string) => Promise<Reply | undefined>;

const PROXY = 'mlflow-artifacts/artifacts';
/** Clients fall back to one plain PUT or GET only on exactly these beginnings (mlflow/exceptions.py). */
const NO_MULTIPART_UPLOAD = 'Multipart upload is not supported for the current artifact repository';
const NO_MULTIPART_DOWNLOAD = 'Multipart download is not supported for the current artifact repository';

export function artifactRoutes(gate: Gate, sources: ArtifactSources): Route[] {
  return [...mount(artifactRpcs(sources), gate), ...proxyRoutes(gate, sources), ...browserRoutes(gate, sources)];
}

function proxyRoutes(gate: Gate, sources: ArtifactSources): Route[] {
  const upload: Serve = async (ctx, exchange, path) => {
    await artifacts.put(ctx, path, exchange.req, Number(exchange.header('content-length') ?? 0));
    return { type: 'text/plain', body: '' };
  };
  const download: Serve = async (ctx, exchange, path) => {
    const asked = artifacts.parsePath(pathBehind(exchange, PROXY));
    if (asked === '') return listStored(ctx, sources, path);
    const { place, rest } = await storedAt(ctx, sources, path);
    return serveFile(exchange, place, rest, asked);
  };
  const remove: Serve = async (ctx, _exchange, path) => {
    await artifacts.remove(ctx, path);
    return { body: '{}' };
  };
  const list: Serve = (ctx, _exchange, path) => listStored(ctx, sources, path);
  const refuse =
    (sentence: string): Serve =>
    async (_ctx, exchange) => {
      await exchange.body();
      throw new Problem('NOT_IMPLEMENTED', sentence);
    };
  const routes: [Method, string, Permission, Serve][] = [
    ['GET', PROXY, 'artifact.list', list],
    ['PUT', `${PROXY}/*`, 'artifact.write', upload],
    ['GET', `${PROXY}/*`, 'artifact.read', download],
    ['DELETE', `${PROXY}/*`, 'artifact.delete', remove],
    ['GET', 'mlflow-artifacts/presigned/*', 'artifact.read', refuse(NO_MULTIPART_DOWNLOAD)],
  ];
  for (const step of ['create', 'complete', 'abort']) {
    const below = `mlflow-artifacts/mpu/${step}`;
    routes.push(['POST', below, 'artifact.write', refuse(NO_MULTIPART_UPLOAD)]);
    routes.push(['POST', `${below}/*`, 'artifact.write', refuse(NO_MULTIPART_UPLOAD)]);
  }
  return ['/api/2.0', '/ajax-api/2.0'].flatMap((prefix) =>
    routes.map(([method, path, permission, serve]) => ({
      method,
      path: `${prefix}/${path}`,
      permission,
      handle: passing(gate, permission, serve, async (ctx, exchange) => ({ path: await pathAsked(ctx, exchange, path) })),
    })),
  );
}

type NameObjects = (ctx: Ctx, exchange: Exchange) => Promise<NamedObjects & { readonly path: string | undefined }>;

/** Through the gate: who asks, then whether it is allowed on what `nameObjects` finds in the request. */
function passing(gate: Gate, permission: Permission, serve: Serve, nameObjects: NameObjects): Handler {
  return async (exchange) => {
    const ctx = await gate.admit(exchange, permission);
    const pass = async (): Promise<Reply | undefined> => {
      const named = await nameObjects(ctx, exchange);
      await gate.authorize(ctx, permission, named);
      return serve(ctx, exchange, named.path ?? '');
    };
    // A refused upload is read to its end, or its client would see a broken connection instead of the refusal.
    return permission === 'artifact.write' ? draining(exchange, pass) : pass();
  };
}

/** The list's path stands in the query string, the others' behind the route. */
async function pathAsked(ctx: Ctx, exchange: Exchange, route: string): Promise<string> {
  const behind = route === PROXY ? '' : pathBehind(exchange, route.replace(/\/\*$/, ''));
  const given = behind === '' && exchange.req.method === 'GET' ? (parameter(exchange, 'path') ?? '') : behind;
  return pathInWorkspace(ctx, artifacts.parsePath(given));
}

/** From the raw path: the router decodes once, and what it can't decode it doesn't hand on. */
function pathBehind(exchange: Exchange, route: string): string {
  const at = exchange.path.indexOf(`/${route}`);
  return exchange.path.slice(at + route.length + 2);
}

/** Sealed versions have a root of their own, so that its tree is looked up once for a whole path. */
async function storedAt(ctx: Ctx, sources: ArtifactSources, path: string): Promise<{ place: Place; rest: string }> {
  const sealed = artifacts.sealedPathOf(path);
  if (sealed === undefined) return { place: await storedPlace(ctx, sources, ''), rest: path };
  return { place: await storedPlace(ctx, sources, sealed.root), rest: sealed.rest };
}

/** Names only, without the directory they are in. */
async function listStored(ctx: Ctx, sources: ArtifactSources, path: string): Promise<Reply> {
  const { place, rest } = await storedAt(ctx, sources, path);
  const entries = await place.list(rest);
  const files = entries.map((entry) => fileInfo({ ...entry, path: entry.path.slice(entry.path.lastIndexOf('/') + 1) }));
  return { body: JSON.stringify(files.length > 0 ? { files } : {}) };
}

async function serveFile(exchange: Exchange, place: Place, path: string, shown: string): Promise<Reply | undefined> {
  const file = await place.find(path);
  if (file) return sendFile(exchange, file);
  if (path === '' || (await place.isDirectory(path))) {
    throw invalid(`'${clip(shown)}' is a directory, not a file. List it and download its files one by one.`);
  }
  throw notFound(`No such artifact: '${clip(shown)}'`);
}

function browserRoutes(gate: Gate, sources: ArtifactSources): Route[] {
  const sendFrom = async (
    exchange: Exchange,
    ctx: Ctx,
    parameterName: string,
    uriOf: () => Promise<string>,
  ): Promise<Reply | undefined> => {
    const path = artifacts.parsePath(needed(exchange, parameterName));
    return serveFile(exchange, await placeOf(ctx, sources, await uriOf()), path, path);
  };
  const runFile: Serve = (ctx, exchange) => sendFrom(exchange, ctx, 'path', () => sources.getRunArtifactUri(ctx, runIdAsked(exchange)));
  const versionFile: Serve = (ctx, exchange) =>
    sendFrom(exchange, ctx, 'path', () => sources.getDownloadLocation(ctx, needed(exchange, 'name'), needed(exchange, 'version')));
  const modelFile: Serve = (ctx, exchange) =>
    sendFrom(exchange, ctx, 'artifact_file_path', () => sources.getLoggedModelArtifactUri(ctx, modelIdAsked(exchange)));
  const upload: Serve = (ctx, exchange) => uploadFromBrowser(ctx, exchange, sources, (name) => parameter(exchange, name));
  // The gate judges exactly what the handler reads: whatever else the query string names doesn't count.
  const routes: [Method, string, Permission, Serve, (exchange: Exchange) => NamedObjects][] = [
    ['GET', '/get-artifact', 'artifact.read', runFile, (exchange) => ({ run_id: runIdAsked(exchange) })],
    ['GET', '/model-versions/get-artifact', 'artifact.read', versionFile, (exchange) => ({ name: parameter(exchange, 'name') })],
    [
      'GET',
      '/ajax-api/2.0/mlflow/logged-models/:model_id/artifacts/files',
      'artifact.read',
      modelFile,
      (exchange) => ({ model_id: modelIdAsked(exchange) }),
    ],
    [
      'POST',
      '/ajax-api/2.0/mlflow/upload-artifact',
      'artifact.write',
      upload,
      (exchange) => ({ run_uuid: parameter(exchange, 'run_uuid') }),
    ],
  ];
  return routes.map(([method, path, permission, serve, nameObjects]) => ({
    method,
    path,
    permission,
    handle: passing(gate, permission, serve, async (_ctx, exchange) => ({ ...nameObjects(exchange), path: undefined })),
  }));
}

function runIdAsked(exchange: Exchange): string {
  return parameter(exchange, 'run_id') || needed(exchange, 'run_uuid', 'run_id');
}

function parameter(exchange: Exchange, name: string): string | undefined {
  const given = exchange.query()[name];
  const value = Array.isArray(given) ? given[given.length - 1] : given;
  return withoutNul(name, value);
}

function modelIdAsked(exchange: Exchange): string {
  return withoutNul('model_id', exchange.params.model_id) ?? '';
}

function withoutNul(name: string, value: string | undefined): string | undefined {
  if (value?.includes('\0')) throw invalid(`The parameter '${name}' holds a NUL character, which no name has.`);
  return value;
}

function needed(exchange: Exchange, name: string, called = name): string {
  const value = parameter(exchange, name);
  if (value) return value;
  throw invalid(`Missing value for required parameter '${called}'. Give it in the query string.`);
}

function artifactRpcs(sources: ArtifactSources): Rpc[] {
  const listAt = async (ctx: Ctx, uri: string, directory: string | undefined): Promise<object> => {
    const place = await placeOf(ctx, sources, uri);
    const entries = await place.list(artifacts.parsePath(directory ?? ''));
    return { root_uri: uri, ...(entries.length > 0 ? { files: entries.map(fileInfo) } : {}) };
  };
  const listOfRun = rpc('GET', '/mlflow/artifacts/list', 'artifact.list', ListArtifacts, async (ctx, input) => {
    artifacts.parsePath(input.path ?? '');
    return listAt(ctx, await sources.getRunArtifactUri(ctx, oneOf(input.run_id || input.run_uuid, 'run_id')), input.path);
  });
  const listOfModel = rpc(
    'GET',
    '/mlflow/logged-models/:model_id/artifacts/directories',
    'artifact.list',
    ListLoggedModelArtifacts,
    async (ctx, input) => {
      artifacts.parsePath(input.artifact_directory_path ?? '');
      return listAt(ctx, await sources.getLoggedModelArtifactUri(ctx, input.model_id), input.artifact_directory_path);
    },
  );
  const presignUpload = rpc(
    'POST',
    '/mlflow/artifacts/presigned-upload-url',
    'artifact.write',
    CreatePresignedUploadUrl,
    async (ctx, input) => {
      artifacts.parsePath(input.path);
      if (!input.run_id === !input.model_id) throw invalid("Give exactly one of 'run_id' and 'model_id'.");
      const uri = input.run_id
        ? await sources.getRunArtifactUri(ctx, input.run_id)
        : await sources.getLoggedModelArtifactUri(ctx, input.model_id ?? '');
      throw noPresigned('upload', uri);
    },
  );
  const presignDownload = rpc(
    'POST',
    '/mlflow/artifacts/presigned-download-url',
    'artifact.read',
    CreatePresignedDownloadUrl,
    async (ctx, input) => {
      artifacts.parsePath(input.path);
      if (input.expiration < 1 || input.expiration > PRESIGNED_SECONDS_MAX) {
        throw invalid(
          `Invalid value ${input.expiration} for parameter 'expiration' supplied: it must be 1 to ${PRESIGNED_SECONDS_MAX} seconds.`,
        );
      }
      throw noPresigned('download', await sources.getRunArtifactUri(ctx, input.run_id));
    },
  );
  return [listOfRun, listOfModel, presignUpload, presignDownload];
}

const PRESIGNED_SECONDS_MAX = 604_800;

function noPresigned(what: 'upload' | 'download', uri: string): Problem {
  const scheme = /^[a-z][a-z0-9+.-]*(?=:)/i.exec(uri)?.[0] ?? 'file';
  if (/^(mlflow-artifacts|https?)$/i.test(scheme)) {
    return invalid(
      `Presigned ${what} is not supported for runs with proxied artifact storage (artifact URI scheme: ${scheme}). ` +
        `Use the artifact proxy: /api/2.0/${PROXY}.`,
    );
  }
  return new Problem('NOT_IMPLEMENTED', `Presigned ${what} is not supported for the current artifact repository`);
}

function oneOf(value: string | undefined, name: string): string {
  if (value) return value;
  throw invalid(`Missing value for required parameter '${name}'. See the API docs for more information about request parameters.`);
}

/** Zero is left out, as upstream's protobuf does. */
function fileInfo(entry: PlaceEntry): object {
  return {
    path: entry.path,
    is_dir: entry.isDirectory,
    ...(entry.isDirectory || entry.sizeBytes === 0 ? {} : { file_size: entry.sizeBytes }),
  };
}
