import { type ObjectSet, SEES_ALL } from '@countersign/contract/access.ts';
import type { Comparison, Filter, Ordering } from '@countersign/contract/search.ts';
import sql from 'sql-template-tag';
import { describe, expect, it } from 'vitest';
import { openContext } from '../../../../../test/support/context.ts';
import { type Ctx, transaction } from '../../platform/context.ts';
import type { Database, Queries } from '../../platform/db/database.ts';
import { encodeOffset } from '../../platform/db/page-token.ts';
import { searchDatabases, withScans } from '../../platform/db/search-databases.ts';
import { createSearches, type Searches } from '../../platform/db/search-runner.ts';
import { searchScope } from '../../platform/db/search-scope.ts';
import { parseModelVersionFilter } from '../../platform/search/model-version-search-grammar.ts';
import * as models from '../models/models.ts';
import { searchPage, type VersionQuery } from './version-search.ts';
import * as store from './version-store.ts';

const MODELS = 40;
const VERSIONS = 3000;
const LIMIT = 7;
const FILTERS = [
  '',
  "tags.rare = 'yes'",
  "tags.team LIKE 'team-1%'",
  "tags.team != 'team-2' AND run_id = 'run-5'",
  "run_id IN ('run-1', 'run-7')",
  "name IN ('Model-03', 'net-04', 'none')",
  "name LIKE 'Model-0%'",
  "name ILIKE '%EL-1%'",
  "name = 'Model-03'",
  "name = 'Model-03' AND tags.team = 'team-2'",
  "name = 'Model-03' AND source_path LIKE '%/9%' AND name LIKE 'M%'",
  "name = 'net-04' AND run_id != 'run-1'",
  "name LIKE 'ne%4' AND version_number <= 3",
  "tags.team ILIKE 'TEAM-3' AND name != 'Model-03'",
  "source_path LIKE '%/99'",
  'version_number > 70',
  "tags.`mlflow.prompt.is_prompt` = 'true' AND tags.team = 'team-0'",
];
const KEYS = ['name', 'version_number', 'creation_timestamp', 'last_updated_timestamp'];
const by = (key: string, descending: boolean): Ordering => ({ entity: 'attribute', key, descending });
const ORDERS: Ordering[][] = [
  [],
  ...KEYS.flatMap((key) => [[by(key, false)], [by(key, true)]]),
  [by('last_updated_timestamp', false), by('version_number', true)],
  [by('creation_timestamp', true), by('name', true)],
];

/** Half of them are of one model. */
async function contextWithVersions(db: Database): Promise<Ctx> {
  const ctx = await openContext({ db });
  let seed = 7;
  const random = (below: number): number => {
    seed = (seed * 1103515245 + 12345) % 2147483648;
    return Math.floor((seed / 2147483648) * below);
  };
  const ids: number[] = [];
  for (let i = 0; i < MODELS; i++) {
    const name = `${i % 2 === 0 ? 'net' : 'Model'}-${String(i).padStart(2, '0')}`;
    ids.push((await models.create(ctx, { name, tags: [] })).id);
  }
  const counts = new Map<number, number>();
  await transaction(ctx, async ({ tx }) => {
    for (let i = 0; i < VERSIONS; i++) {
      const modelId = ids[random(2) === 0 ? 3 : i % MODELS] ?? 0;
      const version = (counts.get(modelId) ?? 0) + 1;
      counts.set(modelId, version);
      const id = await store.insert(tx, {
        modelId,
        workspaceId: 0,
        version,
        description: null,
        source: `s3://bucket/${random(400)}`,
        storageLocation: '',
        runId: `run-${random(300)}`,
        runLink: '',
        loggedModelId: null,
        isPrompt: random(6) === 0,
        lineage: 'none',
        sealState: 'unsealed',
        sealReason: null,
        treeId: null,
        originVersionId: null,
        at: random(200),
        by: 0,
      });
      await store.upsertTag(tx, id, 'team', `team-${random(15)}`, 0);
      if (random(400) === 0) await store.upsertTag(tx, id, 'rare', 'yes', 0);
      if (random(20) === 0) await store.markDeleted(tx, id, 300, 0);
    }
    // As PostgreSQL does by itself after a while.
    if (db.dialect === 'postgres') await tx.run('ANALYZE');
  });
  return ctx;
}

describe.each(searchDatabases())('many model versions on $dialect', ({ dialect, open }) => {
  it('are found by any filter in any order, page by page, along indexes', async () => {
    const ctx = await contextWithVersions(await open());
    const { queries, scans } = dialect === 'sqlite' ? withScans(ctx.db) : { queries: ctx.db, scans: [] };
    const searches = createSearches({ db: queries, file: undefined, timeoutMs: 60_000 });
    const known = await readKnown(ctx);
    for (const text of FILTERS) {
      const filter = parseModelVersionFilter(text);
      for (const orderBy of ORDERS) {
        const whole = byHand(known, filter, orderBy);
        expect(whole.length, text).toBeGreaterThan(0);
        for (const page of [
          { limit: VERSIONS, offset: 0 },
          { limit: LIMIT, offset: 0 },
          { limit: LIMIT, offset: 50 },
        ]) {
          const found = await searchIds(queries, searches, { workspaceId: 0, filter, orderBy, ...page });
          expect(found, `${text} ${JSON.stringify(orderBy)}`).toEqual(whole.slice(page.offset, page.offset + page.limit));
        }
        const read: number[] = [];
        for (let token: string | undefined = ''; token !== undefined; ) {
          const size = Math.max(LIMIT, Math.ceil(whole.length / 4));
          const page = await searchPage(queries, searches, { workspaceId: 0, filter, orderBy, size, token });
          read.push(...page.pks);
          token = page.nextPageToken;
        }
        expect(read, `${text} ${JSON.stringify(orderBy)} by tokens`).toEqual(whole);
      }
    }
    expect(scans).toEqual([]);
    await ctx.db.close();
  }, 120_000);

  it('are found within a scope of models only, named by ids or by the beginning of their names', async () => {
    const ctx = await contextWithVersions(await open());
    const { queries, scans } = dialect === 'sqlite' ? withScans(ctx.db) : { queries: ctx.db, scans: [] };
    const searches = createSearches({ db: queries, file: undefined, timeoutMs: 60_000 });
    const known = await readKnown(ctx);
    const some = known.filter(({ name }) => name === 'net-04' || name === 'Model-05').map(({ modelId }) => modelId);
    const scopeOf = (shown: ObjectSet) =>
      searchScope(
        dialect,
        { ...SEES_ALL, everything: false, shown },
        { name: 'registered_models', workspaceId: 0, active: sql`r.deleted_at IS NULL` },
      );
    const byIds = scopeOf({ ids: some, prefixes: [] });
    const byPrefix = scopeOf({ ids: [], prefixes: ['net-1'] });
    for (const { scope, includes } of [
      { scope: byIds, includes: (each: Known): boolean => some.includes(each.modelId) },
      { scope: byPrefix, includes: (each: Known): boolean => each.name.startsWith('net-1') },
    ]) {
      const visible = known.filter(includes);
      for (const text of ['', "name = 'Model-03'", "name LIKE 'net%'", "tags.team = 'team-2'"]) {
        const filter = parseModelVersionFilter(text);
        for (const orderBy of [[], [by('name', true)]]) {
          const found = await searchIds(queries, searches, { workspaceId: 0, filter, orderBy, limit: VERSIONS, offset: 0, scope });
          expect(found, text).toEqual(byHand(visible, filter, orderBy));
        }
      }
    }
    expect(scans).toEqual([]);
    await ctx.db.close();
  }, 120_000);
});

async function searchIds(
  db: Queries,
  searches: Searches,
  { limit, offset, ...asked }: Omit<VersionQuery, 'size' | 'token'> & { limit: number; offset: number },
): Promise<readonly number[]> {
  return (await searchPage(db, searches, { ...asked, size: limit, token: offset === 0 ? '' : encodeOffset(offset) })).pks;
}

interface Known {
  readonly id: number;
  readonly modelId: number;
  readonly name: string;
  readonly version: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly runId: string;
  readonly source: string;
  readonly isPrompt: boolean;
  readonly tags: readonly { readonly key: string; readonly value: string }[];
}

async function readKnown(ctx: Ctx): Promise<Known[]> {
  const rows = await ctx.db.all<{ id: number }>('SELECT id FROM model_versions WHERE deleted_at IS NULL');
  return store.listByIds(
    ctx.db,
    rows.map((row) => row.id),
  );
}

/** The rules of the search once more, over all versions in memory. */
function byHand(known: readonly Known[], filter: Filter, orderBy: readonly Ordering[]): number[] {
  const { wantsPrompts, rest } = models.splitPromptClauses(filter);
  const kept = known.filter((each) => each.isPrompt === wantsPrompts && rest.every((clause) => isMatch(each, clause)));
  const keys = [...(orderBy.length > 0 ? orderBy : [by('last_updated_timestamp', true)]), by('name', false), by('version_number', true)];
  return kept
    .sort(
      (a, b) =>
        keys.map(({ key, descending }) => (descending ? -1 : 1) * compare(readOf(a, key), readOf(b, key))).find((sign) => sign !== 0) ?? 0,
    )
    .map(({ id }) => id);
}

function readOf(version: Known, key: string): string | number {
  if (key === 'name') return version.name;
  if (key === 'version_number') return version.version;
  if (key === 'run_id') return version.runId;
  if (key === 'source_path') return version.source;
  return key === 'creation_timestamp' ? version.createdAt : version.updatedAt;
}

function compare(a: string | number, b: string | number): number {
  return a < b ? -1 : a > b ? 1 : 0;
}

function isMatch(version: Known, { entity, key, operator, value }: Comparison): boolean {
  const found = entity === 'tag' ? version.tags.filter((tag) => tag.key === key).map((tag) => tag.value) : [readOf(version, key)];
  return found.some((each) => {
    if (value?.kind === 'list') return value.texts.includes(String(each));
    const asked = value?.kind === 'number' ? value.number : (value?.text ?? '');
    switch (operator) {
      case '=':
        return each === asked;
      case '!=':
        return each !== asked;
      case '>':
        return each > asked;
      case '<=':
        return each <= asked;
      default:
        return new RegExp(`^${String(asked).replaceAll('%', '.*')}$`, operator === 'ILIKE' ? 'i' : '').test(String(each));
    }
  });
}
