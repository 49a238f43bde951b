import { type Migration, script } from '../platform/db/migrate.ts';

/**
 * What was known of a version, or of a candidate, at a moment that a decision is bound to. `body` is the exact text that was hashed; it holds tags and
 * params, so it stands here and not in the chain, which has its digest.
 */
const SQL = `
CREATE TABLE evidence_snapshots (
  id {id}, version_id {int} REFERENCES model_versions (id) ON DELETE CASCADE, candidate_id {int} REFERENCES candidates (id) ON DELETE CASCADE,
  number {int} NOT NULL, digest {text} NOT NULL, body {text} NOT NULL, taken_at {int} NOT NULL, taken_by {int} NOT NULL
);
CREATE UNIQUE INDEX evidence_by_version ON evidence_snapshots (version_id, number) WHERE version_id IS NOT NULL;
CREATE UNIQUE INDEX evidence_by_candidate ON evidence_snapshots (candidate_id, number) WHERE candidate_id IS NOT NULL;
`;

export const evidence: Migration = { id: 11, name: 'evidence', sql: (dialect) => script(dialect, SQL) };
