import { type Migration, script } from '../platform/db/migrate.ts';

/**
 * From which address callers did what the record tells: an event has the salted commitment, and many of one caller share it. Erasing a row takes the
 * address away from all of them.
 */
const SQL = `
CREATE TABLE event_origins (commitment {text} NOT NULL PRIMARY KEY, principal_id {int} NOT NULL, salt {blob} NOT NULL, address {text} NOT NULL) {clustered};
CREATE INDEX event_origins_by_principal ON event_origins (principal_id);
`;

export const origins: Migration = { id: 23, name: 'origins', sql: (dialect) => script(dialect, SQL) };
