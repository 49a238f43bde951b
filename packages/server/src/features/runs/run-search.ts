/** Searching runs: MLflow's runs/search, over the experiments of the workspace. */
import type { Int64 } from '@countersign/contract/mlflow/message.ts';
import type { Filter, Ordering } from '@countersign/contract/search.ts';
import { type Ctx, reading } from '../../platform/context.ts';
import type { Dialect } from '../../platform/db/database.ts';
import { checkPageSize, type FoundPage, findPage, type OpenPlan } from '../../platform/db/search-page.ts';
import type { Searches } from '../../platform/db/search-runner.ts';
import { parseRunFilter, parseRunOrderBy } from '../../platform/search/run-search-grammar.ts';
import { listVisibleIds, parseExperimentId } from '../experiments/experiments.ts';
import { planRuns, type RunScope } from './run-search-store.ts';

const PAGE_MAX = 50_000;
/** Questions whose reading and plan are kept. */
const ASKED_MAX = 200;
const ASKED_CHARACTERS_MAX = 2000;

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
 * The keys of the runs of a page, in order: missing sort keys last, then newest first, then by id. Experiments that don't exist, or that the caller
 * may not see, are left out. Throws INVALID_PARAMETER_VALUE for a filter, order, size or token that can't be read, and at the operator's time limit.
 */
export async function searchRuns(ctx: Ctx, searches: Searches, search: RunSearch): Promise<FoundPage> {
  const size = checkPageSize(search.maxResults, PAGE_MAX);
  const asked = read(search.filter, search.orderBy);
  const experimentIds = await listVisibleIds(ctx, search.experimentIds.map(parseExperimentId));
  const plan = planOf(asked, reading(ctx).dialect, { experimentIds, lifecycles: search.lifecycles });
  return findPage(searches, plan, { size, token: search.pageToken, order: asked.orderName });
}

interface Asked {
  readonly filter: Filter;
  readonly order: readonly Ordering[];
  /** For page tokens. */
  readonly orderName: string;
  /** The last plan for it, and what that was made for. */
  planned: { readonly scope: string; readonly plan: OpenPlan } | undefined;
}

/** The same is asked again and again, page by page or to refresh, and reading and planning takes as long as finding twenty runs. */
const recentlyAsked = new Map<string, Asked>();

function read(filterText: string, orderBy: readonly string[]): Asked {
  const key = JSON.stringify([filterText, orderBy]);
  const known = recentlyAsked.get(key);
  if (known !== undefined) return known;
  const filter = parseRunFilter(filterText);
  const order = parseRunOrderBy(orderBy);
  const asked: Asked = { filter, order, orderName: JSON.stringify(['runs', order]), planned: undefined };
  if (key.length > ASKED_CHARACTERS_MAX) return asked;
  const oldest = recentlyAsked.size >= ASKED_MAX ? recentlyAsked.keys().next().value : undefined;
  if (oldest !== undefined) recentlyAsked.delete(oldest);
  recentlyAsked.set(key, asked);
  return asked;
}

function planOf(asked: Asked, dialect: Dialect, runScope: RunScope): OpenPlan {
  const scope = JSON.stringify([dialect, runScope.experimentIds, runScope.lifecycles]);
  if (asked.planned?.scope !== scope) asked.planned = { scope, plan: planRuns(dialect, runScope, asked.filter, asked.order) };
  return asked.planned.plan;
}
