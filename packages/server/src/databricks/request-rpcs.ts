/** `create_`, `list_`, `approve_`, `reject_` and `delete_transition_request(s)` of databricks-sdk. */
import * as messages from '@countersign/contract/databricks/governance-messages.ts';
import { parseVersionNumber } from '@countersign/contract/names.ts';
import { isActiveStage } from '@countersign/contract/stages.ts';
import * as catalog from '../features/catalog/catalog.ts';
import * as requests from '../features/requests/requests.ts';
import * as versions from '../features/versions/versions.ts';
import * as workspaces from '../features/workspaces/workspaces.ts';
import { type Rpc, rpc } from '../mlflow/rpc.ts';
import type { Ctx } from '../platform/context.ts';
import { requestActivities } from './activity-wire.ts';

const AT = '/mlflow/transition-requests';
const OPTIONS = { audience: 'api' } as const;

const ACTION_WORDS = {
  approve: 'APPROVE_TRANSITION_REQUEST',
  reject: 'REJECT_TRANSITION_REQUEST',
  cancel: 'CANCEL_TRANSITION_REQUEST',
} as const;

interface Transition {
  readonly name: string;
  readonly version: string;
  readonly stage: string;
  readonly comment: string | undefined;
}

function wishOf({ name, version, stage, comment }: Transition): requests.Wish {
  return { name, version: parseVersionNumber(version), stage, comment };
}

async function createRequest(ctx: Ctx, input: Transition): Promise<object> {
  const wish = wishOf(input);
  const request = await requests.create(ctx, wish);
  const version = await versions.get(ctx, wish.name, wish.version);
  const nameOf = await catalog.listPrincipals(ctx, [request.createdBy]);
  return {
    request: {
      available_actions: requests.actionsOn(ctx, request, version).map((action) => ACTION_WORDS[action]),
      comment: input.comment,
      creation_timestamp: request.createdAt,
      to_stage: requests.targetOf(request).stage,
      user_id: nameOf(request.createdBy).name,
    },
  };
}

async function listRequests(ctx: Ctx, name: string, number: number): Promise<object> {
  const version = await versions.get(ctx, name, number);
  return { requests: await requestActivities(ctx, await requests.listOpen(ctx, version)) };
}

/** Several may be answered at once; the first stands for all. */
async function answerActivity(ctx: Ctx, [first]: readonly requests.Request[]): Promise<object> {
  if (first === undefined) throw new TypeError('what is answered is at least one request');
  const [activity] = await requestActivities(ctx, [first]);
  return { activity };
}

async function cancelRequest(ctx: Ctx, wish: requests.Wish, creator: string): Promise<object> {
  const version = await versions.get(ctx, wish.name, wish.version);
  const open = await requests.listOpen(ctx, version);
  const nameOf = await catalog.listPrincipals(
    ctx,
    open.map(({ createdBy }) => createdBy),
  );
  const meant = open.filter(({ createdBy }) => nameOf(createdBy).name === creator).map(({ createdBy }) => createdBy);
  const cancelled = await requests.cancel(ctx, wish, ({ createdBy }) => meant.includes(createdBy));
  return answerActivity(ctx, [cancelled]);
}

export const databricksRequestRpcs: readonly Rpc[] = [
  rpc('POST', `${AT}/create`, 'request.create', messages.CreateTransitionRequest, createRequest, OPTIONS),
  rpc(
    'GET',
    `${AT}/list`,
    'model-version.view',
    messages.ListTransitionRequests,
    (ctx, { name, version }) => listRequests(ctx, name, parseVersionNumber(version)),
    OPTIONS,
  ),
  rpc(
    'POST',
    `${AT}/approve`,
    'model-version.transition',
    messages.ApproveTransitionRequest,
    async (ctx, input) => {
      // The SDK always says something; where nothing is to be archived, nothing is.
      const archiveExisting = input.archive_existing_versions && isActiveStage(await workspaces.getStages(ctx), input.stage);
      const approved = await requests.approve(ctx, { ...wishOf(input), archiveExisting });
      return answerActivity(ctx, approved.requests);
    },
    OPTIONS,
  ),
  rpc(
    'POST',
    `${AT}/reject`,
    'model-version.transition',
    messages.RejectTransitionRequest,
    async (ctx, input) => answerActivity(ctx, await requests.reject(ctx, wishOf(input))),
    OPTIONS,
  ),
  rpc(
    'DELETE',
    `${AT}/delete`,
    'request.create',
    messages.DeleteTransitionRequest,
    (ctx, input) => cancelRequest(ctx, wishOf(input), input.creator),
    OPTIONS,
  ),
];
