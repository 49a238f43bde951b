/** Model versions as upstream asks for them (model_registry.proto, 3.17.2). */
import { clip } from '@countersign/contract/mlflow/message.ts';
import * as messages from '@countersign/contract/mlflow/registry-messages.ts';
import { parseVersionNumber } from '@countersign/contract/names.ts';
import { invalid } from '@countersign/contract/problem.ts';
import * as models from '../features/models/models.ts';
import * as requests from '../features/requests/requests.ts';
import * as versions from '../features/versions/versions.ts';
import { done } from './model-rpcs.ts';
import { versionToWire } from './registry-wire.ts';
import { type Rpc, rpc } from './rpc.ts';

const PREVIEW = { preview: true } as const;
const AT = '/mlflow/model-versions';

const OPERATOR_RULE = 'MLFLOW_CREATE_MODEL_VERSION_SOURCE_VALIDATION_REGEX';
/** Read once, so that a server whose rule can't be read doesn't start. */
const operatorRule = readSourceRule(process.env[OPERATOR_RULE]);

/** An operator's own rule for sources, as MLflow reads it. Throws INVALID_PARAMETER_VALUE for what is no regular expression. */
export function readSourceRule(pattern: string | undefined): RegExp | undefined {
  if (!pattern) return undefined;
  try {
    return new RegExp(pattern);
  } catch (error) {
    throw invalid(
      `${OPERATOR_RULE} is no regular expression that this server reads (${(error as Error).message}). Correct it, or leave it out.`,
    );
  }
}

function checkOperatorRule(source: string): void {
  if (operatorRule && !operatorRule.test(source)) throw invalid(`Invalid model version source: '${clip(source)}'.`);
}

export const versionRpcs: readonly Rpc[] = [
  rpc(
    'POST',
    `${AT}/create`,
    'model-version.create',
    messages.CreateModelVersion,
    async (ctx, input) => {
      checkOperatorRule(input.source);
      const version = await requests.registerVersion(ctx, {
        name: input.name,
        source: input.source,
        runId: input.run_id ?? '',
        loggedModelId: input.model_id || undefined,
        runLink: input.run_link ?? '',
        description: input.description,
        tags: models.lastWins(input.tags),
      });
      return { model_version: versionToWire(version) };
    },
    PREVIEW,
  ),
  rpc(
    'GET',
    `${AT}/get`,
    'model-version.view',
    messages.GetModelVersion,
    async (ctx, input) => ({ model_version: versionToWire(await versions.get(ctx, input.name, parseVersionNumber(input.version))) }),
    PREVIEW,
  ),
  rpc(
    'PATCH|POST',
    `${AT}/update`,
    'model-version.edit',
    messages.UpdateModelVersion,
    async (ctx, input) => ({
      model_version: versionToWire(await versions.setDescription(ctx, input.name, parseVersionNumber(input.version), input.description)),
    }),
    PREVIEW,
  ),
  rpc(
    'POST',
    `${AT}/transition-stage`,
    'model-version.transition',
    messages.TransitionModelVersionStage,
    async (ctx, input) => {
      const version = await requests.moveStage(ctx, {
        name: input.name,
        version: parseVersionNumber(input.version),
        stage: input.stage,
        archiveExisting: input.archive_existing_versions,
      });
      return { model_version: versionToWire(version) };
    },
    PREVIEW,
  ),
  rpc(
    'DELETE',
    `${AT}/delete`,
    'model-version.manage',
    messages.DeleteModelVersion,
    async (ctx, input) => done(requests.deleteVersion(ctx, input.name, parseVersionNumber(input.version))),
    PREVIEW,
  ),
  rpc(
    'GET',
    `${AT}/search`,
    'model-version.list',
    messages.SearchModelVersions,
    async (ctx, input) => {
      const page = await versions.search(ctx, {
        filter: input.filter,
        limit: Number(input.max_results),
        orderBy: input.order_by,
        pageToken: input.page_token,
      });
      const wire = page.items.map((version) => versionToWire(version));
      return { model_versions: wire.length > 0 ? wire : undefined, next_page_token: page.nextPageToken };
    },
    PREVIEW,
  ),
  rpc(
    'GET',
    `${AT}/get-download-uri`,
    'model-version.read',
    messages.GetModelVersionDownloadUri,
    async (ctx, input) => ({ artifact_uri: await versions.getDownloadUri(ctx, input.name, parseVersionNumber(input.version)) }),
    PREVIEW,
  ),
  rpc(
    'POST',
    `${AT}/set-tag`,
    'model-version.edit',
    messages.SetModelVersionTag,
    async (ctx, input) => done(requests.setVersionTag(ctx, input.name, parseVersionNumber(input.version), input.key, input.value)),
    PREVIEW,
  ),
  rpc(
    'DELETE',
    `${AT}/delete-tag`,
    'model-version.manage',
    messages.DeleteModelVersionTag,
    async (ctx, input) => done(requests.setVersionTag(ctx, input.name, parseVersionNumber(input.version), input.key, null)),
    PREVIEW,
  ),
];
