/** `create_`, `list_`, `approve_`, `reject_` and `delete_transition_request(s)` of databricks-sdk. */
import * as messages from '@countersign/contract/databricks/governance-messages.ts';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { parseVersionNumber } from '@countersign/contract/names.ts';
import { notFound } from '@countersign/contract/problem.ts';
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

/** The dialect knows no other actions. */
const ACTION_WORDS: Readonly<Partial<Record<requests.RequestAction, string>>> = {
  approve: 'APPROVE_TRANSITION_REQUEST',
  reject: 'REJECT_TRANSITION_REQUEST',
  cancel: 'CANCEL_TRANSITION_REQUEST',
};

interface Transition {
  readonly name: string;
  readonly version: string;
  readonly stage: string;
  readonly comment: string | undefined;
}

async function createRequest(ctx: Ctx, input: Transition): Promise<object> {
  const wish: requests.Wish = { target: { kind: 'stage', stage: input.stage }, version: parseVersionNumber(input.version) };
  const request = await requests.create(ctx, input.name, wish, input.comment);
  const nameOf = await catalog.listPrincipals(ctx, [request.createdBy]);
  return {
    request: {
      available_actions: (await requests.actionsOn(ctx, request)).flatMap((action) => ACTION_WORDS[action] ?? []),
      comment: input.comment,
      creation_timestamp: request.createdAt,
      to_stage: stageOf(request),
      user_id: nameOf(request.createdBy).name,
    },
  };
}

function stageOf({ target }: requests.Request): string {
  return target.replace(/^stage:/, '');
}

async function listRequests(ctx: Ctx, name: string, number: number): Promise<object> {
  const version = await versions.get(ctx, name, number);
  const open = await requests.listOpen(ctx, version);
  return {
    requests: await requestActivities(
      ctx,
      open.filter(({ target }) => target.startsWith('stage:')),
    ),
  };
}

/** Several may be answered at once; the first stands for all. */
async function answerActivity(ctx: Ctx, answered: requests.Request): Promise<object> {
  const [activity] = await requestActivities(ctx, [answered], 'newest');
  return { activity };
}

/** The oldest open one for the stage: what answers it, answers all. */
async function firstAsked(ctx: Ctx, { name, version, stage }: Transition): Promise<number> {
  return (await requests.listAsked(ctx, name, parseVersionNumber(version), stage))[0].id;
}

async function cancelRequest(ctx: Ctx, input: Transition, creator: string): Promise<object> {
  const open = await requests.listAsked(ctx, input.name, parseVersionNumber(input.version), input.stage);
  const nameOf = await catalog.listPrincipals(
    ctx,
    open.map(({ createdBy }) => createdBy),
  );
  const meant = open.find(({ createdBy }) => nameOf(createdBy).name === creator);
  if (meant === undefined) throw notFound(`'${clip(creator)}' has no such open request.`);
  return answerActivity(ctx, await requests.cancel(ctx, meant.id, input.comment));
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
    'request.create',
    messages.ApproveTransitionRequest,
    async (ctx, input) => {
      // The SDK always says something; where nothing is to be archived, nothing is.
      const archiveExisting = input.archive_existing_versions && isActiveStage(await workspaces.getStages(ctx), input.stage);
      const id = await firstAsked(ctx, input);
      return answerActivity(ctx, await requests.approve(ctx, id, { comment: input.comment, archiveExisting }));
    },
    OPTIONS,
  ),
  rpc(
    'POST',
    `${AT}/reject`,
    'request.create',
    messages.RejectTransitionRequest,
    async (ctx, input) => answerActivity(ctx, await requests.reject(ctx, await firstAsked(ctx, input), input.comment)),
    OPTIONS,
  ),
  rpc(
    'DELETE',
    `${AT}/delete`,
    'request.create',
    messages.DeleteTransitionRequest,
    (ctx, input) => cancelRequest(ctx, input, input.creator),
    OPTIONS,
  ),
];
