import { type Migration, script } from '../platform/db/migrate.ts';

/**
 * The ground: workspaces, principals, tracking, registry, blobs, seals, the chain of events.
 * `written_by` is the authenticated principal of the last write; `registered_by`, `created_by` who made the row; `edited_by` who last
 * changed a version's description or tags, or registered it; `origin_version_id` the version that it was copied from. `folded` holds a text's Unicode fold where that differs from the text itself (ILIKE).
 * `domain` is the key domain of bytes: files are shared only inside it.
 */
const SQL = `
CREATE TABLE principals (
  id {id}, kind {text} NOT NULL, name {text} NOT NULL, display_name {text}, email {text}, owner_id {int}, is_admin {int} NOT NULL DEFAULT 0,
  state {text} NOT NULL DEFAULT 'active', password_hash {text}, password_set_at {int}, created_at {int} NOT NULL DEFAULT 0, written_by {int} NOT NULL DEFAULT 0
);
INSERT INTO principals (id, kind, name, is_admin) VALUES (0, 'local', 'local', 1);

CREATE TABLE workspaces (id {id}, name {text} NOT NULL UNIQUE, description {text}, created_at {int} NOT NULL, written_by {int} NOT NULL);
INSERT INTO workspaces (id, name, created_at, written_by) VALUES (0, 'default', 0, 0);

CREATE TABLE settings (workspace_id {int} NOT NULL, name {text} NOT NULL, value {text} NOT NULL, written_by {int} NOT NULL, PRIMARY KEY (workspace_id, name)) {clustered};

CREATE TABLE chain_head (id {int} PRIMARY KEY, server_id {text} NOT NULL, seq {int} NOT NULL, hash {blob} NOT NULL, recorded_at {int} NOT NULL);
CREATE TABLE events (
  seq {int} PRIMARY KEY, recorded_at {int} NOT NULL, workspace_id {int} NOT NULL, type {text} NOT NULL, version {int} NOT NULL,
  model_id {int}, version_id {int}, target {text}, body {text} NOT NULL, hash {blob} NOT NULL
);
CREATE INDEX events_by_model ON events (model_id, seq, target) WHERE model_id IS NOT NULL;
CREATE TABLE event_texts (seq {int} NOT NULL, field {text} NOT NULL, salt {blob} NOT NULL, text {text} NOT NULL, PRIMARY KEY (seq, field)) {clustered};

CREATE TABLE experiments (
  id {id}, workspace_id {int} NOT NULL, name {text} NOT NULL, name_folded {text}, artifact_location {text} NOT NULL, lifecycle {text} NOT NULL,
  created_at {int} NOT NULL, updated_at {int} NOT NULL, written_by {int} NOT NULL, UNIQUE (workspace_id, name)
);
CREATE INDEX experiments_by_location ON experiments (artifact_location);
CREATE INDEX experiments_by_creation ON experiments (workspace_id, lifecycle, created_at DESC, id);
CREATE TABLE experiment_tags (
  experiment_id {int} NOT NULL, key {text} NOT NULL, value {text} NOT NULL, folded {text}, written_by {int} NOT NULL, PRIMARY KEY (experiment_id, key)
) {clustered};

CREATE TABLE runs (
  pk {id}, run_id {text} NOT NULL UNIQUE, experiment_id {int} NOT NULL, name {text} NOT NULL, user_id {text} NOT NULL, status {text} NOT NULL,
  start_time {int}, end_time {int}, artifact_uri {text} NOT NULL, lifecycle {text} NOT NULL, deleted_at {int}, written_by {int} NOT NULL,
  created_by {int} NOT NULL DEFAULT 0
);
CREATE INDEX runs_by_start ON runs (experiment_id, lifecycle, start_time DESC, run_id);
CREATE TABLE params (
  run_pk {int} NOT NULL, key {text} NOT NULL, value {text} NOT NULL, folded {text}, written_by {int} NOT NULL, PRIMARY KEY (run_pk, key)
) {clustered};
CREATE TABLE run_tags (
  run_pk {int} NOT NULL, key {text} NOT NULL, value {text} NOT NULL, folded {text}, written_by {int} NOT NULL, PRIMARY KEY (run_pk, key)
) {clustered};
CREATE TABLE metrics (
  run_pk {int} NOT NULL, key {text} NOT NULL, timestamp {int} NOT NULL, step {int} NOT NULL, value {real} NOT NULL, is_nan {int} NOT NULL,
  written_by {int} NOT NULL, PRIMARY KEY (run_pk, key, timestamp, step, value, is_nan)
) {clustered};
CREATE TABLE latest_metrics (
  run_pk {int} NOT NULL, key {text} NOT NULL, experiment_id {int} NOT NULL, value {real} NOT NULL, is_nan {int} NOT NULL,
  timestamp {int} NOT NULL, step {int} NOT NULL, written_by {int} NOT NULL, PRIMARY KEY (run_pk, key)
) {clustered};
CREATE INDEX latest_metrics_by_value ON latest_metrics (experiment_id, key, is_nan, value, run_pk);

CREATE TABLE datasets (
  id {id}, experiment_id {int} NOT NULL, name {text} NOT NULL, digest {text} NOT NULL, source_type {text} NOT NULL, source {text} NOT NULL,
  schema {text}, profile {text}, written_by {int} NOT NULL, UNIQUE (experiment_id, name, digest)
);
CREATE TABLE run_datasets (run_pk {int} NOT NULL, dataset_id {int} NOT NULL, position {int} NOT NULL, written_by {int} NOT NULL, PRIMARY KEY (run_pk, dataset_id)) {clustered};
CREATE INDEX run_datasets_by_dataset ON run_datasets (dataset_id, run_pk);
CREATE TABLE run_dataset_tags (run_pk {int} NOT NULL, dataset_id {int} NOT NULL, key {text} NOT NULL, value {text} NOT NULL, folded {text}, PRIMARY KEY (run_pk, dataset_id, key)) {clustered};
CREATE TABLE run_model_inputs (run_pk {int} NOT NULL, model_id {text} NOT NULL, written_by {int} NOT NULL, PRIMARY KEY (run_pk, model_id)) {clustered};
CREATE TABLE run_model_outputs (id {id}, run_pk {int} NOT NULL, model_id {text} NOT NULL, step {int} NOT NULL, written_by {int} NOT NULL);
CREATE INDEX run_model_outputs_by_run ON run_model_outputs (run_pk, id);

CREATE TABLE logged_models (
  pk {id}, model_id {text} NOT NULL UNIQUE, experiment_id {int} NOT NULL, name {text} NOT NULL, artifact_uri {text} NOT NULL, status {int} NOT NULL,
  model_type {text}, source_run_id {text}, created_at {int} NOT NULL, updated_at {int} NOT NULL, lifecycle {text} NOT NULL, written_by {int} NOT NULL,
  created_by {int} NOT NULL DEFAULT 0
);
CREATE INDEX logged_models_by_creation ON logged_models (experiment_id, lifecycle, created_at DESC, model_id);
CREATE INDEX logged_models_by_name ON logged_models (experiment_id, name);
CREATE TABLE logged_model_tags (
  model_pk {int} NOT NULL, key {text} NOT NULL, value {text} NOT NULL, folded {text}, written_by {int} NOT NULL, PRIMARY KEY (model_pk, key)
) {clustered};
CREATE TABLE logged_model_params (
  model_pk {int} NOT NULL, key {text} NOT NULL, value {text} NOT NULL, folded {text}, written_by {int} NOT NULL, PRIMARY KEY (model_pk, key)
) {clustered};
CREATE TABLE logged_model_metrics (
  model_pk {int} NOT NULL, key {text} NOT NULL, timestamp {int} NOT NULL, step {int} NOT NULL, run_id {text} NOT NULL, value {real} NOT NULL, is_nan {int} NOT NULL,
  dataset_name {text}, dataset_digest {text}, written_by {int} NOT NULL, PRIMARY KEY (model_pk, key, timestamp, step, run_id)
) {clustered};

CREATE TABLE registered_models (
  id {id}, workspace_id {int} NOT NULL, name {text} NOT NULL, name_folded {text}, description {text}, is_prompt {int} NOT NULL DEFAULT 0, last_version {int} NOT NULL DEFAULT 0,
  created_at {int} NOT NULL, updated_at {int} NOT NULL, deleted_at {int}, deleted_by {int}, written_by {int} NOT NULL
);
CREATE UNIQUE INDEX registered_models_by_name ON registered_models (workspace_id, name) WHERE deleted_at IS NULL;
CREATE INDEX registered_models_by_update ON registered_models (workspace_id, updated_at, name) WHERE deleted_at IS NULL;
CREATE INDEX registered_models_deleted ON registered_models (workspace_id, name, id) WHERE deleted_at IS NOT NULL;
CREATE TABLE registered_model_tags (
  model_id {int} NOT NULL, key {text} NOT NULL, value {text} NOT NULL, folded {text}, written_by {int} NOT NULL, PRIMARY KEY (model_id, key)
) {clustered};
CREATE TABLE model_versions (
  id {id}, model_id {int} NOT NULL, workspace_id {int} NOT NULL, version {int} NOT NULL, description {text}, source {text} NOT NULL, storage_location {text} NOT NULL, run_id {text} NOT NULL,
  run_link {text} NOT NULL, logged_model_id {text}, stage {text} NOT NULL, is_prompt {int} NOT NULL DEFAULT 0, lineage {text} NOT NULL,
  seal_state {text} NOT NULL, seal_reason {text}, tree_id {int}, damaged_at {int},
  origin_version_id {int}, created_at {int} NOT NULL, updated_at {int} NOT NULL, deleted_at {int}, deleted_by {int},
  registered_by {int} NOT NULL DEFAULT 0, edited_by {int} NOT NULL DEFAULT 0, written_by {int} NOT NULL, UNIQUE (model_id, version)
);
CREATE INDEX model_versions_by_stage ON model_versions (model_id, stage, version DESC) WHERE deleted_at IS NULL;
CREATE INDEX model_versions_by_update ON model_versions (workspace_id, updated_at DESC) WHERE deleted_at IS NULL;
CREATE INDEX model_versions_by_model_update ON model_versions (model_id, updated_at DESC, version DESC) WHERE deleted_at IS NULL;
CREATE INDEX model_versions_by_run ON model_versions (run_id) WHERE deleted_at IS NULL;
CREATE INDEX model_versions_by_logged_model ON model_versions (logged_model_id) WHERE logged_model_id IS NOT NULL;
CREATE INDEX model_versions_by_tree ON model_versions (tree_id) WHERE tree_id IS NOT NULL;
CREATE TABLE model_version_tags (
  version_id {int} NOT NULL, key {text} NOT NULL, value {text} NOT NULL, folded {text}, written_by {int} NOT NULL, PRIMARY KEY (version_id, key)
) {clustered};
CREATE TABLE model_aliases (model_id {int} NOT NULL, alias {text} NOT NULL, version_id {int} NOT NULL, written_by {int} NOT NULL, PRIMARY KEY (model_id, alias)) {clustered};
CREATE INDEX model_aliases_by_version ON model_aliases (version_id);

CREATE TABLE blobs (
  id {id}, domain {text} NOT NULL, sha256 {text} NOT NULL, size {int} NOT NULL, chunk_digests {blob} NOT NULL, state {text} NOT NULL, dying_since {int},
  created_at {int} NOT NULL, UNIQUE (domain, sha256, size)
);
CREATE INDEX blobs_dying ON blobs (dying_since) WHERE dying_since IS NOT NULL;
CREATE TABLE artifacts (
  workspace_id {int} NOT NULL, path {text} NOT NULL, blob_id {int} NOT NULL, updated_at {int} NOT NULL, written_by {int} NOT NULL, PRIMARY KEY (workspace_id, path)
) {clustered};
CREATE INDEX artifacts_by_blob ON artifacts (blob_id);
CREATE TABLE trees (
  id {id}, domain {text} NOT NULL, digest {text} NOT NULL, signing_root {text} NOT NULL, file_count {int} NOT NULL, size {int} NOT NULL, created_at {int} NOT NULL,
  UNIQUE (domain, digest)
);
CREATE TABLE tree_files (tree_id {int} NOT NULL, path {text} NOT NULL, blob_id {int} NOT NULL, PRIMARY KEY (tree_id, path)) {clustered};
CREATE INDEX tree_files_by_blob ON tree_files (blob_id);
`;

export const ground: Migration = { id: 1, name: 'ground', sql: (dialect) => script(dialect, SQL) };
