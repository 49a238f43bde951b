/** A command that another waits for: its output is the terminal's, its end is told. */
import { spawn } from 'node:child_process';

export interface CommandEnd {
  /** null: it could not be started, or a signal ended it. */
  readonly code: number | null;
  /** That somebody sent to this process meanwhile, or that ended the command. */
  readonly signal: NodeJS.Signals | null;
  /** Why it could not be started. */
  readonly problem: string | undefined;
}

/** With `keepsOutput` what it writes to standard output goes to standard error, so that our own document stands there alone. */
export function runWatched(words: readonly string[], keepsOutput: boolean): Promise<CommandEnd> {
  const [command = '', ...args] = words;
  return new Promise((resolve) => {
    let sent: NodeJS.Signals | null = null;
    const pass = (signal: NodeJS.Signals): void => {
      sent = signal;
      // What is typed at a terminal has reached the command too.
      if (signal !== 'SIGINT' || !process.stdin.isTTY) child.kill(signal);
    };
    const finish = (end: CommandEnd): void => {
      process.off('SIGINT', pass).off('SIGTERM', pass);
      resolve(end);
    };
    // Before the command runs: else a signal could end us, and leave it alone.
    process.on('SIGINT', pass).on('SIGTERM', pass);
    const child = spawn(command, args, { stdio: ['inherit', keepsOutput ? 2 : 'inherit', 'inherit'] });
    child.on('error', (error: Error & { code?: string }) => finish({ code: null, signal: sent, problem: error.code ?? error.message }));
    child.on('close', (code, signal) => finish({ code, signal: sent ?? signal, problem: undefined }));
  });
}
