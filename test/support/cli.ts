/** The command line as people and scripts call it: a process each, from a folder of its own. */
import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';

const COMMAND = resolve(import.meta.dirname, '../../packages/cli/dist/main.js');
/** The command as it is shipped. */
export const SHIPPED_COMMAND = [process.execPath, '--disable-warning=ExperimentalWarning', COMMAND];
/** The command as it stands in the sources, for what runs beside a server that is started from them. */
export const SOURCE_COMMAND = [
  process.execPath,
  '--disable-warning=ExperimentalWarning',
  resolve(import.meta.dirname, '../../packages/cli/src/main.ts'),
];

export interface Ended {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

export interface CallOptions {
  readonly cwd: string;
  readonly env?: Readonly<Record<string, string>> | undefined;
  /** Of standard input. */
  readonly input?: string | undefined;
}

export function countersign(args: readonly string[], options: CallOptions): Promise<Ended> {
  return runProcess(process.execPath, ['--disable-warning=ExperimentalWarning', COMMAND, ...args], options);
}

/** At a terminal of its own, into which the answers are typed, each when its question is there. What the terminal shows is `stdout`. */
export async function countersignAtTerminal(
  args: readonly string[],
  answers: readonly (readonly [question: string, answer: string])[],
  { cwd, env }: CallOptions,
): Promise<Ended> {
  const words = [process.execPath, '--disable-warning=ExperimentalWarning', COMMAND, ...args];
  const line = words.map((word) => `'${word.replaceAll("'", "'\\''")}'`).join(' ');
  const child = spawn('script', ['-qec', line, '/dev/null'], { cwd, env: { PATH: process.env.PATH, HOME: cwd, TERM: 'xterm', ...env } });
  let shown = '';
  let next = 0;
  child.stdout.on('data', (piece) => {
    shown += piece;
    const [question, answer] = answers[next] ?? [];
    if (question === undefined || !shown.includes(question)) return;
    next += 1;
    child.stdin.write(`${answer}\r`);
  });
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, stdout: shown, stderr: '' };
}

/** As `countersign`, from the sources. */
export function sourceCountersign(args: readonly string[], options: CallOptions): Promise<Ended> {
  const [program = '', ...words] = SOURCE_COMMAND;
  return runProcess(program, [...words, ...args], options);
}

async function runProcess(command: string, args: readonly string[], { cwd, env, input }: CallOptions): Promise<Ended> {
  const child = spawn(command, args, { cwd, env: { PATH: process.env.PATH, HOME: cwd, ...env } });
  const output = { stdout: '', stderr: '' };
  child.stdout.on('data', (piece) => {
    output.stdout += piece;
  });
  child.stderr.on('data', (piece) => {
    output.stderr += piece;
  });
  child.stdin.on('error', () => {}); // it may have ended without reading
  child.stdin.end(input ?? '');
  const [code] = (await once(child, 'close')) as [number | null];
  return { code, ...output };
}
