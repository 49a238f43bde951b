import { type Migration, script } from '../platform/db/migrate.ts';

/**
 * Requests for governed changes, and comments. Both hold who and when; what people wrote stands beside their events alone, where it can be
 * erased. One open request per version, target (`stage:Production`) and creator. Activities are read from the events of a version, and those
 * of a request from the events on the target `request:ID`. Events without a target (tags, descriptions) are none, and write no index for it.
 */
const SQL = `
CREATE TABLE requests (
  id {id}, model_id {int} NOT NULL, version_id {int} NOT NULL REFERENCES model_versions (id) ON DELETE CASCADE, target {text} NOT NULL,
  created_by {int} NOT NULL, created_at {int} NOT NULL, state {text} NOT NULL, closed_by {int}, closed_at {int}, written_by {int} NOT NULL
);
CREATE INDEX requests_by_version ON requests (version_id, id);
CREATE UNIQUE INDEX requests_open ON requests (version_id, target, created_by) WHERE state = 'open';
CREATE INDEX requests_open_of_model ON requests (model_id, id) WHERE state = 'open';
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
