import type { Dialect } from '../platform/db/database.ts';
import { type Migration, script } from '../platform/db/migrate.ts';

/**
 * What searches start from. Values are indexed by their first 200 characters, for PostgreSQL refuses longer entries. Names are indexed by
 * trigrams of their folded text: `run_names` (of the tag mlflow.runName, by run) and `registered_model_names`. `latest_metrics.started` is
 * the start of the run (`orderedTime`), by which runs of the same value are walked.
 */
const SQL = `
ALTER TABLE logged_models ADD COLUMN name_folded {text};
CREATE INDEX logged_models_by_run ON logged_models (source_run_id);

ALTER TABLE latest_metrics ADD COLUMN started {int} NOT NULL DEFAULT -9007199254740991;
UPDATE latest_metrics SET started = (
  SELECT CASE WHEN r.start_time > 9007199254740991 THEN 9007199254740991 WHEN r.start_time > -9007199254740991 THEN r.start_time ELSE -9007199254740991 END
  FROM runs r WHERE r.pk = latest_metrics.run_pk
);
DROP INDEX latest_metrics_by_value;
CREATE INDEX latest_metrics_by_value ON latest_metrics (experiment_id, key, is_nan, value, started, run_pk);

CREATE INDEX params_by_value ON params (key, substr(value, 1, 200));
CREATE INDEX run_tags_by_value ON run_tags (key, substr(value, 1, 200));
CREATE INDEX run_dataset_tags_by_value ON run_dataset_tags (key, substr(value, 1, 200));
CREATE INDEX run_dataset_tags_by_dataset ON run_dataset_tags (dataset_id, key);
CREATE INDEX datasets_by_digest ON datasets (experiment_id, digest);
CREATE INDEX registered_model_tags_by_value ON registered_model_tags (key, substr(value, 1, 200));
CREATE INDEX model_version_tags_by_value ON model_version_tags (key, substr(value, 1, 200));
CREATE INDEX experiment_tags_by_value ON experiment_tags (key, substr(value, 1, 200));
CREATE INDEX logged_model_tags_by_value ON logged_model_tags (key, substr(value, 1, 200));
CREATE INDEX logged_model_params_by_value ON logged_model_params (key, substr(value, 1, 200));
`;

/**
 * Content is kept elsewhere: each index holds trigrams and row ids only. An entry at each commit costs three times what entries by the
 * thousand do, so names of runs wait in `run_names_pending`, which searches read too, until a run with a round number comes.
 */
// An outer upsert's conflict clause overrides INSERT OR IGNORE in a trigger, hence the NOT EXISTS.
const SQLITE_TRIGRAMS = [
  "CREATE VIRTUAL TABLE run_names USING fts5(name, content='', contentless_delete=1, detail='none', tokenize='trigram case_sensitive 1')",
  'CREATE TABLE run_names_pending (run_pk INTEGER PRIMARY KEY)',
  `CREATE TRIGGER run_names_insert AFTER INSERT ON run_tags WHEN NEW.key = 'mlflow.runName' BEGIN
    INSERT INTO run_names_pending (run_pk)
      SELECT NEW.run_pk WHERE NOT EXISTS (SELECT 1 FROM run_names_pending WHERE run_pk = NEW.run_pk); END`,
  `CREATE TRIGGER run_names_update AFTER UPDATE ON run_tags WHEN NEW.key = 'mlflow.runName' AND NEW.value <> OLD.value BEGIN
    INSERT INTO run_names_pending (run_pk)
      SELECT NEW.run_pk WHERE NOT EXISTS (SELECT 1 FROM run_names_pending WHERE run_pk = NEW.run_pk); END`,
  `CREATE TRIGGER run_names_delete AFTER DELETE ON run_tags WHEN OLD.key = 'mlflow.runName' BEGIN
    DELETE FROM run_names_pending WHERE run_pk = OLD.run_pk;
    DELETE FROM run_names WHERE rowid = OLD.run_pk; END`,
  `CREATE TRIGGER run_names_gathered AFTER INSERT ON run_names_pending WHEN NEW.run_pk % 1024 = 0 BEGIN
    INSERT OR REPLACE INTO run_names (rowid, name) SELECT p.run_pk, COALESCE(x.folded, x.value)
      FROM run_names_pending p CROSS JOIN run_tags x WHERE x.run_pk = p.run_pk AND x.key = 'mlflow.runName';
    DELETE FROM run_names_pending; END`,
  "INSERT INTO run_names (rowid, name) SELECT run_pk, COALESCE(folded, value) FROM run_tags WHERE key = 'mlflow.runName'",
  "CREATE VIRTUAL TABLE registered_model_names USING fts5(name, content='', contentless_delete=1, detail='none', tokenize='trigram case_sensitive 1')",
  `CREATE TRIGGER registered_model_names_insert AFTER INSERT ON registered_models BEGIN
    INSERT OR REPLACE INTO registered_model_names (rowid, name) VALUES (NEW.id, COALESCE(NEW.name_folded, NEW.name)); END`,
  `CREATE TRIGGER registered_model_names_update AFTER UPDATE OF name, name_folded ON registered_models BEGIN
    INSERT OR REPLACE INTO registered_model_names (rowid, name) VALUES (NEW.id, COALESCE(NEW.name_folded, NEW.name)); END`,
  `CREATE TRIGGER registered_model_names_delete AFTER DELETE ON registered_models BEGIN
    DELETE FROM registered_model_names WHERE rowid = OLD.id; END`,
  'INSERT INTO registered_model_names (rowid, name) SELECT id, COALESCE(name_folded, name) FROM registered_models',
];

/** Creating an extension may be forbidden; names are then searched without an index. */
const POSTGRES_TRIGRAMS = [
  `DO $$ BEGIN
    CREATE EXTENSION IF NOT EXISTS pg_trgm;
    CREATE INDEX run_names ON run_tags USING gin ((COALESCE(folded, value)) gin_trgm_ops) WHERE key = 'mlflow.runName';
    CREATE INDEX registered_model_names ON registered_models USING gin ((COALESCE(name_folded, name)) gin_trgm_ops);
  EXCEPTION WHEN OTHERS THEN
    RAISE NOTICE 'substrings of names are searched without an index: %', SQLERRM;
  END $$`,
];

export const search: Migration = {
  id: 2,
  name: 'search',
  sql: (dialect: Dialect) => [...script(dialect, SQL), ...(dialect === 'sqlite' ? SQLITE_TRIGRAMS : POSTGRES_TRIGRAMS)],
};
