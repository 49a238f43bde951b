/** Upstream's run calls, but for search. */
import { missing } from '@countersign/contract/mlflow/message.ts';
import { LogMetric } from '@countersign/contract/mlflow/metric-messages.ts';
import {
  CreateRun,
  DeleteRun,
  DeleteTag,
  GetRun,
  LogBatch,
  LogInputs,
  LogModel,
  LogOutputs,
  LogParam,
  RestoreRun,
  SetTag,
  UpdateRun,
} from '@countersign/contract/mlflow/run-messages.ts';
import { invalid } from '@countersign/contract/problem.ts';
import { DEFAULT_EXPERIMENT_ID, parseExperimentId } from '../features/experiments/experiments.ts';
import * as runs from '../features/runs/runs.ts';
import { parseExact } from '../platform/http/json.ts';
import { metricRpcs } from './metric-rpcs.ts';
import { RawJson, type Rpc, rpc } from './rpc.ts';
import { runJson } from './run-json.ts';
import { createdRunToWire, runInfoToWire } from './tracking-wire.ts';

/** Throws as for any required parameter where neither name is given. */
export function runIdOf(input: { readonly run_id: string | undefined; readonly run_uuid: string | undefined }): string {
  const runId = input.run_id || input.run_uuid;
  if (!runId) throw missing('run_id');
  return runId;
}

interface WirePoint {
  readonly key: string;
  readonly value: number;
  readonly timestamp: number | bigint;
  readonly step: number | bigint;
  readonly model_id: string | undefined;
  readonly dataset_name: string | undefined;
  readonly dataset_digest: string | undefined;
}

function pointOf(wire: WirePoint): Parameters<typeof runs.logMetric>[2] {
  return {
    key: wire.key,
    value: wire.value,
    timestamp: wire.timestamp,
    step: wire.step,
    modelId: wire.model_id,
    datasetName: wire.dataset_name,
    datasetDigest: wire.dataset_digest,
  };
}

/** One dataset's profile alone may have 16 MB. */
const INPUTS_BYTES_MAX = 64 << 20;

export const runRpcs: readonly Rpc[] = [
  rpc('POST', '/mlflow/runs/create', 'run.create', CreateRun, async (ctx, input) => {
    const run = await runs.create(ctx, {
      experimentId: input.experiment_id ? parseExperimentId(input.experiment_id) : DEFAULT_EXPERIMENT_ID,
      userId: input.user_id,
      name: input.run_name,
      startTime: input.start_time,
      tags: input.tags,
    });
    return { run: createdRunToWire(run) };
  }),
  rpc('GET', '/mlflow/runs/get', 'run.view', GetRun, async (ctx, input) => {
    return new RawJson(`{"run":${runJson(await runs.getRunText(ctx, runIdOf(input)))}}`);
  }),
  rpc('POST', '/mlflow/runs/update', 'run.edit', UpdateRun, async (ctx, input) => {
    const change = { status: input.status, endTime: input.end_time, name: input.run_name };
    return { run_info: runInfoToWire(await runs.update(ctx, runIdOf(input), change)) };
  }),
  rpc('POST', '/mlflow/runs/delete', 'run.manage', DeleteRun, async (ctx, input) => {
    await runs.remove(ctx, input.run_id);
    return {};
  }),
  rpc('POST', '/mlflow/runs/restore', 'run.manage', RestoreRun, async (ctx, input) => {
    await runs.restore(ctx, input.run_id);
    return {};
  }),
  rpc('POST', '/mlflow/runs/log-metric', 'run.edit', LogMetric, async (ctx, input) => {
    await runs.logMetric(ctx, runIdOf(input), pointOf(input));
    return {};
  }),
  rpc('POST', '/mlflow/runs/log-parameter', 'run.edit', LogParam, async (ctx, input) => {
    await runs.logParam(ctx, runIdOf(input), { key: input.key, value: input.value });
    return {};
  }),
  rpc('POST', '/mlflow/runs/set-tag', 'run.edit', SetTag, async (ctx, input) => {
    await runs.setTag(ctx, runIdOf(input), { key: input.key, value: input.value });
    return {};
  }),
  rpc('POST', '/mlflow/runs/delete-tag', 'run.edit', DeleteTag, async (ctx, input) => {
    await runs.deleteTag(ctx, input.run_id, input.key);
    return {};
  }),
  rpc('POST', '/mlflow/runs/log-batch', 'run.edit', LogBatch, async (ctx, input) => {
    await runs.logBatch(ctx, input.run_id, { metrics: input.metrics.map(pointOf), params: input.params, tags: input.tags });
    return {};
  }),
  rpc(
    'POST',
    '/mlflow/runs/log-inputs',
    'run.edit',
    LogInputs,
    async (ctx, input) => {
      const datasets = input.datasets.map(({ dataset, tags }) => ({ ...dataset, sourceType: dataset.source_type, tags }));
      await runs.logInputs(ctx, input.run_id, { datasets, modelIds: input.models.map((model) => model.model_id) });
      return {};
    },
    { bodyBytesMax: INPUTS_BYTES_MAX },
  ),
  rpc('POST', '/mlflow/runs/outputs', 'run.edit', LogOutputs, async (ctx, input) => {
    if (input.models.length === 0) throw missing('models');
    await runs.logOutputs(
      ctx,
      input.run_id,
      input.models.map((model) => ({ modelId: model.model_id, step: model.step })),
    );
    return {};
  }),
  rpc('POST', '/mlflow/runs/log-model', 'run.edit', LogModel, async (ctx, input) => {
    await runs.logModel(ctx, input.run_id, loggedModelOf(input.model_json));
    return {};
  }),
  ...metricRpcs,
];

const MODEL_FIELDS = ['run_id', 'utc_time_created', 'artifact_path', 'model_uuid'];
const REQUIRED_MODEL_FIELDS = ['artifact_path', 'flavors', 'utc_time_created', 'run_id'];

/** What of an MLmodel is kept in the run's tag (mlflow.models.Model.get_tags_dict): its flavors come without their `config`. */
function loggedModelOf(text: string): Record<string, unknown> {
  const model = objectOf(text);
  const absent = REQUIRED_MODEL_FIELDS.filter((field) => !Object.hasOwn(model, field));
  if (absent.length > 0) throw invalid(`Model json is missing mandatory fields: {${absent.map((field) => `'${field}'`).join(', ')}}`);
  const kept = Object.fromEntries(MODEL_FIELDS.filter((field) => Object.hasOwn(model, field)).map((field) => [field, model[field]]));
  return { ...kept, flavors: withoutConfig(model.flavors) };
}

function objectOf(text: string): Record<string, unknown> {
  let parsed: unknown;
  try {
    parsed = parseExact(text);
  } catch {
    parsed = undefined;
  }
  if (typeof parsed === 'object' && parsed !== null && !Array.isArray(parsed)) return parsed as Record<string, unknown>; // narrowed by the test
  throw invalid(`Malformed model info. \n ${text.slice(0, 1000)} \n is not a valid JSON.`);
}

function withoutConfig(flavors: unknown): unknown {
  if (typeof flavors !== 'object' || flavors === null) return flavors;
  return Object.fromEntries(
    Object.entries(flavors).map(([name, flavor]: [string, unknown]) => {
      if (typeof flavor !== 'object' || flavor === null || Array.isArray(flavor)) return [name, flavor];
      return [name, Object.fromEntries(Object.entries(flavor).filter(([field]) => field !== 'config'))];
    }),
  );
}
