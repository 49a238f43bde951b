/** Searching runs: MLflow's runs/search, over the experiments of the workspace. */
import type { Int64 } from '@countersign/contract/mlflow/message.ts';
import { type Ctx, reading } from '../../platform/context.ts';
import { checkPageSize, type FoundPage, findPage } from '../../platform/db/search-page.ts';
import type { Searches } from '../../platform/db/search-runner.ts';
import { parseRunFilter, parseRunOrderBy } from '../../platform/search/run-search-grammar.ts';
import { listKnownIds, parseExperimentId } from '../experiments/experiments.ts';
import { planRuns, type RunScope } from './run-search-store.ts';

const PAGE_MAX = 50_000;

export interface RunSearch {
  readonly experimentIds: readonly string[];
  readonly lifecycles: RunScope['lifecycles'];
  readonly filter: string;
  readonly orderBy: readonly string[];
  readonly maxResults: Int64;
  /** Empty: the first page. */
  readonly pageToken: string;
}

/**
 * The keys of the runs of a page, in order: missing sort keys last, then newest first, then by id. Experiments that don't exist are left
 * out. Throws INVALID_PARAMETER_VALUE for a filter, order, size or token that can't be read, and at the operator's time limit.
 */
export async function searchRuns(ctx: Ctx, searches: Searches, search: RunSearch): Promise<FoundPage> {
  const size = checkPageSize(search.maxResults, PAGE_MAX);
  const filter = parseRunFilter(search.filter);
  const order = parseRunOrderBy(search.orderBy);
  const experimentIds = await listKnownIds(ctx, search.experimentIds.map(parseExperimentId));
  const plan = planRuns(reading(ctx).dialect, { experimentIds, lifecycles: search.lifecycles }, filter, order);
  return findPage(searches, plan, { size, token: search.pageToken, order: JSON.stringify(['runs', order]) });
}
