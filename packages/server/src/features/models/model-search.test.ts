import { type Scope, SEES_ALL } from '@countersign/contract/access.ts';
import type { Filter, Ordering } from '@countersign/contract/search.ts';
import sql from 'sql-template-tag';
import { describe, expect, it } from 'vitest';
import { openContext } from '../../../../../test/support/context.ts';
import type { Ctx } from '../../platform/context.ts';
import type { Database, Queries, SqlValue } from '../../platform/db/database.ts';
import { encodeOffset } from '../../platform/db/page-token.ts';
import { searchDatabases, withScans } from '../../platform/db/search-databases.ts';
import { createSearches } from '../../platform/db/search-runner.ts';
import { searchScope } from '../../platform/db/search-scope.ts';
import { parseRegisteredModelFilter } from '../../platform/search/registered-model-search-grammar.ts';
import { searchPage } from './model-search.ts';
import * as models from './models.ts';

const MODELS = 1100;
const LIMIT = 7;
const TABLE = { name: 'registered_models', workspaceId: 0, active: sql`r.deleted_at IS NULL` };

async function contextWithModels(db: Database): Promise<Ctx> {
  const ctx = await openContext({ db });
  await Promise.all(
    Array.from({ length: MODELS }, (_, i) =>
      models.create(ctx, {
        name: `${i % 2 === 0 ? 'Model' : 'net'}-${String(i).padStart(4, '0')}`,
        tags: [
          { key: 'team', value: `team-${i % 11}` },
          ...(i % 300 === 299 ? [{ key: 'rare', value: 'yes' }] : []),
          ...(i % 5 === 0 ? [{ key: models.PROMPT_TAG, value: 'true' }] : []),
        ],
      }),
    ),
  );
  // As PostgreSQL does by itself after a while.
  if (db.dialect === 'postgres') await db.write((tx) => tx.run('ANALYZE'));
  return ctx;
}

const filters = [
  '',
  "name LIKE 'Model-0%' AND tags.team = 'team-3'",
  "name LIKE 'Model-0%' AND name LIKE 'Mo%'",
  "name LIKE 'net-10%' AND tags.team = 'team-3'",
  "name LIKE 'ne%-09%'",
  "name LIKE 'M_del%8'",
  "name IN ('net-0299', 'Model-0004', 'none') AND tags.team != 'team-1'",
  "name ILIKE '%EL-09%'",
  "name LIKE '%9'",
  "tags.rare = 'yes'",
  "tags.rare != 'no' AND name != 'net-0299'",
  "name = 'net-0299'",
  "tags.`mlflow.prompt.is_prompt` = 'true' AND tags.team = 'team-0'",
];
const orders: Ordering[][] = [
  [],
  [{ entity: 'attribute', key: 'name', descending: true }],
  [{ entity: 'attribute', key: 'last_updated_timestamp', descending: true }],
];

describe.each(searchDatabases())('many registered models on $dialect', ({ dialect, open }) => {
  it('are found by any filter in any order, page by page, along indexes', async () => {
    const ctx = await contextWithModels(await open());
    const { queries, scans } = dialect === 'sqlite' ? withScans(ctx.db) : { queries: ctx.db, scans: [] };
    const searches = createSearches({ db: queries, file: undefined, timeoutMs: 60_000 });
    const find = async (filter: Filter, orderBy: Ordering[], size: number, offset: number): Promise<readonly number[]> => {
      const token = offset === 0 ? '' : encodeOffset(offset);
      return (await searchPage(queries, searches, { workspaceId: 0, filter, orderBy, size, token })).pks;
    };
    for (const text of filters) {
      const filter = parseRegisteredModelFilter(text);
      for (const orderBy of orders) {
        const whole = await find(filter, orderBy, MODELS, 0);
        const names = (await models.listByIds(ctx, whole)).map((model) => model.name);
        const expected = await namesByHand(ctx, filter, orderBy);
        expect(expected.length, text).toBeGreaterThan(0);
        expect(names, text).toEqual(expected);
        for (const offset of [0, LIMIT, 50]) {
          expect(await find(filter, orderBy, LIMIT, offset), text).toEqual(whole.slice(offset, offset + LIMIT));
        }
        const read: number[] = [];
        for (let token: string | undefined = ''; token !== undefined; ) {
          const size = Math.max(LIMIT, Math.ceil(whole.length / 4));
          const page = await searchPage(queries, searches, { workspaceId: 0, filter, orderBy, size, token });
          read.push(...page.pks);
          token = page.nextPageToken;
        }
        expect(read, `${text} by tokens`).toEqual(whole);
      }
    }
    expect(scans).toEqual([]);
    await ctx.db.close();
  }, 120_000);

  it('are found within a scope only, whatever it is made of, page by page', async () => {
    const ctx = await contextWithModels(await open());
    const { queries, scans } = dialect === 'sqlite' ? withScans(ctx.db) : { queries: ctx.db, scans: [] };
    const searches = createSearches({ db: queries, file: undefined, timeoutMs: 60_000 });
    const idsOf = (names: readonly string[]): Promise<number[]> => Promise.all(names.map(async (name) => (await models.get(ctx, name)).id));
    const some = ['net-0299', 'Model-0004'];
    const many = Array.from({ length: MODELS }, (_, i) => i + 1).filter((id) => id % 3 > 0);
    const nameById = new Map((await models.listByIds(ctx, many)).map((model) => [model.id, model.name]));
    const manyNames = new Set(nameById.values());
    const nothing = { ids: [], prefixes: [] };
    const scopes: readonly { scope: Scope; includes: (name: string) => boolean }[] = [
      {
        scope: { everything: false, shown: { ids: await idsOf(some), prefixes: [] }, hidden: nothing },
        includes: (name) => some.includes(name),
      },
      {
        scope: { everything: false, shown: { ids: [], prefixes: ['net-1'] }, hidden: nothing },
        includes: (name) => name.startsWith('net-1'),
      },
      {
        scope: {
          everything: false,
          shown: { ids: await idsOf(some), prefixes: ['net-1', 'Mod'] },
          hidden: { ids: [], prefixes: ['net-10'] },
        },
        includes: (name) => (name === 'net-0299' || /^(net-1|Mod)/.test(name)) && !name.startsWith('net-10'),
      },
      {
        scope: { everything: true, shown: nothing, hidden: { ids: await idsOf(some), prefixes: ['net-02'] } },
        includes: (name) => !some.includes(name) && !name.startsWith('net-02'),
      },
      { scope: { everything: false, shown: { ids: many, prefixes: [] }, hidden: nothing }, includes: (name) => manyNames.has(name) },
      { scope: { everything: false, shown: nothing, hidden: nothing }, includes: () => false },
    ];
    for (const text of ['', "name LIKE 'net%'", "name = 'net-0299'", "tags.team = 'team-3'"]) {
      const filter = parseRegisteredModelFilter(text);
      for (const orderBy of orders) {
        const all = await namesByHand(ctx, filter, orderBy);
        for (const { scope, includes } of scopes) {
          const wanted = all.filter(includes);
          const compiled = searchScope(dialect, scope, TABLE);
          const found: number[] = [];
          for (let token: string | undefined = ''; token !== undefined; ) {
            const size = Math.max(LIMIT, Math.ceil(wanted.length / 3));
            const page = await searchPage(queries, searches, { workspaceId: 0, filter, orderBy, size, token, scope: compiled });
            if (page.nextPageToken !== undefined) expect(page.pks.length).toBe(size);
            found.push(...page.pks);
            token = page.nextPageToken;
          }
          const names = (await models.listByIds(ctx, found)).map((model) => model.name);
          expect(names, `${text} ${JSON.stringify(scope).slice(0, 100)}`).toEqual(wanted);
        }
      }
    }
    expect(scans).toEqual([]);
    await ctx.db.close();
  }, 120_000);

  it('are paged on from the last one shown, however access changes between the pages', async () => {
    const ctx = await openContext({ db: await open() });
    for (let i = 0; i < 30; i++) await models.create(ctx, { name: `m-${String(i).padStart(2, '0')}`, tags: [] });
    const scopeOf = (hidden: readonly string[]) => searchScope(dialect, { ...SEES_ALL, hidden: { ids: [], prefixes: hidden } }, TABLE);
    const steps = [[], ['m-0'], [], ['m-11', 'm-12'], ['m-1'], []];
    const seen: string[] = [];
    let token = '';
    for (const hidden of steps) {
      const query = { workspaceId: 0, filter: [], orderBy: [], size: 4, token, scope: scopeOf(hidden) };
      const page = await searchPage(ctx.db, ctx.searches, query);
      seen.push(...(await models.listByIds(ctx, page.pks)).map((model) => model.name));
      token = page.nextPageToken ?? '';
    }
    const pages = ['00 01 02 03', '10 11 12 13', '14 15 16 17', '18 19 20 21', '22 23 24 25', '26 27 28 29'];
    expect(seen).toEqual(pages.flatMap((page) => page.split(' ')).map((number) => `m-${number}`));
    await ctx.db.close();
  });

  it.runIf(dialect === 'sqlite')('cost whoever sees ten of them ten', async () => {
    const ctx = await contextWithModels(await open());
    const asked: string[] = [];
    const noting =
      <Result>(read: (text: string, ...values: SqlValue[]) => Result) =>
      (text: string, ...values: SqlValue[]): Result => {
        asked.push(text);
        return read(text, ...values);
      };
    const queries: Queries = {
      dialect,
      run: () => Promise.reject(new TypeError('a search changes nothing')),
      one: noting((text, ...values) => ctx.db.one(text, ...values)) as Queries['one'], // generic over what the statement selects
      all: noting((text, ...values) => ctx.db.all(text, ...values)) as Queries['all'],
    };
    const searches = createSearches({ db: queries, file: undefined, timeoutMs: 60_000 });
    const scope = searchScope(
      dialect,
      { ...SEES_ALL, everything: false, shown: { ids: [5, 50, 500, 7, 70, 700, 9, 90, 900, 1000], prefixes: [] } },
      TABLE,
    );
    const page = await searchPage(queries, searches, { workspaceId: 0, filter: [], orderBy: [], size: 100, token: '', scope });
    expect(page.pks.length).toBeGreaterThan(0);
    // Which they are, and then they alone.
    expect(asked).toHaveLength(2);
    await ctx.db.close();
  });
});

/** The rules of the search once more, over all models in memory. */
async function namesByHand(ctx: Ctx, filter: Filter, [order]: Ordering[]): Promise<string[]> {
  const rows = await ctx.db.all<{ id: number }>('SELECT id FROM registered_models');
  const all = await models.listByIds(
    ctx,
    rows.map((row) => row.id),
  );
  const { wantsPrompts, rest } = models.splitPromptClauses(filter);
  const kept = all.filter(
    (model) =>
      model.isPrompt === wantsPrompts &&
      rest.every(({ entity, key, operator, value }) => {
        if (value?.kind === 'list') return value.texts.includes(model.name);
        const asked = value?.text ?? '';
        const texts = entity === 'tag' ? model.tags.filter((tag) => tag.key === key).map((tag) => tag.value) : [model.name];
        const pattern = new RegExp(`^${asked.replaceAll('%', '.*').replaceAll('_', '.')}$`, operator === 'ILIKE' ? 'i' : '');
        return texts.some((text) => (operator === '=' ? text === asked : operator === '!=' ? text !== asked : pattern.test(text)));
      }),
  );
  const byName = (a: { name: string }, b: { name: string }): number => (a.name < b.name ? -1 : 1);
  const sign = order?.descending ? -1 : 1;
  kept.sort((a, b) => {
    if (order?.key === 'last_updated_timestamp') return sign * (a.updatedAt - b.updatedAt) || byName(a, b);
    return sign * byName(a, b);
  });
  return kept.map((model) => model.name);
}
