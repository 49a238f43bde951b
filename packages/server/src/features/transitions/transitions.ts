/**
 * The one door for every change of a governed target: stage, alias, entry into a model, tag, setting. Only this room makes Permits: it asks the
 * policies in force, from facts that are read in the transaction of the change.
 */
import { Readable } from 'node:stream';
import { checkAlias, checkModelName, checkRegistryTag } from '@countersign/contract/names.ts';
import type { Permit } from '@countersign/contract/permit.ts';
import { Problem } from '@countersign/contract/problem.ts';
import { demandActive, demandEdge, levelOfAlias, levelOfStages, type Stages, stageOf } from '@countersign/contract/stages.ts';
import { FileRoots } from '../../platform/blobs/file-roots.ts';
import { type Ctx, randomHex, type TxCtx, transaction, type WorkspaceRef } from '../../platform/context.ts';
import { demand, demandNoGain } from '../access/access.ts';
import { lockAccess } from '../accounts/accounts.ts';
import * as approvals from '../approvals/approvals.ts';
import * as artifacts from '../artifacts/artifacts.ts';
import type * as blocks from '../blocks/blocks.ts';
import type * as breakGlass from '../break-glass/break-glass.ts';
import type { RegisteredModel } from '../models/models.ts';
import * as models from '../models/models.ts';
import * as policies from '../policies/policies.ts';
import type { ModelVersion, NewVersion } from '../versions/versions.ts';
import * as versions from '../versions/versions.ts';
import { getStages } from '../workspaces/workspaces.ts';
import { type Proposal, readTarget } from './operation-rules.ts';
import * as operations from './operations.ts';
import { AS_CALLER, chooseEach, kindsOf, permit, unasked, type Way } from './permits.ts';
import { dropGovernedModelTags, dropGovernedTags, register, registerCandidate } from './registration.ts';
import { type BreakGlassWish, breakOpen, endBlock, type PolicyChanges, putPolicies, readPolicies } from './settings-changes.ts';
import { closeAll, isLeftAlone, settle } from './settlement.ts';
import { createTagged, tagModel, tagVersion } from './tags.ts';
import { stagesOf } from './workspace-stages.ts';

export { type Proposal, readTarget, subjectOf, type TargetChange, targetWords } from './operation-rules.ts';
export * as operations from './operations.ts';
export { type AskedFor, operationOf } from './operations.ts';
export { AS_CALLER, type Judgement, judge, NotYet, type Operation, Refused, type Way } from './permits.ts';
export { listUnsatisfiable, type Unsatisfiable } from './satisfiability.ts';
export { type BreakGlassWish, governSetting, type PolicyChanges } from './settings-changes.ts';
export { keepDeciders } from './settings-deciders.ts';
export { closeAll as closeRequests } from './settlement.ts';
export { canonicalStageOf, isActiveStage, stagesOf } from './workspace-stages.ts';

/** A transaction that decides by what stands in a model: nobody else changes that until the commit. */
async function changing<T>(ctx: Ctx, name: string, work: (inner: TxCtx) => Promise<T>, lane?: string): Promise<T> {
  const holding = async (inner: TxCtx): Promise<T> => {
    await models.hold(inner, name);
    return work(inner);
  };
  return transaction(ctx, holding, lane);
}

/** Where a version stands: whatever is written for it is of this one model, so changes of others may take turns with it. */
function placing<T>(ctx: Ctx, name: string, work: (inner: TxCtx) => Promise<T>): Promise<T> {
  return changing(ctx, name, work, `${ctx.workspace.id}/${name}`);
}

/**
 * A change of what a name leads to, which is one of access: alone from the start, since two processes that decide and then want to be alone would wait
 * for each other.
 */
function naming<T>(ctx: Ctx, name: string, work: (inner: TxCtx) => Promise<T>): Promise<T> {
  return changing(ctx, name, async (inner) => {
    await lockAccess(inner);
    return work(inner);
  });
}

/** Registers a version: entry into a model. What was asked for and let in meanwhile is given to whoever asked. */
export function registerVersion(ctx: Ctx, input: NewVersion): Promise<ModelVersion> {
  return changing(ctx, input.name, (inner) => register(inner, input));
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
  return placing(ctx, move.name, async (inner) => {
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
  return placing(ctx, name, async (inner) => {
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
  return placing(ctx, name, async (inner) => {
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
  return naming(ctx, name, async (inner) => {
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
  return naming(ctx, name, async (inner) => {
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

/** All models of the workspace, with their versions, are another workspace's from now on: entry there, under its rules. */
export function moveModels(ctx: Ctx, to: WorkspaceRef): Promise<void> {
  return transaction(ctx, async (inner) => {
    let allowed: Permit | undefined;
    const here = await policies.getInForce(inner);
    const there = await policies.getInForce({ ...inner, workspace: to });
    if (here.policies.length > 0 || there.policies.length > 0) {
      // They may come back there, with the tags that say which policy applies.
      for (const model of await models.listDeleted(inner)) allowed = await permit(inner, operations.moveOperation(inner, model, to));
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
    await lockAccess(inner);
    const model = await models.getDeleted(inner, id);
    const deletedAt = model.deletedAt ?? 0;
    const inForce = await policies.getInForce(inner);
    const returning =
      inForce.policies.length === 0 ? [] : (await versions.listDeleted(inner, model)).filter((each) => each.deletedAt === deletedAt);
    const allowed = await permit(inner, operations.modelRestorationOperation(inner, model, newName ?? model.name, returning));
    const restored = await models.restore(inner, allowed, model, newName);
    await versions.restoreAll(inner, allowed, model.id, deletedAt);
    for (const version of returning) await dropGovernedTags(inner, inForce, allowed, { ...version, name: restored.name });
    if (inForce.policies.length === 0) return restored;
    await dropGovernedModelTags(inner, inForce, allowed, restored);
    return models.get(inner, restored.name);
  });
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
  return changing(ctx, name, async (inner) => {
    const version = await versions.get(inner, name, number);
    const operation = operations.deletionOperation(inner, version);
    const allowed = await permit(inner, operation, way);
    await settle(inner, operation, allowed, way);
    await closeAll(inner, await approvals.listOpenOfVersion(inner, version.id));
    await versions.remove(inner, allowed, await models.get(inner, name), version);
  });
}

export function restoreVersion(ctx: Ctx, name: string, number: number, way: Way = AS_CALLER): Promise<ModelVersion> {
  return changing(ctx, name, async (inner) => {
    const model = await models.get(inner, name);
    const version = await versions.getDeleted(inner, model, number);
    const operation = operations.restorationOperation(inner, version);
    const allowed = await permit(inner, operation, way);
    const restored = await versions.restore(inner, allowed, model, number);
    const inForce = await policies.getInForce(inner);
    if (inForce.policies.length > 0) await dropGovernedTags(inner, inForce, allowed, version);
    await settle(inner, operation, allowed, way);
    return inForce.policies.length > 0 ? versions.get(inner, name, number) : restored;
  });
}

/** With tags that no policy is about, or that it lets in: others are asked for once the model is there. */
export function createModel(ctx: Ctx, input: models.NewModel): Promise<RegisteredModel> {
  return transaction(ctx, (inner) => createTagged(inner, input));
}

/** `value` null: it is taken away. */
export async function setModelTag(ctx: Ctx, name: string, key: string, value: string | null, way: Way = AS_CALLER): Promise<void> {
  if (value !== null) checkRegistryTag(key, value);
  return transaction(ctx, (inner) => tagModel(inner, name, key, value, way));
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
  return transaction(ctx, (inner) => tagVersion(inner, name, number, key, value, way));
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

/** Which policies are in force is governed as the setting 'policies'. Answers those that were published. */
export async function replacePolicies(ctx: Ctx, changes: PolicyChanges): Promise<readonly policies.PublishedPolicy[]> {
  const published = await readPolicies(changes);
  return transaction(ctx, (inner) => putPolicies(inner, published, changes.withdrawn));
}

/** A block holds until somebody else agrees that it ends. */
export function liftBlock(ctx: Ctx, digest: string, reason: string, reach: blocks.Reach = {}): Promise<void> {
  return transaction(ctx, (inner) => endBlock(inner, digest, reason, reach));
}

/** RESOURCE_DOES_NOT_EXIST without such a policy, INVALID_STATE where it has no break-glass, PERMISSION_DENIED for whom it doesn't let. */
export function openBreakGlass(ctx: Ctx, wish: BreakGlassWish): Promise<breakGlass.Opening> {
  return transaction(ctx, (inner) => breakOpen(inner, wish));
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
  return changing(ctx, name, async (inner) => {
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
    const sealed = await changing(ctx, version.name, async (inner) =>
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
