/** For tests: random runs, and what a naive reading of the grammar finds among them. */
import type { Comparison, Ordering } from '@countersign/contract/search.ts';
import fc from 'fast-check';
import type { Tx } from '../../platform/db/database.ts';
import { fold, foldedColumn } from '../../platform/db/fold.ts';
import { orderedTime } from '../../platform/db/search-plan.ts';
import { likePattern } from '../../platform/db/search-sql.ts';

export const RUNS = 60;
export const TEXTS = [
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
export const NUMBERS = [-1, 0, 0.5, 1, 2, 1e300];

interface Dataset {
  readonly name: string;
  readonly digest: string;
  readonly context: string | undefined;
}

export interface FakeRun {
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

export const text = fc.constantFrom(...TEXTS);
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

export function fakeRuns(seed: number): FakeRun[] {
  const bodies = fc.sample(fakeRun, { seed, numRuns: RUNS });
  return bodies.map((body, i) => ({
    ...body,
    // Some names are in the index, some still wait for it.
    pk: i + 1000,
    runId: ((i * 7919) % 104729).toString(16).padStart(32, '0'),
    tags: new Map([...body.tags, ['mlflow.runName', body.name]]),
    datasets: body.datasets.filter(
      (each, at, all) => all.findIndex((other) => other.name === each.name && other.digest === each.digest) === at,
    ),
  }));
}

export async function store(tx: Tx, runs: readonly FakeRun[]): Promise<void> {
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
        'INSERT INTO latest_metrics (run_pk, key, experiment_id, value, is_nan, timestamp, step, written_by, started) VALUES (?, ?, ?, ?, ?, 0, 0, 0, ?)',
        ...[run.pk, key, run.experimentId, Number.isNaN(value) ? 0 : value, Number.isNaN(value) ? 1 : 0, orderedTime(run.startTime)],
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
}

async function storeDataset(tx: Tx, run: FakeRun, dataset: Dataset): Promise<void> {
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

export function matches(run: FakeRun, clause: Comparison): boolean {
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

export function ordered(runs: readonly FakeRun[], order: readonly Ordering[]): FakeRun[] {
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
