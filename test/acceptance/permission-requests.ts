/** What the permission table asks for: an experiment with its run and logged model, a registered model with its versions; and a request for each route. */
import { Readable } from 'node:stream';
import * as artifacts from '@countersign/server/features/artifacts/artifacts.ts';
import * as experiments from '@countersign/server/features/experiments/experiments.ts';
import * as loggedModels from '@countersign/server/features/logged-models/logged-models.ts';
import * as models from '@countersign/server/features/models/models.ts';
import * as runs from '@countersign/server/features/runs/runs.ts';
import * as transitions from '@countersign/server/features/transitions/transitions.ts';
import type { Ctx } from '@countersign/server/platform/context.ts';

export interface Objects {
  readonly experimentId: string;
  readonly experimentName: string;
  readonly runId: string;
  /** Paths of the artifact root. */
  readonly runPath: string;
  readonly loggedModelPath: string;
  readonly sealedPath: string;
  readonly loggedModelId: string;
  readonly model: string;
  readonly modelId: number;
  readonly deletedModelId: number;
}

/** Upstream's LOGGED_MODEL_READY. */
const READY = 2;

/** Version 1 is sealed and has the alias `champion`, version 2 is deleted; a second model is deleted as a whole. */
export async function makeObjects(ctx: Ctx, name: string): Promise<Objects> {
  const experimentId = await experiments.create(ctx, { name, tags: [{ key: 'k', value: 'v' }] });
  const run = await runs.create(ctx, { experimentId, userId: '', startTime: 1, tags: [{ key: 'k', value: 'v' }] });
  await runs.logMetric(ctx, run.info.runId, { key: 'loss', value: 1, timestamp: 1, step: 0 });
  const runPath = artifacts.storedPathOf(run.info.artifactUri) ?? '';
  const logged = await loggedModels.create(ctx, {
    experimentId: String(experimentId),
    name: 'logged',
    modelType: '',
    sourceRunId: run.info.runId,
    params: [],
    tags: [{ key: 'k', value: 'v' }],
  });
  const loggedModelPath = artifacts.storedPathOf(logged.artifactUri) ?? '';
  for (const path of [`${runPath}/model/MLmodel`, `${loggedModelPath}/MLmodel`]) {
    await artifacts.put(ctx, path, Readable.from([Buffer.from('flavors: {}\n')]));
  }
  await loggedModels.finalize(ctx, logged.modelId, READY);
  const { id: modelId } = await models.create(ctx, { name, tags: [{ key: 'k', value: 'v' }] });
  const of = { runId: run.info.runId, loggedModelId: undefined, runLink: '', description: undefined, tags: [{ key: 'k', value: 'v' }] };
  const source = `runs:/${run.info.runId}/model`;
  const version = await transitions.registerVersion(ctx, { name, source, ...of });
  await transitions.registerVersion(ctx, { name, source, ...of });
  await transitions.deleteVersion(ctx, name, 2);
  await transitions.setAlias(ctx, name, 'champion', 1);
  const deleted = await models.create(ctx, { name: `${name}-deleted`, tags: [] });
  await transitions.deleteModel(ctx, deleted.name);
  return {
    experimentId: String(experimentId),
    experimentName: name,
    runId: run.info.runId,
    runPath,
    loggedModelPath,
    sealedPath: `model-versions/${version.id}`,
    loggedModelId: logged.modelId,
    model: name,
    modelId,
    deletedModelId: deleted.id,
  };
}

export interface RouteRequest {
  /** Of `:name`s and `*` in the route's path. */
  readonly params?: Readonly<Record<string, string>>;
  readonly query?: Readonly<Record<string, string | readonly string[]>>;
  readonly body?: unknown;
  readonly bytes?: string;
  /** What whoever may do it is answered; a success where it isn't said, `any` where it isn't looked at. */
  readonly status?: number | 'any';
}

/** `unique` differs from call to call. */
export type MakeRequest = (objects: Objects, unique: string) => RouteRequest;

const ofExperiment: MakeRequest = (o) => ({ body: { experiment_id: o.experimentId } });
const ofRun: MakeRequest = (o) => ({ body: { run_id: o.runId } });
const ofModel: MakeRequest = (o) => ({ query: { name: o.model } });
const ofVersion: MakeRequest = (o) => ({ query: { name: o.model, version: '1' } });
const nativeModel: MakeRequest = (o) => ({ params: { name: o.model } });
const nativeVersion: MakeRequest = (o) => ({ params: { name: o.model, version: '1' } });
const loggedModel: MakeRequest = (o) => ({ params: { model_id: o.loggedModelId } });
const byId: MakeRequest = (o) => ({ params: { id: String(o.modelId), stage: 'Production', alias: 'champion' } });
const ofRunFile: MakeRequest = (o) => ({ params: { '*': `${o.runPath}/model/MLmodel` } });
const notSupported: MakeRequest = (o) => ({ ...ofRunFile(o, ''), status: 501 });
const file = { key: 'k', value: 'w' };
const source = (o: Objects): object => ({ name: o.model, source: `models:/${o.model}/1` });
const update: MakeRequest = (o) => ({ body: { name: o.model, description: 'd' } });
const updateVersion: MakeRequest = (o) => ({ body: { name: o.model, version: '1', description: 'd' } });
const toStaging: MakeRequest = (o) => ({ body: { name: o.model, version: '1', stage: 'Staging', archive_existing_versions: false } });

/** Routes that aren't here are asked with nothing but their names filled in, and their answers to whoever may aren't looked at. */
export const REQUESTS: Readonly<Record<string, MakeRequest>> = {
  'GET mlflow/experiments/get': (o) => ({ query: { experiment_id: o.experimentId } }),
  'GET mlflow/experiments/get-by-name': (o) => ({ query: { experiment_name: o.experimentName } }),
  'GET mlflow/experiments/list': () => ({}),
  'GET mlflow/experiments/search': () => ({ query: { max_results: '5' } }),
  'POST mlflow/experiments/search': () => ({ body: { max_results: 5 } }),
  'POST mlflow/experiments/search-datasets': (o) => ({ body: { experiment_ids: [o.experimentId] } }),
  'POST mlflow/experiments/create': (_o, unique) => ({ body: { name: `made ${unique}` } }),
  'POST mlflow/experiments/update': (o) => ({ body: { experiment_id: o.experimentId, new_name: o.experimentName } }),
  'POST mlflow/experiments/delete': ofExperiment,
  'POST mlflow/experiments/restore': (o) => ({ ...ofExperiment(o, ''), status: 404 }),
  'POST mlflow/experiments/set-experiment-tag': (o) => ({ body: { experiment_id: o.experimentId, ...file } }),
  'POST mlflow/experiments/delete-experiment-tag': (o) => ({ body: { experiment_id: o.experimentId, key: 'k' } }),
  'POST mlflow/runs/create': (o) => ({ body: { experiment_id: o.experimentId, start_time: 1 } }),
  'GET mlflow/runs/get': (o) => ({ query: { run_id: o.runId } }),
  'POST mlflow/runs/update': (o) => ({ body: { run_id: o.runId, status: 'RUNNING' } }),
  'POST mlflow/runs/delete': ofRun,
  'POST mlflow/runs/restore': (o) => ({ ...ofRun(o, ''), status: 'any' }),
  'POST mlflow/runs/log-metric': (o) => ({ body: { run_id: o.runId, key: 'loss', value: 1, timestamp: 1, step: 1 } }),
  'POST mlflow/runs/log-parameter': (o) => ({ body: { run_id: o.runId, key: 'p', value: '1' } }),
  'POST mlflow/runs/set-tag': (o) => ({ body: { run_id: o.runId, ...file } }),
  'POST mlflow/runs/delete-tag': (o) => ({ body: { run_id: o.runId, key: 'k' } }),
  'POST mlflow/runs/log-batch': (o) => ({ body: { run_id: o.runId, tags: [file] } }),
  'POST mlflow/runs/log-inputs': (o) => ({ body: { run_id: o.runId, models: [{ model_id: o.loggedModelId }] } }),
  'POST mlflow/runs/outputs': (o) => ({ body: { run_id: o.runId, models: [{ model_id: o.loggedModelId, step: 1 }] } }),
  'POST mlflow/runs/log-model': (o) => ({
    body: {
      run_id: o.runId,
      model_json: JSON.stringify({ artifact_path: 'model', flavors: {}, utc_time_created: '2026-01-01', run_id: o.runId }),
    },
  }),
  'POST mlflow/runs/search': (o) => ({ body: { experiment_ids: [o.experimentId] } }),
  'GET mlflow/metrics/get-history': (o) => ({ query: { run_id: o.runId, metric_key: 'loss' } }),
  'GET mlflow/metrics/get-history-bulk': (o) => ({ query: { run_id: [o.runId], metric_key: 'loss' } }),
  'GET mlflow/metrics/get-history-bulk-interval': (o) => ({ query: { run_ids: [o.runId], metric_key: 'loss' } }),
  'POST mlflow/logged-models': (o) => ({ body: { experiment_id: o.experimentId, name: 'more', source_run_id: o.runId } }),
  'GET mlflow/logged-models/:model_id': loggedModel,
  'PATCH mlflow/logged-models/:model_id': (o) => ({ ...loggedModel(o, ''), body: { status: 'LOGGED_MODEL_READY' } }),
  'DELETE mlflow/logged-models/:model_id': loggedModel,
  'PATCH mlflow/logged-models/:model_id/tags': (o) => ({ ...loggedModel(o, ''), body: { tags: [file] } }),
  'DELETE mlflow/logged-models/:model_id/tags/:tag_key': (o) => ({ params: { model_id: o.loggedModelId, tag_key: 'k' } }),
  'POST mlflow/logged-models/:model_id/params': (o, unique) => ({ ...loggedModel(o, ''), body: { params: [{ key: unique, value: '1' }] } }),
  'POST mlflow/logged-models/search': (o) => ({ body: { experiment_ids: [o.experimentId] } }),

  'POST mlflow/registered-models/create': (_o, unique) => ({ body: { name: `made ${unique}` } }),
  'GET mlflow/registered-models/get': ofModel,
  'PATCH mlflow/registered-models/update': update,
  'POST mlflow/registered-models/update': update,
  'POST mlflow/registered-models/rename': (o, unique) => ({ body: { name: o.model, new_name: `${o.model} ${unique}` } }),
  'DELETE mlflow/registered-models/delete': ofModel,
  'GET mlflow/registered-models/search': () => ({}),
  'GET mlflow/registered-models/list': () => ({}),
  'GET mlflow/registered-models/get-latest-versions': ofModel,
  'POST mlflow/registered-models/get-latest-versions': (o) => ({ body: { name: o.model } }),
  'POST mlflow/registered-models/set-tag': (o) => ({ body: { name: o.model, ...file } }),
  'DELETE mlflow/registered-models/delete-tag': (o) => ({ query: { name: o.model, key: 'k' } }),
  'POST mlflow/registered-models/alias': (o) => ({ body: { name: o.model, alias: 'other', version: '1' } }),
  'DELETE mlflow/registered-models/alias': (o) => ({ query: { name: o.model, alias: 'champion' } }),
  'GET mlflow/registered-models/alias': (o) => ({ query: { name: o.model, alias: 'champion' } }),
  'POST mlflow/model-versions/create': (o) => ({ body: source(o) }),
  'GET mlflow/model-versions/get': ofVersion,
  'PATCH mlflow/model-versions/update': updateVersion,
  'POST mlflow/model-versions/update': updateVersion,
  'POST mlflow/model-versions/transition-stage': toStaging,
  'DELETE mlflow/model-versions/delete': ofVersion,
  'GET mlflow/model-versions/search': () => ({}),
  'GET mlflow/model-versions/get-download-uri': ofVersion,
  'POST mlflow/model-versions/set-tag': (o) => ({ body: { name: o.model, version: '1', ...file } }),
  'DELETE mlflow/model-versions/delete-tag': (o) => ({ query: { name: o.model, version: '1', key: 'k' } }),
  'GET mlflow/databricks/registered-models/get': ofModel,
  'POST mlflow/databricks/model-versions/transition-stage': toStaging,
  'POST mlflow/transition-requests/create': (o) => ({ body: { name: o.model, version: '1', stage: 'Archived' }, status: 'any' }),
  'GET mlflow/transition-requests/list': ofVersion,
  'POST mlflow/transition-requests/approve': (o) => ({ ...toStaging(o, ''), status: 404 }),
  'POST mlflow/transition-requests/reject': (o) => ({ ...toStaging(o, ''), status: 404 }),
  'DELETE mlflow/transition-requests/delete': (o) => ({
    query: { name: o.model, version: '1', stage: 'Staging', creator: 'x' },
    status: 404,
  }),
  'POST mlflow/comments/create': (o) => ({ body: { name: o.model, version: '1', comment: 'words' } }),

  'GET mlflow/artifacts/list': (o) => ({ query: { run_id: o.runId } }),
  'GET mlflow/logged-models/:model_id/artifacts/directories': loggedModel,
  'POST mlflow/artifacts/presigned-upload-url': (o) => ({ body: { run_id: o.runId, path: 'a' }, status: 400 }),
  'POST mlflow/artifacts/presigned-download-url': (o) => ({ body: { run_id: o.runId, path: 'a' }, status: 400 }),
  'GET mlflow-artifacts/artifacts': () => ({}),
  'PUT mlflow-artifacts/artifacts/*': (o) => ({ params: { '*': `${o.runPath}/more.txt` }, bytes: 'more' }),
  'GET mlflow-artifacts/artifacts/*': ofRunFile,
  'DELETE mlflow-artifacts/artifacts/*': ofRunFile,
  'GET mlflow-artifacts/presigned/*': notSupported,
  'POST mlflow-artifacts/mpu/create': () => ({ body: {}, status: 501 }),
  'POST mlflow-artifacts/mpu/complete': () => ({ body: {}, status: 501 }),
  'POST mlflow-artifacts/mpu/abort': () => ({ body: {}, status: 501 }),
  'POST mlflow-artifacts/mpu/create/*': notSupported,
  'POST mlflow-artifacts/mpu/complete/*': notSupported,
  'POST mlflow-artifacts/mpu/abort/*': notSupported,
  'GET /get-artifact': (o) => ({ query: { run_id: o.runId, path: 'model/MLmodel' } }),
  'GET /model-versions/get-artifact': (o) => ({ query: { name: o.model, version: '1', path: 'MLmodel' } }),
  'GET mlflow/logged-models/:model_id/artifacts/files': (o) => ({ ...loggedModel(o, ''), query: { artifact_file_path: 'MLmodel' } }),
  'POST mlflow/upload-artifact': (o) => ({ query: { run_uuid: o.runId, path: 'browser.txt' }, bytes: 'text' }),

  'GET /api/v1/models': () => ({}),
  'POST /api/v1/models': (_o, unique) => ({ body: { name: `made ${unique}` } }),
  'GET /api/v1/models/:name': nativeModel,
  'PATCH /api/v1/models/:name': (o) => ({ ...nativeModel(o, ''), body: { description: 'd' } }),
  'POST /api/v1/models/:name/rename': (o, unique) => ({ ...nativeModel(o, ''), body: { name: `${o.model} ${unique}` } }),
  'DELETE /api/v1/models/:name': nativeModel,
  'PUT /api/v1/models/:name/tags/:key': (o) => ({ params: { name: o.model, key: 'k' }, body: { value: 'w' } }),
  'DELETE /api/v1/models/:name/tags/:key': (o) => ({ params: { name: o.model, key: 'k' } }),
  'GET /api/v1/deleted-models': () => ({}),
  'POST /api/v1/deleted-models/:id/restore': (o) => ({ params: { id: String(o.deletedModelId) }, body: {} }),
  'DELETE /api/v1/deleted-models/:id': (o) => ({ params: { id: String(o.deletedModelId) }, query: { confirm: `${o.model}-deleted` } }),
  'GET /api/v1/model-versions': () => ({}),
  'GET /api/v1/models/:name/versions': nativeModel,
  'POST /api/v1/models/:name/versions': (o) => ({ ...nativeModel(o, ''), body: { source: `models:/${o.model}/1` } }),
  'GET /api/v1/models/:name/versions/:version': nativeVersion,
  'PATCH /api/v1/models/:name/versions/:version': (o) => ({ ...nativeVersion(o, ''), body: { description: 'd' } }),
  'DELETE /api/v1/models/:name/versions/:version': nativeVersion,
  'GET /api/v1/models/:name/versions/:version/files': nativeVersion,
  'POST /api/v1/models/:name/versions/:version/seal': (o) => ({ ...nativeVersion(o, ''), body: {} }),
  'PUT /api/v1/models/:name/versions/:version/tags/:key': (o) => ({
    params: { name: o.model, version: '1', key: 'k' },
    body: { value: 'w' },
  }),
  'DELETE /api/v1/models/:name/versions/:version/tags/:key': (o) => ({ params: { name: o.model, version: '1', key: 'k' } }),
  'GET /api/v1/models/:name/deleted-versions': nativeModel,
  'POST /api/v1/models/:name/deleted-versions/:version/restore': (o) => ({ params: { name: o.model, version: '2' }, body: {} }),
  'GET /api/v1/models/:name/access': nativeModel,
  'GET /api/v1/models/:name/stages/:stage': (o) => ({ params: { name: o.model, stage: 'Production' } }),
  'GET /api/v1/models/by-id/:id/stages/:stage': byId,
  'GET /api/v1/models/:name/aliases/:alias': (o) => ({ params: { name: o.model, alias: 'champion' } }),
  'GET /api/v1/models/by-id/:id/aliases/:alias': byId,
  'PUT /api/v1/models/:name/versions/:version/stage': (o) => ({ ...nativeVersion(o, ''), body: { stage: 'Staging' } }),
  'PUT /api/v1/models/:name/aliases/:alias': (o) => ({ params: { name: o.model, alias: 'other' }, body: { version: 1 } }),
  'DELETE /api/v1/models/:name/aliases/:alias': (o) => ({ params: { name: o.model, alias: 'champion' } }),
  'GET /api/v1/models/:name/versions/:version/evidence': (o) => nativeVersion(o, ''),
  'POST /api/v1/models/:name/versions/:version/evidence/renew': (o) => ({ ...nativeVersion(o, ''), body: {} }),
  'GET /api/v1/models/:name/versions/:version/comparison': (o) => ({ ...nativeVersion(o, ''), query: { with: '1' } }),
  'GET /api/v1/models/:name/versions/:version/lineage': nativeVersion,
  // Nothing is signed there.
  'GET /api/v1/models/:name/versions/:version/evidence-pack': (o) => ({ ...nativeVersion(o, ''), status: 400 }),
  'GET /api/v1/runs/:run_id/lineage': (o) => ({ params: { run_id: o.runId } }),
  'GET /api/v1/datasets/:digest/lineage': () => ({ params: { digest: 'none' }, status: 404 }),
  'GET /api/v1/models/:name/versions/:version/requests': nativeVersion,
  'POST /api/v1/models/:name/versions/:version/requests': (o) => ({
    ...nativeVersion(o, ''),
    body: { target: { kind: 'stage', stage: 'Archived' } },
    status: 'any',
  }),
  'POST /api/v1/models/:name/requests': (o) => ({
    ...nativeModel(o, ''),
    body: { target: { kind: 'tag', key: 'risk', value: 'low' } },
    status: 'any',
  }),
  'GET /api/v1/requests': () => ({}),
  'GET /api/v1/models/:name/versions/:version/explain': (o) => ({ ...nativeVersion(o, ''), query: { target: 'stage:Staging' } }),
  'GET /api/v1/models/:name/versions/:version/decisions': nativeVersion,
  // Without a policy there is no rule to come back by.
  'POST /api/v1/models/:name/versions/:version/rollback': (o) => ({
    ...nativeVersion(o, ''),
    body: { target: 'stage:Production', reason: 'words' },
    status: 400,
  }),
  'GET /api/v1/policies': () => ({}),
  'GET /api/v1/policies/:policy': () => ({ params: { policy: 'none' }, status: 404 }),
  'GET /api/v1/policies/:policy/versions': () => ({ params: { policy: 'none' }, status: 404 }),
  'POST /api/v1/policies': () => ({ body: { text: 'name: none' }, status: 400 }),
  'POST /api/v1/policies/apply': () => ({ body: {} }),
  'POST /api/v1/policies/plan': () => ({ body: {} }),
  'DELETE /api/v1/policies/:policy': () => ({ params: { policy: 'none' }, status: 404 }),
  'GET /api/v1/models/:name/versions/:version/activities': nativeVersion,
  'GET /api/v1/models/:name/versions/:version/checks': nativeVersion,
  'GET /api/v1/models/:name/versions/:version/checks/:check/history': (o) => ({
    params: { name: o.model, version: '1', check: 'ci/lint' },
  }),
  'POST /api/v1/models/:name/versions/:version/checks': (o, unique) => ({
    ...nativeVersion(o, ''),
    body: { name: 'lint', external_id: unique, status: 'queued' },
  }),
  'GET /api/v1/models/:name/versions/:version/comments': nativeVersion,
  'POST /api/v1/models/:name/versions/:version/comments': (o) => ({ ...nativeVersion(o, ''), body: { comment: 'words' } }),
  'GET /api/v1/inbox': () => ({}),
  'POST /api/v1/inbox/mentions/:mention/read': () => ({ params: { mention: '987654' }, status: 404 }),
  'GET /api/v1/events': () => ({}),
  'GET /api/v1/models/:name/events': nativeModel,
  'GET /api/v1/models/by-id/:id/events': (o) => ({ params: { id: String(o.modelId) } }),
  'GET /api/v1/events/verification': () => ({}),
  'GET /api/v1/settings': () => ({}),
  'GET /api/v1/blocks': () => ({}),
  'GET /api/v1/blocks/:digest': () => ({ params: { digest: '0'.repeat(64) }, status: 404 }),
  'POST /api/v1/blocks/:digest/lift': () => ({ params: { digest: '0'.repeat(64) }, body: { reason: 'why' }, status: 404 }),
  'GET /api/v1/break-glass': () => ({}),
  'GET /api/v1/me': () => ({}),
  'GET /api/v1/tokens': () => ({}),
  'GET /api/v1/workspaces': () => ({}),
  'GET mlflow/workspaces': () => ({}),
  'GET mlflow/webhooks': () => ({}),
  'GET /api/v1/webhooks': () => ({}),
  'GET /api/v1/users': () => ({}),
  'GET /api/v1/named-permissions': () => ({}),
  'GET /api/v1/named-permissions/:permission/holders': () => ({ params: { permission: 'break-glass' } }),
  'GET /api/v1/groups': () => ({}),
};
