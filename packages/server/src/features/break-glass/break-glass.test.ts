import type { GrantLevel } from '@countersign/contract/levels.ts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openContext } from '../../../../../test/support/context.ts';
import { type PostgresCluster, startPostgres } from '../../../../../test/support/postgres.ts';
import { type Clock, type Ctx, systemClock, transaction } from '../../platform/context.ts';
import { PostgresDatabase } from '../../platform/db/postgres.ts';
import { compileAccess, fullAccess } from '../access/access.ts';
import * as accounts from '../accounts/accounts.ts';
import * as administration from '../administration/administration.ts';
import * as audit from '../audit/audit.ts';
import * as models from '../models/models.ts';
import * as breakGlass from './break-glass.ts';

let cluster: PostgresCluster;
beforeAll(async () => {
  cluster = await startPostgres();
}, 120_000);
afterAll(() => cluster?.stop());

const MINUTE = 60_000;
const WORDS = { reason: 'the model answers nonsense', ticket: 'INC-7' };
const denied = { code: 'PERMISSION_DENIED' };
const inState = { code: 'INVALID_STATE' };

describe.each(['sqlite', 'postgres'] as const)('broken glass on %s', (dialect) => {
  let ctx: Ctx;
  let replica: Ctx;
  let alice: accounts.Account;
  let bob: accounts.Account;
  let robot: accounts.Account;
  let model: models.RegisteredModel;
  let policyName = '';
  let count = 0;
  let later = 0;
  const clock: Clock = { ...systemClock, now: () => systemClock.now() + later };

  beforeAll(async () => {
    const url = dialect === 'sqlite' ? undefined : await cluster.createDatabase();
    const open = (): Promise<Ctx> => openContext({ clock, ...(url === undefined ? {} : { db: new PostgresDatabase(url) }) });
    ctx = await open();
    replica = url === undefined ? ctx : await open();
    alice = await accounts.createUser(ctx, { name: 'alice', isAdmin: true });
    bob = await accounts.createUser(ctx, { name: 'bob' });
    robot = await accounts.createServiceAccount(ctx, { name: 'robot', ownerId: alice.id });
    model = await models.create(ctx, { name: 'fraud', tags: [] });
  });
  afterAll(async () => {
    await ctx.db.close();
    if (replica !== ctx) await replica.db.close();
  });
  beforeEach(() => {
    policyName = `p${++count}`;
    later = 0;
  });

  /** Manages the workspace unless a level on the models is named. */
  const as = (who: accounts.Account, level?: GrantLevel, of: Ctx = ctx): Ctx => ({
    ...of,
    principal: { id: who.id, kind: who.kind, name: who.name },
    access:
      level === undefined
        ? fullAccess(true)
        : compileAccess({ isAdmin: false, isBornMember: true, memberRank: 0 }, [
            { kind: 'registered-model', objectId: -1, objectName: null, prefix: '', level },
          ]),
  });
  const open = (who = alice, minutes = 30): Promise<breakGlass.Opening> => breakGlass.open(as(who), { policyName, minutes, ...WORDS });
  const use = (id: number, who = alice, subject = 'stage:Production', of: Ctx = ctx): Promise<void> =>
    transaction(as(who, undefined, of), (inner) => breakGlass.markUsed(inner, id, { subject, modelId: model.id, versionId: 3 }));
  const facts = (who = alice): Promise<breakGlass.ReadBreakGlass> => breakGlass.factsFor(ctx, policyName, who.id);

  it('is the caller’s newest opening that is neither used nor over', async () => {
    expect(await facts()).toEqual({ openingId: undefined, opened: undefined, uses: [] });
    await open();
    const second = await open();
    expect(second).toMatchObject({ state: 'open', expiresAt: second.openedAt + 30 * MINUTE, openedBy: alice.id, ...WORDS });
    expect(await facts()).toEqual({ openingId: second.id, opened: { by: alice.id, at: second.openedAt, ...WORDS }, uses: [] });
    expect((await facts(bob)).opened).toBeUndefined();
    expect((await breakGlass.factsFor({ ...ctx, workspace: { id: 9, name: 'other' } }, policyName, alice.id)).opened).toBeUndefined();
    later = 30 * MINUTE;
    expect((await facts()).opened).toBeUndefined();
    await expect(use(second.id)).rejects.toMatchObject(inState);
  });

  it('is used once, and closed to everybody until a second person has reviewed it', async () => {
    const first = await open();
    const second = await open();
    const ofBob = await open(bob);
    await use(second.id);
    expect(await facts()).toMatchObject({ openingId: first.id, uses: [{ by: alice.id, reviewedBy: undefined }] });
    for (const [id, who] of [
      [second.id, alice],
      [first.id, alice],
      [ofBob.id, bob],
    ] as const) {
      await expect(use(id, who)).rejects.toMatchObject(inState);
    }
    expect((await facts(bob)).openingId).toBe(ofBob.id);
    const reviewed = await breakGlass.review(as(bob), second.id, 'it was real');
    expect(reviewed).toMatchObject({ state: 'reviewed', reviewedBy: bob.id, note: 'it was real', subject: 'stage:Production', ...WORDS });
    expect((await facts()).uses).toMatchObject([{ by: alice.id, reviewedBy: bob.id }]);
    await use(first.id);
    expect((await facts()).uses.map(({ reviewedBy }) => reviewedBy)).toEqual([undefined, bob.id]);
  });

  it('of another policy or another workspace stays whole', async () => {
    await use((await open()).id);
    policyName = `p${++count}`;
    expect((await facts()).uses).toEqual([]);
    await use((await open()).id);
  });

  it('is used by one of two at the same moment, on whatever replica', async () => {
    const ids = [(await open()).id, (await open(bob)).id] as const;
    const ends = await Promise.allSettled([use(ids[0]), use(ids[1], bob, 'stage:Production', replica)]);
    expect(ends.filter(({ status }) => status === 'fulfilled')).toHaveLength(1);
    expect((await facts()).uses).toHaveLength(1);
  });

  it('is not used by a change that is undone', async () => {
    const { id } = await open();
    await expect(
      transaction(as(alice), async (inner) => {
        await breakGlass.markUsed(inner, id, { subject: 'stage:Production', modelId: undefined, versionId: undefined });
        throw new Error('undone');
      }),
    ).rejects.toThrow('undone');
    expect(await facts()).toMatchObject({ openingId: id, uses: [] });
    await use(id);
  });

  it('is opened by persons, for themselves, with reason and ticket', async () => {
    await expect((async () => open(robot))()).rejects.toMatchObject(denied);
    for (const words of [
      { ...WORDS, reason: ' ' },
      { ...WORDS, ticket: '' },
      { ...WORDS, ticket: 'x'.repeat(501) },
    ]) {
      await expect((async () => breakGlass.open(as(alice), { policyName, minutes: 5, ...words }))()).rejects.toMatchObject({
        code: 'INVALID_PARAMETER_VALUE',
      });
    }
    const { id } = await open();
    await expect(use(id, bob)).rejects.toMatchObject(inState);
    await expect(use(987_654)).rejects.toMatchObject({ code: 'RESOURCE_DOES_NOT_EXIST' });
  });

  it('is reviewed by a second person who manages what was changed', async () => {
    const { id } = await open();
    await expect(breakGlass.review(as(bob), id, 'too early')).rejects.toMatchObject(inState);
    await use(id);
    const refused: readonly Ctx[] = [
      as(alice),
      as(robot),
      as(bob, 'MANAGE_STAGING'),
      { ...as(bob), principal: { id: bob.id, kind: 'ci', name: 'ci:x' } },
    ];
    for (const caller of refused) await expect(breakGlass.review(caller, id, 'fine')).rejects.toMatchObject(denied);
    await expect((async () => breakGlass.review(as(bob), id, ' '))()).rejects.toMatchObject({ code: 'INVALID_PARAMETER_VALUE' });
    await breakGlass.review(as(bob, 'MANAGE_PRODUCTION'), id, 'fine');
    await expect(breakGlass.review(as(bob), id, 'fine')).rejects.toMatchObject(inState);
  });

  it('of who used it is not reviewed by the owner of that account either', async () => {
    const { id } = await open(bob);
    await use(id, bob);
    const ofBob = await accounts.createServiceAccount(ctx, { name: `robot-${dialect}`, ownerId: bob.id });
    await expect(breakGlass.review(as(ofBob), id, 'fine')).rejects.toMatchObject(denied);
    await breakGlass.review(as(alice), id, 'fine');
  });

  it('is listed by state, newest first', async () => {
    const states = async (state: breakGlass.OpeningState): Promise<number[]> =>
      (await breakGlass.list(ctx, { state, limit: 100 })).filter((each) => each.policyName === policyName).map(({ id }) => id);
    const over = await open(alice, 1);
    const used = await open();
    const waiting = await open();
    await use(used.id);
    later = 2 * MINUTE;
    expect(await Promise.all([states('open'), states('used'), states('expired'), states('reviewed')])).toEqual([
      [waiting.id],
      [used.id],
      [over.id],
      [],
    ]);
    await breakGlass.review(as(bob), used.id, 'fine');
    expect(await states('reviewed')).toEqual([used.id]);
    const [newest] = await breakGlass.list(ctx, { limit: 1 });
    expect(newest?.id).toBe(waiting.id);
    expect((await breakGlass.list(ctx, { limit: 1, beforeId: waiting.id }))[0]?.id).toBe(used.id);
  });

  it('is in the record for ever, its words beside it', async () => {
    const { id } = await open();
    await use(id, alice, 'tag:owner=Carol');
    await breakGlass.review(as(bob), id, 'Carol agrees');
    const told = await audit.listEvents(ctx, { newestFirst: true, limit: 3 });
    expect(told.map(({ type, target }) => [type, target])).toEqual(
      ['reviewed', 'used', 'opened'].map((verb) => [`break-glass.${verb}`, `break-glass:${id}`]),
    );
    expect(told[1]).toMatchObject({ modelId: model.id, versionId: 3, principalId: alice.id });
    for (const { seq, body, texts } of told) {
      expect(body).not.toMatch(/Carol|nonsense|INC-7/);
      for (const field of Object.keys(texts)) await administration.eraseEventText(ctx, seq, field);
    }
    const [opening] = await breakGlass.list(ctx, { limit: 1 });
    expect(opening).toMatchObject({ id, reason: null, ticket: null, note: null, subject: 'tag:owner' });
    expect((await audit.verify(ctx)).ok).toBe(true);
  });

  it('is found along indexes', async () => {
    if (dialect !== 'sqlite') return;
    const plan = async (sql: string): Promise<string> =>
      (await ctx.db.all<{ detail: string }>(`EXPLAIN QUERY PLAN ${sql}`)).map(({ detail }) => detail).join('\n');
    const opened =
      "SELECT id FROM break_glass WHERE workspace_id = 0 AND policy_name = 'p' AND opened_by = 1 AND used_at IS NULL AND expires_at > 5 ORDER BY id DESC LIMIT 1";
    expect(await plan(opened)).toContain('break_glass_open');
    expect(await plan("SELECT id FROM break_glass WHERE workspace_id = 0 AND policy_name = 'p' AND used_at IS NOT NULL")).toContain(
      'break_glass_used',
    );
    expect(
      await plan('SELECT id FROM break_glass WHERE workspace_id = 0 AND id < 9 AND reviewed_at IS NOT NULL ORDER BY id DESC LIMIT 5'),
    ).toContain('break_glass_by_workspace');
  });
});
