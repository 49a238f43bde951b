/** Upstream's metric histories. The database builds their JSON, so they are answered as text. */
import { missing } from '@countersign/contract/mlflow/message.ts';
import { GetMetricHistory, GetMetricHistoryBulk, GetMetricHistoryBulkInterval } from '@countersign/contract/mlflow/metric-messages.ts';
import { invalid } from '@countersign/contract/problem.ts';
import * as metrics from '../features/metrics/metrics.ts';
import { decodeOffset, encodeOffset } from '../platform/db/page-token.ts';
import { RawJson, type Rpc, rpc } from './rpc.ts';

const RUNS_MAX = 100;
const BULK_MAX = 25_000;
const SAMPLE_MAX = 2500;

export const metricRpcs: readonly Rpc[] = [
  rpc('GET', '/mlflow/metrics/get-history', 'run.view', GetMetricHistory, async (ctx, input) => {
    const runId = input.run_id || input.run_uuid;
    if (!runId) throw missing('run_id');
    if (input.max_results !== undefined && input.max_results <= 0) {
      throw invalid(`Invalid value ${input.max_results} for parameter 'max_results' supplied. It must be a positive integer.`);
    }
    const limit = input.max_results === undefined ? undefined : Number(input.max_results);
    const page = await metrics.history(ctx, { runId, key: input.metric_key, offset: decodeOffset(input.page_token), limit });
    if (page.isEmpty) return {};
    const token = page.nextOffset === undefined ? '' : `,"next_page_token":${JSON.stringify(encodeOffset(page.nextOffset))}`;
    return new RawJson(`{"metrics":${page.json}${token}}`);
  }),
  rpc(
    'GET',
    '/mlflow/metrics/get-history-bulk',
    'run.view',
    GetMetricHistoryBulk,
    async (ctx, input) => {
      if (input.run_id.length === 0) throw invalid('GetMetricHistoryBulk request must specify at least one run_id.');
      if (input.run_id.length > RUNS_MAX) {
        throw invalid(
          `GetMetricHistoryBulk request cannot specify more than ${RUNS_MAX} run_ids. Received ${input.run_id.length} run_ids.`,
        );
      }
      if (input.metric_key === undefined) throw invalid('GetMetricHistoryBulk request must specify a metric_key.');
      const limit = Number(input.max_results ?? BULK_MAX);
      if (limit < 1) throw invalid(`Invalid value ${limit} for parameter 'max_results' supplied. It must be a positive integer.`);
      return new RawJson(`{"metrics":${await metrics.historyOfRuns(ctx, { runIds: input.run_id, key: input.metric_key, limit })}}`);
    },
    { audience: 'ajax' },
  ),
  rpc('GET', '/mlflow/metrics/get-history-bulk-interval', 'run.view', GetMetricHistoryBulkInterval, async (ctx, input) => {
    if (input.run_ids.length === 0) throw missing('run_ids');
    if (input.run_ids.length > RUNS_MAX) {
      throw invalid(
        `GetMetricHistoryBulkInterval request must specify at most ${RUNS_MAX} run_ids. Received ${input.run_ids.length} run_ids.`,
      );
    }
    const limit = Number(input.max_results ?? SAMPLE_MAX);
    if (limit < 1 || limit > SAMPLE_MAX) throw invalid(`max_results must be between 1 and ${SAMPLE_MAX}.`);
    const key = input.metric_key;
    if (!key) throw missing('metric_key');
    const steps = stepsOf(input.start_step, input.end_step);
    const json = await metrics.sampledHistory(ctx, { runIds: input.run_ids, key, steps, limit });
    return json === '[]' ? {} : new RawJson(`{"metrics":${json}}`);
  }),
];

type Step = number | bigint;

function stepsOf(start: Step | undefined, end: Step | undefined): { readonly start: Step; readonly end: Step } | undefined {
  if (start === undefined && end === undefined) return undefined;
  if (start === undefined || end === undefined) {
    throw invalid('If either start step or end step are specified, both must be specified.');
  }
  if (start > end) throw invalid(`end_step must be greater than start_step. Found start_step=${start} and end_step=${end}.`);
  return { start, end };
}
