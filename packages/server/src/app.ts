/** The composition root: the only file that knows all rooms. Wiring, no logic. */

import type { Server } from 'node:http';
import { parseVersionNumber } from '@countersign/contract/names.ts';
import type { Logger } from 'pino';
import { apiRoutes } from './api/api-routes.ts';
import type { IdentityMeans } from './api/sign-in-handlers.ts';
import { withCheckpoint } from './checkpoint-header.ts';
import { databricksCommentRpcs } from './databricks/comment-rpcs.ts';
import { databricksPermissionRpcs } from './databricks/permission-rpcs.ts';
import { databricksRegistryRpcs } from './databricks/registry-rpcs.ts';
import { databricksRequestRpcs } from './databricks/request-rpcs.ts';
import { scimRpcs } from './databricks/scim-rpcs.ts';
import { AS_LOCAL } from './features/access/access.ts';
import { setGovernor } from './features/accounts/accounts.ts';
import type { Checkpoints } from './features/checkpoints/checkpoints.ts';
import * as loggedModels from './features/logged-models/logged-models.ts';
import * as runs from './features/runs/runs.ts';
import * as transitions from './features/transitions/transitions.ts';
import * as versions from './features/versions/versions.ts';
import type { WebhookMeans } from './features/webhooks/webhooks.ts';
import { createGate, type Gate } from './gate/gate.ts';
import { type ArtifactSources, artifactRoutes } from './mlflow/artifact-routes.ts';
import { authOldPermissionRpcs } from './mlflow/auth-old-permission-rpcs.ts';
import { authPermissionRpcs } from './mlflow/auth-permission-rpcs.ts';
import { authRoleGrantRpcs } from './mlflow/auth-role-grant-rpcs.ts';
import { authRoleMemberRpcs } from './mlflow/auth-role-member-rpcs.ts';
import { authRoleRpcs } from './mlflow/auth-role-rpcs.ts';
import { authUserRpcs } from './mlflow/auth-user-rpcs.ts';
import { experimentRpcs } from './mlflow/experiment-rpcs.ts';
import { loggedModelRpcs } from './mlflow/logged-model-rpcs.ts';
import { modelRpcs } from './mlflow/model-rpcs.ts';
import { answerUnknownPath } from './mlflow/out-of-scope.ts';
import { mount } from './mlflow/rpc.ts';
import { runRpcs } from './mlflow/run-rpcs.ts';
import { searchRpcs } from './mlflow/search-rpcs.ts';
import { isArtifactProxy, servedOnly } from './mlflow/served-routes.ts';
import { serverRoutes } from './mlflow/server-routes.ts';
import { versionRpcs } from './mlflow/version-rpcs.ts';
import { webhookRpcs } from './mlflow/webhook-rpcs.ts';
import { workspaceRpcs } from './mlflow/workspace-rpcs.ts';
import type { BlobStore } from './platform/blobs/blob-store.ts';
import type { FileRoots } from './platform/blobs/file-roots.ts';
import type { ServerConfig } from './platform/config/server-config.ts';
import { type Ctx, systemClock } from './platform/context.ts';
import type { Database } from './platform/db/database.ts';
import type { Searches } from './platform/db/search-runner.ts';
import type { Route } from './platform/http/exchange.ts';
import { createGuards } from './platform/http/guards.ts';
import { createHttpServer } from './platform/http/server.ts';
import type { TlsPair } from './platform/http/tls-pair.ts';
import { createTelemetry } from './platform/telemetry/telemetry.ts';
import { accountRoutes } from './sign-in/account-routes.ts';
import { signInRoutes } from './sign-in/sign-in-routes.ts';

export interface AppParts {
  readonly db: Database;
  readonly blobs: BlobStore;
  readonly searches: Searches;
  /** Below which experiments get their artifact location. */
  readonly artifactRoot: string;
  /** Folders of `file:` locations that the server may read. */
  readonly fileRoots: FileRoots;
  readonly webhooks: WebhookMeans;
  /** Without it no checkpoint is made, and no answer carries one. */
  readonly checkpoints?: Checkpoints;
  readonly config: Pick<ServerConfig, 'guards' | 'staticPrefix' | 'serves'> & Partial<Pick<ServerConfig, 'publicUrl' | 'hasWorkspaces'>>;
  /** Undefined: plain HTTP. */
  readonly tls: TlsPair | undefined;
  readonly log: Logger;
}

/** Who acts where nobody asked: at the start, and on a server without accounts. */
export function localContext(parts: Pick<AppParts, 'db' | 'blobs' | 'searches' | 'artifactRoot'>): Ctx {
  return {
    db: parts.db,
    tx: undefined,
    blobs: parts.blobs,
    searches: parts.searches,
    clock: systemClock,
    ...AS_LOCAL,
    artifactRoot: parts.artifactRoot,
  };
}

const artifactSources: ArtifactSources = {
  getRunArtifactUri: runs.getArtifactUri,
  getLoggedModelArtifactUri: loggedModels.getArtifactUri,
  findSealedTree: versions.findSealedTree,
  getDownloadLocation: (ctx, name, version) => versions.getReadableUri(ctx, name, parseVersionNumber(version)),
  reportDamage: versions.reportDamage,
};

/** Every route that is answered, whoever asks. */
export function createRoutes(parts: AppParts, telemetry = createTelemetry(parts.log)): readonly Route[] {
  setGovernor(parts.db, transitions.governSetting, transitions.keepDeciders);
  const { hasWorkspaces = true } = parts.config;
  const gate = createGate({
    base: localContext(parts),
    onError: (error) => parts.log.error({ err: error }, 'a note of use was lost'),
    hasWorkspaces,
  });
  const place = { publicUrl: parts.config.publicUrl, staticPrefix: parts.config.staticPrefix };
  const identity: IdentityMeans = {
    secrets: parts.webhooks.secrets,
    publicUrl: place.publicUrl,
    onRefusal: (refusal) => parts.log.info(refusal, 'a sign-in was refused'),
  };
  const routes: Route[] = [
    ...mount(
      [
        ...experimentRpcs,
        ...runRpcs,
        ...loggedModelRpcs({ onReady: versions.sealWaiting, searches: parts.searches }),
        ...searchRpcs(parts),
        ...modelRpcs,
        ...versionRpcs,
        ...webhookRpcs(parts.webhooks),
        ...(hasWorkspaces ? workspaceRpcs : []),
        ...authUserRpcs,
        ...authPermissionRpcs,
        ...authRoleRpcs,
        ...authRoleGrantRpcs,
        ...authRoleMemberRpcs,
        ...authOldPermissionRpcs,
        ...databricksPermissionRpcs,
        ...databricksRegistryRpcs,
        ...databricksRequestRpcs,
        ...databricksCommentRpcs,
        ...scimRpcs,
      ],
      gate,
    ),
    ...artifactRoutes(gate, { ...artifactSources, fileRoots: parts.fileRoots }),
    ...serverRoutes({ hasWorkspaces, ...place }),
    ...apiRoutes(gate, { fileRoots: parts.fileRoots, identity, checkpoints: parts.checkpoints, webhooks: parts.webhooks }),
    ...signInRoutes(gate, identity, place),
    ...accountRoutes(gate, place),
  ];
  const carrying = parts.checkpoints === undefined ? routes : withCheckpoint(routes, parts.checkpoints.newestLine);
  return [...servedOnly(parts.config.serves, carrying), ...telemetry.routes.map((route) => behind(gate, route))];
}

export function createApp(parts: AppParts): Server {
  const { config } = parts;
  const telemetry = createTelemetry(parts.log);
  return createHttpServer({
    routes: createRoutes(parts, telemetry),
    guards: createGuards(config.guards),
    fallback: answerUnknownPath,
    onError: telemetry.onError,
    onDone: telemetry.onDone,
    staticPrefix: config.staticPrefix,
    isUnprefixed: (path) => isArtifactProxy(path) || ['/health', '/version', '/metrics'].includes(path),
    frameOptions: config.guards.frameOptions ?? null,
    tls: parts.tls,
  });
}

/** For routes that know nothing of callers. */
function behind(gate: Gate, route: Route): Route {
  return {
    ...route,
    handle: async (exchange) => {
      const ctx = await gate.admit(exchange, route.permission);
      await gate.authorize(ctx, route.permission, {});
      return route.handle(exchange);
    },
  };
}
