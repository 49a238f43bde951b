import { type Migration, script } from '../platform/db/migrate.ts';

/**
 * Published policies: never changed, only withdrawn. `policy_heads` is renewed by each publication, so that what was read of a workspace's policies
 * is known to hold still by one look at a row; its text is drawn by chance, since a count would come again after a transaction that was undone.
 */
const SQL = `
CREATE TABLE policies (
  id {id}, workspace_id {int} NOT NULL, name {text} NOT NULL, hash {text} NOT NULL, mode {text} NOT NULL, document {text} NOT NULL, source {text} NOT NULL,
  listed_digests {text} NOT NULL, published_at {int} NOT NULL, published_by {int} NOT NULL, withdrawn_at {int}, withdrawn_by {int}
);
CREATE UNIQUE INDEX policies_in_force ON policies (workspace_id, name) WHERE withdrawn_at IS NULL;
CREATE INDEX policies_by_hash ON policies (hash);
CREATE INDEX policies_by_withdrawal ON policies (workspace_id, withdrawn_at);
CREATE INDEX policies_by_name ON policies (workspace_id, name, id);
CREATE TABLE policy_heads (workspace_id {int} PRIMARY KEY, head {text} NOT NULL, has_enforced {int} NOT NULL);
`;

export const policies: Migration = { id: 9, name: 'policies', sql: (dialect) => script(dialect, SQL) };
