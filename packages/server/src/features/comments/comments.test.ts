import { type Level, RANK } from '@countersign/contract/levels.ts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openContext } from '../../../../../test/support/context.ts';
import { type PostgresCluster, startPostgres } from '../../../../../test/support/postgres.ts';
import type { Ctx } from '../../platform/context.ts';
import { PostgresDatabase } from '../../platform/db/postgres.ts';
import { compileAccess } from '../access/access.ts';
import * as administration from '../administration/administration.ts';
import * as audit from '../audit/audit.ts';
import * as models from '../models/models.ts';
import * as requests from '../requests/requests.ts';
import * as transitions from '../transitions/transitions.ts';
import * as versions from '../versions/versions.ts';
import * as comments from './comments.ts';

let cluster: PostgresCluster;
beforeAll(async () => {
  cluster = await startPostgres();
}, 120_000);
afterAll(() => cluster?.stop());

describe.each(['sqlite', 'postgres'] as const)('comments on %s', (dialect) => {
  let ctx: Ctx;
  let count = 0;
  let name = '';

  beforeAll(async () => {
    ctx = await openContext(dialect === 'sqlite' ? {} : { db: new PostgresDatabase(await cluster.createDatabase()) });
  });
  afterAll(() => ctx.db.close());
  beforeEach(async () => {
    name = `M${++count}`;
    await models.create(ctx, { name, tags: [] });
    const files = { source: 's3://bucket/model', runId: '', loggedModelId: undefined, runLink: '' };
    await transitions.registerVersion(ctx, { name, ...files, description: undefined, tags: [] });
  });

  /** Who has a level on every model of the workspace. */
  const as = (id: number, level: Level | 'NONE'): Ctx => ({
    ...ctx,
    principal: { id, kind: 'user', name: `user ${id}` },
    access: compileAccess({ isAdmin: false, isBornMember: true, memberRank: level === 'NONE' ? 0 : RANK[level] }, []),
  });
  const list = async (query: Partial<comments.ActivityQuery> = {}): Promise<comments.ActivityPage> =>
    comments.listActivities(ctx, await versions.get(ctx, name, 1), { afterSeq: undefined, newestFirst: false, limit: 100, ...query });
  const words = async (): Promise<(string | null)[]> => (await list()).activities.map(({ comment }) => comment);

  it('show as their authors left them', async () => {
    const first = await comments.create(ctx, name, 1, 'one');
    const second = await comments.create(ctx, name, 1, 'two');
    await comments.update(ctx, first.id, 'three');
    await comments.update(ctx, first.id, '**four**');
    expect(await words()).toEqual(['**four**', 'two']);
    await comments.remove(ctx, second.id);
    expect(await words()).toEqual(['**four**']);
  });

  it('are written by readers, changed by their author, deleted by their author or a manager', async () => {
    const denied = { code: 'PERMISSION_DENIED' };
    const unknown = { code: 'RESOURCE_DOES_NOT_EXIST' };
    await expect(comments.create(as(101, 'VIEW'), name, 1, 'x')).rejects.toMatchObject(denied);
    const alice = as(102, 'READ');
    const one = await comments.create(alice, name, 1, 'one');
    const two = await comments.create(alice, name, 1, 'two');
    const manager = as(103, 'MANAGE');
    for (const other of [as(104, 'MANAGE_PRODUCTION'), manager]) {
      await expect(comments.update(other, one.id, 'x')).rejects.toMatchObject(denied);
    }
    await expect(comments.remove(as(104, 'MANAGE_PRODUCTION'), one.id)).rejects.toMatchObject(denied);
    // Whoever may not see the model isn't told that there is a comment.
    await expect(comments.remove(as(105, 'NONE'), one.id)).rejects.toMatchObject(unknown);
    await comments.remove(alice, one.id);
    await comments.remove(manager, two.id);
    await expect(comments.remove(alice, one.id)).rejects.toMatchObject(unknown);
    await expect(comments.update(alice, one.id, 'x')).rejects.toMatchObject(unknown);
    await expect(comments.update(alice, 'nothing', 'x')).rejects.toMatchObject(unknown);
  });

  it('say something, and not too much', async () => {
    for (const text of ['', ' \n', 'x'.repeat(16_001)]) {
      await expect((async () => comments.create(ctx, name, 1, text))()).rejects.toMatchObject({ code: 'INVALID_PARAMETER_VALUE' });
    }
    await comments.create(ctx, name, 1, 'x'.repeat(16_000));
  });

  it('are gone with the texts beside their events, and the record verifies', async () => {
    const { id } = await comments.create(ctx, name, 1, 'my number is 555-1234');
    await comments.update(ctx, id, 'my number is 555-9999');
    await requests.create(ctx, { name, version: 1, stage: 'Staging', comment: 'call me: 555-1234' });
    const model = await models.get(ctx, name);
    for (const event of await audit.listEvents(ctx, { modelId: model.id, newestFirst: false, limit: 100 })) {
      expect(event.body).not.toContain('555-');
      if ('comment' in event.texts) await administration.eraseEventText(ctx, event.seq, 'comment');
    }
    expect(await words()).toEqual([null, null]);
    expect((await audit.verify(ctx)).ok).toBe(true);
  });

  it('and other activities come page by page, in either order', async () => {
    for (let i = 0; i < 5; i++) await comments.create(ctx, name, 1, `c${i}`);
    await requests.moveStage(ctx, { name, version: 1, stage: 'Staging', archiveExisting: false });
    const kinds: string[] = [];
    for (let afterSeq: number | undefined, more = true; more; ) {
      const page = await list({ afterSeq, newestFirst: true, limit: 2 });
      kinds.push(...page.activities.map(({ type, comment }) => comment ?? type));
      afterSeq = page.nextSeq;
      more = afterSeq !== undefined;
    }
    expect(kinds).toEqual(['APPLIED_TRANSITION', 'c4', 'c3', 'c2', 'c1', 'c0']);
  });

  it('are found along indexes', async () => {
    if (dialect !== 'sqlite') return;
    const plan = async (sql: string): Promise<string> =>
      (await ctx.db.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)).map(({ detail }) => detail).join('\n');
    const byVersion =
      "SELECT seq FROM events WHERE version_id = 1 AND target IS NOT NULL AND seq < 9 AND type IN ('a', 'b') ORDER BY seq DESC LIMIT 5";
    expect(await plan(byVersion)).toContain('events_by_version');
    const byRequest = "SELECT seq FROM events WHERE target IN ('request:1') AND target >= 'request:' AND target < 'request;' ORDER BY seq";
    expect(await plan(byRequest)).toContain('events_by_request');
    expect(await plan("SELECT id FROM requests WHERE version_id = 1 AND state = 'open' ORDER BY id")).toMatch(/SEARCH requests USING/);
  });
});
