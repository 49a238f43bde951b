import { type Migration, script } from '../platform/db/migrate.ts';

/** Lineage is followed in both directions; these are ways down: from a version to its copies, from a logged model to runs that read it, from a digest to data. */
const SQL = `
CREATE INDEX model_versions_by_origin ON model_versions (origin_version_id) WHERE origin_version_id IS NOT NULL;
CREATE INDEX run_model_inputs_by_model ON run_model_inputs (model_id, run_pk);
CREATE INDEX datasets_of_digest ON datasets (digest);
`;

export const lineage: Migration = { id: 18, name: 'lineage', sql: (dialect) => script(dialect, SQL) };
