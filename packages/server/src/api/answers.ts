/** Models and versions as the native API shows them. */

import type { DeletedModelSchema, ModelSchema } from '@countersign/contract/models.ts';
import type { VersionSchema } from '@countersign/contract/versions.ts';
import type { Static } from 'typebox';
import * as catalog from '../features/catalog/catalog.ts';
import type { RegisteredModel } from '../features/models/models.ts';
import type { ModelVersion } from '../features/versions/versions.ts';
import * as versions from '../features/versions/versions.ts';
import type { Ctx } from '../platform/context.ts';

function modelMembers(model: RegisteredModel) {
  return {
    id: model.id,
    name: model.name,
    description: model.description,
    is_prompt: model.isPrompt,
    tags: [...model.tags],
    created_at: model.createdAt,
    updated_at: model.updatedAt,
  };
}

export async function answerModel(ctx: Ctx, model: RegisteredModel): Promise<Static<typeof ModelSchema>> {
  const aliases = await versions.listAliases(ctx, model);
  const latest = await versions.listLatest(ctx, model);
  return {
    ...modelMembers(model),
    aliases: aliases.map(({ alias, version }) => ({ alias, version })),
    latest_versions: latest.map(({ stage, version }) => ({ stage, version })),
  };
}

export function answerDeletedModel(model: RegisteredModel): Static<typeof DeletedModelSchema> {
  return { ...modelMembers(model), deleted_at: model.deletedAt ?? 0 };
}

export async function answerVersions(ctx: Ctx, list: readonly ModelVersion[]): Promise<Static<typeof VersionSchema>[]> {
  return (await catalog.viewVersions(ctx, list)).map(answerView);
}

export async function answerVersion(ctx: Ctx, version: ModelVersion): Promise<Static<typeof VersionSchema>> {
  return answerView(await catalog.viewVersion(ctx, version));
}

function answerView({ version, tree, blocked, writtenBy }: catalog.VersionView): Static<typeof VersionSchema> {
  return {
    id: version.id,
    model_id: version.modelId,
    name: version.name,
    version: version.version,
    description: version.description,
    stage: version.stage,
    aliases: [...version.aliases],
    tags: [...version.tags],
    is_prompt: version.isPrompt,
    source: version.source,
    run_id: version.runId || null,
    run_link: version.runLink || null,
    logged_model_id: version.loggedModelId,
    lineage: version.lineage,
    seal: {
      state: version.sealState,
      reason: version.sealReason,
      digest: tree?.digest ?? null,
      signing_root: tree?.signingRoot ?? null,
      file_count: tree?.fileCount ?? null,
      size_bytes: tree?.sizeBytes ?? null,
    },
    blocked: blocked ?? null,
    damaged_at: version.damagedAt,
    written_by: writtenBy,
    created_at: version.createdAt,
    updated_at: version.updatedAt,
    deleted_at: version.deletedAt,
  };
}

/** What a call that changes something answers. */
export async function done(change: Promise<unknown>): Promise<Record<never, never>> {
  await change;
  return {};
}
