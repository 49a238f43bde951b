import { type Migration, script } from '../platform/db/migrate.ts';

/** Who is mentioned in a comment. No word of it stands here. */
const SQL = `
CREATE TABLE mentions (
  id {id}, principal_id {int} NOT NULL, comment_pk {int} NOT NULL REFERENCES comments (pk) ON DELETE CASCADE, at {int} NOT NULL, read_at {int},
  written_by {int} NOT NULL, UNIQUE (comment_pk, principal_id)
);
CREATE INDEX mentions_unread ON mentions (principal_id, id) WHERE read_at IS NULL;
CREATE INDEX mentions_read ON mentions (principal_id, id) WHERE read_at IS NOT NULL;
`;

export const inbox: Migration = { id: 15, name: 'inbox', sql: (dialect) => script(dialect, SQL) };
