import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Problem } from '@countersign/contract/problem.ts';
import type { Comparison } from '@countersign/contract/search.ts';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { migrations } from '../../migrations/migrations.ts';
import { migrate } from '../../platform/db/migrate.ts';
import type { SearchPlan } from '../../platform/db/search-plan.ts';
import { createSearches, findQuickly, findThoroughly } from '../../platform/db/search-runner.ts';
import { SqliteDatabase } from '../../platform/db/sqlite.ts';
import { planRuns } from './run-search-store.ts';

const RUNS = 40_000;

/** Every run has it, so no index can help. */
const everywhere: Comparison = { entity: 'param', key: 'p', operator: 'LIKE', value: { kind: 'string', text: '%7' }, position: 1 };
const rare: Comparison = { entity: 'param', key: 'p', operator: '=', value: { kind: 'string', text: 'v39997' }, position: 1 };
const nowhere: Comparison = { entity: 'attribute', key: 'status', operator: '=', value: { kind: 'string', text: 'KILLED' }, position: 1 };

function planOf(filter: readonly Comparison[], limit = 10): SearchPlan {
  const scope = { experimentIds: [1], lifecycles: ['active'] as const };
  return { ...planRuns('sqlite', scope, filter, []), limit, offset: 0, after: undefined };
}

describe('a search over many runs', () => {
  const folder = mkdtempSync(join(tmpdir(), 'searches-'));
  const file = join(folder, 'search.db');
  const db = new SqliteDatabase(file);
  beforeAll(async () => {
    await migrate(db, migrations, () => {});
    await db.write(async (tx) => {
      await tx.run(
        'WITH RECURSIVE n (i) AS (SELECT 1 UNION ALL SELECT i + 1 FROM n WHERE i < ?) ' +
          "INSERT INTO runs SELECT i, printf('%032d', i), 1, '', '', 'FINISHED', i, NULL, '', 'active', NULL, 0, 0 FROM n",
        RUNS,
      );
      await tx.run("INSERT INTO params SELECT pk, 'p', 'v' || pk, NULL, 0 FROM runs");
    });
  });
  afterAll(async () => {
    await db.close();
    rmSync(folder, { recursive: true });
  });

  test('is answered at once where the first in order match, or where one clause is selective', async () => {
    expect((await findQuickly(db, planOf([everywhere])))?.[0]?.pk).toBe(39_997);
    expect(await findQuickly(db, planOf([rare]))).toHaveLength(1);
    expect(await findQuickly(db, planOf([everywhere, rare]))).toHaveLength(1);
  });

  test('is left to another thread where it would have to look at more, and answered alike there', async () => {
    const plan = planOf([everywhere, nowhere]);
    expect(await findQuickly(db, plan)).toBeUndefined();
    const searches = createSearches({ db, file, timeoutMs: 60_000 });
    try {
      expect(await searches.find(plan)).toEqual([]);
      const deep = planOf([everywhere], 3000);
      const [left, right] = await Promise.all([searches.find(deep), searches.find(deep)]);
      expect(left).toEqual(await findThoroughly(db, deep, 60_000));
      expect(right).toEqual(left);
      expect(left).toHaveLength(3000);
    } finally {
      await searches.close();
    }
  });

  test('stops at the time limit, and says which clause to narrow', async () => {
    const searches = createSearches({ db, file, timeoutMs: 0 });
    try {
      const refusal: unknown = await searches.find(planOf([everywhere, nowhere])).catch((error: unknown) => error);
      expect(refusal).toBeInstanceOf(Problem);
      expect((refusal as Problem).status).toBe(400);
      expect((refusal as Problem).message).toContain("'param.p LIKE', 'attribute.status ='");
    } finally {
      await searches.close();
    }
  });
});
