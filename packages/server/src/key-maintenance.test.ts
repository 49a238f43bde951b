import { randomBytes } from 'node:crypto';
import { mkdtempSync, readdirSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { afterAll, expect, test } from 'vitest';
import { openContext } from '../../../test/support/context.ts';
import { onBothDatabases } from '../../../test/support/databases.ts';
import { keysInFile } from '../../../test/support/master-keys.ts';
import * as artifacts from './features/artifacts/artifacts.ts';
import * as events from './features/events/events.ts';
import * as webhooks from './features/webhooks/webhooks.ts';
import { changeSettings } from './features/workspaces/workspaces.ts';
import { listKeys, rotateMasterKey, rotateWorkspaceKey, SECRETS } from './key-maintenance.ts';
import { EncryptedBlobStore } from './platform/blobs/encrypted-blob-store.ts';
import { LocalBlobStore } from './platform/blobs/local-blob-store.ts';
import type { Ctx } from './platform/context.ts';
import { openDatabase } from './platform/db/open.ts';
import { type MasterKeys, openMasterKeys } from './platform/secrets/master-keys.ts';
import { createSecretBox } from './platform/secrets/secret-box.ts';

const folder = mkdtempSync(join(tmpdir(), 'key-maintenance-'));
afterAll(() => rmSync(folder, { recursive: true }));
let count = 0;
const HOOKS = 3;
/** Nobody else has these databases. */
const AT_ONCE = 0;

onBothDatabases('keys', (databaseUrl) => {
  const opened: Ctx[] = [];
  afterAll(async () => {
    for (const ctx of opened) await ctx.db.close();
  });

  /** A server's data with a few secrets and an encrypted file; `reopen` is what a server sees that starts later. */
  async function makeBed(keysOf: (file: string) => MasterKeys = keysInFile) {
    const [root, url] = [join(folder, String(++count)), await databaseUrl()];
    const file = `${root}.key`;
    const at = (masterKeys: MasterKeys) => ({
      masterKeys,
      blobs: new EncryptedBlobStore(new LocalBlobStore(root), masterKeys, randomBytes),
      secrets: createSecretBox(masterKeys, randomBytes),
    });
    const here = at(keysOf(file));
    const ctx = await openContext({
      blobs: here.blobs,
      ...(url === undefined ? {} : { db: await openDatabase({ kind: 'postgres', url }) }),
    });
    opened.push(ctx);
    const means = { secrets: here.secrets, urls: { schemes: ['https'], allowPrivate: true }, timeoutMs: 1, retriesMax: 0 };
    const MODEL = [{ entity: 'REGISTERED_MODEL', action: 'CREATED' }];
    const addHook = (name: string, secrets = here.secrets) =>
      webhooks.create(ctx, { ...means, secrets }, { name, url: 'https://127.0.0.1/', events: MODEL, secret: `secret of ${name}` });
    for (let i = 0; i < HOOKS; i++) await addHook(`hook-${i}`);
    await changeSettings(ctx, { encrypt_artifacts: true });
    await artifacts.put(ctx, 'a', Readable.from([Buffer.from('a file')]));
    /** Everything, read with these keys alone. */
    const readAll = async (masterKeys: MasterKeys): Promise<string[]> => {
      const { blobs, secrets } = at(masterKeys);
      const rows = await ctx.db.all<{ secret: Uint8Array; webhook_id: string }>('SELECT secret, webhook_id FROM webhooks ORDER BY id');
      const found = await artifacts.find(ctx, 'a');
      if (found === undefined) throw new Error('the file is there');
      return [...rows.map((row) => secrets.open(row.secret, row.webhook_id)), (await artifacts.readWhole({ blobs }, found)).toString()];
    };
    return { ctx, file, masterKeys: here.masterKeys, addHook, readAll };
  }

  const ALL = ['secret of hook-0', 'secret of hook-1', 'secret of hook-2', 'a file'];

  test('a rotation brings everything under a new key, after which the old one can go', async () => {
    const { ctx, file, masterKeys, readAll } = await makeBed();
    const old = masterKeys.current().id;
    const rotated = await rotateMasterKey(ctx, masterKeys, AT_ONCE);
    expect(rotated).toMatchObject({ isNew: true, secrets: HOOKS, workspaceKeys: 1, unreadable: 0, unused: [old] });
    const [newest = ''] = readFileSync(file, 'utf8').split('\n');
    writeFileSync(`${file}.alone`, newest);
    expect(await readAll(keysInFile(`${file}.alone`))).toEqual(ALL);
    const list = await listKeys(ctx, keysInFile(`${file}.alone`));
    expect(list.masterKeys).toEqual([{ id: rotated.keyId, isCurrent: true, isHere: true, secrets: HOOKS, workspaceKeys: 1 }]);
    const written = (await events.list(ctx.db, { workspaceId: 0, limit: 50 })).filter(({ type }) => type === 'master-key.rotated');
    expect(written.map(({ body }) => JSON.parse(body).data)).toEqual([
      { count: HOOKS, key_id: rotated.keyId, of: 'webhooks' },
      { count: 1, key_id: rotated.keyId, of: 'workspace_keys' },
    ]);
  });

  test('one that was cut off goes on with the key that it had made', async () => {
    const { ctx, file, masterKeys, addHook, readAll } = await makeBed();
    const added = await keysInFile(file).add();
    await addHook('moved', createSecretBox(keysInFile(file), randomBytes));
    const rotated = await rotateMasterKey(ctx, masterKeys, AT_ONCE);
    expect(rotated).toMatchObject({ keyId: added.id, isNew: false, secrets: HOOKS, workspaceKeys: 1, unreadable: 0 });
    expect(keysInFile(file).current().id).toBe(added.id);
    expect((await readAll(masterKeys)).length).toBe(HOOKS + 2);
  });

  test('what nothing here opens is left, counted, and keeps nothing else from being moved', async () => {
    const { ctx, masterKeys, addHook, readAll } = await makeBed();
    const lost = keysInFile(join(folder, `${count}.lost`));
    await addHook('lost', createSecretBox(lost, randomBytes));
    const rotated = await rotateMasterKey(ctx, masterKeys, AT_ONCE);
    expect(rotated).toMatchObject({ secrets: HOOKS, workspaceKeys: 1, unreadable: 1 });
    expect((await listKeys(ctx, masterKeys)).masterKeys).toContainEqual(
      expect.objectContaining({ id: lost.current().id, isHere: false, secrets: 1 }),
    );
    await expect(readAll(masterKeys)).rejects.toThrow('another key');
  });

  test('keys of the environment are rotated by giving a new one first', async () => {
    const [old, fresh] = [randomBytes(32).toString('base64'), randomBytes(32).toString('base64')];
    const given = (text: string): MasterKeys => openMasterKeys({ file: 'none', fromEnvironment: text, command: undefined }, randomBytes);
    const { ctx, masterKeys, readAll } = await makeBed(() => given(old));
    await expect(rotateMasterKey(ctx, masterKeys, AT_ONCE)).rejects.toThrow('put it before the old one');
    const both = given(`${fresh},${old}`);
    expect(await rotateMasterKey(ctx, both, AT_ONCE)).toMatchObject({ isNew: false, secrets: HOOKS, workspaceKeys: 1 });
    expect(await rotateMasterKey(ctx, both, AT_ONCE)).toMatchObject({ isNew: false, secrets: 0, workspaceKeys: 0 });
    expect(await readAll(given(fresh))).toEqual(ALL);
  });

  test('a workspace gets a new key by its name', async () => {
    const { ctx, masterKeys } = await makeBed();
    const id = await rotateWorkspaceKey(ctx, masterKeys, 'default');
    expect((await listKeys(ctx, masterKeys)).workspaceKeys).toEqual([
      expect.objectContaining({ workspace: 'default', isCurrent: false, blobs: 1 }),
      expect.objectContaining({ id, workspace: 'default', isCurrent: true, blobs: 0 }),
    ]);
    await expect(rotateWorkspaceKey(ctx, masterKeys, 'nowhere')).rejects.toMatchObject({ code: 'RESOURCE_DOES_NOT_EXIST' });
  });

  test('where nothing is encrypted a rotation makes a key and moves nothing', async () => {
    const url = await databaseUrl();
    const ctx = await openContext(url === undefined ? {} : { db: await openDatabase({ kind: 'postgres', url }) });
    opened.push(ctx);
    const masterKeys = keysInFile(join(folder, `empty-${++count}.key`));
    expect((await listKeys(ctx, masterKeys)).masterKeys).toEqual([]);
    expect(await rotateMasterKey(ctx, masterKeys, AT_ONCE)).toMatchObject({ isNew: true, secrets: 0, workspaceKeys: 0, unused: [] });
  });
});

test('a rotation knows every column that holds something sealed', () => {
  const features = join(import.meta.dirname, 'features');
  const declared = readdirSync(features, { recursive: true, encoding: 'utf8' })
    .filter((path) => path.endsWith('-store.ts'))
    .flatMap((path) => [...readFileSync(join(features, path), 'utf8').matchAll(/: SealedColumn = \{ table: '(\w+)', column: '(\w+)'/g)])
    .map(([, table, column]) => `${table}.${column}`);
  const known = [...SECRETS, artifacts.WORKSPACE_KEYS].map(({ table, column }) => `${table}.${column}`);
  expect(declared.toSorted()).toEqual(known.toSorted());
});
