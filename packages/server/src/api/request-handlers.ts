import type { RequestSchema, requestEndpoints } from '@countersign/contract/requests.ts';
import { PAGE_SIZE } from '@countersign/contract/schemas.ts';
import type { Static } from 'typebox';
import * as catalog from '../features/catalog/catalog.ts';
import * as comments from '../features/comments/comments.ts';
import * as requests from '../features/requests/requests.ts';
import type { ModelVersion } from '../features/versions/versions.ts';
import * as versions from '../features/versions/versions.ts';
import type { Ctx } from '../platform/context.ts';
import { decodeOffset, encodeOffset } from '../platform/db/page-token.ts';
import type { Handlers } from './handlers.ts';

async function answerRequests(ctx: Ctx, version: ModelVersion, list: readonly requests.Request[]): Promise<Static<typeof RequestSchema>[]> {
  const activitiesOf = await comments.listRequestActivities(
    ctx,
    list.map(({ id }) => id),
  );
  const principalOf = await catalog.listPrincipals(
    ctx,
    list.flatMap(({ createdBy, closedBy }) => (closedBy === null ? [createdBy] : [createdBy, closedBy])),
  );
  return list.map((request) => {
    const { opened, closed } = activitiesOf.get(request.id) ?? {};
    return {
      id: request.id,
      model_id: request.modelId,
      version_id: request.versionId,
      name: version.name,
      version: version.version,
      target: requests.targetOf(request),
      state: request.state,
      comment: opened?.comment ?? null,
      created_by: principalOf(request.createdBy),
      created_at: request.createdAt,
      closed_by: request.closedBy === null ? null : principalOf(request.closedBy),
      closed_at: request.closedAt,
      closing_comment: closed?.comment ?? closed?.systemComment ?? null,
      available_actions: [...requests.actionsOn(ctx, request, version)],
    };
  });
}

async function answerRequest(ctx: Ctx, name: string, number: number, id: number): Promise<Static<typeof RequestSchema>> {
  const version = await versions.get(ctx, name, number);
  const [answer] = await answerRequests(ctx, version, [await requests.get(ctx, version, id)]);
  if (answer === undefined) throw new TypeError('one request is answered as one');
  return answer;
}

interface ListQuery {
  readonly state?: 'open';
  readonly limit?: number;
  readonly page_token?: string;
}

async function listRequests(ctx: Ctx, name: string, number: number, query: ListQuery) {
  const version = await versions.get(ctx, name, number);
  if (query.state === 'open') {
    return { requests: await answerRequests(ctx, version, await requests.listOpen(ctx, version)), next_page_token: null };
  }
  const limit = query.limit ?? PAGE_SIZE;
  const found = await requests.list(ctx, version, { beforeId: decodeOffset(query.page_token) || undefined, limit: limit + 1 });
  const page = found.slice(0, limit);
  const last = page.at(-1);
  return {
    requests: await answerRequests(ctx, version, page),
    next_page_token: found.length > limit && last ? encodeOffset(last.id) : null,
  };
}

interface ByRequest {
  readonly name: string;
  readonly version: number;
  readonly request: number;
}

/** Reads what is asked for, has it answered, and shows the request as it is then. */
async function answering(ctx: Ctx, params: ByRequest, answer: (asked: requests.Asked) => Promise<unknown>) {
  const { name, version: number, request: id } = params;
  const request = await requests.get(ctx, await versions.get(ctx, name, number), id);
  const target = requests.targetOf(request);
  await answer({ name, version: number, stage: target.stage });
  return answerRequest(ctx, name, number, id);
}

export const requestHandlers: Handlers<(typeof requestEndpoints)[number]['id']> = {
  listRequests: (ctx, { params, query }) => listRequests(ctx, params.name, params.version, query),
  createRequest: async (ctx, { params, body }) => {
    const request = await requests.create(ctx, { ...params, stage: body.target.stage, comment: body.comment });
    return answerRequest(ctx, params.name, params.version, request.id);
  },
  getRequest: (ctx, { params }) => answerRequest(ctx, params.name, params.version, params.request),
  approveRequest: (ctx, { params, body }) =>
    answering(ctx, params, (asked) =>
      requests.approve(ctx, {
        ...asked,
        requestId: params.request,
        comment: body.comment,
        archiveExisting: body.archive_existing ?? false,
      }),
    ),
  rejectRequest: (ctx, { params, body }) =>
    answering(ctx, params, (asked) => requests.reject(ctx, { ...asked, requestId: params.request, comment: body.comment })),
  cancelRequest: (ctx, { params, body }) =>
    answering(ctx, params, (asked) => requests.cancel(ctx, { ...asked, comment: body.comment }, (each) => each.id === params.request)),
};
