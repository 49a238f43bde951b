/** Metric points of runs: their history, and the latest of each key. Runs decide whether they may be written. */
import type { Int64 } from '@countersign/contract/mlflow/message.ts';
import { type Ctx, reading, type TxCtx } from '../../platform/context.ts';
import { orderedTime } from '../../platform/db/search-plan.ts';
import { recordMetrics } from '../logged-models/logged-models.ts';
import { latestOf, type NewPoint, type StoredPoint, sampleSteps, toStored } from './metric-rules.ts';
import * as store from './metric-store.ts';

export { checkPoint } from './metric-rules.ts';

/** Points of one run in one request. */
export const POINTS_MAX = 1000;
/** Past this many a history is given in pages even if the caller asked for none. */
const HISTORY_MAX = 1_000_000;
const BULK_MAX = 25_000;

export interface RunPoint extends NewPoint {
  /** The logged model that was measured; the point is then also the model's. */
  readonly modelId?: string | undefined;
  readonly datasetName?: string | undefined;
  readonly datasetDigest?: string | undefined;
}

export interface PointsOwner {
  readonly pk: number;
  readonly runId: string;
  readonly experimentId: number;
  readonly startTime: Int64 | null;
}

/** Adds checked points to a run that may be written. Exact duplicates are dropped. */
export async function record(ctx: TxCtx, run: PointsOwner, points: readonly RunPoint[]): Promise<void> {
  if (points.length === 0) return;
  const stored: StoredPoint[] = points.map(({ key, timestamp, step, value: given }) => {
    const { value, isNan } = toStored(given);
    return { key, timestamp, step, value, isNan };
  });
  const owner = { runPk: run.pk, experimentId: run.experimentId, started: orderedTime(run.startTime), by: ctx.principal.id };
  await store.insertPoints(ctx.tx, owner, stored, latestOf(stored));
  await recordOnModels(ctx, run.runId, points);
}

async function recordOnModels(ctx: TxCtx, runId: string, points: readonly RunPoint[]): Promise<void> {
  const byModel = new Map<string, RunPoint[]>();
  for (const point of points) {
    if (!point.modelId) continue;
    const held = byModel.get(point.modelId);
    if (held) held.push(point);
    else byModel.set(point.modelId, [point]);
  }
  for (const [modelId, measured] of byModel) {
    await recordMetrics(
      ctx,
      modelId,
      measured.map((point) => ({
        ...point,
        runId,
      })),
    );
  }
}

export interface HistoryPage {
  /** A JSON list of `{key, value, timestamp, step}`, by time, step, value; NaN is `"NaN"`. */
  readonly json: string;
  readonly isEmpty: boolean;
  /** Where the next page begins, if there is one. */
  readonly nextOffset: number | undefined;
}

/** An unknown run or key has an empty history. */
export async function history(
  ctx: Ctx,
  query: { runId: string; key: string; offset: number; limit: number | undefined },
): Promise<HistoryPage> {
  const { runId, key, offset } = query;
  const limit = Math.min(query.limit ?? HISTORY_MAX, HISTORY_MAX);
  const { json, count } = await store.historyJson(reading(ctx), { workspaceId: ctx.workspace.id, runId, key, offset, limit });
  const nextOffset = count === limit && (await hasMore(ctx, query, offset + limit)) ? offset + limit : undefined;
  return { json, isEmpty: count === 0, nextOffset };
}

async function hasMore(ctx: Ctx, query: { runId: string; key: string }, offset: number): Promise<boolean> {
  const { runId, key } = query;
  return (await store.historyJson(reading(ctx), { workspaceId: ctx.workspace.id, runId, key, offset, limit: 1 })).count > 0;
}

/** A JSON list of `{key, value, timestamp, step, run_id}` of several runs, by run id, time, step, value; at most 25,000. */
export function historyOfRuns(ctx: Ctx, query: { runIds: readonly string[]; key: string; limit: number }): Promise<string> {
  const { runIds, key } = query;
  return store.bulkJson(reading(ctx), { workspaceId: ctx.workspace.id, runIds, key, limit: Math.min(query.limit, BULK_MAX) });
}

export interface SampledQuery {
  readonly runIds: readonly string[];
  readonly key: string;
  /** Both or neither; inclusive. */
  readonly steps: { readonly start: Int64; readonly end: Int64 } | undefined;
  /** About how many steps are shown. */
  readonly limit: number;
}

const INT64_MAX = 9223372036854775807n;

/** A JSON list of points at evenly sampled steps, in the order of `runIds`, by step; each run's first and last are kept. */
export async function sampledHistory(ctx: Ctx, query: SampledQuery): Promise<string> {
  const db = reading(ctx);
  const { key, limit } = query;
  const workspaceId = ctx.workspace.id;
  const range = { workspaceId, runIds: query.runIds, key, start: query.steps?.start ?? 0, end: query.steps?.end ?? INT64_MAX };
  const bounds = (await store.listBounds(db, range)).filter((step) => step >= range.start && step <= range.end);
  const steps = sampleSteps(await store.listSteps(db, range), bounds, limit);
  const pieces: string[] = [];
  for (const runId of query.runIds) {
    const json = await store.atStepsJson(db, { workspaceId, runId, key, steps, limit: BULK_MAX });
    if (json !== '[]') pieces.push(json.slice(1, -1));
  }
  return `[${pieces.join(',')}]`;
}
