import { type Level, RANK } from '@countersign/contract/levels.ts';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openContext } from '../../../../../test/support/context.ts';
import { type PostgresCluster, startPostgres } from '../../../../../test/support/postgres.ts';
import type { Ctx } from '../../platform/context.ts';
import { PostgresDatabase } from '../../platform/db/postgres.ts';
import { compileAccess, fullAccess } from '../access/access.ts';
import * as accounts from '../accounts/accounts.ts';
import * as breakGlass from '../break-glass/break-glass.ts';
import * as comments from '../comments/comments.ts';
import * as groups from '../groups/groups.ts';
import * as models from '../models/models.ts';
import * as requests from '../requests/requests.ts';
import * as transitions from '../transitions/transitions.ts';
import * as inbox from './inbox.ts';

let cluster: PostgresCluster;
beforeAll(async () => {
  cluster = await startPostgres();
}, 120_000);
afterAll(() => cluster?.stop());

const FIRST: inbox.Page = { from: undefined, limit: 20 };

describe.each(['sqlite', 'postgres'] as const)('the inbox on %s', (dialect) => {
  let ctx: Ctx;

  beforeAll(async () => {
    ctx = await openContext(dialect === 'sqlite' ? {} : { db: new PostgresDatabase(await cluster.createDatabase()) });
    // A policy that refuses anything needs two who decide settings.
    for (const name of ['admin', 'other admin']) await accounts.createUser(ctx, { name, isAdmin: true });
  });
  afterAll(() => ctx.db.close());

  /** A person with a level on every model of the workspace. */
  const person = async (name: string, level: Level): Promise<Ctx> => {
    const { id } = await accounts.createUser(ctx, { name });
    return {
      ...ctx,
      principal: { id, kind: 'user', name },
      access: compileAccess({ isAdmin: false, isBornMember: true, memberRank: RANK[level] }, []),
    };
  };

  const register = async (name: string, by: Ctx = ctx): Promise<void> => {
    await models.create(ctx, { name, tags: [] });
    const files = { source: 's3://bucket/model', runId: '', loggedModelId: undefined, runLink: '' };
    await transitions.registerVersion(by, { name, ...files, description: undefined, tags: [] });
  };

  const ask = (who: Ctx, name: string, stage: string) => requests.create(who, name, { target: { kind: 'stage', stage }, version: 1 });
  const shown = async (section: Promise<inbox.Section<inbox.OpenRequest>>): Promise<string[]> =>
    (await section).items.map(({ name, version, request }) => `${name}/${version} ${request.target}`);

  it('shows to whoever may answer what waits for an answer, and to whoever asked what he asked', async () => {
    const [reader, staging, production] = [
      await person('reader', 'READ'),
      await person('staging', 'MANAGE_STAGING'),
      await person('production', 'MANAGE_PRODUCTION'),
    ];
    await register('A');
    const toStaging = await ask(reader, 'A', 'Staging');
    await ask(staging, 'A', 'Production');
    expect(await shown(inbox.listWaiting(reader, FIRST))).toEqual([]);
    expect(await shown(inbox.listWaiting(staging, FIRST))).toEqual(['A/1 stage:Staging']);
    expect(await shown(inbox.listWaiting(production, FIRST))).toEqual(['A/1 stage:Production', 'A/1 stage:Staging']);
    expect(await shown(inbox.listOpened(reader, FIRST))).toEqual(['A/1 stage:Staging']);
    expect(await shown(inbox.listOpened(production, FIRST))).toEqual([]);
    await requests.reject(production, toStaging.id);
    expect(await shown(inbox.listWaiting(staging, FIRST))).toEqual([]);
    expect(await shown(inbox.listOpened(reader, FIRST))).toEqual([]);
  });

  it('shows what a policy asks approvals for to those who can still give one', async () => {
    const [asks, bob, eve, manager] = [
      await person('asker', 'READ'),
      await person('risk one', 'READ'),
      await person('risk two', 'READ'),
      await person('manager', 'MANAGE'),
    ];
    const risk = await groups.create(ctx, { name: 'risk', workspaceId: groups.SERVER_WIDE });
    for (const who of [asks, bob, eve]) await groups.addMember(ctx, risk, await accounts.getByName(ctx, who.principal.name));
    const text = JSON.stringify({
      name: 'governed',
      mode: 'enforce',
      match: { model: 'governed-*', target: { stage: 'Production' } },
      requirements: { sealed: false, approvals: [{ group: 'risk', count: 2 }] },
    });
    const watching = { name: 'watching', mode: 'warn', match: { model: 'watched', target: { stage: 'Production' } } };
    const warning = JSON.stringify({ ...watching, requirements: { sealed: false, approvals: [{ group: 'risk', count: 1 }] } });
    await requests.replacePolicies(ctx, { published: [text, warning].map((each) => ({ text: each, listedDigests: [] })), withdrawn: [] });
    await register('governed-one', manager);
    const { id } = await ask(asks, 'governed-one', 'Production');
    const waiting = async (who: Ctx): Promise<string[]> =>
      (await inbox.listWaiting(who, FIRST)).items.filter(({ request }) => request.id === id).flatMap(({ missing }) => missing);
    expect(await waiting(bob)).toEqual([expect.stringContaining("0 of 2 approvals of group 'risk'")]);
    expect([await waiting(asks), await waiting(manager)]).toEqual([[], []]);
    expect((await inbox.listOpened(asks, FIRST)).items).toMatchObject([
      { name: 'governed-one', missing: [expect.stringContaining('0 of 2')] },
    ]);
    await requests.approve(bob, id);
    expect(await waiting(bob)).toEqual([]);
    expect(await waiting(eve)).toEqual([expect.stringContaining('1 of 2')]);
    await requests.approve(eve, id);
    await register('watched', manager);
    await ask(asks, 'watched', 'Production');
    for (const who of [bob, manager]) expect(await shown(inbox.listWaiting(who, FIRST))).toContain('watched/1 stage:Production');
    expect(await shown(inbox.listWaiting(await person('idle', 'READ'), FIRST))).toEqual([]);
    expect([await waiting(eve), await shown(inbox.listOpened(asks, FIRST))]).toEqual([[], ['watched/1 stage:Production']]);
  });

  it('shows changes of settings to those who decide them, who talk about them among themselves', async () => {
    const [first, second] = await Promise.all(
      ['admin', 'other admin'].map(async (name): Promise<Ctx> => {
        const { id } = await accounts.getByName(ctx, name);
        return { ...ctx, principal: { id, kind: 'user', name }, access: fullAccess(true) };
      }),
    );
    if (first === undefined || second === undefined) throw new TypeError('there are two');
    const reader = await person('nosy', 'READ');
    const refused = requests.replacePolicies(first, { published: [], withdrawn: ['governed'] });
    await expect(refused).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    const { items } = await inbox.listWaiting(second, FIRST);
    expect(items[0]).toMatchObject({ name: null, version: null, request: { target: 'setting:policies' }, missing: [expect.any(String)] });
    expect((await inbox.listOpened(first, FIRST)).items).toMatchObject([{ id: items[0]?.id }]);
    expect((await inbox.listWaiting(reader, FIRST)).items.map(({ id }) => id)).not.toContain(items[0]?.id);
    const about = { requestId: items[0]?.id ?? 0 };
    await expect(comments.create(reader, about, 'x')).rejects.toMatchObject({ code: 'RESOURCE_DOES_NOT_EXIST' });
    await comments.create(first, about, 'see @"other admin" and @nosy');
    expect((await inbox.listMentions(second, FIRST)).items).toMatchObject([
      { comment: { requestId: about.requestId }, subject: { model: undefined } },
    ]);
    expect(await inbox.listMentions(reader, FIRST)).toMatchObject({ items: [], count: 0 });
  });

  it('looks at what the caller may see alone, along an index', async () => {
    const asks = await person('asks of one', 'READ');
    for (const name of ['F-mine', 'F-other']) {
      await register(name);
      await ask(asks, name, 'Staging');
    }
    const { id } = await models.get(ctx, 'F-mine');
    const grants = [{ kind: 'registered-model', objectId: id, objectName: 'F-mine', prefix: '', level: 'MANAGE' }] as const;
    const ofOne = {
      ...(await person('of one', 'READ')),
      access: compileAccess({ isAdmin: false, isBornMember: true, memberRank: 0 }, grants),
    };
    expect(await inbox.listWaiting(ofOne, FIRST)).toMatchObject({ items: [{ name: 'F-mine' }], count: 1, isCountExact: true });
    if (dialect !== 'sqlite') return;
    const plan = await ctx.db.all<{ detail: string }>(
      "EXPLAIN QUERY PLAN SELECT id FROM requests q WHERE q.workspace_id = 0 AND q.state = 'open' AND q.id < 9 ORDER BY q.id DESC LIMIT 5",
    );
    expect(plan.map(({ detail }) => detail)).toEqual([expect.stringContaining('requests_open_of_workspace')]);
  });

  it('comes page by page, and counts', async () => {
    const [asks, answers] = [await person('asks', 'READ'), await person('answers', 'MANAGE')];
    const names = Array.from({ length: 5 }, (_, i) => `B${i}`);
    for (const name of names) {
      await register(name);
      await ask(asks, name, 'Staging');
    }
    for (const list of [() => inbox.listOpened(asks, FIRST), () => inbox.listWaiting(answers, FIRST)]) {
      const { items, isCountExact, next } = await list();
      expect(items.filter(({ name }) => name?.startsWith('B')).map(({ name }) => name)).toEqual([...names].reverse());
      expect([isCountExact, next]).toEqual([true, undefined]);
    }
    const pages: string[][] = [];
    for (let from: number | undefined, more = true; more; ) {
      const page = await inbox.listOpened(asks, { from, limit: 2 });
      pages.push(page.items.map(({ name }) => name ?? ''));
      expect(page.count).toBe(5 - 2 * (pages.length - 1));
      from = page.next;
      more = from !== undefined;
    }
    expect(pages).toEqual([['B4', 'B3'], ['B2', 'B1'], ['B0']]);
  });

  it('shows mentions, the unread first, page by page', async () => {
    const [ann, bob] = [await person('ann', 'READ'), await person('bob', 'READ')];
    await register('C');
    for (let i = 0; i < 5; i++) await comments.create(ann, { name: 'C', version: 1 }, `${i} @bob`);
    const first = (await inbox.listMentions(bob, { from: undefined, limit: 9 })).items;
    await comments.readMention(bob, first[0]?.id ?? 0);
    await comments.readMention(bob, first[2]?.id ?? 0);
    for (const limit of [1, 2, 3, 4, 5, 9]) {
      const words: string[] = [];
      for (let from: number | undefined, more = true; more; ) {
        const page = await inbox.listMentions(bob, { from, limit });
        expect(page.items.length).toBeLessThanOrEqual(limit);
        expect(page.count).toBe(3);
        words.push(...page.items.map(({ comment }) => comment.text ?? ''));
        from = page.next;
        more = from !== undefined;
      }
      expect(words, `by ${limit}`).toEqual(['3 @bob', '1 @bob', '0 @bob', '4 @bob', '2 @bob']);
    }
    expect((await inbox.listMentions(ann, FIRST)).items).toEqual([]);
  });

  it('asks a second person to review how glass was broken', async () => {
    const [user, second] = [await person('user', 'MANAGE_PRODUCTION'), await person('second', 'MANAGE_PRODUCTION')];
    await register('D');
    const { id: modelId } = await models.get(ctx, 'D');
    const opening = await breakGlass.open(user, { policyName: 'p', minutes: 5, reason: 'it burns', ticket: 'T-1' });
    const review = async (who: Ctx): Promise<number[]> => (await inbox.listToReview(who, FIRST)).items.map(({ id }) => id);
    expect(await review(second)).toEqual([]);
    await ctx.db.write((tx) =>
      breakGlass.markUsed({ ...user, tx }, opening.id, { subject: 'stage:Production', modelId, versionId: undefined }),
    );
    expect([await review(user), await review(second), await review(await person('third', 'READ'))]).toEqual([[], [opening.id], []]);
    await breakGlass.review(second, opening.id, 'it did burn');
    expect(await review(second)).toEqual([]);
  });
});
