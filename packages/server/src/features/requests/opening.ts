/** From what somebody wishes to an open request: the operation, the evidence and the bytes that approvals will be of. */
import { durationMs } from '@countersign/contract/policies.ts';
import { invalid, Problem } from '@countersign/contract/problem.ts';
import { demandActive, demandEdge, stageOf } from '@countersign/contract/stages.ts';
import type { Ctx, TxCtx } from '../../platform/context.ts';
import * as approvals from '../approvals/approvals.ts';
import * as candidates from '../candidates/candidates.ts';
import * as evidence from '../evidence/evidence.ts';
import * as models from '../models/models.ts';
import * as transitions from '../transitions/transitions.ts';
import type { ModelVersion, NewVersion, Resolved } from '../versions/versions.ts';
import * as versions from '../versions/versions.ts';
import { getStages } from '../workspaces/workspaces.ts';
import { type WayToAsk, wayToAsk, wayToOpen } from './asking-rules.ts';
import type { Wish } from './request-rules.ts';

export async function operationFor(ctx: TxCtx, model: models.ModelIdentity, wish: Wish): Promise<transitions.Operation> {
  const { target } = wish;
  const { operations } = transitions;
  switch (target.kind) {
    case 'stage': {
      const version = await versionOf(ctx, model, wish);
      const stages = await getStages(ctx);
      const stage = stageOf(stages, target.stage);
      if (wish.archiveExisting === true) demandActive(stages, stage);
      if (version.stage === stage && wish.isSame !== true) {
        throw invalid(`Version ${version.version} of '${version.name}' is in ${stage} already. Ask for another stage.`);
      }
      if (wish.isSame !== true) demandEdge(stages, version, stage);
      return operations.stageOperation(ctx, version, stage, wish.archiveExisting ?? false);
    }
    case 'alias': {
      const version = await versionOf(ctx, model, wish);
      return wish.change === 'leave'
        ? operations.aliasRemovalOperation(ctx, version, target.alias)
        : operations.aliasOperation(ctx, version, target.alias);
    }
    case 'tag': {
      const value = wish.change === 'leave' ? null : (target.value ?? '');
      return wish.version === undefined
        ? operations.modelTagOperation(ctx, model, target.key, value)
        : operations.versionTagOperation(ctx, await versionOf(ctx, model, wish), target.key, value);
    }
    case 'entry':
      return entryFor(ctx, model, wish);
    case 'rename':
      return operations.renameOperation(ctx, model, target.newName);
  }
}

async function entryFor(ctx: TxCtx, model: models.ModelIdentity, wish: Wish): Promise<transitions.Operation> {
  const { operations } = transitions;
  if (wish.registration !== undefined) {
    const input = { ...wish.registration, name: model.name };
    return wish.isSame === true ? registrationOf(ctx, model, input) : candidateFor(ctx, model, input);
  }
  if (wish.change !== 'leave') {
    const deleted =
      wish.version === undefined ? undefined : await versions.getDeleted(ctx, await models.get(ctx, model.name), wish.version);
    if (deleted !== undefined) return operations.restorationOperation(ctx, deleted);
    throw invalid(
      "A request for entry says from where: give 'source', and 'run_id' where it is of a run; or the number of a deleted version.",
    );
  }
  return wish.version === undefined
    ? operations.modelDeletionOperation(ctx, model)
    : operations.deletionOperation(ctx, await versionOf(ctx, model, wish));
}

/** As the call would make it now: with what was asked for before, where it is the same bytes. */
async function registrationOf(ctx: TxCtx, model: models.ModelIdentity, input: NewVersion): Promise<transitions.Operation> {
  const resolved = await versions.resolve(ctx, model, input);
  const asked = await candidates.findAsked(ctx, model.id, resolved.source);
  return transitions.operations.entryOperation(ctx, model, input, resolved, asked?.digest === resolved.seal.digest ? asked : undefined);
}

/** Seals what would be registered, so that approvals are of its bytes. RESOURCE_ALREADY_EXISTS where others ask for these bytes in other words. */
async function candidateFor(ctx: TxCtx, model: models.ModelIdentity, input: NewVersion): Promise<transitions.Operation> {
  const resolved = await versions.resolve(ctx, model, input);
  await demandSame(ctx, model, input, resolved);
  const candidate = await candidates.make(ctx, model.id, input, resolved);
  return transitions.operations.entryOperation(ctx, model, input, resolved, candidate);
}

/** The same bytes enter once, and with one description: who wants another is told of the request that is open. */
async function demandSame(ctx: TxCtx, model: models.ModelIdentity, input: NewVersion, resolved: Resolved): Promise<void> {
  const waiting = await candidates.findWaiting(ctx, model.id, resolved);
  if (waiting === undefined || candidates.isSame(waiting, input, resolved)) return;
  const open = await approvals.listOpen(ctx, { about: `candidate:${waiting.id}`, subject: ENTRY });
  const [other] = open;
  if (other === undefined || open.some(({ createdBy }) => createdBy === ctx.principal.id)) return;
  throw new Problem(
    'RESOURCE_ALREADY_EXISTS',
    `Request ${other.id} is open for the same bytes, with another description, other tags or another run: GET /api/v1/requests/${other.id}. Ask with the same ones, which joins it; or wait for its answer.`,
  );
}

const ENTRY = 'entry';

async function versionOf(ctx: TxCtx, model: models.ModelIdentity, wish: Wish): Promise<ModelVersion> {
  if (wish.version === undefined) throw invalid("Say which version: give 'version'.");
  return versions.get(ctx, model.name, wish.version);
}

export async function mustOpen(ctx: TxCtx, operation: transitions.Operation, comment: string | undefined): Promise<approvals.Request> {
  const request = await open(ctx, operation, comment);
  if (request !== undefined) return request;
  const own = await findOwn(ctx, operation);
  throw new Problem(
    'RESOURCE_ALREADY_EXISTS',
    `You have an open request for ${describe(operation)} already${own === undefined ? '' : `: request ${own.id}`}. Wait for its answer, or cancel it first.`,
  );
}

export async function findOwn(ctx: TxCtx, operation: transitions.Operation): Promise<approvals.Request | undefined> {
  const open = await approvals.listOpen(ctx, { about: operation.about, subject: transitions.subjectOf(operation.proposal) });
  return open.find((each) => each.createdBy === ctx.principal.id);
}

/** The request that is open for it, whoever made it; else how one is made. undefined where nobody asks for it. */
export async function findWayToAsk(ctx: Ctx, { about, proposal, registration }: transitions.Operation): Promise<WayToAsk | undefined> {
  const waiting = registration === undefined ? undefined : await candidates.findWaiting(ctx, registration.modelId, registration.resolved);
  const change = { about: waiting === undefined ? about : `candidate:${waiting.id}`, subject: transitions.subjectOf(proposal) };
  const [open] = await approvals.listOpen(ctx, change);
  return open === undefined ? wayToAsk(proposal, registration?.input) : wayToOpen(open.id);
}

function describe({ proposal, asks }: transitions.Operation): string {
  const of =
    'version' in proposal && proposal.version !== null
      ? `version ${proposal.version} of '${proposal.name}'`
      : 'name' in proposal
        ? `'${proposal.name}'`
        : 'a setting';
  return `${of} (${transitions.targetWords(asks.target)})`;
}

/** Undefined where the caller has an open one for the same. Takes the evidence that approvals will be of. */
export async function open(
  ctx: TxCtx,
  operation: transitions.Operation,
  comment: string | undefined,
): Promise<approvals.Request | undefined> {
  if (operation.version !== undefined) await takeEvidence(ctx, operation.version);
  const { asked } = await transitions.judge(ctx, operation);
  const now = ctx.clock.now();
  const lasts = Math.min(...asked.map(({ policy }) => durationMs(policy.document.expiry.request)));
  const model = await operation.model?.();
  const candidateId = operation.about.startsWith('candidate:') ? Number(operation.about.slice('candidate:'.length)) : null;
  const { version } = operation;
  return approvals.open(
    ctx,
    {
      workspaceId: ctx.workspace.id,
      about: operation.about,
      subject: transitions.subjectOf(operation.proposal),
      target: transitions.targetWords(operation.asks.target),
      change: operation.asks.change,
      proposal: JSON.stringify(operation.proposal),
      modelId: model?.id ?? null,
      versionId: version?.id ?? null,
      candidateId,
      createdBy: ctx.principal.id,
      createdAt: now,
      expiresAt: Number.isFinite(lasts) ? now + lasts : null,
    },
    { number: version?.version, from: version?.stage },
    comment,
  );
}

/** What is known of it today; where somebody approved something of it already, what he saw stays. */
async function takeEvidence(ctx: TxCtx, version: ModelVersion): Promise<void> {
  for (const request of await approvals.listOpenOfVersion(ctx, version.id)) {
    if ((await approvals.listLive(ctx, request)).length > 0) return;
  }
  await evidence.renew(ctx, version.name, version.version);
}

/** The same change in a transaction of its own: what was refused was undone. */
export async function renewed(
  ctx: TxCtx,
  operation: transitions.Operation,
  registration: transitions.Operation['registration'],
): Promise<transitions.Operation> {
  const { proposal, version, about } = operation;
  if (registration !== undefined) {
    await models.holdById(ctx, registration.modelId);
    return candidateFor(ctx, await models.getIdentity(ctx, registration.input.name), registration.input);
  }
  const model = version?.modelId ?? (about.startsWith('model:') ? Number(about.slice('model:'.length)) : null);
  if (model !== null) await models.holdById(ctx, model);
  return transitions.operationOf(ctx, {
    id: 0,
    proposal: JSON.stringify(proposal),
    versionId: version?.id ?? null,
    modelId: model,
    candidateId: null,
  });
}
