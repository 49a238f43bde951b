/** One process owns a folder. The lock is SQLite's on a small file, which the operating system frees when the process ends, however it ends. */
import { join } from 'node:path';
import { DatabaseSync } from 'node:sqlite';
import { Problem } from '@countersign/contract/problem.ts';

export interface FolderLock {
  release(): void;
}

/** RESOURCE_CONFLICT, with the folder's name, where another process has it. The folder must exist. */
export function lockFolder(folder: string, fileName = 'lock.sqlite'): FolderLock {
  const path = join(folder, fileName);
  let connection: DatabaseSync | undefined;
  try {
    connection = new DatabaseSync(path, { timeout: 0 });
    connection.exec('BEGIN EXCLUSIVE');
  } catch (error) {
    connection?.close();
    if (isBusy(error)) {
      throw new Problem(
        'RESOURCE_CONFLICT',
        `The data folder ${folder} is in use by another Countersign process. Stop it first, or give this one a folder of its own with --data-dir.`,
        { cause: error },
      );
    }
    throw new Problem(
      'INVALID_STATE',
      `The data folder ${folder} can't be used: its lock ${fileName} can't be opened (${(error as Error).message}).`,
      {
        cause: error,
      },
    );
  }
  const held = connection;
  return { release: () => held.close() };
}

/** sqlite.org/rescode.html: 5 SQLITE_BUSY. */
function isBusy(error: unknown): boolean {
  return ((error as { errcode?: number }).errcode ?? 0) % 256 === 5; // node:sqlite sets errcode on its errors
}
