import {
  INBOX_PAGE,
  type InboxRequestSchema,
  type InboxSection,
  type inboxEndpoints,
  type MentionSchema,
} from '@countersign/contract/inbox.ts';
import { invalid } from '@countersign/contract/problem.ts';
import type { Static } from 'typebox';
import * as catalog from '../features/catalog/catalog.ts';
import * as comments from '../features/comments/comments.ts';
import * as inbox from '../features/inbox/inbox.ts';
import type { Ctx } from '../platform/context.ts';
import { decodeOffset, encodeOffset } from '../platform/db/page-token.ts';
import { done } from './answers.ts';
import { answerOpenings } from './break-glass-handlers.ts';
import { answerComments } from './comment-handlers.ts';
import type { Handlers } from './handlers.ts';

async function answerRequests(ctx: Ctx, list: readonly inbox.OpenRequest[]): Promise<Static<typeof InboxRequestSchema>[]> {
  const ids = list.map(({ request }) => request.id);
  const activitiesOf = await comments.listRequestActivities(ctx, ids);
  const principalOf = await catalog.listPrincipals(
    ctx,
    list.map(({ request }) => request.createdBy),
  );
  return list.map(({ request, name, version, missing }) => ({
    id: request.id,
    name,
    version,
    target: request.target,
    subject: request.subject,
    comment: activitiesOf.get(request.id)?.opened?.comment ?? null,
    created_by: principalOf(request.createdBy),
    created_at: request.createdAt,
    expires_at: request.expiresAt,
    missing: [...missing],
  }));
}

async function answerMentions(ctx: Ctx, list: readonly comments.Mention[]): Promise<Static<typeof MentionSchema>[]> {
  const answers: Static<typeof MentionSchema>[] = [];
  for (const { id, comment, subject, at, readAt } of list) {
    const [answer] = await answerComments(ctx, subject, [comment]);
    if (answer === undefined) throw new TypeError('one comment is answered as one');
    const { model, version } = subject;
    answers.push({ id, name: model?.name ?? null, version: version?.version ?? null, comment: answer, at, read_at: readAt });
  }
  return answers;
}

function counted({ count, isCountExact, next }: inbox.Section<unknown>) {
  return { count, is_count_exact: isCountExact, next_page_token: next === undefined ? null : encodeOffset(next) };
}

interface Query {
  readonly section?: InboxSection;
  readonly limit?: number;
  readonly page_token?: string;
}

async function getInbox(ctx: Ctx, query: Query) {
  if (query.page_token && query.section === undefined) {
    throw invalid("'page_token' is of one section. Ask for that one: section=waiting_for_me, for example.");
  }
  const page = { from: decodeOffset(query.page_token) || undefined, limit: query.limit ?? INBOX_PAGE };
  const isAsked = (section: InboxSection): boolean => query.section === undefined || query.section === section;
  const waiting = isAsked('waiting_for_me') ? await inbox.listWaiting(ctx, page) : undefined;
  const opened = isAsked('opened_by_me') ? await inbox.listOpened(ctx, page) : undefined;
  const mentions = isAsked('mentions') ? await inbox.listMentions(ctx, page) : undefined;
  const toReview = isAsked('to_review') ? await inbox.listToReview(ctx, page) : undefined;
  return {
    waiting_for_me: waiting === undefined ? null : { ...counted(waiting), requests: await answerRequests(ctx, waiting.items) },
    opened_by_me: opened === undefined ? null : { ...counted(opened), requests: await answerRequests(ctx, opened.items) },
    mentions: mentions === undefined ? null : { ...counted(mentions), mentions: await answerMentions(ctx, mentions.items) },
    to_review: toReview === undefined ? null : { ...counted(toReview), openings: await answerOpenings(ctx, toReview.items) },
  };
}

export const inboxHandlers: Handlers<(typeof inboxEndpoints)[number]['id']> = {
  getInbox: (ctx, { query }) => getInbox(ctx, query),
  readMention: (ctx, { params }) => done(comments.readMention(ctx, params.mention)),
};
