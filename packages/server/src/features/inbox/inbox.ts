/**
 * What waits for the caller, what he waits for, where he is mentioned, and what wants him as a second person. Read-only: each section is looked up
 * from rows that are open, newest first, a bounded number at a time, and says how far it has looked.
 */
import { type Ctx, reading } from '../../platform/context.ts';
import * as approvals from '../approvals/approvals.ts';
import * as breakGlass from '../break-glass/break-glass.ts';
import * as comments from '../comments/comments.ts';
import * as models from '../models/models.ts';
import { describeRequests, type OpenRequest, pickAnswerable } from './open-requests.ts';

export type { OpenRequest } from './open-requests.ts';

/** Rows that one page looks at. */
const LOOKED_MAX = 200;
/** Nobody counts on from here. */
const COUNTED_MAX = 1000;

export interface Section<Item> {
  readonly items: readonly Item[];
  /** From this page on, as far as was looked. */
  readonly count: number;
  readonly isCountExact: boolean;
  /** Where the next page begins, if there may be one. */
  readonly next: number | undefined;
}

export interface Page {
  /** `next` of the page before. */
  readonly from: number | undefined;
  readonly limit: number;
}

/** Open requests that the caller could answer now, and has not; not his own. */
export function listWaiting(ctx: Ctx, page: Page): Promise<Section<OpenRequest>> {
  const scope = models.scopeOf(ctx, reading(ctx).dialect);
  return look(
    page,
    (beforeId, limit) => approvals.listOpenInScope(ctx, { scope, beforeId, limit }),
    (rows) => pickAnswerable(ctx, rows),
    async (found) => found,
  );
}

/** The caller's own open requests. */
export function listOpened(ctx: Ctx, page: Page): Promise<Section<OpenRequest>> {
  const own = { createdBy: ctx.principal.id, state: 'open' } as const;
  return look(
    page,
    (beforeId, limit) => approvals.list(ctx, { ...own, beforeId, limit }),
    async (rows) => ({ found: rows }),
    (rows) => describeRequests(ctx, rows),
  );
}

/** Uses of broken glass that nobody has reviewed, and the caller could. */
export function listToReview(ctx: Ctx, page: Page): Promise<Section<breakGlass.Opening>> {
  return look(
    page,
    (beforeId, limit) => breakGlass.list(ctx, { state: 'used', beforeId, limit }),
    async (rows) => {
      const found: breakGlass.Opening[] = [];
      for (const opening of rows) if (await breakGlass.mayReview(ctx, opening)) found.push(opening);
      return { found };
    },
    async (found) => found,
  );
}

interface Identified {
  readonly id: number;
}

/** What was looked at and found. */
export interface Picked<Row> {
  readonly found: readonly Row[];
  /** Where it stopped before the end. */
  readonly stoppedAt?: number | undefined;
}

async function look<Row extends Identified, Found extends Identified, Item = Found>(
  { from = Number.MAX_SAFE_INTEGER, limit }: Page,
  read: (beforeId: number, limit: number) => Promise<readonly Row[]>,
  pick: (rows: readonly Row[]) => Promise<Picked<Found>>,
  describe: (found: readonly Found[]) => Promise<readonly Item[]>,
): Promise<Section<Item>> {
  const rows = await read(from, LOOKED_MAX + 1);
  const looked = rows.slice(0, LOOKED_MAX);
  const { found, stoppedAt } = await pick(looked);
  const shown = found.slice(0, limit);
  const lastLooked = stoppedAt ?? (rows.length > looked.length ? looked.at(-1)?.id : undefined);
  return {
    items: await describe(shown),
    count: found.length,
    isCountExact: lastLooked === undefined,
    next: found.length > shown.length ? shown.at(-1)?.id : lastLooked,
  };
}

/** The unread first; those alone are counted. A page of the read ones begins at an odd number, one of the unread at an even one. */
export async function listMentions(ctx: Ctx, { from = Number.MAX_SAFE_INTEGER - 1, limit }: Page): Promise<Section<comments.Mention>> {
  const isRead = from % 2 === 1;
  const beforeId = from >= Number.MAX_SAFE_INTEGER - 1 ? undefined : Math.floor(from / 2);
  const page = await comments.listMentions(ctx, { isRead, beforeId, limit });
  const rest = limit - page.mentions.length;
  const more =
    isRead || page.lastId !== undefined || rest === 0
      ? undefined
      : await comments.listMentions(ctx, { isRead: true, beforeId: undefined, limit: rest });
  const count = await comments.countUnreadMentions(ctx, COUNTED_MAX);
  return {
    items: [...page.mentions, ...(more?.mentions ?? [])],
    count,
    isCountExact: count < COUNTED_MAX,
    next: nextMention(isRead, page.lastId, more?.lastId, rest === 0 && !isRead),
  };
}

/** `isFull`: the unread fill the page, and nobody has looked for read ones yet. */
function nextMention(isRead: boolean, lastId: number | undefined, lastReadId: number | undefined, isFull: boolean): number | undefined {
  if (lastId !== undefined) return lastId * 2 + (isRead ? 1 : 0);
  if (lastReadId !== undefined) return lastReadId * 2 + 1;
  return isFull ? FIRST_READ : undefined;
}

const FIRST_READ = Number.MAX_SAFE_INTEGER;
