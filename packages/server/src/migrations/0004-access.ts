import { type Migration, script } from '../platform/db/migrate.ts';

/**
 * Who there is and who may do what. `workspace_id` is -1 where something holds in every workspace. `access_head` counts the changes of access;
 * `access_changes` says whom each concerns (nobody named: everyone), so that what was compiled for the others stays.
 * `workspace_usage` counts what quotas limit: each process of the server counts in a row of its own, and the sum of a workspace's rows holds.
 */
const SQL = `
CREATE UNIQUE INDEX principals_by_name ON principals (name) WHERE state <> 'deleted';
CREATE INDEX principals_by_owner ON principals (owner_id) WHERE owner_id IS NOT NULL;

CREATE TABLE tokens (
  id {id}, principal_id {int} NOT NULL, kind {text} NOT NULL, name {text} NOT NULL, digest {blob} NOT NULL UNIQUE, hint {text} NOT NULL, scopes {text} NOT NULL,
  created_at {int} NOT NULL, expires_at {int}, last_used_at {int}, revoked_at {int}, written_by {int} NOT NULL
);
CREATE INDEX tokens_by_principal ON tokens (principal_id, id);

CREATE TABLE account_groups (
  id {id}, workspace_id {int} NOT NULL, name {text} NOT NULL, description {text}, created_at {int} NOT NULL, written_by {int} NOT NULL, UNIQUE (workspace_id, name)
);
CREATE TABLE group_members (
  group_id {int} NOT NULL, principal_id {int} NOT NULL, source {text} NOT NULL, added_at {int} NOT NULL, written_by {int} NOT NULL,
  PRIMARY KEY (group_id, principal_id, source)
) {clustered};
CREATE INDEX group_members_by_principal ON group_members (principal_id, group_id);

CREATE TABLE grants (
  id {id}, workspace_id {int} NOT NULL, subject_kind {text} NOT NULL, subject_id {int} NOT NULL, kind {text} NOT NULL, object_id {int} NOT NULL, prefix {text} NOT NULL,
  level {text} NOT NULL, created_at {int} NOT NULL, written_by {int} NOT NULL, UNIQUE (subject_kind, subject_id, workspace_id, kind, object_id, prefix)
);
CREATE INDEX grants_by_object ON grants (kind, object_id, id);
CREATE INDEX grants_by_workspace ON grants (workspace_id, id);

CREATE TABLE access_head (id {int} PRIMARY KEY, epoch {int} NOT NULL);
INSERT INTO access_head (id, epoch) VALUES (1, 0);
CREATE INDEX events_of_access ON events (seq) WHERE target = 'access';
CREATE TABLE access_changes (epoch {int} PRIMARY KEY, principal_id {int}, grant_id {int});

ALTER TABLE workspaces RENAME TO workspaces_of_ground;
CREATE TABLE workspaces (
  id {id}, name {text} NOT NULL, description {text}, default_artifact_root {text}, created_at {int} NOT NULL, deleted_at {int}, deleted_by {int},
  written_by {int} NOT NULL
);
INSERT INTO workspaces (id, name, description, created_at, written_by) SELECT id, name, description, created_at, written_by FROM workspaces_of_ground;
DROP TABLE workspaces_of_ground;
CREATE UNIQUE INDEX workspaces_by_name ON workspaces (name) WHERE deleted_at IS NULL;
CREATE TABLE workspace_usage (
  workspace_id {int} NOT NULL, shard {int} NOT NULL, models {int} NOT NULL, versions {int} NOT NULL, bytes {int} NOT NULL, PRIMARY KEY (workspace_id, shard)
) {clustered};
INSERT INTO workspace_usage (workspace_id, shard, models, versions, bytes) SELECT w.id, 0,
  (SELECT count(*) FROM registered_models m WHERE m.workspace_id = w.id AND m.deleted_at IS NULL),
  (SELECT count(*) FROM model_versions v WHERE v.workspace_id = w.id AND v.deleted_at IS NULL),
  (SELECT COALESCE(sum(b.size), 0) FROM artifacts a JOIN blobs b ON b.id = a.blob_id WHERE a.workspace_id = w.id)
    + (SELECT COALESCE(sum(t.size), 0) FROM model_versions v JOIN trees t ON t.id = v.tree_id WHERE v.workspace_id = w.id)
  FROM workspaces w;
`;

export const access: Migration = { id: 4, name: 'access', sql: (dialect) => script(dialect, SQL) };
