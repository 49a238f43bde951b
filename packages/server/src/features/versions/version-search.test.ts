import type { Ordering } from '@countersign/contract/search.ts';
import { describe, expect, it } from 'vitest';
import { openContext } from '../../../../../test/support/context.ts';
import { type Ctx, transaction } from '../../platform/context.ts';
import type { Database } from '../../platform/db/database.ts';
import { searchDatabases, withScans } from '../../platform/db/search-databases.ts';
import { createSearches } from '../../platform/db/search-runner.ts';
import { parseModelVersionFilter } from '../../platform/search/model-version-search-grammar.ts';
import * as models from '../models/models.ts';
import { searchAtOnce, searchIds } from './version-search.ts';
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
  await transaction(ctx, async ({ tx }) => {
    for (let i = 0; i < VERSIONS; i++) {
      const id = await store.insert(tx, {
        modelId: ids[i % MODELS] ?? 0,
        workspaceId: 0,
        version: Math.floor(i / MODELS) + 1,
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
        at: random(200),
        by: 0,
      });
      await store.upsertTag(tx, id, 'team', `team-${random(15)}`, 0);
      if (random(400) === 0) await store.upsertTag(tx, id, 'rare', 'yes', 0);
      if (random(20) === 0) await store.markDeleted(tx, id, 300, 0);
    }
  });
  return ctx;
}

describe.each(searchDatabases())('many model versions on $dialect', ({ dialect, open }) => {
  it('are found in the same order as by one statement, page by page, along indexes', async () => {
    const ctx = await contextWithVersions(await open());
    const { queries, scans } = dialect === 'sqlite' ? withScans(ctx.db) : { queries: ctx.db, scans: [] };
    const searches = createSearches({ db: queries, file: undefined, timeoutMs: 60_000 });
    for (const text of FILTERS) {
      const filter = parseModelVersionFilter(text);
      for (const orderBy of ORDERS) {
        const asked = { workspaceId: 0, filter, orderBy };
        const whole = await searchAtOnce(ctx.db, { ...asked, limit: VERSIONS, offset: 0 });
        expect(whole.length, text).toBeGreaterThan(0);
        for (const page of [
          { limit: VERSIONS, offset: 0 },
          { limit: LIMIT, offset: 0 },
          { limit: LIMIT, offset: 50 },
        ]) {
          const found = await searchIds(queries, searches, { ...asked, ...page });
          expect(found, `${text} ${JSON.stringify(orderBy)}`).toEqual(whole.slice(page.offset, page.offset + page.limit + 1));
        }
      }
    }
    expect(scans).toEqual([]);
    await ctx.db.close();
  }, 120_000);
});
