/** Searching logged models: MLflow's logged-models/search. Deleted models never appear. */
import { type Int64, missing } from '@countersign/contract/mlflow/message.ts';
import { invalid } from '@countersign/contract/problem.ts';
import { type Ctx, reading } from '../../platform/context.ts';
import { checkPageSize, type FoundPage, findPage } from '../../platform/db/search-page.ts';
import type { Searches } from '../../platform/db/search-runner.ts';
import { decodeToken } from '../../platform/db/search-token.ts';
import {
  type LoggedModelSortKey,
  parseLoggedModelFilter,
  parseLoggedModelOrderBy,
} from '../../platform/search/logged-model-search-grammar.ts';
import { listVisibleIds, parseExperimentId } from '../experiments/experiments.ts';
import { type DatasetFilter, planLoggedModels } from './logged-model-search-store.ts';

const PAGE_MAX = 50_000;
const PAGE_DEFAULT = 50;
const DATASETS_MAX = 100;

export interface LoggedModelSearch {
  readonly experimentIds: readonly string[];
  readonly filter: string | undefined;
  readonly datasets: readonly { readonly dataset_name?: string | undefined; readonly dataset_digest?: string | undefined }[];
  readonly orderBy: readonly LoggedModelSortKey[];
  /** 0: as many as upstream gives where the client says nothing. */
  readonly maxResults: Int64;
  readonly pageToken: string | undefined;
}

/**
 * The keys of the models of a page, in order: missing sort keys last, then newest first, then by id. A token belongs to the experiments,
 * filter and order of its search. Throws INVALID_PARAMETER_VALUE where something can't be read, and at the operator's time limit.
 */
export async function searchLoggedModels(ctx: Ctx, searches: Searches, search: LoggedModelSearch): Promise<FoundPage> {
  if (search.experimentIds.length === 0) throw missing('experiment_ids');
  const size = checkPageSize(Number(search.maxResults) || PAGE_DEFAULT, PAGE_MAX);
  const filter = parseLoggedModelFilter(search.filter);
  const order = parseLoggedModelOrderBy(search.orderBy);
  const datasets = readDatasets(search.datasets);
  const token = search.pageToken ?? '';
  const also = tokenFacts(search);
  const isFirst = token === '' || isStart(token, also);
  const experimentIds = await listVisibleIds(ctx, search.experimentIds.map(parseExperimentId));
  const plan = planLoggedModels(reading(ctx).dialect, { experimentIds, datasets }, filter, order);
  return findPage(searches, plan, { size, token: isFirst ? '' : token, order: JSON.stringify(['logged-models', order]), also });
}

function readDatasets(datasets: LoggedModelSearch['datasets']): DatasetFilter[] {
  if (datasets.length > DATASETS_MAX) throw invalid(`A search takes at most ${DATASETS_MAX} datasets. Got ${datasets.length}.`);
  return datasets.map(({ dataset_name: name, dataset_digest: digest }) => {
    if (!name) throw invalid('`dataset_name` in the `datasets` clause must be specified.');
    return { name, digest: digest || undefined };
  });
}

interface TokenFacts {
  readonly experiment_ids: readonly string[];
  readonly filter_string: string | null;
  readonly order_by: readonly object[] | null;
}

/** As upstream's tokens hold them. */
function tokenFacts(search: LoggedModelSearch): TokenFacts {
  const order = search.orderBy.map((each) => ({
    field_name: each.field_name,
    ascending: each.ascending ?? true,
    dataset_name: each.dataset_name || null,
    dataset_digest: each.dataset_digest || null,
  }));
  return { experiment_ids: search.experimentIds, filter_string: search.filter || null, order_by: order.length === 0 ? null : order };
}

/** Checks that the token is this search's. True where it stands for the beginning, which upstream's may. */
function isStart(token: string, facts: TokenFacts): boolean {
  const members = decodeToken(token);
  refuseOther('Experiment IDs', 'experiment IDs', members.experiment_ids, facts.experiment_ids);
  refuseOther('Filter string', 'filter string', members.filter_string || null, facts.filter_string);
  refuseOther('Order by', 'order by', members.order_by || null, facts.order_by);
  return !members.offset;
}

function refuseOther(name: string, lower: string, found: unknown, expected: unknown): void {
  if (canonical(found) === canonical(expected)) return;
  throw invalid(
    `${name} in the page token do not match the requested ${lower}. Send the token with the request that it came from, or start without one.`,
  );
}

function canonical(value: unknown): string {
  return JSON.stringify(value, (_key, member: unknown) =>
    typeof member === 'object' && member !== null && !Array.isArray(member) ? Object.fromEntries(Object.entries(member).sort()) : member,
  );
}
