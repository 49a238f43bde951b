/** Upstream's searches over tracking (service.proto), but for logged models. */
import { SearchDatasets, SearchExperiments, SearchRuns, type ViewType } from '@countersign/contract/mlflow/search-messages.ts';
import { listByIds, searchDatasets, searchExperiments } from '../features/experiments/experiments.ts';
import { listRunsByPk, searchRuns } from '../features/runs/runs.ts';
import { reading } from '../platform/context.ts';
import type { Searches } from '../platform/db/search-runner.ts';
import { RawJson, type Rpc, rpc } from './rpc.ts';
import { runJson } from './run-json.ts';
import { experimentToWire } from './tracking-wire.ts';

const LIFECYCLES: Readonly<Record<ViewType, readonly ('active' | 'deleted')[]>> = {
  ACTIVE_ONLY: ['active'],
  DELETED_ONLY: ['deleted'],
  ALL: ['active', 'deleted'],
};

export interface SearchParts {
  readonly searches: Searches;
}

export function searchRpcs({ searches }: SearchParts): readonly Rpc[] {
  return [
    rpc('POST', '/mlflow/runs/search', 'run.list', SearchRuns, async (ctx, input) => {
      const page = await searchRuns(ctx, searches, {
        experimentIds: input.experiment_ids,
        lifecycles: LIFECYCLES[input.run_view_type],
        filter: input.filter,
        orderBy: input.order_by,
        maxResults: input.max_results,
        pageToken: input.page_token,
      });
      if (page.pks.length === 0) return {};
      const runs = await listRunsByPk(reading(ctx), page.pks);
      const token = page.nextPageToken === undefined ? '' : `,"next_page_token":"${page.nextPageToken}"`;
      return new RawJson(`{"runs":[${runs.map(runJson).join(',')}]${token}}`);
    }),
    rpc('POST|GET', '/mlflow/experiments/search', 'experiment.list', SearchExperiments, async (ctx, input) => {
      const page = await searchExperiments(ctx, searches, {
        lifecycles: LIFECYCLES[input.view_type],
        filter: input.filter,
        orderBy: input.order_by,
        maxResults: input.max_results,
        pageToken: input.page_token,
      });
      const experiments = await listByIds(ctx, page.pks);
      return { experiments: unlessEmpty(experiments.map(experimentToWire)), next_page_token: page.nextPageToken };
    }),
    rpc(
      'POST',
      '/mlflow/experiments/search-datasets',
      'experiment.list',
      SearchDatasets,
      async (ctx, input) => {
        const found = await searchDatasets(ctx, input.experiment_ids);
        const summaries = found.map(({ experiment_id, context, ...dataset }) => ({
          experiment_id: String(experiment_id),
          ...dataset,
          context: context ?? undefined,
        }));
        return { dataset_summaries: unlessEmpty(summaries) };
      },
      { audience: 'ajax' },
    ),
  ];
}

function unlessEmpty<T>(items: readonly T[]): readonly T[] | undefined {
  return items.length === 0 ? undefined : items;
}
