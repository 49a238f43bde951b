/** From a source to what is known of its bytes: resolved location, lineage, and the sealed tree where the server holds them. */
import { RANK } from '@countersign/contract/levels.ts';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { invalid, notFound, Problem } from '@countersign/contract/problem.ts';
import { type Ctx, reading, type TxCtx } from '../../platform/context.ts';
import { demandByName } from '../access/access.ts';
import * as artifacts from '../artifacts/artifacts.ts';
import * as experiments from '../experiments/experiments.ts';
import * as loggedModels from '../logged-models/logged-models.ts';
import type { Tag } from '../models/models.ts';
import * as runs from '../runs/runs.ts';
import { isWithin, parseSource, type Source } from './version-rules.ts';
import type { Lineage, SealState } from './version-store.ts';
import * as store from './version-store.ts';

export interface Seal {
  readonly state: SealState;
  /** Why it isn't sealed: `missing`, `incomplete`, `external`. */
  readonly reason: string | null;
  readonly treeId: number | null;
  readonly digest: string | null;
  /** Of all sealed files together. */
  readonly sizeBytes: number;
}

export interface Resolved {
  /** As stored and shown. */
  readonly source: string;
  readonly storageLocation: string;
  readonly runId: string;
  readonly loggedModelId: string | null;
  readonly lineage: Lineage;
  /** Of a copy: the version that the bytes and the lineage are of. */
  readonly originVersionId?: number;
  readonly seal: Seal;
}

interface Claim {
  readonly source: string;
  readonly runId: string;
  readonly loggedModelId: string | null;
}

/** Upstream's enum LoggedModelStatus (service.proto). */
const LOGGED_MODEL_READY = 2;

const unsealed = (reason: string): Seal => ({ state: 'unsealed', reason, treeId: null, digest: null, sizeBytes: 0 });

/** Checks a source as MLflow does, follows it, and seals what the server holds. Throws what the client is to be told. */
export async function resolveSource(ctx: TxCtx, claim: Claim): Promise<Resolved> {
  const source = parseSource(claim.source);
  if (claim.loggedModelId !== null && source.kind === 'logged-model' && source.modelId !== claim.loggedModelId) {
    throw invalid(
      `Invalid model version source: '${clip(claim.source)}'. The model_id request parameter must identify the resource that contains the source.`,
    );
  }
  await demandReadable(ctx, claim);
  switch (source.kind) {
    case 'version':
      return resolveCopy(ctx, claim, source);
    case 'logged-model':
      return resolveLoggedModel(ctx, claim, source.modelId);
    case 'run':
      return resolveRun(ctx, claim, source);
    case 'held':
      return resolveHeld(ctx, claim, source.path);
    case 'local':
      return resolveLocal(ctx, claim, source.path);
    case 'foreign':
      return resolveForeign(ctx, claim);
  }
}

/** Whoever registers a version makes its bytes readable to others: he must be allowed to read what it claims to come from. */
export async function demandReadable(ctx: Ctx, claim: Claim): Promise<void> {
  if (ctx.access.floorOf('experiment') >= RANK.READ) return;
  const source = parseSource(claim.source);
  const runIds = [claim.runId, source.kind === 'run' ? source.runId : ''];
  const modelIds = [claim.loggedModelId ?? '', source.kind === 'logged-model' ? source.modelId : ''];
  for (const id of runIds) {
    const run = id === '' ? undefined : await runs.findRun(ctx, id);
    if (run) await experiments.demandLevel(ctx, run.experimentId, 'READ');
  }
  for (const id of modelIds) {
    const model = id === '' ? undefined : await loggedModels.findHead(ctx, id);
    if (model) await experiments.demandLevel(ctx, model.experimentId, 'READ');
  }
}

async function resolveCopy(ctx: TxCtx, claim: Claim, source: Extract<Source, { kind: 'version' }>): Promise<Resolved> {
  const { tx, workspace } = ctx;
  // Before it is looked up, or the answer would tell whether it is there.
  demandByName(ctx, 'registered-model', source.name, 'READ');
  const origin =
    source.version !== undefined
      ? await store.find(tx, workspace.id, source.name, source.version)
      : await store.findByAlias(tx, workspace.id, source.name, source.alias ?? '');
  if (!origin)
    throw notFound(`Unable to fetch model from model URI source artifact location '${clip(claim.source)}'. No such model version.`);
  if (origin.isPrompt)
    throw invalid(`Invalid model version source: '${clip(claim.source)}'. A prompt can't be the source of a model version.`);
  if (claim.runId !== '' && claim.runId !== origin.runId) throw otherThanSource('run_id', claim.source);
  if (claim.loggedModelId !== null && claim.loggedModelId !== origin.loggedModelId) throw otherThanSource('model_id', claim.source);
  const tree = origin.treeId === null ? undefined : await artifacts.holdTree(ctx, origin.treeId);
  return {
    source: `models:/${origin.name}/${origin.version}`,
    storageLocation: origin.storageLocation,
    runId: origin.runId,
    loggedModelId: origin.loggedModelId,
    lineage: origin.lineage,
    originVersionId: origin.id,
    seal: {
      state: origin.sealState,
      reason: origin.sealReason,
      treeId: origin.treeId,
      digest: tree?.digest ?? null,
      sizeBytes: tree?.sizeBytes ?? 0,
    },
  };
}

function otherThanSource(parameter: string, source: string): Problem {
  return invalid(
    `Invalid model version source: '${clip(source)}'. The ${parameter} request parameter must be that of the source version, or be left out.`,
  );
}

async function resolveLoggedModel(ctx: TxCtx, claim: Claim, modelId: string): Promise<Resolved> {
  const model = await loggedModels.getLoggedModel(ctx, modelId);
  const runId = claim.runId || (model.sourceRunId ?? '');
  const isProven = isHeldHere(model.artifactUri) && (runId === '' || (await isOfRun(ctx, model, runId)));
  return {
    source: claim.source,
    storageLocation: model.artifactUri,
    runId,
    loggedModelId: modelId,
    lineage: isProven ? 'verified' : 'claimed',
    seal: model.status === LOGGED_MODEL_READY ? await sealAt(ctx, model.artifactUri) : unsealed('incomplete'),
  };
}

/** The client says which run made a logged model: it may say so of runs that it could write to as well. */
async function isOfRun(ctx: Ctx, model: Pick<loggedModels.LoggedModel, 'sourceRunId' | 'experimentId'>, runId: string): Promise<boolean> {
  return runId === model.sourceRunId && (await runs.findRun(ctx, runId))?.experimentId === model.experimentId;
}

/** What lies elsewhere was uploaded by nobody whom this server knows. */
function isHeldHere(artifactUri: string): boolean {
  return artifacts.storedPathOf(artifactUri) !== undefined;
}

async function resolveRun(ctx: TxCtx, claim: Claim, source: Extract<Source, { kind: 'run' }>): Promise<Resolved> {
  const run = await runs.findRun(ctx, source.runId);
  return {
    source: claim.source,
    storageLocation: claim.source,
    runId: claim.runId,
    loggedModelId: claim.loggedModelId,
    lineage: run && (await isProven(ctx, claim, run)) ? 'verified' : 'claimed',
    seal: run ? await sealAt(ctx, joinUri(run.artifactUri, source.path)) : unsealed('missing'),
  };
}

/** Bytes of a run: whatever else is named must be of that run too, or its metrics would be taken for theirs. */
async function isProven(ctx: Ctx, claim: Claim, run: runs.RunInfo): Promise<boolean> {
  if (claim.runId !== run.runId || !isHeldHere(run.artifactUri)) return false;
  if (claim.loggedModelId === null) return true;
  const model = await loggedModels.findHead(ctx, claim.loggedModelId);
  return model?.sourceRunId === run.runId && model.experimentId === run.experimentId;
}

async function resolveHeld(ctx: TxCtx, claim: Claim, path: string): Promise<Resolved> {
  const owner = await ownerRoot(ctx, claim);
  const ownerPath = owner === undefined ? undefined : artifacts.storedPathOf(owner);
  // A run whose files live elsewhere has no root here that the source could lie in.
  const isOwned = owner === undefined || ownerPath === undefined || isWithin(path, ownerPath);
  if (!isOwned || owner === undefined) {
    throw invalid(
      `Invalid model version source: '${clip(claim.source)}'. To use an artifact of this server as a model version source, the run_id or model_id request ` +
        "parameter has to be specified and the source has to be contained within that run's or model's artifact directory.",
    );
  }
  return {
    source: claim.source,
    storageLocation: claim.source,
    runId: await runOf(ctx, claim),
    loggedModelId: claim.loggedModelId,
    lineage: ownerPath !== undefined && (await isOwnRun(ctx, claim)) ? 'verified' : 'claimed',
    seal: ownerPath === undefined ? unsealed('missing') : await sealHeld(ctx, path),
  };
}

async function ownerRoot(ctx: TxCtx, claim: Claim): Promise<string | undefined> {
  if (claim.loggedModelId !== null) return (await loggedModels.getLoggedModel(ctx, claim.loggedModelId)).artifactUri;
  if (claim.runId === '') return undefined;
  return runs.getArtifactUri(ctx, claim.runId);
}

/** The bytes of a logged model are of the run that made it, and of no other that the client names beside it. */
async function isOwnRun(ctx: TxCtx, claim: Claim): Promise<boolean> {
  if (claim.loggedModelId === null || claim.runId === '') return true;
  return isOfRun(ctx, await loggedModels.getLoggedModel(ctx, claim.loggedModelId), claim.runId);
}

async function runOf(ctx: TxCtx, claim: Claim): Promise<string> {
  if (claim.runId !== '' || claim.loggedModelId === null) return claim.runId;
  return (await loggedModels.getLoggedModel(ctx, claim.loggedModelId)).sourceRunId ?? '';
}

async function resolveLocal(ctx: TxCtx, claim: Claim, path: string): Promise<Resolved> {
  const owner = await ownerRoot(ctx, claim);
  const ownerSource = owner === undefined ? undefined : localSource(owner);
  if (ownerSource === undefined || !isWithin(resolveDots(path), resolveDots(ownerSource))) {
    const parameter = claim.loggedModelId === null ? 'run_id' : 'model_id';
    throw invalid(
      `Invalid model version source: '${clip(claim.source)}'. To use a local path as a model version source, the ${parameter} request parameter has to be ` +
        `specified and the local path has to be contained within the artifact directory of the run specified by the ${parameter}.`,
    );
  }
  return {
    source: claim.source,
    storageLocation: claim.source,
    runId: await runOf(ctx, claim),
    loggedModelId: claim.loggedModelId,
    lineage: 'claimed',
    seal: unsealed('external'),
  };
}

function localSource(uri: string): string | undefined {
  const source = parseSource(uri);
  return source.kind === 'local' ? source.path : undefined;
}

function resolveDots(path: string): string {
  const kept: string[] = [];
  for (const segment of path.split('/')) {
    if (segment === '..') kept.pop();
    else if (segment !== '' && segment !== '.') kept.push(segment);
  }
  return kept.join('/');
}

async function resolveForeign(ctx: TxCtx, claim: Claim): Promise<Resolved> {
  if (/^file:/i.test(claim.source))
    throw new Problem(
      'INTERNAL_ERROR',
      `${clip(claim.source)} is not a valid remote uri. For remote access on windows, please consider using a different scheme.`,
    );
  const runId = await runOf(ctx, claim);
  return {
    source: claim.source,
    storageLocation: claim.source,
    runId,
    loggedModelId: claim.loggedModelId,
    lineage: runId === '' && claim.loggedModelId === null ? 'none' : 'claimed',
    seal: unsealed('external'),
  };
}

function joinUri(root: string, path: string): string {
  return path === '' ? root : `${root.replace(/\/+$/, '')}/${path}`;
}

/** Seals what an artifact URI holds on this server. */
export async function sealAt(ctx: TxCtx, artifactUri: string): Promise<Seal> {
  const path = artifacts.storedPathOf(artifactUri);
  return path === undefined ? unsealed('external') : sealHeld(ctx, path);
}

export async function sealHeld(ctx: TxCtx, path: string): Promise<Seal> {
  const tree = await artifacts.sealTree(ctx, path, { requires: 'MLmodel' });
  if (tree) return { state: 'sealed', reason: null, treeId: tree.id, digest: tree.digest, sizeBytes: tree.sizeBytes };
  const hasFiles = (await artifacts.list(ctx, path)).length > 0;
  return unsealed(hasFiles ? 'incomplete' : 'missing');
}

/** What a prompt version's seal covers: text, type and response format. Its model configuration stays mutable. */
const PROMPT_SEALED = ['mlflow.prompt.text', '_mlflow_prompt_type', '_mlflow_prompt_response_format'];

export function isSealedPromptTag(key: string): boolean {
  return PROMPT_SEALED.includes(key);
}

export async function sealPrompt(ctx: TxCtx, tags: readonly Tag[]): Promise<Seal> {
  const sealed = tags.filter((tag) => isSealedPromptTag(tag.key));
  const tree = await artifacts.sealTexts(ctx, Object.fromEntries(sealed.map((tag) => [tag.key, tag.value])));
  return { state: 'sealed', reason: null, treeId: tree.id, digest: tree.digest, sizeBytes: tree.sizeBytes };
}

/** Tries again to seal a version whose files were not complete when it was registered. */
export async function sealNow(ctx: TxCtx, version: store.ModelVersion): Promise<Seal> {
  if (version.loggedModelId !== null && version.source.startsWith('models:/m-')) {
    const model = await loggedModels.getLoggedModel(ctx, version.loggedModelId);
    return model.status === LOGGED_MODEL_READY ? sealAt(ctx, model.artifactUri) : unsealed('incomplete');
  }
  const source = parseSource(version.source);
  if (source.kind === 'run') {
    const run = await runs.findRun(ctx, source.runId);
    return run ? sealAt(ctx, joinUri(run.artifactUri, source.path)) : unsealed('missing');
  }
  if (source.kind === 'held') return sealHeld(ctx, source.path);
  if (source.kind === 'version') {
    // By id: the name may be another model's by now, with other bytes.
    const origin =
      version.originVersionId === null ? undefined : await store.findById(reading(ctx), ctx.workspace.id, version.originVersionId);
    if (origin?.treeId) {
      const tree = await artifacts.findTree(ctx, origin.treeId);
      return {
        state: origin.sealState,
        reason: origin.sealReason,
        treeId: origin.treeId,
        digest: tree?.digest ?? null,
        sizeBytes: tree?.sizeBytes ?? 0,
      };
    }
    // Copied as it is: it waits for what its origin waits for.
    if (version.sealReason === 'incomplete' || version.sealReason === 'missing') return unsealed(version.sealReason);
  }
  return unsealed('external');
}
