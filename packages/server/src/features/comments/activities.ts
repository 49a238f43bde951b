/** What happened to a version or a request as people read it, from events and, for comments, as their authors left them. */
import { type Ctx, reading } from '../../platform/context.ts';
import * as events from '../events/events.ts';
import type { ModelVersion } from '../versions/versions.ts';
import { ACTIVITY_EVENTS, type Activity, type ActivityEvent, activityOf } from './activity-rules.ts';
import type { CommentRow } from './comment-store.ts';
import * as store from './comment-store.ts';

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
  const shown = await showComments(ctx, activities);
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

async function showComments(ctx: Ctx, activities: readonly Activity[]): Promise<Activity[]> {
  const ids = activities.flatMap(({ commentId }) => commentId ?? []);
  const rows = new Map((await store.listByIds(reading(ctx), ids)).map((row) => [row.id, row]));
  const texts = await listWords(
    ctx,
    [...rows.values()].filter((row) => row.deletedAt === null && row.editCount > 0),
  );
  return activities.flatMap((activity) => {
    if (activity.commentId === null) return [activity];
    const row = rows.get(activity.commentId);
    if (row?.deletedAt !== null) return [];
    const comment = row.editCount > 0 ? (texts.get(row.id) ?? null) : activity.comment;
    return [{ ...activity, comment, updatedAt: row.updatedAt }];
  });
}

/** What comments say now, by their ids; those whose words are erased are left out. */
export async function listWords(ctx: Ctx, rows: readonly Pick<CommentRow, 'id'>[]): Promise<ReadonlyMap<string, string>> {
  const db = reading(ctx);
  const newest = await events.listNewestOnComments(
    db,
    rows.map(({ id }) => id),
    ['comment.created', 'comment.edited'],
  );
  const texts = await events.listTexts(db, [...newest.values()]);
  return new Map(
    [...newest].flatMap(([id, seq]) => {
      const words = texts.get(seq)?.get('comment');
      return words === undefined ? [] : [[id, words] as const];
    }),
  );
}

/** What opened a request, and what was said to it last. */
export interface RequestActivities {
  readonly opened: Activity | undefined;
  readonly closed: Activity | undefined;
}

/** By the request's id. */
export async function listRequestActivities(ctx: Ctx, ids: readonly number[]): Promise<ReadonlyMap<number, RequestActivities>> {
  const all = await events.listOnRequests(reading(ctx), ids);
  const found = await withTexts(
    ctx,
    all.filter(({ type }) => ACTIVITY_EVENTS.includes(type)),
  );
  const activities = Map.groupBy(found.map(activityOf), ({ requestId }) => requestId);
  return new Map(
    ids.map((id) => {
      const ofRequest = activities.get(id) ?? [];
      const opened = ofRequest.find(({ type }) => type === 'REQUESTED_TRANSITION');
      return [id, { opened, closed: ofRequest.findLast((each) => each !== opened) }];
    }),
  );
}
