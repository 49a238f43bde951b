// The Python environment with the real mlflow, made on first use under .cache/venvs/bench.
import { execFileSync } from 'node:child_process';
import { existsSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { projectRoot } from './project-paths.ts';

const environmentDir = join(projectRoot, '.cache/venvs/bench');
const requirementsFile = join(projectRoot, 'bench/requirements.txt');
const installedMarker = join(environmentDir, 'installed-requirements.txt');

function run(command: string, args: readonly string[]): void {
  execFileSync(command, args, { cwd: projectRoot, stdio: ['ignore', 'inherit', 'inherit'] });
}

function hasUv(): boolean {
  try {
    execFileSync('uv', ['--version'], { stdio: 'ignore' });
    return true;
  } catch {
    return false;
  }
}

function install(): void {
  const python = join(environmentDir, 'bin/python');
  if (hasUv()) {
    run('uv', ['venv', '--quiet', '--allow-existing', environmentDir]);
    run('uv', ['pip', 'install', '--quiet', '--python', python, '-r', requirementsFile]);
    return;
  }
  run('python3', ['-m', 'venv', environmentDir]);
  run(python, ['-m', 'pip', 'install', '--quiet', '-r', requirementsFile]);
}

/** Returns the folder of the environment's programs (`python`, `mlflow`), installing the requirements when they changed. */
export function ensurePythonEnvironment(): string {
  const wanted = readFileSync(requirementsFile, 'utf8');
  if (!existsSync(installedMarker) || readFileSync(installedMarker, 'utf8') !== wanted) {
    process.stderr.write('bench: installing the real mlflow into .cache/venvs/bench …\n');
    install();
    writeFileSync(installedMarker, wanted);
  }
  return join(environmentDir, 'bin');
}
