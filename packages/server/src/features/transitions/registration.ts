/** How a version enters a model: by its caller, or as a candidate that approvals let in. */
import type { Permit } from '@countersign/contract/permit.ts';
import { notFound, Problem } from '@countersign/contract/problem.ts';
import type { TxCtx } from '../../platform/context.ts';
import { AS_LOCAL } from '../access/access.ts';
import * as candidates from '../candidates/candidates.ts';
import * as evidence from '../evidence/evidence.ts';
import * as models from '../models/models.ts';
import * as policies from '../policies/policies.ts';
import type { ModelVersion, NewVersion } from '../versions/versions.ts';
import * as versions from '../versions/versions.ts';
import * as operations from './operations.ts';
import { AS_CALLER, admit, choose, type Operation, permit, type Way } from './permits.ts';
import { settle } from './settlement.ts';

/** Registers a version: entry into a model. What was asked for and let in meanwhile is given to whoever asked. */
export async function register(ctx: TxCtx, input: NewVersion): Promise<ModelVersion> {
  const model = await models.getIdentity(ctx, input.name);
  const inForce = await policies.getInForce(ctx);
  const isGoverned = inForce.policies.length > 0;
  const kept = isGoverned && versions.isCopy(input.source) ? await withoutGovernedTags(ctx, inForce, model, input) : input;
  const resolved = await versions.resolve(ctx, model, kept);
  const asked = isGoverned ? await candidates.findAsked(ctx, model.id, resolved.source) : undefined;
  // What gives other bytes now is another candidate.
  const candidate = asked?.digest === resolved.seal.digest ? asked : undefined;
  const registered = candidate?.versionId ? await versions.findById(ctx, candidate.versionId) : undefined;
  if (candidate !== undefined && registered?.deletedAt === null) {
    await candidates.claim(ctx, candidate);
    return registered;
  }
  // What was approved is what enters, with its tags and its description.
  const entering = candidate?.input ?? kept;
  const operation = operations.entryOperation(ctx, model, entering, resolved, candidate);
  const allowed = await permit(ctx, operation);
  const version = await versions.create(ctx, allowed, model, entering, candidate?.resolved ?? resolved, candidate?.createdBy);
  if (!isGoverned) return version;
  if (candidate === undefined) await evidence.ensure(ctx, version);
  else {
    await enter(ctx, candidate, version);
    await candidates.claim(ctx, candidate);
  }
  await settle(ctx, operation, allowed, AS_CALLER);
  return version;
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
export async function registerCandidate(ctx: TxCtx, operation: Operation, id: number, way: Way): Promise<void> {
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

/** What comes back comes without them, as what is copied does. */
export async function dropGovernedTags(
  ctx: TxCtx,
  inForce: policies.PoliciesInForce,
  allowed: Permit,
  version: ModelVersion,
): Promise<void> {
  const model = await operations.governedModel(ctx, version.modelId)();
  for (const { key } of version.tags) {
    if ((await choose(ctx, inForce, { kind: 'tag', key }, model)) !== undefined) await versions.deleteTag(ctx, allowed, version, key);
  }
}

/** Those that say which policy applies stay: to take them away would be asked for. */
export async function dropGovernedModelTags(
  ctx: TxCtx,
  inForce: policies.PoliciesInForce,
  allowed: Permit,
  restored: models.RegisteredModel,
): Promise<void> {
  const model = await operations.governedModel(ctx, restored.id)();
  for (const { key } of model.tags) {
    const isGoverned = (await choose(ctx, inForce, { kind: 'tag', key }, model)) !== undefined;
    if (isGoverned && !inForce.decidingKeys.has(key) && key !== models.PROMPT_TAG) await models.deleteTag(ctx, allowed, restored, key);
  }
}
