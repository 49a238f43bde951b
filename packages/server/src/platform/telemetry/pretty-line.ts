/** One line of the log for a person's eyes. */
import { styleText } from 'node:util';

const LEVELS: Readonly<Record<number, string>> = {
  20: 'debug',
  30: 'info ',
  40: styleText('yellow', 'warn '),
  50: styleText('red', 'error'),
  60: styleText('red', 'fatal'),
};
const SAID_ELSEWHERE = new Set(['level', 'time', 'msg', 'service', 'err']);

export function prettyLine(json: string): string {
  const { level, time, msg, err, ...rest } = JSON.parse(json) as Record<string, unknown>; // written by pino a moment ago
  const details = Object.entries(rest)
    .filter(([key]) => !SAID_ELSEWHERE.has(key))
    .map(([key, value]) => ` ${key}=${typeof value === 'string' ? value : JSON.stringify(value)}`);
  const stack = (err as { stack?: string } | undefined)?.stack;
  return `${String(time).slice(11, 19)} ${LEVELS[Number(level)] ?? level} ${msg ?? ''}${details.join('')}\n${stack ? `${stack}\n` : ''}`;
}
