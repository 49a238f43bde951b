import type { Comparison, LoggedModelOrdering } from '@countersign/contract/search.ts';
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
import { type DatasetFilter, planLoggedModels } from './logged-model-search-store.ts';

const MODELS = 50;
const SEARCHES = 120;
const TEXTS = ['', 'a', 'A', 'b_c', 'Straße', 'STRASSE', '2', '😀'];
const NUMBERS = [-1, 0, 0.5, 2];

interface Point {
  readonly key: string;
  readonly value: number;
  readonly timestamp: number;
  readonly step: number;
  readonly dataset: string | undefined;
  readonly digest: string | undefined;
}

interface FakeModel {
  readonly pk: number;
  readonly modelId: string;
  readonly experimentId: number;
  readonly lifecycle: string;
  readonly name: string;
  readonly modelType: string | null;
  readonly sourceRunId: string;
  readonly status: number;
  readonly createdAt: number;
  readonly updatedAt: number;
  readonly params: ReadonlyMap<string, string>;
  readonly tags: ReadonlyMap<string, string>;
  readonly points: readonly Point[];
}

const text = fc.constantFrom(...TEXTS);
const key = fc.constantFrom('k', 'l', 'absent');
const pairs = fc.array(fc.tuple(fc.constantFrom('k', 'l'), text), { maxLength: 2 }).map((each) => new Map(each));
const fakeModel = fc.record({
  experimentId: fc.constantFrom(1, 2),
  lifecycle: fc.constantFrom('active', 'active', 'active', 'deleted'),
  name: text,
  modelType: fc.option(text, { freq: 3 }),
  sourceRunId: fc.constantFrom('r1', 'r2', ''),
  status: fc.constantFrom(1, 2, 3),
  createdAt: fc.constantFrom(10, 20, 30),
  updatedAt: fc.constantFrom(10, 20),
  params: pairs,
  tags: pairs,
  points: fc.uniqueArray(
    fc.record({
      key: fc.constantFrom('k', 'l'),
      value: fc.constantFrom(...NUMBERS, Number.NaN),
      timestamp: fc.constantFrom(1, 2),
      step: fc.constantFrom(0, 1),
      dataset: fc.option(fc.constantFrom('d', 'e'), { nil: undefined }),
      digest: fc.constantFrom('x', 'y', undefined),
    }),
    { maxLength: 4, selector: (point) => `${point.key} ${point.timestamp} ${point.step}` },
  ),
});

function fakeModels(): FakeModel[] {
  return fc.sample(fakeModel, { seed: 7, numRuns: MODELS }).map((body, i) => ({ ...body, pk: i + 1, modelId: `m-${(i * 7919) % 104729}` }));
}

async function store(db: Database, models: readonly FakeModel[]): Promise<void> {
  await db.write(async (tx) => {
    for (const model of models) {
      await tx.run(
        'INSERT INTO logged_models (pk, model_id, experiment_id, name, name_folded, artifact_uri, status, model_type, source_run_id, created_at, updated_at, lifecycle, written_by) ' +
          "VALUES (?, ?, ?, ?, ?, '', ?, ?, ?, ?, ?, ?, 0)",
        ...[model.pk, model.modelId, model.experimentId, model.name, foldedColumn(model.name), model.status, model.modelType],
        ...[model.sourceRunId, model.createdAt, model.updatedAt, model.lifecycle],
      );
      for (const [table, of] of [
        ['logged_model_params', model.params],
        ['logged_model_tags', model.tags],
      ] as const) {
        for (const [name, value] of of) {
          await tx.run(
            `INSERT INTO ${table} (model_pk, key, value, folded, written_by) VALUES (?, ?, ?, ?, 0)`,
            ...[model.pk, name, value, foldedColumn(value)],
          );
        }
      }
      for (const point of model.points) {
        await tx.run(
          "INSERT INTO logged_model_metrics (model_pk, key, timestamp, step, run_id, value, is_nan, dataset_name, dataset_digest, written_by) VALUES (?, ?, ?, ?, 'r', ?, ?, ?, ?, 0)",
          ...[
            model.pk,
            point.key,
            point.timestamp,
            point.step,
            Number.isNaN(point.value) ? 0 : point.value,
            Number.isNaN(point.value) ? 1 : 0,
          ],
          ...[point.dataset ?? null, point.digest ?? null],
        );
      }
    }
  });
}

const ATTRIBUTES: Readonly<Record<string, (model: FakeModel) => string | number | null>> = {
  name: (model) => model.name,
  model_id: (model) => model.modelId,
  model_type: (model) => model.modelType,
  source_run_id: (model) => model.sourceRunId,
  status: (model) => String(model.status),
  creation_timestamp: (model) => model.createdAt,
  last_updated_timestamp: (model) => model.updatedAt,
};

function isOn(point: Point, datasets: readonly DatasetFilter[]): boolean {
  return (
    datasets.length === 0 ||
    datasets.some(({ name, digest }) => point.dataset === name && (digest === undefined || point.digest === digest))
  );
}

function matches(model: FakeModel, clause: Comparison, datasets: readonly DatasetFilter[]): boolean {
  const values =
    clause.entity === 'metric'
      ? model.points.filter((point) => point.key === clause.key && isOn(point, datasets)).map((point) => point.value)
      : [
          clause.entity === 'param'
            ? model.params.get(clause.key)
            : clause.entity === 'tag'
              ? model.tags.get(clause.key)
              : ATTRIBUTES[clause.key]?.(model),
        ];
  return values.some((value) => value !== undefined && value !== null && compare(clause, value));
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

function sortValue(model: FakeModel, order: LoggedModelOrdering): string | number | null {
  if (order.entity === 'attribute') return order.key === 'status' ? model.status : (ATTRIBUTES[order.key]?.(model) ?? null);
  const [newest] = model.points
    .filter(
      (point) =>
        point.key === order.key &&
        (order.datasetName === undefined || point.dataset === order.datasetName) &&
        (order.datasetDigest === undefined || point.digest === order.datasetDigest),
    )
    .sort((a, b) => b.timestamp - a.timestamp || b.step - a.step);
  return newest?.value ?? null;
}

function rankOf(value: string | number | null): number {
  return value === null ? 2 : Number.isNaN(value) ? 1 : 0;
}

function ordered(models: readonly FakeModel[], order: readonly LoggedModelOrdering[]): FakeModel[] {
  const dataset = { datasetName: undefined, datasetDigest: undefined };
  const keys: LoggedModelOrdering[] = [
    ...order,
    { entity: 'attribute', key: 'creation_timestamp', descending: true, ...dataset },
    { entity: 'attribute', key: 'model_id', descending: false, ...dataset },
  ];
  return [...models].sort((a, b) => {
    for (const each of keys) {
      const [left, right] = [sortValue(a, each), sortValue(b, each)];
      const ranks = rankOf(left) - rankOf(right);
      if (ranks !== 0) return ranks;
      const sign = rankOf(left) > 0 ? 0 : compareValues(left, right);
      if (sign !== 0) return each.descending ? -sign : sign;
    }
    return 0;
  });
}

function numeric(entity: string, keys: fc.Arbitrary<string>, numbers: readonly number[]): fc.Arbitrary<Comparison> {
  return fc
    .tuple(keys, fc.constantFrom<Comparison['operator'][]>('=', '!=', '<', '<=', '>', '>='), fc.constantFrom(...numbers))
    .map(([name, operator, number]) => ({
      entity,
      key: name,
      operator,
      value: { kind: 'number', number, text: String(number) },
      position: 1,
    }));
}

function textual(entity: string, keys: fc.Arbitrary<string>): fc.Arbitrary<Comparison> {
  const operators = fc.constantFrom<Comparison['operator'][]>('=', '!=', 'LIKE', 'ILIKE', 'IN', 'NOT IN');
  const pattern = fc.constantFrom('%', 'a', '%A%', 'str%', '%ss%', '_', 'm-%', 'R1');
  return fc
    .tuple(keys, operators, fc.oneof(text, fc.constantFrom('r1', 'm-7919')), pattern, fc.array(text, { minLength: 1, maxLength: 3 }))
    .map(([name, operator, equal, like, texts]) => ({
      entity,
      key: name,
      operator,
      value: operator.endsWith('IN') ? { kind: 'list', texts } : { kind: 'string', text: operator.endsWith('LIKE') ? like : equal },
      position: 1,
    }));
}

const search = fc.record({
  filter: fc.array(
    fc.oneof(
      numeric('metric', key, NUMBERS),
      numeric('attribute', fc.constantFrom('creation_timestamp', 'last_updated_timestamp'), [10, 15.5, 20]),
      textual('param', key),
      textual('tag', key),
      textual('attribute', fc.constantFrom('name', 'model_id', 'model_type', 'status', 'source_run_id')),
    ),
    { maxLength: 2 },
  ),
  order: fc.array(
    fc.record({
      entity: fc.constant('metric'),
      key,
      descending: fc.boolean(),
      datasetName: fc.constantFrom('d', undefined),
      datasetDigest: fc.constantFrom('x', undefined),
    }),
    { maxLength: 1 },
  ),
  attribute: fc.option(
    fc.record({
      entity: fc.constant('attribute'),
      key: fc.constantFrom('creation_timestamp', 'name', 'status', 'model_type'),
      descending: fc.boolean(),
      datasetName: fc.constant(undefined),
      datasetDigest: fc.constant(undefined),
    }),
  ),
  experimentIds: fc.constantFrom<number[][]>([1], [1, 2]),
  datasets: fc.constantFrom<DatasetFilter[][]>(
    [],
    [],
    [{ name: 'd', digest: undefined }],
    [
      { name: 'd', digest: 'x' },
      { name: 'e', digest: 'y' },
    ],
  ),
  pageSize: fc.integer({ min: 1, max: 20 }),
  chunk: fc.integer({ min: 1, max: 9 }),
});

describe.each(searchDatabases())('logged-model search on $dialect', ({ dialect, open }) => {
  let db: Database;
  const models = fakeModels();
  beforeAll(async () => {
    db = await open();
    await store(db, models);
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
        const order = [...asked.order, ...(asked.attribute === null ? [] : [asked.attribute])];
        const plan = planLoggedModels(dialect, asked, asked.filter, order);
        const hasMetric = asked.filter.some((each) => each.entity === 'metric');
        const wanted = ordered(
          models.filter(
            (model) =>
              asked.experimentIds.includes(model.experimentId) &&
              model.lifecycle === 'active' &&
              asked.filter.every((each) => matches(model, each, asked.datasets)) &&
              (hasMetric || asked.datasets.length === 0 || model.points.some((point) => isOn(point, asked.datasets))),
          ),
          order,
        ).map((model) => model.pk);
        for (const find of [
          (each: SearchPlan) => inChunks(each, asked.chunk),
          async (each: SearchPlan) => (await findQuickly(db, each)) ?? [],
          ...plan.drivers.map((driver) => (each: SearchPlan) => new SearchScan(db, each).drive(driver)),
        ]) {
          const found: number[] = [];
          let after: FoundRow['keys'] | undefined;
          do {
            const rows = await find({ ...plan, limit: asked.pageSize, offset: 0, after });
            found.push(...rows.map((row) => row.pk));
            after = rows.length < asked.pageSize ? undefined : rows[rows.length - 1]?.keys;
          } while (after !== undefined);
          expect(found).toEqual(wanted);
        }
      }),
      { numRuns: SEARCHES },
    );
  });

  test.runIf(dialect === 'sqlite')('no query reads a whole table or index', async () => {
    await fc.assert(
      fc.asyncProperty(search, async (asked) => {
        const { queries, scans } = withScans(db);
        const plan = { ...planLoggedModels(dialect, asked, asked.filter, asked.order), limit: asked.pageSize, offset: 0, after: undefined };
        await findQuickly(queries, plan);
        for (const driver of plan.drivers) await new SearchScan(queries, plan).drive(driver);
        expect(scans).toEqual([]);
      }),
      { numRuns: SEARCHES },
    );
  });
});
