import { type Level, RANK } from '@countersign/contract/levels.ts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openContext } from '../../../../../test/support/context.ts';
import { type PostgresCluster, startPostgres } from '../../../../../test/support/postgres.ts';
import type { Ctx } from '../../platform/context.ts';
import { PostgresDatabase } from '../../platform/db/postgres.ts';
import * as access from '../access/access.ts';
import { compileAccess } from '../access/access.ts';
import * as accounts from '../accounts/accounts.ts';
import * as administration from '../administration/administration.ts';
import * as audit from '../audit/audit.ts';
import * as groups from '../groups/groups.ts';
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
  const toStaging = { target: { kind: 'stage', stage: 'Staging' }, version: 1 } as const;
  const say = async (who: Ctx, text: string, parent?: string): Promise<comments.Comment> =>
    (await comments.create(who, { name, version: 1 }, text, parent)).comment;
  const list = async (query: Partial<comments.ActivityQuery> = {}): Promise<comments.ActivityPage> =>
    comments.listActivities(ctx, await versions.get(ctx, name, 1), { afterSeq: undefined, newestFirst: false, limit: 100, ...query });
  const words = async (): Promise<(string | null)[]> => (await list()).activities.map(({ comment }) => comment);

  it('show as their authors left them', async () => {
    const first = await say(ctx, 'one');
    const second = await say(ctx, 'two');
    await comments.update(ctx, first.id, 'three');
    await comments.update(ctx, first.id, '**four**');
    expect(await words()).toEqual(['**four**', 'two']);
    await comments.remove(ctx, second.id);
    expect(await words()).toEqual(['**four**']);
  });

  it('are written by readers, changed by their author, deleted by their author or a manager', async () => {
    const denied = { code: 'PERMISSION_DENIED' };
    const unknown = { code: 'RESOURCE_DOES_NOT_EXIST' };
    await expect(say(as(101, 'VIEW'), 'x')).rejects.toMatchObject(denied);
    const alice = as(102, 'READ');
    const one = await say(alice, 'one');
    const two = await say(alice, 'two');
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
      await expect((async () => say(ctx, text))()).rejects.toMatchObject({ code: 'INVALID_PARAMETER_VALUE' });
    }
    await say(ctx, 'x'.repeat(16_000));
  });

  it('are gone with the texts beside their events, and the record verifies', async () => {
    const { id } = await say(ctx, 'my number is 555-1234');
    await comments.update(ctx, id, 'my number is 555-9999');
    const request = await requests.create(ctx, name, toStaging, 'call me: 555-1234');
    await comments.create(ctx, { requestId: request.id }, '555-1234, as I said');
    await say(ctx, 'or 555-9999', id);
    await comments.setResolved(ctx, id, true);
    const model = await models.get(ctx, name);
    for (const event of await audit.listEvents(ctx, { modelId: model.id, newestFirst: false, limit: 100 })) {
      expect(event.body).not.toContain('555-');
      if ('comment' in event.texts) await administration.eraseEventText(ctx, event.seq, 'comment');
    }
    expect(await words()).toEqual([null, null, null, null]);
    expect([await threads(), await threads({ requestId: request.id })]).toEqual([['…', '- …'], ['…']]);
    expect(JSON.stringify([await ctx.db.all('SELECT * FROM comments'), await ctx.db.all('SELECT * FROM mentions')])).not.toContain('555-');
    expect((await audit.verify(ctx)).ok).toBe(true);
  });

  it('and other activities come page by page, in either order', async () => {
    for (let i = 0; i < 5; i++) await say(ctx, `c${i}`);
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

  /** As people read them: answers behind a dash. */
  const threads = async (about: comments.About = { name, version: 1 }, limit = 100): Promise<string[]> => {
    const shown: string[] = [];
    for (let afterPk: number | undefined, more = true; more; ) {
      const page = await comments.list(ctx, about, { afterPk, limit });
      shown.push(...page.comments.map(({ parentId, text }) => `${parentId === null ? '' : '- '}${text ?? '…'}`));
      afterPk = page.lastPk;
      more = afterPk !== undefined;
    }
    return shown;
  };

  it('stand in threads, page by page; answers to answers stand beside those', async () => {
    const one = await say(ctx, 'one');
    const two = await say(ctx, 'two');
    const answer = await say(ctx, 'to one', one.id);
    await say(ctx, 'to two', two.id);
    expect(await say(ctx, 'to the answer', answer.id)).toMatchObject({ parentId: one.id, threadPk: one.pk });
    await comments.update(ctx, answer.id, 'to one, better');
    const all = ['one', '- to one, better', '- to the answer', 'two', '- to two'];
    for (const limit of [1, 2, 3, 100]) expect(await threads(undefined, limit)).toEqual(all);
    expect(await words()).toEqual(['one', 'two', 'to one, better', 'to two', 'to the answer']);
    await comments.remove(ctx, one.id);
    expect(await threads()).toEqual(['…', ...all.slice(1)]);
    await comments.remove(ctx, answer.id);
    await comments.remove(ctx, two.id);
    expect(await threads(undefined, 1)).toEqual(['…', '- to the answer', '…', '- to two']);
    for (const { id, deletedAt } of (await comments.list(ctx, { name, version: 1 }, { afterPk: undefined, limit: 9 })).comments)
      if (deletedAt === null) await comments.remove(ctx, id);
    expect(await threads()).toEqual([]);
  });

  it('answer what is about the same, and is there', async () => {
    const request = await requests.create(ctx, name, toStaging);
    const onVersion = await say(ctx, 'on the version');
    const { comment: onRequest } = await comments.create(ctx, { requestId: request.id }, 'on the request');
    for (const [about, parent] of [
      [{ requestId: request.id }, onVersion.id],
      [{ name, version: 1 }, onRequest.id],
    ] as const) {
      await expect(comments.create(ctx, about, 'x', parent)).rejects.toMatchObject({ code: 'INVALID_PARAMETER_VALUE' });
    }
    await expect(say(ctx, 'x', 'nothing')).rejects.toMatchObject({ code: 'RESOURCE_DOES_NOT_EXIST' });
    expect(await threads()).toEqual(['on the version']);
    expect(await threads({ requestId: request.id })).toEqual(['on the request']);
    // What is said about a request is said about its version.
    expect(await words()).toEqual([null, 'on the version', 'on the request']);
    const unknown = { code: 'RESOURCE_DOES_NOT_EXIST' };
    await expect(comments.create(ctx, { requestId: 987_654 }, 'x')).rejects.toMatchObject(unknown);
    await expect(comments.create(as(105, 'NONE'), { requestId: request.id }, 'x')).rejects.toMatchObject(unknown);
    await expect(comments.create(as(106, 'VIEW'), { requestId: request.id }, 'x')).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    await requests.deleteVersion(ctx, name, 1);
    await expect(threads({ requestId: request.id })).rejects.toMatchObject(unknown);
  });

  it('are resolved, and opened again, by whoever may comment', async () => {
    const one = await say(as(107, 'READ'), 'one');
    const answer = await say(ctx, 'answer', one.id);
    await expect(comments.setResolved(as(108, 'VIEW'), one.id, true)).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    const reader = as(109, 'READ');
    expect(await comments.setResolved(reader, answer.id, true)).toMatchObject({ comment: { id: one.id, text: 'one', resolvedBy: 109 } });
    expect(await comments.setResolved(ctx, one.id, true)).toMatchObject({ comment: { resolvedBy: 109 } });
    expect(await comments.setResolved(ctx, one.id, false)).toMatchObject({ comment: { resolvedBy: null, resolvedAt: null } });
    const model = await models.get(ctx, name);
    const all = await audit.listEvents(ctx, { modelId: model.id, newestFirst: false, limit: 100 });
    expect(all.map(({ type }) => type).filter((type) => /resolved|reopened/.test(type))).toEqual(['comment.resolved', 'comment.reopened']);
    const { subject } = await comments.list(ctx, { name, version: 1 }, { afterPk: undefined, limit: 9 });
    expect(comments.actionsOn(reader, one, subject)).toEqual(['resolve']);
    expect(comments.actionsOn(reader, { ...one, resolvedAt: 1 }, subject)).toEqual(['reopen']);
    expect(comments.actionsOn(as(107, 'READ'), one, subject)).toEqual(['edit', 'delete', 'resolve']);
    expect(comments.actionsOn(as(108, 'VIEW'), answer, subject)).toEqual([]);
  });

  describe('mention', () => {
    const person = async (label: string, options: { isAdmin?: boolean } = {}): Promise<Ctx> => {
      const account = await accounts.createUser(ctx, { name: `${label}-${dialect}-${count}`, ...options });
      return { ...as(account.id, 'READ'), principal: { id: account.id, kind: 'user', name: account.name } };
    };
    const told = async (who: Ctx, isRead = false): Promise<(string | null)[]> =>
      (await comments.listMentions(who, { isRead, beforeId: undefined, limit: 10 })).mentions.map(({ comment }) => comment.text);

    it('people and groups who may see the model, each once and not the author', async () => {
      await person('admin', { isAdmin: true });
      const [ann, bob, eve] = [await person('ann'), await person('bob'), await person('eve')];
      const group = await groups.create(ctx, { name: `risk ${dialect} ${count}`, workspaceId: groups.SERVER_WIDE });
      for (const who of [ann, bob, eve]) {
        const account = await accounts.getByName(ctx, who.principal.name);
        await groups.addMember(ctx, group, account);
        const key = {
          subjectKind: 'principal',
          subjectId: account.id,
          workspaceId: 0,
          kind: 'registered-model',
          objectId: -1,
          prefix: '',
        } as const;
        await access.setGrant(ctx, key, who === eve ? 'DENY' : 'READ');
      }
      const text = `@${ann.principal.name} and @"${group.name}"`;
      const { id } = await say(ann, text);
      expect([await told(ann), await told(bob), await told(eve)]).toEqual([[], [text], []]);
      // An edit tells whoever is new in it, and takes it back from whoever isn't in it any more.
      await comments.update(ann, id, `\\@${bob.principal.name}`);
      expect(await told(bob)).toEqual([]);
      await comments.update(ann, id, text);
      expect(await told(bob)).toEqual([text]);
      await comments.remove(ann, id);
      expect(await told(bob)).toEqual([]);
    });

    it('are read once, by those who are meant, while they may see what it is about', async () => {
      const [ann, bob] = [await person('ann'), await person('bob')];
      const text = `look, @${bob.principal.name}.`;
      await say(ann, text);
      await say(ann, `and here: ${text}`);
      const page = await comments.listMentions(bob, { isRead: false, beforeId: undefined, limit: 1 });
      expect(page.mentions).toMatchObject([{ comment: { text: `and here: ${text}` }, subject: { model: { name } }, readAt: null }]);
      const rest = await comments.listMentions(bob, { isRead: false, beforeId: page.lastId, limit: 1 });
      expect(rest).toMatchObject({ mentions: [{ comment: { text } }], lastId: undefined });
      expect([await comments.countUnreadMentions(bob, 100), await comments.countUnreadMentions(bob, 1)]).toEqual([2, 1]);
      const id = rest.mentions[0]?.id ?? 0;
      await expect(comments.readMention(ann, id)).rejects.toMatchObject({ code: 'RESOURCE_DOES_NOT_EXIST' });
      await comments.readMention(bob, id);
      await comments.readMention(bob, id);
      expect([await told(bob), await told(bob, true)]).toEqual([[`and here: ${text}`], [text]]);
      const shutOut = { ...bob, access: as(1, 'NONE').access };
      expect([await told(shutOut), await told(shutOut, true), await comments.countUnreadMentions(shutOut, 9)]).toEqual([[], [], 0]);
    });

    it('leave out a group of more than 200, whole', async () => {
      const ann = await person('ann');
      const group = await groups.create(ctx, { name: `all ${dialect} ${count}`, workspaceId: groups.SERVER_WIDE });
      for (let i = 0; i < 201; i++)
        await groups.addMember(ctx, group, await accounts.createUser(ctx, { name: `m${i}-${dialect}-${count}` }));
      await say(ann, `@"${group.name}"`);
      expect(await ctx.db.all('SELECT * FROM mentions WHERE principal_id > ?', ann.principal.id)).toEqual([]);
    });
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
    const byComment =
      "SELECT target, max(seq) FROM events WHERE target IN ('comment:1', 'comment:2') AND target >= 'comment:' AND target < 'comment;' AND type IN ('a', 'b') GROUP BY target ORDER BY target";
    expect(await plan(byComment)).toContain('events_by_comment');
    const threaded = (subject: string): string =>
      `SELECT id FROM comments c WHERE ${subject} AND COALESCE(c.thread_pk, c.pk) >= 1 AND (COALESCE(c.thread_pk, c.pk) > 1 OR c.pk > 1) ORDER BY COALESCE(c.thread_pk, c.pk), c.pk LIMIT 5`;
    for (const [subject, index] of [
      ['c.version_id = 1 AND c.request_id IS NULL', 'comments_by_version (version_id=? AND <expr>>?)'],
      ['c.request_id = 1', 'comments_by_request (request_id=? AND <expr>>?)'],
    ] as const) {
      expect(await plan(threaded(subject))).toContain(index);
      expect(await plan(threaded(subject))).not.toContain('TEMP B-TREE');
    }
    expect(
      await plan('SELECT id FROM mentions x WHERE x.principal_id = 1 AND x.read_at IS NULL AND x.id < 9 ORDER BY x.id DESC LIMIT 5'),
    ).toContain('mentions_unread');
    expect(await plan("SELECT id FROM requests WHERE version_id = 1 AND state = 'open' ORDER BY id")).toMatch(/SEARCH requests USING/);
  });
});
