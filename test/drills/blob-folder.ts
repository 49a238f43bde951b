/** What lies in a server's blob folder, as an operator sees it. */
import { readdirSync, readFileSync, statSync } from 'node:fs';
import { join, sep } from 'node:path';
import { sha256 } from '../acceptance/logged-files.ts';

export interface StoredFile {
  readonly path: string;
  readonly sizeBytes: number;
}

export function storedBlobs(dataDir: string): StoredFile[] {
  const underWay = join(dataDir, 'blobs', 'tmp') + sep;
  return filesBelow(join(dataDir, 'blobs')).filter(({ path }) => /[\\/][0-9a-f]{64}$/.test(path) && !path.startsWith(underWay));
}

/** Files of uploads that are under way, or were cut off. */
export function temporaryFiles(dataDir: string): string[] {
  return filesBelow(join(dataDir, 'blobs', 'tmp')).map((file) => file.path);
}

/** Blobs whose bytes aren't those of their name. */
export function halfWritten(dataDir: string): string[] {
  return storedBlobs(dataDir)
    .map(({ path }) => path)
    .filter((path) => sha256(readFileSync(path)) !== path.slice(-64));
}

function filesBelow(folder: string): StoredFile[] {
  try {
    return readdirSync(folder, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name))
      .map((path) => ({ path, sizeBytes: statSync(path).size }));
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return [];
    throw error;
  }
}
