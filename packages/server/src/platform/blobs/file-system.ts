/** node:fs by descriptor, as promises: less work per call than FileHandle on the way of every small artifact. */
import fs from 'node:fs';
import { promisify } from 'node:util';

export const openFile = promisify(fs.open) as (path: string, flags: string | number, mode?: number) => Promise<number>;
export const closeFile = promisify(fs.close);
/** Data and what is needed to read it back. */
export const syncData = promisify(fs.fdatasync);
const syncAll = promisify(fs.fsync);
const writeSome = promisify(fs.write) as unknown as (fd: number, bytes: Uint8Array, offset: number) => Promise<{ bytesWritten: number }>;
const readSome = promisify(fs.read) as unknown as (
  fd: number,
  bytes: Uint8Array,
  offset: number,
  length: number,
  position: number,
) => Promise<{ bytesRead: number }>;

export async function writeAll(fd: number, bytes: Uint8Array): Promise<void> {
  let done = 0;
  while (done < bytes.length) done += (await writeSome(fd, bytes, done)).bytesWritten;
}

const writeSomeParts = promisify(fs.writev) as unknown as (fd: number, parts: readonly Uint8Array[]) => Promise<{ bytesWritten: number }>;

/** One after another in one call, where the system takes them all. */
export async function writeParts(fd: number, parts: readonly Uint8Array[]): Promise<void> {
  const { bytesWritten } = await writeSomeParts(fd, parts);
  const sizeBytes = parts.reduce((sum, part) => sum + part.length, 0);
  if (bytesWritten < sizeBytes) await writeAll(fd, Buffer.concat(parts).subarray(bytesWritten));
}

/** Fewer bytes than asked for only at the end of the file. */
export async function readAt(fd: number, bytes: Uint8Array, position: number): Promise<number> {
  let done = 0;
  while (done < bytes.length) {
    const { bytesRead } = await readSome(fd, bytes, done, bytes.length - done, position + done);
    if (bytesRead === 0) break;
    done += bytesRead;
  }
  return done;
}

export const rename = promisify(fs.rename);
export const utimes = promisify(fs.utimes);

// Windows can't open a folder; NTFS journals a rename by itself.
const NO_FOLDER = -1;

/** For `syncOpenFolder`. */
export async function openFolder(path: string): Promise<number> {
  return process.platform === 'win32' ? NO_FOLDER : openFile(path, 'r');
}

/** Makes renames into the folder durable. */
export async function syncOpenFolder(folder: number): Promise<void> {
  if (folder !== NO_FOLDER) await syncAll(folder);
}

export async function syncFolder(path: string): Promise<void> {
  const folder = await openFolder(path);
  try {
    await syncOpenFolder(folder);
  } finally {
    if (folder !== NO_FOLDER) await closeFile(folder);
  }
}

export function codeOf(error: unknown): string | undefined {
  return (error as { code?: string } | undefined)?.code; // Node's system errors carry one
}
