import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { type GrantLevel, RANK } from '@countersign/contract/levels.ts';
import type { Permit } from '@countersign/contract/permit.ts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openContext } from '../../../../../test/support/context.ts';
import { type PostgresCluster, startPostgres } from '../../../../../test/support/postgres.ts';
import { LocalBlobStore } from '../../platform/blobs/local-blob-store.ts';
import { type Ctx, type TxCtx, transaction } from '../../platform/context.ts';
import { PostgresDatabase } from '../../platform/db/postgres.ts';
import { compileAccess } from '../access/access.ts';
import * as administration from '../administration/administration.ts';
import * as artifacts from '../artifacts/artifacts.ts';
import * as audit from '../audit/audit.ts';
import * as catalog from '../catalog/catalog.ts';
import * as models from '../models/models.ts';
import * as runs from '../runs/runs.ts';
import * as transitions from '../transitions/transitions.ts';
import type { ModelVersion } from '../versions/versions.ts';
import * as versions from '../versions/versions.ts';
import * as blocks from './blocks.ts';

let cluster: PostgresCluster;
let folder: string;
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), 'countersign-blocks-'));
  cluster = await startPostgres();
}, 120_000);
afterAll(async () => {
  await cluster?.stop();
  rmSync(folder, { recursive: true, force: true });
});

const UNKNOWN = 'f'.repeat(64);
const PERMIT = { targets: [{ kind: 'setting', setting: 'blocks' }], policies: [], admission: 'ungoverned' } as unknown as Permit; // the door that makes one stands above
const denied = { code: 'PERMISSION_DENIED' };

describe.each(['sqlite', 'postgres'] as const)('blocks on %s', (dialect) => {
  let ctx: Ctx;
  let other: Ctx;
  let count = 0;
  let name = '';
  let version: ModelVersion;
  let digest = '';

  beforeAll(async () => {
    const open = (url?: string): Promise<Ctx> =>
      openContext({ blobs: new LocalBlobStore(join(folder, dialect)), ...(url === undefined ? {} : { db: new PostgresDatabase(url) }) });
    const url = dialect === 'sqlite' ? undefined : await cluster.createDatabase();
    ctx = await open(url);
    other = url === undefined ? ctx : await open(url);
  });
  afterAll(async () => {
    await ctx.db.close();
    if (other !== ctx) await other.db.close();
  });
  beforeEach(async () => {
    name = `M${++count}`;
    await models.create(ctx, { name, tags: [] });
    version = await register(name, `bytes of ${name}`);
    digest = await blocks.digestOfVersion(ctx, name, 1);
  });

  async function register(model: string, bytes: string): Promise<ModelVersion> {
    const { runId, artifactUri } = (await runs.create(ctx, { experimentId: 0, userId: '', startTime: 0, tags: [] })).info;
    const path = `${artifacts.storedPathOf(artifactUri)}/model`;
    await artifacts.put(ctx, `${path}/MLmodel`, Readable.from([Buffer.from(bytes)]));
    const of = { runId, loggedModelId: undefined, runLink: '', description: undefined, tags: [] };
    return transitions.registerVersion(ctx, { name: model, source: `runs:/${runId}/model`, ...of });
  }
  /** Who has a level on the models with a name. */
  const as = (id: number, level: GrantLevel | 'NONE', prefix = ''): Ctx => ({
    ...ctx,
    principal: { id, kind: 'user', name: `user ${id}` },
    access: compileAccess(
      { isAdmin: false, isBornMember: true, memberRank: 0 },
      level === 'NONE' ? [] : [{ kind: 'registered-model', objectId: -1, objectName: null, prefix, level }],
    ),
  });
  const workspace = async (): Promise<Ctx> => ({ ...ctx, workspace: { id: 77, name: 'other' } });
  const lift = (of: Ctx = ctx, reach: blocks.Reach = {}): Promise<void> =>
    transaction(of, (inner) => blocks.lift(inner, PERMIT, digest, 'all is well', reach));
  const blockedIn = async (of: Ctx): Promise<string | undefined> => (await blocks.find(of, [digest, UNKNOWN])).get(digest)?.reason;

  it('hold from then on, until they are lifted', async () => {
    expect(await blockedIn(ctx)).toBeUndefined();
    const made = await blocks.block(ctx, digest, 'poisoned');
    expect(made).toMatchObject({ digest, reason: 'poisoned', isServerWide: false, liftedAt: null });
    expect(await blockedIn(ctx)).toBe('poisoned');
    expect((await blocks.find(ctx, [digest])).get(digest)?.at).toBe(made.blockedAt);
    await expect(blocks.block(ctx, digest, 'again')).rejects.toMatchObject({ code: 'RESOURCE_ALREADY_EXISTS' });
    await lift();
    expect(await blockedIn(ctx)).toBeUndefined();
    await expect(lift()).rejects.toMatchObject({ code: 'RESOURCE_DOES_NOT_EXIST' });
    await blocks.block(ctx, digest, 'poisoned after all');
    expect((await blocks.listOfDigest(ctx, digest)).map((each) => [each.reason, each.liftReason])).toEqual([
      ['poisoned after all', null],
      ['poisoned', 'all is well'],
    ]);
  });

  it('are seen where they were made, in the same transaction too', async () => {
    await expect(
      transaction(ctx, async (inner) => {
        await blocks.block(inner, digest, 'poisoned');
        expect((await blocks.find(inner, [digest])).has(digest)).toBe(true);
        throw new Error('undone');
      }),
    ).rejects.toThrow('undone');
    expect(await blockedIn(ctx)).toBeUndefined();
  });

  it('hold in their workspace, those of an administrator everywhere', async () => {
    const elsewhere = await workspace();
    await blocks.block(ctx, digest, 'here');
    expect(await blockedIn(elsewhere)).toBeUndefined();
    await blocks.block(elsewhere, digest, 'everywhere', { isServerWide: true });
    expect(await blockedIn(elsewhere)).toBe('everywhere');
    await lift();
    expect(await blockedIn(ctx)).toBe('everywhere');
    await expect(lift()).rejects.toMatchObject({ code: 'RESOURCE_DOES_NOT_EXIST' });
    await lift(ctx, { isServerWide: true });
    expect(await blockedIn(ctx)).toBeUndefined();
  });

  it('come along with the models of a workspace that goes', async () => {
    const elsewhere = await workspace();
    await blocks.block(elsewhere, digest, 'there');
    await blocks.block(elsewhere, UNKNOWN.replace('f', 'e'), 'both');
    await transaction(elsewhere, (inner) => blocks.moveAll(inner, ctx.workspace));
    expect(await blockedIn(elsewhere)).toBeUndefined();
    expect(await blockedIn(ctx)).toBe('there');
    await transaction(ctx, (inner) => blocks.lift(inner, PERMIT, UNKNOWN.replace('f', 'e'), 'enough'));
  });

  it('are made by who manages a model that has the bytes, or the workspace; and lifted by the latter', async () => {
    for (const caller of [as(101, 'NONE'), as(102, 'MANAGE_PRODUCTION'), as(103, 'MANAGE', `not ${name}`)]) {
      await expect(blocks.block(caller, digest, 'x')).rejects.toMatchObject(denied);
    }
    const manager = as(104, 'MANAGE', name);
    await expect(blocks.block(manager, UNKNOWN, 'x')).rejects.toMatchObject(denied);
    await expect(blocks.block(manager, digest, 'x', { isServerWide: true })).rejects.toMatchObject(denied);
    await blocks.block(manager, digest, 'poisoned');
    await expect(lift(manager)).rejects.toMatchObject(denied);
    await expect(lift({ ...ctx, access: { ...ctx.access, isAdmin: false } }, { isServerWide: true })).rejects.toMatchObject(denied);
    await lift({ ...ctx, access: { ...ctx.access, isAdmin: false } });
    expect(RANK.MANAGE).toBeGreaterThan(RANK.MANAGE_PRODUCTION);
  });

  it('need a digest and words', async () => {
    for (const bad of ['', 'sha256:1', digest.toUpperCase(), `${digest}0`]) {
      await expect((async () => blocks.block(ctx, bad, 'x'))()).rejects.toMatchObject({ code: 'INVALID_PARAMETER_VALUE' });
    }
    for (const bad of ['', ' ', 'x'.repeat(4001)]) {
      await expect((async () => blocks.block(ctx, digest, bad))()).rejects.toMatchObject({ code: 'INVALID_PARAMETER_VALUE' });
    }
    expect((await blocks.find(ctx, ["'); --", '{}'])).size).toBe(0);
  });

  it('show everywhere the bytes are, to whoever may see those', async () => {
    const twin = `twin of ${name}`;
    await models.create(ctx, { name: twin, tags: [] });
    const copy = await register(twin, `bytes of ${name}`);
    await register(twin, 'other bytes');
    await transitions.setAlias(ctx, twin, 'champion', 1);
    await blocks.block(ctx, digest, 'poisoned');
    const { versions: found } = await blocks.listVersions(ctx, digest);
    expect(found.map((each) => [each.name, each.version, each.aliases])).toEqual([
      [name, 1, []],
      [twin, 1, ['champion']],
    ]);
    expect((await blocks.listVersions(as(105, 'VIEW', twin), digest)).versions.map(({ id }) => id)).toEqual([copy.id]);
    const first = await blocks.listVersions(ctx, digest, { limit: 1 });
    expect(first).toMatchObject({ versions: [{ id: version.id }], nextId: version.id });
    const second = await blocks.listVersions(ctx, digest, { afterId: first.nextId, limit: 1 });
    expect(second).toMatchObject({ versions: [{ id: copy.id }], nextId: undefined });
    const shown = await catalog.viewVersions(ctx, await versions.listOfModel(ctx, await models.get(ctx, twin), { limit: 10 }));
    expect(shown.map(({ blocked }) => blocked?.reason)).toEqual([undefined, 'poisoned']);
  });

  it('are listed, newest first, by state', async () => {
    const { id } = await blocks.block(ctx, digest, 'poisoned');
    expect((await blocks.list(ctx, { limit: 1 }))[0]).toMatchObject({ id, reason: 'poisoned', liftReason: null });
    await lift();
    expect((await blocks.list(ctx, { limit: 1, state: 'lifted' }))[0]).toMatchObject({ id, liftReason: 'all is well' });
    expect((await blocks.list(ctx, { limit: 100, state: 'open' })).some((each) => each.id === id)).toBe(false);
    expect((await blocks.list(ctx, { limit: 100, beforeId: id })).some((each) => each.id >= id)).toBe(false);
  });

  it('keep their reasons beside the record, where they can be erased', async () => {
    await blocks.block(ctx, digest, 'because of Alice');
    await lift();
    await blocks.block(ctx, digest, 'because of Bob');
    for (const event of await audit.listEvents(ctx, { newestFirst: true, limit: 3 })) {
      expect(event.type).toMatch(/^digest\.(blocked|lifted)$/);
      expect(event.body).not.toMatch(/because|well/);
      await administration.eraseEventText(ctx, event.seq, 'reason');
    }
    expect(await blockedIn(ctx)).toBe('its reason is not on record any more');
    expect((await blocks.listOfDigest(ctx, digest)).map((each) => [each.reason, each.liftReason])).toEqual([
      [null, null],
      [null, null],
    ]);
    expect((await audit.verify(ctx)).ok).toBe(true);
  });

  it('are made once, though two ask at the same time', async () => {
    const ends = await Promise.allSettled([ctx, other, ctx, other].map((each) => blocks.block(each, digest, 'poisoned')));
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
  });

  it('wait for what is being decided about the bytes, and what is decided after them sees them', async () => {
    if (dialect === 'sqlite') return;
    const steps: string[] = [];
    /** Does something in a transaction that goes on for a while, and answers as soon as it is done. */
    const inLongTransaction = async (of: Ctx, work: (inner: TxCtx) => Promise<string>): Promise<{ committed: Promise<void> }> => {
      const { promise: done, resolve } = Promise.withResolvers<void>();
      const committed = transaction(of, async (inner) => {
        steps.push(await work(inner));
        resolve();
        await inner.tx.one('SELECT pg_sleep(0.3)');
        steps.push('over');
      });
      await done;
      return { committed };
    };
    const decide = async (inner: TxCtx): Promise<string> => `decided by ${(await blocks.find(inner, [digest])).size} blocks`;
    const block = async (inner: TxCtx): Promise<string> => (await blocks.block(inner, digest, 'poisoned')).reason ?? '';
    const decision = await inLongTransaction(ctx, decide);
    const blocking = await inLongTransaction(other, block);
    await transaction(ctx, async (inner) => void steps.push(await decide(inner)));
    await Promise.all([decision.committed, blocking.committed]);
    expect(steps).toEqual(['decided by 0 blocks', 'over', 'poisoned', 'over', 'decided by 1 blocks']);
  });

  it('cannot be made of a version without a seal', async () => {
    await transitions.registerVersion(ctx, {
      name,
      source: 's3://bucket/model',
      runId: '',
      loggedModelId: undefined,
      runLink: '',
      description: undefined,
      tags: [],
    });
    await expect(blocks.digestOfVersion(ctx, name, 2)).rejects.toMatchObject({ code: 'INVALID_STATE' });
    await expect(blocks.digestOfVersion(ctx, name, 3)).rejects.toMatchObject({ code: 'RESOURCE_DOES_NOT_EXIST' });
  });

  it('are found along indexes', async () => {
    if (dialect !== 'sqlite') return;
    const plan = async (sql: string): Promise<string> =>
      (await ctx.db.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)).map(({ detail }) => detail).join('\n');
    const open =
      "SELECT id FROM digest_blocks WHERE digest IN (SELECT value FROM json_each('[]')) AND +workspace_id IN (SELECT value FROM json_each('[]')) AND lifted_at IS NULL ORDER BY workspace_id, id";
    expect(await plan(open)).toMatch(/digest_blocks_(?:open|by_digest) \(digest=/);
    const texts =
      "SELECT t.text FROM events e JOIN event_texts t ON t.seq = e.seq WHERE e.target IN ('block:1') AND e.target >= 'block:' AND e.target < 'block;' ORDER BY e.seq, t.field";
    expect(await plan(texts)).toContain('events_by_block');
    const having = "v.tree_id IN (SELECT id FROM trees WHERE digest = 'x') AND v.deleted_at IS NULL AND +v.workspace_id = 0";
    for (const sql of [
      `SELECT v.id FROM model_versions v WHERE ${having} AND +v.id > 1 ORDER BY +v.id LIMIT 5`,
      `SELECT m.id FROM registered_models m WHERE m.id IN (SELECT v.model_id FROM model_versions v WHERE ${having}) ORDER BY m.id LIMIT 5`,
    ]) {
      expect(await plan(sql)).not.toContain('SCAN');
      expect(await plan(sql)).toContain('model_versions_by_tree');
      expect(await plan(sql)).toContain('trees_by_digest');
    }
    expect(await plan('SELECT id FROM digest_blocks WHERE workspace_id IN (-1, 0) AND id < 9 ORDER BY id DESC LIMIT 5')).toContain(
      'digest_blocks_by_workspace',
    );
  });
});
