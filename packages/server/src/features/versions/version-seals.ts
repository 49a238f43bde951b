/** Sealing versions whose files were not there, or not complete, when they were registered. */
import { Problem } from '@countersign/contract/problem.ts';
import type { TxCtx } from '../../platform/context.ts';
import { demandByName } from '../access/access.ts';
import * as artifacts from '../artifacts/artifacts.ts';
import { record } from '../events/events.ts';
import { countUsage } from '../workspaces/workspaces.ts';
import { demandReadable, type Seal, sealHeld, sealNow } from './sealing.ts';
import { parseSource } from './version-rules.ts';
import type { ModelVersion } from './version-store.ts';
import * as store from './version-store.ts';

/** Seals a version whose files were not there, or not complete, when it was registered. Answers it as it is then. */
export async function seal(ctx: TxCtx, version: ModelVersion, copied?: string): Promise<ModelVersion> {
  if (copied === undefined) return version.sealState === 'sealed' ? version : keepSeal(ctx, version, await sealNow(ctx, version));
  const result = version.sealState === 'sealed' ? undefined : await sealHeld(ctx, copied);
  await artifacts.dropCopied(ctx, copied);
  return result?.state === 'sealed' ? keepSeal(ctx, version, result) : version;
}

async function keepSeal(ctx: TxCtx, version: ModelVersion, result: Seal): Promise<ModelVersion> {
  if (result.state !== 'sealed' && result.reason === version.sealReason) return version;
  await store.setSeal(ctx.tx, version.id, result.state, result.reason, result.treeId);
  if (result.state === 'sealed') {
    await countUsage(ctx, { bytes: result.sizeBytes });
    record(ctx, {
      type: 'model-version.sealed',
      modelId: version.modelId,
      versionId: version.id,
      data: { number: version.version, digest: result.digest },
    });
  }
  return { ...version, sealState: result.state, sealReason: result.reason, treeId: result.treeId };
}

/** The folder on a disk that an unsealed version's files must be copied from; undefined where the server holds them. */
export function outsideFolder(version: ModelVersion): string | undefined {
  if (version.sealState === 'sealed' || version.sealReason !== 'external') return undefined;
  const source = parseSource(version.storageLocation);
  if (source.kind === 'foreign') {
    throw new Problem(
      'INVALID_STATE',
      `The source of version ${version.version} is in a storage that this server holds no access to. Upload the files through the server and register them.`,
    );
  }
  return source.kind === 'local' ? source.path : undefined;
}

/** Before it is sealed on request: what its source names may have come, or become another's to read, since it was registered. */
export async function demandSource(ctx: TxCtx, version: ModelVersion): Promise<void> {
  const source = parseSource(version.source);
  if (source.kind === 'version') demandByName(ctx, 'registered-model', source.name, 'READ');
  await demandReadable(ctx, { source: version.source, runId: version.runId, loggedModelId: version.loggedModelId });
}

/** Called when a logged model becomes READY: versions that were registered before it was complete are sealed now. */
export async function sealWaiting(ctx: TxCtx, loggedModelId: string): Promise<void> {
  for (const version of await store.listWaitingForLoggedModel(ctx.tx, loggedModelId)) await seal(ctx, version);
}
