import { type Migration, script } from '../platform/db/migrate.ts';

/**
 * Signed checkpoints over the chain of events. Each goes on from the one before: two that go on from the same can't both be there, whichever
 * replica made them. `sealed` is a private key under the master key, null where the operator keeps it. `merkle_nodes` holds the roots of
 * complete subtrees from a level on, so that a proof reads little.
 */
const SQL = `
CREATE TABLE checkpoint_keys (
  number {int} PRIMARY KEY, public_key {blob} NOT NULL UNIQUE, sealed {blob}, created_at {int} NOT NULL, signed_by {int} NOT NULL, signature {blob} NOT NULL,
  written_by {int} NOT NULL
);
CREATE TABLE checkpoints (
  size {int} PRIMARY KEY, root {blob} NOT NULL, recorded_at {int} NOT NULL, previous {blob} NOT NULL UNIQUE, key_id {text} NOT NULL, signature {blob} NOT NULL,
  frontier {blob} NOT NULL
);
CREATE TABLE merkle_nodes (level {int} NOT NULL, position {int} NOT NULL, hash {blob} NOT NULL, PRIMARY KEY (level, position)) {clustered};
`;

export const checkpoints: Migration = { id: 7, name: 'checkpoints', sql: (dialect) => script(dialect, SQL) };
