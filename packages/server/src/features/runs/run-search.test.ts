import type { Comparison, Ordering } from '@countersign/contract/search.ts';
import fc from 'fast-check';
import { afterAll, beforeAll, describe, expect, test } from 'vitest';
import { migrations } from '../../migrations/migrations.ts';
import type { Database } from '../../platform/db/database.ts';
import { fold, foldedColumn } from '../../platform/db/fold.ts';
import { migrate } from '../../platform/db/migrate.ts';
import type { FoundRow, SearchPlan } from '../../platform/db/search-plan.ts';
import { findQuickly } from '../../platform/db/search-runner.ts';
import { SearchScan } from '../../platform/db/search-scan.ts';
import { likePattern } from '../../platform/db/search-sql.ts';
import { readToken, writeToken } from '../../platform/db/search-token.ts';
import { SqliteDatabase } from '../../platform/db/sqlite.ts';
import { planRuns } from './run-search-store.ts';

const RUNS = 60;
const SEARCHES = 120;
const TEXTS = [
  '',
  'a',
  'A',
  'b_c',
  'B%c',
  'Straße',
  'STRASSE',
  'straßen',
  'é',
  'É',
  '😀',
  'Ａ',
  "it's",
  'x'.repeat(300),
  `${'x'.repeat(299)}y`,
];
const NUMBERS = [-1, 0, 0.5, 1, 2, 1e300];

interface Dataset {
  readonly name: string;
  readonly digest: string;
  readonly context: string | undefined;
}

interface FakeRun {
  readonly pk: number;
  readonly runId: string;
  readonly experimentId: number;
  readonly lifecycle: 'active' | 'deleted';
  readonly name: string;
  readonly userId: string;
  readonly status: string;
  readonly startTime: number | null;
  readonly endTime: number | null;
  readonly artifactUri: string;
  readonly metrics: ReadonlyMap<string, number>;
  readonly params: ReadonlyMap<string, string>;
  readonly tags: ReadonlyMap<string, string>;
  readonly datasets: readonly Dataset[];
}

function mapOf<T>(values: fc.Arbitrary<T>): fc.Arbitrary<Map<string, T>> {
  return fc.array(fc.tuple(fc.constantFrom('k', 'l', 'a b'), values), { maxLength: 3 }).map((pairs) => new Map(pairs));
}

const text = fc.constantFrom(...TEXTS);
const fakeRun = fc.record({
  experimentId: fc.constantFrom(1, 2),
  lifecycle: fc.constantFrom('active' as const, 'active' as const, 'deleted' as const),
  name: text,
  userId: text,
  status: fc.constantFrom('RUNNING', 'FINISHED'),
  startTime: fc.option(fc.constantFrom(0, 1, 2, 1700000000000), { freq: 6 }),
  endTime: fc.option(fc.constantFrom(5, 6), { freq: 2 }),
  artifactUri: text,
  metrics: mapOf(fc.constantFrom(...NUMBERS, Number.NaN)),
  params: mapOf(text),
  tags: mapOf(text),
  datasets: fc.array(
    fc.record({
      name: text,
      digest: fc.constantFrom('d1', 'd2'),
      context: fc.option(fc.constantFrom('train', 'Test'), { nil: undefined }),
    }),
    {
      maxLength: 2,
    },
  ),
});

function fakeRuns(seed: number): FakeRun[] {
  const bodies = fc.sample(fakeRun, { seed, numRuns: RUNS });
  return bodies.map((body, i) => ({
    ...body,
    pk: i + 1,
    runId: ((i * 7919) % 104729).toString(16).padStart(32, '0'),
    tags: new Map([...body.tags, ['mlflow.runName', body.name]]),
    datasets: body.datasets.filter(
      (each, at, all) => all.findIndex((other) => other.name === each.name && other.digest === each.digest) === at,
    ),
  }));
}

async function store(db: Database, runs: readonly FakeRun[]): Promise<void> {
  await db.write(async (tx) => {
    for (const run of runs) {
      await tx.run(
        'INSERT INTO runs (pk, run_id, experiment_id, name, user_id, status, start_time, end_time, artifact_uri, lifecycle, written_by) VALUES (?, ?, ?, ?, ?, ?, ?, ?, ?, ?, 0)',
        ...[
          run.pk,
          run.runId,
          run.experimentId,
          run.name,
          run.userId,
          run.status,
          run.startTime,
          run.endTime,
          run.artifactUri,
          run.lifecycle,
        ],
      );
      for (const [key, value] of run.metrics) {
        await tx.run(
          'INSERT INTO latest_metrics (run_pk, key, experiment_id, value, is_nan, timestamp, step, written_by) VALUES (?, ?, ?, ?, ?, 0, 0, 0)',
          ...[run.pk, key, run.experimentId, Number.isNaN(value) ? 0 : value, Number.isNaN(value) ? 1 : 0],
        );
      }
      for (const [table, pairs] of [
        ['params', run.params],
        ['run_tags', run.tags],
      ] as const) {
        for (const [key, value] of pairs) {
          await tx.run(
            `INSERT INTO ${table} (run_pk, key, value, folded, written_by) VALUES (?, ?, ?, ?, 0)`,
            run.pk,
            key,
            value,
            foldedColumn(value),
          );
        }
      }
      for (const dataset of run.datasets) await storeDataset(tx, run, dataset);
    }
  });
}

async function storeDataset(tx: Parameters<Parameters<Database['write']>[0]>[0], run: FakeRun, dataset: Dataset): Promise<void> {
  await tx.run(
    "INSERT INTO datasets (experiment_id, name, digest, source_type, source, written_by) VALUES (?, ?, ?, '', '', 0) ON CONFLICT DO NOTHING",
    ...[run.experimentId, dataset.name, dataset.digest],
  );
  const row = await tx.one<{ id: number }>(
    'SELECT id FROM datasets WHERE experiment_id = ? AND name = ? AND digest = ?',
    ...[run.experimentId, dataset.name, dataset.digest],
  );
  const id = row?.id ?? 0;
  await tx.run('INSERT INTO run_datasets (run_pk, dataset_id, position, written_by) VALUES (?, ?, 0, 0)', run.pk, id);
  if (dataset.context === undefined) return;
  await tx.run(
    "INSERT INTO run_dataset_tags (run_pk, dataset_id, key, value, folded) VALUES (?, ?, 'mlflow.data.context', ?, ?)",
    ...[run.pk, id, dataset.context, foldedColumn(dataset.context)],
  );
}

// The oracle: the grammar's rules, one run at a time.

const ATTRIBUTES: Readonly<Record<string, (run: FakeRun) => string | number | null>> = {
  run_id: (run) => run.runId,
  run_name: (run) => run.name,
  status: (run) => run.status,
  user_id: (run) => run.userId,
  artifact_uri: (run) => run.artifactUri,
  start_time: (run) => run.startTime,
  end_time: (run) => run.endTime,
};

function valuesOf(run: FakeRun, { entity, key }: Pick<Comparison, 'entity' | 'key'>): (string | number)[] {
  if (entity === 'dataset') {
    return run.datasets.flatMap((dataset) => dataset[key as keyof Dataset] ?? []);
  }
  const value =
    entity === 'metric'
      ? run.metrics.get(key)
      : entity === 'param'
        ? run.params.get(key)
        : entity === 'tag'
          ? run.tags.get(key)
          : ATTRIBUTES[key]?.(run);
  return value === undefined || value === null ? [] : [value];
}

function matches(run: FakeRun, clause: Comparison): boolean {
  const values = valuesOf(run, clause);
  if (clause.operator === 'IS NULL') return values.length === 0;
  if (clause.operator === 'IS NOT NULL') return values.length > 0;
  return values.some((value) => compare(clause, value));
}

function compare({ operator, value: literal }: Comparison, value: string | number): boolean {
  if (literal?.kind === 'list') return literal.texts.includes(String(value)) === (operator === 'IN');
  const wanted = literal?.kind === 'number' ? literal.number : (literal?.text ?? '');
  switch (operator) {
    case '=':
      return value === wanted;
    case '!=':
      return value !== wanted;
    case '<':
      return value < wanted;
    case '<=':
      return value <= wanted;
    case '>':
      return value > wanted;
    case '>=':
      return value >= wanted;
    case 'LIKE':
      return likePattern(String(wanted)).test(String(value));
    default:
      return likePattern(fold(String(wanted))).test(fold(String(value)));
  }
}

function ordered(runs: readonly FakeRun[], order: readonly Ordering[]): FakeRun[] {
  const keys = [
    ...order,
    { entity: 'attribute', key: 'start_time', descending: true },
    { entity: 'attribute', key: 'run_id', descending: false },
  ];
  return [...runs].sort((a, b) => {
    for (const key of keys) {
      const [left] = valuesOf(a, key);
      const [right] = valuesOf(b, key);
      const ranks = rankOf(left) - rankOf(right);
      if (ranks !== 0) return ranks;
      const sign = left === undefined || right === undefined || Number.isNaN(left) ? 0 : compareScalars(left, right);
      if (sign !== 0) return key.descending ? -sign : sign;
    }
    return 0;
  });
}

function rankOf(value: string | number | undefined): number {
  return value === undefined ? 2 : Number.isNaN(value) ? 1 : 0;
}

function compareScalars(a: string | number, b: string | number): number {
  if (typeof a === 'string') return Buffer.compare(Buffer.from(a), Buffer.from(String(b)));
  return a - Number(b);
}

// What is asked.

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

async function inChunks(db: Database, plan: SearchPlan, chunk: number): Promise<FoundRow[]> {
  const scan = new SearchScan(db, plan);
  for await (const _ of scan.chunks(() => chunk)) {
    // Only the end matters here.
  }
  return scan.rows;
}

describe('run search', () => {
  const db = new SqliteDatabase(':memory:');
  const runs = fakeRuns(20261124);
  beforeAll(async () => {
    await migrate(db, migrations, () => {});
    await store(db, runs);
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
        const plan = planRuns('sqlite', asked, asked.filter, asked.order);
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
        const plan = planRuns('sqlite', asked, asked.filter, asked.order);
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
        for (const driver of planRuns('sqlite', scope, [each], []).drivers) {
          const rows = await db.all<{ pk: number }>(driver.sql, ...(driver.values as string[]));
          const driven = new Set(rows.map((row) => row.pk));
          expect(runs.filter((run) => matches(run, each) && !driven.has(run.pk))).toEqual([]);
        }
      }),
      {
        numRuns: SEARCHES,
      },
    );
  });
});
