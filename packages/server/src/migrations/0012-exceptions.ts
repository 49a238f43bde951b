import { type Migration, script } from '../platform/db/migrate.ts';

/**
 * Blocks of bytes, and broken glass. Both hold who and when; reasons, tickets and notes stand beside the events on `block:ID` and `break-glass:ID`
 * alone, where they can be erased. One open block per digest in a workspace; workspace -1 is all of them. While a row of a policy is in
 * `break_glass_closed`, its glass can't be broken once more: whoever uses it writes the row, so that of two at the same time one comes through.
 */
const SQL = `
CREATE TABLE digest_blocks (
  id {id}, workspace_id {int} NOT NULL, digest {text} NOT NULL, blocked_by {int} NOT NULL, blocked_at {int} NOT NULL, lifted_by {int}, lifted_at {int},
  written_by {int} NOT NULL
);
CREATE UNIQUE INDEX digest_blocks_open ON digest_blocks (digest, workspace_id) WHERE lifted_at IS NULL;
CREATE INDEX digest_blocks_by_workspace ON digest_blocks (workspace_id, id);
CREATE INDEX digest_blocks_by_digest ON digest_blocks (digest, id);
CREATE INDEX trees_by_digest ON trees (digest);
CREATE TABLE break_glass (
  id {id}, workspace_id {int} NOT NULL, policy_name {text} NOT NULL, opened_by {int} NOT NULL, opened_at {int} NOT NULL, expires_at {int} NOT NULL,
  used_at {int}, used_for {text}, model_id {int}, version_id {int}, reviewed_by {int}, reviewed_at {int}, written_by {int} NOT NULL
);
CREATE INDEX break_glass_open ON break_glass (workspace_id, policy_name, opened_by, id) WHERE used_at IS NULL;
CREATE INDEX break_glass_used ON break_glass (workspace_id, policy_name, id) WHERE used_at IS NOT NULL;
CREATE INDEX break_glass_by_workspace ON break_glass (workspace_id, id);
CREATE TABLE break_glass_closed (
  workspace_id {int} NOT NULL, policy_name {text} NOT NULL, opening_id {int} NOT NULL, written_by {int} NOT NULL, PRIMARY KEY (workspace_id, policy_name)
) {clustered};
CREATE INDEX events_by_block ON events (target, seq) WHERE target >= 'block:' AND target < 'block;';
CREATE INDEX events_by_break_glass ON events (target, seq) WHERE target >= 'break-glass:' AND target < 'break-glass;';
`;

export const exceptions: Migration = { id: 12, name: 'exceptions', sql: (dialect) => script(dialect, SQL) };
