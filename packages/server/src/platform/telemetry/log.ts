/** The log: JSON lines on stderr, or short lines where a person reads them. */
import pino, { type Logger } from 'pino';
import type { LogLevel } from '../config/server-config.ts';
import { prettyLine } from './pretty-line.ts';

export function createLog(level: LogLevel): Logger {
  const options = { level, base: { service: 'countersign' }, timestamp: pino.stdTimeFunctions.isoTime };
  // Written at once: a line that waits in memory is lost when the process is killed, and there are few.
  const stderr = pino.destination({ dest: 2, sync: true });
  if (!process.stderr.isTTY) return pino(options, stderr);
  return pino(options, { write: (line: string) => void stderr.write(prettyLine(line)) });
}
