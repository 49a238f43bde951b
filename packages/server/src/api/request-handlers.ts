import type { InputOf } from '@countersign/contract/endpoint.ts';
import { clip } from '@countersign/contract/mlflow/message.ts';
import type { EndpointOf } from '@countersign/contract/native-api.ts';
import { invalid } from '@countersign/contract/problem.ts';
import type { requestEndpoints } from '@countersign/contract/requests.ts';
import { PAGE_SIZE } from '@countersign/contract/schemas.ts';
import * as accounts from '../features/accounts/accounts.ts';
import * as models from '../features/models/models.ts';
import * as requests from '../features/requests/requests.ts';
import * as transitions from '../features/transitions/transitions.ts';
import * as versions from '../features/versions/versions.ts';
import type { Ctx } from '../platform/context.ts';
import { decodeOffset, encodeOffset } from '../platform/db/page-token.ts';
import { answerDecisions } from './decision-answers.ts';
import type { Handlers } from './handlers.ts';
import { answerRequest, answerRequests } from './request-answers.ts';

type WishBody = InputOf<EndpointOf<'createModelRequest'>>['body'];

const MEMBERS = ['stage', 'alias', 'key', 'value', 'new_name'] as const;
const OWN: Readonly<Record<WishBody['target']['kind'], readonly (typeof MEMBERS)[number][]>> = {
  stage: ['stage'],
  alias: ['alias'],
  entry: [],
  tag: ['key', 'value'],
  rename: ['new_name'],
};

function targetOf({ target }: WishBody): requests.WishedTarget {
  const needed = <T>(value: T | undefined, member: string): T => {
    if (value === undefined) throw invalid(`A target of kind '${target.kind}' needs '${member}'.`);
    return value;
  };
  const foreign = MEMBERS.find((member) => target[member] !== undefined && !OWN[target.kind].includes(member));
  if (foreign !== undefined) throw invalid(`A target of kind '${target.kind}' has no '${foreign}'. Leave it out.`);
  switch (target.kind) {
    case 'stage':
      return { kind: 'stage', stage: needed(target.stage, 'stage') };
    case 'alias':
      return { kind: 'alias', alias: needed(target.alias, 'alias') };
    case 'tag':
      return { kind: 'tag', key: needed(target.key, 'key'), value: target.value };
    case 'rename':
      return { kind: 'rename', newName: needed(target.new_name, 'new_name') };
    default:
      return { kind: 'entry' };
  }
}

function wishOf(body: WishBody, version?: number): requests.Wish {
  return {
    target: targetOf(body),
    change: body.change,
    version,
    archiveExisting: body.archive_existing,
    registration:
      body.source === undefined
        ? undefined
        : {
            source: body.source,
            runId: body.run_id ?? '',
            loggedModelId: body.logged_model_id || undefined,
            runLink: '',
            description: body.description,
            tags: models.lastWins(body.tags ?? []),
          },
  };
}

interface PageQuery {
  readonly limit?: number;
  readonly page_token?: string;
}

async function answerPage(ctx: Ctx, query: PageQuery, filter: Omit<requests.RequestFilter, 'beforeId' | 'limit'>) {
  const page = { beforeId: decodeOffset(query.page_token) || undefined, limit: query.limit ?? PAGE_SIZE };
  const found = await requests.list(ctx, { ...filter, ...page });
  return {
    requests: await answerRequests(ctx, found.requests),
    next_page_token: found.nextId === undefined ? null : encodeOffset(found.nextId),
  };
}

async function listRequests(ctx: Ctx, query: InputOf<EndpointOf<'listRequests'>>['query']) {
  const creator = query.created_by;
  const account = creator === undefined || creator === 'me' ? undefined : await accounts.getByName(ctx, creator);
  if (query.target !== undefined && transitions.readTarget(query.target) === undefined) {
    throw invalid(
      `'${clip(query.target)}' is no target. Name one as in stage:Production, alias:champion, tag:risk, setting:policies or entry.`,
    );
  }
  return answerPage(ctx, query, {
    createdBy: creator === 'me' ? ctx.principal.id : account?.id,
    modelId: query.model === undefined ? undefined : (await models.get(ctx, query.model)).id,
    state: query.state,
    target: query.target,
  });
}

const answering = async (ctx: Ctx, answered: Promise<requests.Request>) => answerRequest(ctx, await answered);

export const requestHandlers: Handlers<(typeof requestEndpoints)[number]['id']> = {
  listRequests: (ctx, { query }) => listRequests(ctx, query),
  listVersionRequests: async (ctx, { params, query }) =>
    answerPage(ctx, query, { versionId: (await versions.get(ctx, params.name, params.version)).id, state: query.state }),
  createVersionRequest: (ctx, { params, body }) =>
    answering(ctx, requests.create(ctx, params.name, wishOf(body, params.version), body.comment)),
  createModelRequest: (ctx, { params, body }) => answering(ctx, requests.create(ctx, params.name, wishOf(body), body.comment)),
  getRequest: (ctx, { params }) => answering(ctx, requests.get(ctx, params.request)),
  evaluateRequest: async (ctx, { params }) => {
    const request = await requests.get(ctx, params.request);
    const asked = request.state === 'open' ? (await requests.evaluate(ctx, request)).asked : [];
    return {
      request: await answerRequest(ctx, request),
      is_allowed: request.state === 'open' && asked.every(({ decision }) => decision.isAllowed),
      decisions: await answerDecisions(ctx, asked),
    };
  },
  approveRequest: (ctx, { params, body }) =>
    answering(ctx, requests.approve(ctx, params.request, { comment: body.comment, archiveExisting: body.archive_existing })),
  rejectRequest: (ctx, { params, body }) => answering(ctx, requests.reject(ctx, params.request, body.comment)),
  cancelRequest: (ctx, { params, body }) => answering(ctx, requests.cancel(ctx, params.request, body.comment)),
  applyRequest: (ctx, { params, body }) =>
    answering(ctx, requests.apply(ctx, params.request, { comment: body.comment, archiveExisting: body.archive_existing })),
};
