import type { Comparison, Ordering } from '@countersign/contract/search.ts';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database, Queries } from '../../platform/db/database.ts';
import { searchDatabases, withScans } from '../../platform/db/search-databases.ts';
import type { FoundRow, SearchPlan } from '../../platform/db/search-plan.ts';
import { findQuickly } from '../../platform/db/search-runner.ts';
import { SearchScan } from '../../platform/db/search-scan.ts';
import { readToken, writeToken } from '../../platform/db/search-token.ts';
import { fakeRuns, matches, NUMBERS, ordered, RUNS, store, text } from './run-search-oracle.ts';
import { planRuns } from './run-search-store.ts';

const SEARCHES = 120;

const pattern = fc
  .array(
    fc.oneof(
      fc.constantFrom('%', '%', '_', 'a', 'B', 'ss', 'ß', 'x', 'é'),
      text.map((each) => each.slice(0, 6)),
    ),
    { maxLength: 4 },
  )
  .map((parts) => parts.join(''));
const key = fc.constantFrom('k', 'l', 'a b', 'absent');

function numeric(entity: string, keys: fc.Arbitrary<string>, numbers: fc.Arbitrary<number>): fc.Arbitrary<Comparison> {
  return fc.tuple(keys, fc.constantFrom('=', '!=', '<', '<=', '>', '>=' as const), numbers).map(([name, operator, number]) => ({
    entity,
    key: name,
    operator: operator as Comparison['operator'],
    value: { kind: 'number', number, text: String(number) },
    position: 1,
  }));
}

function textual(entity: string, keys: fc.Arbitrary<string>, operators: readonly Comparison['operator'][]): fc.Arbitrary<Comparison> {
  return fc
    .tuple(keys, fc.constantFrom(...operators), text, pattern, fc.array(text, { minLength: 1, maxLength: 3 }))
    .map(([name, operator, equal, like, texts]) => ({
      entity,
      key: name,
      operator,
      value: operator.startsWith('IS')
        ? undefined
        : operator.endsWith('IN')
          ? { kind: 'list', texts }
          : { kind: 'string', text: operator.endsWith('LIKE') ? like : equal },
      position: 1,
    }));
}

const clause: fc.Arbitrary<Comparison> = fc.oneof(
  numeric('metric', key, fc.constantFrom(...NUMBERS)),
  textual('param', key, ['=', '!=', 'LIKE', 'ILIKE', 'IS NULL', 'IS NOT NULL']),
  textual('tag', fc.oneof(key, fc.constant('mlflow.runName')), ['=', '!=', 'LIKE', 'ILIKE', 'IS NULL', 'IS NOT NULL']),
  textual('dataset', fc.constantFrom('name', 'digest', 'context'), ['=', '!=', 'LIKE', 'ILIKE', 'IN', 'NOT IN']),
  textual('attribute', fc.constantFrom('run_id'), ['=', '!=', 'LIKE', 'ILIKE', 'IN', 'NOT IN']),
  textual('attribute', fc.constantFrom('run_name', 'user_id', 'artifact_uri', 'status'), ['=', '!=', 'LIKE', 'ILIKE']),
  numeric('attribute', fc.constantFrom('start_time', 'end_time'), fc.constantFrom(-1, 0, 1, 1.5, 5, 5.5, 1e30, -1e30)),
);

const ordering: fc.Arbitrary<Ordering> = fc
  .tuple(
    fc.oneof(
      fc.tuple(fc.constantFrom('metric', 'metric', 'param', 'tag'), key),
      fc.tuple(
        fc.constant('attribute'),
        fc.constantFrom('start_time', 'start_time', 'end_time', 'status', 'user_id', 'run_id', 'run_name'),
      ),
    ),
    fc.boolean(),
  )
  .map(([[entity, name], descending]) => ({ entity, key: name, descending }));

const search = fc.record({
  filter: fc.array(clause, { maxLength: 3 }),
  order: fc.uniqueArray(ordering, { maxLength: 3, selector: (each) => `${each.entity}.${each.key}` }),
  experimentIds: fc.constantFrom([1], [1], [2], [1, 2], [1, 2, 3]),
  lifecycles: fc.constantFrom<('active' | 'deleted')[][]>(['active'], ['deleted'], ['active', 'deleted']),
  pageSize: fc.integer({ min: 1, max: 20 }),
  chunk: fc.integer({ min: 1, max: 12 }),
});

interface Asked {
  readonly filter: readonly Comparison[];
  readonly order: readonly Ordering[];
  readonly experimentIds: readonly number[];
  readonly lifecycles: readonly ('active' | 'deleted')[];
}

async function inChunks(db: Queries, plan: SearchPlan, chunk: number): Promise<FoundRow[]> {
  const scan = new SearchScan(db, plan);
  for await (const _ of scan.chunks(() => chunk)) {
    // Only the end matters here.
  }
  return scan.rows;
}

describe.each(searchDatabases())('run search on $dialect', ({ dialect, open }) => {
  let db: Database;
  const runs = fakeRuns(20261124);
  beforeAll(async () => {
    db = await open();
    await db.write((tx) => store(tx, runs));
  });
  afterAll(() => db.close());

  function expected(asked: Asked): number[] {
    const found = runs.filter(
      (run) =>
        asked.experimentIds.includes(run.experimentId) &&
        asked.lifecycles.includes(run.lifecycle) &&
        asked.filter.every((each) => matches(run, each)),
    );
    return ordered(found, asked.order).map((run) => run.pk);
  }

  test('its pages are complete, in order and do not overlap, whatever the filter, the order and the chunks', async () => {
    await fc.assert(
      fc.asyncProperty(search, async (asked) => {
        const plan = planRuns(dialect, asked, asked.filter, asked.order);
        const wanted = expected(asked);
        for (const find of [
          (each: SearchPlan) => inChunks(db, each, asked.chunk),
          async (each: SearchPlan) => (await findQuickly(db, each)) ?? [],
          ...plan.drivers.map((driver) => (each: SearchPlan) => new SearchScan(db, each).drive(driver)),
        ]) {
          const found: number[] = [];
          let after: FoundRow['keys'] | undefined;
          for (;;) {
            const rows = await find({ ...plan, limit: asked.pageSize + 1, offset: 0, after });
            const page = rows.slice(0, asked.pageSize);
            found.push(...page.map((row) => row.pk));
            if (rows.length <= asked.pageSize) break;
            const token = writeToken({ offset: found.length, after: page[page.length - 1]?.keys }, 'order');
            after = readToken(token, 'order', plan.keys).after;
            expect(after).toBeDefined();
          }
          expect(found).toEqual(wanted);
        }
      }),
      {
        numRuns: SEARCHES,
      },
    );
  });

  test('a token that holds an offset alone leads to the same page', async () => {
    await fc.assert(
      fc.asyncProperty(search, fc.integer({ min: 0, max: RUNS + 5 }), async (asked, offset) => {
        const plan = planRuns(dialect, asked, asked.filter, asked.order);
        const rows = await inChunks(db, { ...plan, limit: asked.pageSize, offset, after: undefined }, asked.chunk);
        expect(rows.map((row) => row.pk)).toEqual(expected(asked).slice(offset, offset + asked.pageSize));
      }),
      { numRuns: SEARCHES },
    );
  });

  test('every driver gives at least the runs that its clause holds for', async () => {
    await fc.assert(
      fc.asyncProperty(clause, async (each) => {
        const scope = { experimentIds: [1, 2], lifecycles: ['active', 'deleted'] as const };
        for (const driver of planRuns(dialect, scope, [each], []).drivers) {
          const rows = await db.all<{ pk: number }>(driver.rows.sql, ...(driver.rows.values as string[]));
          const driven = new Set(rows.map((row) => row.pk));
          expect(runs.filter((run) => matches(run, each) && !driven.has(run.pk))).toEqual([]);
        }
      }),
      {
        numRuns: SEARCHES,
      },
    );
  });

  test.runIf(dialect === 'sqlite')('no query reads a whole table or index', async () => {
    await fc.assert(
      fc.asyncProperty(search, async (asked) => {
        const { queries, scans } = withScans(db);
        const plan = { ...planRuns(dialect, asked, asked.filter, asked.order), limit: asked.pageSize, offset: 0, after: undefined };
        await inChunks(queries, plan, asked.chunk);
        await findQuickly(queries, plan);
        for (const driver of plan.drivers) await new SearchScan(queries, plan).drive(driver);
        expect(scans).toEqual([]);
      }),
      { numRuns: SEARCHES },
    );
  });
});
