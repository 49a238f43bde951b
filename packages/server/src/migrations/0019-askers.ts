import { type Migration, script } from '../platform/db/migrate.ts';

/**
 * Several people may ask that the same bytes enter a model: they share one candidate, and each is given the version once (`claimed_at`). A report on a
 * version is one of its copies too, so candidates are found by the version that they would be a copy of.
 */
const SQL = `
CREATE TABLE candidate_askers (
  candidate_id {int} NOT NULL REFERENCES candidates (id) ON DELETE CASCADE, principal_id {int} NOT NULL, asked_at {int} NOT NULL, claimed_at {int},
  PRIMARY KEY (candidate_id, principal_id)
);
INSERT INTO candidate_askers (candidate_id, principal_id, asked_at, claimed_at) SELECT id, created_by, created_at, claimed_at FROM candidates;
ALTER TABLE candidates DROP COLUMN claimed_at;
ALTER TABLE candidates ADD COLUMN origin_version_id {int};
CREATE INDEX candidates_waiting_by_origin ON candidates (origin_version_id) WHERE origin_version_id IS NOT NULL AND closed_at IS NULL AND version_id IS NULL;
`;

export const askers: Migration = { id: 19, name: 'askers', sql: (dialect) => script(dialect, SQL) };
