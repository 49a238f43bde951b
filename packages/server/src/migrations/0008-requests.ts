import { type Migration, script } from '../platform/db/migrate.ts';

/**
 * Requests for governed changes, the approvals that they were given, candidates for entry into a model, and comments. They hold who and when; what
 * people wrote stands beside their events alone, where it can be erased. `about` is what a change is of (`version:7`, `model:3`, `candidate:5`,
 * `workspace:0`), `subject` what is asked for in full, `target` the place alone. One open request per about, subject and creator. Activities are read
 * from the events of a version, and those of a request from the events on the target `request:ID`. Events without a target (tags, descriptions) are
 * none, and write no index for it.
 */
const SQL = `
CREATE TABLE requests (
  id {id}, workspace_id {int} NOT NULL, about {text} NOT NULL, subject {text} NOT NULL, target {text} NOT NULL, change {text} NOT NULL, proposal {text} NOT NULL,
  model_id {int} REFERENCES registered_models (id) ON DELETE CASCADE, version_id {int} REFERENCES model_versions (id) ON DELETE CASCADE, candidate_id {int},
  created_by {int} NOT NULL, created_at {int} NOT NULL, expires_at {int}, state {text} NOT NULL, closed_by {int}, closed_at {int}, written_by {int} NOT NULL
);
CREATE UNIQUE INDEX requests_open ON requests (about, subject, created_by) WHERE state = 'open';
CREATE INDEX requests_by_version ON requests (version_id, id) WHERE version_id IS NOT NULL;
CREATE INDEX requests_by_model ON requests (model_id, id) WHERE model_id IS NOT NULL;
CREATE INDEX requests_by_workspace ON requests (workspace_id, id);
CREATE INDEX requests_open_of_model ON requests (model_id, id) WHERE state = 'open';
CREATE INDEX requests_open_of_workspace ON requests (workspace_id, id) WHERE state = 'open';
CREATE INDEX requests_open_by_expiry ON requests (expires_at) WHERE state = 'open';
CREATE INDEX requests_by_creator ON requests (created_by, id);
CREATE TABLE approvals (
  id {id}, about {text} NOT NULL, subject {text} NOT NULL, request_id {int} NOT NULL REFERENCES requests (id) ON DELETE CASCADE, approved_by {int} NOT NULL,
  approved_at {int} NOT NULL, digest {text}, evidence {text} NOT NULL, policies {text} NOT NULL, closed_at {int}, written_by {int} NOT NULL
);
CREATE INDEX approvals_live ON approvals (about, subject) WHERE closed_at IS NULL;
CREATE INDEX approvals_by_request ON approvals (request_id, id);
CREATE TABLE candidates (
  id {id}, workspace_id {int} NOT NULL, model_id {int} NOT NULL REFERENCES registered_models (id) ON DELETE CASCADE, source {text} NOT NULL, claim {text} NOT NULL,
  digest {text}, tree_id {int}, created_by {int} NOT NULL, created_at {int} NOT NULL, version_id {int}, claimed_at {int}, closed_at {int}
);
CREATE INDEX candidates_by_source ON candidates (model_id, source, created_by);
CREATE INDEX candidates_by_tree ON candidates (tree_id) WHERE tree_id IS NOT NULL AND closed_at IS NULL;
CREATE TABLE comments (
  pk {id}, id {text} NOT NULL UNIQUE, workspace_id {int} NOT NULL, model_id {int}, version_id {int} REFERENCES model_versions (id) ON DELETE CASCADE,
  request_id {int} REFERENCES requests (id) ON DELETE CASCADE, thread_pk {int}, parent_id {text}, created_by {int} NOT NULL, created_at {int} NOT NULL,
  updated_at {int} NOT NULL, deleted_at {int}, edit_count {int} NOT NULL, resolved_at {int}, resolved_by {int}, written_by {int} NOT NULL
);
CREATE INDEX comments_by_version ON comments (version_id, COALESCE(thread_pk, pk), pk) WHERE version_id IS NOT NULL;
CREATE INDEX comments_by_request ON comments (request_id, COALESCE(thread_pk, pk), pk) WHERE request_id IS NOT NULL;
CREATE INDEX comments_by_thread ON comments (thread_pk) WHERE thread_pk IS NOT NULL;
CREATE INDEX events_by_version ON events (version_id, seq) WHERE version_id IS NOT NULL AND target IS NOT NULL;
CREATE INDEX events_by_request ON events (target, seq) WHERE target >= 'request:' AND target < 'request;';
CREATE INDEX events_by_comment ON events (target, seq) WHERE target >= 'comment:' AND target < 'comment;';
`;

export const requests: Migration = { id: 8, name: 'requests', sql: (dialect) => script(dialect, SQL) };
