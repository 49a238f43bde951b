import { type Scope, SEES_ALL } from '@countersign/contract/access.ts';
import type { Comparison, Ordering } from '@countersign/contract/search.ts';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import type { Database } from '../../platform/db/database.ts';
import { fold, foldedColumn } from '../../platform/db/fold.ts';
import { searchDatabases, withScans } from '../../platform/db/search-databases.ts';
import { compareValues } from '../../platform/db/search-order.ts';
import type { FoundRow, SearchPlan } from '../../platform/db/search-plan.ts';
import { findQuickly } from '../../platform/db/search-runner.ts';
import { SearchScan } from '../../platform/db/search-scan.ts';
import { likePattern } from '../../platform/db/search-sql.ts';
import { planExperiments, visibleExperiments } from './experiment-search-store.ts';

const EXPERIMENTS = 40;
const SEARCHES = 120;
const TEXTS = ['a', 'A', 'b_c', 'Straße', 'STRASSE', '😀'];

interface FakeExperiment {
  readonly id: number;
  readonly workspaceId: number;
  readonly name: string;
  readonly lifecycle: string;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly tags: ReadonlyMap<string, string>;
}

const text = fc.constantFrom(...TEXTS);
const body = fc.record({
  workspaceId: fc.constantFrom(0, 0, 0, 1),
  stem: text,
  lifecycle: fc.constantFrom('active', 'active', 'deleted'),
  createdAt: fc.constantFrom(10, 20, 30),
  updatedAt: fc.constantFrom(10, 20),
  tags: fc.array(fc.tuple(fc.constantFrom('k', 'l'), text), { maxLength: 2 }).map((pairs) => new Map(pairs)),
});

function fakeExperiments(): FakeExperiment[] {
  return fc
    .sample(body, { seed: 3, numRuns: EXPERIMENTS })
    .map(({ stem, ...each }, i) => ({ ...each, id: i + 1, name: i < 6 ? stem + i : `${stem} ${i}` }));
}

async function store(db: Database, all: readonly FakeExperiment[]): Promise<void> {
  await db.write(async (tx) => {
    for (const each of all) {
      await tx.run(
        'INSERT INTO experiments (id, workspace_id, name, name_folded, artifact_location, lifecycle, created_at, updated_at, written_by) ' +
          "VALUES (?, ?, ?, ?, '', ?, ?, ?, 0)",
        ...[each.id, each.workspaceId, each.name, foldedColumn(each.name), each.lifecycle, each.createdAt, each.updatedAt],
      );
      for (const [key, value] of each.tags) {
        await tx.run(
          'INSERT INTO experiment_tags (experiment_id, key, value, folded, written_by) VALUES (?, ?, ?, ?, 0)',
          ...[each.id, key, value, foldedColumn(value)],
        );
      }
    }
  });
}

const ATTRIBUTES: Readonly<Record<string, (each: FakeExperiment) => string | number>> = {
  name: (each) => each.name,
  experiment_id: (each) => each.id,
  creation_time: (each) => each.createdAt,
  last_update_time: (each) => each.updatedAt,
};

function matches(each: FakeExperiment, { entity, key, operator, value: literal }: Comparison): boolean {
  const value = entity === 'tag' ? each.tags.get(key) : ATTRIBUTES[key]?.(each);
  if (operator === 'IS NULL') return value === undefined;
  if (value === undefined) return false;
  if (operator === 'IS NOT NULL') return true;
  if (literal?.kind === 'list') return literal.texts.includes(String(value)) === (operator === 'IN');
  if (literal?.kind === 'number') return compareNumbers(Number(value), operator, literal.number);
  const wanted = literal?.text ?? '';
  if (operator === 'LIKE') return likePattern(wanted).test(String(value));
  if (operator === 'ILIKE') return likePattern(fold(wanted)).test(fold(String(value)));
  return (String(value) === wanted) === (operator === '=');
}

function shows({ everything, shown, hidden }: Scope, { id, name }: FakeExperiment): boolean {
  const isIn = (set: Scope['shown']): boolean => set.ids.includes(id) || set.prefixes.some((prefix) => name.startsWith(prefix));
  return (everything || isIn(shown)) && !isIn(hidden);
}

function compareNumbers(value: number, operator: string, wanted: number): boolean {
  const sign = value - wanted;
  const holds: Readonly<Record<string, boolean>> = {
    '=': sign === 0,
    '!=': sign !== 0,
    '<': sign < 0,
    '<=': sign <= 0,
    '>': sign > 0,
    '>=': sign >= 0,
  };
  return holds[operator] ?? false;
}

function ordered(found: readonly FakeExperiment[], order: readonly Ordering[]): FakeExperiment[] {
  const keys: readonly Ordering[] =
    order.length > 0
      ? [...order, { entity: 'attribute', key: 'experiment_id', descending: true }]
      : [
          { entity: 'attribute', key: 'creation_time', descending: true },
          { entity: 'attribute', key: 'experiment_id', descending: false },
        ];
  return [...found].sort((a, b) => {
    for (const { key, descending } of keys) {
      const sign = compareValues(ATTRIBUTES[key]?.(a) ?? null, ATTRIBUTES[key]?.(b) ?? null);
      if (sign !== 0) return descending ? -sign : sign;
    }
    return 0;
  });
}

function comparison<V>(
  entity: string,
  keys: fc.Arbitrary<string>,
  operators: readonly Comparison['operator'][],
  values: fc.Arbitrary<V>,
  read: (value: V) => Comparison['value'],
): fc.Arbitrary<Comparison> {
  return fc.tuple(keys, fc.constantFrom(...operators), values).map(([key, operator, value]) => ({
    entity,
    key,
    operator,
    value: operator.startsWith('IS') ? undefined : read(value),
    position: 1,
  }));
}

const asText = (value: string): Comparison['value'] => ({ kind: 'string', text: value });
const words = fc.oneof(text, fc.constantFrom('a0', 'Straße 7', '%', '%a%', 'STR%', '%ß%', '_'));
const search = fc.record({
  filter: fc.array(
    fc.oneof(
      comparison('attribute', fc.constant('name'), ['=', '!=', 'LIKE', 'ILIKE'], words, asText),
      comparison('tag', fc.constantFrom('k', 'l', 'absent'), ['=', '!=', 'LIKE', 'ILIKE', 'IS NULL', 'IS NOT NULL'], words, asText),
      comparison('attribute', fc.constant('experiment_id'), ['=', '!='], fc.constantFrom('1', '7', '999'), asText),
      comparison('attribute', fc.constant('experiment_id'), ['IN', 'NOT IN'], fc.constantFrom(['1', '2'], ['30', '999']), (texts) => ({
        kind: 'list',
        texts,
      })),
      comparison(
        'attribute',
        fc.constantFrom('creation_time', 'last_update_time'),
        ['=', '!=', '<', '<=', '>', '>='],
        fc.constantFrom(10, 20),
        (number) => ({
          kind: 'number',
          number,
          text: String(number),
        }),
      ),
    ),
    { maxLength: 2 },
  ),
  order: fc.array(
    fc.record({
      entity: fc.constant('attribute'),
      key: fc.constantFrom('name', 'experiment_id', 'creation_time', 'last_update_time'),
      descending: fc.boolean(),
    }),
    { maxLength: 2 },
  ),
  scope: fc.oneof(
    fc.constant(SEES_ALL),
    fc.record({
      everything: fc.boolean(),
      shown: fc.record({ ids: fc.subarray([1, 2, 7, 11, 20, 30, 999]), prefixes: fc.subarray(['a', 'Str', '😀']) }),
      hidden: fc.record({ ids: fc.subarray([2, 7]), prefixes: fc.subarray(['a ', 'b_']) }),
    }),
  ),
  lifecycles: fc.constantFrom<('active' | 'deleted')[][]>(['active'], ['deleted'], ['active', 'deleted']),
  pageSize: fc.integer({ min: 1, max: 15 }),
  chunk: fc.integer({ min: 1, max: 9 }),
});

describe.each(searchDatabases())('experiment search on $dialect', ({ dialect, open }) => {
  let db: Database;
  const experiments = fakeExperiments();
  beforeAll(async () => {
    db = await open();
    await store(db, experiments);
  });
  afterAll(() => db.close());

  async function inChunks(plan: SearchPlan, chunk: number): Promise<FoundRow[]> {
    const scan = new SearchScan(db, plan);
    for await (const _ of scan.chunks(() => chunk)) {
      // Only the end matters here.
    }
    return scan.rows;
  }

  test('its pages are complete, in order and do not overlap, whatever the filter, the order and the chunks', async () => {
    await fc.assert(
      fc.asyncProperty(search, async (asked) => {
        const visible = visibleExperiments(dialect, asked.scope, 0);
        const plan = planExperiments(dialect, { workspaceId: 0, lifecycles: asked.lifecycles, visible }, asked.filter, asked.order);
        const found = experiments.filter(
          (each) =>
            each.workspaceId === 0 &&
            shows(asked.scope, each) &&
            asked.lifecycles.some((lifecycle) => lifecycle === each.lifecycle) &&
            asked.filter.every((clause) => matches(each, clause)),
        );
        const wanted = ordered(found, asked.order).map((each) => each.id);
        for (const find of [
          (each: SearchPlan) => inChunks(each, asked.chunk),
          async (each: SearchPlan) => (await findQuickly(db, each)) ?? [],
          ...plan.drivers.map((driver) => (each: SearchPlan) => new SearchScan(db, each).drive(driver)),
        ]) {
          const pages: number[] = [];
          let after: FoundRow['keys'] | undefined;
          do {
            const rows = await find({ ...plan, limit: asked.pageSize, offset: 0, after });
            pages.push(...rows.map((row) => row.pk));
            after = rows.length < asked.pageSize ? undefined : rows[rows.length - 1]?.keys;
          } while (after !== undefined);
          expect(pages).toEqual(wanted);
        }
      }),
      { numRuns: SEARCHES },
    );
  });

  test.runIf(dialect === 'sqlite')('no query reads a whole table or index', async () => {
    await fc.assert(
      fc.asyncProperty(search, async (asked) => {
        const { queries, scans } = withScans(db);
        const scope = { workspaceId: 0, lifecycles: asked.lifecycles, visible: visibleExperiments(dialect, asked.scope, 0) };
        const plan = { ...planExperiments(dialect, scope, asked.filter, asked.order), limit: asked.pageSize, offset: 0, after: undefined };
        await findQuickly(queries, plan);
        for (const driver of plan.drivers) await new SearchScan(queries, plan).drive(driver);
        expect(scans).toEqual([]);
      }),
      { numRuns: SEARCHES },
    );
  });
});
