/** The composition root: the only file that knows all rooms. Wiring, no logic. */
import type { Server } from 'node:http';
import { parseVersionNumber } from '@countersign/contract/names.ts';
import type { Logger } from 'pino';
import { apiRoutes } from './api/api-routes.ts';
import * as loggedModels from './features/logged-models/logged-models.ts';
import * as runs from './features/runs/runs.ts';
import * as versions from './features/versions/versions.ts';
import { type ArtifactSources, artifactRoutes } from './mlflow/artifact-routes.ts';
import { experimentRpcs } from './mlflow/experiment-rpcs.ts';
import { loggedModelRpcs } from './mlflow/logged-model-rpcs.ts';
import { modelRpcs } from './mlflow/model-rpcs.ts';
import { mount } from './mlflow/rpc.ts';
import { runRpcs } from './mlflow/run-rpcs.ts';
import { searchRpcs } from './mlflow/search-rpcs.ts';
import { serverRoutes } from './mlflow/server-routes.ts';
import { versionRpcs } from './mlflow/version-rpcs.ts';
import type { BlobStore } from './platform/blobs/blob-store.ts';
import { type Ctx, systemClock } from './platform/context.ts';
import type { Database } from './platform/db/database.ts';
import type { Searches } from './platform/db/search-runner.ts';
import type { Exchange, Route } from './platform/http/exchange.ts';
import { createHttpServer } from './platform/http/server.ts';

export interface AppParts {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly searches: Searches;
  /** Below which experiments get their artifact location. */
  readonly artifactRoot: string;
  readonly log: Logger;
}

/** Who acts where nobody asked: at the start, and on a server without accounts. */
export function localContext(parts: AppParts): Ctx {
  return {
    db: parts.db,
    tx: undefined,
    blobs: parts.blobs,
    clock: systemClock,
    principal: { id: 0, kind: 'local', name: 'local' },
    workspace: { id: 0, name: 'default' },
    artifactRoot: parts.artifactRoot,
  };
}

const artifactSources: ArtifactSources = {
  getRunArtifactUri: runs.getArtifactUri,
  getLoggedModelArtifactUri: loggedModels.getArtifactUri,
  findSealedTree: versions.findSealedTree,
  getDownloadLocation: (ctx, name, version) => versions.getDownloadUri(ctx, name, parseVersionNumber(version)),
  reportDamage: versions.reportDamage,
};

export function createApp(parts: AppParts): Server {
  const contextOf = (_exchange: Exchange): Ctx => localContext(parts);
  const routes: Route[] = [
    ...mount([...experimentRpcs, ...runRpcs, ...loggedModelRpcs({ onReady: versions.sealWaiting, searches: parts.searches }), ...searchRpcs(parts), ...modelRpcs, ...versionRpcs], contextOf),
    ...artifactRoutes(contextOf, artifactSources),
    ...serverRoutes(),
    ...apiRoutes(contextOf),
  ];
  return createHttpServer({
    routes,
    guards: [],
    fallback: () => ({ status: 404, body: '{}' }),
    onError: (error, exchange) => parts.log.error({ err: error, request_id: exchange.requestId }, 'request failed'),
  });
}
