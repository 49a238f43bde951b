/** Versions come to be: where their bytes come from, what is known of them, and the number that they get. */
import { checkLength } from '@countersign/contract/names.ts';
import { type Permit, permitFacts } from '@countersign/contract/permit.ts';
import { invalid, Problem } from '@countersign/contract/problem.ts';
import type { TxCtx } from '../../platform/context.ts';
import { record } from '../events/events.ts';
import * as loggedModels from '../logged-models/logged-models.ts';
import type { ModelIdentity, Tag } from '../models/models.ts';
import * as models from '../models/models.ts';
import { checkNaming, countUsage, getSettings } from '../workspaces/workspaces.ts';
import { type Resolved, resolveSource, sealPrompt } from './sealing.ts';
import { parseSource } from './version-rules.ts';
import type { ModelVersion } from './version-store.ts';
import * as store from './version-store.ts';

export interface NewVersion {
  readonly name: string;
  readonly source: string;
  readonly runId: string;
  readonly loggedModelId: string | undefined;
  readonly runLink: string;
  readonly description: string | undefined;
  readonly tags: readonly Tag[];
}

/** Both stand in events or in an index: neither may be of any size. */
const SOURCE_MAX = 8000;
const RUN_ID_MAX = 500;

/** Where the bytes come from and what is known of them; seals what the server holds. */
export async function resolve(ctx: TxCtx, model: ModelIdentity, input: NewVersion): Promise<Resolved> {
  checkLength(input.source, SOURCE_MAX, 'source');
  checkLength(input.runId, RUN_ID_MAX, 'run_id');
  // What is copied comes under the rule of the place that it is copied to; a model that was there before the rule goes on.
  if (isCopy(input.source)) await checkNaming(ctx, model.name);
  return isPromptOf(model, input)
    ? resolvePrompt(ctx, input)
    : resolveSource(ctx, { ...input, loggedModelId: input.loggedModelId ?? null });
}

export function isPromptOf(model: ModelIdentity, input: NewVersion): boolean {
  return model.isPrompt && models.isPromptTagged(input.tags);
}

/** Registers a version, in the transaction in which its source was resolved. `by`: who asked for it, where others let it in. */
export async function create(
  ctx: TxCtx,
  permit: Permit,
  model: ModelIdentity,
  input: NewVersion,
  resolved: Resolved,
  by = ctx.principal.id,
): Promise<ModelVersion> {
  const isPrompt = isPromptOf(model, input);
  const sealState = resolved.seal.state === 'sealed' ? 'sealed' : await stateOfUnsealed(ctx, resolved);
  const at = ctx.clock.now();
  const number = await models.takeNextVersion(ctx, model, at);
  const row: store.NewVersionRow = {
    modelId: model.id,
    workspaceId: ctx.workspace.id,
    version: number,
    description: input.description ?? null,
    source: resolved.source,
    storageLocation: resolved.storageLocation,
    runId: resolved.runId,
    runLink: input.runLink,
    loggedModelId: resolved.loggedModelId,
    isPrompt,
    lineage: resolved.lineage,
    sealState,
    sealReason: resolved.seal.reason,
    treeId: resolved.seal.treeId,
    originVersionId: resolved.originVersionId ?? null,
    at,
    by,
  };
  const id = await store.insert(ctx.tx, row);
  await countUsage(ctx, { versions: 1, bytes: resolved.seal.sizeBytes });
  for (const tag of input.tags) await store.upsertTag(ctx.tx, id, tag.key, tag.value, by);
  if (input.loggedModelId !== undefined && !isPrompt) await loggedModels.appendVersion(ctx, input.loggedModelId, model.name, number);
  record(ctx, {
    type: 'model-version.created',
    modelId: model.id,
    versionId: id,
    data: {
      number,
      run_id: resolved.runId,
      lineage: resolved.lineage,
      seal: { state: sealState, reason: resolved.seal.reason, digest: resolved.seal.digest },
      tags: input.tags.map((tag) => tag.key),
      ...(by === ctx.principal.id ? {} : { registered_by: by }),
      ...permitFacts(permit),
    },
    // A source may hold a prompt's words, or credentials of a storage: beside the chain, not in it.
    texts: { source: resolved.source, ...(input.description ? { description: input.description } : {}), ...models.tagTexts(input.tags) },
  });
  return {
    ...row,
    id,
    name: model.name,
    stage: 'None',
    damagedAt: null,
    registeredBy: row.by,
    editedBy: row.by,
    writtenBy: row.by,
    createdAt: at,
    updatedAt: at,
    deletedAt: null,
    tags: input.tags,
    aliases: [],
  };
}

/** Of a version, not of a logged model. */
export function isCopy(source: string): boolean {
  return /^models:/i.test(source) && parseSource(source).kind === 'version';
}

/** What the workspace says of a version that can't be sealed yet: refused, waited for, or taken as it is. */
async function stateOfUnsealed(ctx: TxCtx, resolved: Resolved): Promise<store.SealState> {
  const settings = await getSettings(ctx);
  if (settings.refuse_unsealed) throw refusedUnsealed(resolved);
  // Files outside of the server are sealed by an explicit call only: nothing to wait for.
  return settings.pending_registration && resolved.seal.reason === 'incomplete' ? 'sealing' : resolved.seal.state;
}

async function resolvePrompt(ctx: TxCtx, input: NewVersion): Promise<Resolved> {
  if (/^\s*(file:|\/)/i.test(input.source)) {
    throw invalid(`Invalid prompt source: '${input.source}'. Local source paths are not allowed for prompts.`);
  }
  return {
    source: input.source,
    storageLocation: input.source,
    runId: input.runId,
    loggedModelId: null,
    lineage: 'none',
    seal: await sealPrompt(ctx, input.tags),
  };
}

function refusedUnsealed(resolved: Resolved): Problem {
  const why = {
    missing: 'the server holds no files at its source',
    incomplete: 'its files are not complete yet',
    external: 'its files are outside of the server',
  }[resolved.seal.reason ?? 'missing'];
  return new Problem(
    'INVALID_STATE',
    `The version was not registered: ${why}, and this workspace refuses unsealed versions. Upload the model through the server, finish it, and register it again.`,
  );
}
