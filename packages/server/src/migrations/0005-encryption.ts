import { type Migration, script } from '../platform/db/migrate.ts';

/**
 * Keys of workspaces, wrapped by the master key; the newest of a workspace is for new blobs. An encrypted blob names its file, its own key
 * wrapped by its workspace's, and that one.
 */
const SQL = `
CREATE TABLE workspace_keys (
  id {id}, workspace_id {int} NOT NULL, key_id {text} NOT NULL UNIQUE, wrapped {blob} NOT NULL, created_at {int} NOT NULL, written_by {int} NOT NULL
);
CREATE INDEX workspace_keys_by_workspace ON workspace_keys (workspace_id, id);

ALTER TABLE blobs ADD COLUMN file_id {text};
ALTER TABLE blobs ADD COLUMN wrapped_key {blob};
ALTER TABLE blobs ADD COLUMN workspace_key_pk {int};
CREATE INDEX blobs_by_file ON blobs (domain, file_id) WHERE file_id IS NOT NULL;
CREATE INDEX blobs_by_workspace_key ON blobs (workspace_key_pk) WHERE workspace_key_pk IS NOT NULL;
`;

export const encryption: Migration = { id: 5, name: 'encryption', sql: (dialect) => script(dialect, SQL) };
