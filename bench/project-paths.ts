import { existsSync, mkdirSync, readdirSync, rmSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const projectRoot = join(dirname(fileURLToPath(import.meta.url)), '..');
export const resultsDir = join(projectRoot, 'bench/results');
/** What later runs may use again; on the project's own disk, because fsync on a memory file system costs nothing. */
export const keptDir = join(projectRoot, '.cache/bench');
/** Data of the measured servers: a folder of this run's own, so that two runs at once don't meet. */
export const scratchDir = join(keptDir, `run-${process.pid}`);

/** Makes this run's folder and deletes those of runs that died. */
export function makeScratchDir(): void {
  mkdirSync(scratchDir, { recursive: true });
  const dead = readdirSync(keptDir).filter((name) => name.startsWith('run-') && !existsSync(`/proc/${name.slice(4)}`));
  for (const name of dead) rmSync(join(keptDir, name), { recursive: true, force: true });
}

export function deleteScratchDir(): void {
  rmSync(scratchDir, { recursive: true, force: true });
}
