import { hash, randomBytes } from 'node:crypto';
import { existsSync, mkdtempSync, readFileSync, rmSync, unlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import fc from 'fast-check';
import { afterAll, describe, expect, test } from 'vitest';
import { openContext } from '../../../../../test/support/context.ts';
import { CHUNK_BYTES } from '../../platform/blobs/blob-store.ts';
import { LocalBlobStore } from '../../platform/blobs/local-blob-store.ts';
import { type Ctx, systemClock } from '../../platform/context.ts';
import * as artifacts from './artifacts.ts';

const folder = mkdtempSync(join(tmpdir(), 'artifacts-'));
// Many small files on a busy disk.
afterAll(() => rmSync(folder, { recursive: true }), 60_000);
let count = 0;
/** For what collects and damages nothing: a store of its own has folders to make. */
const sharedBlobs = new LocalBlobStore(join(folder, 'shared'));

interface Bed {
  readonly ctx: Ctx;
  /** Moves the clock that the room sees. */
  readonly wait: (ms: number) => void;
  readonly fileOf: (sha256: string) => string;
}

async function makeBed(blobs?: LocalBlobStore): Promise<Bed> {
  const root = join(folder, String(++count));
  let ahead = 0;
  const ctx: Ctx = await openContext({
    blobs: blobs ?? new LocalBlobStore(root),
    clock: { now: () => Date.now() + ahead, randomBytes: systemClock.randomBytes },
  });
  return {
    ctx,
    wait: (ms) => {
      ahead += ms;
    },
    fileOf: (sha256) => join(root, 'server', sha256.slice(0, 2), sha256),
  };
}

const put = (ctx: Ctx, path: string, bytes: string | Buffer): Promise<void> =>
  artifacts.put(ctx, path, Readable.from([Buffer.from(bytes)]));
const seal = (ctx: Ctx, path: string, requires?: string) =>
  ctx.db.write((tx) => artifacts.sealTree({ ...ctx, tx }, path, requires === undefined ? {} : { requires }));
const textOf = async (ctx: Ctx, path: string): Promise<string | undefined> => {
  const file = await artifacts.find(ctx, path);
  return file && (await artifacts.readWhole(ctx, file)).toString();
};
const blobCount = async (ctx: Ctx): Promise<number> => (await ctx.db.one<{ n: number }>('SELECT count(*) AS n FROM blobs'))?.n ?? 0;

describe('files', () => {
  test('a path gives the bytes that were put there last', async () => {
    const { ctx } = await makeBed(sharedBlobs);
    await put(ctx, '1/r/artifacts/a.txt', 'one');
    await put(ctx, '1/r/artifacts/a.txt', 'two');
    expect(await textOf(ctx, '1/r/artifacts/a.txt')).toBe('two');
    expect(await artifacts.find(ctx, '1/r/artifacts')).toBeUndefined();
  });

  test('a file below a file, and a file in place of a directory, are refused and change nothing', async () => {
    const { ctx } = await makeBed(sharedBlobs);
    await put(ctx, 'a/b', 'x');
    await expect(put(ctx, 'a/b/c', 'y')).rejects.toMatchObject({ code: 'INVALID_PARAMETER_VALUE' });
    await expect(put(ctx, 'a', 'y')).rejects.toMatchObject({ code: 'INVALID_PARAMETER_VALUE' });
    await expect(put(ctx, 'model-versions/1/MLmodel', 'y')).rejects.toMatchObject({ code: 'INVALID_PARAMETER_VALUE' });
    expect(await artifacts.list(ctx, '')).toEqual([{ path: 'a', isDirectory: true, sizeBytes: 0 }]);
  });

  test('the same bytes put at once are one blob', async () => {
    const { ctx } = await makeBed(sharedBlobs);
    const bytes = randomBytes(CHUNK_BYTES + 1);
    await Promise.all(Array.from({ length: 8 }, (_, i) => put(ctx, `d/${i}`, bytes)));
    expect(await blobCount(ctx)).toBe(1);
    expect(await artifacts.list(ctx, 'd')).toHaveLength(8);
  });

  test('removing takes a file or a tree, twice the same, never a neighbour', async () => {
    const { ctx } = await makeBed(sharedBlobs);
    for (const path of ['d/a', 'd/e/f', 'd-x', 'd0', 'da']) await put(ctx, path, path);
    await artifacts.remove(ctx, 'd');
    await artifacts.remove(ctx, 'd');
    expect((await artifacts.list(ctx, '')).map((entry) => entry.path)).toEqual(['d-x', 'd0', 'da']);
    for (const path of ['', '.', '/', 'x/..', 'model-versions/3']) {
      await expect(artifacts.remove(ctx, path)).rejects.toMatchObject({ code: 'INVALID_PARAMETER_VALUE' });
    }
  });

  test('a random history of writes and removals reads as a plain map does', async () => {
    const segment = fc.constantFrom('a', 'b', 'a-', 'a0', 'ü', '\u{1F600}', '\uFB01', 'a b');
    const path = fc.array(segment, { minLength: 1, maxLength: 3 }).map((segments) => segments.join('/'));
    const step = fc.record({ kind: fc.constantFrom('put', 'put', 'put', 'remove'), path });
    await fc.assert(
      fc.asyncProperty(fc.array(step, { maxLength: 25 }), path, async (steps, asked) => {
        const { ctx } = await makeBed(sharedBlobs);
        const model = new Map<string, number>();
        for (const [i, { kind, path }] of steps.entries()) {
          if (kind === 'remove') {
            await artifacts.remove(ctx, path);
            for (const known of [...model.keys()]) if (known === path || known.startsWith(`${path}/`)) model.delete(known);
            continue;
          }
          const isInTheWay = [...model.keys()].some((known) => known.startsWith(`${path}/`) || path.startsWith(`${known}/`));
          const result = put(ctx, path, 'x'.repeat(i));
          if (isInTheWay) await expect(result).rejects.toMatchObject({ code: 'INVALID_PARAMETER_VALUE' });
          else {
            await result;
            model.set(path, i);
          }
        }
        for (const directory of ['', 'a', 'a/b', asked])
          expect(await artifacts.list(ctx, directory)).toEqual(listNaively(model, directory));
        expect((await artifacts.find(ctx, asked))?.sizeBytes).toBe(model.get(asked));
      }),
      { numRuns: 25 },
    );
  });
});

function listNaively(model: ReadonlyMap<string, number>, directory: string): artifacts.ArtifactEntry[] {
  const prefix = directory === '' ? '' : `${directory}/`;
  const entries = new Map<string, artifacts.ArtifactEntry>();
  for (const [path, sizeBytes] of model) {
    if (!path.startsWith(prefix)) continue;
    const slash = path.indexOf('/', prefix.length);
    const entry = slash < 0 ? { path, isDirectory: false, sizeBytes } : { path: path.slice(0, slash), isDirectory: true, sizeBytes: 0 };
    entries.set(entry.path, entry);
  }
  return [...entries.values()].sort((a, b) => Buffer.compare(Buffer.from(a.path), Buffer.from(b.path)));
}

describe('sealed trees', () => {
  test('hold their files whatever happens to the run afterwards', async () => {
    const { ctx } = await makeBed(sharedBlobs);
    await put(ctx, 'r/m/MLmodel', 'flavors');
    await put(ctx, 'r/m/data/w.bin', 'weights');
    const tree = await seal(ctx, 'r/m', 'MLmodel');
    expect(tree).toMatchObject({ fileCount: 2, sizeBytes: 14 });
    const id = tree?.id ?? 0;
    await put(ctx, 'r/m/MLmodel', 'changed');
    await artifacts.remove(ctx, 'r/m/data');
    const file = await artifacts.findInTree(ctx, id, 'MLmodel');
    expect(file && (await artifacts.readWhole(ctx, file)).toString()).toBe('flavors');
    expect(await artifacts.listTree(ctx, id, '')).toEqual([
      { path: 'MLmodel', isDirectory: false, sizeBytes: 7 },
      { path: 'data', isDirectory: true, sizeBytes: 0 },
    ]);
    expect(await artifacts.listTree(ctx, id, 'data')).toEqual([{ path: 'data/w.bin', isDirectory: false, sizeBytes: 7 }]);
    expect((await artifacts.treeManifest(ctx, id)).map((entry) => entry.path)).toEqual(['MLmodel', 'data/w.bin']);
    expect(await artifacts.findTree(ctx, id)).toEqual(tree);
  });

  test('are one for equal files, in whatever order and place they were uploaded', async () => {
    const files = fc.uniqueArray(fc.tuple(fc.constantFrom('a', 'b/c', 'b/d', 'é', 'MLmodel'), fc.constantFrom('x', 'y')), {
      selector: ([path]) => path,
      minLength: 1,
    });
    await fc.assert(
      fc.asyncProperty(files, async (all) => {
        const { ctx } = await makeBed(sharedBlobs);
        for (const [path, text] of all) await put(ctx, `one/${path}`, text);
        for (const [path, text] of [...all].reverse()) await put(ctx, `two/deep/${path}`, text);
        const [one, two] = [await seal(ctx, 'one'), await seal(ctx, 'two/deep')];
        expect(one).toBeDefined();
        expect(two).toEqual(one);
      }),
      { numRuns: 15 },
    );
  });

  test('are undefined without files or without what is required', async () => {
    const { ctx } = await makeBed(sharedBlobs);
    await put(ctx, 'r/m/sub/MLmodel', 'x');
    expect(await seal(ctx, 'r/none')).toBeUndefined();
    expect(await seal(ctx, 'r/m', 'MLmodel')).toBeUndefined();
    expect(await seal(ctx, 'r/m/sub', 'MLmodel')).toBeDefined();
  });

  test('of texts have a digest and are never mistaken for one with files', async () => {
    const { ctx } = await makeBed(sharedBlobs);
    const texts = await ctx.db.write((tx) => artifacts.sealTexts({ ...ctx, tx }, { text: 'hello' }));
    await put(ctx, 'r/text', 'hello');
    const files = await seal(ctx, 'r');
    expect(files?.digest).toBe(texts.digest);
    expect(files?.id).not.toBe(texts.id);
    expect(await artifacts.listTree(ctx, files?.id ?? 0, '')).toHaveLength(1);
  });
});

describe('a checked read', () => {
  const sizes = [0, 10, CHUNK_BYTES, 3 * CHUNK_BYTES + 5];
  async function sealed(size: number) {
    const bed = await makeBed();
    const bytes = randomBytes(size);
    await put(bed.ctx, 'r/f', bytes);
    const tree = await seal(bed.ctx, 'r');
    const file = await artifacts.findInTree(bed.ctx, tree?.id ?? 0, 'f');
    if (file === undefined) throw new Error('sealed files are found');
    return { ...bed, bytes, file };
  }

  test.each(sizes)('gives %i bytes as they were sealed', async (size) => {
    const { ctx, bytes, file } = await sealed(size);
    const failOnDamage = async (): Promise<void> => expect.fail('undamaged');
    expect((await buffer(artifacts.readVerified(ctx, file, undefined, failOnDamage))).equals(bytes)).toBe(true);
    for (const [start, end] of [
      [0, 0],
      [5, size - 1],
      [CHUNK_BYTES - 3, 2 * CHUNK_BYTES + 3],
    ] as const) {
      if (end >= size || start > end) continue;
      const part = await buffer(artifacts.readVerified(ctx, file, { start, end }, failOnDamage));
      expect(part.equals(bytes.subarray(start, end + 1))).toBe(true);
    }
  });

  test('gives no byte of a chunk with one flipped bit, and tells', async () => {
    const { ctx, bytes, file, fileOf } = await sealed(3 * CHUNK_BYTES);
    const stored = readFileSync(fileOf(file.sha256));
    stored.writeUInt8(stored.readUInt8(CHUNK_BYTES + 77) ^ 1, CHUNK_BYTES + 77);
    writeFileSync(fileOf(file.sha256), stored);
    let damages = 0;
    const received: Buffer[] = [];
    const source = artifacts.readVerified(ctx, file, undefined, async () => {
      damages += 1;
    });
    await expect(
      (async () => {
        for await (const piece of source) received.push(piece);
      })(),
    ).rejects.toThrow(/differ from what was sealed/);
    expect(damages).toBe(1);
    expect(Buffer.concat(received).equals(bytes.subarray(0, CHUNK_BYTES))).toBe(true);
    // A range in another chunk is still right.
    const untouched = await buffer(artifacts.readVerified(ctx, file, { start: 2 * CHUNK_BYTES, end: 2 * CHUNK_BYTES + 9 }, async () => {}));
    expect(untouched).toHaveLength(10);
  });

  test('tells where the file is cut or gone', async () => {
    for (const harm of [(path: string) => writeFileSync(path, 'short'), unlinkSync]) {
      for (const size of [100, 2 * CHUNK_BYTES]) {
        const { ctx, file, fileOf } = await sealed(size);
        harm(fileOf(file.sha256));
        let damages = 0;
        const onDamage = async (): Promise<void> => {
          damages += 1;
        };
        await expect(buffer(artifacts.readVerified(ctx, file, undefined, onDamage))).rejects.toThrow();
        if (size === 100) expect(await artifacts.readVerifiedWhole(ctx, file, onDamage)).toBeUndefined();
        expect(damages).toBe(size === 100 ? 2 : 1);
      }
    }
  });
});

describe('the collection', () => {
  const HOUR = 3_600_000;
  const collect = (ctx: Ctx, referred: readonly number[] = []) =>
    artifacts.collectGarbage(ctx, { graceMs: HOUR, referredTrees: async (_ctx, ids) => ids.filter((id) => referred.includes(id)) });

  test('frees what was overwritten or removed after the grace time, and nothing else', async () => {
    const { ctx, wait, fileOf } = await makeBed();
    await put(ctx, 'a', 'old');
    const old = await artifacts.find(ctx, 'a');
    await put(ctx, 'a', 'new');
    expect(await collect(ctx)).toMatchObject({ marked: 1, removed: 0 });
    expect(existsSync(fileOf(old?.sha256 ?? ''))).toBe(true);
    wait(2 * HOUR);
    expect(await collect(ctx)).toMatchObject({ marked: 0, removed: 1 });
    expect(existsSync(fileOf(old?.sha256 ?? ''))).toBe(false);
    expect(await textOf(ctx, 'a')).toBe('new');
    expect(await blobCount(ctx)).toBe(1);
  });

  test('keeps what a sealed tree holds as long as somebody refers to the tree', async () => {
    const { ctx, wait } = await makeBed();
    await put(ctx, 'r/f', 'sealed');
    const id = (await seal(ctx, 'r'))?.id ?? 0;
    await artifacts.remove(ctx, 'r');
    for (let i = 0; i < 3; i++) {
      wait(2 * HOUR);
      expect(await collect(ctx, [id])).toEqual({ trees: 0, marked: 0, removed: 0 });
    }
    expect(await collect(ctx)).toMatchObject({ trees: 1, marked: 1 });
    wait(2 * HOUR);
    expect(await collect(ctx)).toMatchObject({ removed: 1 });
    expect(await blobCount(ctx)).toBe(0);
  });

  test('loses to an upload of the same bytes: a dying blob lives again', async () => {
    const { ctx, wait } = await makeBed();
    await put(ctx, 'a', 'bytes');
    await artifacts.remove(ctx, 'a');
    await collect(ctx);
    await put(ctx, 'b', 'bytes');
    wait(2 * HOUR);
    expect(await collect(ctx)).toMatchObject({ removed: 0 });
    expect(await textOf(ctx, 'b')).toBe('bytes');
  });

  test('never takes bytes from an upload that runs beside it', async () => {
    const { ctx } = await makeBed();
    const texts = ['one', 'two', 'three'];
    for (let round = 0; round < 15; round++) {
      await Promise.all([
        ...texts.map((text, i) => put(ctx, `f/${i}`, text)),
        // No grace at all for what is marked; the file's own time still guards it.
        artifacts.collectGarbage(ctx, { graceMs: 50 }),
      ]);
      for (const [i, text] of texts.entries()) expect(await textOf(ctx, `f/${i}`)).toBe(text);
      await artifacts.remove(ctx, 'f');
      await Promise.all([artifacts.collectGarbage(ctx, { graceMs: 0 }), put(ctx, 'g', texts[round % 3] ?? '')]);
    }
  });

  test('finds bytes that no row knows', async () => {
    const { ctx, wait } = await makeBed();
    await ctx.blobs.put('server', Readable.from([Buffer.from('lost')]));
    await put(ctx, 'a', 'kept');
    wait(2 * HOUR);
    let cursor: string | undefined;
    let pages = 0;
    do {
      cursor = await artifacts.collectOrphans(ctx, cursor, HOUR);
      pages += 1;
    } while (cursor !== undefined);
    expect(pages).toBe(256);
    expect(await textOf(ctx, 'a')).toBe('kept');
    expect(await ctx.blobs.has({ domain: 'server', sha256: hash('sha256', 'lost'), sizeBytes: 4 })).toBe(false);
  });
});
