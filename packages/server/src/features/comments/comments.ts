/**
 * Comments on versions and on requests, in threads, and who is mentioned in them. A comment's words (Markdown) stand beside its events alone, so
 * whoever erases them there has erased them everywhere.
 */
import { RANK } from '@countersign/contract/levels.ts';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { checkLength } from '@countersign/contract/names.ts';
import { invalid, notFound, Problem } from '@countersign/contract/problem.ts';
import { type Ctx, randomHex, reading, type TxCtx, transaction } from '../../platform/context.ts';
import * as events from '../events/events.ts';
import { listWords } from './activities.ts';
import type { CommentRow } from './comment-store.ts';
import * as store from './comment-store.ts';
import { demandWord, findSubject, rankOn, type Subject, subjectOfRequest, subjectOfVersion } from './comment-subjects.ts';
import * as mentionStore from './mention-store.ts';
import { type Comment, forgetMentions, listMentioned, setMentions } from './mentions.ts';

export { type ActivityPage, type ActivityQuery, listActivities, listRequestActivities } from './activities.ts';
export type { Activity } from './activity-rules.ts';
export type { Subject } from './comment-subjects.ts';
export { type Comment, countUnreadMentions, listMentions, type Mention } from './mentions.ts';

const COMMENT_MAX = 16_000;

/** A comment with what it is about. */
export interface Placed {
  readonly comment: Comment;
  readonly subject: Subject;
}

export interface VersionName {
  readonly name: string;
  readonly version: number;
}

/** What is commented on. */
export type About = VersionName | { readonly requestId: number };

/** A comment's row with what it is about. */
interface Found {
  readonly row: CommentRow;
  readonly subject: Subject;
}

function subjectOf(ctx: Ctx, about: About): Promise<Subject> {
  return 'requestId' in about ? subjectOfRequest(ctx, about.requestId) : subjectOfVersion(ctx, about.name, about.version);
}

/** `parentId`: a comment on the same that it answers; it goes into that one's thread. */
export async function create(ctx: Ctx, about: About, text: string, parentId?: string): Promise<Placed> {
  checkComment(text);
  const mentioned = await listMentioned(ctx, text, await subjectOf(ctx, about));
  return transaction(ctx, async (inner) => {
    const subject = await subjectOf(inner, about);
    demandWord(inner, subject);
    const parent = parentId === undefined ? undefined : await getParent(inner, parentId, subject);
    const row = await store.insert(inner.tx, {
      id: randomHex(inner.clock),
      workspaceId: inner.workspace.id,
      modelId: subject.model?.id ?? null,
      versionId: subject.version?.id ?? null,
      requestId: subject.requestId,
      threadPk: parent?.pk ?? null,
      parentId: parent?.id ?? null,
      createdBy: inner.principal.id,
      createdAt: inner.clock.now(),
    });
    await setMentions(inner, row, mentioned);
    tell(inner, 'created', { row, subject }, text);
    return { comment: { ...row, text }, subject };
  });
}

/** The comment that opened the thread: answers to answers stand beside those. */
async function getParent(ctx: TxCtx, id: string, subject: Subject): Promise<CommentRow> {
  const { row } = await get(ctx, id);
  if (row.versionId !== (subject.version?.id ?? null) || row.requestId !== subject.requestId) {
    throw invalid(`The comment '${clip(id)}' is about something else. Answer it there, or comment here without 'parent'.`);
  }
  return openerOf(ctx, row);
}

async function openerOf(ctx: Ctx, row: CommentRow): Promise<CommentRow> {
  return row.threadPk === null ? row : ((await store.findByPk(reading(ctx), row.threadPk)) ?? row);
}

/** By its author. */
export async function update(ctx: Ctx, id: string, text: string): Promise<Placed> {
  checkComment(text);
  const mentioned = await listMentioned(ctx, text, (await get(ctx, id)).subject);
  return transaction(ctx, async (inner) => {
    const found = await get(inner, id);
    if (!actionsOn(inner, found.row, found.subject).includes('edit')) throw refused(inner, 'Only its author changes a comment.');
    const at = inner.clock.now();
    if (!(await store.markUpdated(inner.tx, id, at, inner.principal.id))) throw unknown(id);
    const row = { ...found.row, updatedAt: at, editCount: found.row.editCount + 1 };
    await setMentions(inner, row, mentioned);
    tell(inner, 'edited', found, text);
    return { comment: { ...row, text }, subject: found.subject };
  });
}

/** By its author, or whoever manages the model. Its words stay beside their events until they are erased; answers to it stay. */
export function remove(ctx: Ctx, id: string): Promise<void> {
  return transaction(ctx, async (inner) => {
    const found = await get(inner, id);
    if (!actionsOn(inner, found.row, found.subject).includes('delete')) {
      throw refused(inner, 'Only its author, or whoever manages the model, deletes a comment.');
    }
    if (!(await store.markDeleted(inner.tx, id, inner.clock.now(), inner.principal.id))) throw unknown(id);
    await forgetMentions(inner, found.row);
    tell(inner, 'deleted', found);
  });
}

/** Closes a thread, or opens it again, by any of its comments: whoever may comment does. Once more changes nothing. Answers what opened it. */
export function setResolved(ctx: Ctx, id: string, isResolved: boolean): Promise<Placed> {
  return transaction(ctx, async (inner) => {
    const { row, subject } = await get(inner, id);
    demandWord(inner, subject);
    const opener = await openerOf(inner, row);
    const by = inner.principal.id;
    const isChanged = isResolved
      ? await store.markResolved(inner.tx, opener.pk, inner.clock.now(), by)
      : await store.markReopened(inner.tx, opener.pk, by);
    if (isChanged) tell(inner, isResolved ? 'resolved' : 'reopened', { row: opener, subject });
    const [comment] = await withWords(inner, [(await store.findByPk(inner.tx, opener.pk)) ?? opener]);
    if (comment === undefined) throw new TypeError('one comment with its words is one');
    return { comment, subject };
  });
}

export interface ThreadPage {
  readonly comments: readonly Comment[];
  readonly subject: Subject;
  /** Of the last one, where more follow. */
  readonly lastPk: number | undefined;
}

/** Thread by thread, the oldest first: the comment that opened it, then what was answered. A deleted one shows, wordless, while answers to it do. */
export async function list(
  ctx: Ctx,
  about: About,
  page: { readonly afterPk: number | undefined; readonly limit: number },
): Promise<ThreadPage> {
  const subject = await subjectOf(ctx, about);
  const last = page.afterPk === undefined ? undefined : await store.findByPk(reading(ctx), page.afterPk);
  const found = await store.listThreads(reading(ctx), {
    about: subject.requestId === null ? { versionId: subject.version?.id ?? -1 } : { requestId: subject.requestId },
    afterThreadPk: last?.threadPk ?? last?.pk ?? 0,
    afterPk: last?.pk ?? 0,
    limit: page.limit + 1,
  });
  const shown = found.slice(0, page.limit);
  return { comments: await withWords(ctx, shown), subject, lastPk: found.length > shown.length ? shown.at(-1)?.pk : undefined };
}

async function withWords(ctx: Ctx, rows: readonly CommentRow[]): Promise<Comment[]> {
  const words = await listWords(
    ctx,
    rows.filter((row) => row.deletedAt === null),
  );
  return rows.map((row) => ({ ...row, text: words.get(row.id) ?? null }));
}

export type CommentAction = 'edit' | 'delete' | 'resolve' | 'reopen';

/** What the caller may do with a comment now. */
export function actionsOn(
  ctx: Ctx,
  comment: Pick<CommentRow, 'createdBy' | 'deletedAt' | 'threadPk' | 'resolvedAt'>,
  subject: Pick<Subject, 'model'>,
): readonly CommentAction[] {
  if (comment.deletedAt !== null) return [];
  const rank = rankOn(ctx.access, subject);
  const isAuthor = comment.createdBy === ctx.principal.id;
  const isOpener = comment.threadPk === null && rank >= RANK.READ;
  return [
    ...(isAuthor ? (['edit', 'delete'] as const) : rank >= RANK.MANAGE ? (['delete'] as const) : []),
    ...(isOpener ? [comment.resolvedAt === null ? ('resolve' as const) : ('reopen' as const)] : []),
  ];
}

/** What it is about isn't deleted. Whoever may not see that is told that there is no such comment. */
async function get(ctx: Ctx, id: string): Promise<Found> {
  const row = await store.find(reading(ctx), id);
  const subject = row?.deletedAt === null ? await findSubject(ctx, row) : undefined;
  if (row === undefined || subject === undefined) throw unknown(id);
  return { row, subject };
}

function tell(
  ctx: TxCtx,
  verb: 'created' | 'edited' | 'deleted' | 'resolved' | 'reopened',
  { row, subject }: Found,
  comment?: string,
): void {
  events.record(ctx, {
    type: `comment.${verb}`,
    ...(subject.model === undefined ? {} : { modelId: subject.model.id }),
    ...(subject.version === undefined ? {} : { versionId: subject.version.id }),
    target: `comment:${row.id}`,
    data: {
      comment_id: row.id,
      ...(subject.version === undefined ? {} : { number: subject.version.version }),
      ...(row.parentId === null ? {} : { parent_id: row.parentId }),
      ...(row.requestId === null ? {} : { request_id: row.requestId }),
    },
    ...(comment === undefined ? {} : { texts: { comment } }),
  });
}

/** Of the caller himself; RESOURCE_DOES_NOT_EXIST for others'. Once more changes nothing. */
export function readMention(ctx: Ctx, id: number): Promise<void> {
  return transaction(ctx, async (inner) => {
    if (await mentionStore.markRead(inner.tx, id, inner.principal.id, inner.clock.now())) return;
    throw notFound(`You have no mention ${id}.`);
  });
}

function checkComment(text: string): void {
  if (text.trim() === '') throw invalid("'comment' is empty. Say something, or delete the comment.");
  checkLength(text, COMMENT_MAX, 'comment');
}

function unknown(id: string): Problem {
  return notFound(`There is no comment '${clip(id)}'.`);
}

function refused(ctx: Ctx, rule: string): Problem {
  return new Problem('PERMISSION_DENIED', `Permission denied: '${clip(ctx.principal.name)}' did not write this comment. ${rule}`);
}
