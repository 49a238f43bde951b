import { type Migration, script } from '../platform/db/migrate.ts';

/**
 * Who stands behind which account. A job of a CI system is a principal of its own, `job_of` the account whose access it has, with what its issuer
 * calls whoever started it ('' where it doesn't say); its name is no account's name. `ci_identities` says whose account that is.
 * `credential_changes` holds who changed whose credentials or groups, themselves left out. `workspace_id` as in grants; `subject_kind` is
 * `user` or `group`.
 */
const SQL = `
ALTER TABLE principals ADD COLUMN job_of {int};
ALTER TABLE principals ADD COLUMN starter_issuer {text};
ALTER TABLE principals ADD COLUMN starter_id {text};
DROP INDEX principals_by_name;
CREATE UNIQUE INDEX principals_by_name ON principals (name) WHERE state <> 'deleted' AND job_of IS NULL;
CREATE INDEX principals_that_are_accounts ON principals (id) WHERE job_of IS NULL;
CREATE UNIQUE INDEX principals_by_job ON principals (job_of, name, starter_id) WHERE job_of IS NOT NULL;
CREATE INDEX principals_by_starter ON principals (starter_issuer, starter_id) WHERE job_of IS NOT NULL;
ALTER TABLE tokens ADD COLUMN job_id {int};
CREATE INDEX ci_trusts_by_principal ON ci_trusts (principal_id);

CREATE TABLE ci_identities (
  issuer {text} NOT NULL, actor_id {text} NOT NULL, principal_id {int} NOT NULL, linked_at {int} NOT NULL, written_by {int} NOT NULL, PRIMARY KEY (issuer, actor_id)
) {clustered};
CREATE INDEX ci_identities_by_principal ON ci_identities (principal_id);

CREATE TABLE credential_changes (
  about {int} NOT NULL, at {int} NOT NULL, changed_by {int} NOT NULL, PRIMARY KEY (about, at, changed_by)
) {clustered};

CREATE TABLE permission_holders (
  workspace_id {int} NOT NULL, permission {text} NOT NULL, subject_kind {text} NOT NULL, subject_id {int} NOT NULL, given_at {int} NOT NULL, written_by {int} NOT NULL,
  PRIMARY KEY (workspace_id, permission, subject_kind, subject_id)
) {clustered};
CREATE INDEX permission_holders_by_subject ON permission_holders (subject_kind, subject_id);
`;

export const people: Migration = { id: 13, name: 'people', sql: (dialect) => script(dialect, SQL) };
