/** What a token's scope leaves of what its account may do. */
import type { TokenScope } from '@countersign/contract/access.ts';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { PERMISSIONS, type Permission } from '@countersign/contract/permissions.ts';
import { Problem } from '@countersign/contract/problem.ts';
import * as artifacts from '../features/artifacts/artifacts.ts';
import * as loggedModels from '../features/logged-models/logged-models.ts';
import * as runs from '../features/runs/runs.ts';
import type { Ctx } from '../platform/context.ts';
import { loggedModelIdsOf, type NamedObjects, runIdsOf } from './authorize.ts';
import type { Objects } from './objects.ts';

/** What the words of CI identities let through beside `read` and `write`. */
const WORDS: Readonly<Partial<Record<Permission, string>>> = {
  'model-version.create': 'versions:create',
  'request.create': 'requests:create',
};

/** Throws PERMISSION_DENIED. */
export function checkTokenScope(ctx: Ctx, objects: Objects, permission: Permission, input: NamedObjects): Promise<void> | undefined {
  const scope = ctx.tokenScope;
  if (scope === undefined || scope.asks.has(PERMISSIONS[permission].asks)) return undefined;
  const word = WORDS[permission];
  if (word !== undefined && scope.asks.has(word)) return undefined;
  // Which checks it may report, the room says: the name stands in the body.
  if (permission === 'check.report' && scope.checks.size > 0) return undefined;
  if (scope.runs.size > 0) return checkRuns(ctx, objects, scope, permission, input);
  throw outOfScope(permission);
}

function outOfScope(permission: Permission): Problem {
  return new Problem(
    'PERMISSION_DENIED',
    `Permission denied: the scope of this token does not cover '${permission}'. Use a token with the scope '${PERMISSIONS[permission].asks}'.`,
  );
}

/** A token of one run reads and logs to it: the run, the models it logs, and their files. */
async function checkRuns(ctx: Ctx, objects: Objects, scope: TokenScope, permission: Permission, input: NamedObjects): Promise<void> {
  const { on } = PERMISSIONS[permission];
  const isOfRuns = (ids: readonly string[]): boolean => ids.length > 0 && ids.every((id) => scope.runs.has(id));
  if (permission === 'run.view' || permission === 'run.edit') {
    const models = loggedModelIdsOf(input);
    if (isOfRuns(runIdsOf(input)) && (await areModelsOfRuns(ctx, objects, scope, models))) return;
  } else if (permission === 'logged-model.create') {
    const runId = String(input.source_run_id ?? '');
    if (isOfRuns([runId]) && String((await objects.ofRun(ctx, runId))?.id) === String(input.experiment_id)) return;
  } else if (permission === 'logged-model.view' || permission === 'logged-model.edit') {
    if (await areModelsOfRuns(ctx, objects, scope, [String(input.model_id ?? '')])) return;
  } else if (permission === 'experiment.view') {
    for (const runId of scope.runs) {
      const experiment = await objects.ofRun(ctx, runId);
      if (experiment && (String(experiment.id) === String(input.experiment_id) || experiment.name === input.experiment_name)) return;
    }
  } else if (on === 'artifact' && permission !== 'artifact.delete') {
    if (await isFileOfRuns(ctx, objects, scope, input)) return;
  }
  throw new Problem(
    'PERMISSION_DENIED',
    `Permission denied: this token may only log to the run ${clip([...scope.runs].join(', '))}, and this is not part of it.`,
  );
}

/** Of which run a model is, its creator claims: one of another experiment than the run's is none of the run's. */
async function areModelsOfRuns(ctx: Ctx, objects: Objects, scope: TokenScope, modelIds: readonly string[]): Promise<boolean> {
  for (const id of modelIds) {
    const head = await loggedModels.findHead(ctx, id);
    const runId = head?.sourceRunId;
    if (!runId || !scope.runs.has(runId) || (await objects.ofRun(ctx, runId))?.id !== head.experimentId) return false;
  }
  return true;
}

async function isFileOfRuns(ctx: Ctx, objects: Objects, scope: TokenScope, input: NamedObjects): Promise<boolean> {
  if (typeof input.path !== 'string') {
    const ids = runIdsOf(input);
    const models = typeof input.model_id === 'string' && input.model_id !== '' ? [input.model_id] : [];
    const isOther = typeof input.name === 'string' && input.name !== '';
    if (isOther || ids.length + models.length === 0) return false;
    return ids.every((id) => scope.runs.has(id)) && areModelsOfRuns(ctx, objects, scope, models);
  }
  const model = /(?:^|\/)models\/(m-[0-9a-f]{32})\//.exec(`${input.path}/`)?.[1];
  if (model !== undefined && (await areModelsOfRuns(ctx, objects, scope, [model])))
    return isBelow(input.path, await loggedModels.getArtifactUri(ctx, model));
  for (const runId of scope.runs) {
    const run = await runs.findRun(ctx, runId);
    if (run && isBelow(input.path, run.artifactUri)) return true;
  }
  return false;
}

function isBelow(path: string, uri: string): boolean {
  const root = artifacts.storedPathOf(uri);
  return root !== undefined && (path === root || path.startsWith(`${root}/`));
}
