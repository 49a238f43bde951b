/** What all searches share: the bounds of a page, and the way from a token to a plan and back. */
import type { Int64 } from '@countersign/contract/mlflow/message.ts';
import { invalid } from '@countersign/contract/problem.ts';
import type { SearchPlan } from './search-plan.ts';
import type { Searches } from './search-runner.ts';
import { pageOf, readToken, startOf } from './search-token.ts';

/** A plan that doesn't know its page yet. */
export type OpenPlan = Omit<SearchPlan, 'limit' | 'offset' | 'after'>;

export interface PageRequest {
  readonly size: number;
  /** Empty: the first page. */
  readonly token: string;
  /** Names the order and scope of the rows; a token of another order serves by its offset alone. */
  readonly order: string;
  /** Kept in the token. */
  readonly also?: object;
}

export interface FoundPage {
  readonly pks: readonly number[];
  /** Only where there are more rows. */
  readonly nextPageToken: string | undefined;
}

/** Throws INVALID_PARAMETER_VALUE for a token that isn't one. */
export async function findPage(searches: Searches, plan: OpenPlan, page: PageRequest): Promise<FoundPage> {
  const start = readToken(page.token, page.order, plan.keys);
  const rows = await searches.find({ ...plan, ...startOf(start), limit: page.size + 1 });
  return pageOf(rows, { size: page.size, start, order: page.order, also: page.also ?? {} });
}

/** Throws INVALID_PARAMETER_VALUE outside of 1 to `most`. */
export function checkPageSize(size: Int64, most: number): number {
  const wanted = Number(size);
  if (wanted >= 1 && wanted <= most) return wanted;
  throw invalid(
    `Invalid value ${size} for parameter 'max_results' supplied. It must be ${wanted < 1 ? 'a positive integer' : `at most ${most}`}`,
  );
}
