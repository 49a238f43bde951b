// Experiments, runs and metrics of the bare server.
import { randomBytes } from 'node:crypto';
import type { StatementSync } from 'node:sqlite';
import type { Fields } from '../bare.ts';
import type { BareDatabase } from './database.ts';

type Row = Record<string, unknown>;
type Metric = { readonly key: string; readonly value: number; readonly timestamp: number; readonly step?: number };

const runColumns = `r.uuid, r.experiment_id, r.name, r.user, r.start_time,
  (SELECT json_group_array(json_object('key', key, 'value', value, 'timestamp', timestamp, 'step', step)) FROM latest_metrics WHERE run_id = r.id) AS metrics,
  (SELECT json_group_array(json_object('key', key, 'value', value)) FROM params WHERE run_id = r.id) AS params,
  (SELECT json_group_array(json_object('key', key, 'value', value)) FROM run_tags WHERE run_id = r.id) AS tags`;

function runJson(row: Row): string {
  const list = (field: string): string => (row[field] === '[]' ? '' : `,"${field}":${String(row[field])}`);
  const data = list('metrics') + list('params') + list('tags');
  return (
    `{"info":{"run_uuid":"${row.uuid}","experiment_id":"${row.experiment_id}","run_name":${JSON.stringify(row.name)},"user_id":${JSON.stringify(row.user)},` +
    `"status":"RUNNING","start_time":${row.start_time},"artifact_uri":"mlflow-artifacts:/${row.experiment_id}/${row.uuid}/artifacts",` +
    `"lifecycle_stage":"active","run_id":"${row.uuid}"},"data":{${data.slice(1)}},"inputs":{},"outputs":{}}`
  );
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : '';
}

function listOf<T>(value: unknown): T[] {
  return Array.isArray(value) ? value : [];
}

export class Tracking {
  private readonly insertExperiment: StatementSync;
  private readonly insertRun: StatementSync;
  private readonly runByUuid: StatementSync;
  private readonly runIdByUuid: StatementSync;
  private readonly insertTag: StatementSync;
  private readonly insertParam: StatementSync;
  private readonly insertMetric: StatementSync;
  private readonly upsertLatest: StatementSync;
  private readonly history: StatementSync;
  private readonly runsByMetric: StatementSync;
  private readonly runsWithoutMetric: StatementSync;

  constructor(db: BareDatabase) {
    this.insertExperiment = db.prepare('INSERT INTO experiments (name) VALUES (?) RETURNING id');
    this.insertRun = db.prepare('INSERT INTO runs (uuid, experiment_id, name, user, start_time) VALUES (?, ?, ?, ?, ?) RETURNING id');
    this.runByUuid = db.prepare(`SELECT ${runColumns} FROM runs r WHERE r.uuid = ?`);
    this.runIdByUuid = db.prepare('SELECT id FROM runs WHERE uuid = ?');
    this.insertTag = db.prepare('INSERT OR REPLACE INTO run_tags VALUES (?, ?, ?)');
    this.insertParam = db.prepare('INSERT OR IGNORE INTO params VALUES (?, ?, ?)');
    this.insertMetric = db.prepare('INSERT OR IGNORE INTO metrics VALUES (?, ?, ?, ?, ?)');
    this.upsertLatest = db.prepare(
      `INSERT INTO latest_metrics VALUES (?, ?, ?, ?, ?) ON CONFLICT (run_id, key) DO UPDATE SET value = excluded.value,
       timestamp = excluded.timestamp, step = excluded.step WHERE (excluded.step, excluded.timestamp, excluded.value) > (step, timestamp, value)`,
    );
    this.history = db.prepare(
      `SELECT json_group_array(json_object('key', key, 'value', value, 'timestamp', timestamp, 'step', step)) AS metrics
       FROM (SELECT * FROM metrics WHERE run_id = ? AND key = ? ORDER BY timestamp, step, value LIMIT ?)`,
    );
    this.runsByMetric = db.prepare(
      `SELECT ${runColumns} FROM latest_metrics o CROSS JOIN latest_metrics f ON f.run_id = o.run_id AND f.key = ? AND f.value > ?
       CROSS JOIN runs r ON r.id = o.run_id AND r.experiment_id = ? WHERE o.key = ? ORDER BY o.value DESC, r.start_time DESC, r.uuid LIMIT ?`,
    );
    this.runsWithoutMetric = db.prepare(
      `SELECT ${runColumns} FROM latest_metrics f JOIN runs r ON r.id = f.run_id AND r.experiment_id = ? WHERE f.key = ? AND f.value > ?
       AND NOT EXISTS (SELECT 1 FROM latest_metrics o WHERE o.run_id = r.id AND o.key = ?) ORDER BY r.start_time DESC, r.uuid LIMIT ?`,
    );
  }

  createExperiment(fields: Fields): string {
    return JSON.stringify({ experiment_id: String(this.insertExperiment.get(text(fields.name))?.id) });
  }

  createRun(fields: Fields): string {
    const uuid = randomBytes(16).toString('hex');
    const name = text(fields.run_name);
    const row = this.insertRun.get(uuid, Number(fields.experiment_id), name, text(fields.user_id), Number(fields.start_time));
    const id = Number(row?.id);
    for (const tag of listOf<{ key: string; value: string }>(fields.tags)) this.insertTag.run(id, tag.key, tag.value);
    this.insertTag.run(id, 'mlflow.runName', name);
    return `{"run":${runJson(this.runByUuid.get(uuid) ?? {})}}`;
  }

  getRun(fields: Fields): string | undefined {
    const row = this.runByUuid.get(text(fields.run_id));
    return row && `{"run":${runJson(row)}}`;
  }

  getHistory(fields: Fields): string | undefined {
    const run = this.runIdByUuid.get(text(fields.run_id));
    if (run === undefined) return '{}';
    return `{"metrics":${this.history.get(Number(run.id), text(fields.metric_key), Number(fields.max_results))?.metrics}}`;
  }

  logMetric(fields: Fields): string | undefined {
    const run = this.runIdByUuid.get(text(fields.run_id));
    if (run === undefined) return undefined;
    const metric = {
      key: text(fields.key),
      value: Number(fields.value),
      timestamp: Number(fields.timestamp),
      step: Number(fields.step ?? 0),
    };
    this.addMetric(Number(run.id), metric);
    return '{}';
  }

  logBatch(fields: Fields): string | undefined {
    const run = this.runIdByUuid.get(text(fields.run_id));
    if (run === undefined) return undefined;
    const id = Number(run.id);
    for (const param of listOf<{ key: string; value: string }>(fields.params)) this.insertParam.run(id, param.key, param.value);
    for (const metric of listOf<Metric>(fields.metrics)) this.addMetric(id, metric);
    for (const tag of listOf<{ key: string; value: string }>(fields.tags)) this.insertTag.run(id, tag.key, tag.value);
    return '{}';
  }

  searchRuns(fields: Fields): string {
    const filter = /^metrics\.(\w+) > ([\d.]+)$/.exec(text(fields.filter));
    const [key, bound] = [filter?.[1] ?? '', Number(filter?.[2])];
    const order = /^metrics\.(\w+) DESC$/.exec(text(listOf<string>(fields.order_by)[0]))?.[1] ?? '';
    const experimentId = Number(listOf<string>(fields.experiment_ids)[0]);
    const limit = Number(fields.max_results);
    const rows = this.runsByMetric.all(key, bound, experimentId, order, limit + 1);
    if (rows.length <= limit) rows.push(...this.runsWithoutMetric.all(experimentId, key, bound, order, limit + 1 - rows.length));
    const token = rows.length > limit ? `,"next_page_token":"${btoa(`{"offset":${limit}}`)}"` : '';
    return `{"runs":[${rows.slice(0, limit).map(runJson).join(',')}]${token}}`;
  }

  private addMetric(runId: number, metric: Metric): void {
    const step = metric.step ?? 0;
    const { changes } = this.insertMetric.run(runId, metric.key, metric.timestamp, step, metric.value);
    if (changes === 1) this.upsertLatest.run(runId, metric.key, metric.value, metric.timestamp, step);
  }
}
