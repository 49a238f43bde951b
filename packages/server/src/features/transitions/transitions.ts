/**
 * The one door for every change of a governed target: stage, alias, entry into a model, tag, setting. Only this room makes Permits: it asks the
 * policies in force, from facts that are read in the transaction of the change.
 */
import { Readable } from 'node:stream';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { checkAlias, checkModelName, checkRegistryTag } from '@countersign/contract/names.ts';
import type { Permit } from '@countersign/contract/permit.ts';
import { notFound, Problem } from '@countersign/contract/problem.ts';
import { demandActive, demandEdge, levelOfAlias, levelOfStages, type Stages, stageOf } from '@countersign/contract/stages.ts';
import { FileRoots } from '../../platform/blobs/file-roots.ts';
import { type Ctx, randomHex, type TxCtx, transaction, type WorkspaceRef } from '../../platform/context.ts';
import { AS_LOCAL, demand, demandNoGain } from '../access/access.ts';
import type { Governor } from '../accounts/accounts.ts';
import * as approvals from '../approvals/approvals.ts';
import * as artifacts from '../artifacts/artifacts.ts';
import * as blocks from '../blocks/blocks.ts';
import * as breakGlass from '../break-glass/break-glass.ts';
import * as candidates from '../candidates/candidates.ts';
import * as evidence from '../evidence/evidence.ts';
import type { RegisteredModel } from '../models/models.ts';
import * as models from '../models/models.ts';
import * as people from '../people/people.ts';
import * as policies from '../policies/policies.ts';
import type { ModelVersion, NewVersion } from '../versions/versions.ts';
import * as versions from '../versions/versions.ts';
import { DEFAULT_WORKSPACE_ID, getStages, getWorkspaceById, within } from '../workspaces/workspaces.ts';
import { type Proposal, readTarget, subjectOf, targetWords } from './operation-rules.ts';
import * as operations from './operations.ts';
import { AS_CALLER, admit, choose, chooseEach, judge, kindsOf, type Operation, permit, Refused, unasked, type Way } from './permits.ts';
import { demandDeciders, governSettingChange } from './settings-governor.ts';
import { stagesOf } from './workspace-stages.ts';

export { type Proposal, readTarget, subjectOf, type TargetChange, targetWords } from './operation-rules.ts';
export * as operations from './operations.ts';
export { type AskedFor, operationOf } from './operations.ts';
export { AS_CALLER, type Judgement, judge, NotYet, type Operation, Refused, type Way } from './permits.ts';
export { canonicalStageOf, isActiveStage, stagesOf } from './workspace-stages.ts';

/** A transaction that decides by what stands in a model: nobody else changes that until the commit. */
async function changing<T>(ctx: Ctx, name: string, number: number | undefined, work: (inner: TxCtx) => Promise<T>): Promise<T> {
  await prepare(ctx, name, number);
  return transaction(ctx, async (inner) => {
    await models.hold(inner, name);
    return work(inner);
  });
}

/** Before the transaction, so that it needn't wait: which policies are in force is remembered, and the files that evidence is of are read. */
async function prepare(ctx: Ctx, name: string, number?: number): Promise<void> {
  if (ctx.tx !== undefined || (await policies.getInForce(ctx)).policies.length === 0 || number === undefined) return;
  await evidence.prepare(ctx, await versions.getIdentity(ctx, name, number));
}

/** Whatever was asked for exactly this is answered by it. */
async function settle(ctx: TxCtx, operation: Operation, allowed: Permit, way: Way): Promise<void> {
  const open = await approvals.listOpen(ctx, { about: operation.about, subject: subjectOf(operation.proposal) });
  const isAnswered = way.by === 'approvals' || (way.by === 'caller' && way.isAnswer === true) || allowed.admission === 'policy';
  const { version: number, stage: from } = operation.version ?? {};
  await approvals.closeAll(ctx, open, isAnswered ? 'approved' : 'cancelled', { number, from }, isAnswered ? {} : { cause: 'moved' });
  if (allowed.admission === 'policy' && operation.version !== undefined) await supersede(ctx, operation, operation.version, allowed);
}

/** What a newer version took the place of, before it was answered. */
async function supersede(ctx: TxCtx, { asks }: Operation, came: ModelVersion, allowed: Permit): Promise<void> {
  const { policies: inForce } = await policies.holdInForce(ctx);
  if (!inForce.some(({ hash, document }) => document.supersedes === 'older' && allowed.policies.includes(hash))) return;
  for (const request of await approvals.listOpenOfModel(ctx, came.modelId)) {
    if (request.change !== 'enter' || request.target !== targetWords(asks.target) || request.versionId === null) continue;
    const version = await versions.findById(ctx, request.versionId);
    if (version === undefined || version.version >= came.version) continue;
    await approvals.close(ctx, request, 'superseded', { number: version.version, from: version.stage }, { cause: 'superseded' });
  }
}

/** Registers a version: entry into a model. What was asked for and let in meanwhile is given to whoever asked. */
export function registerVersion(ctx: Ctx, input: NewVersion): Promise<ModelVersion> {
  return changing(ctx, input.name, undefined, async (inner) => {
    const model = await models.getIdentity(inner, input.name);
    const inForce = await policies.holdInForce(inner);
    const isGoverned = inForce.policies.length > 0;
    const kept = isGoverned && versions.isCopy(input.source) ? await withoutGovernedTags(inner, inForce, model, input) : input;
    const resolved = await versions.resolve(inner, model, kept);
    const asked = isGoverned ? await candidates.findAsked(inner, model.id, resolved.source) : undefined;
    // What gives other bytes now is another candidate.
    const candidate = asked?.digest === resolved.seal.digest ? asked : undefined;
    const registered = candidate?.versionId ? await versions.findById(inner, candidate.versionId) : undefined;
    if (candidate !== undefined && registered?.deletedAt === null) {
      await candidates.claim(inner, candidate);
      return registered;
    }
    // What was approved is what enters, with its tags and its description.
    const entering = candidate?.input ?? kept;
    const operation = operations.entryOperation(inner, model, entering, resolved, candidate);
    const allowed = await permit(inner, operation);
    const version = await versions.create(inner, allowed, model, entering, candidate?.resolved ?? resolved, candidate?.createdBy);
    if (!isGoverned) return version;
    if (candidate === undefined) await evidence.ensure(inner, version);
    else {
      await enter(inner, candidate, version);
      await candidates.claim(inner, candidate);
    }
    await settle(inner, operation, allowed, AS_CALLER);
    return version;
  });
}

async function enter(ctx: TxCtx, candidate: candidates.Candidate, version: ModelVersion): Promise<void> {
  await evidence.adopt(ctx, candidate.id, version);
  await candidates.becomeVersion(ctx, candidate, version.id);
}

/** Governed tags don't travel: they are set where they mean something. */
async function withoutGovernedTags(
  ctx: TxCtx,
  inForce: policies.PoliciesInForce,
  { id }: models.ModelIdentity,
  input: NewVersion,
): Promise<NewVersion> {
  const model = await operations.governedModel(ctx, id)();
  const tags = [];
  for (const tag of input.tags) {
    if ((await choose(ctx, inForce, { kind: 'tag', key: tag.key }, model)) === undefined) tags.push(tag);
  }
  return { ...input, tags };
}

/** What approvals let in: whoever asked for it is who registered it. INVALID_STATE where its source gives other bytes now. */
async function registerCandidate(ctx: TxCtx, operation: Operation, id: number, way: Way): Promise<void> {
  const candidate = await candidates.find(ctx, id);
  if (candidate === undefined) throw notFound(`There is no candidate ${id}.`);
  const model = await models.getIdentity(ctx, operation.proposal.op === 'registration' ? operation.proposal.name : '');
  // Whether it is still the same is asked of the source; who may read it was asked when it was requested.
  const now = await versions.resolve({ ...ctx, access: AS_LOCAL.access }, model, candidate.input);
  if (now.seal.digest !== candidate.digest) {
    throw new Problem(
      'INVALID_STATE',
      `The source of candidate ${id} gives other bytes now than were asked for. Reject the request, and ask again.`,
    );
  }
  const { allowed, tell } = await admit(ctx, operation, way);
  const version = await versions.create(ctx, allowed, model, candidate.input, candidate.resolved, candidate.createdBy);
  tell(version);
  await enter(ctx, candidate, version);
  await settle(ctx, operation, allowed, way);
}

export interface StageMove {
  readonly name: string;
  readonly version: number;
  /** In any case. */
  readonly stage: string;
  /** Moves every other version in the target stage to Archived. */
  readonly archiveExisting: boolean;
  readonly comment?: string | undefined;
}

/** Both halves go through the door: what enters, and what archive_existing_versions makes leave. What comes back, comes along no edge. */
export async function moveStage(ctx: Ctx, move: StageMove, way: Way = AS_CALLER): Promise<ModelVersion> {
  readMove(await getStages(ctx), move);
  return changing(ctx, move.name, move.version, async (inner) => {
    const defined = await getStages(inner);
    const stages = way.by === 'rollback' ? { ...defined, stage_edges: null } : defined;
    const stage = readMove(stages, move);
    const version = await versions.get(inner, move.name, move.version);
    if (way.by === 'caller') demandMove(inner, stages, version, stage);
    demandEdge(stages, version, stage);
    const operation = operations.stageOperation(inner, version, stage, move.archiveExisting);
    const others = move.archiveExisting
      ? (await versions.listInStage(inner, { id: version.modelId }, stage)).filter((each) => each.id !== version.id)
      : [];
    if (version.stage === stage && others.length === 0 && (await isLeftAlone(inner, operation, way))) return version;
    const allowed = await permit(inner, operation, way);
    const at = inner.clock.now();
    for (const other of others) await archiveOther(inner, stages, version, other, at);
    const moved = await versions.setStage(inner, allowed, version, stage, at, { comment: move.comment });
    await models.touch(inner, version.modelId, at);
    await settle(inner, operation, allowed, way);
    return moved;
  });
}

function readMove(stages: Stages, { stage: word, archiveExisting }: StageMove): string {
  const stage = stageOf(stages, word);
  if (archiveExisting) demandActive(stages, stage);
  return stage;
}

function demandMove(ctx: Ctx, stages: Stages, version: ModelVersion, stage: string): void {
  demand(ctx, 'registered-model', { id: version.modelId, name: version.name }, levelOfStages(stages, version.stage, stage));
}

/** A script that runs again asks nobody for what is so already; where no policy is about it, it is told once more, as MLflow does. */
async function isLeftAlone(ctx: TxCtx, operation: Operation, way: Way): Promise<boolean> {
  return way.by === 'caller' && (await judge(ctx, operation)).asked.length > 0;
}

/** It leaves as a part of what came in; only where it goes to is asked for it. */
async function archiveOther(ctx: TxCtx, stages: Stages, keep: ModelVersion, other: ModelVersion, at: number): Promise<void> {
  demandEdge(stages, other, 'Archived');
  const operation = operations.replacementOperation(ctx, other, 'Archived');
  const allowed = await permit(ctx, operation);
  await versions.setStage(ctx, allowed, other, 'Archived', at, { replacedBy: keep.version });
  await settle(ctx, operation, allowed, AS_CALLER);
}

export function setAlias(ctx: Ctx, name: string, alias: string, number: number, way: Way = AS_CALLER): Promise<void> {
  checkAlias(alias);
  return changing(ctx, name, number, async (inner) => {
    const version = await versions.get(inner, name, number);
    if (way.by === 'caller') await demandAlias(inner, { id: version.modelId, name }, alias);
    const operation = operations.aliasOperation(inner, version, alias);
    if (version.aliases.includes(alias) && (await isLeftAlone(inner, operation, way))) return;
    const allowed = await permit(inner, operation, way);
    await versions.setAlias(inner, allowed, { id: version.modelId, name, isPrompt: version.isPrompt }, alias, number);
    await settle(inner, operation, allowed, way);
  });
}

async function demandAlias(ctx: TxCtx, model: { id: number; name: string }, alias: string): Promise<void> {
  const level = levelOfAlias(await getStages(ctx), alias);
  if (level !== undefined) demand(ctx, 'registered-model', model, level);
}

export function deleteAlias(ctx: Ctx, name: string, alias: string, way: Way = AS_CALLER): Promise<void> {
  return changing(ctx, name, undefined, async (inner) => {
    const model = await models.getIdentity(inner, name);
    const holder = await versions.findAlias(inner, model, alias);
    const version = holder && (await versions.findById(inner, holder.versionId));
    if (version === undefined) return;
    const operation = operations.aliasRemovalOperation(inner, version, alias);
    const allowed = await permit(inner, operation, way);
    await versions.deleteAlias(inner, allowed, model, alias);
    await settle(inner, operation, allowed, way);
  });
}

/** Its name may bring it under another policy. */
export function renameModel(ctx: Ctx, name: string, newName: string, way: Way = AS_CALLER): Promise<RegisteredModel> {
  checkModelName(newName);
  return changing(ctx, name, undefined, async (inner) => {
    const model = await models.get(inner, name);
    if (way.by === 'caller') demandNoGain(inner, 'registered-model', model, newName);
    const operation = operations.renameOperation(inner, model, newName);
    const allowed = await permit(inner, operation, way);
    const renamed = await models.rename(inner, allowed, model, newName);
    await versions.touchAll(inner, renamed, renamed.updatedAt);
    await settle(inner, operation, allowed, way);
    return renamed;
  });
}

/** Open requests about it go with it, and don't come back with it. */
export function deleteModel(ctx: Ctx, name: string, way: Way = AS_CALLER): Promise<void> {
  return changing(ctx, name, undefined, async (inner) => {
    const model = await models.get(inner, name);
    const operation = operations.modelDeletionOperation(inner, model);
    const allowed = await permit(inner, operation, way);
    await settle(inner, operation, allowed, way);
    await closeAll(inner, await approvals.listOpenOfModel(inner, model.id));
    const at = inner.clock.now();
    await versions.removeAll(inner, allowed, model, at);
    await models.remove(inner, allowed, model, at);
  });
}

async function closeAll(ctx: TxCtx, open: readonly approvals.Request[]): Promise<void> {
  for (const request of open) {
    const version = request.versionId === null ? undefined : await versions.findById(ctx, request.versionId);
    await approvals.close(ctx, request, 'cancelled', { number: version?.version, from: version?.stage }, { cause: 'deleted' });
    if (request.candidateId !== null) await candidates.close(ctx, request.candidateId);
  }
}

/** All models of the workspace, with their versions, are another workspace's from now on: entry there, under its rules. */
export function moveModels(ctx: Ctx, to: WorkspaceRef): Promise<void> {
  return transaction(ctx, async (inner) => {
    let allowed: Permit | undefined;
    const here = await policies.holdInForce(inner);
    const there = await policies.holdInForce({ ...inner, workspace: to });
    if (here.policies.length > 0 || there.policies.length > 0) {
      for (let afterId = 0; ; ) {
        const page = await models.listActive(inner, { afterId, limit: MODELS_PAGE });
        for (const model of page) allowed = await permit(inner, operations.moveOperation(inner, model, to));
        const last = page.at(-1);
        if (last === undefined) break;
        afterId = last.id;
      }
    }
    allowed ??= await permit(inner, {
      ...operations.moveOperation(inner, { id: 0, name: '' }, to),
      model: undefined,
      others: async () => [],
    });
    await models.moveAll(inner, allowed, to);
    await versions.moveAll(inner, allowed, to);
  });
}

const MODELS_PAGE = 500;

/** Its versions and tags come back; no stage, no alias, no governed tag. */
export function restoreModel(ctx: Ctx, id: number, newName: string | undefined): Promise<RegisteredModel> {
  return transaction(ctx, async (inner) => {
    await models.holdById(inner, id);
    const model = await models.getDeleted(inner, id);
    const deletedAt = model.deletedAt ?? 0;
    const inForce = await policies.holdInForce(inner);
    const returning =
      inForce.policies.length === 0 ? [] : (await versions.listDeleted(inner, model)).filter((each) => each.deletedAt === deletedAt);
    const allowed = await permit(inner, operations.modelRestorationOperation(inner, model, newName ?? model.name, returning));
    const restored = await models.restore(inner, allowed, model, newName);
    await versions.restoreAll(inner, allowed, model.id, deletedAt);
    for (const version of returning) await dropGovernedTags(inner, inForce, allowed, { ...version, name: restored.name });
    return restored;
  });
}

async function dropGovernedTags(ctx: TxCtx, inForce: policies.PoliciesInForce, allowed: Permit, version: ModelVersion): Promise<void> {
  const model = await operations.governedModel(ctx, version.modelId)();
  for (const { key } of version.tags) {
    if ((await choose(ctx, inForce, { kind: 'tag', key }, model)) !== undefined) await versions.deleteTag(ctx, allowed, version, key);
  }
}

/** For ever: rows and, when nothing else refers to them, bytes. */
export function purgeModel(ctx: Ctx, id: number): Promise<void> {
  return transaction(ctx, async (inner) => {
    await models.holdById(inner, id);
    const model = await models.getDeleted(inner, id);
    await versions.eraseAll(inner, model.id);
    await models.erase(inner, model);
  });
}

/** Its open requests go with it, and don't come back with it. */
export function deleteVersion(ctx: Ctx, name: string, number: number, way: Way = AS_CALLER): Promise<void> {
  return changing(ctx, name, number, async (inner) => {
    const version = await versions.get(inner, name, number);
    const operation = operations.deletionOperation(inner, version);
    const allowed = await permit(inner, operation, way);
    await settle(inner, operation, allowed, way);
    await closeAll(inner, await approvals.listOpenOfVersion(inner, version.id));
    await versions.remove(inner, allowed, await models.get(inner, name), version);
  });
}

export function restoreVersion(ctx: Ctx, name: string, number: number, way: Way = AS_CALLER): Promise<ModelVersion> {
  return changing(ctx, name, undefined, async (inner) => {
    const model = await models.get(inner, name);
    const version = await versions.getDeleted(inner, model, number);
    const operation = operations.restorationOperation(inner, version);
    const allowed = await permit(inner, operation, way);
    const restored = await versions.restore(inner, allowed, model, number);
    const inForce = await policies.holdInForce(inner);
    if (inForce.policies.length > 0) await dropGovernedTags(inner, inForce, allowed, version);
    await settle(inner, operation, allowed, way);
    return inForce.policies.length > 0 ? versions.get(inner, name, number) : restored;
  });
}

/** With tags that no policy is about, or that it lets in: others are asked for once the model is there. */
export function createModel(ctx: Ctx, input: models.NewModel): Promise<RegisteredModel> {
  return transaction(ctx, async (inner) => {
    const model = await models.create(inner, input);
    if ((await policies.holdInForce(inner)).policies.length === 0) return model;
    for (const { key, value } of input.tags) {
      try {
        await permit(inner, operations.modelTagOperation(inner, model, key, value));
      } catch (error) {
        if (!(error instanceof Refused)) throw error;
        throw new Problem('PERMISSION_DENIED', `${error.message} Create the model without the tag '${key}', then set it.`);
      }
    }
    return model;
  });
}

/** `value` null: it is taken away. */
export async function setModelTag(ctx: Ctx, name: string, key: string, value: string | null, way: Way = AS_CALLER): Promise<void> {
  if (value !== null) checkRegistryTag(key, value);
  await prepare(ctx, name);
  return transaction(ctx, async (inner) => {
    const model = await models.getIdentity(inner, name);
    const operation = operations.modelTagOperation(inner, model, key, value);
    // What decides which policy applies is judged by what stands in the model.
    if ((await policies.holdInForce(inner)).policies.length > 0) {
      await models.hold(inner, name);
      const { tags } = await models.get(inner, name);
      if (isSaid(tags, key, value) && (await isLeftAlone(inner, operation, way))) return;
    }
    const allowed = await permit(inner, operation, way);
    if (value === null) await models.deleteTag(inner, allowed, model, key);
    else await models.setTag(inner, allowed, model, key, value);
    await settleGoverned(inner, operation, allowed, way);
  });
}

export async function setVersionTag(
  ctx: Ctx,
  name: string,
  number: number,
  key: string,
  value: string | null,
  way: Way = AS_CALLER,
): Promise<void> {
  if (value !== null) checkRegistryTag(key, value);
  await prepare(ctx, name, number);
  return transaction(ctx, async (inner) => {
    if ((await policies.holdInForce(inner)).policies.length === 0) {
      const identity = await versions.getIdentity(inner, name, number);
      const allowed = await permit(inner, operations.freeTagOperation(identity, key, value));
      return writeVersionTag(inner, allowed, identity, key, value);
    }
    await models.hold(inner, name);
    const version = await versions.get(inner, name, number);
    const operation = operations.versionTagOperation(inner, version, key, value);
    if (isSaid(version.tags, key, value) && (await isLeftAlone(inner, operation, way))) return;
    const allowed = await permit(inner, operation, way);
    await writeVersionTag(inner, allowed, version, key, value);
    await settleGoverned(inner, operation, allowed, way);
    // The configuration is no part of the seal: whoever approved before it changed approved of another one.
    if (version.isPrompt && key === operations.PROMPT_MODEL_CONFIG) await evidence.renew(inner, name, number);
  });
}

function isSaid(tags: readonly { readonly key: string; readonly value: string }[], key: string, value: string | null): boolean {
  const tag = tags.find((each) => each.key === key);
  return value === null ? tag === undefined : tag?.value === value;
}

function writeVersionTag(ctx: TxCtx, allowed: Permit, version: versions.VersionIdentity, key: string, value: string | null): Promise<void> {
  return value === null ? versions.deleteTag(ctx, allowed, version, key) : versions.setTag(ctx, allowed, version, key, value);
}

/** Nobody can have asked for what no policy is about. */
async function settleGoverned(ctx: TxCtx, operation: Operation, allowed: Permit, way: Way): Promise<void> {
  if (allowed.policies.length > 0) await settle(ctx, operation, allowed, way);
}

/** What a request asked for. `comment`: of whoever answers it. */
export async function carryOut(
  ctx: TxCtx,
  request: operations.AskedFor,
  way: Way,
  how: { comment?: string | undefined; archiveExisting?: boolean | undefined } = {},
): Promise<void> {
  const proposal = JSON.parse(request.proposal) as Proposal; // written by this room's operations alone
  const version = request.versionId === null ? undefined : await versions.findById(ctx, request.versionId);
  // A request is about what it was opened for, whatever it is called today.
  const name = version?.name ?? (request.modelId === null ? undefined : (await models.findById(ctx, request.modelId))?.name) ?? '';
  switch (proposal.op) {
    case 'stage':
      await moveStage(
        ctx,
        { ...proposal, name, archiveExisting: how.archiveExisting ?? proposal.archiveExisting, comment: how.comment },
        way,
      );
      return;
    case 'alias':
      return setAlias(ctx, name, proposal.alias, proposal.version, way);
    case 'alias-removal':
      await demandHolder(ctx, request, proposal.alias);
      return deleteAlias(ctx, name, proposal.alias, way);
    case 'registration': {
      await models.hold(ctx, name);
      return registerCandidate(ctx, await operations.operationOf(ctx, request), request.candidateId ?? 0, way);
    }
    case 'tag':
      return proposal.version === null
        ? setModelTag(ctx, name, proposal.key, proposal.value, way)
        : setVersionTag(ctx, name, proposal.version, proposal.key, proposal.value, way);
    case 'deletion':
      return proposal.version === null ? deleteModel(ctx, name, way) : deleteVersion(ctx, name, proposal.version, way);
    case 'restoration':
      await restoreVersion(ctx, name, proposal.version, way);
      return;
    case 'rename':
      await renameModel(ctx, name, proposal.newName, way);
      return;
    default:
      throw new Problem('INVALID_STATE', 'A change of a setting is made by whoever asked for it: it is allowed now, so make it again.');
  }
}

/** What was approved is that this version loses it, and no other. */
async function demandHolder(ctx: TxCtx, { modelId, versionId }: operations.AskedFor, alias: string): Promise<void> {
  const holder = modelId === null ? undefined : await versions.findAlias(ctx, { id: modelId }, alias);
  if (holder?.versionId === versionId) return;
  const now = holder === undefined ? 'at nothing' : `at version ${holder.version}`;
  throw new Problem('INVALID_STATE', `The alias '${alias}' points ${now} by now. Reject the request, and ask again.`);
}

export interface PolicyChanges {
  /** YAML or JSON, each with digests that a rollback may bring back although they stood there before. */
  readonly published: readonly { readonly text: string; readonly listedDigests: readonly string[] }[];
  /** Names. */
  readonly withdrawn: readonly string[];
}

/** Which policies are in force is governed as the setting 'policies'. Answers those that were published. */
export async function replacePolicies(ctx: Ctx, changes: PolicyChanges): Promise<readonly policies.PublishedPolicy[]> {
  const published = await Promise.all(
    changes.published.map(async ({ text, listedDigests }) => ({ ...(await policies.readPolicy(text)), source: text, listedDigests })),
  );
  return transaction(ctx, async (inner) => {
    // Held before the stages, as every other change does.
    await policies.holdInForce(inner);
    const stages = await stagesOf(inner);
    const changed = await policies.effectOf(inner, { published, withdrawn: changes.withdrawn }, stages);
    const words = [
      ...changed.published.map(({ document, hash, listedDigests }) => ['publish', document.name, hash, ...listedDigests].join(' ')),
      ...changed.withdrawn.map((name) => `withdraw ${name}`),
    ];
    if (words.length > 0) {
      const operation = await operations.settingOperation(inner, 'policies', words.join(', '));
      const allowed = await permit(inner, operation);
      await policies.replace(inner, allowed, changed, stages);
      if ((await policies.holdInForce(inner)).isEnforced) await demandDeciders(inner);
      await settle(inner, operation, allowed, AS_CALLER);
    }
    // One after another: a transaction has one connection.
    const inForce: policies.PublishedPolicy[] = [];
    for (const { document } of published) inForce.push(await policies.get(inner, document.name));
    return inForce;
  });
}

/** The policy that is about the place that a request asks for. */
export async function policiesAbout(
  ctx: Ctx,
  request: Pick<approvals.Request, 'target' | 'modelId' | 'versionId'>,
): Promise<readonly policies.PublishedPolicy[]> {
  const inForce = await policies.getInForce(ctx);
  const target = readTarget(request.target);
  if (inForce.policies.length === 0 || target === undefined) return [];
  const model = request.modelId === null ? undefined : await models.findById(ctx, request.modelId);
  const version = request.versionId === null ? undefined : await versions.findById(ctx, request.versionId);
  return chooseEach(ctx, inForce, target, model, version === undefined ? [] : kindsOf(version));
}

/** For `setGovernor`: each change of administration comes by here. */
export const governSetting: Governor = async (ctx, change) => {
  const operation = await governSettingChange(ctx, change);
  if (operation?.workspace !== undefined)
    await settle(within(ctx, operation.workspace), operation, unasked(), { by: 'caller', isAnswer: true });
};

/** A block holds until somebody else agrees that it ends. */
export function liftBlock(ctx: Ctx, digest: string, reason: string, reach: blocks.Reach = {}): Promise<void> {
  return transaction(ctx, async (inner) => {
    const id = await blocks.getIdForLift(inner, digest, reach);
    // One of all workspaces ends by the policies of the default one, wherever the caller is.
    const at = reach.isServerWide ? within(inner, await getWorkspaceById(inner, DEFAULT_WORKSPACE_ID)) : inner;
    const operation = await operations.settingOperation(at, 'blocks', `lift block ${id} of ${digest}`);
    const allowed = await permit(at, operation);
    await blocks.lift(inner, allowed, digest, reason, reach);
    await settle(at, operation, allowed, AS_CALLER);
  });
}

export interface BreakGlassWish {
  readonly policyName: string;
  readonly reason: string;
  readonly ticket: string;
}

/**
 * A way past a policy in force, by a person whom it lets, for as long as it says. RESOURCE_DOES_NOT_EXIST without such a policy, INVALID_STATE where it
 * has no break-glass.
 */
export function openBreakGlass(ctx: Ctx, wish: BreakGlassWish): Promise<breakGlass.Opening> {
  return transaction(ctx, async (inner) => {
    const { policies: inForce } = await policies.holdInForce(inner);
    const policy = inForce.find(({ document }) => document.name === wish.policyName);
    if (policy === undefined) throw notFound(`No policy named '${clip(wish.policyName)}' is in force.`);
    const rule = policy.document.break_glass;
    if (rule === undefined) throw new Problem('INVALID_STATE', `Policy '${wish.policyName}' has no break-glass. Open a request.`);
    await demandNamedPermission(inner, rule.permission);
    return breakGlass.open(inner, { ...wish, minutes: rule.minutes });
  });
}

async function demandNamedPermission(ctx: TxCtx, permission: string): Promise<void> {
  const { id, name } = ctx.principal;
  const { principals } = await people.readPeople(ctx, { ids: [id], groups: [], model: undefined, changedSince: ctx.clock.now() });
  if (principals.some((each) => each.id === id && each.kind === 'user' && each.isActive && each.permissions.includes(permission))) return;
  throw new Problem(
    'PERMISSION_DENIED',
    `Permission denied: '${clip(name)}' is no person with the permission '${permission}'. Somebody who has it opens it and makes the change.`,
  );
}

/** Shows that what is done will be undone; only `rehearse` makes one. */
declare const rehearsalMark: unique symbol;
export interface Rehearsal {
  readonly [rehearsalMark]: true;
}

/** Without asking anybody, since it is undone. */
export async function putInForce(
  ctx: TxCtx,
  _rehearsal: Rehearsal,
  named: readonly { readonly text: string; readonly policy: policies.NamedPolicy }[],
  withdrawn: readonly string[],
): Promise<void> {
  const published = named.map(({ text, policy }) => ({ ...policy, source: text, listedDigests: [] }));
  await policies.replace(ctx, unasked(), { published, withdrawn }, await stagesOf(ctx));
}

/** Does it, undoes it, and says why it could not be done; undefined where it could. */
export async function rehearse(ctx: Ctx, work: (inner: TxCtx, rehearsal: Rehearsal) => Promise<unknown>): Promise<Problem | undefined> {
  try {
    await transaction({ ...ctx, tx: undefined, warn: undefined }, async (inner) => {
      await work(inner, {} as Rehearsal); // the mark exists in types only; this function is the mint
      throw new Rehearsed();
    });
  } catch (error) {
    if (error instanceof Rehearsed) return undefined;
    if (error instanceof Problem) return error;
    throw error;
  }
  throw new TypeError('what is rehearsed is undone');
}

class Rehearsed extends Error {}

/** Files outside are copied in first: a transaction waits for nothing but the database. */
export async function sealVersion(ctx: Ctx, name: string, number: number, roots: FileRoots = new FileRoots([])): Promise<ModelVersion> {
  const version = await versions.get(ctx, name, number);
  const folder = versions.outsideFolder(version);
  if (folder !== undefined) {
    await transaction(ctx, (inner) => versions.demandSource(inner, version));
    return sealOutside(ctx, version, folder, roots);
  }
  return changing(ctx, name, number, async (inner) => {
    const found = await versions.get(inner, name, number);
    if (found.sealState !== 'sealed' && !found.isPrompt) await versions.demandSource(inner, found);
    return versions.seal(inner, found);
  });
}

async function sealOutside(ctx: Ctx, version: ModelVersion, folder: string, roots: FileRoots): Promise<ModelVersion> {
  // Of this call alone: another one at the same time must not mix its files in.
  const incoming = `${artifacts.SEALED_ROOT}/.incoming/${version.id}/${randomHex(ctx.clock)}`;
  try {
    await artifacts.copyIn(ctx, incoming, filesBelow(folder, roots));
    const sealed = await changing(ctx, version.name, version.version, async (inner) =>
      versions.seal(inner, await versions.get(inner, version.name, version.version), incoming),
    );
    if (sealed.sealState === 'sealed') return sealed;
    throw new Problem('INVALID_STATE', "The source has no file 'MLmodel' at its root. Write it, then seal the version.");
  } catch (error) {
    await transaction(ctx, (inner) => artifacts.dropCopied(inner, incoming));
    throw error;
  }
}

async function* filesBelow(folder: string, roots: FileRoots): AsyncGenerator<artifacts.IncomingFile> {
  for await (const file of roots.walk(folder, artifacts.COPIED_FILES_MAX)) {
    yield { path: file.relative, open: () => (file.sizeBytes === 0 ? Readable.from([]) : roots.read(file)) };
  }
}
