/**
 * Comments on a version, and its activities: what was asked, answered, moved and said. A comment's words (Markdown) stand beside its events alone, so
 * whoever erases them there has erased them everywhere.
 */
import { RANK } from '@countersign/contract/levels.ts';
import { clip } from '@countersign/contract/mlflow/message.ts';
import { checkLength } from '@countersign/contract/names.ts';
import { invalid, notFound, Problem } from '@countersign/contract/problem.ts';
import { type Ctx, randomHex, reading, type TxCtx, transaction } from '../../platform/context.ts';
import { demand } from '../access/access.ts';
import * as events from '../events/events.ts';
import type { ModelVersion } from '../versions/versions.ts';
import * as versions from '../versions/versions.ts';
import { ACTIVITY_EVENTS, type Activity, type ActivityEvent, activityOf } from './activity-rules.ts';
import type { CommentRow } from './comment-store.ts';
import * as store from './comment-store.ts';

export type { Activity } from './activity-rules.ts';

const COMMENT_MAX = 16_000;

export interface Comment extends CommentRow {
  readonly text: string;
}

/** A comment's row with what it is about. */
interface Found {
  readonly row: CommentRow;
  readonly version: ModelVersion;
}

export function create(ctx: Ctx, name: string, number: number, text: string): Promise<Comment> {
  checkComment(text);
  return transaction(ctx, async (inner) => {
    const version = await versions.get(inner, name, number);
    demand(inner, 'registered-model', { id: version.modelId, name: version.name }, 'READ');
    const at = inner.clock.now();
    const id = randomHex(inner.clock);
    const row = { id, versionId: version.id, createdBy: inner.principal.id, createdAt: at, updatedAt: at, deletedAt: null, editCount: 0 };
    await store.insert(inner.tx, row);
    tell(inner, 'created', { row, version }, text);
    return { ...row, text };
  });
}

/** By its author. */
export function update(ctx: Ctx, id: string, text: string): Promise<Comment> {
  checkComment(text);
  return transaction(ctx, async (inner) => {
    const found = await get(inner, id);
    if (!actionsOn(inner, found.row, found.version).includes('edit')) throw refused(inner, 'Only its author changes a comment.');
    const at = inner.clock.now();
    if (!(await store.markUpdated(inner.tx, id, at, inner.principal.id))) throw unknown(id);
    tell(inner, 'edited', found, text);
    return { ...found.row, updatedAt: at, text };
  });
}

/** By its author, or whoever manages the model. Its words stay beside their events until they are erased. */
export function remove(ctx: Ctx, id: string): Promise<void> {
  return transaction(ctx, async (inner) => {
    const found = await get(inner, id);
    if (!actionsOn(inner, found.row, found.version).includes('delete')) {
      throw refused(inner, 'Only its author, or whoever manages the model, deletes a comment.');
    }
    if (!(await store.markDeleted(inner.tx, id, inner.clock.now(), inner.principal.id))) throw unknown(id);
    tell(inner, 'deleted', found);
  });
}

export type CommentAction = 'edit' | 'delete';

/** What the caller may do with a comment now. */
export function actionsOn(ctx: Ctx, comment: Pick<CommentRow, 'createdBy'>, version: ModelVersion): readonly CommentAction[] {
  if (comment.createdBy === ctx.principal.id) return ['edit', 'delete'];
  return ctx.access.rankOf('registered-model', { id: version.modelId, name: version.name }) >= RANK.MANAGE ? ['delete'] : [];
}

/** Of a version that isn't deleted. Whoever may not see the version is told that there is no such comment. */
async function get(ctx: TxCtx, id: string): Promise<Found> {
  const row = await store.find(ctx.tx, id);
  const version = row?.deletedAt === null ? await versions.findById(ctx, row.versionId) : undefined;
  if (row === undefined || version?.deletedAt !== null) throw unknown(id);
  const rank = ctx.access.rankOf('registered-model', { id: version.modelId, name: version.name });
  if (rank < RANK.VIEW) throw unknown(id);
  return { row, version };
}

function tell(ctx: TxCtx, verb: 'created' | 'edited' | 'deleted', { row, version }: Found, comment?: string): void {
  events.record(ctx, {
    type: `comment.${verb}`,
    modelId: version.modelId,
    versionId: version.id,
    target: `comment:${row.id}`,
    data: { comment_id: row.id, number: version.version },
    ...(comment === undefined ? {} : { texts: { comment } }),
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

export interface ActivityQuery {
  /** The last of the page before. */
  readonly afterSeq: number | undefined;
  readonly newestFirst: boolean;
  readonly limit: number;
}

export interface ActivityPage {
  readonly activities: readonly Activity[];
  /** Of the last event that was looked at, where more may follow. */
  readonly nextSeq: number | undefined;
}

/** A comment shows as its author left it; a deleted one doesn't. */
export async function listActivities(ctx: Ctx, version: Pick<ModelVersion, 'id'>, query: ActivityQuery): Promise<ActivityPage> {
  const found = await events.listOfVersion(reading(ctx), {
    versionId: version.id,
    types: ACTIVITY_EVENTS,
    afterSeq: query.afterSeq,
    newestFirst: query.newestFirst,
    limit: query.limit + 1,
  });
  const page = found.slice(0, query.limit);
  const activities = (await withTexts(ctx, page)).map(activityOf);
  const shown = await showComments(ctx, version, activities);
  return { activities: shown, nextSeq: found.length > page.length ? page.at(-1)?.seq : undefined };
}

type ReadEvent = Awaited<ReturnType<typeof events.listOfVersion>>[number];

async function withTexts(ctx: Ctx, page: readonly ReadEvent[]): Promise<ActivityEvent[]> {
  const texts = await events.listTexts(
    reading(ctx),
    page.map(({ seq }) => seq),
  );
  return page.map((event) => {
    const body = JSON.parse(event.body) as { data: ActivityEvent['data']; principal_id: number }; // as the events room writes it
    return { ...event, data: body.data, principalId: body.principal_id, comment: texts.get(event.seq)?.get('comment') };
  });
}

async function showComments(ctx: Ctx, version: Pick<ModelVersion, 'id'>, activities: readonly Activity[]): Promise<Activity[]> {
  const ids = activities.flatMap(({ commentId }) => commentId ?? []);
  const rows = new Map((await store.listByIds(reading(ctx), ids)).map((row) => [row.id, row]));
  const isEdited = (row: CommentRow | undefined): boolean => row?.deletedAt === null && row.editCount > 0;
  const edited = activities.filter(({ commentId }) => isEdited(rows.get(commentId ?? '')));
  const texts = edited.length === 0 ? new Map<string, string | undefined>() : await listEdits(ctx, version.id, edited);
  return activities.flatMap((activity) => {
    const row = activity.commentId === null ? undefined : rows.get(activity.commentId);
    if (activity.commentId === null) return [activity];
    if (row?.deletedAt !== null) return [];
    const comment = texts.has(row.id) ? (texts.get(row.id) ?? null) : activity.comment;
    return [{ ...activity, comment, updatedAt: row.updatedAt }];
  });
}

/** The newest words of comments; undefined where those are erased. */
async function listEdits(ctx: Ctx, versionId: number, edited: readonly Activity[]): Promise<Map<string, string | undefined>> {
  const wanted = new Set(edited.map(({ commentId }) => commentId));
  const newest = new Map<string, number>();
  const fromSeq = Math.min(...edited.map(({ seq }) => seq));
  for await (const { seq, body } of events.listAllOfVersion(reading(ctx), { versionId, types: ['comment.edited'], fromSeq })) {
    const { data } = JSON.parse(body) as { data: { comment_id: string } }; // as `tell` writes it
    if (wanted.has(data.comment_id)) newest.set(data.comment_id, seq);
  }
  const texts = await events.listTexts(reading(ctx), [...newest.values()]);
  return new Map([...newest].map(([id, seq]) => [id, texts.get(seq)?.get('comment')]));
}

/** What opened a request, and what closed it. */
export interface RequestActivities {
  readonly opened: Activity | undefined;
  readonly closed: Activity | undefined;
}

/** By the request's id. */
export async function listRequestActivities(ctx: Ctx, ids: readonly number[]): Promise<ReadonlyMap<number, RequestActivities>> {
  const found = await withTexts(ctx, await events.listOnRequests(reading(ctx), ids));
  const activities = Map.groupBy(found.map(activityOf), ({ requestId }) => requestId);
  return new Map(
    ids.map((id) => {
      const ofRequest = activities.get(id) ?? [];
      const opened = ofRequest.find(({ type }) => type === 'REQUESTED_TRANSITION');
      return [id, { opened, closed: ofRequest.find((each) => each !== opened) }];
    }),
  );
}
