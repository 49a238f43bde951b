import { type Migration, script } from '../platform/db/migrate.ts';

/**
 * Reports of checks, each a row for ever: a later one of the same run (version, name, external id, account of the reporter) takes `is_newest` from the one before
 * and nothing else. What people wrote (summary, annotations, addresses) stands beside the event alone, where it can be erased; `after_seq` is a
 * place in the chain before that event, from which it is looked for.
 */
const SQL = `
CREATE TABLE check_reports (
  id {id}, version_id {int} NOT NULL REFERENCES model_versions (id) ON DELETE CASCADE, name {text} NOT NULL, external_id {text} NOT NULL,
  status {text} NOT NULL, conclusion {text}, digest {text}, metrics {text} NOT NULL, dataset {text}, started_at {int}, completed_at {int},
  is_entitled {int} NOT NULL, is_newest {int} NOT NULL, has_texts {int} NOT NULL, after_seq {int} NOT NULL, status_since {int} NOT NULL,
  reported_by {int} NOT NULL, account_id {int} NOT NULL, reported_at {int} NOT NULL
);
CREATE UNIQUE INDEX check_reports_newest ON check_reports (version_id, name, external_id, account_id) WHERE is_newest = 1;
CREATE INDEX check_reports_current ON check_reports (version_id, is_newest, id);
CREATE INDEX check_reports_by_version ON check_reports (version_id, id);
CREATE INDEX check_reports_by_name ON check_reports (version_id, name, id);
CREATE INDEX check_reports_counted ON check_reports (version_id, is_entitled, id);
`;

export const checks: Migration = { id: 10, name: 'checks', sql: (dialect) => script(dialect, SQL) };
