/** Whether a clock on a wall stands in a freeze: naive, with the offsets that zones have in the summer in which drills happen. */
import type { FreezeWords } from './seen.ts';

const HOURS_AHEAD: Readonly<Record<string, number>> = { UTC: 0, 'Europe/Berlin': 2, 'America/New_York': -4, 'Asia/Kolkata': 5.5 };
const DAYS = ['sun', 'mon', 'tue', 'wed', 'thu', 'fri', 'sat'];
const WEEK_MINUTES = 7 * 24 * 60;
/** Clocks are set back soon after. */
const SUMMER_ENDS = Date.UTC(2026, 9, 20);

export function isFrozen(windows: readonly FreezeWords[], at: number): boolean {
  if (at > SUMMER_ENDS) throw new TypeError('drills happen in summer');
  return windows.some(({ weekly, dated, time_zone }) => {
    const hours = HOURS_AHEAD[time_zone];
    if (hours === undefined) throw new TypeError(`${time_zone} has an offset`);
    const wall = new Date(at + hours * 3_600_000);
    // As texts of this form are ordered, so are the times.
    if (dated !== undefined) {
      const shown = wall.toISOString().slice(0, 16).replace('T', ' ');
      return dated.from.replace('T', ' ') <= shown && shown < dated.to.replace('T', ' ');
    }
    if (weekly === undefined) return false;
    const now = minuteOfWeek(wall.getUTCDay(), wall.getUTCHours(), wall.getUTCMinutes());
    const [from, to] = [read(weekly.from), read(weekly.to)];
    return from < to ? from <= now && now < to : now >= from || now < to;
  });
}

function minuteOfWeek(day: number, hour: number, minute: number): number {
  return ((day * 24 + hour) * 60 + minute) % WEEK_MINUTES;
}

function read(text: string): number {
  const [day = '', hour = '', minute = ''] = text.split(/[ :]/);
  return minuteOfWeek(DAYS.indexOf(day), Number(hour), Number(minute));
}
