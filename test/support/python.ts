/** The real Python clients, in environments that `npm test` made. */
import { spawn } from 'node:child_process';
import { tmpdir } from 'node:os';

/** Name (`mlflow-3.17`) → interpreter, oldest release first, as scripts/test.mjs made them; empty when the tests run without it. */
export const pythons: Readonly<Record<string, string>> = JSON.parse(process.env.COUNTERSIGN_TEST_PYTHONS ?? '{}') as Record<string, string>; // written by scripts/test.mjs

/** The oldest client that this machine's Python installs, and the newest; undefined when there is none: skip, by `describe.skipIf`. */
export const oldestPython = process.env.COUNTERSIGN_TEST_PYTHON_OLDEST;
export const newestPython = process.env.COUNTERSIGN_TEST_PYTHON_NEWEST;

export interface PythonResult {
  readonly code: number | null;
  readonly stdout: string;
  readonly stderr: string;
}

const TIMEOUT_MS = 300_000;

/** `args` starts with the script's path, or with `-c` and its text. */
export function runPython(python: string, args: readonly string[], env: Readonly<Record<string, string>>): Promise<PythonResult> {
  return new Promise((resolve, reject) => {
    const child = spawn(python, args, {
      cwd: tmpdir(),
      env: {
        PATH: process.env.PATH,
        HOME: process.env.HOME,
        PYTHONWARNINGS: 'ignore',
        MLFLOW_DISABLE_TELEMETRY: 'true',
        DO_NOT_TRACK: 'true',
        GIT_PYTHON_REFRESH: 'quiet',
        MLFLOW_HTTP_REQUEST_MAX_RETRIES: '2',
        // Two test files at once on two cores: more threads only wait for each other.
        OMP_NUM_THREADS: '1',
        OPENBLAS_NUM_THREADS: '1',
        ...env,
      },
      timeout: TIMEOUT_MS,
    });
    let stdout = '';
    let stderr = '';
    child.stdout.on('data', (piece) => {
      stdout += piece;
    });
    child.stderr.on('data', (piece) => {
      stderr += piece;
    });
    child.on('error', reject);
    child.on('close', (code) => resolve({ code, stdout, stderr }));
  });
}
