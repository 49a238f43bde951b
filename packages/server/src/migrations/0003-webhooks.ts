import { type Migration, script } from '../platform/db/migrate.ts';

/**
 * `delivered_seq` is the event up to which a webhook is served; a subscription holds for events after its `since_seq`. The lease says which
 * replica serves it. `webhook_failures` holds what was given up. `secret` is encrypted.
 */
const SQL = `
CREATE TABLE webhooks (
  id {id}, webhook_id {text} NOT NULL UNIQUE, workspace_id {int} NOT NULL, name {text} NOT NULL, description {text}, url {text} NOT NULL, secret {blob},
  status {text} NOT NULL, delivered_seq {int} NOT NULL, lease_owner {text}, lease_until {int} NOT NULL DEFAULT 0,
  created_at {int} NOT NULL, updated_at {int} NOT NULL, deleted_at {int}, written_by {int} NOT NULL
);
CREATE INDEX webhooks_by_creation ON webhooks (workspace_id, created_at DESC, id DESC) WHERE deleted_at IS NULL;
CREATE TABLE webhook_events (
  webhook_pk {int} NOT NULL, entity {text} NOT NULL, action {text} NOT NULL, since_seq {int} NOT NULL, PRIMARY KEY (webhook_pk, entity, action)
) {clustered};
CREATE TABLE webhook_failures (
  webhook_pk {int} NOT NULL, seq {int} NOT NULL, reason {text} NOT NULL, failed_at {int} NOT NULL, PRIMARY KEY (webhook_pk, seq)
) {clustered};
`;

export const webhooks: Migration = { id: 3, name: 'webhooks', sql: (dialect) => script(dialect, SQL) };
