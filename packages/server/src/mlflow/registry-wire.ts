/** Registered models and versions as upstream's messages: unset members are left out, a version's `description` and `run_id` never are. */
import type { RegisteredModel } from '../features/models/models.ts';
import type { ModelVersion } from '../features/versions/versions.ts';

export function versionToWire(version: ModelVersion, options: { readonly withAliases: boolean } = { withAliases: true }): object {
  return {
    name: version.name,
    version: String(version.version),
    creation_timestamp: version.createdAt,
    last_updated_timestamp: version.updatedAt,
    current_stage: version.stage,
    description: version.description ?? '',
    source: version.source,
    run_id: version.runId,
    // Clients wait for the other state only where the workspace asks for it.
    status: version.sealState === 'sealing' ? 'PENDING_REGISTRATION' : 'READY',
    tags: listOrNothing(version.tags),
    run_link: version.runLink,
    aliases: options.withAliases ? listOrNothing(version.aliases) : undefined,
  };
}

export interface ModelParts {
  readonly latest: readonly ModelVersion[];
  readonly aliases: readonly { readonly alias: string; readonly version: number }[];
}

export function modelToWire(model: RegisteredModel, parts: ModelParts): object {
  return {
    name: model.name,
    creation_timestamp: model.createdAt,
    last_updated_timestamp: model.updatedAt,
    description: model.description || undefined,
    latest_versions: listOrNothing(parts.latest.map((version) => versionToWire(version, { withAliases: false }))),
    tags: listOrNothing(model.tags),
    aliases: listOrNothing(parts.aliases.map(({ alias, version }) => ({ alias, version: String(version) }))),
  };
}

export const NO_PARTS: ModelParts = { latest: [], aliases: [] };

function listOrNothing<T>(list: readonly T[]): readonly T[] | undefined {
  return list.length === 0 ? undefined : list;
}
