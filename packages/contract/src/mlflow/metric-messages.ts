/** Upstream's service.proto (MLflow 3.17.2): metrics and their history. */
import { double, int64, list, message, required, string, withDefault } from './message.ts';

/** A point as it is logged. `run_id` in it says nothing new and is not read. */
export const Metric = message('Metric', {
  key: required(string),
  value: required(double),
  timestamp: required(int64),
  step: withDefault(int64, 0),
  model_id: string,
  dataset_name: string,
  dataset_digest: string,
});
export const LogMetric = message('LogMetric', { run_id: string, run_uuid: string, ...Metric.fields });
export const GetMetricHistory = message('GetMetricHistory', {
  run_id: string,
  run_uuid: string,
  metric_key: required(string),
  max_results: int64,
  page_token: string,
});
/** Read from the query by hand upstream, with refusals of its own: so nothing is required here. */
export const GetMetricHistoryBulk = message('GetMetricHistoryBulk', { run_id: list(string), metric_key: string, max_results: int64 });
/** Missing run ids are told of before a missing key, as upstream. */
export const GetMetricHistoryBulkInterval = message('GetMetricHistoryBulkInterval', {
  run_ids: list(string),
  metric_key: string,
  start_step: int64,
  end_step: int64,
  max_results: int64,
});
