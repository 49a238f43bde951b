/** Folders outside the blob store that the operator named: artifacts which clients wrote there themselves. */
import { constants, createReadStream, type Stats } from 'node:fs';
import { mkdir, readdir, realpath, rename, stat, unlink, writeFile } from 'node:fs/promises';
import { dirname, join, sep } from 'node:path';
import type { Readable } from 'node:stream';
import { invalid, type Problem } from '@countersign/contract/problem.ts';
import { type ByteRange, CHUNK_BYTES } from './blob-store.ts';

/** More entries in one folder are refused, never cut. */
const ENTRIES_MAX = 100_000;

export interface OutsideEntry {
  readonly name: string;
  readonly isDirectory: boolean;
  readonly sizeBytes: number;
}

export interface OutsideFile {
  /** Resolved: no part of it is a link. */
  readonly path: string;
  readonly sizeBytes: number;
  readonly updatedAt: number;
}

export class FileRoots {
  readonly #roots: readonly string[];

  /** `roots`: absolute folders; those that don't exist yet count as soon as they do. */
  constructor(roots: readonly string[]) {
    this.#roots = roots;
  }

  /** One level, sorted by name; empty for what is absent or a file. INVALID_PARAMETER_VALUE outside the named folders. */
  async list(folder: string, relative: string): Promise<OutsideEntry[]> {
    const found = await this.#resolve(folder, relative);
    if (!found?.stats.isDirectory()) return [];
    const names = await readdir(found.path);
    if (names.length > ENTRIES_MAX) throw invalid(`'${relative}' holds more than ${ENTRIES_MAX} entries, which can't be listed at once.`);
    const entries: OutsideEntry[] = [];
    for (const name of names.sort()) {
      const entry = await this.#inside(join(found.path, name));
      if (entry === undefined || !(entry.stats.isDirectory() || entry.stats.isFile())) continue;
      const isDirectory = entry.stats.isDirectory();
      entries.push({ name, isDirectory, sizeBytes: isDirectory ? 0 : entry.stats.size });
    }
    return entries;
  }

  /** Undefined for what is absent or no file. INVALID_PARAMETER_VALUE outside the named folders. */
  async find(folder: string, relative: string): Promise<OutsideFile | undefined> {
    const found = await this.#resolve(folder, relative);
    return found?.stats.isFile() ? { path: found.path, sizeBytes: found.stats.size, updatedAt: found.stats.mtimeMs } : undefined;
  }

  /** Every file below a folder, each with its path from there. Refused: what is absent, links that lead out or around, and more than `max` files. */
  async *walk(folder: string, max: number): AsyncGenerator<OutsideFile & { readonly relative: string }> {
    const start = await this.#resolve(folder, '');
    if (!start?.stats.isDirectory()) throw invalid('The source is no folder that exists. Write its files first, then seal the version.');
    const pending = [{ path: start.path, relative: '', above: [start.path] }];
    let count = 0;
    for (let at = pending.pop(); at !== undefined; at = pending.pop()) {
      for (const name of (await readdir(at.path)).sort()) {
        const relative = at.relative === '' ? name : `${at.relative}/${name}`;
        const found = await this.#inside(join(at.path, name));
        if (found === undefined)
          throw invalid(`'${relative}' leads outside the folders that the server may use, or to nothing. Replace the link by its file.`);
        if (++count > max)
          throw invalid(`The source holds more than ${max} files and folders. Put them into archives to seal the version.`);
        if (found.stats.isDirectory()) {
          if (at.above.includes(found.path)) throw invalid(`'${relative}' is a link to a folder above it. Remove the link.`);
          pending.push({ path: found.path, relative, above: [...at.above, found.path] });
        } else if (found.stats.isFile()) {
          yield { path: found.path, relative, sizeBytes: found.stats.size, updatedAt: found.stats.mtimeMs };
        } else throw invalid(`'${relative}' is neither a file nor a folder. Remove it to seal the version.`);
      }
    }
  }

  read(file: OutsideFile, range?: ByteRange): Readable {
    // A link put in its place since it was resolved is not followed. The end is fixed: the file may grow while it is sent.
    const flags = constants.O_RDONLY | (constants.O_NOFOLLOW ?? 0);
    const end = range?.end ?? file.sizeBytes - 1;
    return createReadStream(file.path, { flags: flags as unknown as string, highWaterMark: CHUNK_BYTES, start: range?.start ?? 0, end });
  }

  /** Writes a small file, making the directories above it. INVALID_PARAMETER_VALUE outside the named folders, or where a file is in the way. */
  async write(folder: string, relative: string, bytes: Uint8Array): Promise<void> {
    const target = join(folder, relative);
    await this.#requireNamed(folder);
    // What exists above is resolved before anything is made: a link there must not lead outside.
    let above = dirname(target);
    while ((await realpath(above).catch(() => undefined)) === undefined && above !== dirname(above)) above = dirname(above);
    if (!(await this.#inside(above)) && !this.#roots.some((root) => isBelow(root, above))) throw outside();
    const temporary = join(dirname(target), `.${process.pid}-${Date.now()}.upload`);
    try {
      await mkdir(dirname(target), { recursive: true });
      if (!(await this.#inside(dirname(target)))) throw outside();
      await writeFile(temporary, bytes, { flag: 'wx' });
      // Replaces a link instead of following it.
      await rename(temporary, target);
    } catch (error) {
      await unlink(temporary).catch(() => {});
      if (['ENOTDIR', 'EEXIST', 'EISDIR'].includes((error as { code?: string }).code ?? '')) {
        throw invalid(`Invalid path '${relative}': a file or directory is in the way. Use another path.`);
      }
      throw error;
    }
  }

  async #resolve(folder: string, relative: string): Promise<{ path: string; stats: Stats } | undefined> {
    await this.#requireNamed(folder);
    return this.#inside(join(folder, relative));
  }

  /** By its name alone where it doesn't exist yet: such a folder is empty, not refused. */
  async #requireNamed(folder: string): Promise<void> {
    const resolved = await realpath(folder).catch(() => undefined);
    const roots = resolved === undefined ? this.#roots : await this.#resolvedRoots();
    if (!roots.some((root) => isBelow(resolved ?? join(folder), root))) throw outside();
  }

  async #inside(path: string): Promise<{ path: string; stats: Stats } | undefined> {
    const resolved = await realpath(path).catch(() => undefined);
    if (resolved === undefined) return undefined;
    if (!(await this.#resolvedRoots()).some((root) => isBelow(resolved, root))) return undefined;
    const stats = await stat(resolved).catch(() => undefined);
    return stats && { path: resolved, stats };
  }

  async #resolvedRoots(): Promise<string[]> {
    const resolved = await Promise.all(this.#roots.map((root) => realpath(root).catch(() => undefined)));
    return resolved.filter((root) => root !== undefined);
  }
}

function outside(): Problem {
  return invalid('This artifact location is outside the folders that the server may use. Its operator can name more of them.');
}

function isBelow(path: string, root: string): boolean {
  return path === root || path.startsWith(root.endsWith(sep) ? root : root + sep);
}
