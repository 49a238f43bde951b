/** Packs as files: a zip without compression, so that the same contents are the same bytes whoever's library writes them. */
import { unzipSync, zipSync } from 'fflate';

export type PackFiles = ReadonlyMap<string, Uint8Array>;

/** The first day that a zip can say, by the clock of wherever this runs, since zips have no zone; at noon, which no clock leaves out. */
const NO_TIME = new Date(1980, 0, 1, 12);

export function zipFiles(files: PackFiles): Uint8Array {
  return zipSync(Object.fromEntries(files), { level: 0, mtime: NO_TIME });
}

const ENTRIES_MAX = 20_000;
const BYTES_MAX = 1 << 30;

export type ReadZip =
  | { readonly files: PackFiles; readonly objection?: undefined }
  | { readonly files?: undefined; readonly objection: string };

/**
 * What a zip holds. Refused where its bytes are not those that `zipFiles` gives for these files: a zip that says one thing to one program and
 * another to the next shows people what was never verified.
 */
export function readZip(bytes: Uint8Array): ReadZip {
  let files: PackFiles;
  try {
    const names: string[] = [];
    let size = 0;
    const read = unzipSync(bytes, {
      filter: ({ name, originalSize }) => {
        size += originalSize;
        if (names.push(name) > ENTRIES_MAX || size > BYTES_MAX) throw new RangeError('too large');
        return true;
      },
    });
    files = new Map(names.flatMap((name) => (read[name] === undefined ? [] : [[name, read[name]] as const])));
    if (files.size !== names.length) return { objection: 'holds a file twice' };
  } catch {
    return { objection: 'is no zip file, was cut off, or is larger than any pack' };
  }
  if (Buffer.from(zipFiles(files)).equals(bytes)) return { files };
  return { objection: 'is not packed as a pack is: bytes of the zip itself were changed, or another program packed it' };
}
