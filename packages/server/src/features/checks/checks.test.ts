import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Readable } from 'node:stream';
import { CHECK_SUMMARY_BYTES_MAX } from '@countersign/contract/checks.ts';
import { type Level, RANK } from '@countersign/contract/levels.ts';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { openContext } from '../../../../../test/support/context.ts';
import { type PostgresCluster, startPostgres } from '../../../../../test/support/postgres.ts';
import { LocalBlobStore } from '../../platform/blobs/local-blob-store.ts';
import { type Ctx, systemClock, transaction } from '../../platform/context.ts';
import { PostgresDatabase } from '../../platform/db/postgres.ts';
import { compileAccess } from '../access/access.ts';
import * as administration from '../administration/administration.ts';
import * as artifacts from '../artifacts/artifacts.ts';
import * as audit from '../audit/audit.ts';
import * as loggedModels from '../logged-models/logged-models.ts';
import * as models from '../models/models.ts';
import { readScopes } from '../tokens/tokens.ts';
import * as transitions from '../transitions/transitions.ts';
import * as versions from '../versions/versions.ts';
import * as checks from './checks.ts';

let cluster: PostgresCluster;
beforeAll(async () => {
  cluster = await startPostgres();
}, 120_000);
afterAll(() => cluster?.stop());

const MINUTE = 60_000;
/** Upstream's LOGGED_MODEL_READY. */
const READY = 2;
const GREEN = { status: 'completed', conclusion: 'success' } as const;

describe.each(['sqlite', 'postgres'] as const)('checks on %s', (dialect) => {
  const folder = mkdtempSync(join(tmpdir(), 'countersign-checks-'));
  let now = 1_800_000_000_000;
  let ctx: Ctx;
  /** Another replica on PostgreSQL. */
  let other: Ctx;
  let count = 0;
  let name = '';

  beforeAll(async () => {
    const parts = { blobs: new LocalBlobStore(join(folder, 'blobs')), clock: { ...systemClock, now: () => now } };
    if (dialect === 'sqlite') {
      ctx = await openContext(parts);
      other = ctx;
    } else {
      const url = await cluster.createDatabase();
      ctx = await openContext({ ...parts, db: new PostgresDatabase(url) });
      other = await openContext({ ...parts, db: new PostgresDatabase(url) });
    }
  });
  afterAll(async () => {
    await ctx.db.close();
    if (other !== ctx) await other.db.close();
    rmSync(folder, { recursive: true, force: true });
  });
  beforeEach(async () => {
    name = `M${++count}`;
    await models.create(ctx, { name, tags: [] });
    await register(await upload('weights'));
  });

  const register = (source: string): Promise<versions.ModelVersion> =>
    transitions.registerVersion(ctx, { name, source, runId: '', loggedModelId: undefined, runLink: '', description: undefined, tags: [] });

  async function upload(bytes: string): Promise<string> {
    const params = { experimentId: '0', name: 'm', modelType: '', sourceRunId: '', params: [], tags: [] };
    const { modelId, artifactUri } = await loggedModels.create(ctx, params);
    await artifacts.put(ctx, `${artifacts.storedPathOf(artifactUri)}/MLmodel`, Readable.from([Buffer.from(`flavors: {} # ${bytes}\n`)]));
    await loggedModels.finalize(ctx, modelId, READY);
    return `models:/${modelId}`;
  }

  /** Somebody with a level on every model of the workspace, perhaps by a token. */
  const as = (id: number, kind: 'user' | 'service' | 'ci', level: Level, scopes?: readonly string[]): Ctx => ({
    ...ctx,
    principal: { id, kind, name: `${kind} ${id}` },
    access: compileAccess({ isAdmin: false, isBornMember: true, memberRank: RANK[level] }, []),
    tokenScope: scopes === undefined ? undefined : readScopes(scopes),
  });
  const report = (who: Ctx, change: Partial<checks.NewReport> = {}, number = 1): Promise<checks.Reported> =>
    checks.report(who, name, number, { name: 'unit', externalId: 'run-1', ...GREEN, ...change });
  const version = (number = 1): Promise<versions.ModelVersion> => versions.get(ctx, name, number);
  const list = async (query: Partial<checks.ReportPage> = {}): Promise<checks.Check[]> =>
    checks.listOfVersion(ctx, await version(), { beforeId: undefined, limit: 100, ...query });
  const facts = async (number = 1) => {
    const { id } = await version(number);
    return (await checks.listReports(ctx, [id])).get(id) ?? [];
  };
  const job = (): Ctx => as(201, 'ci', 'READ', ['check:unit', 'check:bias']);

  it('keep every change of a run, and show the last', async () => {
    const queued = await report(job(), { status: 'queued', conclusion: undefined });
    expect(queued).toMatchObject({ isNew: true, hasChanged: true, check: { status: 'queued', conclusion: null, startedAt: null } });
    const started = await report(job(), { status: 'in_progress', conclusion: undefined });
    expect(started).toMatchObject({ isNew: false, hasChanged: true, check: { startedAt: now, deadlineAt: now + 60 * MINUTE } });
    now += 5 * MINUTE;
    const ended = await report(job(), { metrics: { accuracy: 0.95 }, dataset: 'holdout', summary: '**412 passed**' });
    expect(ended.check).toMatchObject({
      startedAt: now - 5 * MINUTE,
      completedAt: now,
      deadlineAt: null,
      isEntitled: true,
      isCurrent: true,
    });
    expect(ended.check.digest).toMatch(/[0-9a-f]{64}$/);
    const again = await report(job(), { conclusion: 'failure', externalId: 'run-2' });
    expect(await list()).toEqual([again.check, ended.check]);
    expect((await list({ history: true })).map(({ status, conclusion, isNewest }) => [status, conclusion, isNewest])).toEqual([
      ['completed', 'failure', true],
      ['completed', 'success', true],
      ['in_progress', null, false],
      ['queued', null, false],
    ]);
    expect((await list({ name: 'unit', limit: 2, beforeId: again.check.id })).map(({ id }) => id)).toEqual([
      ended.check.id,
      started.check.id,
    ]);
    expect(await list({ name: 'bias' })).toEqual([]);
  });

  it('the same again changes nothing, and what is completed goes back to nothing', async () => {
    const said = { summary: 'fine', detailsUrl: 'https://ci.example/1', metrics: { loss: Number.NaN }, completedAt: 7, annotations: [] };
    const first = await report(job(), said);
    now += MINUTE;
    const second = await report(job(), said);
    expect(second).toMatchObject({ isNew: false, hasChanged: false, check: first.check });
    expect(await report(job(), { ...said, completedAt: undefined })).toMatchObject({ hasChanged: false });
    expect(await list({ history: true })).toHaveLength(1);
    for (const status of ['queued', 'in_progress'] as const)
      await expect(report(job(), { status, conclusion: undefined })).rejects.toMatchObject({ code: 'INVALID_STATE' });
    expect((await report(job(), { ...said, summary: 'fine!' })).hasChanged).toBe(true);
    expect((await report(job(), { ...said, summary: 'fine!', conclusion: 'failure' })).check.completedAt).toBe(7);
    expect(await facts()).toHaveLength(3);
  });

  it('of one run that are reported at the same time are one after another', async () => {
    const everybody = [job(), { ...job(), db: other.db }];
    const told = await Promise.all([1, 2, 3, 4].map((n) => report(everybody[n % 2] ?? job(), { metrics: { n } })));
    expect(told.filter(({ isNew }) => isNew)).toHaveLength(1);
    const all = await list({ history: true });
    expect(all.map(({ metrics }) => metrics.n).sort()).toEqual([1, 2, 3, 4]);
    expect(all.map(({ isNewest }) => isNewest)).toEqual([true, false, false, false]);
  });

  it.each([
    ['a job with the scope', 'ci', 'READ', ['check:unit'], true],
    ['a job with the scope of another check', 'ci', 'READ', ['check:lint'], 'refused'],
    ['a job that may write', 'ci', 'EDIT', ['write', 'check:lint'], false],
    ['a job that sees the model alone', 'ci', 'VIEW', ['check:unit'], 'refused'],
    ['a service account with the scope', 'service', 'READ', ['check:unit'], true],
    ['a service account that manages the model', 'service', 'MANAGE', ['admin'], false],
    ['a person who manages the model', 'user', 'MANAGE', undefined, true],
    ['a person who manages the model, by a token for everything', 'user', 'MANAGE', ['admin'], true],
    ['a person who manages the model, by a token for the check', 'user', 'MANAGE', ['check:unit'], false],
    ['a person who edits the model', 'user', 'MANAGE_PRODUCTION', undefined, false],
    ['a person who edits the model, by a token of his own for the check', 'user', 'EDIT', ['check:unit'], false],
    ['a person who reads the model', 'user', 'READ', undefined, 'refused'],
    ['a person who reads the model, by a token of his own for the check', 'user', 'READ', ['check:unit'], 'refused'],
  ] as const)('count or not: %s', async (_who, kind, level, scopes, outcome) => {
    const told = (async () => report(as(300, kind, level, scopes)))();
    if (outcome === 'refused') await expect(told).rejects.toMatchObject({ code: 'PERMISSION_DENIED' });
    else expect((await told).check.isEntitled).toBe(outcome);
    expect((await facts()).map(({ isEntitled, by }) => [isEntitled, by])).toEqual(outcome === 'refused' ? [] : [[outcome, 300]]);
  });

  it('of a job are its own, and those of other jobs of its trust go on with the run; nobody else takes one over', async () => {
    const jobOf = (id: number): Ctx => ({ ...job(), principal: { id, kind: 'ci', name: `job ${id}`, accountId: 201 } });
    await report(jobOf(1001), { status: 'in_progress', conclusion: undefined });
    await report(as(301, 'user', 'EDIT'), { conclusion: 'failure' });
    const ended = await report(jobOf(1002));
    expect(ended.isNew).toBe(false);
    expect((await facts()).map(({ by, conclusion, isEntitled }) => [by, conclusion, isEntitled])).toEqual([
      [1001, null, true],
      [301, 'failure', false],
      [1002, 'success', true],
    ]);
    expect(await list()).toHaveLength(2);
  });

  it('time out when they are read, until somebody says how they ended', async () => {
    await report(job(), { status: 'queued', conclusion: undefined });
    now += 59 * MINUTE;
    await report(job(), { status: 'in_progress', conclusion: undefined });
    const since = now;
    now += 30 * MINUTE;
    // A word on how far it is doesn't lengthen it.
    await report(job(), { status: 'in_progress', conclusion: undefined, summary: 'half' });
    now += 29 * MINUTE;
    expect((await list())[0]).toMatchObject({ status: 'in_progress', conclusion: null });
    now += MINUTE;
    const ended = { status: 'completed', conclusion: 'timed_out', completedAt: since + 60 * MINUTE, deadlineAt: null };
    expect((await list())[0]).toMatchObject(ended);
    expect((await facts()).map(({ conclusion, at }) => [conclusion, at])).toEqual([
      [null, since - 59 * MINUTE],
      [null, since],
      ['timed_out', since + 60 * MINUTE],
    ]);
    await report(job());
    expect((await list())[0]).toMatchObject({ status: 'completed', conclusion: 'success' });
  });

  it('are bound to the bytes that the version had', async () => {
    const { digest } = (await report(job())).check;
    expect((await report(job(), { digest: digest ?? '', externalId: 'b' })).check.digest).toBe(digest);
    await expect(report(job(), { digest: 'sha256:00', externalId: 'c' })).rejects.toMatchObject({ code: 'RESOURCE_CONFLICT' });
    await register('s3://bucket/model');
    expect((await report(job(), {}, 2)).check).toMatchObject({ digest: null, isCurrent: false, isEntitled: true });
    await expect(report(job(), { digest: digest ?? '', externalId: 'd' }, 2)).rejects.toMatchObject({ code: 'RESOURCE_CONFLICT' });
    expect((await facts(2))[0]).toMatchObject({ digest: null, conclusion: 'success' });
  });

  it('measure numbers of any kind', async () => {
    const metrics = { a: 0.1 + 0.2, b: Number.NaN, c: Infinity, d: -Infinity, e: -0, f: 5e-324, '1st': 2 ** 60, __proto__x: 1 };
    await report(job(), { metrics, dataset: 'holdout' });
    expect((await facts())[0]).toMatchObject({ metrics, dataset: 'holdout' });
    expect((await list())[0]?.metrics).toEqual(metrics);
  });

  it.each([
    [{ status: 'completed', conclusion: undefined }, "needs its 'conclusion'"],
    [{ status: 'queued' }, "has no 'conclusion'"],
    [{ status: 'in_progress', conclusion: undefined, completedAt: 1 }, "no 'completed_at'"],
    [{ startedAt: 2, completedAt: 1 }, "is before 'started_at'"],
    [{ summary: 'é'.repeat(CHECK_SUMMARY_BYTES_MAX / 2 + 1) }, "'summary' has 65538 bytes"],
    [{ metrics: { '../x': 1 } }, 'Names may be treated as files'],
    [{ detailsUrl: 'http://ci.example/1' }, "'details_url' must be an https URL"],
    [{ detailsUrl: 'javascript:alert(1)' }, "'details_url' must be an https URL"],
    [{ detailsUrl: 'https://name:secret@ci.example/' }, 'without name and password'],
    [{ artifacts: [{ name: 'r', url: 'ftp://x/r' }] }, "'artifacts/0/url' must be"],
  ] as [Partial<checks.NewReport>, string][])('are refused with a reason: %j', async (change, words) => {
    const told = (async () => report(job(), change))();
    await expect(told).rejects.toMatchObject({ code: 'INVALID_PARAMETER_VALUE', message: expect.stringContaining(words) });
    expect(await facts()).toEqual([]);
  });

  it('may point at this machine without TLS', async () => {
    const { check } = await report(job(), { detailsUrl: 'http://127.0.0.1:8080/job/1' });
    expect(check.detailsUrl).toBe('http://127.0.0.1:8080/job/1');
  });

  it('are told in the record, and their words erased there are erased everywhere', async () => {
    const words = {
      summary: 'call 555-1234',
      detailsUrl: 'https://ci.example/555-1234',
      annotations: [{ title: 't', message: '555-1234', level: 'notice' as const }],
      artifacts: [{ name: '555-1234', url: 'https://ci.example/r', sha256: 'a'.repeat(64) }],
    };
    const { check } = await report(job(), { ...words, metrics: { b: Number.NaN, a: 1 }, dataset: 'holdout' });
    expect((await list())[0]).toMatchObject(words);
    const model = await models.get(ctx, name);
    const [event] = await audit.listEvents(ctx, { modelId: model.id, newestFirst: true, limit: 1 });
    expect(event?.body).not.toContain('555-');
    expect(JSON.parse(event?.body ?? '{}')).toMatchObject({
      type: 'check.reported',
      target: 'check:unit',
      version_id: check.versionId,
      principal_id: 201,
      data: {
        ...{ name: 'unit', status: 'completed', conclusion: 'success', external_id: 'run-1', digest: check.digest },
        ...{ is_entitled: true, report_id: check.id, number: 1, dataset: 'holdout' },
        metrics: [
          ['a', '1'],
          ['b', 'NaN'],
        ],
      },
    });
    for (const field of ['summary', 'details_url', 'annotations', 'artifacts'])
      await administration.eraseEventText(ctx, event?.seq ?? 0, field);
    expect((await list())[0]).toMatchObject({ summary: null, detailsUrl: null, annotations: [], artifacts: [], metrics: { a: 1 } });
    for (const table of ['check_reports', 'event_texts', 'events'])
      expect(JSON.stringify(await ctx.db.all(`SELECT * FROM ${table}`)), table).not.toContain('555-');
    expect((await audit.verify(ctx)).ok).toBe(true);
  });

  it('are read in a transaction with what it has written, and go with a purged model', async () => {
    await transaction(ctx, async (inner) => {
      const { version: found } = await checks.report(inner, name, 1, { name: 'unit', externalId: 'x', ...GREEN });
      const read = await checks.listReports(inner, [found.id, 987_654]);
      expect([read.get(found.id)?.length, read.get(987_654)]).toEqual([1, []]);
    });
    const model = await models.get(ctx, name);
    const { id } = await version();
    await transitions.deleteModel(ctx, name);
    await transitions.purgeModel(ctx, model.id);
    expect((await checks.listReports(ctx, [id])).get(id)).toEqual([]);
  });

  it('that count for nothing leave room for those that count', async () => {
    const { id } = await version();
    const stranger = as(301, 'user', 'EDIT');
    await report(stranger);
    const copies = dialect === 'sqlite' ? 'json_each(?) w' : 'unnest(?::bigint[]) AS w (value)';
    const numbers = Array.from({ length: 999 }, (_each, i) => i);
    const columns =
      'version_id, name, status, conclusion, metrics, is_entitled, has_texts, after_seq, status_since, reported_by, account_id, reported_at';
    await ctx.db.write((tx) =>
      tx.run(
        `INSERT INTO check_reports (external_id, is_newest, ${columns}) SELECT 'copy', 0, ${columns} FROM check_reports JOIN ${copies} ON TRUE WHERE version_id = ${id}`,
        dialect === 'sqlite' ? JSON.stringify(numbers) : `{${numbers.join(',')}}`,
      ),
    );
    await expect(report(stranger, { externalId: 'more' })).rejects.toMatchObject({
      code: 'INVALID_STATE',
      message: expect.stringContaining('1000 reports of checks that count for nothing'),
    });
    expect((await report(job())).check.isEntitled).toBe(true);
  });

  it('are found along indexes', async () => {
    if (dialect !== 'sqlite') return;
    const plan = async (sql: string): Promise<string> =>
      (await ctx.db.all<{ detail: string }>(`EXPLAIN QUERY PLAN SELECT * FROM check_reports WHERE ${sql}`))
        .map(({ detail }) => detail)
        .join('\n');
    const byIndex = async (sql: string, index: string): Promise<void> => {
      const found = await plan(sql);
      expect(found).toContain(`INDEX ${index}`);
      expect(found).not.toContain('TEMP B-TREE');
    };
    await byIndex("version_id = 1 AND name = 'a' AND external_id = 'b' AND account_id = 1 AND is_newest = 1", 'check_reports_newest');
    await byIndex('version_id = 1 AND is_newest = 1 AND id < 9 ORDER BY id DESC LIMIT 5', 'check_reports_current');
    await byIndex('version_id = 1 AND id < 9 ORDER BY id DESC LIMIT 5', 'check_reports_by_version');
    await byIndex("version_id = 1 AND name = 'a' AND id < 9 ORDER BY id DESC LIMIT 5", 'check_reports_by_name');
    await byIndex('version_id = 1 AND is_entitled = 1 ORDER BY id LIMIT 1 OFFSET 9', 'check_reports_counted');
  });
});
