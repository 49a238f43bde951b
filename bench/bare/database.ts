// SQLite with every commit on disk before it is answered, shared by all writers of a tick.
import { DatabaseSync, type StatementSync } from 'node:sqlite';

const schema = `
CREATE TABLE IF NOT EXISTS models (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE, description TEXT NOT NULL, created INTEGER NOT NULL,
  updated INTEGER NOT NULL, version_last INTEGER NOT NULL DEFAULT 0);
CREATE TABLE IF NOT EXISTS model_tags (model_id INTEGER, key TEXT, value TEXT NOT NULL, PRIMARY KEY (model_id, key)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS model_tags_by_value ON model_tags (key, value, model_id);
CREATE TABLE IF NOT EXISTS versions (model_id INTEGER, version INTEGER, created INTEGER NOT NULL, updated INTEGER NOT NULL, stage TEXT NOT NULL,
  description TEXT NOT NULL, source TEXT NOT NULL, download_uri TEXT NOT NULL, run_id TEXT NOT NULL, PRIMARY KEY (model_id, version)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS versions_by_stage ON versions (model_id, stage, version);
CREATE INDEX IF NOT EXISTS versions_by_update ON versions (model_id, updated DESC, version DESC);
CREATE TABLE IF NOT EXISTS version_tags (model_id INTEGER, version INTEGER, key TEXT, value TEXT NOT NULL, PRIMARY KEY (model_id, version, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS aliases (model_id INTEGER, alias TEXT, version INTEGER NOT NULL, PRIMARY KEY (model_id, alias)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS aliases_by_version ON aliases (model_id, version, alias);
CREATE TABLE IF NOT EXISTS experiments (id INTEGER PRIMARY KEY, name TEXT NOT NULL UNIQUE);
CREATE TABLE IF NOT EXISTS runs (id INTEGER PRIMARY KEY, uuid TEXT NOT NULL UNIQUE, experiment_id INTEGER NOT NULL, name TEXT NOT NULL, user TEXT NOT NULL,
  start_time INTEGER NOT NULL);
CREATE INDEX IF NOT EXISTS runs_by_start ON runs (experiment_id, start_time DESC, uuid);
CREATE TABLE IF NOT EXISTS run_tags (run_id INTEGER, key TEXT, value TEXT NOT NULL, PRIMARY KEY (run_id, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS params (run_id INTEGER, key TEXT, value TEXT NOT NULL, PRIMARY KEY (run_id, key)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS metrics (run_id INTEGER, key TEXT, timestamp INTEGER, step INTEGER, value REAL, PRIMARY KEY (run_id, key, timestamp, step, value)) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS latest_metrics (run_id INTEGER, key TEXT, value REAL NOT NULL, timestamp INTEGER NOT NULL, step INTEGER NOT NULL,
  PRIMARY KEY (run_id, key)) WITHOUT ROWID;
CREATE INDEX IF NOT EXISTS latest_metrics_by_value ON latest_metrics (key, value, run_id);
CREATE TABLE IF NOT EXISTS artifacts (path TEXT PRIMARY KEY, digest TEXT NOT NULL, size INTEGER NOT NULL, is_sealed INTEGER NOT NULL) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS blobs (digest TEXT PRIMARY KEY, size INTEGER NOT NULL, chunk_digests BLOB NOT NULL) WITHOUT ROWID;
`;

type PendingWrite = {
  readonly work: () => string | undefined;
  readonly committed: (text: string | undefined) => void;
  readonly failed: (error: unknown) => void;
};

/** One connection; reads see the last commit because writes are applied and committed in one go. */
export class BareDatabase {
  private readonly db: DatabaseSync;
  private readonly beginWrites: StatementSync;
  private readonly commitWrites: StatementSync;
  private pending: PendingWrite[] = [];

  constructor(path: string) {
    this.db = new DatabaseSync(path);
    this.db.exec('PRAGMA journal_mode = WAL; PRAGMA synchronous = FULL; PRAGMA cache_size = -32000; PRAGMA wal_autocheckpoint = 4000;');
    this.db.exec(schema);
    this.beginWrites = this.db.prepare('BEGIN IMMEDIATE');
    this.commitWrites = this.db.prepare('COMMIT');
  }

  prepare(sql: string): StatementSync {
    return this.db.prepare(sql);
  }

  /** Queues work for the transaction at the end of this tick; `committed` is called when it is on disk. */
  write(work: PendingWrite['work'], committed: PendingWrite['committed'], failed: PendingWrite['failed']): void {
    this.pending.push({ work, committed, failed });
    if (this.pending.length === 1) setImmediate(() => this.flush());
  }

  close(): void {
    this.flush();
    this.db.close();
  }

  private flush(): void {
    const batch = this.pending;
    this.pending = [];
    if (batch.length === 0) return;
    try {
      this.beginWrites.run();
      const texts = batch.map((write) => write.work());
      this.commitWrites.run();
      batch.forEach((write, index) => {
        write.committed(texts[index]);
      });
    } catch (error) {
      if (this.db.isTransaction) this.db.exec('ROLLBACK');
      for (const write of batch) write.failed(error);
    }
  }
}
