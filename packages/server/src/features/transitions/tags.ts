/** Tags of models and versions: some are governed by themselves, some decide which policy applies. */
import type { Permit } from '@countersign/contract/permit.ts';
import { Problem } from '@countersign/contract/problem.ts';
import type { TxCtx } from '../../platform/context.ts';
import * as evidence from '../evidence/evidence.ts';
import * as models from '../models/models.ts';
import * as policies from '../policies/policies.ts';
import * as versions from '../versions/versions.ts';
import * as operations from './operations.ts';
import { permit, Refused, type Way } from './permits.ts';
import { isLeftAlone, settleGoverned } from './settlement.ts';

/** With tags that no policy is about, or that it lets in: others are asked for once the model is there. */
export async function createTagged(ctx: TxCtx, input: models.NewModel): Promise<models.RegisteredModel> {
  const model = await models.create(ctx, input);
  if ((await policies.getInForce(ctx)).policies.length === 0) return model;
  for (const [at, { key, value }] of input.tags.entries()) {
    try {
      await permit(ctx, operations.modelTagOperation(ctx, model, key, value, input.tags.slice(0, at)));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      throw new Problem('PERMISSION_DENIED', `${error.message} Create the model without the tag '${key}', then set it.`);
    }
  }
  return model;
}

/** `value` null: it is taken away. */
export async function tagModel(ctx: TxCtx, name: string, key: string, value: string | null, way: Way): Promise<void> {
  const model = await models.getIdentity(ctx, name);
  const operation = operations.modelTagOperation(ctx, model, key, value);
  // What decides which policy applies is judged by what stands in the model.
  if ((await policies.getInForce(ctx)).policies.length > 0) {
    await models.hold(ctx, name);
    const { tags } = await models.get(ctx, name);
    if (isSaid(tags, key, value) && (await isLeftAlone(ctx, operation, way))) return;
  }
  const allowed = await permit(ctx, operation, way);
  if (value === null) await models.deleteTag(ctx, allowed, model, key);
  else await models.setTag(ctx, allowed, model, key, value);
  await settleGoverned(ctx, operation, allowed, way);
}

export async function tagVersion(ctx: TxCtx, name: string, number: number, key: string, value: string | null, way: Way): Promise<void> {
  if ((await policies.getInForce(ctx)).policies.length === 0) {
    const identity = await versions.getIdentity(ctx, name, number);
    const allowed = await permit(ctx, operations.freeTagOperation(identity, key, value));
    return writeVersionTag(ctx, allowed, identity, key, value);
  }
  await models.hold(ctx, name);
  const version = await versions.get(ctx, name, number);
  const operation = operations.versionTagOperation(ctx, version, key, value);
  if (isSaid(version.tags, key, value) && (await isLeftAlone(ctx, operation, way))) return;
  const allowed = await permit(ctx, operation, way);
  await writeVersionTag(ctx, allowed, version, key, value);
  await settleGoverned(ctx, operation, allowed, way);
  // The configuration is no part of the seal: whoever approved before it changed approved of another one.
  if (operations.isConfiguration(version, key)) await evidence.renew(ctx, name, number);
}

function isSaid(tags: readonly { readonly key: string; readonly value: string }[], key: string, value: string | null): boolean {
  const tag = tags.find((each) => each.key === key);
  return value === null ? tag === undefined : tag?.value === value;
}

function writeVersionTag(ctx: TxCtx, allowed: Permit, version: versions.VersionIdentity, key: string, value: string | null): Promise<void> {
  return value === null ? versions.deleteTag(ctx, allowed, version, key) : versions.setTag(ctx, allowed, version, key, value);
}
