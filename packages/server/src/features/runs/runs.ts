/** Runs: their life, params, tags, metrics, inputs and outputs. */
import type { Int64 } from '@countersign/contract/mlflow/message.ts';
import { invalid, notFound, type Problem } from '@countersign/contract/problem.ts';
import { type Ctx, randomHex, reading, type TxCtx, transaction } from '../../platform/context.ts';
import type { Queries } from '../../platform/db/database.ts';
import { randomName } from '../../platform/random-name.ts';
import { record } from '../events/events.ts';
import { appendToLocation, checkActive, getExperiment } from '../experiments/experiments.ts';
import * as metrics from '../metrics/metrics.ts';
import * as rules from './run-rules.ts';
import type { KeyValue, Run, RunInfo, RunStatus, RunText } from './run-store.ts';
import * as store from './run-store.ts';
import * as writes from './run-write-store.ts';

export type { NewDataset } from './run-rules.ts';
export { type RunSearch, searchRuns } from './run-search.ts';
export {
  type KeyValue,
  type MetricPoint,
  type Run,
  type RunDataset,
  type RunInfo,
  type RunStatus,
  type RunText,
  readDatasets,
} from './run-store.ts';

const LOGGED_MODELS_TAG = 'mlflow.log-model.history';

/** Whole runs in the order of `pks`, by one statement; those that don't exist are left out. */
export function listRunsByPk(db: Queries, pks: readonly number[]): Promise<RunText[]> {
  return store.listByPk(db, pks);
}

/** Active or deleted. */
export function findRun(ctx: Ctx, runId: string): Promise<RunInfo | undefined> {
  return store.findInfo(reading(ctx), ctx.workspace.id, runId);
}

/** Throws RESOURCE_DOES_NOT_EXIST. */
export async function getArtifactUri(ctx: Ctx, runId: string): Promise<string> {
  return (await getInfo(ctx, runId)).artifactUri;
}

/** The whole run, active or deleted. Throws RESOURCE_DOES_NOT_EXIST. */
export async function getRun(ctx: Ctx, runId: string): Promise<Run> {
  return store.readRun(await getRunText(ctx, runId));
}

/** The same, its lists as JSON text. */
export async function getRunText(ctx: Ctx, runId: string): Promise<RunText> {
  const run = await store.findRun(reading(ctx), ctx.workspace.id, runId);
  if (run === undefined) throw absent(runId);
  return run;
}

export interface NewRun {
  readonly experimentId: number;
  readonly userId: string;
  readonly name?: string | undefined;
  readonly startTime: Int64;
  readonly tags: readonly KeyValue[];
}

/** Throws INVALID_PARAMETER_VALUE where the experiment is deleted, or where name and name tag disagree. */
export async function create(ctx: Ctx, input: NewRun): Promise<Run> {
  const given = input.tags.map((tag) => rules.checkedTag(tag, '', longValues()));
  const name = rules.nameOf(input.name, given) ?? randomName(ctx.clock);
  const tags = rules.lastWins([...given, { key: rules.RUN_NAME_TAG, value: name }]);
  const runId = randomHex(ctx.clock);
  return transaction(ctx, async (inner) => {
    const experiment = await getExperiment(inner, input.experimentId);
    checkActive(experiment);
    const row = {
      runId,
      experimentId: experiment.id,
      name,
      userId: input.userId,
      status: 'RUNNING' as const,
      startTime: input.startTime,
      artifactUri: appendToLocation(experiment.artifactLocation, runId, 'artifacts'),
    };
    const by = inner.principal.id;
    const pk = await writes.insert(inner.tx, { ...row, by });
    await writes.putTags(inner.tx, pk, tags, by);
    const info: RunInfo = { ...row, pk, endTime: null, lifecycle: 'active', writtenBy: by, createdBy: by };
    return { info, metrics: [], params: [], tags, datasets: [], modelInputs: [], modelOutputs: [] };
  });
}

export interface RunChange {
  readonly status?: RunStatus | undefined;
  readonly endTime?: Int64 | undefined;
  /** The name tag follows; an empty name changes nothing. */
  readonly name?: string | undefined;
}

/** Throws RESOURCE_DOES_NOT_EXIST, INVALID_PARAMETER_VALUE on a deleted run. */
export function update(ctx: Ctx, runId: string, change: RunChange): Promise<RunInfo> {
  return writing(ctx, runId, async (inner, run) => {
    const changed: RunInfo = {
      ...run,
      status: change.status ?? run.status,
      endTime: change.endTime ?? run.endTime,
      name: change.name || run.name,
      writtenBy: inner.principal.id,
    };
    await writes.setInfo(inner.tx, run.pk, { ...changed, by: inner.principal.id });
    if (change.name) await writes.putTags(inner.tx, run.pk, [{ key: rules.RUN_NAME_TAG, value: change.name }], inner.principal.id);
    return changed;
  });
}

/** Idempotent. Throws RESOURCE_DOES_NOT_EXIST. */
export function remove(ctx: Ctx, runId: string): Promise<void> {
  return changeLifecycle(ctx, runId, 'deleted');
}

/** Idempotent. Throws RESOURCE_DOES_NOT_EXIST. */
export function restore(ctx: Ctx, runId: string): Promise<void> {
  return changeLifecycle(ctx, runId, 'active');
}

async function changeLifecycle(ctx: Ctx, runId: string, to: RunInfo['lifecycle']): Promise<void> {
  await transaction(ctx, async (inner) => {
    const run = await getInfo(inner, runId);
    if (run.lifecycle === to) return;
    await writes.setLifecycle(inner.tx, run.pk, to, to === 'deleted' ? inner.clock.now() : null, inner.principal.id);
    record(inner, {
      type: to === 'deleted' ? 'run.deleted' : 'run.restored',
      data: { run_id: runId, experiment_id: run.experimentId },
    });
  });
}

/** A repeated point is dropped. */
export async function logMetric(ctx: Ctx, runId: string, point: metrics.RunPoint): Promise<void> {
  metrics.checkPoint(point, '');
  await writing(ctx, runId, (inner, run) => metrics.record(inner, run, [point]));
}

/** The same value again changes nothing. Throws INVALID_PARAMETER_VALUE on another value. */
export async function logParam(ctx: Ctx, runId: string, param: KeyValue): Promise<void> {
  const checked = rules.checkedParam(param, '', longValues());
  await writing(ctx, runId, (inner, run) => addParams(inner, run, [checked], false));
}

/** Last write wins; the name tag renames the run. */
export async function setTag(ctx: Ctx, runId: string, tag: KeyValue): Promise<void> {
  const checked = rules.checkedTag(tag, '', longValues());
  await writing(ctx, runId, (inner, run) => putTags(inner, run, [checked]));
}

/** Throws RESOURCE_DOES_NOT_EXIST where there is no such tag. */
export async function deleteTag(ctx: Ctx, runId: string, key: string): Promise<void> {
  await writing(ctx, runId, async (inner, run) => {
    if (!(await writes.deleteTag(inner.tx, run.pk, key))) throw notFound(`No tag with name: ${key} in run with id ${runId}`);
  });
}

export interface Batch {
  readonly metrics: readonly metrics.RunPoint[];
  readonly params: readonly KeyValue[];
  readonly tags: readonly KeyValue[];
}

/** All or nothing. */
export async function logBatch(ctx: Ctx, runId: string, batch: Batch): Promise<void> {
  rules.checkRunId(runId);
  rules.checkBatchSize(batch.metrics.length, batch.params.length, batch.tags.length);
  batch.metrics.forEach((point, i) => {
    metrics.checkPoint(point, `metrics[${i}]`);
  });
  const long = longValues();
  const params = batch.params.map((param, i) => rules.checkedParam(param, `params[${i}]`, long));
  const tags = batch.tags.map((tag, i) => rules.checkedTag(tag, `tags[${i}]`, long));
  rules.checkUniqueKeys(params);
  await writing(ctx, runId, async (inner, run) => {
    await addParams(inner, run, params, true);
    await metrics.record(inner, run, batch.metrics);
    await putTags(inner, run, rules.lastWins(tags));
  });
}

async function addParams(ctx: TxCtx, run: RunInfo, params: readonly KeyValue[], isBatch: boolean): Promise<void> {
  const held = await writes.addParams(ctx.tx, run.pk, params, ctx.principal.id);
  if (held.length === 0) return;
  const stored = new Map(held.map((param) => [param.key, param.value]));
  const conflicts = params.flatMap(({ key, value }) => {
    const oldValue = stored.get(key);
    return oldValue === undefined || oldValue === value ? [] : [{ key, oldValue, newValue: value }];
  });
  if (conflicts.length > 0) throw invalid(rules.conflictMessage(run.runId, conflicts, isBatch));
}

async function putTags(ctx: TxCtx, run: RunInfo, tags: readonly KeyValue[]): Promise<void> {
  const name = tags.find((tag) => tag.key === rules.RUN_NAME_TAG)?.value;
  if (name) await writes.setInfo(ctx.tx, run.pk, { ...run, name, by: ctx.principal.id });
  const kept = name === '' ? tags.filter((tag) => tag.key !== rules.RUN_NAME_TAG) : tags;
  await writes.putTags(ctx.tx, run.pk, kept, ctx.principal.id);
}

/** A dataset that the run has already stays as it is, with its tags. */
export async function logInputs(
  ctx: Ctx,
  runId: string,
  inputs: { readonly datasets: readonly rules.NewDataset[]; readonly modelIds: readonly string[] },
): Promise<void> {
  rules.checkRunId(runId);
  for (const dataset of inputs.datasets) rules.checkDataset(dataset);
  await writing(ctx, runId, async (inner, run) => {
    const by = inner.principal.id;
    for (const dataset of rules.distinctDatasets(inputs.datasets)) {
      const id = await writes.ensureDataset(inner.tx, run.experimentId, dataset, by);
      await writes.linkDataset(inner.tx, run.pk, id, rules.lastWins(dataset.tags), by);
    }
    for (const modelId of inputs.modelIds) await writes.addModelInput(inner.tx, run.pk, modelId, by);
  });
}

/** Repeats append, and nobody checks that the models exist, as upstream has it. */
export async function logOutputs(
  ctx: Ctx,
  runId: string,
  models: readonly { readonly modelId: string; readonly step: Int64 }[],
): Promise<void> {
  await writing(ctx, runId, async (inner, run) => {
    for (const { modelId, step } of models) await writes.addModelOutput(inner.tx, run.pk, modelId, step, inner.principal.id);
  });
}

/** Appends to the list of models that 2.x clients keep in a tag. */
export async function logModel(ctx: Ctx, runId: string, model: Readonly<Record<string, unknown>>): Promise<void> {
  await writing(ctx, runId, async (inner, run) => {
    const held = await writes.findTag(inner.tx, run.pk, LOGGED_MODELS_TAG);
    const value = JSON.stringify([...parseList(held), model]);
    await writes.putTags(inner.tx, run.pk, [{ key: LOGGED_MODELS_TAG, value }], inner.principal.id);
  });
}

/** A client may have written anything into the tag; then the list begins anew. */
function parseList(text: string | undefined): unknown[] {
  if (text === undefined) return [];
  try {
    const list: unknown = JSON.parse(text);
    return Array.isArray(list) ? list : [];
  } catch {
    return [];
  }
}

/** Runs `work` on an active run in a transaction. */
function writing<T>(ctx: Ctx, runId: string, work: (ctx: TxCtx, run: RunInfo) => Promise<T>): Promise<T> {
  return transaction(ctx, async (inner) => {
    const run = await getInfo(inner, runId);
    if (run.lifecycle !== 'active') {
      throw invalid(`The run ${runId} must be in the 'active' state. Current state is ${run.lifecycle}.`);
    }
    return work(inner, run);
  });
}

async function getInfo(ctx: Ctx, runId: string): Promise<RunInfo> {
  const run = await findRun(ctx, runId);
  if (run === undefined) throw absent(runId);
  return run;
}

function absent(runId: string): Problem {
  return notFound(`Run with id=${runId.slice(0, 256)} not found`);
}

/** Upstream's switch (MLFLOW_TRUNCATE_LONG_VALUES), on unless it says no. */
function longValues(): rules.LongValues {
  return /^(false|0)$/i.test(process.env.MLFLOW_TRUNCATE_LONG_VALUES ?? '') ? 'refuse' : 'truncate';
}
