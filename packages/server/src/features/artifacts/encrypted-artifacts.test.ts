import { randomBytes } from 'node:crypto';
import { chmodSync, mkdtempSync, readdirSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { buffer } from 'node:stream/consumers';
import { afterAll, describe, expect, test } from 'vitest';
import { openContext } from '../../../../../test/support/context.ts';
import { onBothDatabases } from '../../../../../test/support/databases.ts';
import { keysInFile } from '../../../../../test/support/master-keys.ts';
import { CHUNK_BYTES } from '../../platform/blobs/blob-store.ts';
import { EncryptedBlobStore } from '../../platform/blobs/encrypted-blob-store.ts';
import { LocalBlobStore } from '../../platform/blobs/local-blob-store.ts';
import { type Ctx, systemClock } from '../../platform/context.ts';
import { openDatabase } from '../../platform/db/open.ts';
import * as events from '../events/events.ts';
import { changeSettings, createWorkspace, within } from '../workspaces/workspaces.ts';
import * as artifacts from './artifacts.ts';

const folder = mkdtempSync(join(tmpdir(), 'encrypted-artifacts-'));
afterAll(() => rmSync(folder, { recursive: true }));
let count = 0;

onBothDatabases('encrypted artifacts', (databaseUrl) => {
  const opened: Ctx[] = [];
  afterAll(async () => {
    for (const ctx of opened) await ctx.db.close();
  });

  /** Two workspaces of one server; `wait` moves the clock that the room sees. */
  async function makeBed() {
    const [root, url] = [join(folder, String(++count)), await databaseUrl()];
    let ahead = 0;
    const blobs = new EncryptedBlobStore(new LocalBlobStore(root), keysInFile(`${root}.key`), randomBytes);
    const clock = { now: () => Date.now() + ahead, randomBytes: systemClock.randomBytes };
    const ctx = await openContext({
      blobs,
      clock,
      ...(url === undefined ? {} : { db: await openDatabase({ kind: 'postgres', url }) }),
    });
    opened.push(ctx);
    await changeSettings(ctx, { encrypt_artifacts: true });
    const other = within(ctx, await createWorkspace(ctx, { name: 'other' }));
    return {
      ctx,
      other,
      blobs,
      files: (domain: string) => filesIn(join(root, domain)),
      wait: (ms: number) => {
        ahead += ms;
      },
    };
  }

  test('give back what was put, whole, by range and checked, and lie on disk in another form', async () => {
    const { ctx, files } = await makeBed();
    for (const size of [0, 1, 1000, CHUNK_BYTES, 2 * CHUNK_BYTES + 5]) {
      const bytes = randomBytes(size);
      await put(ctx, `${size}.bin`, bytes);
      const file = await find(ctx, `${size}.bin`);
      expect(file.sizeBytes).toBe(size);
      expect((await artifacts.readWhole(ctx, file)).equals(bytes)).toBe(true);
      if (size < 10) continue;
      const range = { start: size - 9, end: size - 2 };
      expect((await buffer(artifacts.read(ctx, file, range))).equals(bytes.subarray(size - 9, size - 1))).toBe(true);
      expect((await buffer(artifacts.readVerified(ctx, file, undefined, noDamage))).equals(bytes)).toBe(true);
      expect(files('workspace-0').some((path) => readFileSync(path).includes(bytes.subarray(0, 64)))).toBe(false);
    }
    expect([files('workspace-0').length, files('server')]).toEqual([5, []]);
  });

  test('of one workspace are one blob where they are equal, and never one with another workspace or with bytes in clear', async () => {
    const { ctx, other, files } = await makeBed();
    const bytes = randomBytes(1000);
    await put(other, 'clear', bytes);
    await put(ctx, 'a', bytes);
    await put(ctx, 'b', bytes);
    await changeSettings(other, { encrypt_artifacts: true });
    await put(other, 'a', bytes);
    expect((await find(ctx, 'a')).blobId).toBe((await find(ctx, 'b')).blobId);
    expect(['server', 'workspace-0', 'workspace-1'].map((domain) => files(domain).length)).toEqual([1, 1, 1]);
    for (const [where, path] of [
      [ctx, 'b'],
      [other, 'clear'],
      [other, 'a'],
    ] as const)
      expect((await artifacts.readWhole(where, await find(where, path))).equals(bytes)).toBe(true);
    expect((await find(other, 'a')).domain).toBe('workspace-1');
  });

  test('that are put many at once are one blob with one file', async () => {
    const { ctx, files } = await makeBed();
    const bytes = randomBytes(100_000);
    await Promise.all(Array.from({ length: 12 }, (_, i) => put(ctx, `at-once/${i}`, bytes)));
    expect(files('workspace-0').length).toBe(1);
    expect((await artifacts.listWorkspaceKeys(ctx)).length).toBe(1);
    for (let i = 0; i < 12; i++) expect((await artifacts.readWhole(ctx, await find(ctx, `at-once/${i}`))).equals(bytes)).toBe(true);
  });

  test('seal as those in clear do: the digest is of what the files say', async () => {
    const { ctx, other } = await makeBed();
    const bytes = randomBytes(CHUNK_BYTES + 1);
    for (const where of [ctx, other]) {
      await put(where, 'm/MLmodel', Buffer.from('flavors: {}'));
      await put(where, 'm/weights', bytes);
    }
    const [encrypted, clear] = [await seal(ctx, 'm'), await seal(other, 'm')];
    expect(encrypted.digest).toBe(clear.digest);
    expect(encrypted.id).not.toBe(clear.id);
    expect((await seal(ctx, 'm')).id).toBe(encrypted.id);
    const file = await artifacts.findInTree(ctx, encrypted.id, 'weights');
    if (file === undefined) throw new Error('it is in the tree');
    expect((await buffer(artifacts.readVerified(ctx, file, undefined, noDamage))).equals(bytes)).toBe(true);
  });

  test('a tree is copied into another key domain and back, and shared where nothing needs to be', async () => {
    const { ctx, other, files } = await makeBed();
    await put(ctx, 'm/MLmodel', Buffer.from('flavors: {}'));
    await put(ctx, 'm/weights', randomBytes(CHUNK_BYTES + 1));
    const tree = await seal(ctx, 'm');
    expect((await artifacts.copyTree(ctx, tree.id)).id).toBe(tree.id);
    const clear = await artifacts.copyTree(other, tree.id);
    expect([clear.digest, clear.id === tree.id, files('server').length]).toEqual([tree.digest, false, 2]);
    await changeSettings(other, { encrypt_artifacts: true });
    const encrypted = await artifacts.copyTree(other, tree.id);
    expect([encrypted.digest, files('workspace-1').length]).toEqual([tree.digest, 2]);
    expect((await artifacts.copyTree(other, tree.id)).id).toBe(encrypted.id);
    expect([files('workspace-0').length, files('workspace-1').length]).toEqual([2, 2]);
    for (const [id, domain] of [
      [clear.id, 'server'],
      [encrypted.id, 'workspace-1'],
    ] as const) {
      const file = await artifacts.findInTree(other, id, 'weights');
      expect(file?.domain).toBe(domain);
      if (file) await buffer(artifacts.readVerified(other, file, undefined, noDamage));
    }
    const manifest = await artifacts.treeManifest(other, encrypted.id);
    expect(manifest).toEqual(await artifacts.treeManifest(ctx, tree.id));
  });

  test('a changed byte is damage, and the next upload of the right bytes mends it', async () => {
    const { ctx, files } = await makeBed();
    for (const size of [1000, CHUNK_BYTES + 1000]) {
      const bytes = randomBytes(size);
      await put(ctx, `s${size}/w`, bytes);
      const tree = await seal(ctx, `s${size}`);
      const path = files('workspace-0').find((each) => statSync(each).size > size) ?? '';
      const stored = readFileSync(path);
      stored[20] = (stored[20] ?? 0) ^ 1;
      chmodSync(path, 0o640);
      writeFileSync(path, stored);
      const read = async (): Promise<string> => {
        const file = await artifacts.findInTree(ctx, tree.id, 'w');
        let damage = 'whole';
        const onDamage = async (): Promise<void> => {
          damage = 'damaged';
        };
        if (file && size > CHUNK_BYTES) await buffer(artifacts.readVerified(ctx, file, undefined, onDamage)).catch(() => {});
        else if (file) await artifacts.readVerifiedWhole(ctx, file, onDamage);
        return damage;
      };
      expect(await read()).toBe('damaged');
      await put(ctx, 'again', bytes);
      expect(await read()).toBe('whole');
      await artifacts.remove(ctx, 'again');
    }
  });

  test('without the master key nothing is taken for damaged', async () => {
    const { ctx } = await makeBed();
    await put(ctx, 'm/w', randomBytes(100));
    const file = await artifacts.findInTree(ctx, (await seal(ctx, 'm')).id, 'w');
    if (file === undefined) throw new Error('it is in the tree');
    const lost = new EncryptedBlobStore(new LocalBlobStore(join(folder, 'none')), keysInFile(join(folder, 'none.key')), randomBytes);
    const onDamage = async (): Promise<void> => {
      throw new Error('it is not damaged');
    };
    await expect(artifacts.readVerifiedWhole({ blobs: lost }, file, onDamage)).rejects.toMatchObject({ code: 'INVALID_STATE' });
    await expect(artifacts.readVerifiedWhole({ blobs: lost }, file, onDamage)).rejects.toThrow('master key');
  });

  test('a new key of the workspace is for new files, and both are read', async () => {
    const { ctx } = await makeBed();
    await put(ctx, 'old', randomBytes(100));
    const rotated = await artifacts.rotateWorkspaceKey(ctx);
    await put(ctx, 'new', randomBytes(100));
    const keyOf = async (path: string): Promise<string | undefined> => (await find(ctx, path)).encryption?.domainKey.id;
    expect(await keyOf('new')).toBe(rotated.id);
    expect(await keyOf('old')).not.toBe(rotated.id);
    for (const path of ['old', 'new']) expect((await artifacts.readWhole(ctx, await find(ctx, path))).length).toBe(100);
    expect((await artifacts.listWorkspaceKeys(ctx)).map((key) => [key.workspace, key.blobs])).toEqual([
      ['default', 1],
      ['default', 1],
    ]);
    const made = (await events.list(ctx.db, { workspaceId: 0, limit: 50 })).filter(({ type }) => type === 'workspace-key.created');
    expect(made.length).toBe(2);
  });

  test('are collected as those in clear are, orphans of every domain too', async () => {
    const { ctx, blobs, files, wait } = await makeBed();
    await put(ctx, 'kept', randomBytes(100));
    await put(ctx, 'gone', randomBytes(100));
    await artifacts.remove(ctx, 'gone');
    const key = blobs.newDomainKey();
    await blobs.put('workspace-0', Readable.from([randomBytes(10)]), key);
    await blobs.put('server', Readable.from([randomBytes(10)]));
    expect([files('workspace-0').length, files('server').length]).toEqual([3, 1]);
    const collect = async (): Promise<void> => {
      await artifacts.collectGarbage(ctx, { graceMs: 1000 });
      let cursor: string | undefined;
      do cursor = await artifacts.collectOrphans(ctx, cursor, 1000);
      while (cursor !== undefined);
    };
    await collect();
    expect([files('workspace-0').length, files('server').length]).toEqual([3, 1]);
    wait(10_000);
    await collect();
    expect([files('workspace-0').length, files('server').length]).toEqual([1, 0]);
    expect((await artifacts.readWhole(ctx, await find(ctx, 'kept'))).length).toBe(100);
  });

  test('a blob that is dying gets the file of the upload that revives it', async () => {
    const { ctx, wait } = await makeBed();
    const bytes = randomBytes(100);
    await put(ctx, 'a', bytes);
    const before = (await find(ctx, 'a')).encryption?.fileId;
    await artifacts.remove(ctx, 'a');
    await artifacts.collectGarbage(ctx, { graceMs: 60_000 });
    await put(ctx, 'a', bytes);
    const file = await find(ctx, 'a');
    expect(file.encryption?.fileId).not.toBe(before);
    wait(120_000);
    await artifacts.collectGarbage(ctx, { graceMs: 60_000 });
    expect((await artifacts.readWhole(ctx, file)).equals(bytes)).toBe(true);
  });
});

describe('a workspace that encrypts no more', () => {
  test('still reads what it encrypted, and keeps new files in clear', async () => {
    const root = join(folder, 'off');
    const ctx = await openContext({ blobs: new EncryptedBlobStore(new LocalBlobStore(root), keysInFile(`${root}.key`), randomBytes) });
    await changeSettings(ctx, { encrypt_artifacts: true });
    await put(ctx, 'm/a', Buffer.from('one'));
    await changeSettings(ctx, { encrypt_artifacts: false });
    await put(ctx, 'm/b', Buffer.from('two'));
    const tree = await seal(ctx, 'm');
    expect([(await find(ctx, 'm/a')).domain, (await find(ctx, 'm/b')).domain]).toEqual(['workspace-0', 'server']);
    expect((await artifacts.copyTree(ctx, tree.id)).id).toBe(tree.id);
    expect((await artifacts.readWhole(ctx, await find(ctx, 'm/a'))).toString()).toBe('one');
    await ctx.db.close();
  });
});

const noDamage = async (): Promise<void> => {
  throw new Error('there is no damage');
};

function put(ctx: Ctx, path: string, bytes: Buffer): Promise<void> {
  return artifacts.put(ctx, path, Readable.from([bytes]));
}

async function find(ctx: Ctx, path: string): Promise<artifacts.ArtifactFile> {
  const file = await artifacts.find(ctx, path);
  if (file === undefined) throw new Error(`there is no ${path}`);
  return file;
}

async function seal(ctx: Ctx, path: string): Promise<artifacts.Tree> {
  const tree = await ctx.db.write((tx) => artifacts.sealTree({ ...ctx, tx }, path));
  if (tree === undefined) throw new Error(`nothing is below ${path}`);
  return tree;
}

function filesIn(root: string): string[] {
  try {
    return readdirSync(root, { recursive: true, withFileTypes: true })
      .filter((entry) => entry.isFile())
      .map((entry) => join(entry.parentPath, entry.name));
  } catch {
    return [];
  }
}
