/**
 * When nothing may change, by the clock on the wall of a time zone. A window lasts from the first moment at which that clock shows its beginning to
 * the last at which it shows its end: where summer time ends, the hour that comes twice belongs to it both times; where it begins, the hour that is
 * left out has no length. Pure: the calendar is Intl's, the time is given.
 */
import { durationMs, type FreezeWindow, WEEKDAYS } from '@countersign/contract/policies.ts';

interface Span {
  readonly start: number;
  readonly end: number;
}

const MINUTE_MS = durationMs('1m');
const DAY_MS = durationMs('1d');
/** No zone is further from UTC, and none changes its clock by more. */
const OFFSET_MAX_MS = durationMs('16h');
/** Samoa once left out a day. */
const JUMP_MAX_MS = durationMs('26h');
/** Windows that follow each other without a gap: further than this nobody plans. */
const CHAIN_MAX = 200;

/** The window in which a moment lies, the one that ends last; undefined where it is free. */
export function freezeAt(
  windows: readonly FreezeWindow[],
  at: number,
): { readonly window: FreezeWindow; readonly end: number } | undefined {
  let last: { readonly window: FreezeWindow; readonly end: number } | undefined;
  for (const window of windows) {
    for (const { start, end } of spansAround(window, at)) {
      if (start <= at && at < end && (last === undefined || end > last.end)) last = { window, end };
    }
  }
  return last;
}

/** The first free moment, `at` included; null where windows follow each other without end. */
export function thawAfter(windows: readonly FreezeWindow[], at: number): number | null {
  let moment = at;
  for (let step = 0; step < CHAIN_MAX; step++) {
    const frozen = freezeAt(windows, moment);
    if (frozen === undefined) return moment;
    moment = frozen.end;
  }
  return null;
}

function spansAround(window: FreezeWindow, at: number): readonly Span[] {
  const clock = wallClock(window.time_zone);
  const local = localOf(clock, at);
  // Asking the calendar is dear, and most windows are far away.
  return spansOnWall(window, local)
    .filter(({ start, end }) => start - JUMP_MAX_MS <= local && local <= end + JUMP_MAX_MS)
    .map(({ start, end }) => ({ start: Math.min(...moments(clock, start)), end: Math.max(...moments(clock, end)) }));
}

function spansOnWall(window: FreezeWindow, local: number): readonly Span[] {
  if (window.dated !== undefined) return [{ start: parseLocal(window.dated.from), end: parseLocal(window.dated.to) }];
  if (window.weekly === undefined) return [];
  const from = minuteOfWeek(window.weekly.from);
  const to = minuteOfWeek(window.weekly.to);
  const length = to > from ? to - from : to - from + WEEK_MINUTES;
  const monday = mondayBefore(local);
  // One that began last week may last into this one; one of next week begins earlier where a day is left out.
  return [-1, 0, 1].map((weeks) => {
    const start = monday + (weeks * WEEK_MINUTES + from) * MINUTE_MS;
    return { start, end: start + length * MINUTE_MS };
  });
}

const WEEK_MINUTES = 7 * 24 * 60;
const DAYS: readonly string[] = WEEKDAYS;

function minuteOfWeek(text: string): number {
  const [day = '', time = ''] = text.split(' ');
  const [hour = 0, minute = 0] = time.split(':').map(Number);
  return (DAYS.indexOf(day) * 24 + hour) * 60 + minute;
}

/** Times on a wall are written as the epoch ms at which a clock in UTC shows the same. */
function parseLocal(text: string): number {
  const [year = 0, month = 0, day = 0, hour = 0, minute = 0] = text.split(/[- T:]/).map(Number);
  return Date.UTC(year, month - 1, day, hour, minute);
}

function mondayBefore(local: number): number {
  const day = Math.floor(local / DAY_MS);
  // The first of January 1970 was a Thursday.
  return (day - ((((day + 3) % 7) + 7) % 7)) * DAY_MS;
}

function localOf(clock: Intl.DateTimeFormat, at: number): number {
  const parts: Record<string, number> = {};
  for (const { type, value } of clock.formatToParts(at)) parts[type] = Number(value);
  const { year = 0, month = 0, day = 0, hour = 0, minute = 0, second = 0 } = parts;
  return Date.UTC(year, month - 1, day, hour, minute, second);
}

function offsetAt(clock: Intl.DateTimeFormat, at: number): number {
  return localOf(clock, at) - Math.floor(at / 1000) * 1000;
}

/** When the clock shows that time: once, twice, or where it jumps over it, the moment of the jump. */
function moments(clock: Intl.DateTimeFormat, local: number): readonly number[] {
  const before = offsetAt(clock, local - OFFSET_MAX_MS);
  const after = offsetAt(clock, local + OFFSET_MAX_MS);
  const shown = [local - before, local - after].filter((at) => localOf(clock, at) === local);
  return shown.length > 0 ? shown : [jumpBetween(clock, local - OFFSET_MAX_MS, local + OFFSET_MAX_MS, before)];
}

/** The moment at which the offset changes. */
function jumpBetween(clock: Intl.DateTimeFormat, from: number, to: number, before: number): number {
  let [low, high] = [from, to];
  while (high - low > 1) {
    const middle = Math.floor((low + high) / 2);
    if (offsetAt(clock, middle) === before) low = middle;
    else high = middle;
  }
  return high;
}

/** Making one is dear; there are no more zones than the world has. */
const clocks = new Map<string, Intl.DateTimeFormat>();

function wallClock(timeZone: string): Intl.DateTimeFormat {
  let clock = clocks.get(timeZone);
  if (clock === undefined) {
    clock = new Intl.DateTimeFormat('en-US', {
      timeZone,
      calendar: 'gregory',
      hourCycle: 'h23',
      year: 'numeric',
      month: 'numeric',
      day: 'numeric',
      hour: 'numeric',
      minute: 'numeric',
      second: 'numeric',
    });
    clocks.set(timeZone, clock);
  }
  return clock;
}
