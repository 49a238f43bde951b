import { dirname, join } from 'node:path';
import { fileURLToPath } from 'node:url';

export const projectRoot = join(dirname(fileURLToPath(import.meta.url)), '..');
/** Data of the measured servers; on the project's own disk, because fsync on a memory file system costs nothing. */
export const scratchDir = join(projectRoot, '.cache/bench');
export const resultsDir = join(projectRoot, 'bench/results');
