/** Upstream's searches over tracking (MLflow 3.17.2, service.proto) as they are asked. */
import { enumeration, int64, list, message, string, withDefault } from './message.ts';

/** Which lifecycle stages a search looks at. */
export const VIEW_TYPE = { ACTIVE_ONLY: 1, DELETED_ONLY: 2, ALL: 3 } as const;
export type ViewType = keyof typeof VIEW_TYPE;

export const SearchRuns = message('SearchRuns', {
  experiment_ids: list(string),
  filter: withDefault(string, ''),
  run_view_type: withDefault(enumeration(VIEW_TYPE), 'ACTIVE_ONLY'),
  max_results: withDefault(int64, 1000),
  order_by: list(string),
  page_token: withDefault(string, ''),
});
export const SearchExperiments = message('SearchExperiments', {
  max_results: withDefault(int64, 1000),
  page_token: withDefault(string, ''),
  filter: withDefault(string, ''),
  order_by: list(string),
  view_type: withDefault(enumeration(VIEW_TYPE), 'ACTIVE_ONLY'),
});
export const SearchDatasets = message('SearchDatasets', { experiment_ids: list(string) });
