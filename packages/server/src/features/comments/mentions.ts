/** Who is told that a comment mentions them: people, by their names or a group's, who may see what it is about. */
import { type Ctx, reading, type TxCtx } from '../../platform/context.ts';
import * as accounts from '../accounts/accounts.ts';
import * as groups from '../groups/groups.ts';
import * as models from '../models/models.ts';
import { listWords } from './activities.ts';
import * as commentStore from './comment-store.ts';
import { findSubject, isVisibleTo, type Subject } from './comment-subjects.ts';
import { mentionsIn } from './mention-rules.ts';
import type { MentionRow } from './mention-store.ts';
import * as store from './mention-store.ts';

/** A group with which they would be more than this is told nothing. */
const MENTIONED_MAX = 200;

/** Their ids, without the caller's. */
export async function listMentioned(ctx: Ctx, text: string, subject: Subject): Promise<readonly number[]> {
  const ids = new Set<number>();
  for (const names of mentionsIn(text)) await addFirstKnown(ctx, names, ids);
  ids.delete(ctx.principal.id);
  const told: number[] = [];
  for (const account of await accounts.listByIds(ctx, [...ids])) {
    if (account.kind !== 'user' || account.state !== 'active') continue;
    if (await isVisibleTo(ctx, account, subject)) told.push(account.id);
  }
  return told.sort((a, b) => a - b);
}

async function addFirstKnown(ctx: Ctx, names: readonly string[], ids: Set<number>): Promise<void> {
  for (const name of names) {
    const account = await accounts.findByName(ctx, name);
    const found = [await groups.find(ctx, name), await groups.find(ctx, name, ctx.workspace.id)].filter((each) => each !== undefined);
    if (account !== undefined && ids.size < MENTIONED_MAX) ids.add(account.id);
    for (const group of found) {
      const members = await groups.listMemberIds(ctx, group.id, { afterId: -1, limit: MENTIONED_MAX + 1 });
      if (ids.union(new Set(members)).size <= MENTIONED_MAX) for (const id of members) ids.add(id);
    }
    if (account !== undefined || found.length > 0) return;
  }
}

/** In place of those that were mentioned before; who was told already isn't told again. */
export async function setMentions(
  ctx: TxCtx,
  comment: Pick<commentStore.CommentRow, 'pk' | 'editCount'>,
  ids: readonly number[],
): Promise<void> {
  if (comment.editCount > 0) await store.keepOnly(ctx.tx, comment.pk, ids);
  await store.add(ctx.tx, comment.pk, ids, ctx.clock.now(), ctx.principal.id);
}

export function forgetMentions(ctx: TxCtx, comment: Pick<commentStore.CommentRow, 'pk'>): Promise<void> {
  return store.keepOnly(ctx.tx, comment.pk, []);
}

export interface Comment extends commentStore.CommentRow {
  /** Null where it was deleted, or its words were erased. */
  readonly text: string | null;
}

export interface Mention extends MentionRow {
  readonly comment: Comment;
  readonly subject: Subject;
}

export interface MentionQuery {
  readonly isRead: boolean;
  /** The last that was looked at before. */
  readonly beforeId: number | undefined;
  readonly limit: number;
}

export interface MentionPage {
  readonly mentions: readonly Mention[];
  /** Of the last that was looked at, where more may follow. */
  readonly lastId: number | undefined;
}

/** Those of the caller on what he may see, newest first. */
export async function listMentions(ctx: Ctx, { isRead, beforeId = Number.MAX_SAFE_INTEGER, limit }: MentionQuery): Promise<MentionPage> {
  const found = await store.list(reading(ctx), { ...readerOf(ctx), isRead, beforeId, limit: limit + 1 });
  const page = found.slice(0, limit);
  const ids = page.map(({ commentId }) => commentId);
  const comments = new Map((await commentStore.listByIds(reading(ctx), ids)).map((row) => [row.id, row]));
  const texts = await listWords(ctx, [...comments.values()]);
  const mentions: Mention[] = [];
  for (const row of page) {
    const comment = comments.get(row.commentId);
    const subject = comment && (await findSubject(ctx, comment));
    if (comment && subject) mentions.push({ ...row, comment: { ...comment, text: texts.get(comment.id) ?? null }, subject });
  }
  return { mentions, lastId: found.length > page.length ? page.at(-1)?.id : undefined };
}

function readerOf(ctx: Ctx): store.Reader {
  return { principalId: ctx.principal.id, workspaceId: ctx.workspace.id, scope: models.scopeOf(ctx, reading(ctx).dialect) };
}

/** At most `max`. */
export function countUnreadMentions(ctx: Ctx, max: number): Promise<number> {
  return store.countUnread(reading(ctx), readerOf(ctx), max);
}
