/** Logged models: what a run made, before anybody registers it. */
import type { Int64 } from '@countersign/contract/mlflow/message.ts';
import { notFound, Problem } from '@countersign/contract/problem.ts';
import { type Ctx, randomHex, reading, type TxCtx, transaction } from '../../platform/context.ts';
import { randomName } from '../../platform/random-name.ts';
import { record } from '../events/events.ts';
import { appendToLocation, checkActive, getExperiment, parseExperimentId } from '../experiments/experiments.ts';
import { checkName, checkPairs, findRepeatedKey, storedValue, withVersion } from './logged-model-rules.ts';
import type { KeyValue, LoggedModel, LoggedModelStatus } from './logged-model-store.ts';
import * as store from './logged-model-store.ts';

export { type LoggedModelSearch, searchLoggedModels } from './logged-model-search.ts';
export type { LoggedModel, LoggedModelMetric, LoggedModelStatus } from './logged-model-store.ts';

const PENDING: LoggedModelStatus = 1;
const VERSIONS_TAG = 'mlflow.modelVersions';

export interface NewLoggedModel {
  readonly experimentId: string;
  /** Absent or empty: a random one. */
  readonly name: string | undefined;
  readonly modelType: string;
  /** What the client claims; not checked. */
  readonly sourceRunId: string;
  readonly params: readonly KeyValue[];
  readonly tags: readonly KeyValue[];
}

/** Answers it as pending. Throws RESOURCE_DOES_NOT_EXIST without the experiment, INVALID_PARAMETER_VALUE where that is deleted. */
export async function create(ctx: Ctx, input: NewLoggedModel): Promise<LoggedModel> {
  if (input.name) checkName(input.name);
  checkPairs(input.params);
  checkPairs(input.tags);
  refuseRepeatedParams(input.params);
  return transaction(ctx, async (inner) => {
    const experiment = await getExperiment(inner, parseExperimentId(input.experimentId));
    checkActive(experiment);
    const modelId = `m-${randomHex(inner.clock)}`;
    const pk = await store.insert(inner.tx, {
      modelId,
      experimentId: experiment.id,
      name: input.name || randomName(inner.clock),
      artifactUri: appendToLocation(experiment.artifactLocation, 'models', modelId, 'artifacts'),
      status: PENDING,
      modelType: input.modelType,
      sourceRunId: input.sourceRunId,
      at: inner.clock.now(),
      by: inner.principal.id,
    });
    await store.insertParams(inner.tx, pk, input.params, inner.principal.id);
    await store.putTags(inner.tx, pk, lastOfEachKey(input.tags), inner.principal.id);
    return getLoggedModel(inner, modelId);
  });
}

/** Throws RESOURCE_DOES_NOT_EXIST; also for a deleted one, unless `allowDeleted`. */
export async function getLoggedModel(ctx: Ctx, modelId: string, options: { readonly allowDeleted?: boolean } = {}): Promise<LoggedModel> {
  const model = await store.findById(reading(ctx), ctx.workspace.id, modelId);
  if (model === undefined || (model.lifecycle === 'deleted' && !options.allowDeleted)) throw absent(modelId);
  return model;
}

/** Active or deleted, without its lists. */
export function findHead(ctx: Ctx, modelId: string): Promise<store.Head | undefined> {
  return store.findHead(reading(ctx), ctx.workspace.id, modelId);
}

/** Its params, and its final point of each metric and dataset; active or deleted. */
export function findFinal(ctx: Ctx, modelId: string): Promise<store.FinalFacts | undefined> {
  return store.findFinal(reading(ctx), ctx.workspace.id, modelId);
}

/** Where its files lie. Throws RESOURCE_DOES_NOT_EXIST. */
export async function getArtifactUri(ctx: Ctx, modelId: string): Promise<string> {
  const head = await getHead(ctx, modelId);
  if (head.lifecycle === 'deleted') throw absent(modelId);
  return head.artifactUri;
}

/** In the order of `pks`; those that don't exist are left out. */
export function listByPk(ctx: Ctx, pks: readonly number[]): Promise<LoggedModel[]> {
  return store.listByPk(reading(ctx), pks);
}

/** Ready, or the upload failed. Idempotent. Throws RESOURCE_DOES_NOT_EXIST. */
export function finalize(ctx: Ctx, modelId: string, status: LoggedModelStatus): Promise<LoggedModel> {
  return transaction(ctx, async (inner) => {
    const { pk } = await getHead(inner, modelId);
    await store.setStatus(inner.tx, pk, status, inner.clock.now(), inner.principal.id);
    return getLoggedModel(inner, modelId, { allowDeleted: true });
  });
}

/** Soft, and idempotent: it is no longer found, its bytes stay. Throws RESOURCE_DOES_NOT_EXIST. */
export async function remove(ctx: Ctx, modelId: string): Promise<void> {
  await transaction(ctx, async (inner) => {
    const head = await getHead(inner, modelId);
    await store.setLifecycle(inner.tx, head.pk, 'deleted', inner.clock.now(), inner.principal.id);
    if (head.lifecycle === 'active') record(inner, { type: 'logged-model.deleted', data: { logged_model_id: modelId } });
  });
}

/** Last write wins; also on a deleted model, as upstream. Throws RESOURCE_DOES_NOT_EXIST. */
export async function setTags(ctx: Ctx, modelId: string, tags: readonly KeyValue[]): Promise<void> {
  checkPairs(tags);
  await transaction(ctx, async (inner) => {
    const { pk } = await getHead(inner, modelId);
    await store.putTags(inner.tx, pk, lastOfEachKey(tags), inner.principal.id);
  });
}

/** Throws RESOURCE_DOES_NOT_EXIST where the model or the tag is not there. */
export async function deleteTag(ctx: Ctx, modelId: string, key: string): Promise<void> {
  await transaction(ctx, async (inner) => {
    const { pk } = await getHead(inner, modelId);
    if (!(await store.deleteTag(inner.tx, pk, key))) throw notFound(`No tag with key '${key}' found for model with ID '${modelId}'.`);
  });
}

/** Params are written once: BAD_REQUEST where one is there already, and then none is written. */
export async function logParams(ctx: Ctx, modelId: string, params: readonly KeyValue[]): Promise<void> {
  checkPairs(params);
  refuseRepeatedParams(params);
  await transaction(ctx, async (inner) => {
    const { pk } = await getHead(inner, modelId);
    if ((await store.insertParams(inner.tx, pk, params, inner.principal.id)) === params.length) return;
    throw new Problem(
      'BAD_REQUEST',
      `A param of the logged model '${modelId}' can't be changed once it is logged; at least one of ${params.map(({ key }) => `'${key}'`).join(', ')} is there already. Nothing was written.`,
    );
  });
}

export interface LoggedModelPoint {
  readonly key: string;
  /** NaN and infinities as JavaScript has them. */
  readonly value: number;
  readonly timestamp: Int64;
  readonly step: Int64;
  /** The run under which it was logged. */
  readonly runId: string;
  readonly datasetName?: string | undefined;
  readonly datasetDigest?: string | undefined;
}

/** A point that is there already (same key, time, step and run) is left as it is. Throws RESOURCE_DOES_NOT_EXIST. */
export async function recordMetrics(ctx: TxCtx, modelId: string, points: readonly LoggedModelPoint[]): Promise<void> {
  const { pk } = await getHead(ctx, modelId);
  const rows = points.map((point) => ({
    key: point.key,
    timestamp: point.timestamp,
    step: point.step,
    runId: point.runId,
    ...storedValue(point.value),
    datasetName: point.datasetName || null,
    datasetDigest: point.datasetDigest || null,
  }));
  await store.insertMetrics(ctx.tx, pk, rows, ctx.principal.id);
}

/** Notes in the model's tag `mlflow.modelVersions` that a version was registered from it. Throws RESOURCE_DOES_NOT_EXIST. */
export async function appendVersion(ctx: TxCtx, modelId: string, name: string, version: number): Promise<void> {
  const { pk } = await getHead(ctx, modelId);
  const value = withVersion(await store.findTag(ctx.tx, pk, VERSIONS_TAG), name, version);
  await store.putTags(ctx.tx, pk, [{ key: VERSIONS_TAG, value }], ctx.principal.id);
}

async function getHead(ctx: Ctx, modelId: string): Promise<store.Head> {
  const head = await store.findHead(reading(ctx), ctx.workspace.id, modelId);
  if (head === undefined) throw absent(modelId);
  return head;
}

function refuseRepeatedParams(params: readonly KeyValue[]): void {
  const repeated = findRepeatedKey(params);
  if (repeated !== undefined) throw new Problem('BAD_REQUEST', `The param '${repeated}' is given twice. Send each param once.`);
}

function lastOfEachKey(pairs: readonly KeyValue[]): KeyValue[] {
  return [...new Map(pairs.map(({ key, value }) => [key, { key, value }])).values()];
}

function absent(modelId: string): Problem {
  return notFound(`Logged model with ID '${modelId}' not found.`);
}
