/** Points in time as people and scripts write them. Pure. */
import { Type } from 'typebox';
import { invalid } from './problem.ts';

export const TimeText = Type.String({
  description: 'Epoch milliseconds (`1767225600000`) or RFC 3339 (`2026-01-01T00:00:00Z`).',
  examples: ['2026-01-01T00:00:00Z'],
});

const RFC_3339 = /^\d{4}-(\d{2})-(\d{2})[Tt ](\d{2}):(\d{2}):(\d{2})(?:\.\d+)?([Zz]|[+-]\d{2}:\d{2})$/;

/** Epoch ms of a `TimeText`. Throws INVALID_PARAMETER_VALUE that names the parameter. */
export function parseTime(text: string, parameter: string): number {
  if (/^\d{1,15}$/.test(text)) return Number(text);
  // In a query a '+' that wasn't percent-encoded arrives as a space.
  const repaired = text.replace(/ (?=\d{2}:\d{2}$)/, '+');
  const parts = RFC_3339.exec(repaired);
  const at = parts && isOnCalendar(parts) ? Date.parse(repaired.replace(' ', 'T').toUpperCase()) : Number.NaN;
  if (Number.isNaN(at)) {
    throw invalid(
      `'${text.slice(0, 100)}' is no time for '${parameter}'. Give epoch milliseconds (1767225600000) or RFC 3339 (2026-01-01T00:00:00Z).`,
    );
  }
  return at;
}

/** `Date.parse` takes 30 February for 2 March. */
function isOnCalendar(parts: RegExpExecArray): boolean {
  const year = Number(parts[0].slice(0, 4));
  const [month = 0, day = 0] = parts.slice(1, 3).map(Number);
  return month >= 1 && month <= 12 && day >= 1 && day <= new Date(Date.UTC(year, month, 0)).getUTCDate();
}
