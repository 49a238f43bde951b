/** Upstream's experiment calls, but for search. */
import {
  CreateExperiment,
  DeleteExperiment,
  DeleteExperimentTag,
  GetExperiment,
  GetExperimentByName,
  ListExperiments,
  RestoreExperiment,
  SetExperimentTag,
  UpdateExperiment,
} from '@countersign/contract/mlflow/experiment-messages.ts';
import { invalid } from '@countersign/contract/problem.ts';
import * as experiments from '../features/experiments/experiments.ts';
import { parseExperimentId } from '../features/experiments/experiments.ts';
import { decodeOffset, encodeOffset } from '../platform/db/page-token.ts';
import { type Rpc, rpc } from './rpc.ts';
import { experimentToWire } from './tracking-wire.ts';

const LIST_MAX = 50_000;
const LIFECYCLES = { ACTIVE_ONLY: 'active', DELETED_ONLY: 'deleted', ALL: undefined } as const;

export const experimentRpcs: readonly Rpc[] = [
  rpc('POST', '/mlflow/experiments/create', 'experiment.create', CreateExperiment, async (ctx, input) => {
    const { name, artifact_location: artifactLocation, tags } = input;
    return { experiment_id: String(await experiments.create(ctx, { name, artifactLocation, tags })) };
  }),
  rpc('GET', '/mlflow/experiments/get', 'experiment.view', GetExperiment, async (ctx, input) => ({
    experiment: experimentToWire(await experiments.getExperiment(ctx, parseExperimentId(input.experiment_id))),
  })),
  rpc('GET', '/mlflow/experiments/get-by-name', 'experiment.view', GetExperimentByName, async (ctx, input) => ({
    experiment: experimentToWire(await experiments.getByName(ctx, input.experiment_name)),
  })),
  rpc('GET', '/mlflow/experiments/list', 'experiment.list', ListExperiments, async (ctx, input) => {
    const limit = Number(input.max_results);
    if (limit < 1 || limit > LIST_MAX)
      throw invalid(`Invalid value ${limit} for parameter 'max_results' supplied. It must be between 1 and ${LIST_MAX}.`);
    const offset = decodeOffset(input.page_token);
    const found = await experiments.list(ctx, { lifecycle: LIFECYCLES[input.view_type], offset, limit });
    return {
      experiments: found.length === 0 ? undefined : found.slice(0, limit).map(experimentToWire),
      next_page_token: found.length > limit ? encodeOffset(offset + limit) : undefined,
    };
  }),
  rpc('POST', '/mlflow/experiments/update', 'experiment.edit', UpdateExperiment, async (ctx, input) => {
    await experiments.rename(ctx, parseExperimentId(input.experiment_id), input.new_name);
    return {};
  }),
  rpc('POST', '/mlflow/experiments/delete', 'experiment.manage', DeleteExperiment, async (ctx, input) => {
    await experiments.remove(ctx, parseExperimentId(input.experiment_id));
    return {};
  }),
  rpc('POST', '/mlflow/experiments/restore', 'experiment.manage', RestoreExperiment, async (ctx, input) => {
    await experiments.restore(ctx, parseExperimentId(input.experiment_id));
    return {};
  }),
  rpc('POST', '/mlflow/experiments/set-experiment-tag', 'experiment.edit', SetExperimentTag, async (ctx, input) => {
    await experiments.setTag(ctx, parseExperimentId(input.experiment_id), input.key, input.value);
    return {};
  }),
  rpc('POST', '/mlflow/experiments/delete-experiment-tag', 'experiment.edit', DeleteExperimentTag, async (ctx, input) => {
    await experiments.deleteTag(ctx, parseExperimentId(input.experiment_id), input.key);
    return {};
  }),
];
