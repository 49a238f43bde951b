/** Each change as an operation: what it is of, and every governed target that it touches. */
import type { GovernedTarget } from '@countersign/contract/permit.ts';
import { notFound } from '@countersign/contract/problem.ts';
import type { Ctx, WorkspaceRef } from '../../platform/context.ts';
import type { Request as WholeRequest } from '../approvals/approvals.ts';
import { type Candidate, subjectOf as candidateSubject, find as findCandidate } from '../candidates/candidates.ts';
import * as evidence from '../evidence/evidence.ts';
import * as models from '../models/models.ts';
import * as policies from '../policies/policies.ts';
import type { ModelVersion, NewVersion, Resolved } from '../versions/versions.ts';
import * as versions from '../versions/versions.ts';
import { leavingChanges, type Proposal, placesOf, stageChanges, type TargetChange } from './operation-rules.ts';
import { chooseEach, type GovernedModel, kindsOf, type Operation, type OtherChange } from './permits.ts';
import { displaced, rechosen, rechosenByTags, rechosenTags, type Situation } from './policy-changes.ts';
import { findFallback } from './settings-fallback.ts';

/** What of a request says what is asked for. */
export type AskedFor = Pick<WholeRequest, 'id' | 'proposal' | 'modelId' | 'versionId' | 'candidateId'>;

type ModelOf = Pick<models.ModelIdentity, 'id' | 'name'>;

const aboutVersion = (version: Pick<ModelVersion, 'id'>): string => `version:${version.id}`;
const aboutModel = (model: ModelOf): string => `model:${model.id}`;

const ENTRY: TargetChange = { target: { kind: 'entry' }, change: 'enter' };

function single(change: TargetChange): Pick<Operation, 'asks' | 'changes'> {
  return { asks: change, changes: [change] };
}

/** With the tags that policies match by. */
export function governedModel(ctx: Ctx, id: number): () => Promise<GovernedModel> {
  return async () => {
    const model = await models.findById(ctx, id);
    if (model === undefined) throw notFound(`There is no registered model with the id ${id}.`);
    return model;
  };
}

export function stageOperation(ctx: Ctx, version: ModelVersion, stage: string, archiveExisting: boolean): Operation {
  const { name, version: number, modelId } = version;
  const changes = stageChanges(version.stage, stage);
  const asks: TargetChange = { target: { kind: 'stage', stage }, change: 'enter' };
  const listStanding = (): Promise<ModelVersion[]> => versions.listInStage(ctx, { id: modelId }, stage);
  return {
    about: aboutVersion(version),
    proposal: { op: 'stage', name, version: number, stage, archiveExisting },
    asks,
    changes,
    model: governedModel(ctx, modelId),
    version,
    ...(archiveExisting
      ? { others: async (inForce, model) => displaced(ctx, { inForce, model }, asks.target, version, listStanding) }
      : {}),
  };
}

/** A version makes room for another one: that it leaves is a part of the other's entry. */
export function replacementOperation(ctx: Ctx, version: ModelVersion, stage: string): Operation {
  const whole = stageOperation(ctx, version, stage, false);
  return { ...whole, changes: [whole.asks] };
}

export function aliasOperation(ctx: Ctx, version: ModelVersion, alias: string): Operation {
  const target: GovernedTarget = { kind: 'alias', alias };
  const listHolder = async (): Promise<ModelVersion[]> => {
    const holder = await versions.findAlias(ctx, { id: version.modelId }, alias);
    return holder === undefined ? [] : versions.listByIds(ctx, [holder.versionId]);
  };
  return {
    about: aboutVersion(version),
    proposal: { op: 'alias', name: version.name, version: version.version, alias },
    ...single({ target, change: 'enter' }),
    model: governedModel(ctx, version.modelId),
    version,
    others: async (inForce, model) => displaced(ctx, { inForce, model }, target, version, listHolder),
  };
}

export function aliasRemovalOperation(ctx: Ctx, version: ModelVersion, alias: string): Operation {
  return {
    about: aboutVersion(version),
    proposal: { op: 'alias-removal', name: version.name, version: version.version, alias },
    ...single({ target: { kind: 'alias', alias }, change: 'leave' }),
    model: governedModel(ctx, version.modelId),
    version,
  };
}

/** `candidate`: what was asked for before, with its approvals; else nothing was. */
export function entryOperation(
  ctx: Ctx,
  model: ModelOf,
  input: NewVersion,
  resolved: Resolved,
  candidate: Candidate | undefined,
): Operation {
  const by = candidate?.createdBy ?? ctx.principal.id;
  const tags = input.tags.map(({ key }): TargetChange => ({ target: { kind: 'tag', key }, change: 'enter' }));
  return {
    about: `candidate:${candidate?.id ?? 0}`,
    proposal: { op: 'registration', name: model.name },
    asks: ENTRY,
    changes: [ENTRY, ...tags],
    model: governedModel(ctx, model.id),
    version: undefined,
    isPrompt: models.isPromptTagged(input.tags),
    registration: { modelId: model.id, input, resolved },
    entering: async () => {
      const subject = candidateSubject(input, resolved);
      const known = await evidenceOf(ctx, candidate, subject);
      return {
        digest: resolved.seal.digest,
        evidence: known,
        subject: { ...subject, originVersionId: resolved.originVersionId ?? null, registeredBy: by, editedBy: by },
      };
    },
  };
}

/** Stored where it can be: nothing is written for whoever only looks. */
function evidenceOf(ctx: Ctx, candidate: Candidate | undefined, subject: evidence.Subject): Promise<evidence.Evidence> {
  if (candidate === undefined) return evidence.compute(ctx, subject);
  return ctx.tx === undefined
    ? evidence.currentOfCandidate(ctx, candidate.id, subject)
    : evidence.ensureOfCandidate({ ...ctx, tx: ctx.tx }, candidate, subject);
}

/** The configuration of a prompt's model is no part of its seal, so it is governed where the prompt stands. */
const PROMPT_MODEL_CONFIG = '_mlflow_prompt_model_config';

export function versionTagOperation(ctx: Ctx, version: ModelVersion, key: string, value: string | null): Operation {
  const model = governedModel(ctx, version.modelId);
  return {
    about: aboutVersion(version),
    proposal: { op: 'tag', name: version.name, version: version.version, key, value },
    ...single({ target: { kind: 'tag', key }, change: value === null ? 'leave' : 'enter' }),
    model,
    version,
    ...(isConfiguration(version, key)
      ? { others: async (inForce) => entering(ctx, inForce, version, placesOf(version), await model()) }
      : {}),
  };
}

/** Also of what only calls itself a prompt: clients read it so. */
export function isConfiguration(version: Pick<ModelVersion, 'isPrompt' | 'tags'>, key: string): boolean {
  return key === PROMPT_MODEL_CONFIG && kindsOf(version).includes(true);
}

/** Where no policy is in force, so that nothing more of the version is read. */
export function freeTagOperation(version: versions.VersionIdentity, key: string, value: string | null): Operation {
  return {
    about: aboutVersion(version),
    proposal: { op: 'tag', name: version.name, version: version.version, key, value },
    ...single({ target: { kind: 'tag', key }, change: value === null ? 'leave' : 'enter' }),
    model: undefined,
    version: undefined,
  };
}

async function entering(
  ctx: Ctx,
  inForce: policies.PoliciesInForce,
  version: ModelVersion,
  places: readonly GovernedTarget[],
  model: GovernedModel,
): Promise<readonly OtherChange[]> {
  const found: OtherChange[] = [];
  for (const target of places) {
    const chosen = await chooseEach(ctx, inForce, target, model, kindsOf(version));
    found.push(...chosen.map((policy): OtherChange => ({ version, change: { target, change: 'enter' }, policy })));
  }
  return found;
}

/** `given`: the tags that it had before, where the model is just being made. */
export function modelTagOperation(ctx: Ctx, model: ModelOf, key: string, value: string | null, given?: readonly models.Tag[]): Operation {
  const now = governedModel(ctx, model.id);
  const before = given === undefined ? now : async () => ({ ...(await now()), tags: given, isPrompt: models.isPromptTagged(given) });
  return {
    about: aboutModel(model),
    proposal: { op: 'tag', name: model.name, version: null, key, value },
    ...single({ target: { kind: 'tag', key }, change: value === null ? 'leave' : 'enter' }),
    model: before,
    version: undefined,
    others: async (inForce) => {
      if (!inForce.decidingKeys.has(key) && key !== models.PROMPT_TAG) return [];
      const old = await before();
      const kept = old.tags.filter((tag) => tag.key !== key);
      const tags = value === null ? kept : [...kept, { key, value }];
      return rechosenInAll(ctx, { inForce, model: old }, { inForce, model: { ...old, tags, isPrompt: models.isPromptTagged(tags) } });
    },
  };
}

export function renameOperation(ctx: Ctx, model: ModelOf, newName: string): Operation {
  const before = governedModel(ctx, model.id);
  return {
    about: aboutModel(model),
    proposal: { op: 'rename', name: model.name, newName },
    asks: ENTRY,
    changes: [],
    model: before,
    version: undefined,
    others: async (inForce) => {
      const old = await before();
      return rechosenInAll(ctx, { inForce, model: old }, { inForce, model: { ...old, name: newName }, isElsewhere: newName !== old.name });
    },
  };
}

/** Another workspace's policies hold for a model that moves there. */
export function moveOperation(ctx: Ctx, model: ModelOf, to: WorkspaceRef): Operation {
  const before = governedModel(ctx, model.id);
  return {
    about: aboutModel(model),
    proposal: { op: 'move', name: model.name, workspace: to.name },
    asks: ENTRY,
    changes: [],
    model: before,
    version: undefined,
    others: async (inForce) => {
      const same = await before();
      const there = await policies.getInForce({ ...ctx, workspace: to });
      return rechosenInAll(ctx, { inForce, model: same }, { inForce: there, model: same, workspace: to, isElsewhere: true });
    },
  };
}

async function rechosenInAll(ctx: Ctx, before: Situation, after: Situation): Promise<readonly OtherChange[]> {
  return [
    ...(await rechosen(ctx, before, after)),
    ...(await rechosenTags(ctx, before, after)),
    ...(await rechosenByTags(ctx, before, after)),
  ];
}

export function deletionOperation(ctx: Ctx, version: ModelVersion): Operation {
  return {
    about: aboutVersion(version),
    proposal: { op: 'deletion', name: version.name, version: version.version },
    asks: { ...ENTRY, change: 'leave' },
    changes: leavingChanges(version),
    model: governedModel(ctx, version.modelId),
    version,
  };
}

export function modelDeletionOperation(ctx: Ctx, model: ModelOf): Operation {
  const governed = governedModel(ctx, model.id);
  return {
    about: aboutModel(model),
    proposal: { op: 'deletion', name: model.name, version: null },
    asks: { ...ENTRY, change: 'leave' },
    changes: [],
    model: governed,
    version: undefined,
    others: async (inForce) => {
      const old = await governed();
      const none = { inForce: { ...inForce, policies: [] }, model: old };
      return rechosen(ctx, { inForce, model: old }, none);
    },
  };
}

export function restorationOperation(ctx: Ctx, version: ModelVersion): Operation {
  return {
    about: aboutVersion(version),
    proposal: { op: 'restoration', name: version.name, version: version.version },
    ...single({ target: { kind: 'entry' }, change: 'enter' }),
    model: governedModel(ctx, version.modelId),
    version,
  };
}

/** Its versions come back into the model of that name, each as an entry. */
export function modelRestorationOperation(
  ctx: Ctx,
  model: models.RegisteredModel,
  name: string,
  restored: readonly ModelVersion[],
): Operation {
  const then: GovernedModel = { ...model, name };
  return {
    about: aboutModel(model),
    proposal: { op: 'model-restoration', name },
    asks: ENTRY,
    changes: [],
    model: async () => then,
    version: undefined,
    others: async (inForce) => {
      const changes: OtherChange[] = [];
      for (const version of restored) changes.push(...(await entering(ctx, inForce, version, [{ kind: 'entry' }], then)));
      const isElsewhere = name !== model.name;
      return [...changes, ...(await rechosenByTags(ctx, { inForce, model }, { inForce, model: then, isElsewhere }))];
    },
  };
}

/** Of administration: nobody's bytes, and the words say what it is. */
export async function settingOperation(ctx: Ctx, setting: string, words: string): Promise<Operation> {
  const fallback = await findFallback(ctx);
  return {
    ...(fallback === undefined ? {} : { fallback }),
    workspace: ctx.workspace,
    about: `workspace:${ctx.workspace.id}`,
    proposal: { op: 'setting', setting, words },
    ...single({ target: { kind: 'setting', setting }, change: 'enter' }),
    model: undefined,
    version: undefined,
  };
}

/** What a request asks for, as it is now. RESOURCE_DOES_NOT_EXIST where what it is about is gone. */
export async function operationOf(ctx: Ctx, request: AskedFor): Promise<Operation> {
  const proposal = JSON.parse(request.proposal) as Proposal; // written by this room alone
  const version = request.versionId === null ? undefined : await versions.findById(ctx, request.versionId);
  const model = request.modelId === null ? undefined : await models.findById(ctx, request.modelId);
  switch (proposal.op) {
    case 'stage':
      return stageOperation(ctx, there(request, version), proposal.stage, proposal.archiveExisting);
    case 'alias':
      return aliasOperation(ctx, there(request, version), proposal.alias);
    case 'alias-removal':
      return aliasRemovalOperation(ctx, there(request, version), proposal.alias);
    case 'registration': {
      const candidate = there(request, request.candidateId === null ? undefined : await findCandidate(ctx, request.candidateId));
      return entryOperation(ctx, there(request, model), candidate.input, candidate.resolved, candidate);
    }
    case 'tag':
      return proposal.version === null
        ? modelTagOperation(ctx, there(request, model), proposal.key, proposal.value)
        : versionTagOperation(ctx, there(request, version), proposal.key, proposal.value);
    case 'deletion':
      return proposal.version === null
        ? modelDeletionOperation(ctx, there(request, model))
        : deletionOperation(ctx, there(request, version));
    case 'restoration':
      return restorationOperation(ctx, there(request, version));
    case 'rename':
      return renameOperation(ctx, there(request, model), proposal.newName);
    case 'setting':
      return settingOperation(ctx, proposal.setting, proposal.words);
    case 'move':
    case 'model-restoration':
      throw new TypeError(`nobody asks for ${proposal.op}`);
  }
}

function there<T>(request: AskedFor, found: T | undefined): T {
  if (found === undefined) throw notFound(`What request ${request.id} is about is not there any more.`);
  return found;
}
