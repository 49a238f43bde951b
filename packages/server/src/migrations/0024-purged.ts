import { type Migration, script } from '../platform/db/migrate.ts';

/** Of versions that were purged: who registered them, and what they were copied from. Their copies live on, and nobody approves of what he made. */
const SQL = `
CREATE TABLE purged_versions (id {int} NOT NULL PRIMARY KEY, model_id {int} NOT NULL, version {int} NOT NULL, registered_by {int} NOT NULL, origin_version_id {int});
`;

export const purged: Migration = { id: 24, name: 'purged', sql: (dialect) => script(dialect, SQL) };
