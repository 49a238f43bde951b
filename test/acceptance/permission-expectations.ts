/**
 * Who may call what, written a second time and by hand: the permission that a route declares is held against this. A path stands without the
 * prefixes that clients' and browsers' calls share (`/api/2.0/`, `/ajax-api/3.0/`, `/api/2.0/preview/`).
 */
import type { Level } from '@countersign/contract/levels.ts';

export interface Expectation {
  /**
   * Who: `anybody`, any `account`, `member`s of the workspace, those who may `create` there, its `manager`s, administrators of the `server`, those
   * who have `level` on the `experiment` or `model` that is asked for, those who have it on `everything`; `own`: a rule of the route's own, which
   * another test holds (no change by a stranger is looked at here).
   */
  readonly who: 'anybody' | 'account' | 'member' | 'creator' | 'manager' | 'server' | 'experiment' | 'model' | 'everything' | 'own';
  readonly level?: Level;
  /** The scope that a token needs; `any`: whatever token. */
  readonly asks: 'any' | 'read' | 'write' | 'admin';
  /** A token of one run may, where it is about that run. */
  readonly isOfRun?: boolean;
  /** The word of a CI job's token that allows it too, as the room looks at it. */
  readonly word?: 'versions:create' | 'requests:create' | 'check:lint';
}

interface Group extends Expectation {
  readonly routes: readonly string[];
}

const GROUPS: readonly Group[] = [
  {
    who: 'anybody',
    asks: 'any',
    routes: [
      ...['GET /health', 'GET /version', 'GET /.well-known/databricks-config', 'GET mlflow/server-info', 'GET /'],
      ...['GET /api/v1/openapi.json', 'GET /api/v1/docs', 'POST /api/v1/ci/token'],
      ...['GET /login', 'POST /login', 'GET /login/start', 'GET /login/callback', 'POST /logout'],
    ],
  },
  { who: 'account', asks: 'any', routes: ['GET /api/v1/me'] },
  {
    who: 'account',
    asks: 'read',
    routes: ['GET scim/v2/Me', 'GET mlflow/users/current', 'GET mlflow/users/current/permissions', 'GET /metrics'],
  },
  {
    who: 'account',
    asks: 'read',
    routes: ['GET /api/v1/checkpoints/newest', 'GET /api/v1/checkpoints/:size/consistency-proof', 'GET /api/v1/checkpoint-keys'],
  },
  {
    who: 'server',
    asks: 'read',
    routes: [
      ...['GET /api/v1/checkpoints', 'POST /api/v1/checkpoints', 'GET /api/v1/events/:seq/inclusion-proof', 'GET /api/v1/events/export'],
      'GET /api/v1/events/verification',
    ],
  },
  { who: 'server', asks: 'admin', routes: ['POST /api/v1/checkpoint-keys'] },
  { who: 'account', asks: 'read', routes: ['GET mlflow/workspaces', 'GET /api/v1/workspaces', 'GET /api/v1/tokens'] },
  {
    who: 'experiment',
    level: 'VIEW',
    asks: 'read',
    isOfRun: true,
    routes: [
      ...['GET mlflow/experiments/get', 'GET mlflow/experiments/get-by-name', 'GET mlflow/runs/get'],
      ...['GET mlflow/metrics/get-history', 'GET mlflow/metrics/get-history-bulk', 'GET mlflow/metrics/get-history-bulk-interval'],
      'GET /api/v1/runs/:run_id/lineage',
      ...['GET mlflow/logged-models/:model_id', 'GET mlflow/artifacts/list', 'GET mlflow/logged-models/:model_id/artifacts/directories'],
    ],
  },
  {
    who: 'experiment',
    level: 'READ',
    asks: 'read',
    isOfRun: true,
    routes: [
      ...['POST mlflow/artifacts/presigned-download-url', 'GET /get-artifact', 'GET mlflow/logged-models/:model_id/artifacts/files'],
      ...['GET mlflow-artifacts/artifacts/*', 'GET mlflow-artifacts/presigned/*'],
    ],
  },
  {
    who: 'experiment',
    level: 'EDIT',
    asks: 'write',
    isOfRun: true,
    routes: [
      ...['POST mlflow/runs/update', 'POST mlflow/runs/log-metric', 'POST mlflow/runs/log-parameter', 'POST mlflow/runs/set-tag'],
      ...['POST mlflow/runs/delete-tag', 'POST mlflow/runs/log-batch', 'POST mlflow/runs/log-inputs', 'POST mlflow/runs/outputs'],
      ...['POST mlflow/runs/log-model', 'POST mlflow/logged-models', 'PATCH mlflow/logged-models/:model_id'],
      ...['PATCH mlflow/logged-models/:model_id/tags', 'POST mlflow/logged-models/:model_id/params'],
      ...['POST mlflow/artifacts/presigned-upload-url', 'PUT mlflow-artifacts/artifacts/*', 'POST mlflow/upload-artifact'],
      ...['POST mlflow-artifacts/mpu/create/*', 'POST mlflow-artifacts/mpu/complete/*', 'POST mlflow-artifacts/mpu/abort/*'],
    ],
  },
  {
    who: 'experiment',
    level: 'EDIT',
    asks: 'write',
    routes: [
      ...['POST mlflow/experiments/update', 'POST mlflow/experiments/set-experiment-tag', 'POST mlflow/experiments/delete-experiment-tag'],
      'POST mlflow/runs/create',
    ],
  },
  {
    who: 'experiment',
    level: 'MANAGE',
    asks: 'write',
    routes: [
      ...['POST mlflow/experiments/delete', 'POST mlflow/experiments/restore', 'POST mlflow/runs/delete', 'POST mlflow/runs/restore'],
      ...['DELETE mlflow/logged-models/:model_id', 'DELETE mlflow/logged-models/:model_id/tags/:tag_key'],
      'DELETE mlflow-artifacts/artifacts/*',
    ],
  },
  { who: 'everything', level: 'VIEW', asks: 'read', routes: ['GET mlflow-artifacts/artifacts'] },
  {
    who: 'everything',
    level: 'EDIT',
    asks: 'write',
    routes: ['POST mlflow-artifacts/mpu/create', 'POST mlflow-artifacts/mpu/complete', 'POST mlflow-artifacts/mpu/abort'],
  },
  {
    who: 'creator',
    asks: 'write',
    routes: ['POST mlflow/experiments/create', 'POST mlflow/registered-models/create', 'POST /api/v1/models'],
  },
  {
    who: 'member',
    asks: 'read',
    routes: [
      ...['GET mlflow/experiments/list', 'POST mlflow/experiments/search', 'GET mlflow/experiments/search', 'POST mlflow/runs/search'],
      ...['POST mlflow/experiments/search-datasets', 'POST mlflow/logged-models/search', 'GET mlflow/registered-models/search'],
      ...['GET mlflow/registered-models/list', 'GET mlflow/model-versions/search', 'GET /api/v1/models', 'GET /api/v1/model-versions'],
      ...['GET /api/v1/blocks', 'GET /api/v1/blocks/:digest', 'GET /api/v1/break-glass'],
      ...['GET /api/v1/inbox', 'GET /api/v1/requests'],
      ...['GET /api/v1/policies', 'GET /api/v1/policies/:policy', 'GET /api/v1/policies/:policy/versions'],
      ...['GET /api/v1/deleted-models', 'GET /api/v1/settings', 'GET /api/v1/datasets/:digest/lineage'],
    ],
  },
  {
    who: 'model',
    level: 'VIEW',
    asks: 'read',
    routes: [
      ...['GET mlflow/registered-models/get', 'GET mlflow/registered-models/get-latest-versions'],
      ...['POST mlflow/registered-models/get-latest-versions', 'GET mlflow/registered-models/alias', 'GET mlflow/model-versions/get'],
      ...['GET mlflow/databricks/registered-models/get', 'GET /api/v1/models/:name', 'GET /api/v1/models/:name/versions'],
      ...['GET /api/v1/models/:name/versions/:version', 'GET /api/v1/models/:name/versions/:version/files'],
      'GET /api/v1/models/:name/versions/:version/lineage',
      ...['GET /api/v1/models/:name/deleted-versions', 'GET /api/v1/models/:name/stages/:stage', 'GET /api/v1/models/:name/aliases/:alias'],
      ...['GET /api/v1/models/by-id/:id/stages/:stage', 'GET /api/v1/models/by-id/:id/aliases/:alias'],
      ...[
        'GET /api/v1/models/:name/versions/:version/comparison',
        'GET /api/v1/models/:name/events',
        'GET /api/v1/models/by-id/:id/events',
      ],
      'GET /api/v1/models/:name/versions/:version/comments',
      ...['GET mlflow/transition-requests/list', 'GET /api/v1/models/:name/versions/:version/requests'],
      ...['GET /api/v1/models/:name/versions/:version/explain', 'GET /api/v1/models/:name/versions/:version/decisions'],
      'GET /api/v1/models/:name/versions/:version/activities',
      ...['GET /api/v1/models/:name/versions/:version/checks', 'GET /api/v1/models/:name/versions/:version/checks/:check/history'],
    ],
  },
  {
    who: 'model',
    level: 'READ',
    asks: 'read',
    routes: [
      ...['GET mlflow/model-versions/get-download-uri', 'GET /model-versions/get-artifact'],
      'GET /api/v1/models/:name/versions/:version/evidence',
      'GET /api/v1/models/:name/versions/:version/evidence-pack',
    ],
  },
  {
    who: 'model',
    level: 'EDIT',
    asks: 'write',
    routes: [
      ...['PATCH mlflow/registered-models/update', 'POST mlflow/registered-models/update', 'POST mlflow/registered-models/set-tag'],
      ...['DELETE mlflow/registered-models/delete-tag', 'POST mlflow/registered-models/alias'],
      ...['PATCH mlflow/model-versions/update', 'POST mlflow/model-versions/update', 'POST mlflow/model-versions/set-tag'],
      ...['PATCH /api/v1/models/:name', 'PUT /api/v1/models/:name/tags/:key', 'DELETE /api/v1/models/:name/tags/:key'],
      'PATCH /api/v1/models/:name/versions/:version',
      ...['POST /api/v1/models/:name/versions/:version/seal', 'PUT /api/v1/models/:name/versions/:version/tags/:key'],
      'PUT /api/v1/models/:name/aliases/:alias',
      'POST /api/v1/models/:name/versions/:version/evidence/renew',
    ],
  },
  { who: 'member', asks: 'write', routes: ['POST /api/v1/inbox/mentions/:mention/read'] },
  {
    who: 'model',
    level: 'EDIT',
    asks: 'write',
    word: 'versions:create',
    routes: ['POST mlflow/model-versions/create', 'POST /api/v1/models/:name/versions'],
  },
  {
    who: 'model',
    level: 'READ',
    asks: 'write',
    word: 'requests:create',
    routes: [
      ...['POST mlflow/transition-requests/create', 'DELETE mlflow/transition-requests/delete'],
      ...['POST /api/v1/models/:name/versions/:version/requests', 'POST /api/v1/models/:name/requests'],
      'POST /api/v1/models/:name/versions/:version/rollback',
    ],
  },
  // Of a token for the check READ is asked, which the room's own test holds.
  { who: 'model', level: 'EDIT', asks: 'write', word: 'check:lint', routes: ['POST /api/v1/models/:name/versions/:version/checks'] },
  {
    who: 'model',
    level: 'READ',
    asks: 'write',
    routes: [
      ...['POST mlflow/comments/create', 'POST /api/v1/models/:name/versions/:version/comments'],
      // Whose answer counts is found by the request.
      ...['POST mlflow/transition-requests/approve', 'POST mlflow/transition-requests/reject'],
    ],
  },
  {
    who: 'model',
    level: 'MANAGE_STAGING',
    asks: 'write',
    routes: [
      ...['POST mlflow/model-versions/transition-stage', 'POST mlflow/databricks/model-versions/transition-stage'],
      'PUT /api/v1/models/:name/versions/:version/stage',
    ],
  },
  {
    who: 'model',
    level: 'MANAGE_PRODUCTION',
    asks: 'write',
    routes: ['POST mlflow/registered-models/rename', 'POST /api/v1/models/:name/rename'],
  },
  {
    who: 'model',
    level: 'MANAGE',
    asks: 'write',
    routes: [
      ...['DELETE mlflow/registered-models/delete', 'DELETE mlflow/registered-models/alias', 'DELETE mlflow/model-versions/delete'],
      ...['DELETE mlflow/model-versions/delete-tag', 'DELETE /api/v1/models/:name', 'DELETE /api/v1/models/:name/versions/:version'],
      ...['DELETE /api/v1/models/:name/versions/:version/tags/:key', 'DELETE /api/v1/models/:name/aliases/:alias'],
      ...['POST /api/v1/models/:name/deleted-versions/:version/restore', 'POST /api/v1/deleted-models/:id/restore'],
      ...['DELETE /api/v1/deleted-models/:id', 'GET /api/v1/models/:name/access'],
    ],
  },
  { who: 'manager', asks: 'read', routes: ['GET /api/v1/events'] },
  {
    who: 'manager',
    asks: 'admin',
    routes: [
      'POST /api/v1/blocks/:digest/lift',
      ...['POST mlflow/webhooks', 'GET mlflow/webhooks', 'GET mlflow/webhooks/:webhook_id', 'PATCH mlflow/webhooks/:webhook_id'],
      ...['DELETE mlflow/webhooks/:webhook_id', 'POST mlflow/webhooks/:webhook_id/test', 'PATCH /api/v1/settings'],
      ...['GET /api/v1/webhooks', 'POST /api/v1/webhooks', 'GET /api/v1/webhooks/:webhook', 'PATCH /api/v1/webhooks/:webhook'],
      ...['DELETE /api/v1/webhooks/:webhook', 'POST /api/v1/webhooks/:webhook/test'],
      ...['GET /api/v1/named-permissions', 'GET /api/v1/named-permissions/:permission/holders'],
      'PUT /api/v1/named-permissions/:permission/holders/:kind/:holder',
      'DELETE /api/v1/named-permissions/:permission/holders/:kind/:holder',
      ...['POST /api/v1/policies', 'POST /api/v1/policies/apply', 'POST /api/v1/policies/plan', 'DELETE /api/v1/policies/:policy'],
    ],
  },
  {
    who: 'server',
    asks: 'admin',
    routes: [
      ...['POST mlflow/workspaces', 'PATCH mlflow/workspaces/:workspace_name', 'DELETE mlflow/workspaces/:workspace_name'],
      ...['POST /api/v1/workspaces', 'PATCH /api/v1/workspaces/:workspace', 'DELETE /api/v1/workspaces/:workspace'],
      ...['GET /api/v1/users', 'POST /api/v1/users', 'GET /api/v1/users/:name', 'PATCH /api/v1/users/:name', 'DELETE /api/v1/users/:name'],
      ...['PUT /api/v1/users/:name/password', 'PUT /api/v1/users/:name/admin', 'POST /api/v1/users/:name/disable'],
      ...['POST /api/v1/users/:name/enable', 'POST /api/v1/users/:name/erase', 'POST /api/v1/service-accounts'],
      ...['GET /api/v1/users/:name/ci-identities', 'PUT /api/v1/users/:name/ci-identities', 'DELETE /api/v1/users/:name/ci-identities'],
      ...['PATCH /api/v1/service-accounts/:name', 'POST /api/v1/service-accounts/:name/disable', 'DELETE /api/v1/service-accounts/:name'],
      ...['POST /api/v1/service-accounts/:name/enable', 'GET /api/v1/groups', 'POST /api/v1/groups', 'GET /api/v1/groups/:name'],
      ...['PATCH /api/v1/groups/:name', 'DELETE /api/v1/groups/:name', 'GET /api/v1/groups/:name/members'],
      ...['PUT /api/v1/groups/:name/members/:member', 'DELETE /api/v1/groups/:name/members/:member'],
      ...['GET /api/v1/identity-providers', 'POST /api/v1/identity-providers', 'GET /api/v1/identity-providers/:provider'],
      ...['PATCH /api/v1/identity-providers/:provider', 'DELETE /api/v1/identity-providers/:provider'],
      ...['GET /api/v1/identity-providers/:provider/identities', 'POST /api/v1/identity-providers/:provider/identities'],
      ...['DELETE /api/v1/identity-providers/:provider/identities/:subject', 'GET /api/v1/ci-trusts', 'POST /api/v1/ci-trusts'],
      ...['GET /api/v1/ci-trusts/:trust', 'DELETE /api/v1/ci-trusts/:trust', 'DELETE /api/v1/events/:seq/texts/:field'],
    ],
  },
  {
    who: 'own',
    asks: 'read',
    routes: [
      ...['GET mlflow/workspaces/:workspace_name', 'GET /api/v1/workspaces/:workspace', 'GET /api/v1/service-accounts'],
      ...['GET /api/v1/service-accounts/:name', 'GET /api/v1/grants', 'GET mlflow/users/get', 'GET mlflow/users/list'],
      ...['GET mlflow/users/permissions/list', 'GET mlflow/users/permissions/get', 'GET mlflow/users/roles/list', 'GET mlflow/roles/get'],
      ...['GET mlflow/roles/list', 'GET mlflow/roles/permissions/list', 'GET mlflow/roles/users/list'],
      ...['GET mlflow/experiments/permissions/get', 'GET mlflow/registered-models/permissions/get'],
      ...['GET /api/v1/requests/:request', 'GET /api/v1/requests/:request/evaluation', 'GET /api/v1/requests/:request/comments'],
      ...['GET permissions/registered-models/:id', 'GET permissions/registered-models/:id/permissionLevels'],
      ...['GET permissions/experiments/:id', 'GET permissions/experiments/:id/permissionLevels', 'GET /account'],
    ],
  },
  {
    who: 'own',
    asks: 'write',
    routes: [
      ...['PATCH mlflow/comments/update', 'DELETE mlflow/comments/delete'],
      ...['PATCH /api/v1/comments/:comment', 'DELETE /api/v1/comments/:comment', 'POST /api/v1/comments/:comment/resolve'],
      ...['POST /api/v1/comments/:comment/reopen', 'POST /api/v1/requests/:request/comments'],
      ...['POST /api/v1/requests/:request/approve', 'POST /api/v1/requests/:request/reject'],
      ...['POST /api/v1/requests/:request/cancel', 'POST /api/v1/requests/:request/apply'],
      ...['POST /api/v1/blocks', 'POST /api/v1/break-glass', 'POST /api/v1/break-glass/:id/review'],
    ],
  },
  {
    who: 'own',
    asks: 'admin',
    routes: [
      ...['PATCH /api/v1/me', 'PUT /api/v1/me/password', 'POST /api/v1/tokens', 'DELETE /api/v1/tokens/:id'],
      ...['PUT /api/v1/grants', 'DELETE /api/v1/grants/:id', 'POST /account/tokens', 'POST /account/tokens/revoke'],
      ...[
        'POST mlflow/users/create',
        'PATCH mlflow/users/update-password',
        'PATCH mlflow/users/update-admin',
        'DELETE mlflow/users/delete',
      ],
      ...['POST mlflow/users/permissions/grant', 'POST mlflow/users/permissions/revoke', 'POST mlflow/roles/create'],
      ...['PATCH mlflow/roles/update', 'DELETE mlflow/roles/delete', 'POST mlflow/roles/permissions/add'],
      ...['PATCH mlflow/roles/permissions/update', 'DELETE mlflow/roles/permissions/remove', 'POST mlflow/roles/assign'],
      ...['DELETE mlflow/roles/unassign', 'POST mlflow/experiments/permissions/create', 'PATCH mlflow/experiments/permissions/update'],
      ...['DELETE mlflow/experiments/permissions/delete', 'POST mlflow/registered-models/permissions/create'],
      ...['PATCH mlflow/registered-models/permissions/update', 'DELETE mlflow/registered-models/permissions/delete'],
      ...['PUT permissions/registered-models/:id', 'PATCH permissions/registered-models/:id', 'PUT permissions/experiments/:id'],
      'PATCH permissions/experiments/:id',
    ],
  },
];

/** `METHOD path` without what the prefixes of calls add. */
export function routeKey(method: string, path: string): string {
  return `${method} ${path.replace(/^\/(?:ajax-)?api\/[23]\.0\/(?:preview\/)?/, '')}`;
}

export const EXPECTATIONS: ReadonlyMap<string, Expectation> = new Map(
  GROUPS.flatMap(({ routes, ...expectation }) => routes.map((route) => [route, expectation] as const)),
);
