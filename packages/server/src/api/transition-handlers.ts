import type { Level } from '@countersign/contract/levels.ts';
import { findStage, stageOf } from '@countersign/contract/stages.ts';
import { parseTime } from '@countersign/contract/time.ts';
import type { transitionEndpoints } from '@countersign/contract/transitions.ts';
import * as audit from '../features/audit/audit.ts';
import * as catalog from '../features/catalog/catalog.ts';
import * as requests from '../features/requests/requests.ts';
import * as workspaces from '../features/workspaces/workspaces.ts';
import type { Ctx } from '../platform/context.ts';
import { answerVersion, done } from './answers.ts';
import type { Handlers } from './handlers.ts';

interface AsOfQuery {
  readonly as_of?: string;
}

function asOfIn(query: AsOfQuery): number | undefined {
  return query.as_of === undefined ? undefined : parseTime(query.as_of, 'as_of');
}

function momentMembers({ subject, asOf, asOfSeq }: audit.Moment<unknown>) {
  return { model_id: subject.id, name: subject.name, as_of: asOf, as_of_seq: asOfSeq };
}

async function answerHolders(ctx: Ctx, holders: readonly audit.Holder[]) {
  const principalOf = await catalog.listPrincipals(
    ctx,
    holders.map((holder) => holder.principalId),
  );
  return holders.map((holder) => ({
    version: holder.version,
    version_id: holder.versionId,
    since_at: holder.sinceAt,
    since_seq: holder.sinceSeq,
    by: principalOf(holder.principalId),
  }));
}

async function listModelAccess(ctx: Ctx, name: string, query: AsOfQuery & { readonly level?: Level }) {
  const level = query.level ?? 'MANAGE_PRODUCTION';
  const moment = await audit.listAccess(ctx, { name }, level, asOfIn(query));
  const principalOf = await catalog.listPrincipals(
    ctx,
    moment.answer.map((each) => each.accountId),
  );
  const accounts = moment.answer.map((each) => ({ account: principalOf(each.accountId), level: each.level }));
  return { ...momentMembers(moment), level, accounts };
}

async function getStage(ctx: Ctx, question: audit.ModelQuestion, word: string, query: AsOfQuery) {
  const asOf = asOfIn(query);
  const defined = await workspaces.getStages(ctx);
  // One that the workspace no longer has is asked for as it was written.
  const stage = asOf === undefined ? stageOf(defined, word) : (findStage(defined, word)?.name ?? word);
  const moment = await audit.getStage(ctx, question, stage, asOf);
  return { ...momentMembers(moment), stage, versions: await answerHolders(ctx, moment.answer) };
}

async function getAlias(ctx: Ctx, question: audit.ModelQuestion, alias: string, query: AsOfQuery) {
  const moment = await audit.getAlias(ctx, question, alias, asOfIn(query));
  const [holder] = await answerHolders(ctx, moment.answer ? [moment.answer] : []);
  return { ...momentMembers(moment), alias, holder: holder ?? null };
}

export const transitionHandlers: Handlers<(typeof transitionEndpoints)[number]['id']> = {
  listModelAccess: (ctx, { params, query }) => listModelAccess(ctx, params.name, query),
  getStage: (ctx, { params, query }) => getStage(ctx, { name: params.name }, params.stage, query),
  getStageByModelId: (ctx, { params, query }) => getStage(ctx, { id: params.id }, params.stage, query),
  getAlias: (ctx, { params, query }) => getAlias(ctx, { name: params.name }, params.alias, query),
  getAliasByModelId: (ctx, { params, query }) => getAlias(ctx, { id: params.id }, params.alias, query),
  setStage: async (ctx, { params, body }) =>
    answerVersion(ctx, await requests.moveStage(ctx, { ...params, stage: body.stage, archiveExisting: body.archive_existing ?? false })),
  setAlias: (ctx, { params, body }) => done(requests.setAlias(ctx, params.name, params.alias, body.version)),
  deleteAlias: (ctx, { params }) => done(requests.deleteAlias(ctx, params.name, params.alias)),
};
