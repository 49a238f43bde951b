/**
 * The one door for every change of a governed target: stage, alias, entry into a model, tag. Only this room makes Permits.
 * No policy exists yet, so every request is allowed; the question is asked all the same, at the place where it will be answered.
 */
import { Readable } from 'node:stream';
import type { Level } from '@countersign/contract/levels.ts';
import { checkAlias, checkModelName, checkRegistryTag } from '@countersign/contract/names.ts';
import type { GovernedTarget, Permit } from '@countersign/contract/permit.ts';
import { invalid, Problem } from '@countersign/contract/problem.ts';
import { canonicalStage } from '@countersign/contract/stages.ts';
import { FileRoots } from '../../platform/blobs/file-roots.ts';
import { type Ctx, randomHex, type TxCtx, transaction, type WorkspaceRef } from '../../platform/context.ts';
import { demand, demandNoGain } from '../access/access.ts';
import * as artifacts from '../artifacts/artifacts.ts';
import type { RegisteredModel } from '../models/models.ts';
import * as models from '../models/models.ts';
import type { ModelVersion, NewVersion } from '../versions/versions.ts';
import * as versions from '../versions/versions.ts';

/** Asks the policies in force. Without one, everything is allowed. */
function permit(...targets: GovernedTarget[]): Permit {
  return { targets, policy: undefined } as unknown as Permit; // the mark exists in types only; this function is the mint
}

/** A transaction that decides by what stands in a model: nobody else changes that until the commit. */
function changing<T>(ctx: Ctx, name: string, work: (inner: TxCtx) => Promise<T>): Promise<T> {
  return transaction(ctx, async (inner) => {
    await models.hold(inner, name);
    return work(inner);
  });
}

/** Registers a version: entry into a model. */
export function registerVersion(ctx: Ctx, input: NewVersion): Promise<ModelVersion> {
  return changing(ctx, input.name, async (inner) => {
    const model = await models.getIdentity(inner, input.name);
    return versions.create(inner, permit({ kind: 'entry' }, ...input.tags.map((tag) => tagTarget(tag.key))), model, input);
  });
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

/** Is told of each version that was moved, in the transaction. */
export type AfterMove = (ctx: TxCtx, moved: ModelVersion) => Promise<void>;

/** Both halves go through the door: what enters, and what archive_existing_versions makes leave. */
export function moveStage(ctx: Ctx, move: StageMove, afterMove: AfterMove = async () => {}): Promise<ModelVersion> {
  const stage = canonicalStage(move.stage);
  if (move.archiveExisting && stage !== 'Staging' && stage !== 'Production') {
    throw invalid(
      `Model version transition cannot archive existing model versions because '${stage}' is not an Active stage. Valid stages are Staging, Production.`,
    );
  }
  return changing(ctx, move.name, async (inner) => {
    const version = await versions.get(inner, move.name, move.version);
    demandMove(inner, version, stage);
    const at = inner.clock.now();
    if (move.archiveExisting) await archiveOthers(inner, version, stage, at, afterMove);
    const allowed = permit(stageTarget(version.stage), stageTarget(stage));
    const moved = await versions.setStage(inner, allowed, version, stage, at, { comment: move.comment });
    await models.touch(inner, version.modelId, at);
    await afterMove(inner, moved);
    return moved;
  });
}

/** Whoever moves a version into or out of Production needs more than between the others. */
export function levelOfMove(version: Pick<ModelVersion, 'stage'>, stage: string): Level {
  return version.stage === 'Production' || stage === 'Production' ? 'MANAGE_PRODUCTION' : 'MANAGE_STAGING';
}

/** Throws PERMISSION_DENIED. */
export function demandMove(ctx: Ctx, version: ModelVersion, stage: string): void {
  demand(ctx, 'registered-model', { id: version.modelId, name: version.name }, levelOfMove(version, stage));
}

async function archiveOthers(
  ctx: TxCtx,
  keep: ModelVersion,
  stage: ModelVersion['stage'],
  at: number,
  afterMove: AfterMove,
): Promise<void> {
  for (const other of await versions.listInStage(ctx, { id: keep.modelId }, stage)) {
    if (other.id === keep.id) continue;
    const allowed = permit(stageTarget(stage), stageTarget('Archived'));
    await afterMove(ctx, await versions.setStage(ctx, allowed, other, 'Archived', at, { replacedBy: keep.version }));
  }
}

export function setAlias(ctx: Ctx, name: string, alias: string, version: number): Promise<void> {
  checkAlias(alias);
  return changing(ctx, name, async (inner) => {
    const model = await models.getIdentity(inner, name);
    demandAlias(inner, { id: model.id, name }, alias);
    await versions.setAlias(inner, permit({ kind: 'alias', alias }), model, alias, version);
  });
}

/** An alias that is called like a stage is taken for it, so it asks for as much. */
function demandAlias(ctx: Ctx, model: { id: number; name: string }, alias: string): void {
  if (/^production$/i.test(alias)) demand(ctx, 'registered-model', model, 'MANAGE_PRODUCTION');
  else if (/^(staging|archived|none)$/i.test(alias)) demand(ctx, 'registered-model', model, 'MANAGE_STAGING');
}

export function deleteAlias(ctx: Ctx, name: string, alias: string): Promise<void> {
  return changing(ctx, name, async (inner) =>
    versions.deleteAlias(inner, permit({ kind: 'alias', alias }), await models.getIdentity(inner, name), alias),
  );
}

/** Its name may bring it under another policy. */
export function renameModel(ctx: Ctx, name: string, newName: string): Promise<RegisteredModel> {
  checkModelName(newName);
  return changing(ctx, name, async (inner) => {
    const model = await models.get(inner, name);
    demandNoGain(inner, 'registered-model', model, newName);
    const renamed = await models.rename(inner, permit({ kind: 'entry' }), model, newName);
    await versions.touchAll(inner, renamed, renamed.updatedAt);
    return renamed;
  });
}

export function deleteModel(ctx: Ctx, name: string): Promise<void> {
  return changing(ctx, name, async (inner) => {
    const model = await models.get(inner, name);
    const at = inner.clock.now();
    const allowed = permit({ kind: 'entry' });
    await versions.removeAll(inner, allowed, model, at);
    await models.remove(inner, allowed, model, at);
  });
}

/** All models of the workspace, with their versions, are another workspace's from now on: entry there, under its rules. */
export function moveModels(ctx: Ctx, to: WorkspaceRef): Promise<void> {
  return transaction(ctx, async (inner) => {
    const allowed = permit({ kind: 'entry' });
    await models.moveAll(inner, allowed, to);
    await versions.moveAll(inner, allowed, to);
  });
}

/** Its versions and tags come back; no stage, no alias. */
export function restoreModel(ctx: Ctx, id: number, newName: string | undefined): Promise<RegisteredModel> {
  return transaction(ctx, async (inner) => {
    await models.holdById(inner, id);
    const model = await models.getDeleted(inner, id);
    const allowed = permit({ kind: 'entry' });
    const restored = await models.restore(inner, allowed, model, newName);
    await versions.restoreAll(inner, allowed, model.id, model.deletedAt ?? 0);
    return restored;
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

export function deleteVersion(ctx: Ctx, name: string, number: number): Promise<void> {
  return changing(ctx, name, async (inner) => {
    const version = await versions.get(inner, name, number);
    await versions.remove(inner, permit({ kind: 'entry' }, stageTarget(version.stage)), await models.get(inner, name), version);
  });
}

export function restoreVersion(ctx: Ctx, name: string, number: number): Promise<ModelVersion> {
  return changing(ctx, name, async (inner) => versions.restore(inner, permit({ kind: 'entry' }), await models.get(inner, name), number));
}

export function setModelTag(ctx: Ctx, name: string, key: string, value: string): Promise<void> {
  checkRegistryTag(key, value);
  return transaction(ctx, async (inner) => models.setTag(inner, permit(tagTarget(key)), await models.getIdentity(inner, name), key, value));
}

export function deleteModelTag(ctx: Ctx, name: string, key: string): Promise<void> {
  return transaction(ctx, async (inner) => models.deleteTag(inner, permit(tagTarget(key)), await models.getIdentity(inner, name), key));
}

export function setVersionTag(ctx: Ctx, name: string, number: number, key: string, value: string): Promise<void> {
  return transaction(ctx, async (inner) =>
    versions.setTag(inner, permit(tagTarget(key)), await versions.getIdentity(inner, name, number), key, value),
  );
}

export function deleteVersionTag(ctx: Ctx, name: string, number: number, key: string): Promise<void> {
  return transaction(ctx, async (inner) =>
    versions.deleteTag(inner, permit(tagTarget(key)), await versions.getIdentity(inner, name, number), key),
  );
}

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

function stageTarget(stage: string): GovernedTarget {
  return { kind: 'stage', stage };
}

function tagTarget(key: string): GovernedTarget {
  return { kind: 'tag', key };
}
