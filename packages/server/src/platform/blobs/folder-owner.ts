/**
 * A folder of blobs belongs to one database: freeing bytes that its rows don't know would destroy those of another. Several servers on one
 * database may share it.
 */
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { Problem } from '@countersign/contract/problem.ts';

const MARK = 'owner';

/** Marks the folder, or finds its own mark. INVALID_STATE where it is another database's. */
export function claimFolder(folder: string, owner: string): void {
  const path = join(folder, MARK);
  let found: string;
  try {
    mkdirSync(folder, { recursive: true, mode: 0o700 });
    writeFileSync(path, `${owner}\n`, { flag: 'wx', flush: true });
    return;
  } catch (error) {
    if ((error as { code?: string }).code !== 'EEXIST') {
      throw new Problem('INVALID_STATE', `The blob folder ${folder} can't be used: ${(error as Error).message}.`, { cause: error });
    }
    found = readFileSync(path, 'utf8').trim();
  }
  // A crash, or a full disk, may leave the mark empty: then nobody stored anything yet.
  if (found === '') writeFileSync(path, `${owner}\n`, { flush: true });
  else if (found !== owner) {
    throw new Problem(
      'INVALID_STATE',
      `The blob folder ${folder} belongs to another database, whose bytes this one would free as unknown. Give it a folder of its own with --blob-store; ` +
        `if that database is gone for good, delete ${path}.`,
    );
  }
}
