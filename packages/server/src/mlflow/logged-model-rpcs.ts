/** Upstream's logged-model calls (service.proto). */
import {
  CreateLoggedModel,
  DeleteLoggedModel,
  DeleteLoggedModelTag,
  FinalizeLoggedModel,
  GetLoggedModel,
  LOGGED_MODEL_STATUS,
  LogLoggedModelParams,
  SearchLoggedModels,
  SetLoggedModelTags,
} from '@countersign/contract/mlflow/logged-model-messages.ts';
import type { LoggedModel, LoggedModelMetric } from '../features/logged-models/logged-models.ts';
import * as loggedModels from '../features/logged-models/logged-models.ts';
import { type Ctx, type TxCtx, transaction } from '../platform/context.ts';
import type { Searches } from '../platform/db/search-runner.ts';
import { type Rpc, rpc } from './rpc.ts';

export interface LoggedModelParts {
  /** Called in the transaction in which a model becomes ready: what waits for its bytes can be sealed. */
  readonly onReady: (ctx: TxCtx, modelId: string) => Promise<void>;
  readonly searches: Searches;
}

const ONE = '/mlflow/logged-models/:model_id';

export function loggedModelRpcs({ onReady, searches }: LoggedModelParts): readonly Rpc[] {
  return [
    rpc('POST', '/mlflow/logged-models', 'logged-model.create', CreateLoggedModel, async (ctx, input) => {
      const model = await loggedModels.create(ctx, {
        experimentId: input.experiment_id,
        name: input.name,
        modelType: input.model_type,
        sourceRunId: input.source_run_id,
        params: input.params,
        tags: input.tags,
      });
      return { model: loggedModelToWire(model) };
    }),
    rpc('GET', ONE, 'logged-model.view', GetLoggedModel, async (ctx, input) => ({
      model: loggedModelToWire(await loggedModels.getLoggedModel(ctx, input.model_id, { allowDeleted: input.allow_deleted })),
    })),
    rpc('PATCH', ONE, 'logged-model.edit', FinalizeLoggedModel, async (ctx, input) => ({
      model: loggedModelToWire(await finalize(ctx, input.model_id, LOGGED_MODEL_STATUS[input.status], onReady)),
    })),
    rpc('DELETE', ONE, 'logged-model.manage', DeleteLoggedModel, async (ctx, input) => {
      await loggedModels.remove(ctx, input.model_id);
      return {};
    }),
    rpc('PATCH', `${ONE}/tags`, 'logged-model.edit', SetLoggedModelTags, async (ctx, input) => {
      await loggedModels.setTags(ctx, input.model_id, input.tags);
      return {};
    }),
    rpc('DELETE', `${ONE}/tags/:tag_key`, 'logged-model.manage', DeleteLoggedModelTag, async (ctx, input) => {
      await loggedModels.deleteTag(ctx, input.model_id, input.tag_key);
      return {};
    }),
    rpc('POST', `${ONE}/params`, 'logged-model.edit', LogLoggedModelParams, async (ctx, input) => {
      await loggedModels.logParams(ctx, input.model_id, input.params);
      return {};
    }),
    rpc('POST', '/mlflow/logged-models/search', 'logged-model.list', SearchLoggedModels, async (ctx, input) => {
      const page = await loggedModels.searchLoggedModels(ctx, searches, {
        experimentIds: input.experiment_ids,
        filter: input.filter,
        datasets: input.datasets,
        orderBy: input.order_by,
        maxResults: input.max_results,
        pageToken: input.page_token,
      });
      const models = await loggedModels.listByPk(ctx, page.pks);
      return { models: unlessEmpty(models.map(loggedModelToWire)), next_page_token: page.nextPageToken };
    }),
  ];
}

function finalize(ctx: Ctx, modelId: string, status: 0 | 1 | 2 | 3, onReady: LoggedModelParts['onReady']): Promise<LoggedModel> {
  return transaction(ctx, async (inner) => {
    const model = await loggedModels.finalize(inner, modelId, status);
    if (status === LOGGED_MODEL_STATUS.LOGGED_MODEL_READY) await onReady(inner, modelId);
    return model;
  });
}

const STATUS_NAMES = new Map(Object.entries(LOGGED_MODEL_STATUS).map(([name, number]) => [number, name]));

export function loggedModelToWire(model: LoggedModel): object {
  return {
    info: {
      model_id: model.modelId,
      experiment_id: String(model.experimentId),
      name: model.name,
      creation_timestamp_ms: model.createdAt,
      last_updated_timestamp_ms: model.updatedAt,
      artifact_uri: model.artifactUri,
      status: STATUS_NAMES.get(model.status),
      model_type: model.modelType,
      source_run_id: model.sourceRunId,
      tags: unlessEmpty(model.tags),
    },
    data: {
      params: unlessEmpty(model.params),
      metrics: unlessEmpty(model.metrics.map((metric) => metricToWire(metric, model.modelId))),
    },
  };
}

function metricToWire(metric: LoggedModelMetric, modelId: string): object {
  const { dataset_name, dataset_digest, ...point } = metric;
  return { ...point, model_id: modelId, dataset_name: dataset_name ?? undefined, dataset_digest: dataset_digest ?? undefined };
}

function unlessEmpty<T>(items: readonly T[]): readonly T[] | undefined {
  return items.length === 0 ? undefined : items;
}
