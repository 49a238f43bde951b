import type { modelEndpoints } from '@countersign/contract/models.ts';
import { invalid } from '@countersign/contract/problem.ts';
import { PAGE_SIZE } from '@countersign/contract/schemas.ts';
import * as models from '../features/models/models.ts';
import * as requests from '../features/requests/requests.ts';
import * as transitions from '../features/transitions/transitions.ts';
import { answerDeletedModel, answerModel, done } from './answers.ts';
import type { Handlers } from './handlers.ts';

export const modelHandlers: Handlers<(typeof modelEndpoints)[number]['id']> = {
  searchModels: async (ctx, { query }) => {
    const page = await models.search(ctx, {
      filter: query.filter,
      orderBy: query.order_by ?? [],
      limit: query.limit ?? PAGE_SIZE,
      pageToken: query.page_token,
    });
    const answers = [];
    for (const model of page.items) answers.push(await answerModel(ctx, model));
    return { models: answers, next_page_token: page.nextPageToken ?? null };
  },
  createModel: async (ctx, { body }) => {
    const tags = models.lastWins(body.tags ?? []);
    return answerModel(ctx, await requests.createModel(ctx, { name: body.name, description: body.description || undefined, tags }));
  },
  getModel: async (ctx, { params }) => answerModel(ctx, await models.get(ctx, params.name)),
  updateModel: async (ctx, { params, body }) =>
    answerModel(ctx, await models.setDescription(ctx, params.name, body.description ?? undefined)),
  renameModel: async (ctx, { params, body }) => answerModel(ctx, await requests.renameModel(ctx, params.name, body.name)),
  deleteModel: async (ctx, { params }) => {
    const { id, name } = await models.get(ctx, params.name);
    await requests.deleteModel(ctx, name);
    return { id, name };
  },
  setModelTag: (ctx, { params, body }) => done(requests.setModelTag(ctx, params.name, params.key, body.value)),
  deleteModelTag: (ctx, { params }) => done(requests.setModelTag(ctx, params.name, params.key, null)),
  listDeletedModels: async (ctx, { query }) => ({ models: (await models.listDeleted(ctx, query.name)).map(answerDeletedModel) }),
  restoreModel: async (ctx, { params, body }) => answerModel(ctx, await transitions.restoreModel(ctx, params.id, body.name)),
  purgeModel: async (ctx, { params, query }) => {
    const { name } = await models.getDeleted(ctx, params.id);
    if (query.confirm !== name) throw invalid(`'confirm' must be the name of the deleted model, '${name}'. Nothing was purged.`);
    return done(transitions.purgeModel(ctx, params.id));
  },
};
