/** Searching experiments, and the datasets that their runs used. */
import { seesAll } from '@countersign/contract/access.ts';
import type { Int64 } from '@countersign/contract/mlflow/message.ts';
import { invalid } from '@countersign/contract/problem.ts';
import { type Ctx, reading } from '../../platform/context.ts';
import { checkPageSize, type FoundPage, findPage } from '../../platform/db/search-page.ts';
import type { Searches } from '../../platform/db/search-runner.ts';
import { parseExperimentFilter, parseExperimentOrderBy } from '../../platform/search/experiment-search-grammar.ts';
import { parseExperimentId } from './experiment-rules.ts';
import type { DatasetSummary, ExperimentScope } from './experiment-search-store.ts';
import * as store from './experiment-search-store.ts';

const PAGE_MAX = 50_000;
const DATASET_EXPERIMENTS_MAX = 20;
const DATASETS_MAX = 1000;

export interface ExperimentSearch {
  readonly lifecycles: ExperimentScope['lifecycles'];
  readonly filter: string;
  readonly orderBy: readonly string[];
  readonly maxResults: Int64;
  /** Empty: the first page. */
  readonly pageToken: string;
}

/**
 * The ids of the experiments of a page, in order. Throws INVALID_PARAMETER_VALUE for a filter, order, size or token that can't be read, and
 * at the operator's time limit.
 */
export async function searchExperiments(ctx: Ctx, searches: Searches, search: ExperimentSearch): Promise<FoundPage> {
  const size = checkPageSize(search.maxResults, PAGE_MAX);
  const filter = parseExperimentFilter(search.filter);
  const order = parseExperimentOrderBy(search.orderBy);
  const { dialect } = reading(ctx);
  const visible = store.visibleExperiments(dialect, ctx.access.scopeOf('experiment'), ctx.workspace.id);
  const plan = store.planExperiments(dialect, { workspaceId: ctx.workspace.id, lifecycles: search.lifecycles, visible }, filter, order);
  return findPage(searches, plan, { size, token: search.pageToken, order: JSON.stringify(['experiments', order]) });
}

/** Those of the ids that are experiments of the workspace and visible to the caller, ascending. */
export async function listVisibleIds(ctx: Ctx, ids: readonly number[]): Promise<number[]> {
  const known = await store.listKnown(reading(ctx), ctx.workspace.id, ids);
  const seen = seesAll(ctx.access.scopeOf('experiment')) ? known : known.filter((each) => ctx.access.rankOf('experiment', each) > 0);
  return seen.map((each) => each.id);
}

/** At most 1000, by experiment, name, digest and context. Throws INVALID_PARAMETER_VALUE unless 1 to 20 experiments are named. */
export async function searchDatasets(ctx: Ctx, experimentIds: readonly string[]): Promise<DatasetSummary[]> {
  if (experimentIds.length === 0) throw invalid('SearchDatasets request must specify at least one experiment_id.');
  if (experimentIds.length > DATASET_EXPERIMENTS_MAX) {
    throw invalid(
      `SearchDatasets request cannot specify more than ${DATASET_EXPERIMENTS_MAX} experiment_ids. Received ${experimentIds.length} experiment_ids.`,
    );
  }
  const ids = await listVisibleIds(ctx, experimentIds.map(parseExperimentId));
  return ids.length === 0 ? [] : store.listDatasets(reading(ctx), ids, DATASETS_MAX);
}
