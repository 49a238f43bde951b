/**
 * Master keys in a file, one a line in base64, newest first; `#` begins a comment. With a key service the lines are `wrapped:…`, and the keys
 * themselves are in memory only. Readable by its owner only, and made at first use.
 */
import { linkSync, readFileSync, realpathSync, renameSync, statSync, unlinkSync, writeFileSync } from 'node:fs';
import { Problem } from '@countersign/contract/problem.ts';
import type { KeyService, MasterKeys } from './key-ports.ts';
import { KEY_BYTES, type Key, type RandomBytes, toKey } from './sealing.ts';

const WRAPPED = 'wrapped:';

export function openKeyFile(file: string, service: KeyService | undefined, randomBytes: RandomBytes): MasterKeys {
  let keys: readonly Key[] = [];
  /** Of the file as it was read last. */
  let known: string | undefined;

  const take = (read: readonly Key[], stamp: string | undefined): void => {
    // A file that vanished takes no key from who has it: a new one made in its place would part what is stored in two.
    if (read.length === 0 && keys.length > 0) return;
    keys = read;
    known = stamp;
  };
  const readClear = (): void => {
    const stamp = stampOf(file);
    if (service === undefined && stamp !== known)
      take(
        linesOf(file).map((line, i) => clearKey(file, line, i)),
        stamp,
      );
  };
  const newLine = async (): Promise<{ key: Key; line: string }> => {
    const key = toKey(randomBytes(KEY_BYTES));
    return { key, line: service ? `${WRAPPED}${(await service.wrap(key.bytes)).toString('base64')}` : key.bytes.toString('base64') };
  };
  const refresh = async (): Promise<void> => {
    const stamp = stampOf(file);
    if (stamp !== undefined && stamp === known) return;
    const lines = linesOf(file);
    if (lines.length === 0 && service) makeFile(file, (await newLine()).line, randomBytes);
    const read = await Promise.all(linesOf(file).map((line, i) => readLine(file, line, i, service)));
    take(read, stampOf(file));
  };
  return {
    origin: `the file ${file}`,
    isGiven: false,
    list: () => keys,
    current: () => {
      readClear();
      if (keys.length === 0 && service === undefined) {
        makeFile(file, randomBytes(KEY_BYTES).toString('base64'), randomBytes);
        readClear();
      }
      const [newest] = keys;
      if (newest === undefined) throw refused(file, 'there is none');
      return newest;
    },
    find: (id) => {
      const found = keys.find((key) => key.id === id);
      if (found) return found;
      readClear();
      return keys.find((key) => key.id === id);
    },
    refresh,
    add: async () => {
      await refresh();
      const { key, line } = await newLine();
      if (keys.length === 0) makeFile(file, line, randomBytes);
      else putFirst(file, line, randomBytes);
      await refresh();
      return key;
    },
  };
}

/** Changes whenever the file does; undefined where there is none. */
function stampOf(file: string): string | undefined {
  const found = statSync(file, { throwIfNoEntry: false });
  return found && `${found.ino}.${found.mtimeMs}.${found.size}`;
}

function readText(file: string): string {
  try {
    return readFileSync(file, 'utf8');
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return '';
    throw refused(file, `the file can't be read: ${(error as Error).message}`, error);
  }
}

function linesOf(file: string): string[] {
  return readText(file)
    .split('\n')
    .map((line) => line.trim())
    .filter((line) => line !== '' && !line.startsWith('#'));
}

function clearKey(file: string, line: string, index: number): Key {
  if (line.startsWith(WRAPPED)) throw refused(file, `key ${index + 1} is wrapped by a key service, so --master-key-command is needed`);
  const bytes = Buffer.from(line, 'base64');
  if (bytes.length !== KEY_BYTES) throw refused(file, `key ${index + 1} must be ${KEY_BYTES} bytes in base64, and is ${bytes.length}`);
  return toKey(bytes);
}

/** Lines in clear are read beside a key service too: so an installation comes to have one by a rotation. */
async function readLine(file: string, line: string, index: number, service: KeyService | undefined): Promise<Key> {
  if (service === undefined || !line.startsWith(WRAPPED)) return clearKey(file, line, index);
  const bytes = await service.unwrap(Buffer.from(line.slice(WRAPPED.length), 'base64'));
  if (bytes.length !== KEY_BYTES)
    throw refused(file, `the key service unwrapped key ${index + 1} to ${bytes.length} bytes instead of ${KEY_BYTES}`);
  return toKey(bytes);
}

/** Written aside and linked, so that nobody reads half a key and of two processes one wins. */
function makeFile(file: string, line: string, randomBytes: RandomBytes): void {
  const aside = writeAside(file, `${line}\n`, randomBytes);
  try {
    linkSync(aside, file);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw refused(file, `it can't be made: ${(error as Error).message}`, error);
  } finally {
    unlinkSync(aside);
  }
}

/**
 * What stands there stays as it is, comments too. Under a lock: of two processes that put a key there at once, one would lose the other's,
 * and what was stored under it.
 */
function putFirst(file: string, line: string, randomBytes: RandomBytes): void {
  // A link, as secret stores of clusters make them, stays one.
  const real = realpathSync(file);
  const lock = `${real}.lock`;
  try {
    writeFileSync(lock, `${process.pid}\n`, { flag: 'wx' });
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code !== 'EEXIST') throw cannotPut(file, error);
    throw new Problem('RESOURCE_CONFLICT', `Another process is putting a key into ${file}. If none is, delete ${lock}.`, { cause: error });
  }
  try {
    const aside = writeAside(real, `${line}\n${readText(real)}`, randomBytes);
    renameSync(aside, real);
  } catch (error) {
    throw error instanceof Problem ? error : cannotPut(file, error);
  } finally {
    unlinkSync(lock);
  }
}

function cannotPut(file: string, error: unknown): Problem {
  return refused(file, `a new key can't be put there: ${(error as Error).message}. Put it on the first line by hand`, error);
}

function writeAside(file: string, text: string, randomBytes: RandomBytes): string {
  const aside = `${file}.${randomBytes(8).toString('hex')}`;
  try {
    writeFileSync(aside, text, { mode: 0o600, flag: 'wx', flush: true });
  } catch (error) {
    throw refused(file, `its folder can't be written to: ${(error as Error).message}`, error);
  }
  return aside;
}

function refused(file: string, why: string, cause?: unknown): Problem {
  return new Problem('INVALID_STATE', `The master keys in ${file} can't be used: ${why}.`, { cause });
}
