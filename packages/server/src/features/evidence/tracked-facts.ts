/** What was tracked of a version: of its run, and of its logged model, as it is now. */
import type { Ctx } from '../../platform/context.ts';
import * as loggedModels from '../logged-models/logged-models.ts';
import * as runs from '../runs/runs.ts';
import { metricValue, type SnapshotContent, type SnapshotMetric } from './snapshot-rules.ts';

export type TrackedFacts = Pick<SnapshotContent, 'metrics' | 'params' | 'datasets'>;

export interface Tracked {
  /** Empty: none. */
  readonly runId: string;
  readonly loggedModelId: string | null;
}

/**
 * Whoever reads the version may read this of its run: who registered it was allowed to. What the logged model has goes before what its run has under the
 * same name, for a run may have made other models with other values.
 */
export async function readTracked(ctx: Ctx, { runId, loggedModelId }: Tracked): Promise<TrackedFacts> {
  const ofRun = runId === '' ? NOTHING : await readRun(ctx, runId);
  const ofModel = loggedModelId === null ? NOTHING : await readLoggedModel(ctx, loggedModelId);
  const measured = new Set(ofModel.metrics.map((metric) => metric.name));
  const params = new Map([...ofRun.params, ...ofModel.params].map(({ key, value }) => [key, value]));
  return {
    metrics: [...ofRun.metrics.filter((metric) => !measured.has(metric.name)), ...ofModel.metrics],
    params: [...params].map(([key, value]) => ({ key, value })),
    datasets: ofRun.datasets,
  };
}

const NOTHING: TrackedFacts = { metrics: [], params: [], datasets: [] };

/** Also of a deleted one; a version may outlive it altogether. */
async function readRun(ctx: Ctx, runId: string): Promise<TrackedFacts> {
  if ((await runs.findRun(ctx, runId)) === undefined) return NOTHING;
  const run = await runs.getRun(ctx, runId);
  return {
    metrics: run.metrics.map(({ key, value }) => ({
      name: key,
      value: metricValue(value),
      dataset: null,
      dataset_digest: null,
      source: 'run',
    })),
    params: run.params.map(({ key, value }) => ({ key, value })),
    datasets: run.datasets.map(({ name, digest }) => ({ name, digest })),
  };
}

async function readLoggedModel(ctx: Ctx, modelId: string): Promise<TrackedFacts> {
  const found = await loggedModels.findFinal(ctx, modelId);
  if (found === undefined) return NOTHING;
  const metrics = found.metrics.map(
    (point): SnapshotMetric => ({
      name: point.key,
      value: metricValue(point.value),
      dataset: point.dataset_name,
      dataset_digest: point.dataset_digest,
      source: 'logged model',
    }),
  );
  return { metrics, params: found.params, datasets: [] };
}
